//! What is tried again, and when.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;

fn failed(number: u32, code: Code) -> Attempt {
    Attempt {
        number,
        code,
        started: true,
        retry_after: None,
    }
}

fn delay(attempt: &Attempt, idempotent: bool, left: Option<Duration>) -> Option<Duration> {
    let mut rng = SmallRng::seed_from_u64(1);
    RetryPolicy::default().next_delay(attempt, idempotent, left, &mut rng)
}

#[test]
fn three_attempts_and_no_more() {
    assert!(delay(&failed(1, Code::E3502), true, None).is_some());
    assert!(delay(&failed(2, Code::E3502), true, None).is_some());
    assert!(delay(&failed(3, Code::E3502), true, None).is_none());
}

#[test]
fn what_may_have_had_an_effect_is_repeated_only_where_idempotent() {
    for code in [Code::E3502, Code::E3503, Code::E3402, Code::E3404] {
        let mut attempt = failed(1, code);
        assert!(delay(&attempt, false, None).is_none(), "{code}");
        assert!(delay(&attempt, true, None).is_some(), "{code}");
        attempt.started = false;
        assert!(delay(&attempt, false, None).is_some(), "{code}");
    }
}

#[test]
fn what_would_fail_again_is_not_repeated() {
    for code in [Code::E3206, Code::E3301, Code::E3703, Code::E3501] {
        let attempt = Attempt {
            started: false,
            ..failed(1, code)
        };
        assert!(delay(&attempt, true, None).is_none(), "{code}");
    }
}

#[test]
fn a_wait_past_the_deadline_is_not_begun() {
    let asked = Attempt {
        retry_after: Some(Duration::from_secs(30)),
        ..failed(1, Code::E3504)
    };
    assert!(delay(&asked, true, Some(Duration::from_secs(30))).is_none());
    let delay = delay(&asked, true, Some(Duration::from_secs(32))).expect("fits");
    assert!(delay >= Duration::from_secs(30), "{delay:?}");
}

proptest! {
    #[test]
    fn the_wait_is_spread_from_zero_to_a_ceiling_that_doubles(
        number in 1_u32..40, base in 1_u64..2_000, cap in 1_u64..60_000, asked in prop::option::of(0_u64..5_000),
        seed: u64,
    ) {
        let policy = RetryPolicy {
            max_attempts: 100,
            base: Duration::from_millis(base),
            cap: Duration::from_millis(cap),
        };
        let attempt = Attempt {
            retry_after: asked.map(Duration::from_millis),
            ..failed(number, Code::E3502)
        };
        let mut rng = SmallRng::seed_from_u64(seed);
        let least = Duration::from_millis(asked.unwrap_or(0));
        let ceiling = (0..number - 1).fold(policy.base, |wait, _| (wait * 2).min(policy.cap)).min(policy.cap);
        let delays: Vec<Duration> = (0..64)
            .filter_map(|_| policy.next_delay(&attempt, true, None, &mut rng))
            .collect();
        prop_assert_eq!(delays.len(), 64);
        prop_assert!(delays.iter().all(|delay| *delay >= least && *delay <= least + ceiling));
        // One of 64 even draws misses each half with probability 2^-64.
        prop_assert!(delays.iter().any(|delay| *delay < least + ceiling / 2));
        prop_assert!(delays.iter().any(|delay| *delay > least + ceiling / 2));
    }

    #[test]
    fn no_wait_uses_up_the_time_that_is_left(left in 0_u64..3_000, seed: u64) {
        let left = Duration::from_millis(left);
        let mut rng = SmallRng::seed_from_u64(seed);
        let policy = RetryPolicy::default();
        let delay = policy.next_delay(&failed(2, Code::E3502), true, Some(left), &mut rng);
        prop_assert!(delay.is_none_or(|delay| delay < left));
    }
}
