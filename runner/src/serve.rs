//! Runs one command at a time for the host, and leaves nothing of it behind.
//!
//! In a container it is the first process of its PID namespace or it does not serve at all. Only there SIGKILL to everybody is both safe,
//! because nobody else's processes can be hit, and enough, because whoever escapes its parent, group and session is still
//! in there. Below another init there would be a second process holding the streams of the host, and one that commands
//! can look into; this one makes itself unreadable to them. When it ends, the kernel ends all others. On a machine that it shares with
//! others it is told to look after its descendants instead (`wards.rs`).

mod end;

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use toolhatch_runner::protocol::{Decoder, HEADER, Order, Refusal, Refused, Report, Run, VERSION};

use crate::command::{Command, Due};
use crate::oom::OomCounter;
use crate::outbox::Outbox;
use crate::probe;
use crate::sys::{self, Children, Limits, Ready, Signals, Watch};
use crate::tmp;
use crate::tunnel::Tunnel;
use crate::wards::Wards;
use end::End;

/// For how long the runner lives.
#[derive(Debug, Default)]
pub struct Terms {
    /// It ends when no order came for so long.
    pub idle: Option<Duration>,
    /// It ends so long after its start.
    pub deadline: Option<Duration>,
    /// It looks after what descends from it, and leaves everybody else alone.
    pub descendants: bool,
}

/// How long what was killed may take to be gone. A process that the kernel waits for in a system call is not gone before.
const SWEEP_LIMIT: Duration = Duration::from_secs(10);

/// How often to look whether it is gone, where no signal tells.
const SWEEP_PAUSE: Duration = Duration::from_millis(2);

/// How long the host gets to take the last word.
const LAST_WORD: Duration = Duration::from_millis(500);

/// How much is read at once, in bytes: with a header in front, what a pipe holds, so that a frame is not cut in two on its way.
const PIECE: usize = (64 << 10) - HEADER;

/// How much more willingly than the runner a command is killed for want of memory, in thousandths of what there is.
const OOM_STEP: i32 = 100;

/// Serves until there is a reason to end. Returns the exit code.
pub fn serve(terms: Terms) -> u8 {
    let Some(wards) = Wards::new(terms.descendants) else {
        return tell(
            "serve kills every other process around it, so it only runs as the first process of a PID namespace",
            77,
        );
    };
    if !(0..3).all(sys::is_open) {
        return tell("serve needs standard input, output and error", 77);
    }
    sys::close_inherited();
    let mut server = match Server::new(wards, terms) {
        Ok(server) => server,
        Err(error) => return tell(&format!("the system refuses: {error}"), 70),
    };
    let (text, code) = server.run().told();
    server.end_all();
    if let Some(text) = &text {
        server.outbox.put(0, &Report::Error(text.clone()));
    }
    // Whoever has gone does not hear it.
    let _ = server.outbox.flush_within(LAST_WORD);
    text.map_or(code, |text| tell(&text, code))
}

/// Says something on standard error, which is not part of the protocol.
fn tell(text: &str, code: u8) -> u8 {
    let _ = writeln!(io::stderr(), "toolhatch-runner: {text}");
    code
}

struct Server {
    wards: Wards,
    terms: Terms,
    begun: Instant,
    last_order: Instant,
    inbox: File,
    decoder: Decoder,
    outbox: Outbox,
    signals: Signals,
    command: Option<Command>,
    /// Where the command may have connections; there as long as it is.
    tunnel: Option<Tunnel>,
    /// Whether its connections come before its output, in turn, so that neither takes all the room there is.
    tunnel_first: bool,
    oom: OomCounter,
    oom_before: Option<u64>,
    oom_score: Option<CString>,
    limits: Limits,
    scratch: Vec<u8>,
}

/// How much is waited for besides connections.
const FIXED: usize = 7;

/// What is ready, of all that is waited for.
struct Round {
    inbox: Ready,
    outbox: Ready,
    signals: Ready,
    start: Ready,
    stdin: Ready,
    outputs: [Ready; 2],
    tunnel: Vec<Ready>,
}

impl Server {
    fn new(wards: Wards, terms: Terms) -> io::Result<Self> {
        sys::hide()?;
        let now = Instant::now();
        let score = std::fs::read_to_string("/proc/self/oom_score_adj").ok();
        let score = score.and_then(|text| text.trim().parse::<i32>().ok());
        let score = score.map(|score| score.saturating_add(OOM_STEP).min(1000));
        Ok(Self {
            wards,
            terms,
            begun: now,
            last_order: now,
            inbox: File::from(io::stdin().as_fd().try_clone_to_owned()?),
            decoder: Decoder::new(),
            outbox: Outbox::new(io::stdout().as_fd())?,
            signals: Signals::open()?,
            command: None,
            tunnel: None,
            tunnel_first: false,
            oom: OomCounter::open(&wards),
            oom_before: None,
            oom_score: score.and_then(|score| CString::new(score.to_string()).ok()),
            limits: Limits::now(),
            scratch: vec![0; PIECE],
        })
    }

    fn run(&mut self) -> End {
        self.outbox.put(0, &Report::Ready(VERSION));
        loop {
            if let Err(end) = self.step() {
                return end;
            }
        }
    }

    fn step(&mut self) -> Result<(), End> {
        self.outbox.flush()?;
        let round = self.wait()?;
        if round.outbox.broken {
            return Err(End::Host);
        }
        // First of all, because what comes next asks for room.
        self.outbox.flush()?;
        if round.signals.any {
            self.take_signals()?;
        }
        self.tunnel_first = !self.tunnel_first;
        if self.tunnel_first {
            self.serve_tunnel(&round);
            self.serve_command(&round);
        } else {
            self.serve_command(&round);
            self.serve_tunnel(&round);
        }
        if round.inbox.any {
            self.take_orders()?;
        }
        self.keep_time()?;
        self.conclude()
    }

    fn wait(&self) -> io::Result<Round> {
        let command = self.command.as_ref();
        // What is not wanted now is not watched at all: its end would wake us again and again.
        let inbox = Some(self.inbox.as_fd()).filter(|_| self.outbox.has_room_for_answers());
        let outputs = command.filter(|_| self.outbox.has_room());
        let [stdout, stderr] = outputs.map_or([None; 2], Command::output_fds);
        let mut watched = vec![
            Watch::reading(inbox),
            self.outbox.watch(),
            Watch::reading(Some(self.signals.fd())),
            Watch::reading(command.and_then(Command::start_fd)),
            Watch::writing(command.and_then(Command::stdin_fd)),
            Watch::reading(stdout),
            Watch::reading(stderr),
        ];
        // A connection is not told before the word that the command began.
        let begun = command.filter(|command| command.start_fd().is_none());
        let tunnel = self.tunnel.iter().filter(|_| begun.is_some());
        watched.extend(tunnel.flat_map(|tunnel| tunnel.watches(&self.outbox)));
        let ready = sys::poll(&watched, self.patience())?;
        let (fixed, tunnel) = ready.split_at_checked(FIXED).unwrap_or_default();
        let [inbox, outbox, signals, start, stdin, stdout, stderr] =
            fixed.try_into().unwrap_or_default();
        Ok(Round {
            inbox,
            outbox,
            signals,
            start,
            stdin,
            outputs: [stdout, stderr],
            tunnel: tunnel.to_vec(),
        })
    }

    /// How long nothing has to be done by itself.
    fn patience(&self) -> Option<Duration> {
        let command = self.command.as_ref();
        let sweep = command.and_then(Command::exited_at);
        let sweep = sweep
            .filter(|_| self.outbox.has_room())
            .map(|_| Instant::now() + SWEEP_PAUSE);
        let times = [
            self.terms.idle.map(|idle| self.last_order + idle),
            self.terms.deadline.map(|deadline| self.begun + deadline),
            command.and_then(Command::next_due),
            sweep,
        ];
        let next = times.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Reaps children, and hears when the container is to be stopped.
    fn take_signals(&mut self) -> Result<(), End> {
        while let Some(signal) = self.signals.next() {
            if signal.number == libc::SIGCHLD {
                self.reap();
            } else if signal.is_from_outside || self.wards.are_descendants() {
                return Err(End::Host);
            }
        }
        Ok(())
    }

    /// Reaps all that have ended. True where no child is left.
    fn reap(&mut self) -> bool {
        loop {
            match sys::reap() {
                Children::Alive => return false,
                Children::None => return true,
                Children::Ended(reaped) => {
                    if let Some(command) = &mut self.command {
                        command.count(&reaped);
                    }
                }
            }
        }
    }

    fn serve_command(&mut self, round: &Round) {
        let Some(command) = &mut self.command else {
            return;
        };
        let [stdout, stderr] = round.outputs;
        if round.start.any || stdout.any || stderr.any {
            command.settle(&mut self.outbox);
        }
        if stdout.any || stderr.any {
            command.forward(&mut self.outbox, &mut self.scratch, false);
        }
        if round.stdin.any {
            command.feed(&mut self.outbox);
        }
    }

    fn serve_tunnel(&mut self, round: &Round) {
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.serve(&round.tunnel, &mut self.outbox, &mut self.scratch);
        }
    }

    fn take_orders(&mut self) -> Result<(), End> {
        let count = match self.inbox.read(&mut self.scratch) {
            Ok(0) => return Err(End::Host),
            Ok(count) => count,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
                    _ => Err(error.into()),
                };
            }
        };
        self.last_order = Instant::now();
        self.decoder
            .push(self.scratch.get(..count).unwrap_or_default());
        while let Some(frame) = self.decoder.next_frame()? {
            let id = frame.id;
            self.carry_out(id, Order::parse(frame)?)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, id: u32, order: Order) -> Result<(), End> {
        // An order about a command that has ended meanwhile is no mistake of anybody.
        let command = self.command.as_mut().filter(|command| command.id == id);
        match (order, command) {
            (Order::Run(run), _) => self.start(id, run)?,
            (Order::Ping, _) => self.outbox.put(id, &Report::Pong),
            (Order::Exit, _) => return Err(End::Host),
            (Order::Probe(paths), _) => {
                // A path with a zero byte is none, and is told as one that is not there.
                let paths: Vec<CString> = paths
                    .into_iter()
                    .filter_map(|path| CString::new(path).ok())
                    .collect();
                let seen = probe::probe(&paths).to_string();
                self.outbox.put(id, &Report::Probed(seen));
            }
            (Order::Stdin(bytes), Some(command)) => {
                if !command.take_stdin(&bytes, &mut self.outbox) {
                    let text = "more standard input than there is room for, or after its end";
                    return Err(End::Protocol(text.to_owned()));
                }
            }
            (Order::StdinEnd, Some(command)) => command.end_stdin(&mut self.outbox),
            (Order::Signal(signal), Some(command)) => command.signal(signal.into()),
            (Order::Kill, Some(_)) => self.kill(),
            (Order::Tunnel(segment), Some(_)) => {
                let tunnel = self.tunnel.as_mut();
                if !tunnel.is_some_and(|tunnel| tunnel.take(segment, &mut self.outbox)) {
                    let text = "something about a connection that cannot be said of it";
                    return Err(End::Protocol(text.to_owned()));
                }
            }
            (
                Order::Stdin(_)
                | Order::StdinEnd
                | Order::Signal(_)
                | Order::Tunnel(_)
                | Order::Kill,
                None,
            ) => {}
        }
        Ok(())
    }

    fn start(&mut self, id: u32, run: Run) -> Result<(), End> {
        let refused = |refusal, errno, text| {
            Report::Refused(Refused {
                refusal,
                errno,
                text,
            })
        };
        if self.command.is_some() {
            let text = "another command runs".to_owned();
            self.outbox.put(id, &refused(Refusal::Busy, 0, text));
            return Ok(());
        }
        // A command may set them for any process of its user, and the next one would inherit them.
        if Limits::now() != self.limits {
            return Err(End::Spoilt(
                "a command has changed the limits of the runner",
            ));
        }
        if run.clean_tmp
            && let Err((folder, error)) = tmp::clean()
        {
            let errno = error.raw_os_error().unwrap_or(0);
            let text = format!("cleaning {folder}: {error}");
            self.outbox.put(id, &refused(Refusal::Unclean, errno, text));
            return Ok(());
        }
        self.oom_before = self.oom.count();
        let tunnel = run
            .proxy
            .map(|port| Tunnel::open(id, port, &mut self.outbox));
        let started = tunnel.transpose().and_then(|tunnel| {
            let command = Command::start(id, run, self.oom_score.clone())?;
            Ok((command, tunnel))
        });
        match started {
            Ok((command, tunnel)) => {
                self.command = Some(command);
                self.tunnel = tunnel;
            }
            Err(refused) => self.outbox.put(id, &Report::Refused(refused)),
        }
        Ok(())
    }

    fn keep_time(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let is_over = |since: Instant, most: Option<Duration>| {
            most.is_some_and(|most| now.saturating_duration_since(since) >= most)
        };
        if is_over(self.begun, self.terms.deadline) {
            return Err(End::Deadline);
        }
        if is_over(self.last_order, self.terms.idle) {
            return Err(End::Idle);
        }
        let due = self.command.as_mut().and_then(|command| command.due(now));
        match (due, &self.command) {
            (Some(Due::Terminate), Some(command)) => command.signal(libc::SIGTERM),
            (Some(Due::Kill), _) => self.kill(),
            (Some(Due::GiveUp), _) => return Err(End::Spoilt("a command cannot be killed")),
            _ => {}
        }
        Ok(())
    }

    /// Kills the command with all that it started.
    fn kill(&mut self) {
        self.wards.kill();
        if let Some(command) = &mut self.command {
            command.expect_end_by(Instant::now() + SWEEP_LIMIT);
        }
    }

    /// Once the command has ended: kills what it left, passes on the last of its output, and says how it was.
    fn conclude(&mut self) -> Result<(), End> {
        let Some(exited_at) = self.command.as_ref().and_then(Command::exited_at) else {
            return Ok(());
        };
        if !self.is_alone() {
            if exited_at.elapsed() > SWEEP_LIMIT {
                return Err(End::Spoilt(
                    "something that a command left cannot be killed",
                ));
            }
            return Ok(());
        }
        let Some(command) = &mut self.command else {
            return Ok(());
        };
        command.settle(&mut self.outbox);
        command.forward(&mut self.outbox, &mut self.scratch, true);
        if command.is_drained() {
            let now = self.oom.count();
            let kills = now
                .zip(self.oom_before)
                .map(|(now, before)| now.saturating_sub(before));
            if let Some(report) = command.conclusion(kills) {
                self.outbox.put(command.id, &report);
            }
            self.command = None;
            self.tunnel = None;
        }
        Ok(())
    }

    /// Kills everything else, and looks whether nothing was there to be killed.
    fn is_alone(&mut self) -> bool {
        let were_there = self.wards.kill();
        let are_reaped = self.reap();
        are_reaped && (!were_there || self.wards.are_gone())
    }

    /// Kills everything else at the end. What is left of a namespace the kernel ends; descendants would live on.
    fn end_all(&mut self) {
        let begun = Instant::now();
        while !self.is_alone() && self.wards.are_descendants() && begun.elapsed() < SWEEP_LIMIT {
            std::thread::sleep(SWEEP_PAUSE);
        }
    }
}
