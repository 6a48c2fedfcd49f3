//! Commands that a guest has run on its behalf, while its own call waits: a trait and plain data.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::BoxFuture;
use crate::manifest::container::Network;

/// Runs commands for one call, with no more than that call may do.
pub trait Commands: Send + Sync + fmt::Debug {
    /// What a command in this image is granted by: the full name of the image, or the word for where it runs instead.
    fn reference(&self, image: &str) -> String;

    /// Runs a command to its end. Dropping the future ends it.
    ///
    /// # Errors
    /// Where it did not end by itself, or was not run.
    fn run(&self, command: GuestCommand) -> BoxFuture<'_, Result<FinishedCommand, CommandFailure>>;
}

/// A command as a guest asks for it. Texts are the guest's own and need not be valid.
#[derive(Debug, Clone)]
pub struct GuestCommand {
    /// The full name of the image.
    pub image: String,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables besides those of the image.
    pub env: Vec<(String, String)>,
    /// What it reads from standard input.
    pub stdin: Bytes,
    /// The folder in the container that it starts in.
    pub workdir: Option<String>,
    /// The network it would like to have.
    pub network: Network,
    /// After which time it is stopped.
    pub timeout: Option<Duration>,
}

/// How a command ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedCommand {
    /// Its exit code.
    pub exit_code: u8,
    /// The beginning and the end of what it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The same of standard error.
    pub stderr: Vec<u8>,
    /// Bytes of standard output that were left out.
    pub stdout_dropped: u64,
    /// Bytes of standard error that were left out.
    pub stderr_dropped: u64,
}

/// Why a command did not end by itself, or was not run. The texts are told to the guest: nothing of the host is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandFailure {
    /// It is not granted, or policy forbids it.
    NotPermitted(String),
    /// There is no such image.
    NotFound(String),
    /// It cannot be run as it is.
    Invalid(String),
    /// Nothing here can run it now.
    Unavailable(String),
    /// Its time was over.
    TimedOut,
    /// It needed more memory than it may have.
    OutOfMemory,
    /// This signal ended it.
    Signalled(u8),
}
