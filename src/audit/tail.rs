//! Where a log ends: read again by every writer that finds the log not as it left it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use serde_json::{Value, json};
use ulid::Ulid;

use super::event::{EventType, MAX_LINE};
use super::folder;
use super::head::{Head, hex, sha256};
use super::record::Envelope;
use crate::error::{Code, Error, Result};

/// The version of the format that this version of Toolhatch writes, and the newest it reads.
pub const FORMAT: u64 = 1;
/// How many torn bytes are kept in the record that says they were cut off.
const TORN_KEPT: usize = 1024;

/// The end of a log that has at least one record.
pub(super) struct Tail {
    /// The number of the file that is written to.
    pub(super) number: u32,
    pub(super) file: File,
    inode: (u64, u64),
    /// Bytes in that file, all of them whole lines.
    pub(super) length: u64,
    pub(super) log: String,
    /// The oldest file there still should be.
    pub(super) first: u32,
    /// When the file was begun, in milliseconds since 1970.
    pub(super) begun_ms: u64,
    pub(super) head: Head,
    /// The type of the last record; `None` where it is one this version does not know.
    pub(super) last: Option<EventType>,
}

/// What a writer finds.
pub(super) struct Found {
    /// The end of the log; `None` where it has no record yet.
    pub(super) tail: Option<Tail>,
    /// The data of the record that has to say which bytes were cut off.
    pub(super) torn: Option<Value>,
}

impl Tail {
    /// A tail whose first record is about to be written to this empty file.
    pub(super) fn of_new_file(
        folder: &Path,
        number: u32,
        log: String,
        first: u32,
        head: Head,
    ) -> io::Result<Self> {
        let file = folder::create_file(folder, number)?;
        let metadata = file.metadata()?;
        Ok(Self {
            number,
            file,
            inode: (metadata.dev(), metadata.ino()),
            length: 0,
            log,
            first,
            begun_ms: Ulid::generate().timestamp_ms(),
            head,
            last: None,
        })
    }

    /// True where the log still ends as it did when this tail was read or written.
    pub(super) fn is_current(&self, folder: &Path) -> bool {
        let Ok(there) = folder::path_of(folder, self.number).symlink_metadata() else {
            return false;
        };
        (there.dev(), there.ino()) == self.inode
            && there.len() == self.length
            && !folder::path_of(folder, self.number + 1).exists()
    }
}

/// Finds the end of the log and cuts off, durably, what a crash left half written. The caller holds the lock.
///
/// Errors: E3801 where a file cannot be read or is of a newer format, or a file does not begin like one of a log.
pub(super) fn find(folder: &Path) -> Result<Found> {
    let failed = |error| folder::unavailable(folder, "reading", error);
    let mut torn = None;
    for number in folder::numbers(folder).map_err(failed)?.into_iter().rev() {
        let path = folder::path_of(folder, number);
        let failed = |error| folder::unavailable(&path, "reading", error);
        let file = folder::open_file(&path, true).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let opening = match first_line(&file).map_err(failed)? {
            Some(line) => Some(read_opening(&path, &line)?),
            // A crash came before the first record was whole; the log goes on from the file before.
            None => None,
        };
        let end = match &opening {
            Some(_) => last_record(&file, metadata.len()).map_err(failed)?,
            None => End::default(),
        };
        if end.length < metadata.len() {
            torn = Some(cut(&file, number, end.length, metadata.len()).map_err(failed)?);
        }
        if let (Some(opening), Some(head)) = (opening, end.head) {
            let tail = Tail {
                number,
                file,
                inode: (metadata.dev(), metadata.ino()),
                length: end.length,
                log: opening.log,
                first: opening.first,
                begun_ms: opening.begun_ms,
                head,
                last: end.kind,
            };
            return Ok(Found {
                tail: Some(tail),
                torn,
            });
        }
    }
    Ok(Found { tail: None, torn })
}

/// What the first record of a file says.
pub(super) struct Opening {
    log: String,
    first: u32,
    begun_ms: u64,
}

fn read_opening(path: &Path, line: &[u8]) -> Result<Opening> {
    let refused = |why: String, hint: &str| {
        Error::new(
            Code::E3801,
            format!("continuing the audit log in {}: {why}", path.display()),
        )
        .hint(hint.to_owned())
    };
    let unknown = |why: &str| {
        refused(
            format!("its first record cannot be read: {why}"),
            "If a newer Toolhatch wrote it, use that one. Else see `toolhatch audit verify`; moving the audit folder away begins a new log.",
        )
    };
    let envelope = Envelope::parse(line).map_err(unknown)?;
    if !envelope.is(EventType::LogOpened) {
        return Err(unknown("it is not of type log_opened"));
    }
    let data = envelope.data();
    match data.get("format").and_then(Value::as_u64) {
        Some(FORMAT) => {}
        Some(format) => {
            return Err(refused(
                format!("it has format {format}, and this version writes format {FORMAT}"),
                "Use the version of Toolhatch that wrote it, or a newer one.",
            ));
        }
        None => return Err(unknown("it names no format")),
    }
    let first = data
        .get("first")
        .and_then(Value::as_str)
        .and_then(folder::file_number)
        .ok_or_else(|| unknown("it does not name the first file of the log"))?;
    Ok(Opening {
        log: envelope.log.to_owned(),
        first,
        begun_ms: Ulid::from_string(envelope.id).map_or(0, |id| id.timestamp_ms()),
    })
}

/// The first line of a file, if it is whole.
fn first_line(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut window = 4096;
    loop {
        let start = read_at(file, 0, window)?;
        if let Some(end) = start.iter().position(|byte| *byte == b'\n') {
            return Ok(start.get(..end).map(<[u8]>::to_vec));
        }
        if start.len() < window || window > MAX_LINE {
            return Ok(None);
        }
        window *= 8;
    }
}

/// The last record of a file.
#[derive(Default)]
struct End {
    /// Bytes up to and including its line end.
    length: u64,
    head: Option<Head>,
    kind: Option<EventType>,
}

/// Finds the last line that is a whole record. After a power failure lines that were written but not yet synced can be
/// whole by length and rubbish by content, so lines that are no records count as torn as well.
fn last_record(file: &File, length: u64) -> io::Result<End> {
    let mut window: usize = 64 << 10;
    loop {
        let start = length.saturating_sub(window as u64);
        let bytes = read_at(file, start, window)?;
        // Without its line end, a piece at the end is torn; one at the beginning may begin before the window.
        let mut end = bytes.iter().rposition(|byte| *byte == b'\n');
        while let Some(at) = end {
            let before = bytes.get(..at).unwrap_or_default();
            let begin = before.iter().rposition(|byte| *byte == b'\n');
            if begin.is_none() && start > 0 {
                break;
            }
            let line = before
                .get(begin.map_or(0, |begin| begin + 1)..)
                .unwrap_or_default();
            if let Ok(envelope) = Envelope::parse(line) {
                return Ok(End {
                    length: start + at as u64 + 1,
                    head: Some(Head {
                        seq: envelope.seq,
                        hash: sha256(line),
                    }),
                    kind: EventType::from_name(envelope.kind),
                });
            }
            end = begin;
        }
        if start == 0 {
            return Ok(End::default());
        }
        window = window.saturating_mul(4);
    }
}

/// Cuts the torn bytes off, so that they stay off after a crash, and returns what is to be recorded of them.
fn cut(file: &File, number: u32, good: u64, length: u64) -> io::Result<Value> {
    let torn = read_at(
        file,
        good,
        usize::try_from(length - good).unwrap_or(usize::MAX),
    )?;
    file.set_len(good)?;
    file.sync_all()?;
    Ok(json!({
        "file": folder::file_name(number),
        "torn_bytes": torn.len(),
        "torn_sha256": hex(&sha256(&torn)),
        "torn_hex": hex(torn.get(..TORN_KEPT).unwrap_or(&torn)),
    }))
}

/// Up to `length` bytes from `offset` on; fewer where the file ends.
pub(super) fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let there = file.metadata()?.len().saturating_sub(offset);
    let length = length.min(usize::try_from(there).unwrap_or(usize::MAX));
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
