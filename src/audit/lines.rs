//! The lines of one file of the log.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::event::MAX_LINE;
use super::folder;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// A line, whole.
    Line,
    /// Bytes without a line end: the file stops here, or they are more than a line may have.
    Torn,
    /// Nothing: the file ends.
    End,
}

/// Reads the lines of a file one after the other.
pub(super) struct Lines {
    reader: BufReader<File>,
    /// Where the next line begins, in bytes.
    pub(super) offset: u64,
    /// Nothing behind this is read.
    limit: u64,
}

impl Lines {
    /// Opens a file to be read from `offset` up to `limit` bytes.
    pub(super) fn open(folder: &Path, number: u32, offset: u64, limit: u64) -> io::Result<Self> {
        let file = folder::open_file(&folder::path_of(folder, number), false)?;
        let mut reader = BufReader::with_capacity(256 << 10, file);
        reader.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            reader,
            offset,
            limit,
        })
    }

    /// Reads the next line into `line`, without its line end. What is torn is there too, and is read again the next time.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Read> {
        line.clear();
        let most = (MAX_LINE as u64 + 1).min(self.limit.saturating_sub(self.offset));
        let read = self.reader.by_ref().take(most).read_until(b'\n', line)?;
        if read == 0 {
            return Ok(Read::End);
        }
        if line.pop_if(|byte| *byte == b'\n').is_some() {
            self.offset += read as u64;
            return Ok(Read::Line);
        }
        self.reader.seek(SeekFrom::Start(self.offset))?;
        Ok(Read::Torn)
    }
}
