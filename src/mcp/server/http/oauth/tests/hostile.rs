//! What strangers send in place of a token.

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_no_token_is_refused() {
    let signer = Signer::new("ES256", "a");
    let keys = keys(&[&signer]);
    let good = signer.token(&claims(&json!({})));
    let huge = signer.token(&claims(&json!({"groups": "x".repeat(16 << 10)})));
    let parts: Vec<&str> = good.split('.').collect();
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "thk_abc",
        "\u{1f511}.a.b",
        &good[..good.len() - 1],
        &good[1..],
        &format!("{good}."),
        &format!("{good}.x"),
        &format!("{good}="),
        &format!(" {good}"),
        &format!("{}.{}", parts[0], parts[1]),
        &format!("{}..{}", parts[0], parts[2]),
        &format!("{}.{}.", parts[0], parts[1]),
        &huge,
        &signer.token(&json!([1])),
        &signer.token(&json!("x")),
    ] {
        let checked = check(&keys, token);
        assert!(
            matches!(checked, Err(Refused::Invalid(_))),
            "{token}: {checked:?}"
        );
    }
    // The same claim twice: which one counts is nobody's guess.
    let twice = claims(&json!({}))
        .to_string()
        .replacen('{', "{\"sub\":\"eve\",", 1);
    let checked = check(&keys, &signer.sign_text(&twice));
    assert!(matches!(checked, Err(Refused::Invalid(_))), "{checked:?}");
}

#[test]
fn no_letter_of_a_token_can_be_changed() {
    let signer = Signer::new("ES256", "a");
    let keys = keys(&[&signer]);
    let good = signer.token(&claims(&json!({})));
    assert!(check(&keys, &good).is_ok());
    for (at, letter) in good.char_indices() {
        for other in ['A', 'B', '.', '='] {
            if letter == other {
                continue;
            }
            let mut changed = good.clone();
            changed.replace_range(at..=at, &other.to_string());
            let checked = check(&keys, &changed);
            assert!(
                matches!(checked, Err(Refused::Invalid(_))),
                "{at} {other}: {checked:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_breaks_the_check(
        token in "[ -~]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,4}|\\PC{0,60}",
        header in "\\PC{0,60}",
        set in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let signer = Signer::new("EdDSA", "a");
        let keys = keys(&[&signer]);
        prop_assert!(check(&keys, &token).is_err());
        let wrapped = format!("{}.e30.AAAA", signer::encode(&header));
        prop_assert!(check(&keys, &wrapped).is_err());
        prop_assert!(KeySet::read(&set).is_err());
    }
}
