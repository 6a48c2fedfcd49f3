//! Asking a person on the terminal. The terminal itself is asked, not standard input: whoever controls what is piped in is
//! not the person.

mod field;
mod respond;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::output::without_controls;
use crate::error::{Code, Error, Result};
use crate::exec::{Approver, BoxFuture, Subject};

/// A terminal with a person at it.
pub(super) struct Terminal {
    reader: BufReader<File>,
    writer: File,
}

impl Terminal {
    /// The terminal this process is controlled from, if there is one.
    pub(super) fn open() -> Option<Self> {
        let reader = File::open("/dev/tty").ok()?;
        let writer = File::options().write(true).open("/dev/tty").ok()?;
        rustix::termios::isatty(&reader).then(|| Self {
            reader: BufReader::new(reader),
            writer,
        })
    }

    /// Says something to the person.
    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        writeln!(self.writer, "{}", without_controls(text)).map_err(|error| gone(&error))
    }

    /// Asks a question whose answer is no unless it is clearly yes.
    pub(super) fn confirm(&mut self, question: &str) -> Result<bool> {
        write!(self.writer, "{} [y/N] ", without_controls(question))
            .and_then(|()| self.writer.flush())
            .map_err(|error| gone(&error))?;
        let mut answer = String::new();
        self.reader
            .read_line(&mut answer)
            .map_err(|error| gone(&error))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}

impl Terminal {
    /// Asks a question and takes a line.
    ///
    /// # Errors
    /// E3213 where nobody is there any more.
    pub(super) fn ask(&mut self, question: &str) -> Result<String> {
        write!(self.writer, "{} ", without_controls(question))
            .and_then(|()| self.writer.flush())
            .map_err(|error| gone(&error))?;
        let mut answer = String::new();
        let read = self
            .reader
            .read_line(&mut answer)
            .map_err(|error| gone(&error))?;
        if read == 0 {
            return Err(Error::new(
                Code::E3213,
                "the terminal was closed before the question was answered",
            ));
        }
        Ok(answer)
    }
}

fn gone(error: &std::io::Error) -> Error {
    Error::new(
        Code::E3213,
        format!("the terminal cannot be asked: {error}"),
    )
}

/// A person at the terminal who is asked while a call waits: whether it may go on, and what its tool wants to know. One
/// question at a time.
pub(super) struct TerminalPerson {
    terminal: Arc<Mutex<Terminal>>,
}

impl TerminalPerson {
    /// The person at the terminal of this process, if there is one.
    pub(super) fn open() -> Option<Arc<Self>> {
        let terminal = Terminal::open()?;
        Some(Arc::new(Self {
            terminal: Arc::new(Mutex::new(terminal)),
        }))
    }
}

/// Who answers at the terminal, as it is written down.
fn who() -> String {
    format!("uid {} (terminal)", rustix::process::geteuid().as_raw())
}

impl Approver for TerminalPerson {
    fn approve<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Option<bool>> {
        let terminal = Arc::clone(&self.terminal);
        let mut lines = vec![format!(
            "{} ({}) is to be called, and that takes your approval:",
            subject.tool,
            subject.digest.short()
        )];
        lines.extend(subject.why.iter().map(|why| format!("  because {why}")));
        lines.push(format!("  with {}", subject.arguments));
        lines.extend(subject.may.iter().map(|may| format!("  it may {may}")));
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || {
                let mut terminal = terminal.lock().unwrap_or_else(PoisonError::into_inner);
                for line in &lines {
                    terminal.say(line)?;
                }
                terminal.confirm("Allow this call?")
            });
            asked.await.ok()?.ok()
        })
    }

    fn name(&self) -> String {
        who()
    }
}
