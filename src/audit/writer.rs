//! The thread that writes what waits in the queue of a log, in batches.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::chain::{Appended, Chain};
use super::event::Prepared;
use super::head::Head;
use super::log::Outlets;
use crate::error::{Code, Error, Result};

/// How long the writer waits after a failure before it tries again by itself.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A batch is written when it has grown to this many bytes, even if more events wait.
const BATCH_BYTES: usize = 4 << 20;

/// What waits for an event to be on the disk.
pub(super) type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// What those who append and the thread that writes have in common.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// There is something to write, or it is time to end.
    pub(super) work: Condvar,
    /// There is room in the queue again, or a reason not to wait for it.
    pub(super) room: Condvar,
    pub(super) most: usize,
}

/// Guarded by its lock.
pub(super) struct State {
    pub(super) queue: VecDeque<Item>,
    pub(super) head: Head,
    /// The last attempt to write failed, for this reason.
    pub(super) failing: Option<String>,
    pub(super) closing: bool,
}

/// Something the writer has to do.
pub(super) struct Item {
    /// `None` where only the disk is to be waited for.
    pub(super) event: Option<Prepared>,
    /// Told when it is written.
    pub(super) done: Option<Done>,
    /// Whoever waits, waits for the disk: the batch is synced.
    pub(super) sync: bool,
    /// The batch is to end with a checkpoint.
    pub(super) sign: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that writes.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) chain: Chain,
    pub(super) outlets: Outlets,
    pub(super) interval: Duration,
    /// When the first record after the last checkpoint of this process was written.
    pub(super) unsigned_since: Option<Instant>,
}

impl Writer {
    /// Writes until the log is closed.
    pub(super) fn run(mut self) {
        loop {
            let (items, is_last) = self.next_batch();
            let sign = is_last || self.is_checkpoint_due() || items.iter().any(|item| item.sign);
            let durable = is_last || items.iter().any(|item| item.sync);
            let events: Vec<&Prepared> = items
                .iter()
                .filter_map(|item| item.event.as_ref())
                .collect();
            let mut appended = Appended::default();
            let result = self.chain.append(&events, durable, sign, &mut appended);
            self.feed_sinks(&appended.lines);
            if self.chain.is_signed() {
                self.unsigned_since = None;
            } else if appended.events > 0 {
                self.unsigned_since.get_or_insert_with(Instant::now);
            }
            let is_written = result.is_ok();
            self.settle(items, appended.events, result);
            if is_last || !is_written && self.shared.lock().closing {
                break;
            }
            if !is_written {
                self.pause();
            }
        }
    }

    /// Waits for something to do; the flag says that this is the last batch.
    fn next_batch(&self) -> (Vec<Item>, bool) {
        let mut state = self.shared.lock();
        while state.queue.is_empty() && !state.closing {
            let Some(since) = self.unsigned_since else {
                state = self
                    .shared
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = self.interval.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut bytes = 0;
        let mut items = Vec::new();
        while bytes < BATCH_BYTES
            && let Some(item) = state.queue.pop_front()
        {
            bytes += item
                .event
                .as_ref()
                .map_or(0, |event| event.fields.len() + 256);
            items.push(item);
        }
        self.shared.room.notify_all();
        let is_last = state.closing && state.queue.is_empty();
        (items, is_last)
    }

    fn is_checkpoint_due(&self) -> bool {
        self.unsigned_since
            .is_some_and(|since| since.elapsed() >= self.interval)
    }

    /// Tells those who wait, and puts back what nobody waits for and is not written yet.
    fn settle(&mut self, items: Vec<Item>, written: usize, result: Result<()>) {
        let mut events = 0;
        let mut again = Vec::new();
        let mut waiting: Vec<(Done, Result<()>)> = Vec::new();
        for mut item in items {
            events += usize::from(item.event.is_some());
            // What was written before an error ended a file, and was synced with it.
            let is_done = result.is_ok() || item.event.is_some() && events <= written;
            match (&result, item.done.take()) {
                (Err(error), Some(done)) if !is_done => waiting.push((done, Err(copy_of(error)))),
                (_, Some(done)) => waiting.push((done, Ok(()))),
                (_, None) if !is_done => again.push(item),
                (_, None) => {}
            }
        }
        let mut state = self.shared.lock();
        state.head = self.chain.head();
        state.failing = result.as_ref().err().map(ToString::to_string);
        for item in again.into_iter().rev() {
            state.queue.push_front(item);
        }
        drop(state);
        self.shared.room.notify_all();
        for (done, result) in waiting {
            done(result);
        }
        if let (Err(error), Some(tell)) = (&result, &mut self.outlets.on_error) {
            tell(error);
        }
    }

    /// After a failure: waits a while, or until somebody wants to know at once.
    fn pause(&self) {
        let until = Instant::now() + RETRY_AFTER;
        let mut state = self.shared.lock();
        while !state.closing && !state.queue.iter().any(|item| item.done.is_some()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn feed_sinks(&mut self, lines: &[u8]) {
        for sink in &mut self.outlets.sinks {
            let fed = lines
                .split_inclusive(|byte| *byte == b'\n')
                .try_for_each(|line| sink.write(line));
            if let (Err(error), Some(tell)) = (fed, &mut self.outlets.on_error) {
                tell(&Error::new(Code::E3801, "copying audit records to a sink").caused_by(error));
            }
        }
    }
}

/// However the thread ends, nobody waits for it any longer.
impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closing = true;
        let waiting: Vec<Done> = state
            .queue
            .iter_mut()
            .filter_map(|item| item.done.take())
            .collect();
        drop(state);
        self.shared.room.notify_all();
        for done in waiting {
            done(Err(unwritten("it is closed")));
        }
    }
}

/// E3801 with this reason.
pub(super) fn unwritten(why: &str) -> Error {
    Error::new(Code::E3801, format!("writing the audit log: {why}"))
}

/// The same failure for one more of those who wait.
fn copy_of(error: &Error) -> Error {
    let mut copy = Error::new(error.code(), error.to_string());
    for hint in error.hints() {
        copy = copy.hint(hint);
    }
    for (key, value) in error.details() {
        copy = copy.detail(key, value.clone());
    }
    match error.causes().into_iter().next() {
        Some(cause) => copy.caused_by(cause),
        None => copy,
    }
}
