//! The outcomes of the recent past, in ten buckets of time.
//!
//! Time and not a number of calls, because tools differ by orders of magnitude in how often they are called: a ring of the
//! last hundred outcomes holds last week's failures of a rare tool and a blink of a busy one. Ten buckets cost the same
//! memory at any rate; the price is that an outcome stops counting up to a tenth of the window early.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many buckets a window has.
const BUCKETS: u32 = 10;

/// How many calls ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Calls that ended well.
    pub(super) succeeded: u32,
    /// Calls that failed.
    pub(super) failed: u32,
}

/// The outcomes of the recent past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// The current bucket first, then ever older ones.
    buckets: [Tally; BUCKETS as usize],
    /// When the current bucket began.
    began: Duration,
    /// The length of one bucket.
    length: Duration,
}

impl Window {
    /// An empty window of so much time.
    #[must_use]
    pub(super) fn new(window: Duration, now: Duration) -> Self {
        Self {
            buckets: [Tally::default(); BUCKETS as usize],
            began: now,
            length: (window / BUCKETS).max(Duration::from_nanos(1)),
        }
    }

    /// A window with these buckets, the current one first, which began so long ago. Surplus buckets are left out.
    pub(super) fn restore(
        window: Duration,
        now: Duration,
        age: Duration,
        tallies: &[Tally],
    ) -> Self {
        let mut restored = Self::new(window, now.saturating_sub(age));
        for (bucket, tally) in restored.buckets.iter_mut().zip(tallies) {
            *bucket = *tally;
        }
        restored
    }

    /// The buckets, the current one first, and how long ago that one began.
    pub(super) fn parts(&self, now: Duration) -> (Vec<Tally>, Duration) {
        let mut current = self.clone();
        current.rotate(now);
        (current.buckets.to_vec(), now.saturating_sub(current.began))
    }

    /// Counts a call that ended, well or not.
    pub(super) fn add(&mut self, failed: bool, now: Duration) {
        self.rotate(now);
        let [current, ..] = &mut self.buckets;
        let count = if failed {
            &mut current.failed
        } else {
            &mut current.succeeded
        };
        *count = count.saturating_add(1);
    }

    /// What is in the window now.
    pub(super) fn tally(&mut self, now: Duration) -> Tally {
        self.rotate(now);
        self.buckets
            .iter()
            .fold(Tally::default(), |sum, bucket| Tally {
                succeeded: sum.succeeded.saturating_add(bucket.succeeded),
                failed: sum.failed.saturating_add(bucket.failed),
            })
    }

    /// Makes the bucket that `now` lies in the current one.
    fn rotate(&mut self, now: Duration) {
        let steps = now.saturating_sub(self.began).as_nanos() / self.length.as_nanos();
        let shift = usize::try_from(steps)
            .unwrap_or(usize::MAX)
            .min(self.buckets.len());
        if shift == 0 {
            return;
        }
        self.buckets.rotate_right(shift);
        for bucket in self.buckets.iter_mut().take(shift) {
            *bucket = Tally::default();
        }
        let into = now.saturating_sub(self.began).as_nanos() % self.length.as_nanos();
        self.began = now.saturating_sub(Duration::from_nanos(
            u64::try_from(into).unwrap_or(u64::MAX),
        ));
    }
}
