//! Servers that others wrote: their tools are run like any other, through an [`Executor`].
//!
//! A server is connected to when it is first needed, and again when its connection was lost; a call that may have arrived
//! is never sent twice. Everything a server sends is read as raw JSON, within limits of size and time.

mod changes;
mod connection;
mod events;
mod framing;
mod handler;
mod http;
mod listing;
mod login;
mod message;
mod question;
mod result;
mod server;
mod service;
mod sse;
mod stdio;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tool;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use connection::{Connection, Identity};
pub use listing::Listing;
pub use login::{Begun, Callback, CallbackPage, ClientIdentity, Login, LoginState};
pub use service::Service;
pub use tool::{Hints, LeftOut, ServerTool};
pub use wire::Noise;

use crate::config::McpProtocol;
use crate::error::Result;
use crate::exec::{BoxFuture, Ended, Executor, Job, Launch, Launcher, Outcome, Usage};
use crate::ids::PluginName;
use server::Server;

/// Which lifecycle a connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// A handshake: revisions to 2025-11-25.
    Legacy,
    /// None: 2026-07-28.
    Modern,
    /// A handshake, over a stream of events of its own, as in 2024-11-05.
    Sse,
}

impl Era {
    /// The word in files and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::Sse => "sse",
        }
    }
}

/// How a server is reached.
#[derive(Clone)]
pub enum Reach {
    /// A program of this machine, over its standard streams.
    Program {
        /// The program, and all that it may do.
        launch: Box<Launch>,
        /// What starts it.
        launcher: Arc<dyn Launcher>,
    },
    /// A service, over HTTP.
    Service(Arc<Service>),
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { launch, .. } => write!(f, "Program({})", launch.name),
            Self::Service(service) => service.fmt(f),
        }
    }
}

/// All that is needed to talk to a server.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// The name a person gave it.
    pub name: PluginName,
    /// How it is reached.
    pub reach: Reach,
    /// Which revisions of the protocol are tried.
    pub protocol: McpProtocol,
    /// How long a call may take without a sign of life.
    pub timeout: Duration,
    /// How long it may take to start.
    pub start_timeout: Duration,
    /// How many connections are made to it at most.
    pub connections: usize,
    /// How many calls it gets at once.
    pub concurrency: usize,
    /// The largest message that is read from it, in bytes.
    pub max_message: usize,
}

/// What a server showed of itself when it was connected to.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it says of itself.
    pub identity: Identity,
    /// Which lifecycle it has.
    pub era: Era,
    /// Its tools.
    pub listing: Arc<Listing>,
}

/// What was found by looking at a server closely.
#[derive(Debug, Clone)]
pub struct Examination {
    /// What it shows of itself.
    pub seen: Seen,
    /// How long it took to connect.
    pub connecting: Duration,
    /// How long it took to list its tools.
    pub listing: Duration,
    /// What it sent that was no use.
    pub noise: Noise,
    /// The last lines that the program wrote to standard error.
    pub stderr: Vec<String>,
    /// How the program is confined, in words.
    pub posture: Option<String>,
}

/// Knows the servers there are, and what they were found to be.
pub trait Directory: Send + Sync {
    /// How to talk to a server. Secrets are read now.
    ///
    /// # Errors
    /// E3101 where there is none of that name, and what is wrong with its declaration.
    fn spec(&self, server: &PluginName) -> Result<ServerSpec>;

    /// Which lifecycle it had the last time.
    fn era(&self, server: &PluginName) -> Option<Era>;

    /// Whether a tool may be called, as the server showed itself last.
    ///
    /// # Errors
    /// Why not.
    fn check(&self, server: &PluginName, tool: &str) -> Result<()>;

    /// Takes note of what a server shows of itself, whenever its tools were listed.
    ///
    /// # Errors
    /// Where it must not be used like this.
    fn seen<'a>(&'a self, server: &'a PluginName, seen: &'a Seen) -> BoxFuture<'a, Result<()>>;
}

/// Runs the tools of servers.
pub struct Bridge {
    directory: Arc<dyn Directory>,
    /// Whether changes that servers tell of between calls are looked at.
    follows: bool,
    servers: Mutex<BTreeMap<PluginName, Arc<Server>>>,
}

impl Bridge {
    /// Talks to the servers of this directory, each when it is first needed.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        Self {
            directory,
            follows: false,
            servers: Mutex::default(),
        }
    }

    /// The same for a process that others are served by for long: where a server says between calls that its tools have
    /// changed, they are listed again soon.
    #[must_use]
    pub fn following(directory: Arc<dyn Directory>) -> Self {
        Self {
            follows: true,
            ..Self::new(directory)
        }
    }

    fn server(&self, name: &PluginName) -> Result<Arc<Server>> {
        let lock = || self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = lock().get(name) {
            return Ok(Arc::clone(server));
        }
        let follows = self.follows.then(|| Arc::clone(&self.directory));
        let server = Server::new(self.directory.spec(name)?, follows);
        Ok(Arc::clone(lock().entry(name.clone()).or_insert(server)))
    }

    /// What a server shows of itself now; it is connected to where it is not yet.
    ///
    /// # Errors
    /// Those of connecting and of listing its tools.
    pub async fn look(&self, name: &PluginName) -> Result<Seen> {
        let server = self.server(name)?;
        let live = server.live(&*self.directory).await?;
        Ok(live.seen())
    }

    /// Looks at a server closely: connects to it and lists its tools anew.
    ///
    /// # Errors
    /// As [`Bridge::look`].
    pub async fn examine(&self, name: &PluginName) -> Result<Examination> {
        let server = self.server(name)?;
        server.examine(&*self.directory).await
    }

    /// True where there is a connection to the server that is not known to be broken.
    #[must_use]
    pub fn is_connected(&self, name: &PluginName) -> bool {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers
            .get(name)
            .is_some_and(|server| server.is_connected())
    }

    /// Ends all connections, and waits until the programs behind them are gone.
    pub async fn close(&self) {
        let servers = {
            let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *servers)
        };
        let closing = servers.values().map(|server| server.close());
        futures_util::future::join_all(closing).await;
    }

    async fn call(&self, job: Job, usage: &mut Usage) -> Ended {
        let crate::exec::Entry::Server { server, .. } = &job.entry else {
            return Ended::NotRun(crate::error::Error::new(
                crate::error::Code::E3000,
                "a tool that is no server's was sent to one",
            ));
        };
        match self.server(server) {
            Ok(server) => server.call(&*self.directory, &job, usage).await,
            Err(error) => Ended::NotRun(error),
        }
    }
}

impl Executor for Bridge {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let begun = Instant::now();
            let mut usage = Usage::default();
            let ended = self.call(job, &mut usage).await;
            usage.duration = begun.elapsed();
            Outcome { ended, usage }
        })
    }
}
