//! Permits to run: so many at once, and those who wait get their turn.
//!
//! There is a cap on all and a cap on each key (a caller, or a tool). Waiting is fair between keys: they take turns, however
//! many each has in the queue, and within one key it is first come, first served. The queue is bounded, in all and for each
//! key, so that one key cannot fill it.
//!
//! Whoever holds a permit must not wait for another one of the same [`Permits`]: a call that a tool makes runs under the
//! permit of the call it belongs to.

mod queue;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::lock;
use crate::error::{Code, Error, Result};
use queue::{FairQueue, Full, Place};

/// How many may run and how many may wait. Zeros of the first two count as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermitLimits {
    /// Permits in all. Default 20 (P2, for one instance).
    pub total: usize,
    /// Permits of one key. Default 4 (P1, I: for one agent).
    pub per_key: usize,
    /// Waiting in all. Default 100 (F's queue in front of a bulkhead).
    pub queue: usize,
    /// Waiting under one key. Default 50, half of that (ours).
    pub queue_per_key: usize,
}

impl Default for PermitLimits {
    fn default() -> Self {
        Self {
            total: 20,
            per_key: 4,
            queue: 100,
            queue_per_key: 50,
        }
    }
}

/// How busy it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Permits that are out.
    pub running: usize,
    /// Those who wait for one.
    pub waiting: usize,
    /// Keys that have either.
    pub keys: usize,
}

/// Permits to run. Clones share the same permits.
#[derive(Clone)]
pub struct Permits {
    shared: Arc<Shared>,
}

struct Shared {
    limits: PermitLimits,
    queue: Mutex<FairQueue<oneshot::Sender<Permit>>>,
}

/// One permit; dropping it lets the next one run.
#[must_use = "dropping it gives the permit back"]
pub struct Permit {
    /// What to give it back to and under which key; nothing once that is done.
    held: Option<(Arc<Shared>, Arc<str>)>,
}

impl Permits {
    /// Permits within these limits.
    #[must_use]
    pub fn new(limits: PermitLimits) -> Self {
        Self {
            shared: Arc::new(Shared {
                limits,
                queue: Mutex::new(FairQueue::new(limits)),
            }),
        }
    }

    /// Takes a permit for `key`, waiting for its turn. Dropping the future leaves the queue and loses nothing.
    ///
    /// # Errors
    /// E3408 with the numbers where the queue is full.
    pub async fn acquire(&self, key: &str) -> Result<Permit> {
        let key: Arc<str> = key.into();
        let (sender, receiver) = oneshot::channel();
        let place = lock(&self.shared.queue).enter(&key, sender);
        let number = match place {
            Place::Runs => return Ok(Permit::new(&self.shared, key)),
            Place::Waits(number) => number,
            Place::Full(full) => return Err(full.error(&self.shared.limits, &key)),
        };
        let mut waiting = Waiting {
            shared: Arc::clone(&self.shared),
            key,
            number,
            receiver,
        };
        (&mut waiting.receiver).await.map_err(|lost| {
            Error::new(Code::E3000, "waiting for a permit: its turn was lost").caused_by(lost)
        })
    }

    /// How busy it is now.
    #[must_use]
    pub fn load(&self) -> Load {
        lock(&self.shared.queue).load()
    }
}

impl Full {
    fn error(&self, limits: &PermitLimits, key: &str) -> Error {
        let PermitLimits {
            total,
            per_key,
            queue,
            queue_per_key,
        } = limits;
        let Self {
            key_running,
            key_waiting,
            load,
        } = self;
        let Load {
            running, waiting, ..
        } = load;
        Error::new(
            Code::E3408,
            format!(
                "queueing a call of {key}: it has {key_waiting} waiting (limit {queue_per_key}) and {key_running} \
                 running (limit {per_key}); in all {waiting} wait (limit {queue}) and {running} run (limit {total})"
            ),
        )
        .detail("key", key)
        .detail("key_running", *key_running)
        .detail("key_waiting", *key_waiting)
        .detail("running", *running)
        .detail("waiting", *waiting)
    }
}

impl Shared {
    /// Gives out what is free. The permit itself travels to the waiter, so that it comes back on its own where the waiter
    /// is gone. It is sent without the lock, since waking somebody runs code of theirs.
    fn dispatch(self: &Arc<Self>) {
        loop {
            let next = lock(&self.queue).next();
            let Some((key, sender)) = next else {
                return;
            };
            if let Err(mut permit) = sender.send(Permit::new(self, key))
                && let Some((_, key)) = permit.held.take()
            {
                // Not by dropping it, which would come back here, one level deeper for each waiter that is gone.
                lock(&self.queue).leave(&key);
            }
        }
    }
}

impl Permit {
    fn new(shared: &Arc<Shared>, key: Arc<str>) -> Self {
        Self {
            held: Some((Arc::clone(shared), key)),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((shared, key)) = self.held.take() {
            lock(&shared.queue).leave(&key);
            shared.dispatch();
        }
    }
}

/// A place in the queue. Dropped, it is given up; where the permit is on its way already, the receiver drops it.
struct Waiting {
    shared: Arc<Shared>,
    key: Arc<str>,
    number: u64,
    receiver: oneshot::Receiver<Permit>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let sender = lock(&self.shared.queue).cancel(&self.key, self.number);
        drop(sender);
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permits")
            .field("limits", &self.shared.limits)
            .field("load", &self.load())
            .finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.held.as_ref().map(|(_, key)| key);
        f.debug_struct("Permit").field("key", &key).finish()
    }
}
