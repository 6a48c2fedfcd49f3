//! What belongs to the machine: the kernel, the terminal and the user.

use super::check::Check;
use crate::app::confine::{self, Confinement};
use crate::cli::prompt::Terminal;

/// How far the kernel confines the process of a one-shot call.
pub(super) fn confinement() -> Check {
    match confine::available() {
        Confinement::Full => Check::ok(
            "landlock",
            "a one-shot call confines its own process below the sandbox",
        ),
        Confinement::Partial => Check::warning(
            "landlock",
            "this kernel knows an early form: a one-shot call confines its own process in part",
            "Linux 6.12 and later confine all of it.",
        ),
        Confinement::None if cfg!(target_os = "linux") => Check::problem(
            "landlock",
            "this kernel does not offer it: only the WebAssembly sandbox stands between a guest and this user's files",
            "Use Linux 5.13 or later with `landlock` among the modules of the boot parameter `lsm=`.",
        ),
        Confinement::None => Check::warning(
            "landlock",
            "this system does not have it: only the WebAssembly sandbox stands between a guest and this user's files",
            "Run tools that you trust little on Linux.",
        ),
    }
}

/// Whether a person can be asked.
pub(super) fn terminal() -> Check {
    if Terminal::open().is_some() {
        return Check::ok("terminal", "a person can be asked");
    }
    Check::ok(
        "terminal",
        "there is none: the answer to every question is no",
    )
}

/// Whether this user can do more than a user should.
pub(super) fn user() -> Check {
    if rustix::process::geteuid().is_root() {
        return Check::warning(
            "user",
            "this is root: whatever is granted is granted over the whole machine",
            "Run Toolhatch as a user of its own.",
        );
    }
    Check::ok("user", "not root")
}
