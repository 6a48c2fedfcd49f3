//! The state of a breaker as data, to be shared between processes or carried over a restart.
//!
//! Times are written as ages and remainders, never as points: the clock that reads a snapshot is not the clock that made
//! it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::probes::Probes;
use super::window::{Tally, Window};
use super::{Breaker, BreakerConfig, Phase};

/// The format that is written; others are refused.
const FORMAT: u32 = 1;

/// The state of a breaker at one moment, without its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    format: u32,
    identity: u64,
    generation: u64,
    failed_recoveries: u32,
    phase: SnapshotPhase,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum SnapshotPhase {
    Closed {
        /// The current bucket first.
        buckets: Vec<Tally>,
        /// How long ago that one began.
        age: Duration,
    },
    Open {
        remaining: Duration,
    },
    HalfOpen {
        /// The probes that are out: number and how long each still holds its place.
        out: Vec<(u64, Duration)>,
        sent: u64,
        succeeded: u32,
    },
}

/// The snapshot is of a format this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignSnapshot {
    /// The format it says it has.
    pub format: u32,
}

impl fmt::Display for ForeignSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the snapshot of a circuit breaker has format {}, and this version reads format {FORMAT}",
            self.format
        )
    }
}

impl std::error::Error for ForeignSnapshot {}

impl Breaker {
    /// Its state at this moment.
    #[must_use]
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        let now = now.max(self.latest);
        let phase = match &self.phase {
            Phase::Closed(window) => {
                let (buckets, age) = window.parts(now);
                SnapshotPhase::Closed { buckets, age }
            }
            Phase::Open { until } => SnapshotPhase::Open {
                remaining: until.saturating_sub(now),
            },
            Phase::HalfOpen(probes) => SnapshotPhase::HalfOpen {
                out: probes
                    .out
                    .iter()
                    .map(|(probe, expiry)| (*probe, expiry.saturating_sub(now)))
                    .collect(),
                sent: probes.sent,
                succeeded: probes.succeeded,
            },
        };
        Snapshot {
            format: FORMAT,
            identity: self.identity,
            generation: self.generation,
            failed_recoveries: self.failed_recoveries,
            phase,
        }
    }

    /// A breaker in the state of a snapshot; permits of the breaker it was taken of are valid for it.
    ///
    /// Exact, but for a clock that started less than one bucket ago: there the current bucket may seem younger than it is.
    ///
    /// # Errors
    /// [`ForeignSnapshot`] where a later version wrote it.
    pub fn restore(
        config: BreakerConfig,
        snapshot: &Snapshot,
        now: Duration,
    ) -> Result<Self, ForeignSnapshot> {
        if snapshot.format != FORMAT {
            return Err(ForeignSnapshot {
                format: snapshot.format,
            });
        }
        let config = config.in_range();
        let phase = match &snapshot.phase {
            SnapshotPhase::Closed { buckets, age } => {
                Phase::Closed(Window::restore(config.window, now, *age, buckets))
            }
            SnapshotPhase::Open { remaining } => Phase::Open {
                until: now.saturating_add(*remaining),
            },
            SnapshotPhase::HalfOpen {
                out,
                sent,
                succeeded,
            } => Phase::HalfOpen(Probes {
                out: out
                    .iter()
                    .map(|(probe, left)| (*probe, now.saturating_add(*left)))
                    .collect(),
                sent: *sent,
                succeeded: *succeeded,
            }),
        };
        Ok(Self {
            config,
            identity: snapshot.identity,
            generation: snapshot.generation,
            failed_recoveries: snapshot.failed_recoveries,
            latest: now,
            phase,
        })
    }
}
