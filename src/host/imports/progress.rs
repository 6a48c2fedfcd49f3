//! `toolhatch:plugin/progress`: how far the guest says it has come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::HasData;

use crate::exec::EventSink;
use crate::host::bindings::toolhatch::plugin::progress::Host;

/// Reports that come faster than this are merged: nobody can read them.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// What was reported last.
#[derive(Debug, Default)]
pub(in crate::host) struct Progress {
    done: f64,
    reported: Option<Instant>,
}

/// What the import borrows from the store.
pub(in crate::host) struct ProgressView<'a> {
    pub(in crate::host) progress: &'a mut Progress,
    pub(in crate::host) events: &'a Arc<EventSink>,
}

/// Names [`ProgressView`] to wasmtime.
pub(in crate::host) struct HasProgress;

impl HasData for HasProgress {
    type Data<'a> = ProgressView<'a>;
}

impl Host for ProgressView<'_> {
    fn report(&mut self, done: f64, total: Option<f64>, message: Option<String>) {
        if !self.events.has_listener() || !done.is_finite() {
            return;
        }
        // Progress does not go back, whatever the guest says.
        self.progress.done = self.progress.done.max(done);
        let finished = total.is_some_and(|total| self.progress.done >= total);
        let too_soon = self
            .progress
            .reported
            .is_some_and(|reported| reported.elapsed() < SHORTEST_INTERVAL);
        if too_soon && !finished {
            return;
        }
        self.progress.reported = Some(Instant::now());
        let total = total.filter(|total| total.is_finite());
        self.events
            .progress(self.progress.done, total, message.as_deref());
    }

    fn wanted(&mut self) -> bool {
        self.events.has_listener()
    }
}
