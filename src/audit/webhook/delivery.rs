//! Taking records from the log to the receiver, batch by batch.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::batch::{Batch, Size};
use super::cursor::{Cursor, try_lock};
use super::receiver::Receiver;
use crate::audit::folder;
use crate::audit::head::{is_hex_of, sha256};
use crate::audit::record::Envelope;
use crate::audit::scan::{Position, read_at, scan};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::resilience::retry::{Attempt, RetryPolicy};

/// How much is sent at once.
const SIZE: Size = Size {
    records: 500,
    bytes: 1 << 20,
};
/// How slowly a receiver that fails is tried again: up to 1 s after the first time, doubling, up to 5 minutes.
const RETRY: RetryPolicy = RetryPolicy {
    max_attempts: u32::MAX,
    base: Duration::from_secs(1),
    cap: Duration::from_secs(300),
};
/// The longest a receiver can ask to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// The most that is read of what a receiver says to a delivery it took, so that its connection can be used again.
const POLITE: usize = 64 << 10;

/// The queue of a webhook: a log, and the folder of the cursor into it.
#[derive(Debug, Clone)]
pub struct Queue {
    /// The folder of the log.
    pub log: PathBuf,
    /// The folder of the cursor and its lock; private.
    pub folder: PathBuf,
}

/// What was delivered.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Records that the receiver acknowledged.
    pub records: u64,
    /// How many deliveries that took.
    pub batches: u64,
    /// Records that will never be delivered: removed by retention before, damaged, or refused for their size.
    pub lost: u64,
    /// What happened to those, and other things a person should know.
    pub notes: Vec<Error>,
}

/// How a delivery ended. `since` is when the oldest record was written that still waits.
#[derive(Debug)]
pub(super) enum End {
    /// Nothing waits.
    Done,
    /// Another process is delivering.
    Busy,
    /// It failed before, and is not to be tried yet.
    Later {
        since: Option<SystemTime>,
        wait: Duration,
    },
    /// It failed.
    Failed {
        error: Error,
        since: Option<SystemTime>,
        wait: Duration,
    },
    /// The time was over.
    OutOfTime { since: Option<SystemTime> },
}

impl Queue {
    /// Makes the folder.
    pub(super) fn make(&self) -> Result<()> {
        fsx::create_private_dir(&self.folder)
    }

    /// Delivers until nothing waits, it fails or the time is over; `at_once` also where it failed a moment ago.
    ///
    /// Errors: those of our own disk. What the receiver does wrong is an [`End`].
    pub(super) async fn deliver(
        &self,
        receiver: &Receiver,
        until: Option<Instant>,
        at_once: bool,
        delivered: &mut Delivered,
    ) -> Result<End> {
        let Some(_held) = try_lock(&self.folder)? else {
            return Ok(End::Busy);
        };
        let (mut cursor, unreadable) = Cursor::read(&self.folder)?;
        delivered.notes.extend(unreadable.map(|why| note(&why)));
        let mut size = SIZE;
        let mut from = self.resume(&cursor, delivered)?;
        loop {
            let Some(batch) = Batch::read(&self.log, from, size)? else {
                return Ok(End::Done);
            };
            let wait = cursor.wait(LONGEST_WAIT);
            if !at_once && !wait.is_zero() {
                let since = batch.since;
                return Ok(End::Later { since, wait });
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(End::OutOfTime { since: batch.since });
            }
            let posted = match until {
                None => self.post(receiver, &batch).await,
                Some(until) => {
                    match tokio::time::timeout_at(until.into(), self.post(receiver, &batch)).await {
                        Ok(posted) => posted,
                        Err(_) => return Ok(End::OutOfTime { since: batch.since }),
                    }
                }
            };
            match posted {
                Posted::Taken => {
                    delivered.records += batch.records;
                    delivered.batches += 1;
                }
                Posted::TooLarge(_) if batch.records > 1 => {
                    size.records = usize::try_from(batch.records / 2).unwrap_or(1);
                    continue;
                }
                Posted::TooLarge(error) => {
                    // It would be refused for ever, and everything behind it would wait for ever.
                    delivered.lost += 1;
                    let why = format!(
                        "record {} is too large for the receiver, and is passed over",
                        batch.first
                    );
                    delivered.notes.push(note(&why).caused_by(error));
                    size = SIZE;
                }
                Posted::Failed(error, retry_after) => {
                    let wait = delay(cursor.failures.saturating_add(1), retry_after);
                    cursor.retry_in(wait);
                    cursor.write(&self.folder)?;
                    let error = Error::new(
                        Code::E3704,
                        format!("delivering audit records to {}: they wait in the log", receiver.origin()),
                    )
                    .hint("They are delivered when the receiver takes them again; `toolhatch audit deliver` tries at once.")
                    .caused_by(told(&error));
                    let since = batch.since;
                    return Ok(End::Failed { error, since, wait });
                }
            }
            if batch.damaged > 0 {
                delivered.lost += batch.damaged;
                let why = format!(
                    "{} damaged lines before record {} are no records, and are left out; see `toolhatch audit verify`",
                    batch.damaged, batch.head.seq
                );
                delivered.notes.push(note(&why));
            }
            batch.pass(&mut cursor);
            cursor.write(&self.folder)?;
            from = cursor.position().after();
        }
    }

    async fn post(&self, receiver: &Receiver, batch: &Batch) -> Posted {
        match receiver.post(batch).await {
            Err(error) => Posted::Failed(error, None),
            Ok(answer) if answer.is_success() => {
                // It has taken the batch: whatever becomes of the rest of its answer does not matter.
                let _ = answer.read(POLITE).await;
                Posted::Taken
            }
            Ok(answer) if answer.status() == 413 => {
                Posted::TooLarge(told(&answer.into_refusal().await))
            }
            Ok(answer) => {
                let retry_after = answer.retry_after();
                Posted::Failed(answer.into_refusal().await, retry_after)
            }
        }
    }

    /// Where to go on: behind the record of the cursor, if it is still the one that was delivered.
    fn resume(&self, cursor: &Cursor, delivered: &mut Delivered) -> Result<Position> {
        if cursor.seq == 0 {
            return Ok(Position::START);
        }
        if read_at(&self.log, cursor.position())
            .is_ok_and(|line| is_hex_of(&cursor.hash, &sha256(&line)))
        {
            return Ok(cursor.position().after());
        }
        let Some((first_file, first)) = self.first_record()? else {
            return Ok(Position::START);
        };
        if first.log != cursor.log {
            let why = format!(
                "the log {} was taken away, and what was not delivered of it with it; the log {} is delivered from its beginning",
                cursor.log, first.log
            );
            delivered.notes.push(note(&why));
            return Ok(Position::START);
        }
        if cursor.file < first_file {
            // Retention was faster. The records that went show in the numbers.
            let missing = first.seq.saturating_sub(cursor.seq + 1);
            if missing > 0 {
                delivered.lost += missing;
                let why = format!(
                    "records {} to {} were removed by retention before they could be delivered; raise `audit.keep_files`",
                    cursor.seq + 1,
                    first.seq - 1
                );
                delivered.notes.push(note(&why));
            }
            return Ok(Position::START);
        }
        let why = format!(
            "record {} in {} is not the one that was delivered, so that file is delivered again; see `toolhatch audit verify`",
            cursor.seq,
            folder::file_name(cursor.file)
        );
        delivered.notes.push(note(&why));
        Ok(Position {
            file: cursor.file,
            ..Position::START
        })
    }

    /// The first record there is, and the number of its file.
    fn first_record(&self) -> Result<Option<(u32, First)>> {
        let mut lines = scan(&self.log, Position::START);
        loop {
            let next = lines
                .next_line()
                .map_err(|error| fsx::io_error("reading the audit log in", &self.log, error))?;
            let Some((position, line)) = next else {
                return Ok(None);
            };
            // A damaged line is passed over here as it is in a batch.
            if let Ok(envelope) = Envelope::parse(line) {
                let first = First {
                    log: envelope.log.to_owned(),
                    seq: envelope.seq,
                };
                return Ok(Some((position.file, first)));
            }
        }
    }

    /// The number of the last record that was delivered, and that of the last in the log; 0 for none.
    ///
    /// # Errors
    /// E3704 where the cursor cannot be read, E3001 or E3004 where the log cannot.
    pub fn progress(&self) -> Result<(u64, u64)> {
        let (cursor, _) = Cursor::read(&self.folder)?;
        let failed = |error| fsx::io_error("reading the audit log in", &self.log, error);
        if !self.log.is_dir() {
            return Ok((cursor.seq, 0));
        }
        let newest = folder::numbers(&self.log).map_err(failed)?.pop();
        let from = Position {
            file: newest.unwrap_or_default(),
            ..Position::START
        };
        let mut lines = scan(&self.log, from);
        let mut last = 0;
        while let Some((_, line)) = lines.next_line().map_err(failed)? {
            last = Envelope::parse(line).map_or(last, |envelope| envelope.seq);
        }
        Ok((cursor.seq, last))
    }
}

/// The first record of a log.
struct First {
    log: String,
    seq: u64,
}

enum Posted {
    Taken,
    TooLarge(String),
    Failed(Error, Option<Duration>),
}

fn delay(number: u32, retry_after: Option<Duration>) -> Duration {
    let failed = Attempt {
        number,
        code: Code::E3704,
        started: true,
        retry_after: retry_after.map(|wait| wait.min(LONGEST_WAIT)),
    };
    RETRY
        .next_delay(&failed, true, None, &mut rand::rng())
        .unwrap_or(RETRY.cap)
}

/// Something a person should know.
fn note(why: &str) -> Error {
    Error::new(Code::E3704, format!("delivering audit records: {why}"))
}

/// An error with its causes in one line.
fn told(error: &Error) -> String {
    std::iter::once(error.to_string())
        .chain(error.causes())
        .collect::<Vec<_>>()
        .join(": ")
}
