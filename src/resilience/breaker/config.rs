//! The numbers of a breaker.

use std::time::Duration;

use super::window::Tally;

/// When a breaker opens, for how long, and how it closes again. Values out of their range are brought into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// How far back outcomes count. Default 60 s (P3, F).
    pub window: Duration,
    /// It opens when at least this part of the calls in the window failed, in percent, 1 to 100. Default 50 (P1, P2).
    /// A rate, because a count of five (P3) opens a service that fails five of five hundred calls.
    pub failure_percent: u8,
    /// It never opens on fewer calls in the window than this, at least 1. Default 10 (P1, P2).
    pub min_calls: u32,
    /// How long it stays open the first time. Default 60 s (P1, P2, P3).
    pub open_for: Duration,
    /// Each failed recovery doubles that, up to this. Default 10 min (ours: no source names a cap).
    pub open_at_most: Duration,
    /// Up to so many percent are added to it at random, 0 to 100, so that breakers of many processes do not probe at the
    /// same moment. Default 10 (ours: no source names a number).
    pub jitter_percent: u8,
    /// How many probes may be out at once when it is half-open, and how many successes close it, at least 1.
    /// Default 3 (P3 closes after three successes; P1 to P3 admit ten calls, F one).
    pub probes: u32,
    /// After this long a probe that has not reported loses its place to another. Default 60 s: twice the default timeout
    /// of a tool (30 s, P1), so that probes which are merely slow seldom meet it.
    pub probe_timeout: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            failure_percent: 50,
            min_calls: 10,
            open_for: Duration::from_secs(60),
            open_at_most: Duration::from_secs(600),
            jitter_percent: 10,
            probes: 3,
            probe_timeout: Duration::from_secs(60),
        }
    }
}

impl BreakerConfig {
    pub(super) fn in_range(self) -> Self {
        Self {
            failure_percent: self.failure_percent.clamp(1, 100),
            min_calls: self.min_calls.max(1),
            open_at_most: self.open_at_most.max(self.open_for),
            jitter_percent: self.jitter_percent.min(100),
            probes: self.probes.max(1),
            ..self
        }
    }

    /// True where so many failures open the breaker.
    pub(super) fn trips(&self, tally: Tally) -> bool {
        let total = u64::from(tally.succeeded) + u64::from(tally.failed);
        total >= u64::from(self.min_calls)
            && u64::from(tally.failed) * 100 >= total * u64::from(self.failure_percent)
    }

    /// How long to stay open after so many failed recoveries; `random` is uniform over its whole range.
    pub(super) fn open_duration(&self, failed_recoveries: u32, random: u32) -> Duration {
        let factor = 1_u32.checked_shl(failed_recoveries).unwrap_or(u32::MAX);
        let plain = self.open_for.saturating_mul(factor).min(self.open_at_most);
        let share = u128::from(self.jitter_percent) * u128::from(random);
        let added = plain.as_nanos() * share / (100 * u128::from(u32::MAX));
        plain.saturating_add(Duration::from_nanos(
            u64::try_from(added).unwrap_or(u64::MAX),
        ))
    }
}
