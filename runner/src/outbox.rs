//! Reports on their way to the host, which reads them when it likes.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use toolhatch_runner::protocol::Report;

use crate::sys::{Watch, poll, set_nonblocking};

/// Above this many bytes no output of a command is taken in.
const ROOM_FOR_OUTPUT: usize = 256 << 10;

/// Above this many bytes not even orders are, whose answers are small. Only a host that floods gets here.
const ROOM_FOR_ANSWERS: usize = 2 * ROOM_FOR_OUTPUT;

/// What the host has not taken yet, bounded by whoever asks [`Outbox::has_room`] before adding.
pub struct Outbox {
    stream: File,
    bytes: Vec<u8>,
    /// How much of it was written.
    written: usize,
}

impl Outbox {
    /// Writes to this descriptor from now on.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        set_nonblocking(fd)?;
        Ok(Self {
            stream: File::from(fd.try_clone_to_owned()?),
            bytes: Vec::new(),
            written: 0,
        })
    }

    /// Adds a report. One that is too long for a frame is left out; none of the runner's is.
    pub fn put(&mut self, id: u32, report: &Report) {
        let _ = report.encode(id, &mut self.bytes);
    }

    /// Whether output of a command may be added.
    pub fn has_room(&self) -> bool {
        self.bytes.len() - self.written < ROOM_FOR_OUTPUT
    }

    /// Whether orders may be taken in.
    pub fn has_room_for_answers(&self) -> bool {
        self.bytes.len() - self.written < ROOM_FOR_ANSWERS
    }

    /// Whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What to wait for.
    pub fn watch(&self) -> Watch<'_> {
        if self.is_empty() {
            Watch::end(self.stream.as_fd())
        } else {
            Watch::writing(Some(self.stream.as_fd()))
        }
    }

    /// Writes what can be written without waiting.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self
            .bytes
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match self.stream.write(rest) {
                Ok(count) => self.written += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.forget_written();
                        return Ok(());
                    }
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        self.forget_written();
        Ok(())
    }

    fn forget_written(&mut self) {
        self.bytes.drain(..self.written);
        self.written = 0;
    }

    /// Writes what there is, waiting at most so long for the host to take it.
    pub fn flush_within(&mut self, time: Duration) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            self.flush()?;
            let left = time.saturating_sub(begun.elapsed());
            if self.is_empty() || left.is_zero() {
                return Ok(());
            }
            poll(&[self.watch()], Some(left))?;
        }
    }
}
