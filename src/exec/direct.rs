//! Commands as processes of this machine: weaker than a container, and only where the operator says so.
//!
//! Between Toolhatch and the command stand two processes of the same binary. The *supervisor* (`supervise.rs`) adopts
//! whatever the command starts, keeps its time, and kills all of it in the end, also where Toolhatch itself is gone. Its
//! child (`confine.rs`) gives up everything that was not granted and then becomes the command. Both are reached by the hidden
//! subcommand `internal-confine`, so that all of this is done by one thread of a process that does nothing else; nothing
//! has to be safe between a fork and an exec.
//!
//! What a command may do is enforced by the kernel: Landlock for files, TCP and signals; seccomp for sockets and for what
//! changes the machine; limits of its resources. A kernel that cannot enforce all of it runs nothing.

mod control;
mod descriptor;
mod follow;
mod launch;
mod needs;
mod order;
mod paths;

#[cfg(target_os = "linux")]
mod confine;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod seccomp;
#[cfg(target_os = "linux")]
mod supervise;
#[cfg(target_os = "linux")]
mod sys;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

pub use needs::{Need, needs};

use self::follow::Told;
use self::order::Order;
use super::places::{self, Places};
use super::queue::Queue;
use super::reading;
use super::{
    Arguments, BoxFuture, CommandEnd, Effect, Ended, EventSink, Executor, Job, LogLevel, Outcome,
    PlaceRules, SandboxSpec, Usage,
};
use crate::error::{Code, Error, Result};
use crate::permission::{DIRECT, Sensitive};

/// The hidden subcommand that the supervisor and the command's own process begin with.
pub const SUBCOMMAND: &str = "internal-confine";

/// What the operator says of commands that run as processes of this machine.
#[derive(Debug, Clone)]
pub struct DirectSettings {
    /// What they may reach of the file system, and whether they may be root.
    pub places: PlaceRules,
    /// How many run at once.
    pub concurrency: usize,
    /// The binary that looks after each of them: this one, see [`this_binary`].
    pub supervisor: PathBuf,
}

/// The binary of this process, also where another has taken its place meanwhile.
#[must_use]
pub fn this_binary() -> PathBuf {
    "/proc/self/exe".into()
}

/// Runs commands as confined processes of this machine.
#[derive(Debug)]
pub struct DirectExecutor {
    settings: DirectSettings,
    queue: Queue,
}

/// What a process has to be able to read, and to change, to have commands run: for one that confines itself before it does.
#[must_use]
pub fn reach() -> (Vec<PathBuf>, Vec<PathBuf>) {
    #[cfg(target_os = "linux")]
    {
        // The two processes are this binary, and look at the others of the machine.
        let mut read: Vec<PathBuf> = system().map(PathBuf::from).collect();
        read.extend(["/proc/self/exe".into(), "/proc".into()]);
        (read, vec![order::TEMPORARY.into(), "/dev/null".into()])
    }
    #[cfg(not(target_os = "linux"))]
    (Vec::new(), Vec::new())
}

/// What every command can read of the system.
fn system() -> impl Iterator<Item = &'static str> {
    #[cfg(target_os = "linux")]
    return confine::system();
    #[cfg(not(target_os = "linux"))]
    std::iter::empty()
}

/// Which of the two processes this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one that looks after the command.
    Supervise,
    /// The one that becomes the command.
    Run,
}

impl DirectExecutor {
    /// Starts nothing yet.
    #[must_use]
    pub fn new(settings: DirectSettings) -> Self {
        Self {
            queue: Queue::new(settings.concurrency),
            settings,
        }
    }

    async fn run_command(&self, job: &Job, spec: &SandboxSpec) -> Outcome {
        let started = Instant::now();
        let mut usage = Usage::default();
        let ended = match self.confined(job, spec, &mut usage).await {
            Ok(ended) => ended,
            Err(error) => Ended::NotRun(error),
        };
        usage.duration = started.elapsed();
        Outcome { ended, usage }
    }

    async fn confined(&self, job: &Job, spec: &SandboxSpec, usage: &mut Usage) -> Result<Ended> {
        let Some(_place) = self.queue.enter(job).await? else {
            return Ok(Ended::Cancelled);
        };
        let timeout = job.limits.timeout;
        let order = self
            .look(spec, &job.sensitive, &job.events, move |spec, places| {
                Order::of_command(spec, places, timeout)
            })
            .await?;
        let (told, printed) = follow::run(&self.settings.supervisor, &order, spec, job).await?;
        usage.bytes_in = spec.stdin.len() as u64;
        usage.bytes_out = printed.total();
        if let Told::Ended(reported) | Told::Cancelled(Some(reported)) = &told {
            reading::count(reported, usage);
        }
        Ok(match told {
            Told::Ended(reported) => reading::ended(&reported, printed, spec, job),
            Told::Refused(refused) => {
                reading::refused(refused, spec, &job.events, "on this machine")
            }
            Told::Unconfined(why) => return Err(unconfined(&why)),
            Told::Cancelled(_) => {
                printed.keep(&job.events);
                Ended::Cancelled
            }
            Told::Overdue => {
                printed.keep(&job.events);
                Ended::TimedOut(job.limits.timeout)
            }
            Told::Lost(why) => {
                printed.keep(&job.events);
                return Err(CommandEnd::DaemonLost
                    .error(
                        Code::E3502,
                        format!("running the command: the process that looks after it {why}"),
                    )
                    .hint("Somebody has ended it; run the command again."));
            }
        })
    }

    /// Looks at what is granted, and makes an order of it.
    async fn look(
        &self,
        spec: &SandboxSpec,
        sensitive: &Arc<Sensitive>,
        events: &EventSink,
        order: impl FnOnce(&SandboxSpec, &Places) -> Result<Order> + Send + 'static,
    ) -> Result<Order> {
        let (looked_at, sensitive) = (on_this_machine(spec)?, Arc::clone(sensitive));
        let (rules, spec) = (self.settings.places.clone(), spec.clone());
        let made = tokio::task::spawn_blocking(move || -> Result<(Order, Places)> {
            // Landlock holds for everything below a folder, also for what is mounted there.
            let places = places::look(&looked_at, &sensitive, &rules, true)?;
            let order = order(&spec, &places)?;
            Ok((order, places))
        })
        .await
        .map_err(|error| Error::new(Code::E3000, "looking at what is granted").caused_by(error))?;
        let (order, places) = made?;
        for warning in places.warnings.iter().chain(&order.warnings) {
            events.log(LogLevel::Warn, warning);
        }
        Ok(order)
    }
}

/// The same command with everything where it is on this machine: a process sees no other places.
fn on_this_machine(spec: &SandboxSpec) -> Result<SandboxSpec> {
    let mut spec = spec.clone();
    for mount in &mut spec.mounts {
        mount.container = paths::text(&mount.host)?.to_owned();
    }
    Ok(spec)
}

/// The command was not begun, because it would not have been confined.
fn unconfined(why: &str) -> Error {
    CommandEnd::InvalidConfig
        .error(Code::E3405, format!("confining the command: {why}"))
        .hint(
            "Processes of this machine take Landlock (Linux 6.12) and seccomp. Run commands in containers: \
             `execution.strategy = \"docker\"`.",
        )
}

/// What was found when the command was confined, for the record.
fn effect(spec: &SandboxSpec, posture: String) -> Effect {
    Effect::Container {
        image: DIRECT.to_owned(),
        id: String::new(),
        program: spec.argv.first().cloned().unwrap_or_default(),
        posture,
    }
}

impl Executor for DirectExecutor {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let Arguments::Command(spec) = &job.arguments else {
                let text = "a component was handed to the executor of commands";
                return Outcome {
                    ended: Ended::NotRun(Error::new(Code::E3000, text)),
                    usage: Usage::default(),
                };
            };
            self.run_command(&job, &Arc::clone(spec)).await
        })
    }
}

/// What the processes of the hidden subcommand do; they say everything over their standard input, which is a socket.
/// False where it could not be done.
#[must_use]
pub fn enter(role: Role) -> bool {
    #[cfg(target_os = "linux")]
    return match role {
        Role::Supervise => supervise::main().is_ok(),
        Role::Run => confine::main().is_ok(),
    };
    #[cfg(not(target_os = "linux"))]
    return {
        let _ = role;
        false
    };
}
