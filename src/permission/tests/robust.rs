//! Whatever the text: parsing ends, does not panic, and reads back what it wrote.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::select;

use crate::permission::{Action, Allow, Capability, Kind, MAX_SCOPE_TEXT, Scope, Sensitive};

/// Texts of the characters that mean something somewhere, mixed with any others.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r"[a-z0-9.*:/;=%\[\]{},@?#_-]{0,40}",
        r"(https?://)?(\*\.)?[a-z0-9.]{1,12}(:[0-9*]{1,5})?(/[a-z*%0-9]{0,4}){0,4}(;[a-z=,A-Z/]{0,12}){0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_read_can_be_written_and_read_again(text in texts(), kind in select(&Kind::ALL[..])) {
        if let Ok(capability) = Capability::parse(kind, &text) {
            prop_assert_eq!(capability.kind(), kind);
            let written = capability.to_string();
            prop_assert_eq!(Capability::parse(kind, &written), Ok(capability), "{}", written);
        }
    }

    #[test]
    fn errors_and_grants_are_safe_to_print(text in texts(), kind in select(&Kind::ALL[..])) {
        let is_safe = |text: &str| !text.chars().any(char::is_control);
        if let Err(error) = Capability::parse(kind, &text) {
            prop_assert!(is_safe(&error.to_string()), "{error:?}");
        }
        match Allow::parse(&format!("{kind}={text}")) {
            Ok(allow) => prop_assert_eq!(allow.kind, kind),
            Err(error) => prop_assert!(is_safe(&error.to_string()), "{error:?}"),
        }
        let _ = Allow::parse(&text);
    }

    #[test]
    fn checking_never_panics_and_denies_in_safe_words(
        a in texts(), b in texts(), port: u16, address: std::net::IpAddr,
    ) {
        let names = vec![a.clone(), b.clone()];
        for action in [
            Action::File { path: a.clone().into(), access: crate::permission::Access::Read },
            Action::HttpAddress {
                scheme: "https".to_owned(),
                host: a.clone(),
                port,
                method: b.clone(),
                path: b.clone(),
                address,
            },
            Action::Http {
                scheme: b.clone(),
                host: a.clone(),
                port,
                method: "GET".to_owned(),
                path: b.clone(),
            },
            Action::Tcp { address, port, names },
            Action::Lookup { name: a.clone() },
            Action::Env { name: a.clone() },
            Action::SecretInject { name: a.clone(), host: b.clone(), header: a.clone(), format: b.clone() },
            Action::Subprocess { image: a.clone(), command: b.clone() },
            Action::ToolInvoke { tool_id: a.clone() },
            Action::Document { id: a },
        ] {
            let denial = Scope::nothing().check(&action, &Sensitive::default());
            let denial = denial.expect_err("nothing is granted");
            for text in [Some(denial.to_string()), denial.flag(), denial.manifest_line()] {
                prop_assert!(!text.is_some_and(|text| text.chars().any(char::is_control)), "{action:?}");
            }
        }
    }
}

#[test]
fn long_texts_are_refused_at_once() {
    let begun = Instant::now();
    for kind in Kind::ALL {
        for filler in ["a", "*", "/", "%", ";", "a.", "/**/*", "[", "é", ";and=/a*"] {
            let text = filler.repeat(10_000_000 / filler.len());
            let error = Capability::parse(kind, &text).expect_err("too long");
            assert!(error.to_string().len() < 2000, "{kind} of {filler}");
            let edge: String = text.chars().take(MAX_SCOPE_TEXT / 2).collect();
            let _ = Capability::parse(kind, &edge);
        }
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}
