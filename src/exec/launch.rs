//! Programs that go on running and are talked to over their standard streams, such as a server that somebody else wrote.
//!
//! What such a program may do is said like that of a command, by a [`SandboxSpec`] and a [`Scope`], and enforced by the same
//! means. It belongs to this process: it ends, with all that it started, when it is dropped or this process is gone.

use std::sync::Arc;
use std::time::Duration;

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
    /// Its standard output. It waits while nobody reads. Both have to be read: one that is left alone can stop the other.
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
    /// Waits until it has ended and nothing that it started is left, and says how in words, such as `exit code 1`,
    /// `signal 9 (SIGKILL)` or `killed for memory`. Nothing is lost where this is dropped.
    fn ended(&mut self) -> BoxFuture<'_, String>;

    /// Ends it: whoever wants it to end by itself drops its input before. After the grace of its spec it gets SIGTERM, after
    /// that again SIGKILL, with all that is left of it. Dropping the future ends it at once.
    fn stop(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Starts programs.
pub trait Launcher: Send + Sync {
    /// Starts one, confined, or not at all.
    ///
    /// # Errors
    /// E3405 where it cannot be confined as it must be, or there is no daemon; E3101 where the program or image is not there;
    /// E3210 where what it needs to start is not granted, or must not be; E3004 where it cannot start where it should. See
    /// also those of images and places.
    fn launch(&self, launch: Launch) -> BoxFuture<'_, Result<Launched>>;
}

/// What a program that runs is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// To end.
    Terminate,
    /// Nothing: it is killed, with all that it started.
    Kill,
}

/// A program that somebody stays with, who can be asked to end it.
pub(super) trait Attended: Send {
    /// Waits until it has ended, and says how. Nothing is lost where this is dropped.
    fn end(&mut self) -> impl Future<Output = String> + Send;

    /// Asks for something.
    fn ask(&mut self, ask: Ask) -> impl Future<Output = ()> + Send;
}

/// What was killed is gone at once, but for what hangs in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// As [`Program::stop`].
pub(super) async fn stop(mut program: impl Attended, grace: Duration) {
    for (ask, within) in [
        (None, grace),
        (Some(Ask::Terminate), grace),
        (Some(Ask::Kill), GONE_WITHIN),
    ] {
        if let Some(ask) = ask {
            program.ask(ask).await;
        }
        if tokio::time::timeout(within, program.end()).await.is_ok() {
            return;
        }
    }
    tracing::warn!("a program was killed and is not gone");
}
