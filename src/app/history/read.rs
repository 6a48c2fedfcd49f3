//! Reading what was added to the log, in batches for the index.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{call, filter};
use crate::audit::{self, EventType, Position, Record, Scan, file_name, file_number};
use crate::error::Result;
use crate::fsx;
use crate::store::{
    CHUNK, CallPlace, HistoryBatch, HistoryFile, HistoryLine, HistoryPiece, Reached,
};

/// How much is read before it is kept: few enough bytes to be held in memory, and to be read again after a conflict.
const BATCH: u64 = if cfg!(test) { 4 << 10 } else { 24 << 20 };

/// Reads a log from where the index ends.
pub(super) struct Reader {
    folder: PathBuf,
    scan: Scan,
    reached: Option<Reached>,
}

impl Reader {
    pub(super) fn new(folder: &Path, reached: Option<Reached>) -> Self {
        let from = reached
            .as_ref()
            .map_or(Position::START, |reached| last_line(reached).after());
        Self {
            folder: folder.to_owned(),
            scan: audit::scan(folder, from),
            reached,
        }
    }

    /// The next batch; nothing at the end of the log.
    ///
    /// # Errors
    /// Those of reading the log.
    pub(super) fn next(&mut self) -> Result<Option<HistoryBatch>> {
        let mut building = Building::new(self.reached.as_ref());
        let mut bytes = 0;
        let mut last = None;
        while bytes < BATCH {
            let Some(record) = self.scan.next() else {
                break;
            };
            let (position, record) = record?;
            building.add(position, &record);
            bytes += position.len + 1;
            last = Some((position, record.log));
        }
        let Some((position, log)) = last else {
            return Ok(None);
        };
        let line = audit::read_at(&self.folder, position)?;
        let to = Reached {
            generation: building.generation,
            log,
            records: building.records,
            file: position.file,
            offset: position.offset,
            length: position.len,
            digest: Sha256::digest(&line).into(),
            chunk: building.chunk,
            chunk_records: building.chunk_records,
        };
        let from = self.reached.replace(to.clone());
        let first = from.as_ref().map_or(0, |from| from.file);
        let mut files = Vec::new();
        for number in numbers(&self.folder)? {
            if (first..=to.file).contains(&number) {
                files.push(look_at(&self.folder, number)?);
            }
        }
        Ok(Some(building.finish(from, to, files)))
    }
}

/// Where the last line that was read stands.
pub(super) fn last_line(reached: &Reached) -> Position {
    Position {
        file: reached.file,
        offset: reached.offset,
        len: reached.length,
    }
}

/// The numbers of the files there are, ascending.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u32>> {
    let list = || {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            numbers.extend(entry?.file_name().to_str().and_then(file_number));
        }
        numbers.sort_unstable();
        Ok(numbers)
    };
    list().map_err(|error| fsx::io_error("listing", folder, error))
}

/// What a file looks like now.
pub(super) fn look_at(folder: &Path, number: u32) -> Result<HistoryFile> {
    let path = folder.join(file_name(number));
    let found = path
        .symlink_metadata()
        .map_err(|error| fsx::io_error("looking at", &path, error))?;
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000) + rest;
    Ok(HistoryFile {
        number,
        inode: found.ino(),
        size: found.size(),
        modified: nanoseconds(found.mtime(), found.mtime_nsec()),
        changed: nanoseconds(found.ctime(), found.ctime_nsec()),
    })
}

/// How many bytes there are from a place in the log on; 0 where that cannot be told.
pub(super) fn bytes_from(folder: &Path, from: Position) -> u64 {
    let numbers = numbers(folder).unwrap_or_default();
    let sizes = numbers
        .into_iter()
        .filter(|number| *number >= from.file)
        .filter_map(|number| look_at(folder, number).ok())
        .map(|file| {
            let before = if file.number == from.file {
                from.offset
            } else {
                0
            };
            file.size.saturating_sub(before)
        });
    sizes.sum()
}

/// A few bits of the id of a call, which tell most calls apart; 0 only where there is none.
pub(super) fn call_bits(call: Option<&str>) -> u16 {
    let Some(call) = call else { return 0 };
    // FNV-1a. What is kept depends on it, so it is not the hash of the library, which may change.
    let hash = call.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let [a, b, c, d] = hash.to_le_bytes();
    u16::from_le_bytes([a ^ c, b ^ d]).max(1)
}

/// A batch that is being put together.
struct Building {
    generation: [u8; 16],
    records: u64,
    chunk: u64,
    chunk_records: u32,
    /// The file that chunk is in.
    file: Option<u32>,
    shapes: Numbered<crate::store::Shape>,
    sessions: Numbered<String>,
    pieces: Vec<HistoryPiece>,
    calls: HashMap<String, Seen>,
    runs: Vec<crate::store::CallRow>,
    ends: Vec<(String, crate::store::CallEnd)>,
}

/// What a batch has of a call.
struct Seen {
    place: CallPlace,
    /// Its last start, by the position in the runs.
    run: Option<usize>,
}

/// Different values, numbered in the order in which they came.
struct Numbered<T>(HashMap<T, usize>);

impl<T: Eq + std::hash::Hash> Numbered<T> {
    fn number(&mut self, value: T) -> usize {
        let next = self.0.len();
        *self.0.entry(value).or_insert(next)
    }

    fn into_list(self) -> Vec<T> {
        let mut list: Vec<(T, usize)> = self.0.into_iter().collect();
        list.sort_unstable_by_key(|(_, number)| *number);
        list.into_iter().map(|(value, _)| value).collect()
    }
}

impl Building {
    fn new(from: Option<&Reached>) -> Self {
        Self {
            generation: from.map_or_else(rand::random, |from| from.generation),
            records: from.map_or(0, |from| from.records),
            chunk: from.map_or(0, |from| from.chunk),
            chunk_records: from.map_or(0, |from| from.chunk_records),
            file: from.map(|from| from.file),
            shapes: Numbered(HashMap::new()),
            sessions: Numbered(HashMap::new()),
            pieces: Vec::new(),
            calls: HashMap::new(),
            runs: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn add(&mut self, position: Position, record: &Record) {
        self.records += 1;
        if self.file != Some(position.file) || self.chunk_records >= CHUNK {
            self.file = Some(position.file);
            self.chunk += 1;
            self.chunk_records = 0;
        }
        self.chunk_records += 1;
        let line = HistoryLine {
            length: position.len,
            shape: self.shapes.number(filter::shape_of(record)),
            session: record
                .session
                .as_ref()
                .map(|session| self.sessions.number(session.clone())),
            call: call_bits(record.call.as_deref()),
        };
        match self.pieces.last_mut() {
            Some(piece) if piece.chunk == self.chunk => {
                if record.time < piece.earliest {
                    piece.earliest.clone_from(&record.time);
                }
                if record.time > piece.latest {
                    piece.latest.clone_from(&record.time);
                }
                piece.lines.push(line);
            }
            _ => self.pieces.push(HistoryPiece {
                chunk: self.chunk,
                first: self.records,
                file: position.file,
                offset: position.offset,
                earliest: record.time.clone(),
                latest: record.time.clone(),
                lines: vec![line],
            }),
        }
        if let Some(id) = &record.call {
            self.add_to_call(id, record);
        }
    }

    fn add_to_call(&mut self, id: &str, record: &Record) {
        if !self.calls.contains_key(id) {
            let place = CallPlace {
                first_chunk: self.chunk,
                last_chunk: self.chunk,
                start: None,
            };
            self.calls.insert(id.to_owned(), Seen { place, run: None });
        }
        let Some(seen) = self.calls.get_mut(id) else {
            return;
        };
        seen.place.last_chunk = self.chunk;
        match EventType::from_name(&record.kind) {
            Some(EventType::ExecutionStart) => {
                seen.place.start = Some(self.records);
                seen.run = Some(self.runs.len());
                self.runs.push(call::begun(record, self.records));
            }
            Some(EventType::ExecutionEnd) => {
                let end = call::ended(record);
                match seen.run.and_then(|at| self.runs.get_mut(at)) {
                    Some(run) => run.end = Some(end),
                    None => self.ends.push((id.to_owned(), end)),
                }
            }
            _ => {}
        }
    }

    fn finish(self, from: Option<Reached>, to: Reached, files: Vec<HistoryFile>) -> HistoryBatch {
        let mut calls: Vec<(String, CallPlace)> = self
            .calls
            .into_iter()
            .map(|(id, seen)| (id, seen.place))
            .collect();
        // In order they go into the same pages of the database.
        calls.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        HistoryBatch {
            from,
            to,
            files,
            shapes: self.shapes.into_list(),
            sessions: self.sessions.into_list(),
            pieces: self.pieces,
            calls,
            runs: self.runs,
            ends: self.ends,
        }
    }
}
