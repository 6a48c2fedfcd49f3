//! The calls that a half-open breaker lets through.

use std::time::Duration;

use super::BreakerConfig;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Probes {
    /// Those out: number and when the place is lost, in the order they were sent.
    pub(super) out: Vec<(u64, Duration)>,
    pub(super) sent: u64,
    pub(super) succeeded: u32,
}

impl Probes {
    /// Sends one more, or says when the next place is free at the latest. Those out and those that succeeded together
    /// never outnumber the configured probes, so recovery costs a sick service no more than that.
    pub(super) fn send(&mut self, config: &BreakerConfig, now: Duration) -> Result<u64, Duration> {
        self.out.retain(|(_, expiry)| *expiry > now);
        let taken = u64::from(self.succeeded) + self.out.len() as u64;
        // With none out one always goes: a snapshot taken under a larger limit must not wedge it.
        if let Some(first) = self.out.iter().map(|(_, expiry)| *expiry).min()
            && taken >= u64::from(config.probes)
        {
            return Err(first);
        }
        let probe = self.sent;
        self.sent += 1;
        let expiry = now.saturating_add(config.probe_timeout);
        self.out.push((probe, expiry));
        Ok(probe)
    }

    pub(super) fn give_back(&mut self, probe: u64) {
        self.out.retain(|(number, _)| *number != probe);
    }

    /// Counts a success, and says whether it was the last one needed.
    pub(super) fn succeeded(&mut self, config: &BreakerConfig) -> bool {
        self.succeeded = self.succeeded.saturating_add(1);
        self.succeeded >= config.probes
    }
}
