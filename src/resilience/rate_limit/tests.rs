//! The rate is never exceeded, and never withheld.

use proptest::prelude::*;

use super::super::clock::ManualClock;
use super::super::tests::ready;
use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn rates() -> impl Strategy<Value = Rate> {
    (1_u32..200, 1_u64..5_000, 1_u32..20).prop_map(|(cells, period, burst)| Rate {
        cells,
        period: Duration::from_millis(period),
        burst,
    })
}

proptest! {
    #[test]
    fn no_stretch_of_time_has_more_than_a_burst_and_its_rate(
        rate in rates(),
        waits in prop::collection::vec(0_u64..50_000_000, 1..150),
    ) {
        let mut gcra = Gcra::default();
        let mut now = secs(1);
        let mut taken = Vec::new();
        for wait in waits {
            now += Duration::from_nanos(wait);
            if gcra.take(&rate, now).is_ok() {
                taken.push(now);
            }
        }
        for first in 0..taken.len() {
            for last in first..taken.len() {
                let stretch = (taken[last] - taken[first]).as_secs_f64();
                let rated = stretch * f64::from(rate.cells) / rate.period.as_secs_f64();
                let most = f64::from(rate.burst) + rated + 1e-6;
                prop_assert!((last - first + 1) as f64 <= most, "{} in {stretch} s", last - first + 1);
            }
        }
    }

    #[test]
    fn after_the_wait_it_names_and_not_before_a_request_is_let_through(
        rate in rates(),
        waits in prop::collection::vec(0_u64..50_000_000, 1..100),
    ) {
        let mut gcra = Gcra::default();
        let mut now = secs(1);
        for wait in waits {
            now += Duration::from_nanos(wait);
            if let Err(limited) = gcra.take(&rate, now) {
                let nanosecond = Duration::from_nanos(1);
                let mut early = gcra;
                prop_assert!(early.take(&rate, now + limited.retry_after - nanosecond).is_err());
                let mut on_time = gcra;
                prop_assert!(on_time.take(&rate, now + limited.retry_after).is_ok());
            }
        }
    }

    #[test]
    fn what_is_left_can_be_taken_at_once_and_no_more(
        rate in rates(),
        waits in prop::collection::vec(0_u64..50_000_000, 1..50),
    ) {
        let mut gcra = Gcra::default();
        let mut now = secs(1);
        for wait in waits {
            now += Duration::from_nanos(wait);
            if let Ok(left) = gcra.take(&rate, now) {
                let mut copy = gcra;
                for _ in 0..left {
                    prop_assert!(copy.take(&rate, now).is_ok());
                }
                prop_assert!(copy.take(&rate, now).is_err());
            }
        }
    }
}

#[test]
fn the_default_is_ten_at_once_and_one_a_second() {
    let rate = Rate::default();
    let mut gcra = Gcra::default();
    let burst = (0..100)
        .filter(|_| gcra.take(&rate, secs(0)).is_ok())
        .count();
    assert_eq!(burst, 10);
    let minute = (0..600)
        .filter(|tenth| {
            gcra.take(&rate, Duration::from_millis(100 * tenth + 100))
                .is_ok()
        })
        .count();
    assert_eq!(minute, 60);
}

#[test]
fn an_interval_that_is_no_whole_nanosecond_does_not_raise_the_rate() {
    let rate = Rate {
        cells: 7,
        period: Duration::from_nanos(10),
        burst: 1,
    };
    let mut gcra = Gcra::default();
    let taken = (0..1_000)
        .filter(|nanos| gcra.take(&rate, Duration::from_nanos(*nanos)).is_ok())
        .count();
    assert!(taken <= 701, "{taken} in 1000 ns");
}

#[test]
fn keys_are_limited_apart_and_the_error_says_when_to_come_back() {
    let clock = Arc::new(ManualClock::default());
    let rates = MemoryRates::new(Arc::<ManualClock>::clone(&clock), 10);
    let rate = Rate {
        cells: 2,
        period: secs(60),
        burst: 1,
    };
    assert_eq!(ready(rates.take("anna", &rate)).expect("in memory"), Ok(0));
    assert_eq!(ready(rates.take("ben", &rate)).expect("in memory"), Ok(0));
    clock.advance(secs(10));
    let limited = ready(rates.take("anna", &rate))
        .expect("in memory")
        .expect_err("too early");
    let error = limited.error("anna", &rate);
    assert_eq!(error.code(), Code::E3003);
    assert_eq!(error.details()["retry_after_ms"], 20_000);
    assert_eq!(
        error.to_string(),
        "counting a call for anna: its limit of 2 in 60 s, 1 at once, is used up for another 20 s"
    );
}

#[test]
fn a_full_table_forgets_idle_keys_and_never_a_debt() {
    let clock = Arc::new(ManualClock::default());
    let rates = MemoryRates::new(Arc::<ManualClock>::clone(&clock), 2);
    let rate = Rate {
        cells: 1,
        period: secs(10),
        burst: 1,
    };
    let take = |key: &str| ready(rates.take(key, &rate)).expect("in memory");
    assert!(take("a").is_ok());
    clock.advance(secs(4));
    assert!(take("b").is_ok());
    let crowded = take("c").expect_err("both are in debt");
    assert_eq!((crowded.crowded, crowded.retry_after), (true, secs(6)));
    assert!(take("a").is_err(), "the debt of a is remembered");
    clock.advance(secs(6));
    assert!(take("c").is_ok(), "a is idle");
    assert!(take("b").is_err(), "the debt of b is remembered");
    assert!(!take("b").expect_err("in debt").crowded);
}
