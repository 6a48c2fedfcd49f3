//! Rate limits by the generic cell rate algorithm: a token bucket whose whole state is one point in time.
//!
//! That point, the theoretical arrival time, is when the key has paid off everything it has taken. A request moves it on
//! by one interval and is let through as long as it then lies no more than a burst ahead. In any stretch of time `t` no
//! key gets more than `burst + t / interval` requests.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::clock::Clock;
use super::{Pending, lock, milliseconds, shown};
use crate::error::{Code, Error, Result};

/// While no key can be forgotten, how often to look for one again: a look goes over all of them.
const BETWEEN_SWEEPS: Duration = Duration::from_millis(100);

/// How many requests a key may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many requests per period, at least 1.
    pub cells: u32,
    /// The period.
    pub period: Duration,
    /// So many at once after a rest, at least 1.
    pub burst: u32,
}

impl Default for Rate {
    /// 60 a minute, 10 at once (the specification's default for a tool without numbers of its own).
    fn default() -> Self {
        Self {
            cells: 60,
            period: Duration::from_secs(60),
            burst: 10,
        }
    }
}

impl Rate {
    /// The time one request costs, rounded up so that the rate is never exceeded, and at least a nanosecond.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let nanos = self
            .period
            .as_nanos()
            .div_ceil(u128::from(self.cells.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).max(Duration::from_nanos(1))
    }
}

/// The rate limit of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gcra {
    /// When everything taken so far is paid off.
    arrival: Duration,
}

impl Gcra {
    /// Takes one request, and says how many more would be let through right now.
    ///
    /// # Errors
    /// [`Limited`] where it comes too early; the request then costs nothing.
    pub fn take(&mut self, rate: &Rate, now: Duration) -> Result<u32, Limited> {
        let interval = rate.interval();
        let arrival = self.arrival.max(now).saturating_add(interval);
        let depth = interval.saturating_mul(rate.burst.max(1));
        let ahead = arrival.saturating_sub(now);
        if ahead > depth {
            return Err(Limited {
                retry_after: ahead.saturating_sub(depth),
                crowded: false,
            });
        }
        self.arrival = arrival;
        let left = depth.saturating_sub(ahead).as_nanos() / interval.as_nanos();
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// True where the key has paid off everything: it is as good as new.
    #[must_use]
    pub fn is_idle(&self, now: Duration) -> bool {
        self.arrival <= now
    }
}

/// The request came too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// After this long one request is let through again.
    pub retry_after: Duration,
    /// True where the key has not used up its own limit, but too many others are in use to begin counting for it.
    pub crowded: bool,
}

impl Limited {
    /// E3003 for `key`, the caller or whatever else is limited.
    #[must_use]
    pub fn error(&self, key: &str, rate: &Rate) -> Error {
        let wait = shown(self.retry_after);
        let why = if self.crowded {
            format!("the rates of too many others are being counted; try again in {wait}")
        } else {
            let period = shown(rate.period);
            let Rate { cells, burst, .. } = rate;
            format!(
                "its limit of {cells} in {period}, {burst} at once, is used up for another {wait}"
            )
        };
        Error::new(Code::E3003, format!("counting a call for {key}: {why}"))
            .detail("limited", key)
            .detail("retry_after_ms", milliseconds(self.retry_after))
    }
}

/// Where rate limits are kept. A store on a network keeps the arrival time of each key and changes it with one script.
pub trait RateStore: Send + Sync {
    /// Takes one request of `key`, and says how many more would be let through right now.
    fn take<'a>(&'a self, key: &'a str, rate: &'a Rate) -> Pending<'a, Result<u32, Limited>>;
}

/// The rate limits of one process, in its memory.
///
/// A key that has paid off everything is forgotten when room is needed; it loses nothing by that. Where every key is
/// still in debt, a new one is refused: forgetting a debt would let its owner exceed the limit.
pub struct MemoryRates {
    clock: Arc<dyn Clock>,
    max_keys: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<String, Gcra>,
    /// No key can be forgotten before this.
    next_sweep: Duration,
}

impl MemoryRates {
    /// How many keys are kept where nothing else is said: 65,536, under 10 MB (ours).
    pub const MAX_KEYS: usize = 65_536;

    /// No keys yet; at most `max_keys` (at least 1) are kept.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        Self {
            clock,
            max_keys: max_keys.max(1),
            kept: Mutex::default(),
        }
    }

    /// [`RateStore::take`] without a future.
    fn take_now(&self, key: &str, rate: &Rate) -> Result<u32, Limited> {
        let now = self.clock.now();
        let mut kept = lock(&self.kept);
        if let Some(gcra) = kept.keys.get_mut(key) {
            return gcra.take(rate, now);
        }
        kept.make_room(self.max_keys, now)?;
        let mut gcra = Gcra::default();
        let left = gcra.take(rate, now)?;
        kept.keys.insert(key.to_owned(), gcra);
        Ok(left)
    }
}

impl Kept {
    /// Forgets idle keys where there are too many.
    fn make_room(&mut self, max_keys: usize, now: Duration) -> Result<(), Limited> {
        if self.keys.len() < max_keys {
            return Ok(());
        }
        if now >= self.next_sweep {
            self.keys.retain(|_, gcra| !gcra.is_idle(now));
            if self.keys.len() < max_keys {
                return Ok(());
            }
            let first_idle = self.keys.values().map(|gcra| gcra.arrival).min();
            self.next_sweep = first_idle
                .unwrap_or(now)
                .max(now.saturating_add(BETWEEN_SWEEPS));
        }
        Err(Limited {
            retry_after: self.next_sweep.saturating_sub(now),
            crowded: true,
        })
    }
}

impl RateStore for MemoryRates {
    fn take<'a>(&'a self, key: &'a str, rate: &'a Rate) -> Pending<'a, Result<u32, Limited>> {
        Box::pin(async move { Ok(self.take_now(key, rate)) })
    }
}

impl fmt::Debug for MemoryRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRates")
            .field("keys", &lock(&self.kept).keys.len())
            .field("max_keys", &self.max_keys)
            .finish_non_exhaustive()
    }
}
