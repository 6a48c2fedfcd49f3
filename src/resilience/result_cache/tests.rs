//! What is given again, and what is given up.

use proptest::prelude::*;

use super::super::clock::ManualClock;
use super::*;

fn key(number: u64) -> CacheKey {
    CacheKey::new(&Digest::of(b"artifact"), "tool", &number.to_string())
}

fn cache(max_bytes: usize, max_entries: usize) -> (Arc<ManualClock>, ResultCache<u64>) {
    let clock = Arc::new(ManualClock::default());
    let config = CacheConfig {
        max_bytes,
        max_entries,
        ..CacheConfig::default()
    };
    let cache = ResultCache::new(config, Arc::<ManualClock>::clone(&clock));
    (clock, cache)
}

#[test]
fn every_part_of_the_key_matters_and_where_it_ends() {
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let keys = [
        CacheKey::new(&one, "ab", "c"),
        CacheKey::new(&two, "ab", "c"),
        CacheKey::new(&one, "a", "bc"),
        CacheKey::new(&one, "ab", ""),
        CacheKey::new(&one, "", "abc"),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(keys.iter().position(|other| other == key), Some(at));
    }
    assert_eq!(keys[0], CacheKey::new(&one, "ab", "c"));
}

#[test]
fn results_expire_by_the_tool_s_time_up_to_the_cap() {
    let (clock, cache) = cache(1_000, 10);
    cache.put(key(1), 1, 1, None);
    cache.put(key(2), 2, 1, Some(Duration::from_secs(10)));
    cache.put(key(3), 3, 1, Some(Duration::MAX));
    clock.advance(Duration::from_secs(10));
    assert_eq!(
        [1, 2, 3].map(|n| cache.get(&key(n))),
        [Some(1), None, Some(3)]
    );
    clock.advance(Duration::from_secs(290));
    assert_eq!([1, 3].map(|n| cache.get(&key(n))), [None, Some(3)]);
    clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(cache.get(&key(3)), None);
    assert_eq!(cache.size(), (0, 0));
}

#[test]
fn a_result_larger_than_the_cache_replaces_nothing_but_its_own_old_one() {
    let (_, cache) = cache(100, 10);
    cache.put(key(1), 1, 50, None);
    cache.put(key(2), 2, 50, None);
    cache.put(key(2), 22, 101, None);
    assert_eq!(cache.get(&key(1)), Some(1));
    assert_eq!(cache.get(&key(2)), None);
}

proptest! {
    #[test]
    fn it_holds_the_most_recently_used_that_fit(
        uses in prop::collection::vec((0_u64..12, 1_usize..60, any::<bool>()), 0..200),
    ) {
        let (_, cache) = cache(100, 5);
        // The naive one: key, value and bytes, the most recently used last.
        let mut model: Vec<(u64, u64, usize)> = Vec::new();
        for (value, (number, bytes, put)) in uses.into_iter().enumerate() {
            let at = model.iter().position(|(other, ..)| *other == number);
            let found = at.map(|at| model.remove(at));
            if put {
                let value = value as u64;
                cache.put(key(number), value, bytes, None);
                model.push((number, value, bytes));
                while model.len() > 5 || model.iter().map(|(.., bytes)| bytes).sum::<usize>() > 100 {
                    model.remove(0);
                }
            } else {
                prop_assert_eq!(cache.get(&key(number)), found.map(|(_, value, _)| value));
                model.extend(found);
            }
            let bytes: usize = model.iter().map(|(.., bytes)| bytes).sum();
            prop_assert_eq!(cache.size(), (model.len(), bytes));
        }
    }
}
