//! A circuit breaker: stops calls to a tool or service that keeps failing, and finds out carefully when it is well again.
//!
//! Closed, it counts outcomes over a sliding window; once there are enough and too many of them are failures, it
//! opens. Open, it refuses for a while that doubles with every failed recovery, with jitter so that many processes do not
//! come back at the same moment. Then, half-open, it lets a few probes through: as many successes as there may be probes
//! close it, one failure opens it again.
//!
//! It cannot wedge. A probe that ends without a verdict gives its place back, and one that never reports loses its place
//! after a while. Every transition starts a new generation with an empty window, and results of calls that were let
//! through in an older generation are ignored: they say nothing about now.
//!
//! A breaker is a pure state machine: it is told the time, holds no lock and draws no randomness of its own.

pub mod config;
pub mod outcome;
mod probes;
pub mod snapshot;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub use config::BreakerConfig;
pub use outcome::Outcome;
pub use snapshot::{ForeignSnapshot, Snapshot};

use crate::error::{Code, Error};
use probes::Probes;
use window::Window;

/// The circuit breaker of one tool or one service.
#[derive(Debug, Clone)]
pub struct Breaker {
    config: BreakerConfig,
    /// Tells its permits from those of other breakers, and seeds the jitter.
    identity: u64,
    generation: u64,
    /// How many recoveries have failed since it was last closed.
    failed_recoveries: u32,
    /// The latest time it was told, so that a clock that goes back does not confuse it.
    latest: Duration,
    phase: Phase,
}

#[derive(Debug, Clone)]
enum Phase {
    Closed(Window),
    Open { until: Duration },
    HalfOpen(Probes),
}

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls go through and are counted.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls go through, to see whether it is well again.
    HalfOpen,
}

impl State {
    /// The word used in events and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A breaker went from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What it did before.
    pub from: State,
    /// What it does now.
    pub to: State,
    /// How long it refuses calls, where it opened.
    pub open_for: Option<Duration>,
}

/// One call was let through. It is handed back with [`Breaker::record`]; until then, a probe holds its place.
#[derive(Debug)]
#[must_use = "a probe that is not recorded holds its place until it expires"]
pub struct Permit {
    identity: u64,
    generation: u64,
    probe: Option<u64>,
    transition: Option<Transition>,
}

impl Permit {
    /// The transition that letting this call through made: from open to half-open.
    #[must_use]
    pub fn transition(&self) -> Option<Transition> {
        self.transition
    }

    /// True where the call is one of the few of a half-open breaker.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.probe.is_some()
    }
}

/// The call was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// [`State::Open`], or [`State::HalfOpen`] where every probe is out already.
    pub state: State,
    /// When to try again: where it is open, not before this; where it is half-open, at the latest after this.
    pub retry_after: Duration,
}

impl Rejected {
    /// E3501 for a call of `key`, a tool or a service.
    #[must_use]
    pub fn error(&self, key: &str) -> Error {
        let why = match self.state {
            State::HalfOpen => "is waiting for its probes, at most",
            State::Open | State::Closed => "stays open for another",
        };
        Error::new(
            Code::E3501,
            format!(
                "calling {key}: after repeated failures its circuit breaker {why} {}",
                super::shown(self.retry_after)
            ),
        )
        .detail("breaker", key)
        .detail("state", self.state.word())
        .detail("retry_after_ms", super::milliseconds(self.retry_after))
    }
}

impl Breaker {
    /// A closed breaker. `identity` is a random number of its own: no two breakers that a permit could be confused
    /// between may share it.
    #[must_use]
    pub fn new(config: BreakerConfig, identity: u64, now: Duration) -> Self {
        let config = config.in_range();
        Self {
            config,
            identity,
            generation: 0,
            failed_recoveries: 0,
            latest: now,
            phase: Phase::Closed(Window::new(config.window, now)),
        }
    }

    /// Asks to let one call through.
    ///
    /// # Errors
    /// [`Rejected`] where it is open, or half-open with every probe out.
    pub fn try_acquire(&mut self, now: Duration) -> Result<Permit, Rejected> {
        let now = self.advance(now);
        let mut transition = None;
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(Rejected {
                    state: State::Open,
                    retry_after: until.saturating_sub(now),
                });
            }
            transition = Some(self.turn(Phase::HalfOpen(Probes::default()), None));
        }
        let probe = match &mut self.phase {
            Phase::HalfOpen(probes) => {
                Some(probes.send(&self.config, now).map_err(|expiry| Rejected {
                    state: State::HalfOpen,
                    retry_after: expiry.saturating_sub(now),
                })?)
            }
            Phase::Closed(_) | Phase::Open { .. } => None,
        };
        Ok(Permit {
            identity: self.identity,
            generation: self.generation,
            probe,
            transition,
        })
    }

    /// Takes the outcome of a call that was let through, and says which transition it made.
    ///
    /// Outcomes of an older generation, and of another breaker's permits, change nothing. The verdict of a probe that
    /// has lost its place still counts while its generation lasts: a slow tool must be able to prove itself.
    pub fn record(
        &mut self,
        permit: Permit,
        outcome: Outcome,
        now: Duration,
    ) -> Option<Transition> {
        let now = self.advance(now);
        if (permit.identity, permit.generation) != (self.identity, self.generation) {
            return None;
        }
        match (&mut self.phase, permit.probe) {
            (Phase::Closed(window), None) => {
                match outcome {
                    Outcome::Success => window.add(false, now),
                    Outcome::Failure => window.add(true, now),
                    Outcome::Ignored => return None,
                }
                let tally = window.tally(now);
                self.config.trips(tally).then(|| self.open(now))
            }
            (Phase::HalfOpen(probes), Some(probe)) => {
                probes.give_back(probe);
                match outcome {
                    Outcome::Ignored => None,
                    Outcome::Failure => {
                        self.failed_recoveries = self.failed_recoveries.saturating_add(1);
                        Some(self.open(now))
                    }
                    Outcome::Success => probes.succeeded(&self.config).then(|| {
                        self.failed_recoveries = 0;
                        let window = Window::new(self.config.window, now);
                        self.turn(Phase::Closed(window), None)
                    }),
                }
            }
            _ => None,
        }
    }

    /// What it would do with a call now. An open breaker whose time is up counts as half-open.
    #[must_use]
    pub fn state(&self, now: Duration) -> State {
        match self.phase {
            Phase::Open { until } if now.max(self.latest) >= until => State::HalfOpen,
            _ => self.last_state(),
        }
    }

    /// How much longer it refuses every call; zero where it is not open.
    #[must_use]
    pub fn open_for(&self, now: Duration) -> Duration {
        match self.phase {
            Phase::Open { until } => until.saturating_sub(now.max(self.latest)),
            Phase::Closed(_) | Phase::HalfOpen(_) => Duration::ZERO,
        }
    }

    fn last_state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
        }
    }

    fn advance(&mut self, now: Duration) -> Duration {
        self.latest = self.latest.max(now);
        self.latest
    }

    fn open(&mut self, now: Duration) -> Transition {
        // From identity and generation, so that the breaker stays a function of what it was told.
        let mut rng = SmallRng::seed_from_u64(self.identity ^ self.generation.rotate_left(32));
        let open_for = self
            .config
            .open_duration(self.failed_recoveries, rng.random());
        let until = now.saturating_add(open_for);
        self.turn(Phase::Open { until }, Some(open_for))
    }

    fn turn(&mut self, to: Phase, open_for: Option<Duration>) -> Transition {
        let from = self.last_state();
        self.phase = to;
        self.generation = self.generation.wrapping_add(1);
        Transition {
            from,
            to: self.last_state(),
            open_for,
        }
    }
}
