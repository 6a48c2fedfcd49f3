use proptest::prelude::*;

use super::*;

#[test]
fn links_are_resolved_as_browsers_do() {
    let base = Base::parse("https://example.com/a/b/c?d#e").unwrap();
    for (link, whole) in [
        ("x", "https://example.com/a/b/x"),
        ("./x/./y", "https://example.com/a/b/x/y"),
        ("../x", "https://example.com/a/x"),
        ("../../../../x", "https://example.com/x"),
        ("..", "https://example.com/a/"),
        ("/x?y=1", "https://example.com/x?y=1"),
        ("?y", "https://example.com/a/b/c?y"),
        ("//other.org", "https://other.org/"),
        ("//other.org/x", "https://other.org/x"),
        ("HTTP://other.org/x", "HTTP://other.org/x"),
        ("x#part", "https://example.com/a/b/x#part"),
        (" x\ny ", "https://example.com/a/b/xy"),
        ("x (1)", "https://example.com/a/b/x%20%281%29"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("x/a:b", "https://example.com/a/b/x/a:b"),
    ] {
        assert_eq!(base.resolve(link).as_deref(), Some(whole), "{link}");
    }
}

#[test]
fn what_leads_nowhere_is_no_link() {
    let base = Base::parse("http://example.com").unwrap();
    for link in [
        "",
        "#top",
        "javascript:alert(1)",
        "data:text/html,x",
        " JavaScript:x",
        "java\nscript:x",
    ] {
        assert_eq!(base.resolve(link), None, "{link}");
    }
}

#[test]
fn a_base_is_a_web_address() {
    for url in [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "file:///etc",
    ] {
        assert_eq!(Base::parse(url), None, "{url}");
    }
}

proptest! {
    #[test]
    fn whatever_is_resolved_is_whole_and_closed(link in any::<String>()) {
        let base = Base::parse("https://example.com/a/b").unwrap();
        if let Some(whole) = base.resolve(&link) {
            prop_assert!(scheme_of(&whole).is_some(), "{whole}");
            prop_assert!(!whole.contains([' ', '(', ')', '<', '>', '\n']), "{whole}");
        }
    }
}
