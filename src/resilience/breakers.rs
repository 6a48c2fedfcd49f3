//! Circuit breakers by key: a tool id, or `service:` and a host.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::breaker::{Breaker, BreakerConfig, Outcome, Permit, Rejected, State, Transition};
use super::clock::Clock;
use super::{Pending, lock};
use crate::error::Result;

/// Where breakers are kept. A store on a network keeps a [`super::breaker::Snapshot`] for each key and changes it by
/// compare-and-swap around the same pure machine.
pub trait BreakerStore: Send + Sync {
    /// Asks to let one call of `key` through.
    fn acquire<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Permit, Rejected>>;

    /// Takes the outcome of a call that was let through. It does not wait, since it is called on drop: a store on a
    /// network sends it in the background, and where a probe's is lost, its expiry makes up for it.
    fn settle(&self, key: &str, permit: Permit, outcome: Outcome);
}

/// Told of every transition: the key and what its breaker did. It is called without a lock held.
pub type Observer = Arc<dyn Fn(&str, Transition) + Send + Sync>;

/// The breakers of a process, over whichever store holds them.
#[derive(Clone)]
pub struct Breakers {
    store: Arc<dyn BreakerStore>,
}

impl Breakers {
    /// Breakers that are kept in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn BreakerStore>) -> Self {
        Self { store }
    }

    /// Asks to let one call of `key` through.
    ///
    /// # Errors
    /// E3501 with `retry_after_ms` where the breaker refuses; the store's own error where it could not be asked.
    pub async fn acquire(&self, key: &str) -> Result<BreakerGuard> {
        match self.store.acquire(key).await? {
            Ok(permit) => Ok(BreakerGuard {
                store: Arc::clone(&self.store),
                key: key.to_owned(),
                permit: Some(permit),
            }),
            Err(rejected) => Err(rejected.error(key)),
        }
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers").finish_non_exhaustive()
    }
}

/// A call that a breaker let through. Dropped without an outcome, it counts as [`Outcome::Ignored`].
#[must_use = "dropping it says that the call had no outcome"]
pub struct BreakerGuard {
    store: Arc<dyn BreakerStore>,
    key: String,
    permit: Option<Permit>,
}

impl BreakerGuard {
    /// Says how the call ended.
    pub fn settle(mut self, outcome: Outcome) {
        self.give_back(outcome);
    }

    fn give_back(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            self.store.settle(&self.key, permit, outcome);
        }
    }
}

impl fmt::Debug for BreakerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerGuard")
            .field("key", &self.key)
            .field("permit", &self.permit)
            .finish_non_exhaustive()
    }
}

impl Drop for BreakerGuard {
    fn drop(&mut self) {
        self.give_back(Outcome::Ignored);
    }
}

/// The breakers of one process, in its memory.
pub struct MemoryBreakers {
    settings: Settings,
    clock: Arc<dyn Clock>,
    observer: Observer,
    kept: Mutex<HashMap<String, Kept>>,
}

/// How a [`MemoryBreakers`] makes breakers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What a breaker gets that has no numbers of its own.
    pub default: BreakerConfig,
    /// Numbers of single keys (P2 gives hosts their own).
    pub own: HashMap<String, BreakerConfig>,
    /// How many breakers are kept, at least 1. Beyond it the closed ones that were used longest ago are forgotten, then
    /// the others. Default 4096, about 1 MB (ours).
    pub max_keys: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default: BreakerConfig::default(),
            own: HashMap::new(),
            max_keys: 4096,
        }
    }
}

#[derive(Debug)]
struct Kept {
    breaker: Breaker,
    used: Duration,
}

impl MemoryBreakers {
    /// No breakers yet; each is made, closed, when its key is first asked for.
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, observer: Observer) -> Self {
        Self {
            settings,
            clock,
            observer,
            kept: Mutex::default(),
        }
    }

    /// Every key that is kept, what its breaker does now, and how much longer it refuses; sorted by key.
    #[must_use]
    pub fn states(&self) -> Vec<(String, State, Duration)> {
        let now = self.clock.now();
        let mut states: Vec<_> = lock(&self.kept)
            .iter()
            .map(|(key, kept)| {
                let breaker = &kept.breaker;
                (key.clone(), breaker.state(now), breaker.open_for(now))
            })
            .collect();
        states.sort_by(|a, b| a.0.cmp(&b.0));
        states
    }

    /// [`BreakerStore::acquire`] without a future.
    fn try_acquire(&self, key: &str) -> Result<Permit, Rejected> {
        let now = self.clock.now();
        let mut kept = lock(&self.kept);
        if !kept.contains_key(key) && kept.len() >= self.settings.max_keys.max(1) {
            forget_some(&mut kept, now);
        }
        let entry = kept.entry(key.to_owned()).or_insert_with(|| {
            let config = self.settings.own.get(key).copied();
            let config = config.unwrap_or(self.settings.default);
            Kept {
                breaker: Breaker::new(config, rand::random(), now),
                used: now,
            }
        });
        entry.used = now;
        let admission = entry.breaker.try_acquire(now);
        drop(kept);
        if let Ok(permit) = &admission
            && let Some(transition) = permit.transition()
        {
            (self.observer)(key, transition);
        }
        admission
    }
}

/// Makes room by forgetting an eighth of the breakers, so that the search for them is paid once for many new keys.
fn forget_some(kept: &mut HashMap<String, Kept>, now: Duration) {
    let mut order: Vec<(bool, Duration, String)> = kept
        .iter()
        .map(|(key, entry)| {
            let busy = entry.breaker.state(now) != State::Closed;
            (busy, entry.used, key.clone())
        })
        .collect();
    order.sort_unstable();
    let count = (order.len() / 8).max(1);
    for (_, _, key) in order.into_iter().take(count) {
        kept.remove(&key);
    }
}

impl BreakerStore for MemoryBreakers {
    fn acquire<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Permit, Rejected>> {
        Box::pin(async move { Ok(self.try_acquire(key)) })
    }

    fn settle(&self, key: &str, permit: Permit, outcome: Outcome) {
        let now = self.clock.now();
        let transition = lock(&self.kept)
            .get_mut(key)
            .and_then(|kept| kept.breaker.record(permit, outcome, now));
        if let Some(transition) = transition {
            (self.observer)(key, transition);
        }
    }
}

impl fmt::Debug for MemoryBreakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBreakers")
            .field("settings", &self.settings)
            .field("keys", &lock(&self.kept).len())
            .finish_non_exhaustive()
    }
}
