//! A container with its runner: made, compared, looked at from inside, and removed whatever happens.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, StartContainerOptions,
};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::container::Container;
use super::copies::{self, Sight};
use super::create::{self, Parts};
use super::daemon::Daemon;
use super::image::{self, Image};
use super::overlay::{self, Laid, Work};
use super::{DockerExecutor, error, lease, porter, posture, probe, runner};
use crate::changes::Draft;
use crate::error::{Code, Error, Result};
use crate::exec::places::{self, Places};
use crate::exec::resident::{Broken, Lost, Piece, Resident};
use crate::exec::{CommandEnd, Effect, Ended, Job, LogLevel, SandboxSpec, Usage, reading};
use crate::ids::Digest;
use crate::manifest::container::Network;
use tokio_util::sync::CancellationToken;
use toolhatch_runner::protocol::{self, Order, Report};

/// From the start of a container to the first word of its runner. Starting takes a fifth of a second, more where many do.
const SPEAKS_WITHIN: Duration = Duration::from_secs(60);
/// A runner that is there answers at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Putting the runner into its volume takes a tenth of a second.
const FILLS_WITHIN: Duration = Duration::from_secs(60);
/// A kept container is not kept for ever.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// A container may be there so much longer than its command.
const MARGIN: Duration = Duration::from_secs(120);

/// Everything that is known before a container is made.
pub(super) struct Prepared {
    pub(super) daemon: Daemon,
    pub(super) image: Image,
    /// How long a container for it may be there.
    pub(super) lives: Lives,
    /// What the program is called that goes on running in it.
    pub(super) program: Option<String>,
    places: Places,
    /// What a container has to have been made with to be one for this: spec, image, mounts and their covers.
    pub(super) key: Digest,
}

/// How long a container may be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lives {
    /// From its start.
    pub(super) most: Duration,
    /// From the last word of somebody who talks to its runner; where there is no such time, until nobody can any more.
    pub(super) idle: Option<Duration>,
}

/// A container whose runner waits for a command. Dropping it removes the container, unless it is kept.
pub(super) struct Sandbox {
    pub(super) resident: Resident,
    pub(super) image: Image,
    /// What was found inside, in words.
    pub(super) posture: String,
    /// What it was made with.
    pub(super) key: Digest,
    container: Container,
}

impl Prepared {
    /// Resolves the image and looks at the mounts.
    ///
    /// # Errors
    /// E3405 where there is no daemon; those of images and places.
    pub(super) async fn new(
        executor: &DockerExecutor,
        job: &Job,
        spec: &SandboxSpec,
    ) -> Result<Self> {
        let daemon = executor.daemon().await?;
        let sight = Sight::of(&daemon);
        copies::check(sight, spec)?;
        let settings = &executor.0.settings;
        let image = image::resolve(
            &daemon,
            &spec.image,
            &settings.images,
            &executor.0.environment,
            &job.events,
        )
        .await?;
        // What is copied is one file system, whatever was mounted in it.
        let recursive_read_only = daemon.facts.has_recursive_read_only() || sight == Sight::Nothing;
        let mut places = {
            let (spec, sensitive) = (spec.clone(), job.sensitive.clone());
            let rules = settings.places.clone();
            tokio::task::spawn_blocking(move || {
                places::look(&spec, &sensitive, &rules, recursive_read_only)
            })
            .await
            .map_err(|error| Error::new(Code::E3000, "looking at the mounts").caused_by(error))??
        };
        if sight == Sight::Nothing {
            // A copy belongs to whom the command runs as.
            places.warnings.clear();
        }
        for warning in &places.warnings {
            job.events.log(LogLevel::Warn, warning);
        }
        let made_with = format!("{} {} {places:?}", spec.fingerprint(), image.id);
        Ok(Self {
            daemon,
            image,
            lives: executor.lives(job, spec),
            program: None,
            places,
            key: Digest::of(made_with.as_bytes()),
        })
    }
}

impl Sandbox {
    /// Makes and starts a container for the job, and proves that it is what was asked for.
    ///
    /// # Errors
    /// E3405 where there is no daemon or it made something else; those of images and places.
    pub(super) async fn start(
        executor: &DockerExecutor,
        job: &Job,
        spec: &SandboxSpec,
        prepared: &Prepared,
    ) -> Result<Self> {
        let draft = if spec.is_reviewed() {
            Some(overlay::begin(&executor.0.settings.reviews.kept, job.call)?)
        } else {
            None
        };
        let mut attempts = 0;
        loop {
            let attempt = Attempt {
                number: attempts,
                draft: draft.clone(),
            };
            match Self::attempt(executor, job, spec, prepared, attempt).await {
                Ok(mut sandbox) => {
                    sandbox.tell(job, spec);
                    return Ok(sandbox);
                }
                // Its volume is being filled by another process, was left half filled, or somebody emptied it.
                Err(Trouble::Runner(_)) if attempts < 2 => {
                    executor.provide_again(prepared, attempts > 0).await?;
                    attempts += 1;
                }
                Err(Trouble::Runner(error) | Trouble::Other(error)) => return Err(error),
            }
        }
    }

    async fn attempt(
        executor: &DockerExecutor,
        job: &Job,
        spec: &SandboxSpec,
        prepared: &Prepared,
        attempt: Attempt,
    ) -> Result<Self, Trouble> {
        let Prepared {
            daemon,
            image,
            lives,
            program,
            places,
            key,
        } = prepared;
        let settings = &executor.0.settings;
        let runner_volume = executor.provide_runner(prepared).await?;
        let mut laid = attempt.lay(Sight::of(daemon), job, spec, places).await?;
        let mut labels = executor.labels(job, spec, key, lives, &laid);
        labels.extend(
            program
                .clone()
                .map(|name| (lease::PROGRAM.to_owned(), name)),
        );
        let mut container = Container::new(executor, daemon);
        container
            .make_volumes(&mut laid, image, &labels, job)
            .await?;
        let body = create::body(
            spec,
            Parts {
                image,
                laid: &laid,
                runner_volume: &runner_volume,
                runner_arguments: runner_arguments(lives),
                labels,
                runtime: settings.runtime.as_deref(),
                seccomp: settings.seccomp.as_deref(),
                loose: daemon.facts.loose_folders(),
                processes_of_user: daemon.facts.processes_of_user(),
                recursive_read_only: daemon.facts.has_recursive_read_only(),
            },
        );
        let doing = "making a container";
        let made = daemon
            .api
            .create_container(None::<CreateContainerOptions>, body.clone())
            .await
            .map_err(|why| error::of(doing, why))?;
        container.id = made.id;
        let found = daemon
            .api
            .inspect_container(&container.id, None)
            .await
            .map_err(|why| error::of(doing, why))?;
        let mut differences = copies::differences(&laid, &found);
        differences.extend(posture::differences(&body, found, &daemon.facts));
        if !differences.is_empty() {
            return Err(posture::refusal(&differences).into());
        }
        let mut resident = attach(daemon, &container.id).await?;
        if let Some(draft) = attempt.draft {
            container.work = Some(Work::begin(draft, &laid).await?);
        }
        daemon
            .api
            .start_container(&container.id, None::<StartContainerOptions>)
            .await
            .map_err(start_error)?;
        match tokio::time::timeout(SPEAKS_WITHIN, resident.next()).await {
            Ok(Ok((_, Report::Ready(protocol::VERSION)))) => {}
            heard => {
                let why = match heard {
                    Ok(Ok(_)) => "it is of another version".to_owned(),
                    Ok(Err(lost)) => lost.to_string(),
                    Err(_) => "it says nothing".to_owned(),
                };
                let complaints = resident.complaints();
                return Err(Trouble::Runner(Error::new(
                    Code::E3405,
                    format!("starting a container: its runner is not heard: {why} {complaints}"),
                )));
            }
        }
        let posture = prove(&mut resident, spec, &laid).await?;
        overlay::check_again(&laid)?;
        Ok(Self {
            resident,
            image: image.clone(),
            posture,
            key: *key,
            container,
        })
    }

    /// Talks to a container that another process made, after it was looked at again from inside.
    ///
    /// # Errors
    /// E3405 where nobody answers, or it is not what was asked for.
    pub(super) async fn join(
        executor: &DockerExecutor,
        id: &str,
        job: &Job,
        spec: &SandboxSpec,
        prepared: &Prepared,
    ) -> Result<Self> {
        let resident = attach(&prepared.daemon, id).await?;
        let mut container = Container::new(executor, &prepared.daemon);
        id.clone_into(&mut container.id);
        let mut sandbox = Self {
            resident,
            image: prepared.image.clone(),
            posture: String::new(),
            key: prepared.key,
            container,
        };
        if !sandbox.is_there().await {
            return Err(Error::new(
                Code::E3405,
                "joining a kept container: its runner does not answer",
            ));
        }
        let proven = prove(
            &mut sandbox.resident,
            spec,
            &Laid::without(&prepared.places),
        )
        .await;
        sandbox.posture = proven.map_err(|trouble| match trouble {
            Trouble::Runner(error) | Trouble::Other(error) => error,
        })?;
        sandbox.tell(job, spec);
        Ok(sandbox)
    }

    /// Records what the command runs in.
    pub(super) fn tell(&mut self, job: &Job, spec: &SandboxSpec) {
        job.events.effect(Effect::Container {
            image: spec.image.clone(),
            id: self.image.id.clone(),
            program: spec.argv.first().cloned().unwrap_or_default(),
            posture: self.posture.clone(),
        });
    }

    /// Whether its runner still answers. What it said before is passed over.
    pub(super) async fn is_there(&mut self) -> bool {
        let id: u32 = rand::random();
        if self.resident.send(id, &Order::Ping).await.is_err() {
            return false;
        }
        let answered = async {
            loop {
                match self.resident.next().await {
                    Ok((of, Report::Pong)) if of == id => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        };
        tokio::time::timeout(ANSWERS_WITHIN, answered)
            .await
            .unwrap_or(false)
    }

    /// Leaves the container where it is; it ends by itself when nobody talks to it.
    pub(super) fn leave(&mut self) {
        self.container.is_left = true;
    }

    /// Takes a container that was left: a command that is dropped takes it with it again.
    pub(super) fn take_up(&mut self) {
        self.container.is_left = false;
    }

    /// Why the runner is not heard any more.
    ///
    /// # Errors
    /// E3502 where the daemon went away.
    pub(super) async fn explain(&mut self, lost: Lost, spec: &SandboxSpec) -> Result<Ended> {
        tracing::debug!(%lost, "a runner was lost");
        let daemon = &self.container.daemon;
        let asked = daemon.api.inspect_container(&self.container.id, None);
        match tokio::time::timeout(Duration::from_secs(1), asked).await {
            Ok(Ok(found)) => {
                let state = found.state.unwrap_or_default();
                if state.oom_killed == Some(true) {
                    return Ok(reading::out_of_memory(spec));
                }
                if state.running == Some(true) {
                    return Ok(Ended::Crashed {
                        message: format!("the runner in the container gave up: {}", self.resident.complaints()),
                        backtrace: Vec::new(),
                    });
                }
                Ok(ended_from_outside())
            }
            Ok(Err(why)) if error::status(&why) == Some(404) => {
                self.container.is_left = true;
                Ok(ended_from_outside())
            }
            _ => Err(CommandEnd::DaemonLost
                .error(
                    Code::E3502,
                    "running a command: the daemon went away, and nobody knows how far the command came",
                )
                .hint("Look at what it may have changed before you run it again.")),
        }
    }

    /// Whether it has copies of the workspace.
    pub(super) fn has_copies(&self) -> bool {
        !self.container.porter.id.is_empty()
    }

    /// How many bytes of the workspace were copied into it.
    pub(super) fn copied_in(&self) -> u64 {
        self.container.porter.bytes
    }

    /// Ends the container and reads back what became of copies; see [`super::porter::Porter::carry_out`].
    ///
    /// # Errors
    /// Those of [`super::porter::Porter::carry_out`].
    pub(super) async fn bring_back(&mut self, job: &Job, usage: &mut Usage) -> Result<bool> {
        let has_copies = self.has_copies();
        let container = &mut self.container;
        let Some(work) = container.work.as_mut().filter(|_| has_copies) else {
            return Ok(true);
        };
        lease::remove(&container.daemon, &container.id).await?;
        container
            .porter
            .carry_out(&container.daemon, work, job, usage)
            .await
    }

    /// Removes the container. Gives what it worked on, where that is reviewed.
    ///
    /// # Errors
    /// E3405.
    pub(super) async fn remove(mut self) -> Result<Option<Work>> {
        self.container.remove().await?;
        Ok(self.container.work.take())
    }
}

/// One try to start a container.
struct Attempt {
    number: usize,
    draft: Option<Arc<Draft>>,
}

impl Attempt {
    /// The places of the container, with overlays where changes are reviewed, and copies where the daemon takes nothing else.
    async fn lay(
        &self,
        sight: Sight,
        job: &Job,
        spec: &SandboxSpec,
        places: &Places,
    ) -> Result<Laid> {
        let mut laid = Laid::without(places);
        let has_copies = sight.has_copies(spec);
        if self.draft.is_none() && !has_copies {
            return Ok(laid);
        }
        let (draft, call, number, spec) = (self.draft.clone(), job.call, self.number, spec.clone());
        tokio::task::spawn_blocking(move || {
            if has_copies {
                copies::lay(sight, draft.as_deref(), &call, number, &spec, &mut laid)?;
            } else if let Some(draft) = draft {
                overlay::lay(&draft, &call, number, &spec, &mut laid)?;
            }
            Ok(laid)
        })
        .await
        .map_err(|error| Error::new(Code::E3000, "laying overlays").caused_by(error))?
    }
}

fn ended_from_outside() -> Ended {
    Ended::Signalled(9)
}

async fn attach(daemon: &Daemon, id: &str) -> Result<Resident> {
    let options = AttachContainerOptionsBuilder::default()
        .stdin(true)
        .stdout(true)
        .stderr(true)
        .stream(true)
        .build();
    let attached = daemon
        .api
        .attach_container(id, Some(options))
        .await
        .map_err(|why| error::of("talking to a container", why))?;
    // Without a terminal the daemon says which stream it is; the rest cannot be.
    let output = attached.output.map(|piece| match piece {
        Ok(LogOutput::StdOut { message }) => Ok(Piece::Said(message)),
        Ok(LogOutput::StdErr { message }) => Ok(Piece::Complained(message)),
        Ok(LogOutput::StdIn { .. } | LogOutput::Console { .. }) => Ok(Piece::Said(Bytes::new())),
        Err(why) => Err(Broken::from(why)),
    });
    Ok(Resident::new(attached.input, output))
}

/// Looks around from inside; gives what was found, in words.
async fn prove(
    resident: &mut Resident,
    spec: &SandboxSpec,
    laid: &Laid,
) -> Result<String, Trouble> {
    let found = match probe::look(resident, laid).await {
        Ok(found) => found,
        Err(lost) => {
            return Err(Trouble::Runner(Error::new(
                Code::E3405,
                format!("looking into a container: {lost}"),
            )));
        }
    };
    let differences = found.differences(spec, laid);
    if !differences.is_empty() {
        return Err(posture::refusal(&differences).into());
    }
    let way_out = match spec.network {
        Network::AllowList => " egress=proxy",
        Network::None | Network::Bridge | Network::Host => "",
    };
    Ok(found.in_words(laid) + way_out)
}

impl DockerExecutor {
    /// The volume with the runner, filled by one at a time: of this process, and of this user.
    async fn provide_runner(&self, prepared: &Prepared) -> Result<String> {
        let mut is_there = self.0.runner.lock().await;
        if !*is_there {
            let _turn = self
                .turn_of("runner", FILLS_WITHIN, &CancellationToken::new())
                .await?;
            runner::provide(&prepared.daemon, &prepared.image, &self.0.owner).await?;
            *is_there = true;
        }
        Ok(runner::volume())
    }

    /// Waits until nobody fills the volume any more, and fills it anew where that did not help before.
    async fn provide_again(&self, prepared: &Prepared, anew: bool) -> Result<()> {
        let _one_at_a_time = self.0.runner.lock().await;
        let _turn = self
            .turn_of("runner", FILLS_WITHIN, &CancellationToken::new())
            .await?;
        if anew {
            return runner::repair(&prepared.daemon, &prepared.image, &self.0.owner).await;
        }
        runner::provide(&prepared.daemon, &prepared.image, &self.0.owner).await
    }

    /// How long the container of a command may be there.
    fn lives(&self, job: &Job, spec: &SandboxSpec) -> Lives {
        match spec.keep {
            Some(_) => Lives {
                most: KEPT_FOR,
                idle: Some(self.0.settings.kept.idle),
            },
            None => Lives {
                most: job.limits.timeout + spec.grace + MARGIN,
                idle: None,
            },
        }
    }

    fn labels(
        &self,
        job: &Job,
        spec: &SandboxSpec,
        key: &Digest,
        lives: &Lives,
        laid: &Laid,
    ) -> HashMap<String, String> {
        let owner = &self.0.owner;
        let mut lives_for = lives.most;
        if !laid.copies.is_empty() {
            // There and back.
            lives_for += porter::WITHIN * 2;
        }
        lease::labels(owner, &job.call, key, lives_for, spec.keep.as_deref())
    }
}

fn runner_arguments(lives: &Lives) -> Vec<String> {
    let mut arguments = vec![
        "serve".to_owned(),
        "--deadline-seconds".to_owned(),
        lives.most.as_secs().to_string(),
    ];
    if let Some(idle) = lives.idle {
        let idle = idle.as_secs().max(1);
        arguments.extend(["--idle-seconds".to_owned(), idle.to_string()]);
    }
    arguments
}

/// What can go wrong with making a container.
enum Trouble {
    /// The runner is not there or does not speak.
    Runner(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// A daemon that cannot find the runner says so only at the start.
fn start_error(why: bollard::errors::Error) -> Trouble {
    let is_of_runner = why.to_string().contains(create::RUNNER);
    let told = error::of("starting a container", why);
    if overlay::is_of_mount(&told) {
        return Trouble::Other(overlay::cannot_mount(told));
    }
    if is_of_runner {
        Trouble::Runner(told)
    } else {
        Trouble::Other(told)
    }
}
