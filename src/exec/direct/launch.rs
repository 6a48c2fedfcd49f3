//! A program of this machine that goes on running: confined and looked after like a command, its standard streams pipes that
//! whoever launched it holds.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use tokio::net::unix::pipe;

use super::control::{self, Control, Supervisor};
use super::needs::{Need, needs};
use super::order::Order;
use super::paths::Reach;
use super::{DirectExecutor, effect, system};
use crate::error::{Code, Error, Result};
use crate::exec::egress::Door;
use crate::exec::launch::{self, Ask, Attended};
use crate::exec::{BoxFuture, Launch, Launched, Launcher, Program, reading};
use toolhatch_runner::protocol::{Order as Tell, Report};

/// The supervisor says within half a minute whether it could be begun.
const BEGINS_WITHIN: Duration = Duration::from_secs(40);

impl Launcher for DirectExecutor {
    fn launch(&self, launch: Launch) -> BoxFuture<'_, Result<Launched>> {
        Box::pin(async move {
            let doing = format!("starting {}", launch.name);
            let launched = self.begin(&launch).await;
            launched.map_err(|error| error.while_doing(doing))
        })
    }
}

impl DirectExecutor {
    async fn begin(&self, launch: &Launch) -> Result<Launched> {
        let order = self
            .look(
                &launch.spec,
                &launch.sensitive,
                &launch.events,
                |spec, places| {
                    let order = Order::of_program(spec, places)?;
                    check_needs(&order)?;
                    Ok(order)
                },
            )
            .await?;
        let (reader, input) = pipes().map_err(|error| refused("making a pipe").caused_by(error))?;
        let supervisor = control::start(&self.settings.supervisor, &order, reader).await?;
        let Supervisor {
            mut control,
            stdout,
            stderr,
        } = supervisor;
        let begun = tokio::time::timeout(BEGINS_WITHIN, begun(&mut control, launch)).await;
        let (posture, door) = begun.unwrap_or_else(|_| Err(refused("it does not begin")))?;
        launch.events.effect(effect(&launch.spec, posture.clone()));
        Ok(Launched {
            input: Box::new(input),
            output: Box::new(stdout),
            errors: Box::new(stderr),
            program: Box::new(Running {
                control,
                grace: launch.spec.grace,
                ended: None,
                _door: door,
            }),
            posture,
        })
    }
}

/// The end that the program reads, and ours.
fn pipes() -> io::Result<(OwnedFd, pipe::Sender)> {
    let (reader, writer) = io::pipe()?;
    Ok((reader.into(), pipe::Sender::from_owned_fd(writer.into())?))
}

/// Waits until the program is executed; says how it is confined.
async fn begun(control: &mut Control, launch: &Launch) -> Result<(String, Option<Door>)> {
    let mut posture = String::new();
    let mut door = None;
    loop {
        match control.next().await {
            Some(Report::Listening(_)) => {
                let socket = control.take_handed();
                let socket = socket.ok_or_else(|| refused("its way out was not handed over"))?;
                door = Some(Door::open(TcpListener::from(socket), launch.into())?);
            }
            Some(Report::Probed(found)) => posture = found,
            Some(Report::Started(_)) => return Ok((posture, door)),
            Some(Report::Refused(why)) => {
                return Err(reading::not_launched(why, &launch.spec, "on this machine"));
            }
            Some(Report::Error(why)) => return Err(refused(&why)),
            Some(_) => {}
            None => return Err(refused("the process that looks after it has ended")),
        }
    }
}

fn refused(why: &str) -> Error {
    Error::new(Code::E3405, format!("confining it: {why}")).hint(
        "A program of this machine takes Landlock (Linux 6.12) and seccomp; what is granted to it, and the folders above that, \
         have to be readable for the user it runs as; a list of hosts takes a network namespace. Or run it in a container.",
    )
}

/// Refuses a program that could not read itself, before it fails in words of its own. Not for an async thread.
fn check_needs(order: &Order) -> Result<()> {
    let variable = order.env.iter().find(|(name, _)| name == "PATH");
    let path = variable.map_or("", |(_, path)| path.as_str());
    let needed = needs(&order.argv, path, &order.cwd).map_err(|name| {
        Error::new(Code::E3101, format!("there is no program {name}")).hint(format!(
            "It is looked for in {path}; or name it by its whole path."
        ))
    })?;
    let is_open = |file: &Path| {
        let granted = order
            .rules
            .iter()
            .any(|rule| rule.access != Reach::List && file.starts_with(&rule.path));
        granted || system().any(|folder| file.starts_with(folder))
    };
    let closed = needed.into_iter().filter(|need| !is_open(&need.file));
    let (files, mut grants): (Vec<String>, Vec<String>) = closed
        .map(|Need { file, grant }| {
            let grant = format!("file_read={}", grant.display());
            (file.display().to_string(), grant)
        })
        .unzip();
    if files.is_empty() {
        return Ok(());
    }
    grants.dedup();
    let hints = grants.iter().map(|grant| format!("Grant `{grant}`."));
    let text = format!(
        "it has to read {}, which is not granted",
        files.join(" and ")
    );
    let error = Error::new(Code::E3210, text).detail("grants", grants.clone());
    Err(hints.fold(error, Error::hint))
}

/// A program with its supervisor, which ends it where this is dropped.
struct Running {
    control: Control,
    grace: Duration,
    ended: Option<String>,
    /// Its way out, where it has one.
    _door: Option<Door>,
}

impl Attended for Running {
    async fn end(&mut self) -> String {
        loop {
            if let Some(said) = &self.ended {
                return said.clone();
            }
            self.ended = match self.control.next().await {
                Some(Report::Ended(ended)) => Some(reading::in_words(&ended)),
                Some(Report::Error(why)) => Some(format!("it was given up: {why}")),
                Some(_) => None,
                None => Some("the process that looks after it was ended".to_owned()),
            };
        }
    }

    async fn ask(&mut self, ask: Ask) {
        let order = match ask {
            Ask::Terminate => Tell::Signal(15),
            Ask::Kill => Tell::Kill,
        };
        self.control.tell(&order).await;
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
