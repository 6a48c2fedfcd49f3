//! Commands in containers, by a Docker daemon or what speaks like one. The only place that names bollard.
//!
//! A container starts with nothing: no network, no capabilities, a read-only system, not root. What it gets on top of that
//! is in its [`SandboxSpec`]. What the daemon made of it is proven twice before the command begins: by asking the daemon
//! (`posture.rs`) and by looking from inside (`probe.rs`). Without a daemon nothing runs.

mod address;
mod container;
mod copies;
mod create;
mod daemon;
mod dial;
mod error;
mod image;
mod kept;
mod launch;
mod lease;
mod login;
mod overlay;
mod porter;
mod posture;
mod probe;
mod runner;
mod sandbox;
mod volumes;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

pub use address::Address;
pub use daemon::{Daemon, Facts};
pub use image::ImageRules;
pub use kept::KeptRules;
pub use lease::{Leased, Owner};
pub use overlay::Reviews;

use self::kept::Kept;
use self::overlay::Work;
use self::sandbox::{Prepared, Sandbox};
use super::dialogue::{self, Told};
use super::queue::Queue;
use super::{
    Arguments, BoxFuture, CommandEnd, Ended, Executor, Job, LogLevel, Outcome, PlaceRules,
    SandboxSpec, Usage, reading,
};
use crate::changes::ChangeSet;
use crate::config::{DaemonChoice, DockerHost, Environment, TlsFiles};
use crate::error::{Code, Error, Result};

/// How long the process waits at its end for what is still to be removed.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);

/// How often a runner hears that somebody still listens, at most and at least.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);
const LONGEST_LEASE: Duration = Duration::from_secs(10);

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
    /// What becomes of changes that are reviewed.
    pub reviews: Reviews,
    /// The runtime; the daemon's own where none is named.
    pub runtime: Option<String>,
    /// A seccomp profile in JSON; the daemon's own where there is none.
    pub seccomp: Option<String>,
    /// How many containers run at once.
    pub concurrency: usize,
    /// Those that outlive a command.
    pub kept: KeptRules,
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
    queue: Queue,
    kept: Kept,
    /// Whether the volume with the runner was seen to be there; one at a time looks, and fills it.
    runner: Mutex<bool>,
    /// What is removed in the background.
    tasks: TaskTracker,
}

impl Inner {
    /// Removes what was left behind: containers, then their volumes, then what they wrote.
    async fn sweep(&self, daemon: &Daemon) -> Result<()> {
        lease::sweep(daemon, &self.owner).await?;
        volumes::sweep(daemon, &self.owner).await?;
        let kept = self.settings.reviews.kept.clone();
        let swept = tokio::task::spawn_blocking(move || overlay::sweep(&kept));
        swept
            .await
            .map_err(|error| Error::new(Code::E3000, "sweeping").caused_by(error))??;
        Ok(())
    }
}

impl DockerExecutor {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(settings: DockerSettings, environment: Environment) -> Self {
        Self(Arc::new(Inner {
            queue: Queue::new(settings.concurrency),
            kept: Kept::default(),
            runner: Mutex::default(),
            settings,
            environment,
            owner: Owner::of_this_process(),
            daemon: Mutex::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// What this process has to be able to read, and the TCP port it has to reach, to have commands run: for one that
    /// confines itself before it does.
    ///
    /// # Errors
    /// E3004 where the address of the daemon cannot be read; E3405 where there is none.
    pub fn reach(&self) -> Result<(Vec<PathBuf>, Option<u16>)> {
        let Inner {
            settings,
            environment,
            ..
        } = &*self.0;
        let address = address::find(&settings.daemon, &settings.tls, environment)?;
        let tls = [address.tls.ca, address.tls.cert, address.tls.key];
        let mut files: Vec<PathBuf> = tls.into_iter().flatten().collect();
        files.extend(address::folder(environment));
        // Who is who, to leave alone what others made.
        files.extend(["/proc".into(), "/etc/machine-id".into()]);
        let port = match &address.host {
            DockerHost::Tcp(host) => host
                .rsplit_once(':')
                .and_then(|(_, port)| port.parse().ok()),
            DockerHost::Unix(_) | DockerHost::Ssh { .. } => None,
        };
        Ok((files, port))
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
            if let Err(error) = inner.sweep(&sweeping).await {
                tracing::warn!(%error, "could not remove what was left behind");
            }
        });
        Ok(daemon)
    }

    /// Has the next call connect again.
    async fn forget_daemon(&self) {
        *self.0.daemon.lock().await = None;
    }

    /// Waits until no command runs any more and everything that has to be removed is. For the end of a process.
    pub async fn settle(&self) {
        let settled = async {
            // Every place is free once the last command has ended; one that was cancelled has its grace.
            let places = self.0.queue.close().await;
            self.0.tasks.close();
            self.0.kept.clear();
            self.0.tasks.wait().await;
            // A container that was being made ahead waits now.
            self.0.kept.clear();
            self.0.tasks.wait().await;
            drop(places);
        };
        if tokio::time::timeout(SETTLES_WITHIN, settled).await.is_err() {
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
        self.0.sweep(&daemon).await?;
        Ok(found)
    }

    /// Removes the containers that are kept under this name, whoever keeps them; gives them.
    ///
    /// # Errors
    /// E3405.
    pub async fn end(&self, name: &str) -> Result<Vec<Leased>> {
        let daemon = self.daemon().await?;
        let mut found = lease::list(&daemon, &self.0.owner).await?;
        found.retain(|leased| leased.kept.as_deref() == Some(name));
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
        let prepared = Prepared::new(self, job, spec).await?;
        let sandbox = Sandbox::start(self, job, spec, &prepared).await?;
        let posture = sandbox.posture.clone();
        drop(sandbox.remove().await?);
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
        let Some(_place) = self.0.queue.enter(job).await? else {
            return cancelled();
        };
        let made = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return cancelled(),
            made = self.container_for(job, spec) => made,
        };
        let (mut sandbox, _turn) = made?;
        let id = rand::random();
        // Well before it gives up on us.
        let words_within = (self.0.settings.kept.idle / 3).clamp(SHORTEST_LEASE, LONGEST_LEASE);
        let (told, printed, traffic) = dialogue::run(
            &mut sandbox.resident,
            id,
            spec,
            &sandbox.image.around(),
            job,
            words_within,
        )
        .await;
        let is_sound = matches!(
            told,
            Told::Ended(_) | Told::Refused(_) | Told::Cancelled(Some(_))
        );
        usage.bytes_in = spec.stdin.len() as u64 + traffic.received + sandbox.copied_in();
        usage.bytes_out = printed.total() + traffic.sent;
        if let Told::Ended(reported) | Told::Cancelled(Some(reported)) = &told {
            reading::count(reported, usage);
        }
        let mut ended = match told {
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
        match &spec.keep {
            Some(name) if is_sound => self.put_back(name, sandbox),
            Some(_) => drop(sandbox.remove().await?),
            None if spec.is_reviewed() => {
                if !sandbox.bring_back(job, usage).await? {
                    return cancelled();
                }
                // Nobody writes to it any more once the container is gone.
                let work = sandbox.remove().await?;
                self.tell_changes(work, &mut ended, job, spec).await?;
            }
            None => {
                // A copy is of one command: the next one has what is in the workspace then.
                let is_of_one = sandbox.has_copies();
                // Dropped, it is removed in the background: the result need not wait for that.
                drop(sandbox);
                if !is_of_one {
                    self.prepare_next(job, spec);
                }
            }
        }
        Ok(ended)
    }

    /// Compares what a command worked on with what was there, and adds that to its result.
    async fn tell_changes(
        &self,
        work: Option<Work>,
        ended: &mut Ended,
        job: &Job,
        spec: &SandboxSpec,
    ) -> Result<()> {
        let Some(work) = work else {
            return Ok(());
        };
        if let Some(set) = finish(work, spec).await? {
            let rules = &self.0.settings.reviews.rules;
            if !reading::tell_changes(ended, || overlay::in_result(&set, rules)) {
                job.events.log(LogLevel::Warn, &overlay::in_words(&set));
            }
        }
        Ok(())
    }

    /// A container, with the right to talk to it where it is one that others may want too.
    async fn container_for(
        &self,
        job: &Job,
        spec: &SandboxSpec,
    ) -> Result<(Sandbox, Option<kept::Turn>)> {
        let prepared = Prepared::new(self, job, spec).await?;
        match &spec.keep {
            None => Ok((self.fresh(job, spec, &prepared).await?, None)),
            Some(name) => {
                let (sandbox, turn) = self.kept(name, job, spec, &prepared).await?;
                Ok((sandbox, Some(turn)))
            }
        }
    }
}

/// What a command changed, where that is reviewed.
async fn finish(work: Work, spec: &SandboxSpec) -> Result<Option<ChangeSet>> {
    let spec = spec.clone();
    let finished = tokio::task::spawn_blocking(move || work.finish(&spec)).await;
    finished.map_err(|error| Error::new(Code::E3000, "comparing").caused_by(error))?
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
