//! The way out of a container that has no network: connections that the runner takes inside, and that end here, at a proxy
//! which decides on each of them.
//!
//! The container keeps its network of nothing but a loopback interface; all that leaves it comes through the stream of the
//! runner. Everything here belongs to one command and ends with it.

mod door;
mod gate;
mod link;
mod proxy;
mod request;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(super) use self::door::Door;

use self::link::{Incoming, Link};
use self::proxy::Proxy;
use crate::exec::{EventSink, Job, Launch, Services, Veto};
use crate::permission::{Scope, Sensitive};
use toolhatch_runner::protocol::{Part, Segment};

/// The port in the container. The same in every one: a command may have written it down for the next.
pub(super) const PORT: u16 = 3128;

/// How many pieces wait to be sent to the runner at most, of all connections.
const WAITING: usize = 64;

/// A connection on which nothing moves for so long is given up.
const IDLE: Duration = Duration::from_secs(600);

/// The variables that programs find a proxy by, each in both spellings.
const VARIABLES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// The environment of a command with a proxy, without what the caller has set in either spelling.
pub(super) fn variables(given: &[(String, String)]) -> Vec<(String, String)> {
    let proxy = format!("http://127.0.0.1:{PORT}");
    let proxies = VARIABLES.map(|name| (name, proxy.as_str()));
    proxies
        .into_iter()
        .chain([("NO_PROXY", "localhost,127.0.0.1,::1")])
        .filter(|(name, _)| {
            !given
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
        })
        .flat_map(|(name, value)| {
            [name.to_owned(), name.to_ascii_lowercase()].map(|name| (name, value.to_owned()))
        })
        .collect()
}

/// What connections are decided by, and where that is recorded.
#[derive(Debug)]
pub(super) struct Rules {
    scope: Arc<Scope>,
    sensitive: Arc<Sensitive>,
    events: Arc<EventSink>,
    veto: Option<Arc<dyn Veto>>,
    services: Option<Arc<dyn Services>>,
    /// The most bytes of bodies of requests in clear, each way, as far as a grant of HTTP covers them.
    http_bytes: u64,
}

impl From<&Job> for Rules {
    fn from(job: &Job) -> Self {
        Self {
            scope: Arc::clone(&job.scope),
            sensitive: Arc::clone(&job.sensitive),
            events: Arc::clone(&job.events),
            veto: job.veto.clone(),
            services: job.services.clone(),
            http_bytes: job.limits.http_bytes,
        }
    }
}

impl From<&Launch> for Rules {
    fn from(launch: &Launch) -> Self {
        Self {
            scope: Arc::clone(&launch.scope),
            sensitive: Arc::clone(&launch.sensitive),
            events: Arc::clone(&launch.events),
            veto: launch.veto.clone(),
            services: None,
            // What goes on for days has no such measure.
            http_bytes: u64::MAX,
        }
    }
}

/// How many bytes came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// To the command.
    pub(super) received: u64,
    /// From the command.
    pub(super) sent: u64,
}

/// The same while it is counted.
#[derive(Debug, Default)]
struct Meter {
    received: AtomicU64,
    sent: AtomicU64,
}

/// The runner has said something about a connection that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonsense;

/// All connections of one command.
pub(super) struct Egress {
    proxy: Arc<Proxy>,
    meter: Arc<Meter>,
    links: HashMap<u32, Link>,
    opened: u32,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Segment>,
    waiting: mpsc::Receiver<Segment>,
}

impl Egress {
    /// For a command that may do what these rules allow.
    pub(super) fn new(rules: Rules) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        Self {
            proxy: Arc::new(Proxy::new(rules)),
            meter: Arc::default(),
            links: HashMap::new(),
            opened: 0,
            tasks: JoinSet::new(),
            sender,
            waiting,
        }
    }

    /// The command has opened a connection.
    ///
    /// # Errors
    /// Where it is not the next one.
    pub(super) fn open(&mut self, connection: u32) -> Result<(), Nonsense> {
        if connection != self.opened {
            return Err(Nonsense);
        }
        self.opened = self.opened.wrapping_add(1);
        // Those that have ended are forgotten, or they would add up.
        while self.tasks.try_join_next().is_some() {}
        let (link, ends) = link::new(connection, Arc::clone(&self.meter), self.sender.clone());
        let proxy = Arc::clone(&self.proxy);
        let task = self
            .tasks
            .spawn(ends.run(IDLE, move |stream| async move { proxy.serve(stream).await }));
        self.links.insert(connection, link.driven_by(task));
        Ok(())
    }

    /// What the runner says of a connection.
    ///
    /// # Errors
    /// Where it cannot say that.
    pub(super) fn take(&mut self, segment: Segment) -> Result<(), Nonsense> {
        let Segment { connection, part } = segment;
        let Some(link) = self.links.get(&connection) else {
            // It was over before the runner could know.
            return (connection < self.opened).then_some(()).ok_or(Nonsense);
        };
        match part {
            Part::Data(bytes) => link.pass(Incoming::Data(bytes.into())),
            Part::End => link.pass(Incoming::End),
            Part::Taken(count) => link.credit(count),
            Part::Close => {
                self.links.remove(&connection);
                Ok(())
            }
        }
    }

    /// What is to be sent to the runner next. Nothing is lost where this is dropped while it waits.
    pub(super) async fn next(&mut self) -> Segment {
        loop {
            // There is always one, because a sender is kept here.
            let Some(segment) = self.waiting.recv().await else {
                return std::future::pending().await;
            };
            let is_known = self.links.contains_key(&segment.connection);
            if segment.part == Part::Close {
                self.links.remove(&segment.connection);
            }
            if is_known {
                return segment;
            }
        }
    }

    /// Ends all connections, and says what passed.
    pub(super) async fn end(mut self) -> Traffic {
        self.tasks.shutdown().await;
        Traffic {
            received: self.meter.received.load(Ordering::Relaxed),
            sent: self.meter.sent.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_the_caller_named_stays_in_either_spelling() {
        let all = variables(&[]);
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "HTTP_PROXY",
            "https_proxy",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
        ] {
            assert!(names.contains(&name), "{name}");
        }
        let own = [("https_proxy".to_owned(), "http://own:1".to_owned())];
        let rest = variables(&own);
        assert!(
            !rest
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("https_proxy"))
        );
        assert_eq!(rest.len(), all.len() - 2);
    }
}
