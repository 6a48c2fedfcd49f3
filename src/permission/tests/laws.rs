//! The laws that every narrowing relies on.

use proptest::prelude::*;

use super::generate::{action_of, ambiguous_action, capability_of, kind, scope, scope_of};
use crate::permission::{Action, Capability, Kind, Scope};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn meet_is_commutative(left in scope(), right in scope()) {
        prop_assert_eq!(left.meet(&right), right.meet(&left));
    }

    #[test]
    fn meet_is_associative(a in scope(), b in scope(), c in scope()) {
        prop_assert_eq!(a.meet(&b).meet(&c), a.meet(&b.meet(&c)));
    }

    #[test]
    fn meet_is_idempotent(a in scope()) {
        prop_assert_eq!(a.meet(&a), a);
    }

    #[test]
    fn meet_is_never_wider_than_either_side(left in scope(), right in scope()) {
        let both = left.meet(&right);
        prop_assert!(both.is_within(&left), "{both} within {left}");
        prop_assert!(both.is_within(&right), "{both} within {right}");
    }

    #[test]
    fn everything_changes_nothing_and_nothing_leaves_nothing(a in scope()) {
        prop_assert_eq!(a.meet(&Scope::everything()), a.clone());
        prop_assert!(a.is_within(&Scope::everything()));
        prop_assert!(a.meet(&Scope::nothing()).is_empty());
    }

    #[test]
    fn the_order_of_insertion_does_not_matter(
        capabilities in prop::collection::vec(kind().prop_flat_map(capability_of), 0..8),
    ) {
        let forwards: Scope = capabilities.iter().cloned().collect();
        let backwards: Scope = capabilities.into_iter().rev().collect();
        prop_assert_eq!(forwards, backwards);
    }

    #[test]
    fn what_is_not_within_lies_beyond(left in scope(), right in scope()) {
        prop_assert_eq!(left.beyond(&right).is_empty(), left.is_within(&right));
        let rest: Scope = left.beyond(&right).into_iter().collect();
        prop_assert!(rest.is_within(&left));
    }

    #[test]
    fn meets_of_entries_survive_writing_and_reading(left in scope(), right in scope()) {
        let both = left.meet(&right);
        let read: Scope = both
            .entries()
            .into_iter()
            .map(|(kind, text)| Capability::parse(kind, &text).expect("what was written"))
            .collect();
        prop_assert_eq!(read, both);
    }
}

/// Two scopes of one permission and actions that need it.
fn encounter() -> impl Strategy<Value = (Scope, Scope, Vec<Action>)> {
    kind().prop_flat_map(|kind| {
        let actions = prop::collection::vec(action_of(kind), 12);
        (scope_of(kind), scope_of(kind), actions)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_meet_allows_exactly_what_both_sides_allow((left, right, actions) in encounter()) {
        let both = left.meet(&right);
        for action in actions {
            prop_assert_eq!(
                both.allows(&action),
                left.allows(&action) && right.allows(&action),
                "{:?}: {} meets {} in {}", action, left, right, both
            );
        }
    }

    #[test]
    fn a_scope_within_another_allows_no_more((left, right, actions) in encounter()) {
        for action in actions {
            if left.is_within(&right) && left.allows(&action) {
                prop_assert!(right.allows(&action), "{left} is not within {right}: {action:?}");
            }
        }
    }

    #[test]
    fn names_that_share_an_address_never_widen_a_meet(
        left in scope_of(Kind::NetworkTcp),
        right in scope_of(Kind::NetworkTcp),
        actions in prop::collection::vec(ambiguous_action(), 8),
    ) {
        let both = left.meet(&right);
        for action in actions {
            if both.allows(&action) {
                prop_assert!(
                    left.allows(&action) && right.allows(&action),
                    "{action:?}: {left} meets {right} in {both}"
                );
            }
        }
    }
}

/// The generators must hit: a property over actions that are never allowed says nothing.
#[test]
fn generated_actions_are_allowed_often_enough_to_mean_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    for kind in Kind::ALL {
        let draw = (scope_of(kind), scope_of(kind), action_of(kind));
        let mut allowed = 0;
        for _ in 0..400 {
            let (left, right, action) = draw.new_tree(&mut runner).expect("a draw").current();
            allowed += usize::from(left.allows(&action) && right.allows(&action));
        }
        assert!(allowed >= 4, "{kind}: {allowed} of 400");
    }
}
