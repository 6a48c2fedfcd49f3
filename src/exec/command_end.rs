//! How a command in a sandbox can end: one word for each way, with what follows from it.

use crate::error::{Code, Error};

/// How a command ended, or why it did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEnd {
    /// By itself, with an exit code.
    Exited,
    /// By a signal that was not ours.
    Signalled,
    /// Its time was over.
    Timeout,
    /// The kernel ended it for want of memory.
    Oom,
    /// The kernel ended something that it had started for want of memory; it went on.
    OomRecovered,
    /// Somebody cancelled it.
    Cancelled,
    /// The daemon cannot be reached, or went away.
    DaemonLost,
    /// The image could not be pulled.
    PullFailed,
    /// There is no such image.
    ImageNotFound,
    /// It is not allowed.
    PolicyDenied,
    /// The daemon does not take what it was asked for.
    InvalidConfig,
}

impl CommandEnd {
    /// Every one of them.
    pub const ALL: [Self; 11] = [
        Self::Exited,
        Self::Signalled,
        Self::Timeout,
        Self::Oom,
        Self::OomRecovered,
        Self::Cancelled,
        Self::DaemonLost,
        Self::PullFailed,
        Self::ImageNotFound,
        Self::PolicyDenied,
        Self::InvalidConfig,
    ];

    /// The word in results and records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Signalled => "signalled",
            Self::Timeout => "timeout",
            Self::Oom => "oom",
            Self::OomRecovered => "oom-recovered",
            Self::Cancelled => "cancelled",
            Self::DaemonLost => "daemon-lost",
            Self::PullFailed => "pull-failed",
            Self::ImageNotFound => "image-not-found",
            Self::PolicyDenied => "policy-denied",
            Self::InvalidConfig => "invalid-config",
        }
    }

    /// True where the same command may work once what the suggestion says is done; false where the command itself, its
    /// limits or its permissions have to be others.
    #[must_use]
    pub const fn is_recoverable(self) -> bool {
        matches!(
            self,
            Self::DaemonLost | Self::PullFailed | Self::ImageNotFound | Self::InvalidConfig
        )
    }

    /// An error that carries the word; its hints are the suggestion.
    pub fn error(self, code: Code, message: impl Into<String>) -> Error {
        Error::new(code, message)
            .detail("outcome", self.word())
            .detail("recoverable", self.is_recoverable())
    }
}
