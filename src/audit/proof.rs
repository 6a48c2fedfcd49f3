//! A proof that records are in a log, which anybody can check who has the public key.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checkpoint::Signed;
use super::event::EventType;
use super::head::{hex, sha256};
use super::key::PublicKey;
use super::record::{Envelope, Record};
use super::scan::{Position, scan};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// The version of the form of a proof.
const FORMAT: u32 = 1;

/// Lines of a log, in runs that each end with a signed checkpoint.
///
/// The hash in a record is over the whole line before it, so all lines of a run are there as they are: at most
/// [`CHECKPOINT_AT_LEAST_EVERY`](super::CHECKPOINT_AT_LEAST_EVERY), and those of other calls among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The version of this form, 1.
    pub format: u32,
    /// The id of the record or call that is proved.
    pub subject: String,
    /// Runs of lines without their line ends; each begins with a record of the subject.
    pub runs: Vec<Vec<String>>,
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The ULID of the log.
    pub log: String,
    /// The records of the subject, in the order of the log.
    pub records: Vec<Record>,
    /// True where no record is left out between the first and the last of these: all there are of the call from its
    /// first to its last.
    pub is_gapless: bool,
    /// The time in the last checkpoint.
    pub signed_at: String,
}

/// Makes the proof for a record (its id) or for a call (its id).
///
/// It reads the whole log. It does not verify it; a proof from a log that was tampered with does not pass
/// [`check_proof`].
///
/// # Errors
/// E3101 where the log holds no such record, or no checkpoint after it yet; E3109 where the log cannot be read as one;
/// E3001 where its files cannot be read.
pub fn prove(folder: &Path, subject: &str) -> Result<Proof> {
    let mut lines = scan(folder, Position::START);
    let mut runs = Vec::new();
    let mut run: Vec<String> = Vec::new();
    while let Some((_, line)) = lines
        .next_line()
        .map_err(|error| fsx::io_error("reading the audit log in", folder, error))?
    {
        let envelope = match Envelope::parse(line) {
            Ok(envelope) => envelope,
            // Lines outside of the proof are of no matter to it.
            Err(_) if run.is_empty() => continue,
            Err(why) => {
                return Err(Error::new(
                    Code::E3109,
                    format!("proving {subject}: a line after its records is not a record: {why}"),
                )
                .hint("`toolhatch audit verify` says what happened to the log."));
            }
        };
        if run.is_empty() && !is_about(&envelope, subject) {
            continue;
        }
        let is_end = envelope.is(EventType::Checkpoint);
        run.push(String::from_utf8_lossy(line).into_owned());
        if is_end {
            runs.push(std::mem::take(&mut run));
        }
    }
    if !run.is_empty() {
        return Err(Error::new(
            Code::E3101,
            format!("proving {subject}: there is no checkpoint after its last record yet"),
        )
        .hint("A checkpoint comes within a minute, or when the process that writes ends. Try again then."));
    }
    if runs.is_empty() {
        return Err(Error::new(
            Code::E3101,
            format!("proving {subject}: the log has no such record or call"),
        )
        .hint("Give the id of a record or of a call, a ULID of 26 characters."));
    }
    Ok(Proof {
        format: FORMAT,
        subject: subject.to_owned(),
        runs,
    })
}

fn is_about(envelope: &Envelope<'_>, subject: &str) -> bool {
    envelope.id == subject || envelope.call().as_deref() == Some(subject)
}

/// Checks a proof against the public key of the log, without the log.
///
/// # Errors
/// E3109 where the lines are not what was signed or do not prove what they claim to; E3110 where a signature is not that
/// of the key.
pub fn check_proof(proof: &Proof, key: &PublicKey) -> Result<Proven> {
    let subject = &proof.subject;
    let failed = |code, why: &str| {
        Err(
            Error::new(code, format!("checking the proof of {subject}: {why}"))
                .hint("Ask for the proof again, and make sure of the public key."),
        )
    };
    if proof.format != FORMAT {
        return failed(Code::E3109, "its form is one this version does not know");
    }
    let mut proven = Proven {
        log: String::new(),
        records: Vec::new(),
        is_gapless: true,
        signed_at: String::new(),
    };
    let mut end_of_run: Option<u64> = None;
    for run in &proof.runs {
        let mut last: Option<(u64, String)> = None;
        for (index, line) in run.iter().enumerate() {
            let envelope = match Envelope::parse(line.as_bytes()) {
                Ok(envelope) => envelope,
                Err(why) => return failed(Code::E3109, why),
            };
            if proven.log.is_empty() {
                envelope.log.clone_into(&mut proven.log);
            }
            let is_chained = match &last {
                Some((seq, hash)) => envelope.seq == seq + 1 && envelope.prev == *hash,
                None => end_of_run.is_none_or(|end| envelope.seq > end),
            };
            if !is_chained || envelope.log != proven.log {
                return failed(
                    Code::E3109,
                    "its lines are not those of one log, one after the other",
                );
            }
            if let (None, Some(end)) = (&last, end_of_run) {
                proven.is_gapless &= envelope.seq == end + 1;
            }
            if is_about(&envelope, subject) {
                proven.records.push(Record::from(&envelope));
            }
            last = Some((envelope.seq, hex(&sha256(line.as_bytes()))));
            if index + 1 < run.len() {
                continue;
            }
            match Signed::read(&envelope) {
                Ok(signed) if signed.key == *key && signed.is_genuine() => {}
                Ok(_) => return failed(Code::E3110, "a signature is not that of the key"),
                Err(why) => return failed(Code::E3110, why),
            }
            envelope.time.clone_into(&mut proven.signed_at);
        }
        let Some((seq, _)) = last else {
            return failed(Code::E3109, "it has a run without lines");
        };
        end_of_run = Some(seq);
    }
    if proven.records.is_empty() {
        return failed(Code::E3109, "no record in it is about that");
    }
    Ok(proven)
}
