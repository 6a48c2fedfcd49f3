//! A program that goes on running in a container of its own: made, proven and removed like that of a command.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::sandbox::{Lives, Prepared, Sandbox};
use super::{DockerExecutor, LONGEST_LEASE, is_of_daemon};
use crate::error::{Code, Error, Result};
use crate::exec::egress::Egress;
use crate::exec::launch::{self, Ask, Attended};
use crate::exec::session::{Ends, Session};
use crate::exec::{
    BoxFuture, Ended, Job, Launch, Launched, Launcher, LimitKind, Program, SandboxSpec, dialogue,
    reading,
};
use crate::manifest::container::Network;
use crate::manifest::limits::Limits;

/// From the order to the first word about the program.
const BEGINS_WITHIN: Duration = Duration::from_secs(60);
/// A runner that nobody talks to for so long, because the connection to its daemon is lost, ends.
const IDLE: Duration = Duration::from_secs(300);
/// The most that a program runs: what is left on the daemon of somebody else goes then.
const MOST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Launcher for DockerExecutor {
    fn launch(&self, launch: Launch) -> BoxFuture<'_, Result<Launched>> {
        Box::pin(async move {
            match self.begin(&launch).await {
                Ok(launched) => Ok(launched),
                Err(error) => {
                    if is_of_daemon(&error) {
                        self.forget_daemon().await;
                    }
                    Err(error.while_doing(format!("starting {}", launch.name)))
                }
            }
        })
    }
}

impl DockerExecutor {
    async fn begin(&self, launch: &Launch) -> Result<Launched> {
        let mut spec = launch.spec.clone();
        // It is one's own.
        spec.keep = None;
        if spec.is_reviewed() {
            let text = "what a program changes that goes on running cannot be reviewed";
            return Err(Error::new(Code::E3004, text)
                .hint("Grant the folder for reading only, or let it be written to."));
        }
        // No call: it is what making a container has to know, and nothing is run by it.
        let mut job = Job::of_command(spec.clone(), &Limits::default(), &launch.sensitive);
        job.events = Arc::clone(&launch.events);
        let mut prepared = Prepared::new(self, &job, &spec).await?;
        prepared.lives = Lives {
            most: MOST,
            idle: Some(IDLE),
        };
        prepared.program = Some(launch.name.clone());
        let mut sandbox = Sandbox::start(self, &job, &spec, &prepared).await?;
        let posture = sandbox.posture.clone();
        let run = dialogue::order(&spec, &sandbox.image.around());
        let egress = (spec.network == Network::AllowList).then(|| Egress::new(launch.into()));
        let beginning = Session::begin(&mut sandbox.resident, run, egress);
        let begun = match tokio::time::timeout(BEGINS_WITHIN, beginning).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(lost)) => return Err(not_begun(&lost.to_string())),
            Err(_) => return Err(not_begun("it says nothing")),
        };
        let (session, ends) =
            begun.map_err(|refused| reading::not_launched(refused, &spec, "in the image"))?;
        let Ends {
            input,
            output,
            errors,
            asks,
        } = ends;
        let grace = spec.grace;
        let (told, ended) = watch::channel(None);
        // Whoever waits for what is to be removed waits for this too.
        let attending = self.0.tasks.spawn(attend(sandbox, session, spec, told));
        Ok(Launched {
            input: Box::new(input),
            output: Box::new(output),
            errors: Box::new(errors),
            program: Box::new(Running {
                asks,
                ended,
                grace,
                _attending: AbortOnDropHandle::new(attending),
            }),
            posture,
        })
    }
}

fn not_begun(why: &str) -> Error {
    Error::new(
        Code::E3405,
        format!("telling the runner in its container: {why}"),
    )
}

/// Stays with a program to its end. Its container is removed in the background, also where this is dropped.
async fn attend(
    mut sandbox: Sandbox,
    mut session: Session,
    spec: SandboxSpec,
    told: watch::Sender<Option<String>>,
) {
    let said = match session.follow(&mut sandbox.resident, LONGEST_LEASE).await {
        Ok(reported) => reading::in_words(&reported),
        Err(lost) => match sandbox.explain(lost, &spec).await {
            Ok(Ended::LimitReached {
                limit: LimitKind::Memory,
                ..
            }) => reading::KILLED_FOR_MEMORY.to_owned(),
            Ok(Ended::Crashed { message, .. }) => message,
            Ok(_) => "its container was ended from outside".to_owned(),
            Err(error) => error.to_string(),
        },
    };
    told.send_replace(Some(said));
}

/// A program in its container, which is removed where this is dropped.
struct Running {
    asks: mpsc::UnboundedSender<Ask>,
    ended: watch::Receiver<Option<String>>,
    grace: Duration,
    _attending: AbortOnDropHandle<()>,
}

impl Attended for Running {
    async fn end(&mut self) -> String {
        let said = self.ended.wait_for(Option::is_some).await;
        let said = said.ok().and_then(|said| said.clone());
        said.unwrap_or_else(|| "nobody attends to it any more".to_owned())
    }

    async fn ask(&mut self, ask: Ask) {
        // One that has ended needs no asking.
        let _ = self.asks.send(ask);
    }
}

impl Program for Running {
    fn ended(&mut self) -> BoxFuture<'_, String> {
        Box::pin(self.end())
    }

    fn stop(self: Box<Self>) -> BoxFuture<'static, ()> {
        let grace = self.grace;
        Box::pin(launch::stop(*self, grace))
    }
}
