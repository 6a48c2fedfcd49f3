//! What the tables of the history hold, as plain data.

/// How far the log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Differs between two times that the tables were filled from the beginning; numbers of one mean nothing in another.
    pub generation: [u8; 16],
    /// The ULID of the log.
    pub log: String,
    /// How many records were read since the generation began: the number of the last one.
    pub records: u64,
    /// The number of the file of the last record.
    pub file: u32,
    /// Where its line begins, in bytes.
    pub offset: u64,
    /// The length of its line in bytes, without the line end.
    pub length: u64,
    /// The SHA-256 of its line.
    pub digest: [u8; 32],
    /// The number of the last chunk, from 1.
    pub chunk: u64,
    /// How many records that has.
    pub chunk_records: u32,
}

/// What a file of the log looked like when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryFile {
    /// Its number.
    pub number: u32,
    /// Its inode.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content changed, in nanoseconds since 1970.
    pub modified: i64,
    /// When anything of it changed, in nanoseconds since 1970.
    pub changed: i64,
}

/// What many records have in common, and what one asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The name of the type.
    pub kind: String,
    /// The id of the tool.
    pub tool: Option<String>,
    /// The name of the plugin.
    pub plugin: Option<String>,
    /// How a call ended.
    pub outcome: Option<String>,
    /// The code of an error.
    pub code: Option<String>,
    /// What policy decided.
    pub decision: Option<String>,
}

/// A record, as the index needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLine {
    /// The length of its line in bytes, without the line end.
    pub length: u64,
    /// Its shape, by the position in [`HistoryBatch::shapes`].
    pub shape: usize,
    /// Its session, by the position in [`HistoryBatch::sessions`].
    pub session: Option<usize>,
    /// A few bits of the id of its call; 0 where it has none.
    pub call: u16,
}

/// Records that stand one after the other in one file, to be put in a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPiece {
    /// The number of the chunk; one that is there already is added to.
    pub chunk: u64,
    /// The number of the first record.
    pub first: u64,
    /// The number of the file.
    pub file: u32,
    /// Where the first line begins, in bytes.
    pub offset: u64,
    /// The earliest time of a record, as it stands in the log.
    pub earliest: String,
    /// The latest.
    pub latest: String,
    /// The records.
    pub lines: Vec<HistoryLine>,
}

/// Where the records of a call are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPlace {
    /// The first chunk with one of them.
    pub first_chunk: u64,
    /// The last.
    pub last_chunk: u64,
    /// The number of the record of its start, the last one where there are several.
    pub start: Option<u64>,
}

/// A call: who asked for what, how it ended and what it cost. Times are as they stand in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallRow {
    /// The number of the record of its start.
    pub start: u64,
    /// The id of the call.
    pub call: String,
    /// The id of the tool, or how it was asked for.
    pub tool: String,
    /// The name of the plugin.
    pub plugin: Option<String>,
    /// Who asked for it.
    pub principal: String,
    /// The session.
    pub session: Option<String>,
    /// When it began.
    pub began: String,
    /// How it ended; nothing where no end is recorded.
    pub end: Option<CallEnd>,
}

/// How a call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallEnd {
    /// When.
    pub ended: String,
    /// `ok`, `error` or `abandoned`.
    pub outcome: Option<String>,
    /// The code of the error.
    pub code: Option<String>,
    /// From the request to the end, in microseconds.
    pub duration_us: Option<u64>,
    /// How often something was denied to it.
    pub denials: u64,
    /// What it used.
    pub usage: CallUsage,
}

/// What a call used; what is not known is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallUsage {
    /// How long it ran, in microseconds.
    pub duration_us: Option<u64>,
    /// The time of the processor, in microseconds.
    pub cpu_us: Option<u64>,
    /// The fuel of a component.
    pub fuel: Option<u64>,
    /// The most memory it had, in bytes.
    pub peak_memory: Option<u64>,
    /// How often it called the host.
    pub host_calls: Option<u64>,
    /// Bytes that went in.
    pub bytes_in: Option<u64>,
    /// Bytes that came out.
    pub bytes_out: Option<u64>,
}

impl CallRow {
    /// True where it did not end well, or not at all.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let outcome = self.end.as_ref().and_then(|end| end.outcome.as_deref());
        outcome != Some("ok")
    }
}

/// Records to be kept in one go, and how far one has come with them.
#[derive(Debug, Clone)]
pub struct HistoryBatch {
    /// How far the log was read before; nothing at its beginning.
    pub from: Option<Reached>,
    /// How far afterwards.
    pub to: Reached,
    /// The files that were read.
    pub files: Vec<HistoryFile>,
    /// The shapes of these records, each once.
    pub shapes: Vec<Shape>,
    /// Their sessions, each once.
    pub sessions: Vec<String>,
    /// The records.
    pub pieces: Vec<HistoryPiece>,
    /// Their calls.
    pub calls: Vec<(String, CallPlace)>,
    /// The calls that began.
    pub runs: Vec<CallRow>,
    /// The ends of calls that began before this batch.
    pub ends: Vec<(String, CallEnd)>,
}
