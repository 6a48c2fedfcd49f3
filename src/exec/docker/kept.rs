//! Containers that outlive a command: those that are kept under a name, and those that wait for the next command.
//!
//! A kept container is found again by its name and by everything that a container of its spec has: what is asked for has to
//! be what it was made with, so nobody gets more by naming it. One process at a time talks to it. It ends by itself when
//! nobody has done so for a while.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptionsBuilder;
use rustix::fs::{FlockOperation, flock};
use tokio_util::sync::CancellationToken;

use super::sandbox::{Prepared, Sandbox};
use super::{DockerExecutor, error, lease};
use crate::error::{Code, Error, Result};
use crate::exec::{CommandEnd, Job, SandboxSpec};
use crate::fsx;
use crate::ids::Digest;

/// How long whoever waits for a kept container that another process uses is let wait between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the operator says of containers that outlive a command.
#[derive(Debug, Clone)]
pub struct KeptRules {
    /// How many wait for the next command; none in processes that run one.
    pub waiting: usize,
    /// How long one that nobody uses stays.
    pub idle: Duration,
    /// Where it is written down who talks to which.
    pub folder: PathBuf,
}

/// Those of this process.
#[derive(Default)]
pub(super) struct Kept {
    named: Mutex<HashMap<String, Sandbox>>,
    waiting: Mutex<Ahead>,
}

/// What is made before somebody asks for it.
#[derive(Default)]
struct Ahead {
    ready: Vec<Waiting>,
    /// What is being made, by its spec.
    making: Vec<Digest>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// A container without a command.
struct Waiting {
    spec: Digest,
    since: Instant,
    /// It ends by itself then.
    until: Instant,
    sandbox: Sandbox,
}

/// The right to talk to a kept container; given back when it is dropped.
pub(super) struct Turn {
    _file: File,
}

impl Kept {
    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn named(&self) -> MutexGuard<'_, HashMap<String, Sandbox>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of all that wait; they are removed in the background.
    pub(super) fn clear(&self) {
        drop(std::mem::take(&mut self.ahead().ready));
    }

    /// Lets go of those that have waited too long.
    fn expire(&self, idle: Duration) {
        self.ahead().ready.retain(|one| one.since.elapsed() < idle);
    }

    /// One that was made with this, and stays until then.
    fn take(&self, key: &Digest, needed: Instant) -> Option<Sandbox> {
        let mut ahead = self.ahead();
        let fits = |one: &Waiting| one.sandbox.key == *key && one.until > needed;
        let at = ahead.ready.iter().position(fits)?;
        Some(ahead.ready.swap_remove(at).sandbox)
    }

    /// Whether another one may be made: no more than so many, and one of each kind.
    fn begin(&self, spec: Digest, most: usize) -> bool {
        let mut ahead = self.ahead();
        let is_full = ahead.ready.len() + ahead.making.len() >= most;
        let is_there =
            ahead.making.contains(&spec) || ahead.ready.iter().any(|one| one.spec == spec);
        if is_full || is_there {
            return false;
        }
        ahead.making.push(spec);
        true
    }

    /// It is made, or could not be.
    fn end(&self, spec: &Digest, made: Option<Waiting>) {
        let mut ahead = self.ahead();
        ahead.making.retain(|one| one != spec);
        ahead.ready.extend(made);
    }
}

impl DockerExecutor {
    /// A container for a command without a name: one that waits, or a new one.
    pub(super) async fn fresh(
        &self,
        job: &Job,
        spec: &SandboxSpec,
        prepared: &Prepared,
    ) -> Result<Sandbox> {
        let needed = Instant::now() + job.limits.timeout + spec.grace;
        if let Some(mut sandbox) = self.0.kept.take(&prepared.key, needed)
            && sandbox.is_there().await
        {
            sandbox.tell(job, spec);
            return Ok(sandbox);
        }
        Sandbox::start(self, job, spec, prepared).await
    }

    /// Makes the container that the next such command will find.
    pub(super) fn prepare_next(&self, job: &Job, spec: &SandboxSpec) {
        let KeptRules { waiting, idle, .. } = self.0.settings.kept;
        let of = spec.fingerprint();
        if !self.0.kept.begin(of, waiting) {
            return;
        }
        let mut limits = job.limits.clone();
        let since = Instant::now();
        limits.timeout += idle;
        let until = since + limits.timeout;
        let next = Job::of_command(spec.clone(), &limits, &job.sensitive);
        let (executor, spec) = (self.clone(), spec.clone());
        self.0.tasks.spawn(async move {
            let started = async {
                let prepared = Prepared::new(&executor, &next, &spec).await?;
                Sandbox::start(&executor, &next, &spec, &prepared).await
            };
            let made = match started.await {
                Ok(sandbox) => Some(Waiting {
                    spec: of,
                    since,
                    until,
                    sandbox,
                }),
                Err(error) => {
                    // The next command makes its own, and says what is wrong.
                    tracing::debug!(%error, "no container was made ahead");
                    None
                }
            };
            executor.0.kept.end(&of, made);
        });
        // Not among what is waited for at the end of the process, and nothing that keeps it alive.
        let executor = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(idle).await;
            if let Some(executor) = executor.upgrade() {
                executor.kept.expire(idle);
            }
        });
    }

    /// The container of this name, with the right to talk to it: the one that is there, or a new one.
    pub(super) async fn kept(
        &self,
        name: &str,
        job: &Job,
        spec: &SandboxSpec,
        prepared: &Prepared,
    ) -> Result<(Sandbox, Turn)> {
        if prepared.daemon.facts.is_podman() {
            return Err(CommandEnd::InvalidConfig
                .error(
                    Code::E3405,
                    format!("keeping a container as {name}: Podman ends one when the process that talks to it does"),
                )
                .hint("Leave `keep` out, or use a Docker daemon."));
        }
        let turn = self.turn(name, job).await?;
        let known = self.0.kept.named().remove(name);
        // One of another spec is left to whoever asks for that.
        if let Some(mut sandbox) = known
            && sandbox.key == prepared.key
        {
            sandbox.take_up();
            if sandbox.is_there().await {
                sandbox.tell(job, spec);
                return Ok((sandbox, turn));
            }
        }
        let sandbox = match self.find(name, job, spec, prepared).await? {
            Some(sandbox) => sandbox,
            None => Sandbox::start(self, job, spec, prepared).await?,
        };
        Ok((sandbox, turn))
    }

    /// Leaves a kept container to whoever names it next.
    pub(super) fn put_back(&self, name: &str, mut sandbox: Sandbox) {
        sandbox.leave();
        self.0.kept.named().insert(name.to_owned(), sandbox);
    }

    /// Waits until no other process talks to the container of this name.
    async fn turn(&self, name: &str, job: &Job) -> Result<Turn> {
        let file = Digest::of(name.as_bytes()).short();
        self.turn_of(&file, job.limits.timeout, &job.cancel).await
    }

    /// Waits until no other process of this user has the lock of this name.
    pub(super) async fn turn_of(
        &self,
        name: &str,
        patience: Duration,
        cancel: &CancellationToken,
    ) -> Result<Turn> {
        let folder = &self.0.settings.kept.folder;
        fsx::create_private_dir(folder)?;
        let path = folder.join(format!("{name}.lock"));
        let file = fsx::open_lock(&path)?;
        let deadline = Instant::now() + patience;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Turn { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(CommandEnd::InvalidConfig
                        .error(
                            Code::E3408,
                            format!("waiting for {}: another command has it", path.display()),
                        )
                        .hint("One command runs in a kept container at a time; keep another under another name."));
                }
                Err(error) => return Err(fsx::io_error("locking", &path, error.into())),
            }
            tokio::select! {
                () = cancel.cancelled() => {
                    return Err(Error::new(Code::E3703, "the call was cancelled while it waited for its container"));
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Looks for the container of this name that another process made, and talks to it.
    async fn find(
        &self,
        name: &str,
        job: &Job,
        spec: &SandboxSpec,
        prepared: &Prepared,
    ) -> Result<Option<Sandbox>> {
        let daemon = &prepared.daemon;
        let labels = vec![
            format!("{}={}", lease::KEPT, lease::kept_label(name)),
            format!("{}={}", lease::SPEC, prepared.key.short()),
        ];
        let filters = HashMap::from([("label", labels), ("status", vec!["running".to_owned()])]);
        let options = ListContainersOptionsBuilder::default()
            .filters(&filters)
            .build();
        let found = daemon.api.list_containers(Some(options)).await;
        let found = found.map_err(|why| error::of("looking for a kept container", why))?;
        for id in found.into_iter().filter_map(|summary| summary.id) {
            // One that does not answer is removed when it is dropped.
            match Sandbox::join(self, &id, job, spec, prepared).await {
                Ok(sandbox) => return Ok(Some(sandbox)),
                Err(error) => tracing::debug!(%error, id, "a kept container is not used again"),
            }
        }
        Ok(None)
    }
}
