//! A machine of its own for each test: folders, configuration, environment.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::Run;

/// True where every user gets to it, and not below somebody's home only its owner.
pub fn is_open(folder: &Path) -> bool {
    let folder = folder.canonicalize().expect("it is there");
    let mode = |folder: &Path| folder.metadata().expect("it is there").permissions().mode();
    folder.ancestors().all(|above| mode(above) & 1 != 0)
}

/// A user with an empty home, in the workspace of an empty project. Everything goes away with it.
///
/// The one thing that cannot be moved is the operator's `/etc/toolhatch/config.toml`.
pub struct TestEnv {
    /// Removes the folders when it is dropped.
    _folder: TempDir,
    root: PathBuf,
}

impl TestEnv {
    pub fn new() -> Self {
        // The test folder of the target directory: what a killed test leaves behind stays out of the system's folders.
        let folder = tempfile::Builder::new()
            .prefix("env-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it exists");
        for name in ["home", "config", "data", "cache", "tmp", "workspace/.git"] {
            std::fs::create_dir_all(root.join(name)).expect("created");
        }
        Self {
            _folder: folder,
            root,
        }
    }

    /// A path in the workspace, which is the current folder of every run.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join("workspace").join(path)
    }

    /// `TOOLHATCH_HOME`.
    pub fn toolhatch_home(&self) -> PathBuf {
        self.root.join("data/toolhatch")
    }

    /// The user's configuration file.
    pub fn user_config(&self) -> PathBuf {
        self.root.join("config/toolhatch/config.toml")
    }

    /// Writes a file, with the folders above it; relative paths are below the workspace.
    pub fn write(&self, path: impl AsRef<Path>, contents: &[u8]) -> PathBuf {
        let path = self.path(path);
        let folder = path.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder).expect("created");
        toolhatch::fsx::write_atomic(&path, contents, 0o644).expect("written");
        path
    }

    /// The binary with these arguments.
    pub fn run<I>(&self, arguments: I) -> Run
    where
        I: IntoIterator<Item: AsRef<std::ffi::OsStr>>,
    {
        self.program(env!("CARGO_BIN_EXE_toolhatch"), arguments)
    }

    /// Another program, in the same place.
    pub fn program<I>(&self, program: impl AsRef<std::ffi::OsStr>, arguments: I) -> Run
    where
        I: IntoIterator<Item: AsRef<std::ffi::OsStr>>,
    {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .env("TZ", "UTC")
            .env("USER", "me")
            .env("HOME", self.root.join("home"))
            .env("XDG_CONFIG_HOME", self.root.join("config"))
            .env("XDG_DATA_HOME", self.root.join("data"))
            .env("XDG_CACHE_HOME", self.root.join("cache"))
            .env("TMPDIR", self.root.join("tmp"))
            .env("TOOLHATCH_HOME", self.toolhatch_home());
        Run::new(command)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::Signal;

    use super::*;
    use crate::support::guests;

    #[test]
    fn a_run_sees_only_its_own_folders() {
        let env = TestEnv::new();
        let output = env.run(["explain", "E3402", "--json"]).ok();
        assert_eq!(output.json()["symbol"], "tool-timeout", "{output}");
        env.write(env.user_config(), b"[limits]\ntimeoutt = \"1s\"\n");
        let output = env
            .run(["call", "none.wasm"])
            .env("TOOLHATCH_LOG", "debug")
            .fails_with(2, "E3004");
        assert!(output.stderr.contains("timeoutt"), "{output}");
    }

    #[test]
    fn a_run_can_be_fed_and_read_line_by_line() {
        let env = TestEnv::new();
        env.write("adder.wasm", &guests::component(guests::ADDER));
        let line = |id: u32| {
            format!(
                "{{\"id\": {id}, \"tool\": \"adder.wasm\", \"args\": {{\"a\": {id}, \"b\": 2}}}}\n"
            )
        };
        let input: String = (1..=3).map(line).collect();
        let output = env
            .run(["call", "--jsonl"])
            .stdin(input)
            .timeout(Duration::from_secs(30))
            .ok();
        let results: Vec<u64> = output
            .json_lines()
            .iter()
            .map(|line| line["structured"]["result"].as_u64().expect("a number"))
            .collect();
        assert_eq!(results, [3, 4, 5], "{output}");
    }

    #[test]
    fn a_spinning_call_ends_on_ctrl_c() {
        let env = TestEnv::new();
        env.write("spin.wasm", &guests::component(guests::SPIN));
        let running = env
            .run(["call", "spin.wasm", "spin", "--timeout", "50s", "--json"])
            .env("TOOLHATCH_LOG", "debug")
            .start();
        running.wait_for("call authorised");
        // Most likely it is in the guest by then; before that it would be cancelled as well.
        std::thread::sleep(Duration::from_millis(300));
        running.signal(Signal::INT);
        let output = running.finish().fails_with(130, "E3703");
        assert!(output.elapsed < Duration::from_secs(20), "{output}");
    }
}
