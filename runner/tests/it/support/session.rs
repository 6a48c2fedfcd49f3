//! A host for the runner: sends orders and waits for reports, never for ever.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use toolhatch_runner::protocol::{Decoder, Ended, Ending, Order, Refused, Report, Run, VERSION};

use super::namespace::{self, RUNNER};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `toolhatch-runner serve`.
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    reports: Receiver<(u32, Report)>,
    next_id: u32,
}

/// What came of a command.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub end: Result<Ended, Refused>,
}

impl Outcome {
    /// How it ended, of a command that was started.
    pub fn ending(&self) -> Ending {
        self.ended().ending
    }

    /// All about its end, of a command that was started.
    pub fn ended(&self) -> &Ended {
        self.end.as_ref().expect("a command that was started")
    }

    /// What it wrote to its standard output, without the last line end.
    pub fn text(&self) -> &str {
        let text = std::str::from_utf8(&self.stdout).expect("UTF-8");
        text.strip_suffix('\n').unwrap_or(text)
    }
}

/// An order to run this, with nothing but a PATH.
pub fn command(argv: &[&str]) -> Run {
    Run {
        argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: Vec::new(),
        cwd: Vec::new(),
        deadline_ms: 15_000,
        grace_ms: 1000,
        umask: 0o022,
        stdin: false,
        clean_tmp: false,
        proxy: None,
    }
}

/// An order to run a shell script.
pub fn script(text: &str) -> Run {
    command(&["sh", "-c", text])
}

impl Session {
    /// Starts it as a container would; `None` where this system has no namespaces for it.
    pub fn start(options: &[&str]) -> Option<Self> {
        namespace::works().then(|| {
            let line = [&[RUNNER, "serve"], options].concat();
            Self::of(namespace::confined(&line))
        })
    }

    /// Starts it in some other way.
    pub fn of(mut command: std::process::Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .spawn()
            .expect("started");
        let mut stdout = child.stdout.take().expect("a pipe");
        // One report at a time: who does not ask for the next does not read.
        let (sender, reports) = sync_channel(0);
        std::thread::spawn(move || {
            let mut decoder = Decoder::new();
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                decoder.push(&buffer[..count]);
                while let Some(frame) = decoder.next_frame().expect("well-formed frames") {
                    let id = frame.id;
                    let report = Report::parse(frame).expect("a report");
                    if sender.send((id, report)).is_err() {
                        return;
                    }
                }
            }
        });
        let mut session = Self {
            stdin: child.stdin.take(),
            child,
            reports,
            next_id: 1,
        };
        assert_eq!(session.next(), (0, Report::Ready(VERSION)));
        session
    }

    /// The process id of `unshare`, whose only child is the runner.
    pub fn runner_pid(&self) -> u32 {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.expect("/proc").trim().parse().expect("one child")
    }

    /// Sends an order.
    pub fn order(&mut self, id: u32, order: &Order) {
        let mut bytes = Vec::new();
        order.encode(id, &mut bytes).expect("short enough");
        self.send(&bytes);
    }

    /// Sends bytes as they are. That the other end is gone is seen elsewhere.
    pub fn send(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(bytes);
        }
    }

    /// Sends the order to run something, and returns its id.
    pub fn run(&mut self, run: Run) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.order(id, &Order::Run(run));
        id
    }

    /// The next report.
    pub fn next(&mut self) -> (u32, Report) {
        self.next_within(PATIENCE).expect("a report in time")
    }

    /// The next report, if it comes in time.
    pub fn next_within(&mut self, time: Duration) -> Option<(u32, Report)> {
        self.reports.recv_timeout(time).ok()
    }

    /// Waits for the word that it runs.
    pub fn started(&mut self, id: u32) {
        let report = self.next();
        assert!(
            matches!(report, (got, Report::Started(_)) if got == id),
            "{report:?}"
        );
    }

    /// Gathers all about a command, until its end.
    pub fn finish(&mut self, id: u32) -> Outcome {
        let mut outcome = Outcome {
            stdout: Vec::new(),
            stderr: Vec::new(),
            end: Err(Refused {
                refusal: toolhatch_runner::protocol::Refusal::Busy,
                errno: 0,
                text: String::new(),
            }),
        };
        loop {
            let (got, report) = self.next();
            assert_eq!(got, id, "{report:?}");
            match report {
                Report::Stdout(bytes) => outcome.stdout.extend(bytes),
                Report::Stderr(bytes) => outcome.stderr.extend(bytes),
                Report::Started(_) | Report::Taken(_) => {}
                Report::Ended(ended) => {
                    outcome.end = Ok(ended);
                    return outcome;
                }
                Report::Refused(refused) => {
                    outcome.end = Err(refused);
                    return outcome;
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    /// Runs something to its end.
    pub fn outcome(&mut self, run: Run) -> Outcome {
        let id = self.run(run);
        self.finish(id)
    }

    /// Runs a shell script to its end.
    pub fn script(&mut self, text: &str) -> Outcome {
        self.outcome(script(text))
    }

    /// Closes its input.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has ended by itself.
    pub fn exit(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            // It must not be held up by what nobody reads.
            while self.reports.try_recv().is_ok() {}
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stdin = None;
        // `unshare` takes the namespace with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
