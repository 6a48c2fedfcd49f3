//! References in every right and wrong shape.

use proptest::prelude::*;

use super::*;

const SHA: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn image(text: &str) -> ImageRef {
    ImageRef::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn short_names_mean_the_hub_and_the_latest() {
    for (written, full, familiar) in [
        ("busybox", "docker.io/library/busybox:latest", "busybox"),
        (
            "busybox:1.36",
            "docker.io/library/busybox:1.36",
            "busybox:1.36",
        ),
        (
            "library/busybox",
            "docker.io/library/busybox:latest",
            "busybox",
        ),
        (
            "docker.io/busybox",
            "docker.io/library/busybox:latest",
            "busybox",
        ),
        (
            "DOCKER.io/busybox",
            "docker.io/library/busybox:latest",
            "busybox",
        ),
        ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b"),
        ("a/b/c:x", "docker.io/a/b/c:x", "a/b/c:x"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b"),
        ("ghcr.io/a", "ghcr.io/a:latest", "ghcr.io/a"),
        ("GHCR.io/a/b:V1", "ghcr.io/a/b:V1", "ghcr.io/a/b:V1"),
        ("localhost/a", "localhost/a:latest", "localhost/a"),
        (
            "localhost:5000/a:1",
            "localhost:5000/a:1",
            "localhost:5000/a:1",
        ),
        ("host:1", "docker.io/library/host:1", "host:1"),
        (
            "127.0.0.1:5000/a",
            "127.0.0.1:5000/a:latest",
            "127.0.0.1:5000/a",
        ),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a"),
        ("[fd00::1]/a", "[fd00::1]/a:latest", "[fd00::1]/a"),
        (
            "a__b/c--d.e_f:_x.-",
            "docker.io/a__b/c--d.e_f:_x.-",
            "a__b/c--d.e_f:_x.-",
        ),
        (
            "docker.io/localhost/a",
            "docker.io/localhost/a:latest",
            "docker.io/localhost/a:latest",
        ),
        (
            "docker.io/x.y/a:1",
            "docker.io/x.y/a:1",
            "docker.io/x.y/a:1",
        ),
    ] {
        let read = image(written);
        assert_eq!(read.to_string(), full, "{written}");
        assert_eq!(read.familiar(), familiar, "{written}");
        assert_eq!(image(familiar), read, "{written}");
        assert!(!read.is_pinned(), "{written}");
    }
}

#[test]
fn a_digest_pins_and_stands_for_itself() {
    let pinned = image(&format!("alpine@{SHA}"));
    assert_eq!(pinned.repository(), "docker.io/library/alpine");
    assert_eq!(pinned.registry(), "docker.io");
    assert_eq!((pinned.tag(), pinned.digest()), (None, Some(SHA)));
    assert!(pinned.is_pinned());
    assert_eq!(pinned.familiar(), format!("alpine@{SHA}"));
    let both = image(&format!("localhost:5000/a:latest@{SHA}"));
    assert_eq!((both.tag(), both.digest()), (Some("latest"), Some(SHA)));
    assert_eq!(both.registry(), "localhost:5000");
    assert_eq!(both.familiar(), both.to_string());
    assert!(image(&format!("a@sha512:{}", "0".repeat(128))).is_pinned());
}

#[test]
fn everything_else_is_refused_with_the_rule() {
    let long_tag = format!("a:{}", "x".repeat(129));
    let long_name = "a".repeat(256);
    let id = SHA.trim_start_matches("sha256:");
    for (text, rule) in [
        ("", "it is empty"),
        ("-v", "taken for a flag"),
        ("a b", "space or a control"),
        ("a\n", "space or a control"),
        ("a\u{a0}", "space or a control"),
        ("a\0", "space or a control"),
        ("Alpine", "in lower case"),
        ("Foo/bar", "in lower case"),
        ("a/", "joined by"),
        ("/a", "joined by"),
        ("a//b", "joined by"),
        ("a..b", "joined by"),
        ("a___b", "joined by"),
        ("a-", "joined by"),
        ("a._b", "joined by"),
        ("../a", "not a host"),
        ("ä", "joined by"),
        ("a:", "a tag has"),
        ("a:-x", "a tag has"),
        ("a:b:c", "a tag has"),
        (&long_tag, "a tag has"),
        ("a@", "a digest is"),
        ("a@sha256:abc", "a digest is"),
        (&format!("a@{}", SHA.to_uppercase()), "a digest is"),
        (&format!("a@{SHA}@{SHA}"), "a digest is"),
        (&format!("a@md5:{}", "0".repeat(32)), "a digest is"),
        (&format!("@{SHA}"), "joined by"),
        (&long_name, "more than 255"),
        (id, "the id of an image"),
        (SHA, "the id of an image"),
        ("-a.io/b", "taken for a flag"),
        ("a-.io/b", "not a host"),
        ("a_b.io/c", "not a host"),
        ("a:0/b", "not a host"),
        ("a:70000/b", "not a host"),
        ("a:+5/b", "not a host"),
        (":5000/b", "not a host"),
        ("[::1/b", "not a host"),
        ("[::g]:1/b", "not a host"),
        ("https://a.io/b", "not a host"),
        ("user:pass@a.io/b", "a digest is"),
        ("${image}", "joined by"),
    ] {
        let error = ImageRef::parse(text).expect_err(text).to_string();
        assert!(error.contains(rule), "{error}");
        assert!(error.starts_with("expected an image such as"), "{error}");
    }
}

#[test]
fn a_long_text_is_cut_in_the_message() {
    let error = ImageRef::parse(&"A".repeat(100_000)).expect_err("too long");
    assert!(error.to_string().len() < 400, "{error}");
}

proptest! {
    #[test]
    fn what_is_valid_reads_back_the_same_in_both_forms(
        registry in "(docker\\.io/|ghcr\\.io/|localhost(:[1-9][0-9]{0,3})?/|\\[::1\\]/)?",
        path in "[a-z0-9]{1,4}(([._]|__|-{1,3})[a-z0-9]{1,3}){0,2}(/[a-z0-9.]{1,3})?",
        tag in "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,6})?",
        pinned in any::<bool>(),
    ) {
        let digest = if pinned { format!("@{SHA}") } else { String::new() };
        if let Ok(read) = ImageRef::parse(&format!("{registry}{path}{tag}{digest}")) {
            prop_assert_eq!(&image(&read.to_string()), &read);
            prop_assert_eq!(&image(&read.familiar()), &read);
            prop_assert_eq!(read.is_pinned(), pinned);
            prop_assert!(read.tag().is_some() || pinned);
            prop_assert!(read.to_string().starts_with(read.registry()));
            prop_assert!(!read.to_string().contains(char::is_whitespace));
        }
    }

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        if let Ok(read) = ImageRef::parse(&text) {
            prop_assert_eq!(image(&read.to_string()), read);
        }
    }

    #[test]
    fn nor_does_it_for_texts_that_look_right(text in "[a-zA-Z0-9.:/@_\\[\\]-]{0,40}") {
        if let Ok(read) = ImageRef::parse(&text) {
            prop_assert_eq!(&image(&read.to_string()), &read);
            prop_assert_eq!(&image(&read.familiar()), &read);
        }
    }
}
