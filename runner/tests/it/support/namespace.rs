//! A PID namespace of its own for whatever is tested: the runner kills every process it can see.
//!
//! Not every system lets its users have that: a test asks [`works`] first, and `scripts/test` lists what is left out where
//! the answer is no. No test starts `serve` in any other way.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The runner as it was built.
pub const BUILT: &str = env!("CARGO_BIN_EXE_toolhatch-runner");

/// The runner as it is found in the namespace, wherever it was built. Its folder is a file system of its own.
pub const RUNNER: &str = "/mnt/toolhatch-runner";

/// Puts the runner `$1` there and folders for temporary files that are nobody else's over those of the machine, and goes on
/// with the command line after it.
const PREPARE: &str = "mount -t tmpfs -o size=64m tmpfs /mnt && cp \"$1\" /mnt/toolhatch-runner && shift && \
                       mount -t tmpfs -o size=8m,noexec,nosuid,nodev tmpfs /tmp && \
                       mount -t tmpfs -o size=8m tmpfs /dev/shm && exec \"$@\"";

/// A command that finds itself the first process of a namespace, with the rights of root in there.
pub fn first(command_line: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--pid", "--fork"])
        .args(["--kill-child", "--mount-proc", "--"])
        .args(["sh", "-c", PREPARE, "sh", BUILT])
        .args(command_line);
    command
}

/// The same without any rights, as in a container.
pub fn confined(command_line: &[&str]) -> Command {
    let drop_all = [
        "setpriv",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ];
    first(&[&drop_all, command_line].concat())
}

/// True where that can be had. Says so once where it cannot.
pub fn works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        let tried = confined(&["true"]).stdin(Stdio::null()).output();
        let works = tried.is_ok_and(|output| output.status.success());
        if !works {
            eprintln!("left out: users cannot have PID namespaces here, and the runner is tested in nothing else");
        }
        works
    })
}
