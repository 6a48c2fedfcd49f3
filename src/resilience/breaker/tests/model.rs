//! A naive breaker that remembers everything, and random histories told to both.

use proptest::prelude::*;

use super::*;

/// What happens to a breaker.
#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Call,
    /// The call that was let through at this place, counted around, ends like this.
    End(usize, Outcome),
    /// It is written down and read again.
    Move,
}

/// A breaker without shortcuts: every outcome and every probe is kept in a list.
struct Model {
    config: BreakerConfig,
    state: State,
    since: Duration,
    open_for: Duration,
    generation: usize,
    failed_recoveries: u32,
    outcomes: Vec<(Duration, Outcome)>,
    /// Call and when its place is lost.
    probes: Vec<(usize, Duration)>,
    calls: usize,
}

impl Model {
    fn turn(&mut self, state: State, now: Duration) {
        self.state = state;
        self.since = now;
        self.generation += 1;
        self.outcomes.clear();
        self.probes.clear();
    }

    fn open(&mut self, now: Duration) {
        let doubled = self.config.open_for * 2_u32.pow(self.failed_recoveries.min(20));
        self.open_for = doubled.min(self.config.open_at_most);
        self.turn(State::Open, now);
    }

    fn call(&mut self, now: Duration) -> Result<(usize, usize), Duration> {
        if self.state == State::Open {
            let until = self.since + self.open_for;
            if now < until {
                return Err(until - now);
            }
            self.turn(State::HalfOpen, now);
        }
        if self.state == State::HalfOpen {
            self.probes.retain(|(_, lost)| *lost > now);
            if self.probes.len() + self.outcomes.len() >= self.config.probes as usize
                && !self.probes.is_empty()
            {
                return Err(self
                    .probes
                    .iter()
                    .map(|(_, lost)| *lost - now)
                    .min()
                    .expect("some"));
            }
            self.probes
                .push((self.calls, now + self.config.probe_timeout));
        }
        self.calls += 1;
        Ok((self.generation, self.calls - 1))
    }

    fn end(&mut self, (generation, call): (usize, usize), outcome: Outcome, now: Duration) {
        if generation != self.generation {
            return;
        }
        self.probes.retain(|(probe, _)| *probe != call);
        if outcome != Outcome::Ignored {
            self.outcomes.push((now, outcome));
        }
        let failures = |outcomes: &[Outcome]| {
            outcomes
                .iter()
                .filter(|outcome| **outcome == Outcome::Failure)
                .count()
        };
        if self.state == State::HalfOpen {
            if outcome == Outcome::Failure {
                self.failed_recoveries += 1;
                self.open(now);
            } else if self.outcomes.len() >= self.config.probes as usize {
                self.failed_recoveries = 0;
                self.turn(State::Closed, now);
            }
        } else if outcome != Outcome::Ignored {
            let bucket =
                |at: Duration| (at - self.since).as_nanos() * 10 / self.config.window.as_nanos();
            let recent: Vec<Outcome> = self
                .outcomes
                .iter()
                .filter(|(at, _)| bucket(now) - bucket(*at) < 10)
                .map(|(_, outcome)| *outcome)
                .collect();
            let rate = failures(&recent) as f64 / recent.len() as f64;
            if recent.len() >= self.config.min_calls as usize
                && rate >= f64::from(self.config.failure_percent) / 100.0
            {
                self.open(now);
            }
        }
    }

    fn state(&self, now: Duration) -> State {
        if self.state == State::Open && now >= self.since + self.open_for {
            return State::HalfOpen;
        }
        self.state
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Failure),
        3 => Just(Outcome::Success),
        1 => Just(Outcome::Ignored),
    ];
    let step = prop_oneof![
        3 => (0_u64..120).prop_map(Step::Wait),
        1 => (120_u64..1_200).prop_map(Step::Wait),
        8 => Just(Step::Call),
        7 => (any::<usize>(), outcome).prop_map(|(call, outcome)| Step::End(call, outcome)),
        1 => Just(Step::Move),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn it_does_what_the_naive_one_does(steps in steps(), min_calls in 1_u32..6, probes in 1_u32..4) {
        let config = BreakerConfig {
            window: ms(1_000),
            failure_percent: 50,
            min_calls,
            open_for: ms(300),
            open_at_most: ms(1_000),
            jitter_percent: 0,
            probes,
            probe_timeout: ms(200),
        };
        let mut now = secs(10);
        let mut breaker = Breaker::new(config, 7, now);
        let mut model = Model {
            config,
            state: State::Closed,
            since: now,
            open_for: Duration::ZERO,
            generation: 0,
            failed_recoveries: 0,
            outcomes: Vec::new(),
            probes: Vec::new(),
            calls: 0,
        };
        let mut out: Vec<(Permit, (usize, usize))> = Vec::new();
        for step in steps {
            let generation = model.generation;
            match step {
                Step::Wait(time) => now += ms(time),
                Step::Call => match (breaker.try_acquire(now), model.call(now)) {
                    (Ok(permit), Ok(call)) => {
                        prop_assert_eq!(permit.transition().is_some(), model.generation != generation);
                        out.push((permit, call));
                    }
                    (Err(rejected), Err(wait)) => prop_assert_eq!(rejected.retry_after, wait),
                    (breaker, model) => prop_assert!(false, "{breaker:?} but {model:?}"),
                },
                Step::End(call, outcome) => {
                    if out.is_empty() {
                        continue;
                    }
                    let (permit, call) = out.swap_remove(call % out.len());
                    let transition = breaker.record(permit, outcome, now);
                    model.end(call, outcome, now);
                    prop_assert_eq!(transition.is_some(), model.generation != generation);
                    if let Some(transition) = transition {
                        prop_assert_eq!(transition.to, model.state);
                    }
                }
                Step::Move => {
                    let json = serde_json::to_string(&breaker.snapshot(now)).expect("writes");
                    let snapshot = serde_json::from_str(&json).expect("reads");
                    breaker = Breaker::restore(config, &snapshot, now).expect("known format");
                }
            }
            prop_assert_eq!(breaker.state(now), model.state(now));
        }
    }

    #[test]
    fn however_it_is_treated_it_recovers_once_calls_succeed(steps in steps()) {
        let config = BreakerConfig::default();
        let mut now = secs(0);
        let mut breaker = Breaker::new(config, 7, now);
        let mut out = Vec::new();
        for step in steps {
            match step {
                Step::Wait(time) => now += ms(time * 20),
                Step::Call => out.extend(breaker.try_acquire(now)),
                Step::End(call, outcome) if !out.is_empty() => {
                    let permit = out.swap_remove(call % out.len());
                    let _ = breaker.record(permit, outcome, now);
                }
                Step::End(..) | Step::Move => {}
            }
        }
        // Whatever is still out never reports.
        now += config.open_at_most * 2 + config.probe_timeout + config.window;
        for _ in 0..config.probes {
            let permit = breaker.try_acquire(now).expect("lets a probe through");
            let _ = breaker.record(permit, Outcome::Success, now);
        }
        prop_assert_eq!(breaker.state(now), State::Closed);
    }
}
