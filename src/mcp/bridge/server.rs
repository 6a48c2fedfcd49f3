//! One server: its connection, made when it is needed and again when it was lost, and the calls that go over it.

use std::sync::{Arc, Mutex as Lock, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::changes;
use super::connection::{Call, Company, Connection, Failure, Patience, seconds};
use super::listing::Listing;
use super::{Directory, Examination, Reach, Seen, ServerSpec, result};
use crate::error::{Code, Error, Result};
use crate::exec::{Arguments, Ended, Entry, Job, Usage};
use crate::resilience::breaker::Outcome as Health;
use crate::resilience::retry::{Attempt, RetryPolicy};

/// How long a server that could not be connected to is left alone; doubled with each further failure.
const FIRST_REST: Duration = Duration::from_millis(500);
/// How long at most before a service is connected to a second time; doubled for the third.
const CONNECT_AGAIN: Duration = Duration::from_millis(200);
/// The longest it is left alone.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// A connection that is used, with the tools that were listed over it.
pub(super) struct Live {
    connection: Connection,
    listing: Lock<Arc<Listing>>,
    /// What hears of changes; nothing where nobody wants to.
    _following: Option<JoinSet<()>>,
}

impl Live {
    pub(super) fn seen(&self) -> Seen {
        Seen {
            identity: self.connection.identity.clone(),
            era: self.connection.era,
            listing: self.listing(),
        }
    }

    fn listing(&self) -> Arc<Listing> {
        let listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&listing)
    }
}

/// What is known of the connection.
#[derive(Default)]
struct Link {
    live: Option<Arc<Live>>,
    failures: u32,
    /// Why it could not be made the last time, and until when it is not tried again.
    down: Option<(Instant, Code, String, Vec<String>)>,
}

/// See the module.
pub(super) struct Server {
    spec: ServerSpec,
    /// What is told of changes between calls, and this server as it is told.
    follows: Option<(Weak<Self>, Arc<dyn Directory>)>,
    gate: Semaphore,
    link: Mutex<Link>,
}

impl Server {
    /// Changes between calls are told to whom `follows` them.
    pub(super) fn new(spec: ServerSpec, follows: Option<Arc<dyn Directory>>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            gate: Semaphore::new(spec.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            link: Mutex::default(),
            follows: follows.map(|directory| (Weak::clone(this), directory)),
            spec,
        })
    }

    /// True where there is a connection that is not known to be broken.
    pub(super) fn is_connected(&self) -> bool {
        self.link.try_lock().is_ok_and(|link| {
            link.live
                .as_ref()
                .is_some_and(|live| !live.connection.is_closed())
        })
    }

    /// Ends the connection, and waits until the program behind it is gone. Calls that still run keep theirs.
    pub(super) async fn close(&self) {
        let live = self.link.lock().await.live.take();
        if let Some(live) = live.and_then(Arc::into_inner) {
            live.connection.close().await;
        }
    }

    /// The connection, made where there is none that works. However many wait for it, it is made once; and who waited for
    /// an attempt that failed does not wait for another one.
    pub(super) async fn live(&self, directory: &dyn Directory) -> Result<Arc<Live>> {
        let mut link = self.link.lock().await;
        if let Some(live) = link.live.take_if(|live| live.connection.is_closed()) {
            tracing::debug!(server = %self.spec.name, "a connection was lost");
            drop(live);
        }
        if let Some(live) = &link.live {
            let live = Arc::clone(live);
            if live.connection.take_stale() {
                self.list_again(directory, &live).await?;
            }
            return Ok(live);
        }
        if let Some((until, code, message, hints)) = &link.down
            && Instant::now() < *until
        {
            let error = Error::new(*code, message.clone());
            return Err(hints
                .iter()
                .fold(error, |error, hint| error.hint(hint.clone())));
        }
        match self.connect(directory).await {
            Ok(live) => {
                let live = Arc::new(live);
                *link = Link {
                    live: Some(Arc::clone(&live)),
                    ..Link::default()
                };
                Ok(live)
            }
            Err(error) => {
                let rest = FIRST_REST.saturating_mul(1 << link.failures.min(10));
                link.failures = link.failures.saturating_add(1);
                link.down = Some((
                    Instant::now() + rest.min(LONGEST_REST),
                    error.code(),
                    error.to_string(),
                    error.hints().into_iter().map(str::to_owned).collect(),
                ));
                Err(error)
            }
        }
    }

    /// Connects, lists the tools, and says all that was found.
    pub(super) async fn examine(&self, directory: &dyn Directory) -> Result<Examination> {
        let live = self.live(directory).await?;
        let begun = Instant::now();
        let listing = self.list(&live.connection).await?;
        let took = begun.elapsed();
        *live.listing.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(listing);
        Ok(Examination {
            seen: live.seen(),
            connecting: live.connection.took,
            listing: took,
            noise: live.connection.noise(),
            stderr: live.connection.last_lines(20),
            posture: live.connection.posture().map(str::to_owned),
        })
    }

    async fn connect(&self, directory: &dyn Directory) -> Result<Live> {
        let era = directory.era(&self.spec.name);
        let opened = match self.open(era).await {
            // A server can have become another one since.
            Err(error) if era.is_some() && error.code() == Code::E3508 => self.open(None).await,
            opened => opened,
        };
        let connection = opened?;
        let listing = Lock::new(Arc::new(self.list(&connection).await?));
        let following = self.follows.as_ref().map(|(server, directory)| {
            let (routes, asking) = connection.changes();
            changes::follow(Weak::clone(server), Arc::clone(directory), routes, asking)
        });
        let live = Live {
            connection,
            listing,
            _following: following,
        };
        directory.seen(&self.spec.name, &live.seen()).await?;
        Ok(live)
    }

    /// Connects, to a service again where it may be there in a moment.
    async fn open(&self, era: Option<super::Era>) -> Result<Connection> {
        let policy = RetryPolicy {
            base: CONNECT_AGAIN,
            ..RetryPolicy::default()
        };
        let until = Instant::now() + self.spec.start_timeout;
        let mut number = 1;
        loop {
            let error = match Connection::open(&self.spec, era).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            if matches!(self.spec.reach, Reach::Program { .. }) {
                return Err(error);
            }
            let attempt = Attempt {
                number,
                code: error.code(),
                started: false,
                retry_after: None,
            };
            let left = until.saturating_duration_since(Instant::now());
            let Some(delay) = policy.next_delay(&attempt, true, Some(left), &mut rand::rng())
            else {
                return Err(error);
            };
            tokio::time::sleep(delay).await;
            number += 1;
        }
    }

    async fn list(&self, connection: &Connection) -> Result<Listing> {
        let listing = connection.list(self.spec.start_timeout).await;
        listing.map_err(|error| error.while_doing(format!("using {}", self.spec.name)))
    }

    /// Lists the tools again where the server said that they have changed. It is not connected to for that.
    pub(super) async fn catch_up(&self, directory: &dyn Directory) -> Result<()> {
        let link = self.link.lock().await;
        match &link.live {
            Some(live) if !live.connection.is_closed() && live.connection.take_stale() => {
                self.list_again(directory, live).await
            }
            _ => Ok(()),
        }
    }

    async fn list_again(&self, directory: &dyn Directory, live: &Arc<Live>) -> Result<()> {
        match self.list(&live.connection).await {
            Ok(listing) => {
                *live.listing.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(listing);
                directory.seen(&self.spec.name, &live.seen()).await
            }
            Err(error) => {
                // What it offers now is not known: the next one has to ask again.
                live.connection.set_stale();
                Err(error)
            }
        }
    }

    /// Runs one call to its end.
    pub(super) async fn call(
        &self,
        directory: &dyn Directory,
        job: &Job,
        usage: &mut Usage,
    ) -> Ended {
        let begun = Instant::now();
        let limit = job.limits.timeout;
        let prepared = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Ended::Cancelled,
            prepared = tokio::time::timeout(limit, self.prepare(directory, job)) => prepared,
        };
        let (_place, request, live) = match prepared {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => return Ended::NotRun(error),
            Err(_) => return Ended::TimedOut(limit),
        };
        let left = limit.saturating_sub(begun.elapsed());
        let ended = match &job.entry {
            Entry::Server { tool, .. } => match directory.check(&self.spec.name, tool) {
                Ok(()) => self.ask(&live, job, left, usage).await,
                Err(error) => Ended::NotRun(error),
            },
            _ => Ended::NotRun(Error::new(
                Code::E3000,
                "the call is none of a server's tool",
            )),
        };
        if let Some(request) = request {
            request.end(Health::of(ended.code()) != Health::Failure);
        }
        ended
    }

    /// A place among the calls of the server, the consent of its breaker, and a connection.
    async fn prepare(
        &self,
        directory: &dyn Directory,
        job: &Job,
    ) -> Result<(
        tokio::sync::SemaphorePermit<'_>,
        Option<Box<dyn crate::exec::ServiceRequest>>,
        Arc<Live>,
    )> {
        let place = self.gate.acquire().await.map_err(|_| {
            Error::new(
                Code::E3502,
                format!("{} is not used any more", self.spec.name),
            )
        })?;
        let request = match &job.services {
            Some(services) => Some(services.begin(&format!("mcp:{}", self.spec.name)).await?),
            None => None,
        };
        match self.live(directory).await {
            Ok(live) => Ok((place, request, live)),
            Err(error) => {
                if let Some(request) = request {
                    request.end(Health::of(Some(error.code())) != Health::Failure);
                }
                Err(error)
            }
        }
    }

    async fn ask(&self, live: &Live, job: &Job, left: Duration, usage: &mut Usage) -> Ended {
        let (Entry::Server { tool, digest, .. }, Arguments::Json(arguments)) =
            (&job.entry, &job.arguments)
        else {
            return Ended::NotRun(Error::new(
                Code::E3000,
                "the call is none of a server's tool",
            ));
        };
        let id = format!("{}.{tool}", self.spec.name);
        match live.listing().tool(tool) {
            Some(now) if now.digest == *digest => {}
            Some(_) => return Ended::NotRun(changed(&id, self.spec.name.as_str())),
            None => {
                return Ended::NotRun(
                    Error::new(Code::E3101, format!("the server has no tool {id} any more")).hint(
                        format!("`toolhatch mcp test {}` shows what it has.", self.spec.name),
                    ),
                );
            }
        }
        let arguments = match &**arguments {
            Value::Object(arguments) => arguments.clone(),
            _ => Map::new(),
        };
        usage.bytes_out = Value::Object(arguments.clone()).to_string().len() as u64;
        let patience = Patience {
            idle: self.spec.timeout.min(left),
            most: left,
        };
        let call = Call {
            tool,
            arguments,
            input: &job.input,
        };
        let company = Company {
            events: &job.events,
            asking: job.asking.as_deref(),
            askable: job.input.askable,
        };
        let asked = live.connection.call(call, patience, company, &job.cancel);
        match asked.await {
            Ok(result) => {
                usage.bytes_in = result.to_string().len() as u64;
                result::ended(&result, job.limits.output, job.input.askable)
            }
            Err(Failure::Refused(error)) => result::refused(&error),
            Err(Failure::Cancelled) => Ended::Cancelled,
            Err(Failure::TimedOut(after)) => {
                tracing::debug!(tool = %id, after = %seconds(after), "a server did not answer");
                Ended::TimedOut(if after < self.spec.timeout {
                    job.limits.timeout
                } else {
                    after
                })
            }
            Err(failure @ (Failure::Gone | Failure::Failed(_))) => {
                let error = live.connection.explain(failure).await;
                Ended::NotRun(error.while_doing(format!("calling {id}")))
            }
        }
    }
}

/// What was authorised is what the tool said of itself then; now it says something else.
fn changed(id: &str, server: &str) -> Error {
    Error::new(
        Code::E3109,
        format!("{id} says something else of itself than when it was looked at"),
    )
    .hint(format!(
        "`toolhatch mcp show {server}` shows what has changed."
    ))
}
