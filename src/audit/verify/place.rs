//! Where verifying stands, and what it says when something is wrong there.

use std::path::Path;

use super::super::event::EventType;
use super::super::fault::{Fault, FaultKind};
use super::super::folder::file_name;
use super::super::head::Head;
use super::super::lines::{Lines, Read};
use super::super::record::Envelope;

/// A fault of a file, of the log as a whole where `file` is 0.
pub(super) fn fault(kind: FaultKind, file: u32, line: u64, sentence: impl Into<String>) -> Fault {
    Fault {
        kind,
        file: if file == 0 {
            String::new()
        } else {
            file_name(file)
        },
        line,
        seq: None,
        id: None,
        sentence: sentence.into(),
    }
}

/// A fault of a record that can be read.
pub(super) fn fault_of(kind: FaultKind, place: &Place, sentence: impl Into<String>) -> Fault {
    Fault {
        seq: Some(place.seq),
        id: Some(place.id.clone()),
        ..fault(kind, place.file, place.line, sentence)
    }
}

/// A record that was read, as far as those after it have to fit it.
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) line: u64,
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) prev: String,
    pub(super) log: String,
    pub(super) time: String,
    pub(super) kind: Option<EventType>,
    pub(super) hash: [u8; 32],
}

impl Place {
    /// The head of a log that ends here.
    pub(super) fn head(&self) -> Head {
        Head {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

/// Reads on behind a place after a fault, only to name it better: what cannot be read is as if it were not there.
pub(super) struct Ahead<'a> {
    pub(super) folder: &'a Path,
    /// The files of the log with the lengths that are verified.
    pub(super) files: &'a [(u32, u64)],
}

impl Ahead<'_> {
    /// Where a later line has this number.
    pub(super) fn find_later(&self, after: &Place, seq: u64) -> Option<(u32, u64)> {
        let mut found = None;
        self.for_lines_after(after, |file, line, bytes| {
            let is_it = Envelope::parse(bytes).is_ok_and(|envelope| envelope.seq == seq);
            found = is_it.then_some((file, line));
            is_it
        });
        found
    }

    /// The next line, which may be in the next file.
    pub(super) fn line_after(&self, place: &Place) -> Option<Vec<u8>> {
        let mut found = None;
        self.for_lines_after(place, |_, _, bytes| {
            found = Some(bytes.to_vec());
            true
        });
        found
    }

    /// True where there is another line.
    pub(super) fn is_followed(&self, place: &Place) -> bool {
        self.line_after(place).is_some()
    }

    fn for_lines_after(&self, place: &Place, mut is_enough: impl FnMut(u32, u64, &[u8]) -> bool) {
        let mut bytes = Vec::new();
        for (number, length) in self
            .files
            .iter()
            .filter(|(number, _)| *number >= place.file)
        {
            let Ok(mut lines) = Lines::open(self.folder, *number, 0, *length) else {
                return;
            };
            let mut line = 0;
            while let Ok(Read::Line) = lines.next(&mut bytes) {
                line += 1;
                let is_after = *number > place.file || line > place.line;
                if is_after && is_enough(*number, line, &bytes) {
                    return;
                }
            }
        }
    }
}
