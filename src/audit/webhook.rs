//! Delivery of records to a webhook.
//!
//! The log on the disk is the queue: there is no second copy of a record, only a cursor that says up to where the receiver
//! has acknowledged. Whoever holds the lock of the queue delivers, whichever process wrote the records, so nothing is sent
//! twice by two processes, and what one leaves behind the next one delivers. A crash between an acknowledgement and the
//! cursor sends a batch again: delivery is at least once, and the `id` of a record tells a repetition.
//!
//! Nobody waits for it. In strict mode nothing runs, though, while a record has waited longer than `max_lag`.

mod batch;
mod cursor;
mod delivery;
mod receiver;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

pub use delivery::{Delivered, Queue};
pub use receiver::Receiver;

use self::delivery::End;
use super::sink::{OnTrouble, Sink};
use crate::error::{Code, Error, Result};

/// How long records are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(200);
/// How soon to look again where another process delivers.
const BUSY: Duration = Duration::from_millis(250);
/// How soon to try again where our own disk is in the way.
const LOCAL_TROUBLE: Duration = Duration::from_secs(5);
/// How much longer than it has, at the most, a thread that ends is waited for.
const GRACE: Duration = Duration::from_millis(250);

/// The delivery of one process, on a thread of its own.
pub struct Webhook {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    max_lag: Option<Duration>,
    origin: String,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// There may be records that are not delivered.
    has_work: bool,
    /// What is left in the queue was looked at once.
    is_known: bool,
    /// When the oldest record was written of those being delivered just now.
    sending_since: Option<SystemTime>,
    /// When the oldest record was written of the others that are known not to be delivered.
    waiting_since: Option<SystemTime>,
    /// No more records come, and this is how long the rest has.
    until: Option<Instant>,
    is_over: bool,
}

impl Webhook {
    /// Starts delivery of what is in `queue`, and of what this process will write. Where `max_lag` is given (strict mode),
    /// it waits for what was left behind, up to `patience`. `tell` hears of each outage once, and of records that will
    /// never be delivered.
    ///
    /// # Errors
    /// E3004 where the endpoint is plain HTTP to another machine and that is not allowed, or the folder of the queue is not
    /// private; E3801 where the thread cannot be started.
    pub fn start(
        queue: Queue,
        receiver: Receiver,
        max_lag: Option<Duration>,
        patience: Duration,
        tell: OnTrouble,
    ) -> Result<Self> {
        receiver.check()?;
        queue.make()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                has_work: true,
                is_known: false,
                sending_since: None,
                waiting_since: None,
                until: None,
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let origin = receiver.origin();
        let deliverer = Deliverer {
            shared: Arc::clone(&shared),
            queue,
            receiver,
            tell,
            is_failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("webhook".to_owned())
            .spawn(move || deliverer.run())
            .map_err(|error| {
                Error::new(
                    Code::E3801,
                    "starting the thread that delivers audit records",
                )
                .caused_by(error)
            })?;
        if max_lag.is_some() {
            shared.wait_until(Instant::now() + patience, |state| state.is_known);
        }
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
            max_lag,
            origin,
        })
    }

    /// The sink that tells the delivery of new records. It only wakes it: the records are read from the log.
    #[must_use]
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(Wake(Arc::clone(&self.shared)))
    }

    /// Whether something may run. Never waits; outside strict mode always yes.
    ///
    /// # Errors
    /// E3704 where a record has waited for its delivery longer than is allowed.
    pub fn admit(&self) -> Result<()> {
        let Some(max_lag) = self.max_lag else {
            return Ok(());
        };
        let since = {
            let state = self.shared.lock();
            state.sending_since.or(state.waiting_since)
        };
        let Some(since) = since else {
            return Ok(());
        };
        let lag = since.elapsed().unwrap_or_default();
        if lag <= max_lag {
            return Ok(());
        }
        Err(Error::new(
            Code::E3704,
            format!(
                "delivering audit records to {}: the oldest has waited for {} s, and in strict mode nothing runs after {} s",
                self.origin,
                lag.as_secs(),
                max_lag.as_secs()
            ),
        )
        .hint("`toolhatch audit deliver` tries now, and says what is in the way."))
    }

    /// Delivers what is left, for as long as `patience`; the rest is for the next process. Call it after the log was
    /// closed. Doing it again does nothing.
    pub fn close(&self, patience: Duration) {
        let until = Instant::now() + patience;
        self.shared.lock().until = Some(until);
        self.shared.changed.notify_all();
        self.shared.wait_until(until + GRACE, |state| state.is_over);
        let is_over = self.shared.lock().is_over;
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take().filter(|_| is_over) {
            // It caught no panic of ours: there is nothing to tell but that it ended.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("origin", &self.origin)
            .field("max_lag", &self.max_lag)
            .finish_non_exhaustive()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}

/// Delivers what waits in `queue` now, however often it failed before. Waits up to `patience` for another process that is
/// delivering.
///
/// # Errors
/// E3704 where something still waits, with how much was delivered as the detail `delivered`; its cause says why. E3004
/// where the endpoint is plain HTTP to another machine and that is not allowed.
pub async fn deliver(queue: &Queue, receiver: &Receiver, patience: Duration) -> Result<Delivered> {
    receiver.check()?;
    queue.make()?;
    let until = Instant::now() + patience;
    let mut delivered = Delivered::default();
    loop {
        match queue.deliver(receiver, None, true, &mut delivered).await? {
            End::Done => return Ok(delivered),
            End::Busy if Instant::now() < until => tokio::time::sleep(BUSY).await,
            End::Busy => {
                return Err(Error::new(
                    Code::E3704,
                    "delivering audit records: another process is doing it, and does not get done",
                )
                .hint("Look for a toolhatch process that hangs.")
                .detail("delivered", delivered.records));
            }
            End::Failed { error, .. } => return Err(error.detail("delivered", delivered.records)),
            End::Later { .. } | End::OutOfTime { .. } => {}
        }
    }
}

struct Wake(Arc<Shared>);

impl Sink for Wake {
    fn write(&mut self, _line: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let is_news = !state.has_work;
        state.has_work = true;
        state.waiting_since.get_or_insert_with(SystemTime::now);
        drop(state);
        if is_news {
            self.0.changed.notify_all();
        }
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until then, or until it is so.
    fn wait_until(&self, until: Instant, is_so: impl Fn(&State) -> bool) {
        let mut state = self.lock();
        while !is_so(&state) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The thread that delivers.
struct Deliverer {
    shared: Arc<Shared>,
    queue: Queue,
    receiver: Receiver,
    tell: OnTrouble,
    /// The last attempt failed, which was told.
    is_failing: bool,
}

impl Deliverer {
    fn run(mut self) {
        match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => while self.round(&runtime) {},
            Err(error) => {
                let failed = Error::new(Code::E3704, "delivering audit records: no runtime");
                (self.tell)(&failed.caused_by(error));
            }
        }
        let mut state = self.shared.lock();
        state.is_over = true;
        state.is_known = true;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits for something to do and does it; false where there is nothing more to come.
    fn round(&mut self, runtime: &tokio::runtime::Runtime) -> bool {
        let until = {
            let mut state = self.shared.lock();
            while !state.has_work && state.until.is_none() {
                state = self
                    .shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if !state.has_work {
                return false;
            }
            state.has_work = false;
            state.sending_since = state.waiting_since.take();
            state.until
        };
        let mut delivered = Delivered::default();
        let delivery = self
            .queue
            .deliver(&self.receiver, until, false, &mut delivered);
        let end = runtime.block_on(delivery);
        for told in &delivered.notes {
            (self.tell)(told);
        }
        let (since, pause) = match end {
            Ok(End::Done) => {
                self.is_failing = false;
                (None, None)
            }
            Ok(End::Busy) => (None, Some(BUSY)),
            Ok(End::OutOfTime { since }) => (since, Some(Duration::ZERO)),
            Ok(End::Later { since, wait }) => (since, Some(wait)),
            Ok(End::Failed { error, since, wait }) => {
                self.told_once(&error);
                (since, Some(wait))
            }
            Err(error) => {
                self.told_once(&error);
                (Some(SystemTime::now()), Some(LOCAL_TROUBLE))
            }
        };
        let mut state = self.shared.lock();
        state.is_known = true;
        let sending = state.sending_since.take();
        if pause.is_some() {
            state.has_work = true;
            let since = sending.into_iter().chain(since).min();
            state.waiting_since = since.or(state.waiting_since);
        }
        drop(state);
        self.shared.changed.notify_all();
        self.sleep(pause.unwrap_or(GATHER), until.is_some())
    }

    fn told_once(&mut self, error: &Error) {
        if !self.is_failing {
            self.is_failing = true;
            (self.tell)(error);
        }
    }

    /// Waits so long, or until the process ends; false where the process ends and there is no time for another round.
    fn sleep(&self, pause: Duration, was_last: bool) -> bool {
        let wake = Instant::now() + pause;
        if was_last {
            // Something still waits: only where another process is delivering it is a moment worth waiting.
            let state = self.shared.lock();
            let time_is_left = state.until.is_some_and(|until| wake < until);
            let has_work = state.has_work;
            drop(state);
            if !has_work || !time_is_left || pause > BUSY {
                return false;
            }
            std::thread::sleep(pause);
            return true;
        }
        self.shared.wait_until(wake, |state| state.until.is_some());
        true
    }
}

/// Where the queue of a `TOOLHATCH_HOME` lies.
#[must_use]
pub fn queue_folder(home: &std::path::Path) -> PathBuf {
    home.join("queue").join("webhook")
}
