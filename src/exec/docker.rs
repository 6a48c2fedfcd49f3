//! Commands in containers, by a Docker daemon or what speaks like one. The only place that names bollard.
//!
//! A container starts with nothing: no network, no capabilities, a read-only system, not root. What it gets on top of that
//! is in its [`SandboxSpec`]. What the daemon made of it is proven twice before the command begins: by asking the daemon
//! (`posture.rs`) and by looking from inside (`probe.rs`). Without a daemon nothing runs.

mod address;
mod command;
mod create;
mod daemon;
mod error;
mod image;
mod lease;
mod posture;
mod probe;
mod resident;
mod runner;
mod sandbox;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore};
use tokio_util::task::TaskTracker;

pub use address::Address;
pub use daemon::{Daemon, Facts};
pub use image::ImageRules;
pub use lease::{Leased, Owner};

use self::command::Told;
use self::sandbox::Sandbox;
use super::{
    Arguments, BoxFuture, CommandEnd, Ended, Executor, Job, Outcome, PlaceRules, SandboxSpec,
    Usage, reading,
};
use crate::config::{DaemonChoice, Environment, TlsFiles};
use crate::error::{Code, Error, Result};

/// How long the process waits at its end for what is still to be removed.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);

/// What the operator says of containers.
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// Which daemon is used.
    pub daemon: DaemonChoice,
    /// How it and we know each other.
    pub tls: TlsFiles,
    /// Which images may be used.
    pub images: ImageRules,
    /// What may be mounted.
    pub places: PlaceRules,
    /// The runtime; the daemon's own where none is named.
    pub runtime: Option<String>,
    /// A seccomp profile in JSON; the daemon's own where there is none.
    pub seccomp: Option<String>,
    /// How many containers run at once.
    pub concurrency: usize,
}

/// Runs commands in containers.
#[derive(Debug, Clone)]
pub struct DockerExecutor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: DockerSettings,
    environment: Environment,
    owner: Owner,
    daemon: Mutex<Option<Daemon>>,
    slots: Semaphore,
    /// What is removed in the background.
    tasks: TaskTracker,
}

impl DockerExecutor {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(settings: DockerSettings, environment: Environment) -> Self {
        Self(Arc::new(Inner {
            slots: Semaphore::new(settings.concurrency),
            settings,
            environment,
            owner: Owner::of_this_process(),
            daemon: Mutex::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// The daemon, connected to when it is first needed; then what was left behind there is removed.
    ///
    /// # Errors
    /// E3405 where there is none.
    pub async fn daemon(&self) -> Result<Daemon> {
        let mut known = self.0.daemon.lock().await;
        if let Some(daemon) = &*known {
            return Ok(daemon.clone());
        }
        let settings = &self.0.settings;
        let address = address::find(&settings.daemon, &settings.tls, &self.0.environment)?;
        let daemon = Daemon::connect(address).await?;
        *known = Some(daemon.clone());
        let (sweeping, inner) = (daemon.clone(), Arc::clone(&self.0));
        self.0.tasks.spawn(async move {
            if let Err(error) = lease::sweep(&sweeping, &inner.owner).await {
                tracing::warn!(%error, "could not remove what was left behind");
            }
        });
        Ok(daemon)
    }

    /// Has the next call connect again.
    async fn forget_daemon(&self) {
        *self.0.daemon.lock().await = None;
    }

    /// Waits until everything that has to be removed is.
    pub async fn settle(&self) {
        self.0.tasks.close();
        if tokio::time::timeout(SETTLES_WITHIN, self.0.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("containers are left; `toolhatch sandbox gc` removes them");
        }
        self.0.tasks.reopen();
    }

    /// Every container of ours on the daemon.
    ///
    /// # Errors
    /// E3405.
    pub async fn list(&self) -> Result<Vec<Leased>> {
        lease::list(&self.daemon().await?, &self.0.owner).await
    }

    /// Removes what was left behind, and with `all` what others of this user still use too; gives the ids.
    ///
    /// # Errors
    /// E3405.
    pub async fn collect(&self, all: bool) -> Result<Vec<Leased>> {
        let daemon = self.daemon().await?;
        let mut found = lease::list(&daemon, &self.0.owner).await?;
        found.retain(|leased| all || leased.is_abandoned);
        for leased in &found {
            lease::remove(&daemon, &leased.id).await?;
        }
        Ok(found)
    }

    /// Makes a container as for a command, looks into it, and removes it; gives what was found, in words. Pulls nothing.
    ///
    /// # Errors
    /// E3101 where the image is not there, E3405 where the container is not what was asked for; see [`Executor::run`].
    pub async fn prove(&self, job: &Job) -> Result<String> {
        let Arguments::Command(spec) = &job.arguments else {
            return Err(not_a_command());
        };
        let sandbox = Sandbox::start(self, job, spec).await?;
        let posture = sandbox.posture.clone();
        sandbox.remove().await?;
        Ok(posture)
    }

    async fn run_command(&self, job: &Job, spec: &SandboxSpec) -> Outcome {
        let started = Instant::now();
        let mut usage = Usage::default();
        let ended = match self.in_sandbox(job, spec, &mut usage).await {
            Ok(ended) => ended,
            Err(error) => {
                if is_of_daemon(&error) {
                    self.forget_daemon().await;
                }
                Ended::NotRun(error)
            }
        };
        usage.duration = started.elapsed();
        Outcome { ended, usage }
    }

    async fn in_sandbox(&self, job: &Job, spec: &SandboxSpec, usage: &mut Usage) -> Result<Ended> {
        let cancelled = || Ok(Ended::Cancelled);
        let slot = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return cancelled(),
            slot = tokio::time::timeout(job.limits.timeout, self.0.slots.acquire()) => slot,
        };
        let Ok(Ok(_slot)) = slot else {
            return Err(CommandEnd::InvalidConfig
                .error(
                    Code::E3408,
                    format!(
                        "all {} places for containers were taken",
                        self.0.settings.concurrency
                    ),
                )
                .hint("Raise `docker.concurrency`, or wait for running commands to end."));
        };
        let made = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return cancelled(),
            made = Sandbox::start(self, job, spec) => made,
        };
        let mut sandbox = made?;
        let (told, printed) =
            command::run(&mut sandbox.resident, 1, spec, &sandbox.image, job).await;
        usage.bytes_in = spec.stdin.len() as u64;
        usage.bytes_out = printed.stdout.total() + printed.stderr.total();
        let reported = match &told {
            Told::Ended(reported) | Told::Cancelled(Some(reported)) => Some(reported),
            _ => None,
        };
        if let Some(reported) = reported {
            usage.cpu = Some(Duration::from_micros(reported.user_us + reported.system_us));
            usage.peak_memory = reported.max_rss_bytes;
        }
        let ended = match told {
            Told::Ended(reported) => reading::ended(&reported, printed, spec, job),
            Told::Refused(refused) => reading::refused(refused, spec, &job.events, "in the image"),
            Told::Cancelled(_) => {
                printed.keep(&job.events);
                Ended::Cancelled
            }
            Told::Overdue => {
                printed.keep(&job.events);
                Ended::TimedOut(job.limits.timeout)
            }
            Told::Lost(lost) => {
                printed.keep(&job.events);
                sandbox.explain(lost, spec).await?
            }
        };
        sandbox.remove().await?;
        Ok(ended)
    }
}

/// True where the daemon itself is gone, and not only this one request failed.
fn is_of_daemon(error: &Error) -> bool {
    let outcome = error.details().get("outcome");
    outcome.and_then(serde_json::Value::as_str) == Some(CommandEnd::DaemonLost.word())
}

fn not_a_command() -> Error {
    Error::new(
        Code::E3000,
        "a component was handed to the executor of commands",
    )
}

impl Executor for DockerExecutor {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let Arguments::Command(spec) = &job.arguments else {
                return Outcome {
                    ended: Ended::NotRun(not_a_command()),
                    usage: Usage::default(),
                };
            };
            self.run_command(&job, &Arc::clone(spec)).await
        })
    }
}
