//! What a call tells while it runs: bounded, and the same for every executor.
//!
//! Caps sit here so that streamed output is held to them too. Whatever comes past a cap is counted, never silently lost.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::ids::{CallId, ToolId};
use crate::permission::{Access, Denial};

/// How much a log message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For the author of the tool.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is off.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// The lower-case word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One of the two output streams of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something a guest touched outside its own memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A file or folder was opened, changed, created or removed.
    File {
        /// The resolved path on the host.
        path: PathBuf,
        /// For reading or for writing.
        access: Access,
    },
    /// An HTTP request was sent.
    Http {
        /// The method.
        method: String,
        /// The URL without its query, which may hold secrets.
        url: String,
        /// The address the connection went to.
        address: SocketAddr,
    },
    /// A socket was connected, or a datagram sent.
    Connect {
        /// The address.
        address: SocketAddr,
        /// `tcp` or `udp`.
        protocol: &'static str,
    },
    /// A name was looked up.
    Lookup(String),
    /// A value of the plugin's own state was read or written.
    State {
        /// Its key.
        key: String,
        /// For reading or for writing.
        access: Access,
    },
    /// Another tool was called.
    Invoked {
        /// The tool.
        tool: ToolId,
        /// The id of that call, under which its own records stand.
        call: CallId,
    },
    /// A command ran in a container.
    Container {
        /// The image, as it was named.
        image: String,
        /// Its id.
        id: String,
        /// The program.
        program: String,
        /// What was found inside before the command began: who it runs as, and how it is confined.
        posture: String,
    },
}

impl Effect {
    /// The JSON form of results and records.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::File { path, access } => {
                json!({"type": "file", "path": path.to_string_lossy(), "access": access.to_string()})
            }
            Self::Http {
                method,
                url,
                address,
            } => {
                json!({"type": "http", "method": method, "url": url, "address": address.to_string()})
            }
            Self::Connect { address, protocol } => {
                json!({"type": protocol, "address": address.to_string()})
            }
            Self::Lookup(name) => json!({"type": "lookup", "name": name}),
            Self::State { key, access } => {
                json!({"type": "state", "key": key, "access": access.to_string()})
            }
            Self::Invoked { tool, call } => {
                json!({"type": "tool", "tool": tool, "call": call.to_string()})
            }
            Self::Container {
                image,
                id,
                program,
                posture,
            } => json!({
                "type": "container", "image": image, "id": id, "program": program, "posture": posture,
            }),
        }
    }
}

/// Something a call tells while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// How far it has come.
    Progress {
        /// How much is done.
        done: f64,
        /// How much there is, in the same unit.
        total: Option<f64>,
        /// What it is at.
        message: Option<&'a str>,
    },
    /// A log message.
    Log(LogLevel, &'a str),
    /// A piece of output.
    Output(Stdio, &'a [u8]),
    /// Something was denied, for the first time.
    Denied(&'a Denial),
    /// Something was touched, for the first time.
    Touched(&'a Effect),
}

/// How much of what a call tells is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLimits {
    /// Bytes of each of stdout and stderr.
    pub stdio: usize,
    /// Log messages.
    pub logs: usize,
    /// Bytes of all log messages.
    pub log_bytes: usize,
    /// Effects, and as many denials.
    pub effects: usize,
    /// Messages below this level are not kept.
    pub log_level: LogLevel,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self {
            stdio: 1 << 20,
            logs: 10_000,
            log_bytes: 1 << 20,
            effects: 10_000,
            log_level: LogLevel::Info,
        }
    }
}

/// Everything a call told, after it ended.
#[derive(Debug, Default)]
pub struct Events {
    /// Log messages in order.
    pub logs: Vec<(LogLevel, String)>,
    /// Log messages that came past the cap.
    pub logs_dropped: u64,
    /// The first bytes of stdout.
    pub stdout: Vec<u8>,
    /// Bytes of stdout past the cap.
    pub stdout_dropped: u64,
    /// The first bytes of stderr.
    pub stderr: Vec<u8>,
    /// Bytes of stderr past the cap.
    pub stderr_dropped: u64,
    /// What was touched, each thing once, in order of the first time.
    pub effects: Vec<Effect>,
    /// Effects past the cap.
    pub effects_dropped: u64,
    /// What was denied, each thing once, in order of the first time.
    pub denials: Vec<Denial>,
    /// Denials past the cap.
    pub denials_dropped: u64,
    /// What the host has to say about the call, besides its result.
    pub notices: Vec<String>,
}

#[derive(Default)]
struct Kept {
    events: Events,
    log_bytes: usize,
    seen_effects: HashSet<Effect>,
    seen_denials: HashSet<String>,
}

type Listener = Box<dyn Fn(Event<'_>) + Send + Sync>;

/// How much whoever watches has still to take. An executor waits for room before it reads on, so that a slow reader slows
/// the command down and nothing grows.
#[derive(Debug, Default)]
pub struct Backlog {
    bytes: AtomicUsize,
    taken: Notify,
}

impl Backlog {
    /// So much may wait.
    const MOST: usize = 4 << 20;

    /// Counts what was handed over.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Counts what was taken.
    pub fn take(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.taken.notify_waiters();
    }

    async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            if self.bytes.load(Ordering::Acquire) < Self::MOST {
                return;
            }
            taken.await;
        }
    }
}

/// Collects what one call tells, within limits, and passes it on to a listener as it comes.
pub struct EventSink {
    limits: EventLimits,
    kept: Mutex<Kept>,
    listener: Option<Listener>,
    backlog: Option<Arc<Backlog>>,
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSink")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl EventSink {
    /// A sink that only collects.
    #[must_use]
    pub fn new(limits: EventLimits) -> Self {
        Self {
            limits,
            kept: Mutex::default(),
            listener: None,
            backlog: None,
        }
    }

    /// A sink that also passes everything within the caps on to `listener`, which must not block.
    pub fn with_listener(
        limits: EventLimits,
        listener: impl Fn(Event<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            listener: Some(Box::new(listener)),
            ..Self::new(limits)
        }
    }

    /// Has executors wait while whoever watches has this much still to take.
    #[must_use]
    pub fn with_backlog(mut self, backlog: Arc<Backlog>) -> Self {
        self.backlog = Some(backlog);
        self
    }

    /// Waits until whoever watches has room for more output.
    pub async fn room(&self) {
        if let Some(backlog) = &self.backlog {
            backlog.room().await;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A listener that panics must not take the record of the call with it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, event: Event<'_>) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }

    /// True where somebody watches.
    #[must_use]
    pub fn has_listener(&self) -> bool {
        self.listener.is_some()
    }

    /// True where a message of this level is kept.
    #[must_use]
    pub fn logs_at(&self, level: LogLevel) -> bool {
        level >= self.limits.log_level
    }

    /// Reports progress.
    pub fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        self.pass_on(Event::Progress {
            done,
            total,
            message,
        });
    }

    /// True where state was read or written, or another tool called: a result may follow from that.
    #[must_use]
    pub fn has_memory(&self) -> bool {
        let kept = self.kept();
        let mut effects = kept.events.effects.iter();
        kept.events.effects_dropped > 0
            || effects.any(|it| matches!(it, Effect::State { .. } | Effect::Invoked { .. }))
    }

    /// Keeps a log message, within the caps.
    pub fn log(&self, level: LogLevel, message: &str) {
        if !self.logs_at(level) {
            return;
        }
        {
            let mut kept = self.kept();
            if kept.events.logs.len() >= self.limits.logs
                || kept.log_bytes.saturating_add(message.len()) > self.limits.log_bytes
            {
                kept.events.logs_dropped += 1;
                return;
            }
            kept.log_bytes += message.len();
            kept.events.logs.push((level, message.to_owned()));
        }
        self.pass_on(Event::Log(level, message));
    }

    /// Keeps output up to the cap and counts the rest.
    pub fn output(&self, stream: Stdio, bytes: &[u8]) {
        let taken = {
            let mut kept = self.kept();
            let events = &mut kept.events;
            let (buffer, dropped) = match stream {
                Stdio::Stdout => (&mut events.stdout, &mut events.stdout_dropped),
                Stdio::Stderr => (&mut events.stderr, &mut events.stderr_dropped),
            };
            let room = self.limits.stdio.saturating_sub(buffer.len());
            let (head, rest) = bytes.split_at(room.min(bytes.len()));
            buffer.extend_from_slice(head);
            *dropped += rest.len() as u64;
            head
        };
        if !taken.is_empty() {
            self.pass_on(Event::Output(stream, taken));
        }
    }

    /// Passes output on to whoever watches, without keeping it: the executor does.
    pub fn stream(&self, stream: Stdio, bytes: &[u8]) {
        self.pass_on(Event::Output(stream, bytes));
    }

    /// Keeps output that was streamed before, of which this many bytes are missing already.
    pub fn keep(&self, stream: Stdio, bytes: Vec<u8>, missing: u64) {
        let mut kept = self.kept();
        let events = &mut kept.events;
        let (buffer, dropped) = match stream {
            Stdio::Stdout => (&mut events.stdout, &mut events.stdout_dropped),
            Stdio::Stderr => (&mut events.stderr, &mut events.stderr_dropped),
        };
        *buffer = bytes;
        *dropped = missing;
    }

    /// Records something the guest touched.
    pub fn effect(&self, effect: Effect) {
        {
            let mut kept = self.kept();
            if kept.seen_effects.contains(&effect) {
                return;
            }
            if kept.events.effects.len() >= self.limits.effects {
                kept.events.effects_dropped += 1;
                return;
            }
            kept.seen_effects.insert(effect.clone());
            kept.events.effects.push(effect.clone());
        }
        self.pass_on(Event::Touched(&effect));
    }

    /// Records something the guest was denied.
    pub fn denied(&self, denial: Denial) {
        {
            let mut kept = self.kept();
            if kept.seen_denials.contains(&denial.to_string()) {
                return;
            }
            if kept.events.denials.len() >= self.limits.effects {
                kept.events.denials_dropped += 1;
                return;
            }
            kept.seen_denials.insert(denial.to_string());
            kept.events.denials.push(denial.clone());
        }
        self.pass_on(Event::Denied(&denial));
    }

    /// Says something about the call that its caller should know, whatever its result.
    pub fn notice(&self, notice: String) {
        self.log(LogLevel::Warn, &notice);
        self.kept().events.notices.push(notice);
    }

    /// What was said so far about the call.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.kept().events.notices.clone()
    }

    /// What was denied so far.
    #[must_use]
    pub fn denials(&self) -> Vec<Denial> {
        self.kept().events.denials.clone()
    }

    /// Takes everything that was collected.
    #[must_use]
    pub fn take(&self) -> Events {
        std::mem::take(&mut *self.kept()).events
    }

    /// The last lines of stderr, which often say why a guest gave up; at most `bytes` of them.
    #[must_use]
    pub fn stderr_tail(&self, bytes: usize) -> String {
        let kept = self.kept();
        let stderr = &kept.events.stderr;
        let from = stderr.len().saturating_sub(bytes);
        String::from_utf8_lossy(stderr.get(from..).unwrap_or_default())
            .trim()
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> EventSink {
        EventSink::new(EventLimits {
            stdio: 4,
            logs: 2,
            log_bytes: 8,
            effects: 1,
            log_level: LogLevel::Info,
        })
    }

    #[test]
    fn output_past_the_cap_is_counted() {
        let sink = small();
        sink.output(Stdio::Stdout, b"abc");
        sink.output(Stdio::Stdout, b"def");
        sink.output(Stdio::Stderr, b"x");
        let events = sink.take();
        assert_eq!(
            (events.stdout.as_slice(), events.stdout_dropped),
            (&b"abcd"[..], 2)
        );
        assert_eq!(events.stderr, b"x");
    }

    #[test]
    fn logs_below_the_level_are_ignored_and_past_the_cap_counted() {
        let sink = small();
        sink.log(LogLevel::Debug, "no");
        for _ in 0..4 {
            sink.log(LogLevel::Warn, "yes");
        }
        let events = sink.take();
        assert_eq!((events.logs.len(), events.logs_dropped), (2, 2));
    }

    #[test]
    fn an_effect_is_recorded_once() {
        let sink = small();
        sink.effect(Effect::Lookup("a".into()));
        sink.effect(Effect::Lookup("a".into()));
        sink.effect(Effect::Lookup("b".into()));
        let events = sink.take();
        assert_eq!((events.effects.len(), events.effects_dropped), (1, 1));
    }
}
