//! Up to where the receiver has acknowledged: a small file, and the lock that whoever delivers holds.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::audit::scan::Position;
use crate::error::{Code, Error, Result};
use crate::fsx;

/// The version of the file.
const FORMAT: u32 = 1;
const NAME: &str = "cursor.json";
const MAX_BYTES: u64 = 64 << 10;

/// The last record that was acknowledged, and what became of deliveries since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    format: u32,
    /// The ULID of the log; empty where nothing was delivered yet.
    pub(super) log: String,
    /// Where its line is: the number of the file, where the line begins, and how long it is.
    pub(super) file: u32,
    pub(super) offset: u64,
    pub(super) len: u64,
    /// Its number; 0 where nothing was delivered yet.
    pub(super) seq: u64,
    /// The SHA-256 of its line, in hex.
    pub(super) hash: String,
    /// How often the next delivery has failed.
    pub(super) failures: u32,
    /// When it is to be tried again, in milliseconds since 1970.
    pub(super) not_before_ms: u64,
}

impl Cursor {
    /// Reads it; at the beginning where there is none, or where what is there cannot be read, which gives a sentence too.
    ///
    /// # Errors
    /// E3704 where a newer version wrote it, or it cannot be reached.
    pub(super) fn read(folder: &Path) -> Result<(Self, Option<String>)> {
        let path = folder.join(NAME);
        let text = match fsx::read_capped(&path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.code() == Code::E3101 => return Ok((Self::default(), None)),
            Err(error) => return Err(unusable(error)),
        };
        let format = serde_json::from_slice::<serde_json::Value>(&text)
            .ok()
            .and_then(|value| value.get("format")?.as_u64());
        if format.is_some_and(|format| format > u64::from(FORMAT)) {
            return Err(Error::new(
                Code::E3704,
                format!("reading {}: a newer Toolhatch wrote it", path.display()),
            )
            .hint("Use the version of Toolhatch that wrote it, or a newer one."));
        }
        match serde_json::from_slice(&text) {
            Ok(cursor) => Ok((cursor, None)),
            Err(_) => Ok((
                Self::default(),
                Some(format!(
                    "{} cannot be read, so everything is delivered again from the beginning of the log",
                    path.display()
                )),
            )),
        }
    }

    /// Keeps it; it is on the disk when this returns.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let kept = Self {
            format: FORMAT,
            ..self.clone()
        };
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        fsx::write_atomic(&folder.join(NAME), &text, 0o600).map_err(unusable)
    }

    pub(super) fn position(&self) -> Position {
        Position {
            file: self.file,
            offset: self.offset,
            len: self.len,
        }
    }

    /// How long until the next delivery may be tried. A clock that was set back does not make it longer than `most`.
    pub(super) fn wait(&self, most: Duration) -> Duration {
        let now = milliseconds(SystemTime::now());
        Duration::from_millis(self.not_before_ms.saturating_sub(now)).min(most)
    }

    pub(super) fn retry_in(&mut self, wait: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.not_before_ms = milliseconds(SystemTime::now() + wait);
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before_ms = 0;
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The lock of the queue; given back when it is dropped, and by the system when the process dies.
pub(super) struct Held(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

/// Takes the lock; nothing where another process, or another part of this one, has it.
pub(super) fn try_lock(folder: &Path) -> Result<Option<Held>> {
    let path = folder.join("lock");
    let failed = |error: io::Error| unusable(fsx::io_error("locking", &path, error));
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)
        .map_err(failed)?;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Held(file))),
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
}

fn unusable(error: Error) -> Error {
    Error::new(
        Code::E3704,
        "delivering audit records: the queue cannot be used",
    )
    .hint(
        "Check who owns the folder `queue/webhook` in TOOLHATCH_HOME, and that the disk has room.",
    )
    .caused_by(error)
}
