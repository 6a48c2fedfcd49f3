//! One command with its supervisor, seen from Toolhatch: what it prints is passed on as it comes.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::time::Instant;

use super::control::{self, Control, Supervisor};
use super::order::Order;
use super::{effect, unconfined};
use crate::error::Result;
use crate::exec::reading::Printed;
use crate::exec::{EventSink, Job, SandboxSpec, Stdio};
use toolhatch_runner::protocol::{Ended as Reported, Order as Tell, Refused, Report};

/// How long after the deadline and the grace the supervisor is still waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much is read at once.
const PIECE: usize = 64 << 10;

/// What became of a command.
#[derive(Debug)]
pub(super) enum Told {
    /// It ran, and this is how it ended.
    Ended(Reported),
    /// It could not be started.
    Refused(Refused),
    /// It was not started, because it would not have been confined.
    Unconfined(String),
    /// It was cancelled.
    Cancelled(Option<Reported>),
    /// It did not end when it had to.
    Overdue,
    /// The supervisor is gone, and did what this says.
    Lost(String),
}

/// A command with its supervisor.
struct Followed {
    control: Control,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    is_heard: bool,
}

/// Something that a supervisor or its command said.
enum Heard {
    Report(Report),
    Output(Stdio, usize),
    Nothing,
}

/// Runs the command and stays with it to its end; `binary` is what its supervisor is.
///
/// # Errors
/// E3405 where no supervisor can be started.
pub(super) async fn run(
    binary: &Path,
    order: &Order,
    spec: &SandboxSpec,
    job: &Job,
) -> Result<(Told, Printed)> {
    let mut printed = Printed::within(&job.limits);
    let input = control::file_of(&spec.stdin)
        .map_err(|error| unconfined("passing on standard input").caused_by(error))?;
    let Supervisor {
        control,
        stdout,
        stderr,
    } = control::start(binary, order, input).await?;
    let mut followed = Followed {
        control,
        stdout: Some(stdout),
        stderr: Some(stderr),
        is_heard: true,
    };
    let told = followed.follow(spec, job, &mut printed).await;
    Ok((told, printed))
}

impl Followed {
    async fn follow(&mut self, spec: &SandboxSpec, job: &Job, printed: &mut Printed) -> Told {
        let overdue = Instant::now() + job.limits.timeout + spec.grace + PATIENCE;
        // When a cancelled command is ended without being asked.
        let mut kill_at: Option<Instant> = None;
        let mut is_killed = false;
        let mut has_begun = false;
        let mut told = None;
        let mut buffers = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            let is_cancelling = kill_at.is_some();
            tokio::select! {
                biased;
                () = job.cancel.cancelled(), if !is_cancelling => {
                    self.control.tell(&Tell::Signal(15)).await;
                    kill_at = Some(Instant::now() + spec.grace);
                }
                () = tokio::time::sleep_until(kill_at.unwrap_or(overdue)), if is_cancelling && !is_killed => {
                    self.control.tell(&Tell::Kill).await;
                    is_killed = true;
                }
                () = tokio::time::sleep_until(overdue) => return told.unwrap_or(Told::Overdue),
                heard = self.next(&mut buffers, &job.events) => match heard {
                    Heard::Output(stream, count) => {
                        let buffer = match stream {
                            Stdio::Stdout => &buffers.0,
                            Stdio::Stderr => &buffers.1,
                        };
                        printed.push(stream, buffer.get(..count).unwrap_or_default(), &job.events);
                    }
                    Heard::Report(Report::Probed(posture)) => {
                        has_begun = true;
                        job.events.effect(effect(spec, posture));
                    }
                    Heard::Report(Report::Ended(ended)) if is_cancelling => {
                        told = Some(Told::Cancelled(Some(ended)));
                    }
                    Heard::Report(Report::Ended(ended)) => told = Some(Told::Ended(ended)),
                    Heard::Report(Report::Refused(refused)) => told = Some(Told::Refused(refused)),
                    Heard::Report(Report::Error(why)) if has_begun => {
                        told = Some(Told::Lost(format!("gave up: {why}")));
                    }
                    Heard::Report(Report::Error(why)) => told = Some(Told::Unconfined(why)),
                    Heard::Report(_) => {}
                    // Everything that was printed came before.
                    Heard::Nothing => return told.unwrap_or_else(|| Told::Lost("has ended".to_owned())),
                },
            }
        }
    }

    /// What comes next, once whoever watches has room for more. Nothing is lost where this is dropped while it waits.
    async fn next(&mut self, buffers: &mut (Vec<u8>, Vec<u8>), events: &EventSink) -> Heard {
        loop {
            if self.stdout.is_none() && self.stderr.is_none() && !self.is_heard {
                return Heard::Nothing;
            }
            events.room().await;
            tokio::select! {
                count = piece(self.stdout.as_mut(), &mut buffers.0) => match count {
                    0 => self.stdout = None,
                    count => return Heard::Output(Stdio::Stdout, count),
                },
                count = piece(self.stderr.as_mut(), &mut buffers.1) => match count {
                    0 => self.stderr = None,
                    count => return Heard::Output(Stdio::Stderr, count),
                },
                said = self.control.next(), if self.is_heard => match said {
                    None => self.is_heard = false,
                    Some(report) => return Heard::Report(report),
                },
            }
        }
    }
}

/// How many bytes came; none at the end. A stream that has ended is waited for no more.
async fn piece(stream: Option<&mut (impl AsyncRead + Unpin)>, buffer: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(buffer).await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}
