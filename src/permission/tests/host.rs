//! Host names, hosts and patterns.

use crate::permission::{AddressClass, Host, HostPattern, Meet};

fn pattern(text: &str) -> HostPattern {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn patterns_compare_by_label() {
    for (text, yes, no) in [
        (
            "api.example.com",
            &["api.example.com", "API.Example.COM", "api.example.com."][..],
            &[
                "example.com",
                "x.api.example.com",
                "apiexample.com",
                "api.example.com.evil.org",
            ][..],
        ),
        (
            "*.example.com",
            &["a.example.com", "a.b.example.com"],
            &[
                "example.com",
                "badexample.com",
                "example.com.evil.org",
                "a.example.org",
            ],
        ),
        ("*", &["a.com", "localhost", "10.0.0.1", "[::1]"], &[]),
        (
            "10.0.0.1",
            &["10.0.0.1", "[::ffff:10.0.0.1]"],
            &["10.0.0.2", "a.com"],
        ),
        (
            "[2001:db8::1]",
            &["[2001:db8:0::1]", "2001:db8::1"],
            &["[2001:db8::2]"],
        ),
        (
            "bücher.example",
            &["xn--bcher-kva.example", "BÜCHER.example"],
            &["bucher.example"],
        ),
        ("my_service", &["my_service"], &["my-service"]),
    ] {
        for host in yes {
            let host: Host = host.parse().expect(host);
            assert!(
                pattern(text).matches(&host),
                "{text} should stand for {host}"
            );
        }
        for host in no {
            let host: Host = host.parse().expect(host);
            assert!(
                !pattern(text).matches(&host),
                "{text} should not stand for {host}"
            );
        }
    }
}

#[test]
fn disguised_addresses_and_broken_names_are_not_hosts() {
    for text in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.1.5",
        "1.2.3.4.",
        "a..b",
        ".a",
        "",
        ".",
        "a b",
        "a/b",
        "a@b",
        "a:80",
        "a%2e.com",
        "[::1",
        "::1]",
        "[127.0.0.1]",
        "[fe80::1%eth0]",
        "a\0b",
        "\u{202e}moc.a",
        "xn--a",
    ] {
        match text.parse::<Host>() {
            Err(_) => {}
            // A dot at the end is part of how addresses can be written in URLs.
            Ok(host) => assert_eq!((text, host.to_string().as_str()), ("1.2.3.4.", "1.2.3.4")),
        }
    }
    let long_label = "a".repeat(64);
    let long_name = ["a".repeat(60).as_str(); 5].join(".");
    assert!(long_label.parse::<Host>().is_err());
    assert!(long_name.parse::<Host>().is_err());
    // Full-width digits and dots are digits and dots to an IDNA resolver.
    let wide: Result<Host, _> = "１２７．０．０．１".parse();
    assert!(wide.is_err_and(|error| error.problem().contains("ends in a number")));
}

#[test]
fn wildcards_stand_only_in_front_or_alone() {
    for text in [
        "a*.example.com",
        "api.*.com",
        "*.*.com",
        "**.com",
        "*example.com",
        "a.*",
        "*.",
    ] {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
}

#[test]
fn localhost_and_addresses_are_known_before_they_are_resolved() {
    for (text, class) in [
        ("localhost", Some(AddressClass::Loopback)),
        ("x.LOCALHOST.", Some(AddressClass::Loopback)),
        ("notlocalhost", None),
        ("localhost.example.com", None),
        ("169.254.169.254", Some(AddressClass::Metadata)),
    ] {
        assert_eq!(text.parse::<Host>().expect(text).class(), class, "{text}");
    }
}

#[test]
fn the_meet_of_patterns_is_the_narrower_one() {
    for (left, right, both) in [
        ("*", "a.com", Some("a.com")),
        ("*.com", "*.a.com", Some("*.a.com")),
        ("*.a.com", "x.a.com", Some("x.a.com")),
        ("*.a.com", "a.com", None),
        ("*.a.com", "*.ba.com", None),
        ("*.a.com", "10.0.0.1", None),
        ("*", "10.0.0.1", Some("10.0.0.1")),
    ] {
        let met = pattern(left)
            .meet(&pattern(right))
            .map(|both| both.to_string());
        assert_eq!(met.as_deref(), both, "{left} and {right}");
    }
}
