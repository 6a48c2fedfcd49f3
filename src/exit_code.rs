//! What the process tells the shell: one small set of exit codes, the same for every verb.
//!
//! The numbers are part of the public interface; `docs/reference/errors.md` lists which error maps to which.

use std::process::ExitCode;

/// The class of outcome a process ends in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// The call, or the command, did what was asked.
    #[default]
    Ok = 0,
    /// The tool ran and said it failed, or it trapped.
    Tool = 1,
    /// The command line, the arguments or a manifest were wrong.
    Usage = 2,
    /// A permission, a policy or a person said no.
    Refused = 3,
    /// Something the call needs does not exist or is not available now.
    Unavailable = 4,
    /// Bytes are not what they should be: digest, signature, corrupt state.
    Integrity = 5,
    /// A limit of memory, stack, fuel, output or concurrency was reached.
    Limit = 6,
    /// Toolhatch itself failed (`EX_SOFTWARE` of `sysexits.h`).
    Internal = 70,
    /// The deadline passed (the number `timeout(1)` uses).
    Timeout = 124,
    /// Interrupted (128 + SIGINT, as shells report it).
    Cancelled = 130,
}

impl Exit {
    /// Every class, in ascending order of its number.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Tool,
        Self::Usage,
        Self::Refused,
        Self::Unavailable,
        Self::Integrity,
        Self::Limit,
        Self::Internal,
        Self::Timeout,
        Self::Cancelled,
    ];

    /// The number the shell sees.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// One sentence for the reference page.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "the command did what was asked",
            Self::Tool => "the tool ran and failed, or crashed",
            Self::Usage => "the command line, the arguments or a file are not valid",
            Self::Refused => "a permission, a policy or a person said no",
            Self::Unavailable => "something needed was not found or is not available now",
            Self::Integrity => "bytes are not what they should be",
            Self::Limit => "a limit was reached",
            Self::Internal => "Toolhatch itself failed",
            Self::Timeout => "the deadline passed",
            Self::Cancelled => "the call was cancelled",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
