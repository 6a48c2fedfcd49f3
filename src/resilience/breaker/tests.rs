//! The breaker against a naive model of itself, and what a person would notice of it.

mod model;

use std::time::Duration;

use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn steady() -> BreakerConfig {
    BreakerConfig {
        jitter_percent: 0,
        ..BreakerConfig::default()
    }
}

fn call(breaker: &mut Breaker, outcome: Outcome, now: Duration) -> Option<Transition> {
    let permit = breaker.try_acquire(now).expect("lets the call through");
    breaker.record(permit, outcome, now)
}

/// A breaker that opened at `now`.
fn opened(config: BreakerConfig, now: Duration) -> Breaker {
    let mut breaker = Breaker::new(config, 1, now);
    let transitions: Vec<_> = (0..config.min_calls)
        .filter_map(|_| call(&mut breaker, Outcome::Failure, now))
        .collect();
    assert_eq!(transitions.len(), 1, "{transitions:?}");
    assert_eq!(breaker.state(now), State::Open);
    breaker
}

#[test]
fn a_rate_opens_it_and_not_a_count() {
    let mut breaker = Breaker::new(steady(), 1, secs(0));
    for number in 0..505 {
        let outcome = if number % 101 == 0 {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        let _ = call(&mut breaker, outcome, ms(number));
    }
    assert_eq!(breaker.state(secs(1)), State::Closed);
}

#[test]
fn it_never_opens_on_fewer_calls_than_the_minimum() {
    let mut breaker = Breaker::new(steady(), 1, secs(0));
    for _ in 0..9 {
        assert_eq!(call(&mut breaker, Outcome::Failure, secs(1)), None);
    }
    let opening = call(&mut breaker, Outcome::Failure, secs(1)).expect("the tenth opens it");
    assert_eq!(
        (opening.from, opening.to, opening.open_for),
        (State::Closed, State::Open, Some(secs(60)))
    );
}

#[test]
fn failures_of_long_ago_do_not_count() {
    let mut breaker = Breaker::new(steady(), 1, secs(0));
    for _ in 0..9 {
        let _ = call(&mut breaker, Outcome::Failure, secs(1));
    }
    assert_eq!(call(&mut breaker, Outcome::Failure, secs(70)), None);
    assert_eq!(breaker.state(secs(70)), State::Closed);
}

#[test]
fn an_end_without_a_verdict_never_opens_it() {
    let mut breaker = Breaker::new(steady(), 1, secs(0));
    for _ in 0..11 {
        let _ = call(&mut breaker, Outcome::Success, secs(0));
    }
    for _ in 0..10 {
        let _ = call(&mut breaker, Outcome::Failure, secs(30));
    }
    // The successes are gone from the window, and the failures alone would be enough.
    assert_eq!(call(&mut breaker, Outcome::Ignored, secs(61)), None);
    assert_eq!(breaker.state(secs(61)), State::Closed);
}

#[test]
fn open_it_refuses_and_says_for_how_long() {
    let mut breaker = opened(steady(), secs(5));
    let rejected = breaker.try_acquire(secs(25)).expect_err("is open");
    assert_eq!(rejected.retry_after, secs(40));
    let error = rejected.error("service:api.example.com");
    assert_eq!(error.code(), Code::E3501);
    assert_eq!(error.details()["retry_after_ms"], 40_000);
    assert_eq!(
        error.to_string(),
        "calling service:api.example.com: after repeated failures its circuit breaker stays open for another 40 s"
    );
    assert_eq!(breaker.state(secs(65)), State::HalfOpen);
}

#[test]
fn three_successful_probes_close_it_and_the_past_is_forgotten() {
    let mut breaker = opened(steady(), secs(0));
    for _ in 0..2 {
        assert_eq!(call(&mut breaker, Outcome::Success, secs(60)), None);
        assert_eq!(breaker.state(secs(60)), State::HalfOpen);
    }
    let closing = call(&mut breaker, Outcome::Success, secs(60)).expect("the third closes it");
    assert_eq!((closing.from, closing.to), (State::HalfOpen, State::Closed));
    for _ in 0..9 {
        assert_eq!(call(&mut breaker, Outcome::Failure, secs(60)), None);
    }
}

#[test]
fn the_probe_that_turns_it_half_open_is_one_of_the_probes() {
    let mut breaker = opened(steady(), secs(0));
    let probes: Vec<_> = (0..10)
        .filter_map(|_| breaker.try_acquire(secs(60)).ok())
        .collect();
    assert_eq!(probes.len(), 3);
    assert!(probes.iter().all(Permit::is_probe));
    let turned = probes.iter().filter_map(Permit::transition).count();
    assert_eq!(turned, 1);
}

#[test]
fn a_failed_probe_opens_it_for_twice_as_long_up_to_the_cap() {
    let mut breaker = opened(steady(), secs(0));
    let mut now = secs(0);
    let mut lasted = Vec::new();
    for _ in 0..6 {
        now += breaker.open_for(now);
        let opening = call(&mut breaker, Outcome::Failure, now).expect("opens again");
        lasted.extend(opening.open_for);
    }
    assert_eq!(lasted, [120, 240, 480, 600, 600, 600].map(secs));
}

#[test]
fn a_recovery_forgets_the_failed_ones_before_it() {
    let mut breaker = opened(steady(), secs(0));
    let _ = call(&mut breaker, Outcome::Failure, secs(60));
    for _ in 0..3 {
        let _ = call(&mut breaker, Outcome::Success, secs(180));
    }
    assert_eq!(breaker.state(secs(180)), State::Closed);
    for _ in 0..10 {
        let _ = call(&mut breaker, Outcome::Failure, secs(181));
    }
    assert_eq!(breaker.open_for(secs(181)), secs(60));
}

#[test]
fn a_probe_without_a_verdict_gives_its_place_back() {
    let mut breaker = opened(steady(), secs(0));
    for _ in 0..100 {
        assert_eq!(call(&mut breaker, Outcome::Ignored, secs(60)), None);
    }
    assert_eq!(breaker.state(secs(60)), State::HalfOpen);
}

#[test]
fn probes_that_never_report_lose_their_places() {
    let mut breaker = opened(steady(), secs(0));
    let lost: Vec<_> = (0..3)
        .filter_map(|_| breaker.try_acquire(secs(60)).ok())
        .collect();
    assert_eq!(lost.len(), 3);
    let rejected = breaker
        .try_acquire(secs(80))
        .expect_err("all probes are out");
    assert_eq!(
        (rejected.state, rejected.retry_after),
        (State::HalfOpen, secs(40))
    );
    for _ in 0..3 {
        let _ = call(&mut breaker, Outcome::Success, secs(120));
    }
    assert_eq!(breaker.state(secs(120)), State::Closed);
    for permit in lost {
        assert_eq!(breaker.record(permit, Outcome::Failure, secs(121)), None);
    }
}

#[test]
fn a_tool_slower_than_the_probe_timeout_can_still_prove_itself() {
    let mut breaker = opened(steady(), secs(0));
    let slow: Vec<_> = (0..3)
        .filter_map(|_| breaker.try_acquire(secs(60)).ok())
        .collect();
    for permit in slow {
        let _ = breaker.record(permit, Outcome::Success, secs(400));
    }
    assert_eq!(breaker.state(secs(400)), State::Closed);
}

#[test]
fn late_results_of_an_older_generation_change_nothing() {
    let mut breaker = Breaker::new(steady(), 1, secs(0));
    let late: Vec<_> = (0..40)
        .filter_map(|_| breaker.try_acquire(secs(0)).ok())
        .collect();
    assert_eq!(late.len(), 40);
    for _ in 0..10 {
        let _ = call(&mut breaker, Outcome::Failure, secs(1));
    }
    let probe = breaker.try_acquire(secs(61)).expect("a probe");
    for permit in late {
        assert_eq!(breaker.record(permit, Outcome::Success, secs(61)), None);
    }
    assert_eq!(breaker.state(secs(61)), State::HalfOpen);
    let reopening = breaker.record(probe, Outcome::Failure, secs(62));
    assert_eq!(reopening.expect("counts").to, State::Open);
}

#[test]
fn permits_of_another_breaker_change_nothing() {
    let mut one = opened(steady(), secs(0));
    let mut other = Breaker::new(steady(), 2, secs(0));
    for _ in 0..20 {
        let foreign = other.try_acquire(secs(0)).expect("closed");
        let _ = one.record(foreign, Outcome::Success, secs(0));
    }
    assert_eq!(one.state(secs(0)), State::Open);
    let foreign = one.try_acquire(secs(60)).expect("a probe");
    assert_eq!(other.record(foreign, Outcome::Failure, secs(60)), None);
}

#[test]
fn a_clock_that_goes_back_does_not_shorten_the_rest() {
    let mut breaker = opened(steady(), secs(100));
    let rejected = breaker.try_acquire(secs(0)).expect_err("is open");
    assert_eq!(rejected.retry_after, secs(60));
}

#[test]
fn jitter_only_adds_and_spreads_breakers() {
    let mut lengths: Vec<Duration> = (0..50)
        .map(|identity| {
            let mut breaker = Breaker::new(BreakerConfig::default(), identity, secs(0));
            for _ in 0..10 {
                let _ = call(&mut breaker, Outcome::Failure, secs(0));
            }
            breaker.open_for(secs(0))
        })
        .collect();
    assert!(
        lengths
            .iter()
            .all(|open| (secs(60)..=secs(66)).contains(open)),
        "{lengths:?}"
    );
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 45, "{lengths:?}");
    assert!(
        lengths[lengths.len() - 1] - lengths[0] > secs(4),
        "{lengths:?}"
    );
}

#[test]
fn a_snapshot_goes_on_under_another_clock() {
    let open = opened(steady(), secs(1_000));
    let json = serde_json::to_string(&open.snapshot(secs(1_020))).expect("writes");
    let snapshot: Snapshot = serde_json::from_str(&json).expect("reads");
    let restored = Breaker::restore(steady(), &snapshot, secs(3)).expect("known format");
    assert_eq!(restored.open_for(secs(3)), secs(40));
    assert_eq!(restored.state(secs(43)), State::HalfOpen);
}

#[test]
fn a_snapshot_of_a_later_format_is_refused() {
    let breaker = Breaker::new(steady(), 1, secs(0));
    let mut json = serde_json::to_value(breaker.snapshot(secs(0))).expect("writes");
    json["format"] = 2.into();
    let snapshot: Snapshot = serde_json::from_value(json).expect("reads");
    let refused = Breaker::restore(steady(), &snapshot, secs(0)).expect_err("unknown format");
    assert_eq!(refused.format, 2);
}

#[test]
fn fewer_probes_than_a_snapshot_has_successes_do_not_wedge_it() {
    let mut breaker = opened(steady(), secs(0));
    for _ in 0..2 {
        let _ = call(&mut breaker, Outcome::Success, secs(60));
    }
    let fewer = BreakerConfig {
        probes: 1,
        ..steady()
    };
    let mut restored =
        Breaker::restore(fewer, &breaker.snapshot(secs(60)), secs(0)).expect("known format");
    let closing = call(&mut restored, Outcome::Success, secs(0)).expect("closes");
    assert_eq!(closing.to, State::Closed);
}

#[test]
fn only_what_the_tool_or_service_did_wrong_counts() {
    assert_eq!(Outcome::of(None), Outcome::Success);
    for code in [
        Code::E3402,
        Code::E3404,
        Code::E3502,
        Code::E3503,
        Code::E3506,
    ] {
        assert_eq!(Outcome::of(Some(code)), Outcome::Failure, "{code}");
    }
    for code in [
        Code::E3206,
        Code::E3301,
        Code::E3401,
        Code::E3408,
        Code::E3501,
        Code::E3703,
    ] {
        assert_eq!(Outcome::of(Some(code)), Outcome::Ignored, "{code}");
    }
}
