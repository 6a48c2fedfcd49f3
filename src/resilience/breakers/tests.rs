//! Breakers by key.

use super::super::clock::ManualClock;
use super::super::tests::ready;
use super::*;
use crate::error::Code;

struct Bench {
    clock: Arc<ManualClock>,
    store: Arc<MemoryBreakers>,
    breakers: Breakers,
    heard: Arc<Mutex<Vec<String>>>,
}

fn bench(max_keys: usize) -> Bench {
    let clock = Arc::new(ManualClock::default());
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ear = Arc::clone(&heard);
    let default = BreakerConfig {
        jitter_percent: 0,
        min_calls: 2,
        probes: 1,
        ..BreakerConfig::default()
    };
    let strict = BreakerConfig {
        min_calls: 1,
        ..default
    };
    let settings = Settings {
        default,
        own: HashMap::from([("service:own".to_owned(), strict)]),
        max_keys,
    };
    let store = Arc::new(MemoryBreakers::new(
        settings,
        Arc::<ManualClock>::clone(&clock),
        Arc::new(move |key, transition| {
            let (from, to) = (transition.from.word(), transition.to.word());
            lock(&ear).push(format!("{key}: {from} to {to}"));
        }),
    ));
    Bench {
        breakers: Breakers::new(Arc::<MemoryBreakers>::clone(&store)),
        clock,
        store,
        heard,
    }
}

impl Bench {
    fn call(&self, key: &str, outcome: Outcome) {
        ready(self.breakers.acquire(key))
            .expect("lets the call through")
            .settle(outcome);
    }

    fn state(&self, key: &str) -> Option<State> {
        self.store
            .states()
            .into_iter()
            .find(|(k, ..)| k == key)
            .map(|(_, state, _)| state)
    }
}

#[test]
fn each_key_has_a_breaker_of_its_own_and_its_transitions_are_told() {
    let bench = bench(10);
    bench.call("a.x", Outcome::Failure);
    bench.call("a.x", Outcome::Failure);
    let refused = ready(bench.breakers.acquire("a.x")).expect_err("is open");
    assert_eq!(refused.code(), Code::E3501);
    assert_eq!(refused.details()["retry_after_ms"], 60_000);
    bench.call("b.y", Outcome::Success);
    bench.clock.advance(Duration::from_secs(60));
    bench.call("a.x", Outcome::Success);
    assert_eq!(
        *lock(&bench.heard),
        [
            "a.x: closed to open",
            "a.x: open to half-open",
            "a.x: half-open to closed"
        ]
    );
}

#[test]
fn a_key_can_have_numbers_of_its_own() {
    let bench = bench(10);
    bench.call("service:own", Outcome::Failure);
    bench.call("service:other", Outcome::Failure);
    assert_eq!(bench.state("service:own"), Some(State::Open));
    assert_eq!(bench.state("service:other"), Some(State::Closed));
}

#[test]
fn a_guard_that_is_dropped_gives_the_probe_back() {
    let bench = bench(10);
    bench.call("a.x", Outcome::Failure);
    bench.call("a.x", Outcome::Failure);
    bench.clock.advance(Duration::from_secs(60));
    let probe = ready(bench.breakers.acquire("a.x")).expect("a probe");
    assert!(ready(bench.breakers.acquire("a.x")).is_err(), "only one");
    drop(probe);
    bench.call("a.x", Outcome::Success);
    assert_eq!(bench.state("a.x"), Some(State::Closed));
}

#[test]
fn the_number_of_keys_is_capped_and_open_breakers_stay_longest() {
    let bench = bench(8);
    bench.call("open", Outcome::Failure);
    bench.call("open", Outcome::Failure);
    for number in 0..100 {
        bench.clock.advance(Duration::from_millis(1));
        bench.call(&format!("key-{number}"), Outcome::Success);
        assert!(bench.store.states().len() <= 8);
    }
    assert_eq!(bench.state("open"), Some(State::Open));
    assert_eq!(bench.state("key-99"), Some(State::Closed));
    assert_eq!(bench.state("key-0"), None);
}

#[test]
fn a_guard_of_a_forgotten_breaker_says_nothing_about_the_new_one() {
    let bench = bench(1);
    let old: Vec<_> = (0..5)
        .map(|_| ready(bench.breakers.acquire("a.x")).expect("closed"))
        .collect();
    bench.call("b.y", Outcome::Success);
    bench.call("a.x", Outcome::Success);
    for guard in old {
        guard.settle(Outcome::Failure);
    }
    assert_eq!(bench.state("a.x"), Some(State::Closed));
}
