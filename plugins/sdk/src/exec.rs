//! Commands in containers: what cannot be a component, such as a compiler or `git`.
//!
//! A command gets no more than the call has itself: the folders that were granted, where they appear in the call, and nobody
//! to talk to unless that was granted too. Which images and programs may be run is the permission `subprocess`.
//!
//! ```
//! use toolhatch_plugin::{Result, exec};
//!
//! fn last_change(folder: &str) -> Result<String> {
//!     let finished = exec::Command::new("alpine/git:latest", "git")
//!         .args(["log", "-1", "--format=%s"])
//!         .workdir(folder)
//!         .run()?
//!         .succeeded()?;
//!     Ok(finished.stdout_text())
//! }
//! ```
//!
//! Outside of a host there are no containers; [`testing::exec`](crate::testing::exec) takes their place.

use std::fmt;
use std::time::Duration;

use crate::{Result, ToolError};

/// The network a command would like to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// None at all.
    #[default]
    None,
    /// Everything that the machine can reach; the call has to be granted all of `network_tcp` and `network_udp`.
    Bridge,
    /// What the call was granted of `network_http` and `network_tcp`, through a proxy that its variables name.
    AllowList,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a command does nothing before it is run"]
pub struct Command {
    /// The image, such as `debian:stable-slim`, or one by its digest.
    pub image: String,
    /// The program and its arguments. No shell reads them.
    pub argv: Vec<String>,
    /// Variables besides those of the image.
    pub env: Vec<(String, String)>,
    /// What it reads from standard input.
    pub stdin: Vec<u8>,
    /// The folder in the container that it starts in.
    pub workdir: Option<String>,
    /// The network it would like to have.
    pub network: Network,
    /// When it is stopped; never later than the call itself.
    pub timeout: Option<Duration>,
}

impl Command {
    /// A program in an image.
    pub fn new(image: impl Into<String>, program: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            argv: vec![program.into()],
            env: Vec::new(),
            stdin: Vec::new(),
            workdir: None,
            network: Network::None,
            timeout: None,
        }
    }

    /// Adds an argument. No shell reads it: it arrives as it is.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.argv.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.argv.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable, besides those of the image.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What it reads from standard input; nothing where this is not said.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The folder in the container that it starts in.
    pub fn workdir(mut self, folder: impl Into<String>) -> Self {
        self.workdir = Some(folder.into());
        self
    }

    /// The network it would like to have; none where this is not said.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// When it is stopped; never later than the call itself.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Runs it and waits for its end. One that ends with an exit code other than 0 has not failed here, see
    /// [`Finished::succeeded`].
    ///
    /// # Errors
    /// Where it did not end by itself, or was not run.
    pub fn run(self) -> Result<Finished, Error> {
        #[cfg(target_arch = "wasm32")]
        return component::run(self);
        #[cfg(not(target_arch = "wasm32"))]
        crate::testing::run_command(self)
    }
}

/// How a command ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// Its exit code.
    pub exit_code: u8,
    /// The beginning and the end of what it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The same of standard error.
    pub stderr: Vec<u8>,
    /// How many bytes in the middle of standard output were left out.
    pub stdout_dropped: u64,
    /// The same of standard error.
    pub stderr_dropped: u64,
}

impl Finished {
    /// Standard output as text; what is not UTF-8 is replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text; what is not UTF-8 is replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The same, where the exit code is 0.
    ///
    /// # Errors
    /// [`ToolError::Failed`] with the exit code and the last line of standard error.
    pub fn succeeded(self) -> Result<Self> {
        if self.exit_code == 0 {
            return Ok(self);
        }
        let stderr = self.stderr_text();
        let last = stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
        let code = self.exit_code;
        Err(ToolError::failed(match last {
            Some(line) => format!("the command ended with exit code {code}: {line}"),
            None => format!("the command ended with exit code {code}"),
        }))
    }
}

/// Why a command did not end by itself, or was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It is not granted, or policy forbids it.
    NotPermitted(String),
    /// There is no such image.
    NotFound(String),
    /// The command cannot be run as it is.
    Invalid(String),
    /// There is no daemon, or it cannot do what is needed. It may work later.
    Unavailable(String),
    /// Its time was over.
    TimedOut,
    /// It needed more memory than it may have.
    OutOfMemory,
    /// This signal ended it.
    Signalled(u8),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted(why)
            | Self::NotFound(why)
            | Self::Invalid(why)
            | Self::Unavailable(why) => formatter.write_str(why),
            Self::TimedOut => formatter.write_str("the time of the command was over"),
            Self::OutOfMemory => {
                formatter.write_str("the command needed more memory than it may have")
            }
            Self::Signalled(signal) => write!(formatter, "signal {signal} ended the command"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    pub(crate) fn to_tool_error(&self) -> ToolError {
        let message = self.to_string();
        match self {
            Self::NotPermitted(_) => ToolError::NotPermitted(message),
            Self::NotFound(_) => ToolError::NotFound(message),
            Self::Unavailable(_) => ToolError::retryable(message, None),
            Self::Invalid(_) | Self::TimedOut | Self::OutOfMemory | Self::Signalled(_) => {
                ToolError::Failed(message)
            }
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod component {
    use super::{Command, Error, Finished, Network};
    use crate::bindings::toolhatch::plugin::exec as host;

    pub fn run(command: Command) -> Result<Finished, Error> {
        let command = host::Command {
            image: command.image,
            argv: command.argv,
            env: command.env,
            stdin: command.stdin,
            workdir: command.workdir,
            network: match command.network {
                Network::None => host::Network::None,
                Network::Bridge => host::Network::Bridge,
                Network::AllowList => host::Network::AllowList,
            },
            timeout_ms: command
                .timeout
                .map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
        };
        match host::run(&command) {
            Ok(finished) => Ok(Finished {
                exit_code: finished.exit_code,
                stdout: finished.stdout,
                stderr: finished.stderr,
                stdout_dropped: finished.stdout_dropped,
                stderr_dropped: finished.stderr_dropped,
            }),
            Err(failure) => Err(match failure {
                host::Failure::NotPermitted(why) => Error::NotPermitted(why),
                host::Failure::NotFound(why) => Error::NotFound(why),
                host::Failure::Invalid(why) => Error::Invalid(why),
                host::Failure::Unavailable(why) => Error::Unavailable(why),
                host::Failure::TimedOut => Error::TimedOut,
                host::Failure::OutOfMemory => Error::OutOfMemory,
                host::Failure::Signalled(signal) => Error::Signalled(signal),
            }),
        }
    }
}
