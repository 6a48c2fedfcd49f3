//! Why the runner ends.

use std::io;

use toolhatch_runner::protocol::Malformed;

/// A reason to end.
pub enum End {
    /// The host said so, or closed a stream, or stopped the container.
    Host,
    /// No order came for too long.
    Idle,
    /// Its time is over.
    Deadline,
    /// The host says what it may not.
    Protocol(String),
    /// Something of a command could not be undone.
    Spoilt(&'static str),
    /// The system does not do what a supervisor needs.
    System(io::Error),
}

impl End {
    /// What to tell the host, where it does not know, and the exit code.
    pub fn told(self) -> (Option<String>, u8) {
        let (text, code) = match self {
            Self::Host => return (None, 0),
            Self::Idle => ("no word from the host for too long".to_owned(), 3),
            Self::Deadline => ("the time of the container is over".to_owned(), 4),
            Self::Spoilt(text) => (text.to_owned(), 5),
            Self::Protocol(text) => (text, 65),
            Self::System(error) => (format!("the system refuses: {error}"), 70),
        };
        (Some(text), code)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        // The host has closed what it reads.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Host;
        }
        Self::System(error)
    }
}

impl From<Malformed> for End {
    fn from(malformed: Malformed) -> Self {
        Self::Protocol(malformed.to_string())
    }
}
