//! What verifying a log finds.

use std::fmt;

use super::head::Head;
use super::key::PublicKey;
use crate::error::{Code, Error};

/// What was done to a log, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A line is not a record, or not one that may stand there.
    Malformed,
    /// A record is not the one that the next was chained to.
    Edited,
    /// Records are missing.
    Deleted,
    /// A record was put in.
    Inserted,
    /// Records stand in another order.
    Reordered,
    /// A file ends in the middle of a record, or before its last one.
    Truncated,
    /// A file is missing that was not removed by retention.
    MissingFile,
    /// A file is not the one that belongs there.
    SwappedFile,
    /// A signature is missing where one must be.
    UnsignedRecords,
    /// A signature is there and is not that of the trusted key over this log.
    BadSignature,
    /// The log ends before the head it once had.
    Behind,
    /// The record of the expected head is another one.
    OtherHistory,
    /// The log is of a format this version does not know.
    NewerFormat,
    /// A file could not be read.
    Unreadable,
}

impl FaultKind {
    /// The name in JSON output, in kebab-case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Edited => "edited",
            Self::Deleted => "deleted",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::Truncated => "truncated",
            Self::MissingFile => "missing-file",
            Self::SwappedFile => "swapped-file",
            Self::UnsignedRecords => "unsigned-records",
            Self::BadSignature => "bad-signature",
            Self::Behind => "behind",
            Self::OtherHistory => "other-history",
            Self::NewerFormat => "newer-format",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The first bad record of a log, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was done.
    pub kind: FaultKind,
    /// The name of the file; empty where the log as a whole is meant.
    pub file: String,
    /// The line in that file, from 1; 0 where the file as a whole is meant.
    pub line: u64,
    /// The number of the record, where there is one to name.
    pub seq: Option<u64>,
    /// The id of the record, where it can be read.
    pub id: Option<String>,
    /// What is wrong, as a clause.
    pub sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if self.line > 0 {
                write!(f, " line {}", self.line)?;
            }
            match (self.seq, &self.id) {
                (Some(seq), Some(id)) => write!(f, " (record {seq}, {id})")?,
                (Some(seq), None) => write!(f, " (record {seq})")?,
                (None, Some(id)) => write!(f, " ({id})")?,
                (None, None) => {}
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind {
            FaultKind::BadSignature | FaultKind::UnsignedRecords => Code::E3110,
            FaultKind::NewerFormat | FaultKind::Unreadable => Code::E3801,
            _ => Code::E3109,
        };
        let hint = match fault.kind {
            FaultKind::NewerFormat => "Use the version of Toolhatch that wrote it, or a newer one.",
            FaultKind::Unreadable => "Check who owns the files, and the disk.",
            _ => "Keep the log as it is for whoever looks into it, and compare it with a copy.",
        };
        let mut error = Self::new(code, format!("verifying the audit log: {fault}"))
            .hint(hint)
            .detail("fault", fault.kind.name())
            .detail("file", fault.file)
            .detail("line", fault.line);
        if let Some(seq) = fault.seq {
            error = error.detail("seq", seq);
        }
        if let Some(id) = fault.id {
            error = error.detail("id", id);
        }
        error
    }
}

/// What is known of a log in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The ULID of the log.
    pub log: String,
    /// How many records there are.
    pub records: u64,
    /// How many files there are.
    pub files: u32,
    /// Where retention has removed files: the name of the first that is left.
    pub first_file: Option<String>,
    /// The time in the first record.
    pub first_time: String,
    /// The time in the last record.
    pub last_time: String,
    /// How many signed checkpoints there are.
    pub checkpoints: u64,
    /// How many records stand after the last checkpoint. Only a head protects these.
    pub unsigned: u64,
    /// How many torn tails were recovered. Each may have cost the records after the last that a reader had seen.
    pub recoveries: u64,
    /// The last record.
    pub head: Head,
    /// The key that made the signatures.
    pub key: PublicKey,
    /// True where that key was given by whoever asked; else it is only what the log says of itself.
    pub is_key_trusted: bool,
    /// True where an expected head was given and its record is in the log. An older head whose record was removed by
    /// retention cannot be confirmed, and is no fault.
    pub is_head_confirmed: bool,
}
