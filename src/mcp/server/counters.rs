//! What a server did so far, in numbers: the text that Prometheus reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::error::Code;

/// Counts what happens.
#[derive(Debug)]
pub(super) struct Counters {
    started: Instant,
    /// By code of the error; the calls that went well have none.
    calls: Mutex<BTreeMap<Option<Code>, u64>>,
    requests: AtomicU64,
    refused: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            calls: Mutex::default(),
            requests: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// A call has ended.
    pub(super) fn called(&self, code: Option<Code>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(code).or_default() += 1;
    }

    /// An HTTP request has come.
    pub(super) fn requested(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// An HTTP request came from somebody who is not let in.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it, in the text format of Prometheus.
    pub(super) fn text(&self, running: usize) -> String {
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, lines: &[(String, u64)]| {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "# HELP toolhatch_{name} {help}\n# TYPE toolhatch_{name} {kind}"
            );
            for (labels, value) in lines {
                let _ = writeln!(text, "toolhatch_{name}{labels} {value}");
            }
        };
        let calls: Vec<(String, u64)> = {
            let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls
                .iter()
                .map(|(code, count)| {
                    let code = code.map_or("ok", |code| code.name());
                    (format!("{{code=\"{code}\"}}"), *count)
                })
                .collect()
        };
        let plain = |value: u64| vec![(String::new(), value)];
        metric("calls_total", "counter", "Calls that ended.", &calls);
        let running = u64::try_from(running).unwrap_or(u64::MAX);
        metric("calls_running", "gauge", "Calls that run.", &plain(running));
        let requests = self.requests.load(Ordering::Relaxed);
        metric(
            "http_requests_total",
            "counter",
            "HTTP requests that came.",
            &plain(requests),
        );
        let refused = self.refused.load(Ordering::Relaxed);
        metric(
            "http_refused_total",
            "counter",
            "HTTP requests of clients that were not let in.",
            &plain(refused),
        );
        metric(
            "uptime_seconds",
            "gauge",
            "Seconds since the start.",
            &plain(self.started.elapsed().as_secs()),
        );
        text
    }
}
