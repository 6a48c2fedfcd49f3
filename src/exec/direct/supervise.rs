//! The process that looks after a command: it adopts what the command starts, keeps its time, and leaves nothing behind.
//!
//! It is not confined as the command is, and the command cannot reach it: no signal leaves what Landlock confines. It ends
//! with Toolhatch: when nobody holds the other end of its socket any more, it kills everything.

use std::fs::{self, DirBuilder};
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group};
use toolhatch_runner::protocol::{Decoder, Ended, Ending, Order as Told, Report};

use super::order::{Order, Reachable};
use super::{SUBCOMMAND, descriptor, namespace, processes, sys};

/// How long a process of ours may take until it is the command.
const BEGINS_WITHIN: Duration = Duration::from_secs(30);
/// How often is looked again for what is still to be killed.
const AGAIN: Duration = Duration::from_millis(5);
/// What cannot be killed for so long hangs in the kernel.
const GIVES_UP: Duration = Duration::from_secs(5);

/// Looks after one command to its end.
pub(super) fn main() -> io::Result<()> {
    let mut control = sys::control()?;
    sys::keep_descriptors()?;
    rustix::process::setsid()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let (order, input) = Order::read(&mut control)?;
    let temporary = match Temporary::make(&order) {
        Ok(temporary) => temporary,
        Err(error) => {
            let text = format!("making {}: {error}", order.temporary.display());
            return send(&mut control, &Report::Error(text));
        }
    };
    let ended = look_after(&order, input, &mut control);
    // Removed before it is said that all is over: whoever hears that finds nothing left.
    drop(temporary);
    let report = ended.unwrap_or_else(|error| Report::Error(error.to_string()));
    send(&mut control, &report)
}

/// A folder that is removed with everything in it.
struct Temporary<'a>(&'a Path);

impl<'a> Temporary<'a> {
    fn make(order: &'a Order) -> io::Result<Self> {
        let path = order.temporary.as_path();
        // Where there is something of that name, nobody of us made it.
        DirBuilder::new().mode(0o700).create(path)?;
        let made = Self(path);
        if let Some((uid, gid)) = order.user {
            std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
        }
        Ok(made)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if fs::remove_dir_all(self.0).is_err() {
            // A command can have closed a folder of its own; it is the same user's and can be opened again.
            open_folders(self.0);
            let _left_in_the_temporary_folder_of_the_system = fs::remove_dir_all(self.0);
        }
    }
}

fn open_folders(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _not_ours = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_folders(&entry.path());
        }
    }
}

fn send(control: &mut UnixStream, report: &Report) -> io::Result<()> {
    let mut bytes = Vec::new();
    report
        .encode(0, &mut bytes)
        .map_err(|error| io::Error::other(error.to_string()))?;
    control.write_all(&bytes)
}

/// What happens while a command runs.
enum Event {
    /// It was told something.
    Told(Told),
    /// Nobody is there any more to tell it something.
    Alone,
    /// A process has ended.
    Ended(Pid, Ending),
    /// Nothing is left.
    Nothing,
}

fn look_after(order: &Order, input: OwnedFd, control: &mut UnixStream) -> io::Result<Report> {
    let began = Instant::now();
    if order.network == Reachable::Proxy
        && let Err(error) = open_way_out(control)
    {
        let text = format!("giving it a network of its own: {error}");
        return Ok(Report::Error(text));
    }
    let begun = begin(order, input.as_fd(), control);
    if !matches!(begun, Ok(Ok(_))) {
        wind_up();
    }
    let first = match begun? {
        Ok(first) => first,
        Err(report) => return Ok(report),
    };
    // What it reads and writes ends when it ends it, and not when this process does.
    drop(input);
    let nothing = fs::File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    send(
        control,
        &Report::Started(first.as_raw_nonzero().get().cast_unsigned()),
    )?;
    let (sender, events) = channel();
    let listening = control.try_clone()?;
    let told = sender.clone();
    thread::Builder::new().spawn(move || listen(listening, &told))?;
    thread::Builder::new().spawn(move || reap(&sender))?;
    let mut command = Watched {
        first,
        deadline: order
            .deadline_ms
            .map(|deadline| began + Duration::from_millis(deadline)),
        kill_at: None,
        grace: Duration::from_millis(order.grace_ms),
        ending: None,
        timed_out: false,
        ended_at: None,
        killing_since: None,
        leftovers: 0,
    };
    command.follow(&events)?;
    let (user_us, system_us, max_rss_bytes) = sys::used_by_children();
    let duration = command.ended_at.unwrap_or_else(Instant::now) - began;
    Ok(Report::Ended(Ended {
        ending: command.ending.unwrap_or(Ending::Signalled(9)),
        timed_out: command.timed_out,
        user_us,
        system_us,
        max_rss_bytes,
        oom_kills: None,
        leftovers: command.leftovers,
        duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
    }))
}

/// Leaves the network of this machine, and hands over the socket that the proxy is found at in the one that takes its place.
fn open_way_out(control: &mut UnixStream) -> io::Result<()> {
    let listener = namespace::enter()?;
    let mut bytes = Vec::new();
    let listening = Report::Listening(listener.local_addr()?.port());
    let encoded = listening.encode(0, &mut bytes);
    encoded.map_err(|error| io::Error::other(error.to_string()))?;
    descriptor::send(control.as_fd(), &bytes, listener.as_fd())
}

/// Starts the process that becomes the command, and waits until it is.
fn begin(
    order: &Order,
    input: BorrowedFd<'_>,
    control: &mut UnixStream,
) -> io::Result<Result<Pid, Report>> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let child = {
        let mut command = Command::new("/proc/self/exe");
        command
            .args([SUBCOMMAND, "run"])
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)));
        if let Some((uid, gid)) = order.user {
            command.uid(uid).gid(gid);
        }
        command.spawn()?
    };
    let first = Pid::from_child(&child);
    ours.set_read_timeout(Some(BEGINS_WITHIN))?;
    ours.set_write_timeout(Some(BEGINS_WITHIN))?;
    order.write(input, &mut ours)?;
    ours.shutdown(Shutdown::Write)?;
    let mut said = Vec::new();
    // The command itself does not have the other end: it is closed when it begins.
    ours.read_to_end(&mut said)?;
    let mut decoder = Decoder::new();
    decoder.push(&said);
    let mut is_confined = false;
    let broken = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
    while let Some(frame) = decoder.next_frame().map_err(|error| broken(&error))? {
        match Report::parse(frame).map_err(|error| broken(&error))? {
            probed @ Report::Probed(_) => {
                is_confined = true;
                send(control, &probed)?;
            }
            other => return Ok(Err(other)),
        }
    }
    if !is_confined {
        let text = "the process ended before it was confined".to_owned();
        return Ok(Err(Report::Error(text)));
    }
    Ok(Ok(first))
}

/// Kills and reaps whatever is there.
fn wind_up() {
    let until = Instant::now() + GIVES_UP;
    while Instant::now() < until {
        processes::kill_descendants();
        match rustix::process::wait(WaitOptions::NOHANG) {
            Err(_) => return,
            Ok(Some(_)) => {}
            Ok(None) => thread::sleep(AGAIN),
        }
    }
}

/// Passes on what Toolhatch says.
fn listen(mut control: UnixStream, events: &Sender<Event>) {
    let mut decoder = Decoder::new();
    let mut buffer = [0; 256];
    loop {
        let count = match control.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        decoder.push(buffer.get(..count).unwrap_or_default());
        while let Ok(Some(frame)) = decoder.next_frame() {
            let Ok(told) = Told::parse(frame) else { break };
            if events.send(Event::Told(told)).is_err() {
                return;
            }
        }
    }
    let _nobody_waits = events.send(Event::Alone);
}

/// Reaps until nothing is left: the command, and what lost its parent.
fn reap(events: &Sender<Event>) {
    loop {
        let event = match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                let status = ExitStatus::from_raw(status.as_raw());
                match ending(status) {
                    Some(ending) => Event::Ended(pid, ending),
                    None => continue,
                }
            }
            Err(rustix::io::Errno::INTR) | Ok(None) => continue,
            Err(_) => Event::Nothing,
        };
        let is_last = matches!(event, Event::Nothing);
        if events.send(event).is_err() || is_last {
            return;
        }
    }
}

fn ending(status: ExitStatus) -> Option<Ending> {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    let exited = status.code().map(|code| Ending::Exited(byte(code)));
    exited.or_else(|| {
        status
            .signal()
            .map(|signal| Ending::Signalled(byte(signal)))
    })
}

/// A command that runs, or has left something that does.
struct Watched {
    first: Pid,
    deadline: Option<Instant>,
    kill_at: Option<Instant>,
    grace: Duration,
    ending: Option<Ending>,
    timed_out: bool,
    ended_at: Option<Instant>,
    killing_since: Option<Instant>,
    leftovers: u32,
}

impl Watched {
    fn follow(&mut self, events: &Receiver<Event>) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                self.deadline = None;
                self.timed_out = self.ending.is_none();
                self.signal(Signal::TERM);
                self.kill_at = Some(now + self.grace);
            }
            if self.kill_at.is_some_and(|kill_at| kill_at <= now) {
                self.kill_at = None;
                self.kill();
            }
            if self.killing_since.is_some() {
                processes::kill_descendants();
            }
            if self
                .killing_since
                .is_some_and(|since| since + GIVES_UP <= now)
            {
                let text = "something that the command left cannot be killed";
                return Err(io::Error::other(text));
            }
            match events.recv_timeout(self.patience(now)) {
                Ok(Event::Told(Told::Signal(number))) => {
                    if let Some(signal) = Signal::from_named_raw(number.into()) {
                        self.signal(signal);
                    }
                }
                Ok(Event::Told(Told::Kill | Told::Exit) | Event::Alone) => self.kill(),
                Ok(Event::Ended(pid, ending)) if pid == self.first => {
                    self.ending = Some(ending);
                    self.ended_at = Some(Instant::now());
                    self.kill();
                }
                Ok(Event::Ended(..)) => self.leftovers = self.leftovers.saturating_add(1),
                Ok(Event::Nothing) => return Ok(()),
                Ok(Event::Told(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("it cannot follow the command any more"));
                }
            }
        }
    }

    /// How long nothing has to be done by itself.
    fn patience(&self, now: Instant) -> Duration {
        if self.killing_since.is_some() {
            return AGAIN;
        }
        let next = [self.deadline, self.kill_at].into_iter().flatten().min();
        next.map_or(Duration::from_secs(3600), |next| next - now)
    }

    fn kill(&mut self) {
        self.killing_since.get_or_insert_with(Instant::now);
    }

    /// To the group of the command, as long as that is certainly its own.
    fn signal(&self, signal: Signal) {
        if self.ending.is_none() {
            let _gone_already = kill_process_group(self.first, signal);
        }
    }
}
