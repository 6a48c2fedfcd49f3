//! The binary in a user and mount namespace of its own, where it finds another `/etc`, or a folder that it can only read.
//!
//! Not every system lets its users have that: a test asks [`works`] first, and `scripts/test` lists what is left out where
//! the answer is no.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::env::TestEnv;
use super::process::Run;

const PRIVATE: [&str; 4] = ["--user", "--map-root-user", "--mount", "--"];
/// Only another table of mounts: whoever is root stays root, and can be other users.
const ROOT: [&str; 2] = ["--mount", "--"];

/// Mounts a folder over itself for reading alone; keeps `$1` for the folder.
const READ_ONLY: &str =
    "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && shift && exec \"$@\"";
/// Puts the folder `$1` in the place of `/etc`.
const OTHER_ETC: &str = "mount --bind \"$1\" /etc && shift && exec \"$@\"";

/// True where namespaces can be had and mounted in.
pub fn works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let tried = Command::new("unshare")
            .args(PRIVATE)
            .args(["sh", "-c", READ_ONLY, "sh"])
            .arg(folder.path())
            .arg("true")
            .output();
        tried.is_ok_and(|output| output.status.success())
    })
}

/// True where [`under_operator_as_root`] can be had.
pub fn works_as_root() -> bool {
    rustix::process::geteuid().is_root()
        && Command::new("unshare")
            .args(ROOT)
            .args(["sh", "-c", "mount --bind /etc /etc"])
            .output()
            .is_ok_and(|output| output.status.success())
}

/// As [`under_operator`], by a root that can become other users.
pub fn under_operator_as_root(env: &TestEnv, config: &str, run: Run) -> Run {
    let etc = etc(env, Some(config));
    within(&ROOT, OTHER_ETC, &etc, run)
}

/// The run with this text as the operator's `/etc/toolhatch/config.toml`. Without one, there is none.
pub fn under_operator(env: &TestEnv, config: Option<&str>, run: Run) -> Run {
    let etc = etc(env, config);
    within(&PRIVATE, OTHER_ETC, &etc, run)
}

/// A folder to be put in the place of `/etc`.
fn etc(env: &TestEnv, config: Option<&str>) -> PathBuf {
    let etc = env.path("../etc");
    std::fs::create_dir_all(etc.join("toolhatch")).expect("created");
    let file = etc.join("toolhatch/config.toml");
    match config {
        Some(text) => drop(env.write(file, text.as_bytes())),
        None => drop(std::fs::remove_file(file)),
    }
    etc
}

/// The run where this folder can only be read.
pub fn read_only(folder: &Path, run: Run) -> Run {
    within(&PRIVATE, READ_ONLY, folder, run)
}

fn within(options: &[&'static str], script: &str, folder: &Path, run: Run) -> Run {
    let folder = folder.to_str().expect("UTF-8");
    let words = options.iter().copied();
    run.behind("unshare", words.chain(["sh", "-c", script, "sh", folder]))
}
