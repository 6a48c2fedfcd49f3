//! One command with its runner: told to it, its output passed on as it comes, and how it ended. The same in a container and on
//! another machine.

use std::time::Duration;

use tokio::time::Instant;

use super::egress::{self, Egress, Nonsense, Traffic};
use super::reading::Printed;
use super::resident::{Lost, Resident};
use super::{EventSink, Job, SandboxSpec, Stdio};
use crate::manifest::container::Network;
use toolhatch_runner::protocol::{
    Ended as Reported, Order, Refused, Report, Run, STDIN_WINDOW, Segment,
};

/// How long after the deadline and the grace the runner is still waited for before what it runs in is ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of one frame of standard input.
const PIECE: usize = 64 << 10;

/// What a command finds around it where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Its variables.
    pub(super) env: Vec<(String, String)>,
    /// Where it starts; empty for where the runner does.
    pub(super) workdir: String,
}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Told {
    /// It ran, and the runner says how it ended.
    Ended(Reported),
    /// It was not started.
    Refused(Refused),
    /// It was cancelled.
    Cancelled(Option<Reported>),
    /// It did not end when it had to.
    Overdue,
    /// The runner cannot be heard any more.
    Lost(Lost),
}

/// What comes of a command while it runs.
struct Flows {
    printed: Printed,
    /// Its connections, where it may have any.
    egress: Option<Egress>,
}

/// Runs the command of the job and stays with it to its end; with it end its connections. The runner hears at least so often
/// that somebody listens.
pub(super) async fn run(
    resident: &mut Resident,
    id: u32,
    spec: &SandboxSpec,
    around: &Around,
    job: &Job,
    words_within: Duration,
) -> (Told, Printed, Traffic) {
    let mut flows = Flows {
        printed: Printed::within(&job.limits),
        egress: (spec.network == Network::AllowList).then(|| Egress::new(job.into())),
    };
    // Also where nothing can be sent any more, because the daemon stands still.
    let at_most = job.limits.timeout + spec.grace + 2 * PATIENCE;
    let following = follow(resident, id, spec, around, job, words_within, &mut flows);
    let told = match tokio::time::timeout(at_most, following).await {
        Ok(Ok(told)) => told,
        Ok(Err(lost)) => Told::Lost(lost),
        Err(_) => Told::Overdue,
    };
    let traffic = match flows.egress {
        Some(egress) => egress.end().await,
        None => Traffic::default(),
    };
    (told, flows.printed, traffic)
}

async fn follow(
    resident: &mut Resident,
    id: u32,
    spec: &SandboxSpec,
    around: &Around,
    job: &Job,
    words_within: Duration,
    flows: &mut Flows,
) -> Result<Told, Lost> {
    let Flows { printed, egress } = flows;
    let grace = spec.grace;
    let run = Run {
        deadline_ms: milliseconds(job.limits.timeout),
        stdin: !spec.stdin.is_empty(),
        ..order(spec, around)
    };
    resident.send(id, &Order::Run(run)).await?;
    let mut stdin = StdinFlow::new(&spec.stdin);
    stdin.send(resident, id).await?;
    let overdue = Instant::now() + job.limits.timeout + grace + PATIENCE;
    // When a cancelled command is ended without being asked.
    let mut kill_at: Option<Instant> = None;
    let mut killed = false;
    let mut lease = tokio::time::interval(words_within);
    loop {
        let is_cancelling = kill_at.is_some();
        tokio::select! {
            biased;
            () = job.cancel.cancelled(), if !is_cancelling => {
                resident.send(id, &Order::Signal(15)).await?;
                kill_at = Some(Instant::now() + grace);
            }
            () = tokio::time::sleep_until(kill_at.unwrap_or(overdue)), if is_cancelling && !killed => {
                resident.send(id, &Order::Kill).await?;
                killed = true;
            }
            () = tokio::time::sleep_until(overdue) => {
                return Ok(Told::Overdue);
            }
            _ = lease.tick() => {
                resident.send(id, &Order::Ping).await?;
            }
            // Before what is read, which can be there all the time; of this there is no more than the runner has asked for.
            segment = outgoing(egress) => {
                resident.send(id, &Order::Tunnel(segment)).await?;
            }
            report = next(resident, &job.events) => {
                let (of, report) = report?;
                // In a kept container somebody else's words may still be under way.
                if of != id && !matches!(report, Report::Error(_)) {
                    continue;
                }
                match report {
                    Report::Stdout(bytes) => printed.push(Stdio::Stdout, &bytes, &job.events),
                    Report::Stderr(bytes) => printed.push(Stdio::Stderr, &bytes, &job.events),
                    Report::Taken(count) => {
                        stdin.taken(count);
                        stdin.send(resident, id).await?;
                    }
                    Report::Ended(ended) if is_cancelling => return Ok(Told::Cancelled(Some(ended))),
                    Report::Ended(ended) => return Ok(Told::Ended(ended)),
                    Report::Refused(refused) => return Ok(Told::Refused(refused)),
                    Report::Error(text) => {
                        tracing::warn!(call = %job.call, text, "the runner gave up");
                        return Err(Lost::Ended);
                    }
                    Report::Opened(connection) => {
                        egress.as_mut().ok_or(Nonsense)?.open(connection)?;
                    }
                    Report::Tunnel(segment) => egress.as_mut().ok_or(Nonsense)?.take(segment)?,
                    Report::Ready(_)
                    | Report::Started(_)
                    | Report::Listening(_)
                    | Report::Pong
                    | Report::Probed(_) => {}
                }
            }
        }
    }
}

/// What is to be sent to a connection of the command next.
pub(super) async fn outgoing(egress: &mut Option<Egress>) -> Segment {
    match egress {
        Some(egress) => egress.next().await,
        None => std::future::pending().await,
    }
}

/// The next report, once whoever watches has room for more.
async fn next(resident: &mut Resident, events: &EventSink) -> Result<(u32, Report), Lost> {
    events.room().await;
    resident.next().await
}

/// What the runner is told: nothing of it is seen by who asks the daemon about the container, or looks at the processes of a
/// machine. It reads what it is sent, and has no deadline.
pub(super) fn order(spec: &SandboxSpec, around: &Around) -> Run {
    let mut env: Vec<(&str, &str)> = Vec::new();
    let has_proxy = spec.network == Network::AllowList;
    // The proxy of whoever built the image is not this one.
    let proxy = if has_proxy {
        egress::variables(&spec.env)
    } else {
        Vec::new()
    };
    let given = around.env.iter().chain(&proxy).chain(&spec.env);
    for (name, value) in given.map(|(name, value)| (name.as_str(), value.as_str())) {
        env.retain(|(other, _)| *other != name);
        env.push((name, value));
    }
    let cwd = spec.workdir.as_deref().unwrap_or(&around.workdir);
    Run {
        argv: spec
            .argv
            .iter()
            .map(|text| text.clone().into_bytes())
            .collect(),
        env: env
            .into_iter()
            .map(|(name, value)| format!("{name}={value}").into_bytes())
            .collect(),
        cwd: cwd.as_bytes().to_vec(),
        deadline_ms: 0,
        grace_ms: milliseconds(spec.grace),
        umask: 0o022,
        stdin: true,
        clean_tmp: false,
        proxy: has_proxy.then_some(egress::PORT),
    }
}

/// In milliseconds, at least one: none would mean for ever.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis())
        .unwrap_or(u32::MAX)
        .max(1)
}

/// Standard input on its way to a command, no more than the runner has room for.
struct StdinFlow<'a> {
    rest: &'a [u8],
    under_way: usize,
    ended: bool,
}

impl<'a> StdinFlow<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            under_way: 0,
            ended: bytes.is_empty(),
        }
    }

    fn taken(&mut self, count: u32) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.under_way = self.under_way.saturating_sub(count);
    }

    async fn send(&mut self, resident: &mut Resident, id: u32) -> Result<(), Lost> {
        while !self.rest.is_empty() && self.under_way < STDIN_WINDOW {
            let room = PIECE
                .min(STDIN_WINDOW - self.under_way)
                .min(self.rest.len());
            let (piece, rest) = self.rest.split_at(room);
            resident.send(id, &Order::Stdin(piece.to_vec())).await?;
            self.rest = rest;
            self.under_way += room;
        }
        if self.rest.is_empty() && !self.ended {
            resident.send(id, &Order::StdinEnd).await?;
            self.ended = true;
        }
        Ok(())
    }
}
