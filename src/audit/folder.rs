//! The folder of a log: its numbered files, and the lock that writers take in turn.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags};

use crate::error::{Code, Error, Result};
use crate::fsx;

/// How long a writer waits for the others before it gives up.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The name of the file of this number, such as `000001.jsonl`.
#[must_use]
pub fn file_name(number: u32) -> String {
    format!("{number:06}.jsonl")
}

/// The number of a file of this name; `None` for names that are not of a log.
#[must_use]
pub fn file_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".jsonl")?;
    let number = digits.parse().ok()?;
    (number > 0 && file_name(number) == name).then_some(number)
}

/// The numbers of the files of the log, ascending.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        numbers.extend(entry?.file_name().to_str().and_then(file_number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The path of the file of this number.
pub(super) fn path_of(folder: &Path, number: u32) -> PathBuf {
    folder.join(file_name(number))
}

/// Opens a file of the log, for reading or for appending too. Links and what is no regular file are refused.
pub(super) fn open_file(path: &Path, writable: bool) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .append(writable)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is not a regular file",
    ))
}

/// Makes an empty file, durably. An empty one that a crash left is as good.
pub(super) fn create_file(folder: &Path, number: u32) -> io::Result<File> {
    let path = path_of(folder, number);
    let made = File::options()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let file = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_file(&path, true)?,
        made => made?,
    };
    if file.metadata()?.len() > 0 {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the next file is there already, and not empty",
        ));
    }
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// The lock of the writers; given back when it is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

impl Lock {
    /// Waits until no other writer is at work, in this process or another.
    ///
    /// Errors: E3801 where the others do not get done in ten seconds, or the lock cannot be opened.
    pub(super) fn exclusive(folder: &Path) -> Result<Self> {
        let path = folder.join("lock");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(|error| unavailable(&path, "opening", error))?;
        take(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| unavailable(&path, "locking", error))?;
        Ok(Self(file))
    }

    /// Waits until no writer is in the middle of a record. A log without a lock file, such as a copy, has no writers.
    pub(super) fn shared(folder: &Path) -> io::Result<Option<Self>> {
        let file = match open_file(&folder.join("lock"), false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        take(&file, FlockOperation::NonBlockingLockShared)?;
        Ok(Some(Self(file)))
    }
}

/// Tries again and again rather than block for ever: a stopped process could hold the lock.
fn take(file: &File, operation: FlockOperation) -> io::Result<()> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match rustix::fs::flock(file, operation) {
            Err(rustix::io::Errno::WOULDBLOCK) if started.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(2));
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process holds the lock and does not give it back",
                ));
            }
            taken => return taken.map_err(Into::into),
        }
    }
}

/// E3801 for something that could not be done to a file of the log.
pub(super) fn unavailable(path: &Path, doing: &str, source: io::Error) -> Error {
    let cause = fsx::io_error(doing, path, source);
    let mut error = Error::new(Code::E3801, format!("writing the audit log: {cause}"))
        .detail("path", path.display().to_string());
    for hint in cause.hints() {
        error = error.hint(hint);
    }
    match std::error::Error::source(&cause) {
        Some(source) => error.caused_by(source.to_string()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbered_files_belong_to_a_log() {
        assert_eq!(file_number("000001.jsonl"), Some(1));
        assert_eq!(file_number("1234567.jsonl"), Some(1_234_567));
        for other in [
            "000000.jsonl",
            "1.jsonl",
            "0000001.jsonl",
            "000001.json",
            "+00001.jsonl",
        ] {
            assert_eq!(file_number(other), None, "{other}");
        }
    }
}
