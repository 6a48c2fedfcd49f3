//! Programs that go on running and are talked to over their standard streams, such as a server that somebody else wrote.
//!
//! What such a program may do is said like that of a command, by a [`SandboxSpec`] and a [`Scope`], and enforced by the same
//! means. It belongs to this process: it ends, with all that it started, when it is dropped or this process is gone.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{BoxFuture, EventSink, SandboxSpec, Veto};
use crate::error::Result;
use crate::permission::{Scope, Sensitive};

/// A program to start, and all that it may do.
#[derive(Debug, Clone)]
pub struct Launch {
    /// What it is called in errors and labels.
    pub name: String,
    /// The program, what it gets, and what it may use. Its standard input, its time limit and how its result is read count
    /// for nothing.
    pub spec: SandboxSpec,
    /// What was granted; connections through the proxy of an allow-list are decided on by it.
    pub scope: Arc<Scope>,
    /// What is refused even inside a granted folder.
    pub sensitive: Arc<Sensitive>,
    /// Asked about each connection that the scope allows.
    pub veto: Option<Arc<dyn Veto>>,
    /// Where it is told what was denied, whom it connected to, and what a person should know of how it was started.
    pub events: Arc<EventSink>,
}

/// A program that runs.
pub struct Launched {
    /// Its standard input; closed by dropping it.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output. It waits while nobody reads.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// Its standard error.
    pub errors: Box<dyn AsyncRead + Send + Unpin>,
    /// The program itself. Dropping it ends it at once, with all that it started.
    pub program: Box<dyn Program>,
    /// How it is confined, in words, as it was found from inside.
    pub posture: String,
}

/// A program that was started.
pub trait Program: Send {
    /// Waits until it has ended, and says how in words, such as `exit code 1`. Nothing is lost where this is dropped.
    fn ended(&mut self) -> BoxFuture<'_, String>;

    /// Ends it: closed input first, where that was dropped, then SIGTERM, then SIGKILL for all that is left, within the grace
    /// of its spec.
    fn stop(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Starts programs.
pub trait Launcher: Send + Sync {
    /// Starts one, confined, or not at all.
    ///
    /// # Errors
    /// E3405 where it cannot be confined as it must be, or there is no daemon; E3101 where the program or image is not there.
    fn launch(&self, launch: Launch) -> BoxFuture<'_, Result<Launched>>;
}
