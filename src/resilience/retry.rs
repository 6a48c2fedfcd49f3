//! Whether a failed call may be tried again, and after how long.
//!
//! The wait is drawn evenly from zero to a ceiling that doubles with every attempt (full jitter): of the common ways it
//! spreads the callers of a service that has just come back best.

#[cfg(test)]
mod tests;

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::error::{Code, Retry};

/// How often and how slowly to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; 0 and 1 mean that nothing is repeated. Default 3 (P3 App. C).
    pub max_attempts: u32,
    /// The most to wait after the first attempt; doubles with each further one (the factor of P3 App. C). Default 1 s
    /// (the specification's text; App. C has no field for it).
    pub base: Duration,
    /// The most to wait after any attempt, before what the service itself asks for. Default 60 s (P3 App. C).
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
        }
    }
}

/// An attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Which one it was, from 1.
    pub number: u32,
    /// How it failed.
    pub code: Code,
    /// Whether it may have had an effect: true unless it certainly failed before the tool or request was started.
    pub started: bool,
    /// How long the service asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl RetryPolicy {
    /// How long to wait before the next attempt; `None` where there is to be none.
    ///
    /// There is none where the attempts or the time are used up, where the failure would only repeat itself, where the
    /// breaker is open (it decides when to try), and where the attempt may have had an effect and the tool is not
    /// declared idempotent. `left` is the time until the deadline of the whole call, if it has one; a wait that
    /// uses it up is not begun. A wait that the service asked for is kept, and the drawn one comes on top, since others
    /// were told the same.
    pub fn next_delay(
        &self,
        failed: &Attempt,
        idempotent: bool,
        left: Option<Duration>,
        rng: &mut impl Rng,
    ) -> Option<Duration> {
        if failed.number >= self.max_attempts || !may_repeat(failed, idempotent) {
            return None;
        }
        let ceiling = u64::try_from(self.ceiling(failed.number).as_nanos()).unwrap_or(u64::MAX);
        let drawn = Duration::from_nanos(rng.random_range(0..=ceiling));
        let delay = drawn.saturating_add(failed.retry_after.unwrap_or_default());
        left.is_none_or(|left| delay < left).then_some(delay)
    }

    /// The most that is drawn after the attempt with this number.
    fn ceiling(&self, number: u32) -> Duration {
        let factor = 1_u32
            .checked_shl(number.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

/// True where a repetition is safe and may end better.
fn may_repeat(failed: &Attempt, idempotent: bool) -> bool {
    if failed.code == Code::E3501 {
        return false;
    }
    match failed.code.retry() {
        Retry::Yes | Retry::After | Retry::IfIdempotent => idempotent || !failed.started,
        Retry::No | Retry::NotAnError => false,
    }
}
