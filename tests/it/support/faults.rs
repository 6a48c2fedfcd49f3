//! Disks that are full and clocks that are wrong, for one process: a small library is put between the binary and the C
//! library (`faults.c`), and fails or ends the process at the operation that a test names.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::env::TestEnv;
use super::process::Run;

/// What happens to an operation that changes a file below `TOOLHATCH_HOME`; they are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process ends in the place of this one, as by `kill -9`.
    Kill(u32),
    /// The process ends when half of this write is done.
    Torn(u32),
    /// There is no room for this one and for all that follow.
    Full(u32),
}

impl Fault {
    /// The run, with this happening to it.
    pub fn happens_to(self, env: &TestEnv, run: Run) -> Run {
        let (kind, at) = match self {
            Self::Kill(at) => ("kill", at),
            Self::Torn(at) => ("torn", at),
            Self::Full(at) => ("full", at),
        };
        let below = env.toolhatch_home();
        preloaded(run)
            .env("FAULT_BELOW", below.to_str().expect("UTF-8"))
            .env("FAULT_KIND", kind)
            .env("FAULT_AT", &at.to_string())
    }
}

/// The run, with its clock this many seconds ahead, or behind where they are negative.
pub fn clock_moved(run: Run, seconds: i64) -> Run {
    preloaded(run).env("CLOCK_BY", &seconds.to_string())
}

fn preloaded(run: Run) -> Run {
    run.env("LD_PRELOAD", library().to_str().expect("UTF-8"))
}

/// The library, built once by each process of tests.
fn library() -> &'static Path {
    static BUILT: OnceLock<std::path::PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/faults.c");
        let built = folder.join(format!("faults-{}.so", std::process::id()));
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&built, &source])
            .status()
            .expect("there is a C compiler: cargo needs one as well");
        assert!(status.success(), "faults.c does not compile");
        // Test processes run side by side: each puts the same library in the place of the other's.
        let library = folder.join("faults.so");
        std::fs::rename(&built, &library).expect("moved");
        library
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_happen_where_they_are_told_to() {
        let env = TestEnv::new();
        let list = || env.run(["plugin", "list"]);
        let killed = Fault::Kill(1).happens_to(&env, list()).output();
        assert_eq!((killed.code, killed.signal), (None, Some(9)), "{killed}");
        Fault::Full(1)
            .happens_to(&env, list())
            .fails_with(4, "E3001");
        Fault::Full(1_000_000).happens_to(&env, list()).ok();
        let version = clock_moved(env.run(["explain", "E3001"]), 3600).ok();
        assert!(version.stdout.contains("unavailable"), "{version}");
    }
}
