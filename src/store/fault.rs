//! What SQLite says, as an error of ours.

use std::path::Path;

use crate::error::{Code, Error};

/// Marks what another process keeps locked.
const LOCKED_DETAIL: &str = "locked";

/// True where an operation failed because another process kept the database locked.
pub(super) fn is_locked(error: &Error) -> bool {
    error.details().contains_key(LOCKED_DETAIL)
}

/// The error of an operation on the database at `path`. Primary result codes are those of `sqlite3.h`.
pub(super) fn fault(doing: &str, path: &Path, error: sqlx::Error) -> Error {
    let shown = path.display();
    let remedy = format!(
        "Move {shown} and its -wal and -shm away and restore a copy; without one, plugins have to be installed and granted \
         again."
    );
    fault_with(doing, path, &remedy, error)
}

/// The same, with what to do about a damaged file.
pub(super) fn fault_with(doing: &str, path: &Path, remedy: &str, error: sqlx::Error) -> Error {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READ_ONLY: i32 = 8;
    const IO: i32 = 10;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    const NOT_A_DATABASE: i32 = 26;

    let shown = path.display();
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .and_then(|code| code.parse::<i32>().ok())
        .map(|extended| extended & 0xff);
    let fault = match code {
        Some(CORRUPT | NOT_A_DATABASE) => {
            Error::new(Code::E3109, format!("{doing} {shown}: the file is damaged")).hint(remedy)
        }
        Some(BUSY | LOCKED) => Error::new(
            Code::E3001,
            format!("{doing} {shown}: another process keeps it locked"),
        )
        .hint("Try again; if it stays so, look for a Toolhatch process that hangs.")
        .detail(LOCKED_DETAIL, true),
        Some(FULL) => Error::new(Code::E3001, format!("{doing} {shown}: the disk is full"))
            .hint("Make room; nothing that was acknowledged is lost."),
        Some(READ_ONLY) => Error::new(Code::E3001, format!("{doing} {shown}: it can only be read"))
            .hint("Give this user the right to write to it and to its folder."),
        Some(CANNOT_OPEN | IO) => Error::new(
            Code::E3001,
            format!("{doing} {shown}: the system does not let it be read or written"),
        ),
        _ if matches!(error, sqlx::Error::PoolTimedOut) => Error::new(
            Code::E3001,
            format!("{doing} {shown}: all connections to it are busy"),
        )
        .detail(LOCKED_DETAIL, true),
        _ => Error::new(Code::E3000, format!("{doing} {shown}")),
    };
    fault.caused_by(error)
}
