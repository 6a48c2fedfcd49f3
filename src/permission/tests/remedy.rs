//! The grant that a denial suggests is one that allows what was denied.

use proptest::prelude::*;

use super::generate::{action_of, kind, scope_of};
use crate::permission::{Access, Allow, AllowValue, Capability, FileScope, Kind, Scope, Sensitive};

/// The word after `--allow ` as a shell would read it.
fn unquoted(flag: &str) -> String {
    let word = flag.strip_prefix("--allow ").expect("a flag");
    match word
        .strip_prefix('\'')
        .and_then(|word| word.strip_suffix('\''))
    {
        Some(inner) => inner.replace(r"'\''", "'"),
        None => word.to_owned(),
    }
}

fn granted(allow: &Allow) -> Capability {
    match (&allow.value, allow.kind) {
        (AllowValue::File { host, guest: None }, kind) => {
            let access = if kind == Kind::FileRead {
                Access::Read
            } else {
                Access::Write
            };
            let scope = FileScope::under(host, access).expect("absolute");
            match access {
                Access::Read => Capability::FileRead(scope),
                Access::Write => Capability::FileWrite(scope),
            }
        }
        _ => allow.capability().expect("a scope"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_suggested_flag_allows_what_was_denied(
        (scope, action) in kind().prop_flat_map(|kind| (scope_of(kind), action_of(kind))),
    ) {
        if let Err(denial) = scope.check(&action, &Sensitive::default())
            && let Some(flag) = denial.flag()
        {
            let allow = Allow::parse(&unquoted(&flag)).expect("what was suggested");
            let granted = Scope::from_iter([granted(&allow)]);
            let sensitive = Sensitive::default().naming(&granted);
            prop_assert!(granted.check(&action, &sensitive).is_ok(), "{flag} for {action:?}");
        }
    }
}
