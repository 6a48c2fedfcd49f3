//! A cheap way to see that something changed: a small file that is replaced with every change.
//!
//! Asking the database would cost every call a query. One `stat` of a file that is always replaced whole costs a
//! microsecond, and a process that sees another file than before reads again.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::Result;
use crate::fsx;

/// What identifies one state of the file; equal only where nothing changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generation {
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

/// The state of now; the same for ever where nothing was ever changed.
pub(super) fn current(home: &Path) -> Generation {
    std::fs::metadata(home.join("generation")).map_or_else(
        |_| Generation::default(),
        |found| Generation {
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
            size: found.size(),
        },
    )
}

/// Makes every [`Generation`] that was taken before differ from those taken after.
pub(super) fn advance(home: &Path) -> Result<()> {
    // An inode is used again soon and a clock ticks slowly: what is in the file makes its size differ as well.
    let path = home.join("generation");
    let before = current(home);
    let filler = if before.size.is_multiple_of(2) {
        "1"
    } else {
        "10"
    };
    fsx::write_atomic(&path, filler.as_bytes(), 0o600)
}

/// The same where the file cannot be replaced, by removing it.
pub(super) fn forget(home: &Path) -> Result<()> {
    let path = home.join("generation");
    std::fs::remove_file(&path).map_err(|error| fsx::io_error("removing", &path, error))
}
