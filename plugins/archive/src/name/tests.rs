use proptest::prelude::*;

use super::*;

#[test]
fn a_path_stays_below_its_folder() {
    assert_eq!(parts("a/./b//c/").unwrap(), ["a", "b", "c"]);
    assert_eq!(parts("./").unwrap(), Vec::<&str>::new());
    assert_eq!(parts("..a/b..").unwrap(), ["..a", "b.."]);
    for name in [
        "/etc/passwd",
        "//x",
        "..",
        "a/../b",
        "../x",
        "a/..",
        "..\\x",
        "a\\b",
        "C:x",
        "c:/x",
        "a\0b",
        "a\nb",
        "a\u{1b}[0m",
        "a\u{85}b",
    ] {
        assert!(parts(name).is_err(), "{name:?}");
    }
    assert!(parts(&"a".repeat(256)).is_err());
    assert!(parts(&"a/".repeat(65)).is_err());
    assert!(parts(&"aa/".repeat(2000)).is_err());
}

#[test]
fn names_that_are_no_text_stay_apart() {
    assert_eq!(text("für".as_bytes()), "für");
    assert_eq!(text(b"caf\xe9"), "caf%E9");
    assert_ne!(text(b"\xff"), text(b"\xfe"));
}

proptest! {
    #[test]
    fn nothing_leads_out(name in "[a-c./\\\\:\u{0}é~]{0,20}") {
        if let Ok(parts) = parts(&name) {
            let path: std::path::PathBuf = parts.iter().collect();
            prop_assert!(path.is_relative());
            prop_assert!(path.components().all(|component| matches!(component, std::path::Component::Normal(_))));
        }
    }
}
