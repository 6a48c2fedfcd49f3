//! Reading a log record by record, to build an index or to follow it.

use std::io;
use std::path::{Path, PathBuf};

use super::event::MAX_LINE;
use super::folder::{self, file_name, path_of};
use super::head::{Head, sha256};
use super::lines::{Lines, Read};
use super::record::{Envelope, Record};
use super::tail;
use crate::error::{Code, Error, Result};
use crate::fsx;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of the file; [`file_name`] gives its name.
    pub file: u32,
    /// Where its line begins, in bytes from the beginning of the file.
    pub offset: u64,
    /// The length of its line in bytes, without the line end.
    pub len: u64,
}

impl Position {
    /// The beginning of the log.
    pub const START: Self = Self {
        file: 0,
        offset: 0,
        len: 0,
    };

    /// The place where the next record begins, or will.
    #[must_use]
    pub fn after(self) -> Self {
        Self {
            offset: self.offset + self.len + 1,
            len: 0,
            ..self
        }
    }
}

/// How much of the end of a file is looked at first: a record that is looked for is seldom far from it.
const NEAR_THE_END: u64 = 256 << 10;

/// True where the log in `folder` still holds the record of this head, or has given up the file it was in.
///
/// # Errors
/// E3801 where a file cannot be read.
pub fn holds(folder: &Path, head: Head) -> Result<bool> {
    let failed = |error| folder::unavailable(folder, "reading", error);
    for number in folder::numbers(folder).map_err(failed)?.into_iter().rev() {
        let path = path_of(folder, number);
        let file = folder::open_file(&path, false).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut read = NEAR_THE_END;
        loop {
            let start = length.saturating_sub(read);
            let bytes = usize::try_from(length - start).unwrap_or(usize::MAX);
            let bytes = tail::read_at(&file, start, bytes).map_err(failed)?;
            match find_in(&bytes, start > 0, head) {
                Some(is_there) => return Ok(is_there),
                None if start > 0 => read = read.saturating_mul(4),
                None => break,
            }
        }
    }
    Ok(true)
}

/// Whether these lines hold the record of this head; nothing where they begin after it. The first line may be `cut`.
fn find_in(bytes: &[u8], cut: bool, head: Head) -> Option<bool> {
    // What stands behind the last line end is empty or torn.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n')?;
    let (whole, _) = bytes.split_at_checked(whole)?;
    let mut lines = whole
        .split(|byte| *byte == b'\n')
        .skip(usize::from(cut))
        .peekable();
    let first = Envelope::parse(lines.peek()?);
    if first.is_ok_and(|first| first.seq > head.seq) {
        return None;
    }
    for line in lines {
        let Ok(envelope) = Envelope::parse(line) else {
            return Some(false);
        };
        if envelope.seq >= head.seq {
            return Some(envelope.seq == head.seq && sha256(line) == head.hash);
        }
    }
    Some(false)
}

/// Reads the records from the one at `from` on.
///
/// The iterator ends where the log does, before a line that is not whole yet; asked again later it goes on from there.
/// It does not verify: a line that is no record is an error of its own (E3109), and the next one follows it.
#[must_use]
pub fn scan(folder: &Path, from: Position) -> Scan {
    Scan {
        folder: folder.to_owned(),
        next: from,
        lines: None,
        is_ended: false,
        line: Vec::new(),
    }
}

/// The records of a log, in order; made by [`scan`].
pub struct Scan {
    folder: PathBuf,
    next: Position,
    lines: Option<Lines>,
    /// Another file has begun, so that the end of this one is its last.
    is_ended: bool,
    line: Vec<u8>,
}

impl Scan {
    /// Where the next record begins, or will: where a later scan goes on.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            len: 0,
            ..self.next
        }
    }

    /// The next whole line, which is then in `self.line`.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(Position, &[u8])>> {
        loop {
            if self.lines.is_none() && !self.open()? {
                return Ok(None);
            }
            let Some(lines) = &mut self.lines else {
                return Ok(None);
            };
            let offset = lines.offset;
            match lines.next(&mut self.line)? {
                Read::Line => {
                    let position = Position {
                        file: self.next.file,
                        offset,
                        len: self.line.len() as u64,
                    };
                    self.next = position.after();
                    self.is_ended = false;
                    return Ok(Some((position, &self.line)));
                }
                Read::Torn | Read::End if !self.is_followed()? => return Ok(None),
                // What this file got before the next one began may not have been read yet.
                Read::Torn | Read::End if !self.is_ended => self.is_ended = true,
                Read::Torn | Read::End => {
                    self.is_ended = false;
                    self.lines = None;
                    self.next = Position {
                        file: self.next.file + 1,
                        ..Position::START
                    };
                }
            }
        }
    }

    /// True where a later file has begun.
    fn is_followed(&self) -> io::Result<bool> {
        for number in folder::numbers(&self.folder)?.into_iter().rev() {
            if number <= self.next.file {
                break;
            }
            if path_of(&self.folder, number).symlink_metadata()?.len() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens the file of the next record, or the first one there is after it.
    fn open(&mut self) -> io::Result<bool> {
        let numbers = folder::numbers(&self.folder)?;
        let Some(number) = numbers.into_iter().find(|number| *number >= self.next.file) else {
            return Ok(false);
        };
        if number != self.next.file {
            self.next = Position {
                file: number,
                ..Position::START
            };
        }
        self.lines = Some(Lines::open(
            &self.folder,
            number,
            self.next.offset,
            u64::MAX,
        )?);
        Ok(true)
    }
}

impl Iterator for Scan {
    type Item = Result<(Position, Record)>;

    fn next(&mut self) -> Option<Self::Item> {
        let folder = self.folder.clone();
        match self.next_line() {
            Ok(None) => None,
            Ok(Some((position, line))) => Some(
                Record::parse(line)
                    .map(|record| (position, record))
                    .map_err(|why| {
                        Error::new(
                            Code::E3109,
                            format!(
                                "reading the audit log: in {} the line at byte {} is not a record: {why}",
                                file_name(position.file),
                                position.offset
                            ),
                        )
                        .hint("`toolhatch audit verify` says what happened to the log.")
                    }),
            ),
            Err(error) => Some(Err(fsx::io_error("reading the audit log in", &folder, error))),
        }
    }
}

/// Reads the line at a position, without its line end.
///
/// # Errors
/// E3101 where there is no such file; E3109 where the file ends before the line does; E3001 where it cannot be read.
pub fn read_at(folder: &Path, position: Position) -> Result<Vec<u8>> {
    let path = path_of(folder, position.file);
    let length = usize::try_from(position.len)
        .unwrap_or(usize::MAX)
        .min(MAX_LINE);
    let line = folder::open_file(&path, false)
        .and_then(|file| tail::read_at(&file, position.offset, length))
        .map_err(|error| fsx::io_error("reading", &path, error))?;
    if line.len() as u64 == position.len {
        return Ok(line);
    }
    Err(Error::new(
        Code::E3109,
        format!(
            "reading {} bytes at byte {} of {}: the file is shorter",
            position.len,
            position.offset,
            path.display()
        ),
    )
    .hint("`toolhatch audit verify` says what happened to the log."))
}
