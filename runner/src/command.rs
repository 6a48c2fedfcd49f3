//! The command that runs: its start, what flows in and out of it, and what it took.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use toolhatch_runner::protocol::{Ended, Ending, Refusal, Refused, Report, Run, STDIN_WINDOW};

use crate::outbox::Outbox;
use crate::sys::{self, Failure, Process, Program, Reaped, Step};

/// Where programs are looked for, where nobody says.
const USUAL_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command, from its fork until everything about it was reported.
pub struct Command {
    /// The id of the order that started it.
    pub id: u32,
    /// What to call it in a refusal.
    name: String,
    process_id: i32,
    start: Option<File>,
    failure: Option<Failure>,
    stdin: Option<File>,
    /// What it did not take yet, at most [`STDIN_WINDOW`].
    pending: Vec<u8>,
    is_stdin_complete: bool,
    outputs: [Option<File>; 2],
    begun: Instant,
    deadline: Option<Instant>,
    grace: Duration,
    kill_at: Option<Instant>,
    give_up_at: Option<Instant>,
    timed_out: bool,
    exit: Option<Exit>,
    user_us: u64,
    system_us: u64,
    max_rss_bytes: u64,
    leftovers: u32,
}

/// How and when the first process of the command ended.
struct Exit {
    ending: Ending,
    at: Instant,
}

/// What the time has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// To ask the command to end.
    Terminate,
    /// To kill it with all that it started.
    Kill,
    /// To say that it cannot be killed.
    GiveUp,
}

impl Command {
    /// Forks. That the program was executed is learnt later, by [`Self::settle`].
    pub fn start(id: u32, run: Run, oom_score: Option<CString>) -> Result<Self, Refused> {
        let name =
            String::from_utf8_lossy(run.argv.first().map_or(b"", Vec::as_slice)).into_owned();
        let (deadline_ms, grace_ms, has_stdin) = (run.deadline_ms, run.grace_ms, run.stdin);
        let program = program(run, oom_score)?;
        let begun = Instant::now();
        let process = sys::spawn(&program).map_err(|error| refused_by(&error, &name))?;
        let after = |milliseconds| begun + Duration::from_millis(u64::from(milliseconds));
        Ok(Self {
            id,
            name,
            process_id: process.pid,
            start: Some(process.start),
            failure: None,
            stdin: has_stdin.then(|| File::from(process.stdin)),
            pending: Vec::new(),
            is_stdin_complete: false,
            outputs: [process.stdout, process.stderr].map(|fd| Some(File::from(fd))),
            begun,
            deadline: (deadline_ms > 0).then(|| after(deadline_ms)),
            grace: Duration::from_millis(grace_ms.into()),
            kill_at: None,
            give_up_at: None,
            timed_out: false,
            exit: None,
            user_us: 0,
            system_us: 0,
            max_rss_bytes: 0,
            leftovers: 0,
        })
    }

    /// What tells whether it was executed, until that is known.
    pub fn start_fd(&self) -> Option<BorrowedFd<'_>> {
        self.start.as_ref().map(File::as_fd)
    }

    /// Its standard input, where something waits to be written to it.
    pub fn stdin_fd(&self) -> Option<BorrowedFd<'_>> {
        let stdin = self.stdin.as_ref().filter(|_| !self.pending.is_empty());
        stdin.map(File::as_fd)
    }

    /// Its standard output and standard error, as long as somebody may write to them.
    pub fn output_fds(&self) -> [Option<BorrowedFd<'_>>; 2] {
        self.outputs
            .each_ref()
            .map(|file| file.as_ref().map(File::as_fd))
    }

    /// Finds out whether it was executed. Until then there is no output: it would stand before the word of the start.
    pub fn settle(&mut self, outbox: &mut Outbox) {
        let Some(start) = &mut self.start else {
            return;
        };
        match Process::started(start) {
            None => return,
            Some(Ok(())) => {
                let pid = u32::try_from(self.process_id).unwrap_or(0);
                outbox.put(self.id, &Report::Started(pid));
            }
            Some(Err(failure)) => self.failure = Some(failure),
        }
        self.start = None;
    }

    /// Passes on what it wrote, as long as there is room. Where it is known that nobody writes any more, the last of it.
    pub fn forward(&mut self, outbox: &mut Outbox, scratch: &mut [u8], is_last: bool) {
        if self.start.is_some() {
            return;
        }
        let kinds: [fn(Vec<u8>) -> Report; 2] = [Report::Stdout, Report::Stderr];
        for (output, kind) in self.outputs.iter_mut().zip(kinds) {
            while let Some(file) = output.as_mut().filter(|_| outbox.has_room()) {
                match file.read(scratch) {
                    Ok(0) => *output = None,
                    Ok(count) => {
                        let bytes = scratch.get(..count).unwrap_or_default();
                        outbox.put(self.id, &kind(bytes.to_vec()));
                    }
                    Err(error) => match error.kind() {
                        io::ErrorKind::Interrupted => {}
                        io::ErrorKind::WouldBlock if !is_last => break,
                        _ => *output = None,
                    },
                }
                if !is_last {
                    break;
                }
            }
        }
    }

    /// Takes in bytes for its standard input. False where the host may not send them: too many, or after their end.
    pub fn take_stdin(&mut self, bytes: &[u8], outbox: &mut Outbox) -> bool {
        if self.is_stdin_complete || self.pending.len() + bytes.len() > STDIN_WINDOW {
            return false;
        }
        self.pending.extend_from_slice(bytes);
        self.feed(outbox);
        true
    }

    /// No more will come for its standard input.
    pub fn end_stdin(&mut self, outbox: &mut Outbox) {
        self.is_stdin_complete = true;
        self.feed(outbox);
    }

    /// Writes to its standard input what can be written, and tells the host how much that was.
    pub fn feed(&mut self, outbox: &mut Outbox) {
        let mut taken = 0;
        while let Some(rest) = self.pending.get(taken..).filter(|rest| !rest.is_empty()) {
            let Some(stdin) = &mut self.stdin else {
                // What nobody will read counts as taken: the host may be waiting to send the rest.
                taken = self.pending.len();
                break;
            };
            match stdin.write(rest) {
                Ok(count) => taken += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => break,
                    _ => self.stdin = None,
                },
            }
        }
        self.pending.drain(..taken);
        if taken > 0 {
            outbox.put(
                self.id,
                &Report::Taken(u32::try_from(taken).unwrap_or(u32::MAX)),
            );
        }
        if self.is_stdin_complete && self.pending.is_empty() {
            self.stdin = None;
        }
    }

    /// Sends a signal to its process group. A group that is gone needs none.
    pub fn signal(&self, signal: i32) {
        if self.exit.is_none() {
            let _ = sys::signal_group(self.process_id, signal);
        }
    }

    /// What the time has come for, each thing once.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        if self.exit.is_some() {
            return None;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.give_up_at) {
            return Some(Due::GiveUp);
        }
        if is_due(self.kill_at) {
            self.kill_at = None;
            return Some(Due::Kill);
        }
        if is_due(self.deadline) {
            self.deadline = None;
            self.timed_out = true;
            self.kill_at = Some(now + self.grace);
            return Some(Due::Terminate);
        }
        None
    }

    /// When [`Self::due`] has to be asked again.
    pub fn next_due(&self) -> Option<Instant> {
        let all = [self.deadline, self.kill_at, self.give_up_at];
        let next = all.into_iter().flatten().min();
        next.filter(|_| self.exit.is_none())
    }

    /// It was killed, so it has to end by then.
    pub fn expect_end_by(&mut self, time: Instant) {
        self.give_up_at = self.give_up_at.or(Some(time));
    }

    /// Adds what a process took that has ended; everything in the container belongs to this command.
    pub fn count(&mut self, reaped: &Reaped) {
        let (user, system) = reaped.times_us;
        self.user_us += user;
        self.system_us += system;
        self.max_rss_bytes = self.max_rss_bytes.max(reaped.max_rss_bytes);
        if reaped.pid == self.process_id {
            let ending = reaped.code.map(Ending::Exited);
            let ending = ending.or(reaped.signal.map(Ending::Signalled));
            self.exit = Some(Exit {
                ending: ending.unwrap_or(Ending::Exited(u8::MAX)),
                at: Instant::now(),
            });
        } else if self.exit.is_some() && reaped.signal.map(i32::from) == Some(libc::SIGKILL) {
            self.leftovers += 1;
        }
    }

    /// When its first process ended.
    pub fn exited_at(&self) -> Option<Instant> {
        self.exit.as_ref().map(|exit| exit.at)
    }

    /// Whether all that it wrote was passed on.
    pub fn is_drained(&self) -> bool {
        self.outputs.iter().all(Option::is_none)
    }

    /// The last word about it, once it has ended.
    pub fn conclusion(&self, oom_kills: Option<u64>) -> Option<Report> {
        let exit = self.exit.as_ref()?;
        if let Some(failure) = self.failure {
            return Some(Report::Refused(refused(failure, &self.name)));
        }
        let duration = exit.at.saturating_duration_since(self.begun);
        Some(Report::Ended(Ended {
            ending: exit.ending,
            timed_out: self.timed_out,
            user_us: self.user_us,
            system_us: self.system_us,
            max_rss_bytes: self.max_rss_bytes,
            oom_kills,
            leftovers: self.leftovers,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        }))
    }
}

/// What the order means for the kernel.
fn program(run: Run, oom_score: Option<CString>) -> Result<Program, Refused> {
    let invalid = |text: &str| Refused {
        refusal: Refusal::Invalid,
        errno: 0,
        text: text.to_owned(),
    };
    let c_string = |text: Vec<u8>| {
        CString::new(text).map_err(|_| invalid("an argument or a variable has a zero byte in it"))
    };
    let mut env = run.env;
    if env.iter().any(|variable| !variable.contains(&b'=')) {
        return Err(invalid("a variable of the environment has no value"));
    }
    let value_of = |variable: &Vec<u8>| variable.strip_prefix(b"PATH=").map(<[u8]>::to_vec);
    let path = env.iter().find_map(value_of).unwrap_or_else(|| {
        let own = std::env::var_os("PATH").filter(|path| !path.is_empty());
        let path = own.map_or_else(|| USUAL_PATH.to_vec(), |path| path.as_bytes().to_vec());
        env.push([b"PATH=", path.as_slice()].concat());
        path
    });
    let name = run.argv.first().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| invalid("there is no program to run"))?;
    let paths = if name.contains(&b'/') {
        vec![name.clone()]
    } else {
        // An empty folder in it would be the working directory, where anybody may have put a program of that name.
        let folders = path
            .split(|byte| *byte == b':')
            .filter(|folder| !folder.is_empty());
        folders
            .map(|folder| [folder, b"/", name].concat())
            .collect()
    };
    let all = |texts: Vec<Vec<u8>>| {
        texts
            .into_iter()
            .map(c_string)
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Program {
        paths: all(paths)?,
        argv: all(run.argv)?,
        env: all(env)?,
        cwd: (!run.cwd.is_empty())
            .then(|| c_string(run.cwd))
            .transpose()?,
        umask: run.umask,
        oom_score,
    })
}

/// A failure to fork, or to make pipes.
fn refused_by(error: &io::Error, name: &str) -> Refused {
    let failure = Failure {
        step: Step::Prepare,
        errno: error.raw_os_error().unwrap_or(0),
    };
    refused(failure, name)
}

fn refused(failure: Failure, name: &str) -> Refused {
    let Failure { step, errno } = failure;
    let refusal = match (step, errno) {
        (Step::Enter, _) => Refusal::Directory,
        (_, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) | (Step::Prepare, _) => {
            Refusal::Resources
        }
        (Step::Execute, libc::ENOENT | libc::ENOTDIR) => Refusal::NotFound,
        (Step::Execute | Step::Interpret, _) => Refusal::NotExecutable,
    };
    let why = io::Error::from_raw_os_error(errno);
    let text = match (step, refusal) {
        (Step::Enter, _) => format!("entering the working directory: {why}"),
        (_, Refusal::NotFound) => format!("there is no program {name}"),
        (Step::Interpret, _) => format!("executing {name}: what interprets or loads it is missing"),
        (Step::Execute, _) => format!("executing {name}: {why}"),
        (Step::Prepare, _) => format!("starting {name}: {why}"),
    };
    Refused {
        refusal,
        errno,
        text,
    }
}
