//! A sink that passes records on to a syslog.
//!
//! Messages wait in a bounded queue, and a thread of its own sends them, so that a syslog that is slow, full or gone costs
//! the log nothing. What finds no room is counted, and the syslog is told the count once there is room again. Nothing here
//! is certain to arrive: the protocol has no acknowledgements. The log has everything.

mod message;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use self::message::Format;
use self::transport::Transport;
use super::sink::{OnTrouble, Sink};
use crate::config::{SyslogAddress, SyslogConfig};
use crate::error::{Code, Error, Result};

/// How many messages wait at most, and how many bytes of them.
const MOST: usize = 8192;
const MOST_BYTES: usize = 16 << 20;
/// How long a message that could not be sent waits before it is tried again; doubles up to the second.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long a process that ends waits for what is still in the queue.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Passes records on to a syslog, as messages of RFC 5424.
pub struct SyslogSink {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Entry>,
    bytes: usize,
    /// Records that found no room since the last one that did.
    lost: u64,
    /// Nothing more comes, and this is how long the rest has.
    until: Option<Instant>,
    is_over: bool,
}

enum Entry {
    Line(Box<[u8]>),
    /// So many records are missing here.
    Lost(u64),
}

impl Entry {
    fn bytes(&self) -> usize {
        match self {
            Self::Line(line) => line.len(),
            Self::Lost(_) => 0,
        }
    }

    fn records(&self) -> u64 {
        match self {
            Self::Line(_) => 1,
            Self::Lost(count) => *count,
        }
    }
}

impl SyslogSink {
    /// A sink for the syslog at `address`; `config` says how messages look. It is connected to when there is something to
    /// send. `tell` hears, once for each outage, that it cannot be reached.
    ///
    /// # Errors
    /// E3801 where the thread that sends cannot be started.
    pub fn start(address: SyslogAddress, config: &SyslogConfig, tell: OnTrouble) -> Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let sender = Sender {
            shared: Arc::clone(&shared),
            format: Format::new(config),
            transport: Transport::new(address),
            tell,
        };
        std::thread::Builder::new()
            .name("syslog".to_owned())
            .spawn(move || sender.run())
            .map_err(|error| {
                Error::new(Code::E3801, "starting the thread that sends to the syslog")
                    .caused_by(error)
            })?;
        Ok(Self { shared })
    }
}

impl fmt::Debug for SyslogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.shared.lock().queue.len();
        f.debug_struct("SyslogSink")
            .field("waiting", &waiting)
            .finish()
    }
}

impl Sink for SyslogSink {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut state = self.shared.lock();
        if state.queue.len() >= MOST || state.bytes + line.len() > MOST_BYTES {
            state.lost += 1;
            return Ok(());
        }
        if state.lost > 0 {
            let lost = std::mem::take(&mut state.lost);
            state.queue.push_back(Entry::Lost(lost));
        }
        state.bytes += line.len();
        state.queue.push_back(Entry::Line(line.into()));
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }
}

impl Drop for SyslogSink {
    fn drop(&mut self) {
        let until = Instant::now() + LAST_MOMENT;
        let mut state = self.shared.lock();
        state.until = Some(until);
        self.shared.changed.notify_all();
        while !state.is_over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // A thread that hangs in a system call is left behind; the process ends without it.
                return;
            }
            state = self.shared.wait(state, left);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The thread that sends.
struct Sender {
    shared: Arc<Shared>,
    format: Format,
    transport: Transport,
    tell: OnTrouble,
}

impl Sender {
    fn run(mut self) {
        while let Some(entry) = self.next() {
            if !self.send(&entry) {
                let state = self.shared.lock();
                let waiting: u64 = state.queue.iter().map(Entry::records).sum();
                let unsent = entry.records() + waiting + state.lost;
                drop(state);
                let why = format!("{unsent} records were not sent before the end");
                (self.tell)(&self.trouble(&why));
                break;
            }
        }
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
    }

    /// What is to be sent next; nothing where nothing more comes.
    fn next(&self) -> Option<Entry> {
        let mut state = self.shared.lock();
        loop {
            if let Some(entry) = state.queue.pop_front() {
                state.bytes -= entry.bytes();
                return Some(entry);
            }
            if state.lost > 0 {
                return Some(Entry::Lost(std::mem::take(&mut state.lost)));
            }
            if state.until.is_some() {
                return None;
            }
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends it, however long that takes; false where the process ends before.
    fn send(&mut self, entry: &Entry) -> bool {
        let mut pause = PAUSE;
        let mut is_told = false;
        loop {
            let message = match entry {
                Entry::Line(line) => self.format.record(line),
                Entry::Lost(count) => self.format.lost(*count),
            };
            let Err(error) = self.transport.send(&message) else {
                return true;
            };
            if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) && self.format.shorten() {
                continue;
            }
            if !is_told {
                is_told = true;
                let trouble = self.trouble("messages wait until it is there");
                (self.tell)(&trouble.caused_by(error));
            }
            if !self.sleep(pause) {
                return false;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn trouble(&self, what: &str) -> Error {
        Error::new(
            Code::E3502,
            format!(
                "passing audit records on to the syslog at {}: {what}",
                self.transport.address()
            ),
        )
        .hint("Check the address in `audit.syslog`, and that something listens there. The audit log itself has every record.")
    }

    /// False where the time that is left is over.
    fn sleep(&self, pause: Duration) -> bool {
        let wake = Instant::now() + pause;
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            let end = state.until.map_or(wake, |until| until.min(wake));
            if now >= end {
                return state.until.is_none_or(|until| now < until);
            }
            state = self.shared.wait(state, end - now);
        }
    }
}
