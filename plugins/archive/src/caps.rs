//! How much is unpacked at most. What headers say does not count: bytes are counted as they come.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// So much is unpacked before anybody asks how small it was packed.
const UNSUSPECTED: u64 = 16 << 20;
/// Nothing that people pack becomes so many times smaller.
const MAX_RATIO: u64 = 250;

/// Why reading was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// One entry has more than this.
    Entry(u64),
    /// All together have more than this.
    Total(u64),
    /// It was packed so small that it is made to fill disks.
    Ratio,
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry(most) => write!(formatter, "it has more than {most} bytes"),
            Self::Total(most) => write!(formatter, "all together have more than {most} bytes"),
            Self::Ratio => write!(
                formatter,
                "it unpacks to more than {MAX_RATIO} times its size"
            ),
        }
    }
}

impl std::error::Error for Exceeded {}

impl Exceeded {
    /// The reason in an error of reading, where it is one of these.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

/// Counts what is read through it.
#[derive(Debug)]
pub struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    /// A reader, and the number of bytes that came out of it so far.
    pub fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let count = Rc::new(Cell::new(0));
        let counted = Self {
            inner,
            count: Rc::clone(&count),
        };
        (counted, count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count.set(self.count.get() + amount as u64);
        self.inner.consume(amount);
    }
}

/// Ends in an error where what was unpacked is out of proportion to what was packed.
#[derive(Debug)]
pub struct Proportioned<R> {
    inner: R,
    unpacked: u64,
    packed: Rc<Cell<u64>>,
}

impl<R> Proportioned<R> {
    /// Watches a reader that unpacks what is counted.
    pub fn new(inner: R, packed: Rc<Cell<u64>>) -> Self {
        Self {
            inner,
            unpacked: 0,
            packed,
        }
    }
}

impl<R: Read> Read for Proportioned<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked += read as u64;
        if self.unpacked > UNSUSPECTED && self.unpacked / MAX_RATIO > self.packed.get() {
            return Err(io::Error::other(Exceeded::Ratio));
        }
        Ok(read)
    }
}

/// What may still be read of all entries.
#[derive(Debug)]
pub struct Caps {
    pub entry: u64,
    pub total: u64,
    used: u64,
}

impl Caps {
    /// Caps for each entry and for all of them, in bytes.
    pub fn new(entry: u64, total: u64) -> Self {
        Self {
            entry,
            total,
            used: 0,
        }
    }

    /// Reads an entry under the caps. One that is larger ends in an error.
    pub fn limit<'a>(&'a mut self, inner: &'a mut dyn Read) -> Capped<'a> {
        Capped {
            inner,
            caps: self,
            read: 0,
        }
    }
}

/// An entry that is being read.
pub struct Capped<'a> {
    inner: &'a mut dyn Read,
    caps: &'a mut Caps,
    read: u64,
}

impl Read for Capped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        self.caps.used += read as u64;
        if self.caps.used > self.caps.total {
            return Err(io::Error::other(Exceeded::Total(self.caps.total)));
        }
        if self.read > self.caps.entry {
            return Err(io::Error::other(Exceeded::Entry(self.caps.entry)));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
