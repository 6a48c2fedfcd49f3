//! Requests that carry an idempotency key are run once.
//!
//! The first caller runs. Others who come with the same key and the same arguments wait for its result, or get it at once
//! where it is known; with other arguments they are refused. A runner that goes away without a result hands the work to
//! whoever has waited longest.
//!
//! A key belongs to one principal and one tool: nobody meets another's results by using the same words. A call made by a
//! tool must not carry the key of the call it belongs to, for it would wait for itself.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::Clock;
use super::lock;
use crate::error::{Code, Error, Result};
use crate::ids::Digest;

/// What a request is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who makes it.
    pub principal: String,
    /// The tool id.
    pub tool: String,
    /// The caller's own key.
    pub key: String,
}

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyConfig {
    /// How long a result is remembered. Default 24 h (F).
    pub ttl: Duration,
    /// How many requests are known at once, running ones included. Beyond it the oldest results are forgotten, and
    /// where all are running, new ones are refused. Default 10,000 (F's number for cached results).
    pub max_entries: usize,
    /// How many bytes of results; beyond it the oldest are forgotten. Default 64 MiB (ours).
    pub max_bytes: usize,
    /// The largest result that is remembered; a larger one reaches those who wait for it, and nobody later.
    /// Default 10 MB (F).
    pub max_result: usize,
}

impl Default for IdempotencyConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(24 * 60 * 60),
            max_entries: 10_000,
            max_bytes: 64 << 20,
            max_result: 10_000_000,
        }
    }
}

/// Requests with an idempotency key. Clones share what is known. `T` is cheap to clone, such as an `Arc`.
pub struct Idempotency<T> {
    shared: Arc<Shared<T>>,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Begun<T> {
    /// Run it, and tell the runner the result.
    Run(Runner<T>),
    /// It has been run; this is its result.
    Known(T),
}

/// The one who runs a request. Dropped without a result, it hands the work on, which then starts anew: a run that failed
/// after it may have had an effect is to be finished with its failure as the result.
#[must_use = "dropping it hands the work to the next one who waits"]
pub struct Runner<T> {
    shared: Option<Arc<Shared<T>>>,
    key: Arc<RequestKey>,
}

struct Shared<T> {
    config: IdempotencyConfig,
    clock: Arc<dyn Clock>,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    requests: HashMap<Arc<RequestKey>, Request<T>>,
    /// Finished requests, oldest first, and when each was finished.
    finished: VecDeque<(Duration, Arc<RequestKey>)>,
    bytes: usize,
    waiters: u64,
}

struct Request<T> {
    arguments: Digest,
    progress: Progress<T>,
}

enum Progress<T> {
    Running(VecDeque<(u64, oneshot::Sender<Begun<T>>)>),
    Finished { result: T, bytes: usize },
}

impl<T: Clone> Idempotency<T> {
    /// Knows no requests yet.
    #[must_use]
    pub fn new(config: IdempotencyConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                config,
                clock,
                known: Mutex::new(Known {
                    requests: HashMap::new(),
                    finished: VecDeque::new(),
                    bytes: 0,
                    waiters: 0,
                }),
            }),
        }
    }

    /// Comes with a request, whose arguments have this digest, and waits where another runs it already. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// E3005 where the key was used with other arguments; E3408 where too many requests with a key are running.
    pub async fn begin(&self, key: RequestKey, arguments: Digest) -> Result<Begun<T>> {
        let key = Arc::new(key);
        let mut waiting = match self.enter(&key, arguments)? {
            Entered::Now(begun) => return Ok(begun),
            Entered::Waits(waiting) => waiting,
        };
        (&mut waiting.receiver).await.map_err(|lost| {
            Error::new(
                Code::E3000,
                format!(
                    "waiting for the first request with key {:?}: it was lost",
                    key.key
                ),
            )
            .caused_by(lost)
        })
    }

    fn enter(&self, key: &Arc<RequestKey>, arguments: Digest) -> Result<Entered<T>> {
        let now = self.shared.clock.now();
        let mut known = lock(&self.shared.known);
        known.forget_expired(self.shared.config.ttl, now);
        let known = &mut *known;
        if let Some(request) = known.requests.get_mut(key) {
            if request.arguments != arguments {
                return Err(conflict(key));
            }
            return Ok(match &mut request.progress {
                Progress::Finished { result, .. } => Entered::Now(Begun::Known(result.clone())),
                Progress::Running(waiters) => {
                    let (sender, receiver) = oneshot::channel();
                    known.waiters += 1;
                    waiters.push_back((known.waiters, sender));
                    Entered::Waits(Waiting {
                        shared: Arc::clone(&self.shared),
                        key: Arc::clone(key),
                        number: known.waiters,
                        receiver,
                    })
                }
            });
        }
        if known.requests.len() >= self.shared.config.max_entries && !known.forget_oldest() {
            return Err(crowded(key, known.requests.len()));
        }
        known.requests.insert(
            Arc::clone(key),
            Request {
                arguments,
                progress: Progress::Running(VecDeque::new()),
            },
        );
        Ok(Entered::Now(Begun::Run(Runner::new(
            &self.shared,
            Arc::clone(key),
        ))))
    }

    /// How many requests are known, and how many bytes of results.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let known = lock(&self.shared.known);
        (known.requests.len(), known.bytes)
    }
}

enum Entered<T> {
    Now(Begun<T>),
    Waits(Waiting<T>),
}

fn conflict(key: &RequestKey) -> Error {
    Error::new(
        Code::E3005,
        format!(
            "calling {}: the idempotency key {:?} was used for other arguments before",
            key.tool, key.key
        ),
    )
    .detail("tool", key.tool.as_str())
    .detail("idempotency_key", key.key.as_str())
}

fn crowded(key: &RequestKey, running: usize) -> Error {
    Error::new(
        Code::E3408,
        format!(
            "calling {}: {running} requests with an idempotency key are running already, as many as can be known",
            key.tool
        ),
    )
    .detail("running", running)
}

impl<T: Clone> Runner<T> {
    /// Gives the result, of `bytes` bytes, to all who wait, and remembers it.
    pub fn finish(mut self, result: T, bytes: usize) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let now = shared.clock.now();
        let remembered = (bytes <= shared.config.max_result.min(shared.config.max_bytes))
            .then(|| result.clone());
        let waiters = {
            let mut known = lock(&shared.known);
            known.finish(&shared.config, &self.key, remembered, bytes, now)
        };
        for (_, waiter) in waiters {
            // One that is gone needs no result.
            let _gone = waiter.send(Begun::Known(result.clone()));
        }
    }
}

impl<T> Runner<T> {
    fn new(shared: &Arc<Shared<T>>, key: Arc<RequestKey>) -> Self {
        Self {
            shared: Some(Arc::clone(shared)),
            key,
        }
    }
}

impl<T> Drop for Runner<T> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        loop {
            let heir = lock(&shared.known).heir(&self.key);
            let Some(heir) = heir else {
                return;
            };
            let runner = Self::new(&shared, Arc::clone(&self.key));
            match heir.send(Begun::Run(runner)) {
                Ok(()) => return,
                // Not by dropping it, which would come back here, one level deeper for each heir that is gone.
                Err(Begun::Run(mut runner)) => runner.shared = None,
                Err(Begun::Known(_)) => return,
            }
        }
    }
}

impl<T> Known<T> {
    /// Puts the result in the place of the running request, and gives out those who wait for it.
    fn finish(
        &mut self,
        config: &IdempotencyConfig,
        key: &Arc<RequestKey>,
        remembered: Option<T>,
        bytes: usize,
        now: Duration,
    ) -> VecDeque<(u64, oneshot::Sender<Begun<T>>)> {
        let Some(request) = self.requests.remove(key) else {
            return VecDeque::new();
        };
        let Progress::Running(waiters) = request.progress else {
            return VecDeque::new();
        };
        if let Some(result) = remembered {
            while self.bytes > config.max_bytes - bytes && self.forget_oldest() {}
            self.bytes += bytes;
            self.finished.push_back((now, Arc::clone(key)));
            self.requests.insert(
                Arc::clone(key),
                Request {
                    arguments: request.arguments,
                    progress: Progress::Finished { result, bytes },
                },
            );
        }
        waiters
    }

    /// Who takes over a running request; where nobody waits, the request is forgotten.
    fn heir(&mut self, key: &Arc<RequestKey>) -> Option<oneshot::Sender<Begun<T>>> {
        if let Some(request) = self.requests.get_mut(key)
            && let Progress::Running(waiters) = &mut request.progress
        {
            if let Some((_, heir)) = waiters.pop_front() {
                return Some(heir);
            }
            self.requests.remove(key);
        }
        None
    }

    /// Takes out one who waits, if still there.
    fn leave(&mut self, key: &Arc<RequestKey>, number: u64) -> Option<oneshot::Sender<Begun<T>>> {
        let Progress::Running(waiters) = &mut self.requests.get_mut(key)?.progress else {
            return None;
        };
        let at = waiters.iter().position(|(n, _)| *n == number)?;
        waiters.remove(at).map(|(_, sender)| sender)
    }

    fn forget_expired(&mut self, ttl: Duration, now: Duration) {
        while let Some((at, _)) = self.finished.front()
            && at.saturating_add(ttl) <= now
        {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest result; false where there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, key)) = self.finished.pop_front() else {
            return false;
        };
        if let Some(request) = self.requests.remove(&key)
            && let Progress::Finished { bytes, .. } = request.progress
        {
            self.bytes -= bytes;
        }
        true
    }
}

/// One who waits for another's result, and leaves when dropped. Where the work is on its way already, the receiver drops
/// it, and it goes on to the next.
struct Waiting<T> {
    shared: Arc<Shared<T>>,
    key: Arc<RequestKey>,
    number: u64,
    receiver: oneshot::Receiver<Begun<T>>,
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        let sender = lock(&self.shared.known).leave(&self.key, self.number);
        drop(sender);
    }
}

impl<T> Clone for Idempotency<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for Idempotency<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("config", &self.shared.config)
            .field("requests", &lock(&self.shared.known).requests.len())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Runner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
