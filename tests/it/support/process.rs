//! The built binary as a child process: cut off from the terminal and the environment of whoever runs the tests, and never
//! running for longer than its deadline.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::Value;

use super::pty::Terminal;

/// No test waits longer than this for the binary.
const GENEROUS: Duration = Duration::from_secs(60);

/// A run that is being put together; nothing happens before one of its last four methods is called.
#[must_use = "call `output`, `ok`, `fails_with` or `start`"]
pub struct Run {
    command: Command,
    stdin: Option<Vec<u8>>,
    timeout: Duration,
}

impl Run {
    pub fn new(command: Command) -> Self {
        Self {
            command,
            stdin: None,
            timeout: GENEROUS,
        }
    }

    /// Sets a variable of the environment, which has only what the test environment gives it.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The folder that it runs in, in place of the workspace.
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Another program that is started in its place, with these arguments and behind them its own command line.
    pub fn behind<'a>(
        mut self,
        program: &str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut outer = Command::new(program);
        outer
            .args(arguments)
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .env_clear()
            .envs(
                self.command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        if let Some(folder) = self.command.get_current_dir() {
            outer.current_dir(folder);
        }
        self.command = outer;
        self
    }

    /// What stands on standard input; without it, nothing does.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Fails the test, with everything that was seen, where the run takes longer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the binary without waiting for it.
    pub fn start(mut self) -> Running {
        let stdin = match self.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        self.command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        new_session(&mut self.command, None);
        let mut running = Running::spawn(&mut self.command, self.timeout);
        let stdout = running.child.stdout.take().expect("piped");
        running.stdout.read_from(stdout);
        let stderr = running.child.stderr.take().expect("piped");
        running.stderr.read_from(stderr);
        running.write_stdin(self.stdin);
        running
    }

    /// Starts the binary on a terminal of its own, where a person can be asked. Where something stands on standard input,
    /// only that is not the terminal.
    pub fn on_terminal(mut self) -> Terminal {
        let (controller, terminal) = super::pty::open();
        let side = |terminal: &OwnedFd| Stdio::from(terminal.try_clone().expect("cloned"));
        let stdin = match self.stdin {
            Some(_) => Stdio::piped(),
            None => side(&terminal),
        };
        self.command
            .stdin(stdin)
            .stdout(side(&terminal))
            .stderr(side(&terminal));
        new_session(&mut self.command, Some(terminal));
        let mut running = Running::spawn(&mut self.command, self.timeout);
        // The terminal ends when nobody has it open any more; the command still holds our own copies of it.
        drop(self.command);
        running
            .stdout
            .read_from(controller.try_clone().expect("cloned"));
        running.stderr.change(|seen| seen.ended = true);
        running.write_stdin(self.stdin);
        Terminal::new(running, controller)
    }

    /// Starts the binary with these for its standard input and output, to talk to it line by line. Whoever starts it so
    /// closes its input and waits for it.
    pub fn spawn_with(mut self, stdin: Stdio, stdout: Stdio) -> Child {
        self.command
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::null());
        new_session(&mut self.command, None);
        self.command.spawn().expect("started")
    }

    /// Runs the binary to its end.
    #[must_use = "assert how it ended, with `ok` or `fails_with`"]
    pub fn output(self) -> Output {
        self.start().finish()
    }

    /// Runs it and asserts that it went well.
    pub fn ok(self) -> Output {
        self.output().ok()
    }

    /// Runs it and asserts that it ended with this exit code and error code.
    pub fn fails_with(self, exit: i32, code: &str) -> Output {
        self.output().fails_with(exit, code)
    }
}

/// Makes the child the leader of a new session, so that prompts cannot reach the terminal the tests run on and the whole
/// group can be ended; `terminal` becomes the terminal it is controlled from.
#[expect(
    unsafe_code,
    reason = "std has no safe way to give a child a session and a controlling terminal"
)]
fn new_session(command: &mut Command, terminal: Option<OwnedFd>) {
    // SAFETY: between fork and exec only two system calls are made, on a descriptor the closure owns.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            if let Some(terminal) = &terminal {
                rustix::process::ioctl_tiocsctty(terminal)?;
            }
            Ok(())
        });
    }
}

/// What a stream gave so far.
#[derive(Clone, Default)]
struct Captured(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

impl Captured {
    /// Reads a stream to its end on a thread of its own, so that the child never waits for its reader.
    fn read_from(&self, mut stream: impl Read + Send + 'static) {
        let captured = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            // A pseudo-terminal ends in an error on Linux when the last process closes it.
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                captured.change(|seen| seen.bytes.extend_from_slice(&buffer[..count]));
            }
            captured.change(|seen| seen.ended = true);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        let Self(shared) = self;
        change(&mut shared.0.lock().expect("not poisoned"));
        shared.1.notify_all();
    }

    /// Waits until the stream ends, at most until the deadline.
    fn wait_for_end(&self, deadline: Instant) {
        let (lock, changed) = &*self.0;
        let mut seen = lock.lock().expect("not poisoned");
        while !seen.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            seen = changed.wait_timeout(seen, left).expect("not poisoned").0;
        }
    }

    fn has_ended(&self) -> bool {
        self.0.0.lock().expect("not poisoned").ended
    }

    fn text(&self) -> String {
        let seen = self.0.0.lock().expect("not poisoned");
        String::from_utf8_lossy(&seen.bytes).into_owned()
    }
}

/// A child that runs. It is killed, with its group, when it is dropped.
pub struct Running {
    child: Child,
    stdout: Captured,
    stderr: Captured,
    writer: Option<JoinHandle<()>>,
    started: Instant,
    deadline: Instant,
    command: String,
    status: Option<ExitStatus>,
}

impl Running {
    fn spawn(command: &mut Command, timeout: Duration) -> Self {
        let started = Instant::now();
        Self {
            child: command.spawn().expect("the binary starts"),
            stdout: Captured::default(),
            stderr: Captured::default(),
            writer: None,
            started,
            deadline: started + timeout,
            command: format!("{command:?}"),
            status: None,
        }
    }

    fn write_stdin(&mut self, bytes: Option<Vec<u8>>) {
        let (Some(bytes), Some(mut stdin)) = (bytes, self.child.stdin.take()) else {
            return;
        };
        // A child that ends before it has read everything is not a failure of the test.
        self.writer = Some(std::thread::spawn(move || drop(stdin.write_all(&bytes))));
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal to the binary, as Ctrl-C does with `Signal::INT`.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it still runs");
    }

    /// What it has shown so far, on either stream.
    pub fn shown(&self) -> String {
        self.stdout.text() + &self.stderr.text()
    }

    /// Waits until it has shown this text, on either stream or on its terminal.
    pub fn wait_for(&self, text: &str) {
        let streams = [&self.stdout, &self.stderr];
        let shown = || streams.iter().any(|stream| stream.text().contains(text));
        let ended = || streams.iter().all(|stream| stream.has_ended());
        while !shown() {
            // What came last may have come between the two questions.
            let is_over = (ended() && !shown()) || Instant::now() > self.deadline;
            assert!(!is_over, "it did not show {text:?}\n{}", self.describe());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until it ends. Its process id stays taken until its group was ended too.
    #[must_use = "assert how it ended, with `ok` or `fails_with`"]
    pub fn finish(mut self) -> Output {
        let mut pause = Duration::from_millis(1);
        while !self.has_ended() && Instant::now() < self.deadline {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
        let elapsed = self.started.elapsed();
        let in_time = self.has_ended();
        self.end();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
        let soon = Instant::now() + Duration::from_secs(5);
        for stream in [&self.stdout, &self.stderr] {
            stream.wait_for_end(soon);
        }
        assert!(
            in_time,
            "it did not end within {elapsed:?}\n{}",
            self.describe()
        );
        let status = self.status.expect("it was waited for");
        assert_ne!(status.code(), Some(101), "it panicked\n{}", self.describe());
        Output {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            elapsed,
            command: std::mem::take(&mut self.command),
        }
    }

    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = rustix::process::waitid(WaitId::Pid(self.pid()), options);
        status.expect("our own child").is_some()
    }

    fn end(&mut self) {
        if self.status.is_some() {
            return;
        }
        // There may be nobody left to kill.
        let _ = rustix::process::kill_process_group(self.pid(), Signal::KILL);
        self.status = self.child.wait().ok();
    }

    fn describe(&self) -> String {
        describe(
            &self.command,
            self.status,
            &self.stdout.text(),
            &self.stderr.text(),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// How a run ended.
pub struct Output {
    /// The exit code; absent where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output; on a terminal everything that was shown.
    pub stdout: String,
    /// Standard error; empty on a terminal.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
    command: String,
}

impl Output {
    /// Asserts that it went well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "it should have gone well\n{self}");
        self
    }

    /// Asserts the exit code, and that the error of this code was shown, as text or as JSON.
    #[track_caller]
    pub fn fails_with(self, exit: i32, code: &str) -> Self {
        assert_eq!(
            self.code,
            Some(exit),
            "it should have ended in {exit}, {code}\n{self}"
        );
        let as_text = format!("[{code}]");
        let as_json = format!("\"{code}\"");
        let shown = self.stderr.contains(&as_text)
            || self.stdout.contains(&as_text)
            || self.stdout.contains(&as_json);
        assert!(shown, "it should have shown {code}\n{self}");
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("its output is not JSON: {error}\n{self}"),
        }
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| match serde_json::from_str(line) {
                Ok(value) => value,
                Err(error) => panic!("the line {line:?} is not JSON: {error}\n{self}"),
            })
            .collect()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        writeln!(f, "after {:?}: {status}", self.elapsed)?;
        f.write_str(&describe(&self.command, None, &self.stdout, &self.stderr))
    }
}

fn describe(command: &str, status: Option<ExitStatus>, stdout: &str, stderr: &str) -> String {
    let mut text = format!("command: {command}\n");
    if let Some(status) = status {
        writeln!(text, "{status}").expect("written");
    }
    for (name, stream) in [("stdout", stdout), ("stderr", stderr)] {
        let start: String = stream.chars().take(4000).collect();
        writeln!(text, "--- {name}, {} bytes ---\n{start}", stream.len()).expect("written");
    }
    text
}

/// How many processes of this machine have this among their arguments by itself.
pub fn with_argument(argument: &str) -> usize {
    let is_it = |entry: &std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .any(|word| word == argument.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").expect("/proc");
    entries.filter_map(Result::ok).filter(is_it).count()
}
