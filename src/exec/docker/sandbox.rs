//! A container with its runner: made, compared, looked at from inside, and removed whatever happens.

use std::time::Duration;

use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, StartContainerOptions,
};

use super::create::{self, Parts};
use super::daemon::Daemon;
use super::image::{self, Image};
use super::resident::{Lost, Resident};
use super::{DockerExecutor, error, lease, posture, probe, runner};
use crate::error::{Code, Error, Result};
use crate::exec::{CommandEnd, Effect, Ended, Job, LogLevel, SandboxSpec, places, reading};
use toolhatch_runner::protocol::{self, Report};

/// From the start of a container to the first word of its runner. Starting takes a fifth of a second, more where many do.
const SPEAKS_WITHIN: Duration = Duration::from_secs(60);
/// A container may be there so much longer than its command.
const MARGIN: Duration = Duration::from_secs(120);

/// A container whose runner waits for a command. Dropping it removes the container.
pub(super) struct Sandbox {
    pub(super) resident: Resident,
    pub(super) image: Image,
    /// What was found inside, in words.
    pub(super) posture: String,
    container: Container,
}

/// A container that is removed when it is dropped, in the background, or before that by [`Container::remove`].
struct Container {
    id: String,
    daemon: Daemon,
    executor: DockerExecutor,
    is_removed: bool,
}

impl Container {
    async fn remove(&mut self) -> Result<()> {
        lease::remove(&self.daemon, &self.id).await?;
        self.is_removed = true;
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.is_removed {
            return;
        }
        let (daemon, id) = (self.daemon.clone(), std::mem::take(&mut self.id));
        self.executor.0.tasks.spawn(async move {
            if let Err(error) = lease::remove(&daemon, &id).await {
                tracing::warn!(%error, id, "could not remove a container; the next sweep will");
            }
        });
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
    ) -> Result<Self> {
        let daemon = executor.daemon().await?;
        let settings = &executor.0.settings;
        let image = image::resolve(&daemon, &spec.image, &settings.images, &job.events).await?;
        let mut was_repaired = false;
        loop {
            match Self::attempt(executor, &daemon, job, spec, &image).await {
                Ok(sandbox) => return Ok(sandbox),
                Err(Trouble::Runner(_)) if !was_repaired => {
                    // Its volume was half filled, or somebody emptied it.
                    runner::repair(&daemon, &image).await?;
                    was_repaired = true;
                }
                Err(Trouble::Runner(error) | Trouble::Other(error)) => return Err(error),
            }
        }
    }

    async fn attempt(
        executor: &DockerExecutor,
        daemon: &Daemon,
        job: &Job,
        spec: &SandboxSpec,
        image: &Image,
    ) -> Result<Self, Trouble> {
        let settings = &executor.0.settings;
        let runner_volume = runner::provide(daemon, image).await?;
        let recursive_read_only = daemon.facts.has_recursive_read_only();
        let places = {
            let (spec, sensitive) = (spec.clone(), job.sensitive.clone());
            let rules = settings.places.clone();
            tokio::task::spawn_blocking(move || {
                places::look(&spec, &sensitive, &rules, recursive_read_only)
            })
            .await
            .map_err(|error| Error::new(Code::E3000, "looking at the mounts").caused_by(error))??
        };
        for warning in &places.warnings {
            job.events.log(LogLevel::Warn, warning);
        }
        let lives_for = job.limits.timeout + spec.grace + MARGIN;
        let body = create::body(
            spec,
            Parts {
                image,
                places: &places,
                runner_volume: &runner_volume,
                runner_arguments: vec![
                    "serve".to_owned(),
                    "--deadline-seconds".to_owned(),
                    lives_for.as_secs().to_string(),
                ],
                labels: lease::labels(&executor.0.owner, &job.call, &spec.fingerprint(), lives_for),
                runtime: settings.runtime.as_deref(),
                seccomp: settings.seccomp.as_deref(),
                recursive_read_only,
            },
        );
        let doing = "making a container";
        let made = daemon
            .api
            .create_container(None::<CreateContainerOptions>, body.clone())
            .await
            .map_err(|why| error::of(doing, why))?;
        let container = Container {
            id: made.id,
            daemon: daemon.clone(),
            executor: executor.clone(),
            is_removed: false,
        };
        let found = daemon
            .api
            .inspect_container(&container.id, None)
            .await
            .map_err(|why| error::of(doing, why))?;
        let differences = posture::differences(&body, &found);
        if !differences.is_empty() {
            return Err(posture::refusal(&differences).into());
        }
        let options = AttachContainerOptionsBuilder::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        let attached = daemon
            .api
            .attach_container(&container.id, Some(options))
            .await
            .map_err(|why| error::of(doing, why))?;
        let mut resident = Resident::new(attached);
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
        let found = match probe::look(&mut resident, &places).await {
            Ok(found) => found,
            Err(lost) => {
                return Err(Trouble::Runner(Error::new(
                    Code::E3405,
                    format!("looking into a container: {lost}"),
                )));
            }
        };
        let differences = found.differences(spec, &places);
        if !differences.is_empty() {
            return Err(posture::refusal(&differences).into());
        }
        job.events.effect(Effect::Container {
            image: spec.image.clone(),
            id: image.id.clone(),
            program: spec.argv.first().cloned().unwrap_or_default(),
            posture: found.in_words(),
        });
        Ok(Self {
            resident,
            image: image.clone(),
            posture: found.in_words(),
            container,
        })
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
                self.container.is_removed = true;
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

    /// Removes the container.
    ///
    /// # Errors
    /// E3405.
    pub(super) async fn remove(mut self) -> Result<()> {
        self.container.remove().await
    }
}

fn ended_from_outside() -> Ended {
    Ended::Signalled(9)
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
    if is_of_runner {
        Trouble::Runner(told)
    } else {
        Trouble::Other(told)
    }
}
