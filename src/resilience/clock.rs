//! Where the time comes from: the system's monotonic clock, or one that a test moves.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// A clock that never goes back.
pub trait Clock: Send + Sync {
    /// The time since an origin that stays the same for the life of this clock, and means nothing to any other clock.
    fn now(&self) -> Duration;
}

/// The monotonic clock of the system; its origin is when it was made. Setting the wall clock does not move it.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock that shows zero now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: Mutex<Duration>,
}

impl ManualClock {
    /// Moves the clock on by so much.
    pub fn advance(&self, by: Duration) {
        let mut now = lock(&self.now);
        *now = now.saturating_add(by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        *lock(&self.now)
    }
}
