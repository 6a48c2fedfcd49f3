//! The runner as a program: embedded in this binary, to be put wherever a command runs that is not this machine (`runner/`).

use std::sync::LazyLock;

use crate::error::{Code, Error, Result};
use crate::ids::Digest;

/// The program, for Linux on the architecture that this binary was built for; empty where it could not be built.
pub(super) const BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/toolhatch-runner"));

/// What it is known by.
pub(super) static DIGEST: LazyLock<Digest> = LazyLock::new(|| Digest::of(BYTES));

/// Refuses to go on without it.
///
/// # Errors
/// E3405.
pub(super) fn check(doing: &str) -> Result<()> {
    if !BYTES.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::E3405,
        format!("{doing}: this build of Toolhatch has no runner to put there"),
    )
    .hint("Build it where a static C library is there (on Debian: `apt-get install libc6-dev`)."))
}
