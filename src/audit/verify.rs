//! Verifying a log: that nothing was edited, deleted, inserted, reordered, cut off or exchanged.
//!
//! The attacker is anyone without the private key. They can write anything into the files, hashes included, but cannot
//! sign; what they change before a checkpoint does not fit its signature. What stands after the last checkpoint only an
//! expected head protects.

mod place;

use std::io;
use std::path::Path;
use std::sync::mpsc::SyncSender;

use serde_json::Value;

use super::checkpoint::{CHECKPOINT_AT_LEAST_EVERY, Signed};
use super::event::EventType;
use super::fault::{Fault, FaultKind, Report};
use super::folder::{self, Lock, file_name, file_number, path_of};
use super::head::{Head, is_hex_of, sha256};
use super::key::PublicKey;
use super::lines::{Lines, Read};
use super::record::{Envelope, NO_PREV};
use super::signatures::{Claim, check_beside};
use super::tail::FORMAT;
use place::{Ahead, Place, fault, fault_of};

/// Verifies the log in `folder`.
///
/// With a `key` every checkpoint must be signed by it; without one the log is only checked against itself. With an
/// `expected` head, kept from earlier, the log must still contain it. Writers may go on meanwhile: what was there at the
/// beginning is verified.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    folder: &Path,
    key: Option<&PublicKey>,
    expected: Option<Head>,
) -> Result<Report, Fault> {
    let files = files_of(folder).map_err(|error| {
        let sentence = format!("{} cannot be read: {error}", folder.display());
        fault(FaultKind::Unreadable, 0, 0, sentence)
    })?;
    let pass = |is_thorough| {
        let (result, bad_signature) = check_beside(|claims| {
            let mut verifier = Verifier {
                folder,
                files: &files,
                expected,
                claims,
                is_thorough,
                passed_over: None,
                trusted: key,
                signer: key.cloned(),
                last: None,
                signed_first: 1,
                claimed_first: 1,
                report: Counts::default(),
            };
            let result = verifier.run();
            verifier.check_passed_over();
            result.and_then(|()| verifier.finish())
        });
        match (result, bad_signature) {
            (Err(fault), Some(bad)) if fault.seq.is_some_and(|seq| Some(seq) < bad.seq) => {
                Err(fault)
            }
            (_, Some(bad)) => Err(bad),
            (result, None) => result,
        }
    };
    // Only to name the first bad record are the signatures in between of use.
    pass(false).or_else(|_| pass(true))
}

/// The files of the log with their lengths, while no writer is in the middle of a record.
fn files_of(folder: &Path) -> io::Result<Vec<(u32, u64)>> {
    let _lock = Lock::shared(folder)?;
    folder::numbers(folder)?
        .into_iter()
        .map(|number| Ok((number, path_of(folder, number).symlink_metadata()?.len())))
        .collect()
}

#[derive(Default)]
struct Counts {
    records: u64,
    first_time: String,
    checkpoints: u64,
    unsigned: u64,
    recoveries: u64,
    is_head_confirmed: bool,
}

struct Verifier<'a> {
    folder: &'a Path,
    files: &'a [(u32, u64)],
    expected: Option<Head>,
    claims: &'a SyncSender<Claim>,
    /// Every signature is checked. Else those are passed over that a later one vouches for: a signature is over all
    /// records before it, and checking one takes as long as reading many records.
    is_thorough: bool,
    /// The last signature that was passed over.
    passed_over: Option<Claim>,
    trusted: Option<&'a PublicKey>,
    /// The key that every checkpoint must be signed with: the trusted one, or that of the first.
    signer: Option<PublicKey>,
    last: Option<Place>,
    /// The first file of the log according to the last opening record; and to the last one that is signed.
    claimed_first: u32,
    signed_first: u32,
    report: Counts,
}

impl Verifier<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        let end = self.files.iter().rposition(|(_, length)| *length > 0);
        let Some(end) = end else {
            return Err(fault(
                FaultKind::MissingFile,
                0,
                0,
                format!("there is no log in {}", self.folder.display()),
            ));
        };
        let mut before: Option<u32> = None;
        for (index, (number, length)) in self.files.iter().enumerate() {
            if let Some(before) = before.filter(|before| before + 1 != *number) {
                return Err(fault(
                    FaultKind::MissingFile,
                    before + 1,
                    0,
                    "the file is missing",
                ));
            }
            before = Some(*number);
            if index > end + 1 || index < end && *length == 0 {
                return Err(fault(FaultKind::Truncated, *number, 0, "the file is empty"));
            }
            self.verify_file(*number, *length, index < end)?;
        }
        self.check_end(before.unwrap_or_default())
    }

    fn verify_file(&mut self, number: u32, length: u64, is_followed: bool) -> Result<(), Fault> {
        let unreadable = |line: u64| {
            move |error: io::Error| {
                fault(
                    FaultKind::Unreadable,
                    number,
                    line,
                    format!("the file cannot be read: {error}"),
                )
            }
        };
        let mut lines = Lines::open(self.folder, number, 0, length).map_err(unreadable(0))?;
        let mut line = Vec::new();
        let mut count = 0;
        loop {
            count += 1;
            match lines.next(&mut line).map_err(unreadable(count))? {
                Read::Line => self.verify_line(number, count, &line)?,
                Read::Torn => {
                    return Err(fault(
                        FaultKind::Truncated,
                        number,
                        count,
                        format!(
                            "the file ends after {} bytes of a record; a crash leaves this too, until the next record is written",
                            line.len()
                        ),
                    ));
                }
                Read::End => break,
            }
        }
        match &self.last {
            Some(last) if is_followed && last.kind != Some(EventType::LogRotated) => Err(fault_of(
                FaultKind::Truncated,
                last,
                "the file ends after this record, before the one that says where the log goes on",
            )),
            _ => Ok(()),
        }
    }

    fn verify_line(&mut self, file: u32, line: u64, bytes: &[u8]) -> Result<(), Fault> {
        let envelope = Envelope::parse(bytes).map_err(|why| {
            let sentence = format!("the line is not a record: {why}");
            Fault {
                seq: self.last.as_ref().map(|last| last.seq + 1),
                ..fault(FaultKind::Malformed, file, line, sentence)
            }
        })?;
        let place = Place {
            file,
            line,
            seq: envelope.seq,
            id: envelope.id.to_owned(),
            prev: envelope.prev.to_owned(),
            log: envelope.log.to_owned(),
            time: envelope.time.to_owned(),
            kind: EventType::from_name(envelope.kind),
            hash: sha256(bytes),
        };
        if line == 1 {
            self.check_opening(&envelope, &place)?;
        } else {
            self.check_order(&place)?;
        }
        self.check_type(&place)?;
        if place.kind == Some(EventType::Checkpoint) {
            self.check_checkpoint(&envelope, &place)?;
            self.report.unsigned = 0;
        } else {
            self.report.unsigned += 1;
        }
        self.check_expected(&place)?;
        self.report.recoveries += u64::from(place.kind == Some(EventType::LogRecovered));
        self.report.records += 1;
        if self.last.is_none() {
            self.report.first_time.clone_from(&place.time);
        }
        self.last = Some(place);
        Ok(())
    }

    /// The first record of a file: it must continue the file before it.
    fn check_opening(&mut self, envelope: &Envelope<'_>, place: &Place) -> Result<(), Fault> {
        let swapped = |place: &Place, why: &str| Err(fault_of(FaultKind::SwappedFile, place, why));
        if place.kind != Some(EventType::LogOpened) {
            return swapped(
                place,
                "the file does not begin with a record of type log_opened",
            );
        }
        let data = envelope.data();
        let text = |key: &str| data.get(key).and_then(Value::as_str);
        match data.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(fault_of(
                    FaultKind::NewerFormat,
                    place,
                    format!("the file has format {other}, and this version knows format {FORMAT}"),
                ));
            }
            None => return swapped(place, "the record does not name the format of the file"),
        }
        let Some(first) = text("first").and_then(file_number) else {
            return swapped(place, "the record does not name the first file of the log");
        };
        self.claimed_first = first;
        let continues = match place.file {
            1 => data.get("previous").is_none() && place.seq == 1 && place.prev == NO_PREV,
            number => {
                text("previous") == Some(&file_name(number - 1))
                    && text("previous_head") == Some(&place.prev)
                    && place.seq > 1
            }
        };
        if !continues {
            return swapped(place, "the file is one from another place in the log");
        }
        let Some(last) = &self.last else {
            return Ok(());
        };
        if last.log != place.log {
            return swapped(place, "the file is one of another log");
        }
        if last.seq + 1 != place.seq || !is_hex_of(&place.prev, &last.hash) {
            return swapped(
                last,
                "the file does not end with the record that the next file continues",
            );
        }
        Ok(())
    }

    /// Any other record: it must be the one that follows the last.
    fn check_order(&self, place: &Place) -> Result<(), Fault> {
        let Some(last) = &self.last else {
            return Ok(());
        };
        let due = last.seq + 1;
        if place.log != last.log {
            return Err(fault_of(
                FaultKind::Inserted,
                place,
                "the record is one of another log",
            ));
        }
        if place.seq > due {
            let missing = if due + 1 == place.seq {
                format!("record {due} is")
            } else {
                format!("records {due} to {} are", place.seq - 1)
            };
            return Err(match self.ahead().find_later(place, due) {
                Some((file, line)) => fault_of(
                    FaultKind::Reordered,
                    place,
                    format!(
                        "record {due} should stand here, and stands in {} line {line}",
                        file_name(file)
                    ),
                ),
                None => fault_of(
                    FaultKind::Deleted,
                    place,
                    format!("{missing} missing before it"),
                ),
            });
        }
        let is_chained = is_hex_of(&place.prev, &last.hash);
        if place.seq == due && is_chained {
            return Ok(());
        }
        let next = self.ahead().line_after(place);
        let next = next.as_deref().and_then(|next| Envelope::parse(next).ok());
        let next_continues = next.is_some_and(|next| is_hex_of(next.prev, &place.hash));
        Err(
            match (
                place.seq == due,
                place.seq == last.seq && last.prev == place.prev,
            ) {
                // Two records claim one place: the later ones tell which was there first.
                (_, true) if next_continues => fault_of(
                    FaultKind::Inserted,
                    last,
                    "the record was put in: the log continues another one of the same number",
                ),
                (false, _) => fault_of(
                    FaultKind::Inserted,
                    place,
                    format!(
                        "the record was put in: number {} was there before",
                        place.seq
                    ),
                ),
                (true, _) if !next_continues && self.ahead().is_followed(place) => fault_of(
                    FaultKind::Edited,
                    place,
                    "the record was changed: it does not fit those around it",
                ),
                (true, _) => fault_of(
                    FaultKind::Edited,
                    last,
                    "the record was changed: its hash is not the one in the record after it",
                ),
            },
        )
    }

    /// Some types belong to certain places.
    fn check_type(&self, place: &Place) -> Result<(), Fault> {
        let last = self.last.as_ref().and_then(|last| last.kind);
        let is_checkpoint = place.kind == Some(EventType::Checkpoint);
        let is_due = place.seq.is_multiple_of(CHECKPOINT_AT_LEAST_EVERY)
            || place.line > 1 && last == Some(EventType::LogOpened);
        if is_due && !is_checkpoint {
            return Err(fault_of(
                FaultKind::UnsignedRecords,
                place,
                "a signed checkpoint must stand here, and another record does",
            ));
        }
        if place.line > 1
            && (place.kind == Some(EventType::LogOpened) || last == Some(EventType::LogRotated))
        {
            return Err(fault_of(
                FaultKind::Malformed,
                place,
                "the record cannot stand inside a file",
            ));
        }
        Ok(())
    }

    fn check_checkpoint(&mut self, envelope: &Envelope<'_>, place: &Place) -> Result<(), Fault> {
        let signed = Signed::read(envelope)
            .map_err(|why| fault_of(FaultKind::UnsignedRecords, place, why))?;
        let signer = self.signer.get_or_insert_with(|| signed.key.clone());
        if *signer != signed.key {
            return Err(fault_of(
                FaultKind::BadSignature,
                place,
                format!(
                    "the checkpoint is signed by the key {}, and the key of the log is {}",
                    signed.key.id(),
                    signer.id()
                ),
            ));
        }
        let wrong = fault_of(
            FaultKind::BadSignature,
            place,
            "the signature does not fit: records before this checkpoint were changed and chained anew, or the checkpoint was",
        );
        let is_first_of_file = place.line == 2;
        let is_regular = place.seq.is_multiple_of(CHECKPOINT_AT_LEAST_EVERY);
        self.passed_over = Some((signed, wrong));
        if self.is_thorough || is_first_of_file || is_regular {
            self.check_passed_over();
        }
        self.report.checkpoints += 1;
        self.signed_first = self.claimed_first;
        Ok(())
    }

    fn check_passed_over(&mut self) {
        if let Some(claim) = self.passed_over.take() {
            // The other end is there as long as this runs.
            let _ = self.claims.send(claim);
        }
    }

    fn check_expected(&mut self, place: &Place) -> Result<(), Fault> {
        let Some(expected) = self.expected else {
            return Ok(());
        };
        let is_before_first = self.last.is_none() && expected.seq + 1 == place.seq;
        if is_before_first && is_hex_of(&place.prev, &expected.hash) || expected == place.head() {
            self.report.is_head_confirmed = true;
        } else if is_before_first || expected.seq == place.seq {
            return Err(fault_of(
                FaultKind::OtherHistory,
                place,
                format!(
                    "record {} is not the one of the expected head: another history, such as an older copy written on, was put in its place",
                    expected.seq
                ),
            ));
        }
        Ok(())
    }

    /// What can only be told at the end.
    fn check_end(&self, newest: u32) -> Result<(), Fault> {
        let Some(last) = &self.last else {
            return Ok(());
        };
        let oldest = self.files.first().map_or(1, |(number, _)| *number);
        if oldest > self.signed_first {
            return Err(fault(
                FaultKind::MissingFile,
                oldest - 1,
                0,
                "the file is missing, and no signed record says that retention removed it",
            ));
        }
        if last.kind == Some(EventType::LogRotated) && newest == last.file {
            return Err(fault(
                FaultKind::MissingFile,
                newest + 1,
                0,
                "the file is missing",
            ));
        }
        if self.report.checkpoints == 0 {
            return Err(fault_of(
                FaultKind::UnsignedRecords,
                last,
                "the log ends here, without any signed checkpoint",
            ));
        }
        match self.expected {
            Some(expected) if expected.seq > last.seq => Err(fault_of(
                FaultKind::Behind,
                last,
                format!(
                    "the log ends here, and had come to record {} before: records were cut off, or an older copy was put back",
                    expected.seq
                ),
            )),
            _ => Ok(()),
        }
    }

    fn ahead(&self) -> Ahead<'_> {
        Ahead {
            folder: self.folder,
            files: self.files,
        }
    }

    fn finish(self) -> Result<Report, Fault> {
        let (Some(last), Some(key)) = (self.last, self.signer) else {
            return Err(fault(FaultKind::MissingFile, 0, 0, "there is no log"));
        };
        let oldest = self.files.first().map_or(1, |(number, _)| *number);
        Ok(Report {
            records: self.report.records,
            files: u32::try_from(self.files.len()).unwrap_or(u32::MAX),
            first_file: (oldest > 1).then(|| file_name(oldest)),
            first_time: self.report.first_time,
            checkpoints: self.report.checkpoints,
            unsigned: self.report.unsigned,
            recoveries: self.report.recoveries,
            head: last.head(),
            log: last.log,
            last_time: last.time,
            key,
            is_key_trusted: self.trusted.is_some(),
            is_head_confirmed: self.report.is_head_confirmed,
        })
    }
}
