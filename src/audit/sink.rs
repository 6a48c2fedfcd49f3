//! Where records go beside the files of the log.

use std::io;
use std::sync::Arc;

use crate::error::Error;

/// Takes a copy of every record this process writes.
///
/// Records that other processes write to the same log are not seen.
pub trait Sink: Send {
    /// Takes one line, its line end included. Runs on the writer's thread: a slow sink queues for itself.
    ///
    /// # Errors
    /// What kept the line from being taken; the log reports it and goes on, and the rest of the batch is not offered again.
    fn write(&mut self, line: &[u8]) -> io::Result<()>;
}

/// What hears of trouble in passing records on. It is called on threads of sinks, and is quick.
pub type OnTrouble = Arc<dyn Fn(&Error) + Send + Sync>;

/// A sink over anything that can be written to, such as standard output or a file; flushed after every line.
#[derive(Debug)]
pub struct WriteSink<W>(pub W);

impl<W: io::Write + Send> Sink for WriteSink<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)?;
        self.0.flush()
    }
}
