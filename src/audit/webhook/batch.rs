//! A batch of records, as it is sent.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ulid::Ulid;

use super::cursor::Cursor;
use crate::audit::head::{Head, hex, sha256};
use crate::audit::record::Envelope;
use crate::audit::scan::{Position, scan};
use crate::error::Result;
use crate::fsx;

/// How large a batch gets: as many records as `records`, or the first that make it `bytes` long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Records one after the other, from somewhere in the log.
#[derive(Debug)]
pub(super) struct Batch {
    /// A JSON array with one element a line: the bytes of each are those in the log, so that its hash can be computed.
    pub(super) body: Vec<u8>,
    pub(super) records: u64,
    /// Lines that are no records, and are left out.
    pub(super) damaged: u64,
    /// When the first record was written.
    pub(super) since: Option<SystemTime>,
    /// The head of the log after the last record.
    pub(super) head: Head,
    /// The first and the last number.
    pub(super) first: u64,
    log: String,
    last: Position,
}

impl Batch {
    /// The next records from `from` on; nothing where there are none.
    ///
    /// # Errors
    /// E3001 or E3004 where the log cannot be read.
    pub(super) fn read(folder: &Path, from: Position, size: Size) -> Result<Option<Self>> {
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut lines = scan(folder, from);
        let mut batch: Option<Self> = None;
        let mut damaged = 0;
        loop {
            let next = lines
                .next_line()
                .map_err(|error| fsx::io_error("reading the audit log in", folder, error))?;
            let Some((position, line)) = next else { break };
            let Ok(envelope) = Envelope::parse(line) else {
                damaged += 1;
                continue;
            };
            let batch = batch.get_or_insert_with(|| Self {
                body: b"[".to_vec(),
                records: 0,
                damaged: 0,
                since: written_at(envelope.id),
                head: Head {
                    seq: 0,
                    hash: [0; 32],
                },
                first: envelope.seq,
                log: String::new(),
                last: position,
            });
            if batch.records > 0 {
                if batch.body.len() + line.len() > size.bytes {
                    break;
                }
                batch.body.push(b',');
            }
            batch.body.push(b'\n');
            batch.body.extend_from_slice(line);
            batch.records += 1;
            batch.damaged = damaged;
            batch.head = Head {
                seq: envelope.seq,
                hash: sha256(line),
            };
            envelope.log.clone_into(&mut batch.log);
            batch.last = position;
            if batch.records >= size.records as u64 {
                break;
            }
        }
        if let Some(batch) = &mut batch {
            batch.body.extend_from_slice(b"\n]");
        }
        Ok(batch)
    }

    /// Puts the cursor behind it.
    pub(super) fn pass(&self, cursor: &mut Cursor) {
        self.log.clone_into(&mut cursor.log);
        cursor.file = self.last.file;
        cursor.offset = self.last.offset;
        cursor.len = self.last.len;
        cursor.seq = self.head.seq;
        cursor.hash = hex(&self.head.hash);
        cursor.succeeded();
    }
}

/// When the record with this id was made.
fn written_at(id: &str) -> Option<SystemTime> {
    let id = Ulid::from_string(id).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(id.timestamp_ms()))
}
