//! HTTP scopes: what they allow and what their meets are.

use std::net::IpAddr;

use super::scope;
use crate::permission::{Action, Scope};

fn request(url: &str, method: &str) -> Action {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().expect("a port")),
        _ => (authority, if scheme == "http" { 80 } else { 443 }),
    };
    Action::Http {
        scheme: scheme.to_owned(),
        host: host.to_owned(),
        port,
        method: method.to_owned(),
        path: path.to_owned(),
    }
}

fn at(action: Action, address: &str) -> Action {
    let address: IpAddr = address.parse().expect("an address");
    match action {
        Action::Http {
            scheme,
            host,
            port,
            method,
            path,
        } => Action::HttpAddress {
            scheme,
            host,
            port,
            method,
            path,
            address,
        },
        other => panic!("not a request: {other:?}"),
    }
}

fn allows(text: &str, url: &str) -> bool {
    scope(&[&format!("network_http={text}")]).allows(&request(url, "GET"))
}

#[test]
fn scopes_allow_what_they_say_and_no_near_miss() {
    for (text, yes, no) in [
        (
            "api.github.com",
            &[
                "https://api.github.com/x",
                "http://api.github.com",
                "https://API.GitHub.com./x",
            ][..],
            &[
                "https://github.com/x",
                "https://api.github.com:8443/x",
                "http://api.github.com:443/",
                "https://api.github.com.evil.org/",
                "https://evil-api.github.com/",
                "ftp://api.github.com/",
            ][..],
        ),
        (
            "https://a.com",
            &["https://a.com/"],
            &["http://a.com/", "http://a.com:443/"],
        ),
        (
            "http://a.com:8080",
            &["http://a.com:8080/"],
            &["http://a.com/", "https://a.com:8080/"],
        ),
        (
            "a.com:8080",
            &["http://a.com:8080/", "https://a.com:8080/"],
            &["https://a.com/"],
        ),
        (
            "https://a.com:*",
            &["https://a.com/", "https://a.com:1/"],
            &["http://a.com/"],
        ),
        (
            "*.a.com",
            &["https://x.a.com/", "https://x.y.a.com/"],
            &["https://a.com/", "https://xa.com/"],
        ),
        (
            "a.com/repos/**",
            &["https://a.com/repos", "https://a.com/repos/x/y?q=/../z"],
            &[
                "https://a.com/",
                "https://a.com/repos2",
                "https://a.com/repos/../admin",
                "https://a.com/repos/%2e%2e/admin",
                "https://a.com/repos%2fx",
                "https://a.com//repos/x",
            ],
        ),
        (
            "*",
            &["https://a.com/", "https://8.8.8.8/"],
            &[
                "https://localhost/",
                "https://127.0.0.1/",
                "https://[::1]/",
                "https://10.0.0.1/",
            ],
        ),
        (
            "*;private",
            &[
                "https://localhost/",
                "https://127.0.0.1/",
                "https://[fd00::1]/",
            ],
            &[
                "https://169.254.169.254/",
                "https://[fd00:ec2::254]/",
                "https://0.0.0.0/",
                "https://127.1/",
            ],
        ),
        (
            "*;metadata",
            &["https://169.254.169.254/", "https://10.0.0.1/"],
            &["https://224.0.0.1/"],
        ),
        (
            "127.0.0.1:8080",
            &["http://127.0.0.1:8080/", "http://[::ffff:127.0.0.1]:8080/"],
            &["http://127.0.0.2:8080/", "http://localhost:8080/"],
        ),
        (
            "localhost",
            &["http://localhost/"],
            &["http://127.0.0.1/", "http://x.localhost/"],
        ),
        (
            "169.254.169.254",
            &["http://169.254.169.254/"],
            &["http://169.254.170.2/"],
        ),
        ("[::1]:*", &["http://[::1]:9/"], &["http://[::2]/"]),
    ] {
        for url in yes {
            assert!(allows(text, url), "{text} should allow {url}");
        }
        for url in no {
            assert!(!allows(text, url), "{text} should not allow {url}");
        }
    }
}

#[test]
fn a_scope_without_paths_allows_ambiguous_ones_too() {
    assert!(allows("a.com", "https://a.com/group%2Fproject"));
    assert!(
        allows("a.com/**", "https://a.com/group%2Fproject"),
        "`/**` is every path"
    );
    assert!(!allows("a.com/*", "https://a.com/group%2Fproject"));
}

#[test]
fn methods_are_compared_exactly() {
    let scope = scope(&["network_http=a.com;methods=get,HEAD"]);
    for (method, expected) in [
        ("GET", true),
        ("HEAD", true),
        ("POST", false),
        ("get", false),
        ("", false),
    ] {
        assert_eq!(
            scope.allows(&request("https://a.com/", method)),
            expected,
            "{method}"
        );
    }
}

#[test]
fn the_connected_address_decides() {
    for (text, url, address, expected) in [
        ("a.com", "https://a.com/", "8.8.8.8", true),
        ("a.com", "https://a.com/", "127.0.0.1", false),
        ("a.com", "https://a.com/", "::ffff:10.0.0.1", false),
        ("a.com", "https://a.com/", "64:ff9b::a00:1", false),
        ("a.com;private", "https://a.com/", "10.0.0.1", true),
        ("a.com;private", "https://a.com/", "169.254.169.254", false),
        ("a.com;metadata", "https://a.com/", "169.254.169.254", true),
        ("a.com;metadata", "https://a.com/", "0.0.0.0", false),
        ("localhost", "https://localhost/", "127.0.0.1", true),
        ("localhost", "https://localhost/", "10.0.0.1", false),
        ("*;metadata", "https://localhost/", "10.0.0.1", false),
        ("localhost", "https://localhost/", "169.254.169.254", false),
        ("8.8.8.8", "https://8.8.8.8/", "8.8.8.8", true),
        ("8.8.8.8", "https://8.8.8.8/", "8.8.4.4", false),
        ("*;private", "https://10.0.0.1/", "10.0.0.2", false),
    ] {
        let action = at(request(url, "GET"), address);
        let scope = scope(&[&format!("network_http={text}")]);
        assert_eq!(
            scope.allows(&action),
            expected,
            "{text}: {url} at {address}"
        );
    }
}

#[test]
fn one_scope_must_allow_both_the_request_and_its_address() {
    let scope = scope(&[
        "network_http=a.com/public",
        "network_http=a.com/internal;private",
    ]);
    let public = at(request("https://a.com/public", "GET"), "10.0.0.1");
    let internal = at(request("https://a.com/internal", "GET"), "10.0.0.1");
    assert!(scope.allows(&internal));
    assert!(
        !scope.allows(&public),
        "the reach of another scope does not help"
    );
}

#[test]
fn meets_narrow_every_part() {
    for (left, right, both) in [
        ("a.com", "https://a.com", "network_http=https://a.com"),
        ("a.com", "a.com:443", "network_http=https://a.com"),
        ("a.com:8080", "a.com", "nothing"),
        ("http://a.com", "https://a.com", "nothing"),
        ("*", "*.a.com", "network_http=*.a.com"),
        ("*.a.com;private", "x.a.com", "network_http=x.a.com"),
        ("*", "localhost", "nothing"),
        ("*;private", "localhost", "network_http=localhost"),
        ("*;private", "169.254.169.254", "nothing"),
        (
            "a.com;methods=GET,PUT",
            "a.com;methods=GET,POST",
            "network_http=a.com;methods=GET",
        ),
        ("a.com;methods=GET", "a.com;methods=POST", "nothing"),
        (
            "a.com/repos/**",
            "a.com/repos/x",
            "network_http=a.com/repos/x",
        ),
        ("a.com/*/x", "a.com/y/*", "network_http=a.com/y/*;and=/*/x"),
        ("*.a.com", "10.0.0.1", "nothing"),
    ] {
        let of = |text: &str| scope(&[&format!("network_http={text}")]);
        assert_eq!(
            of(left).meet(&of(right)).to_string(),
            both,
            "{left} and {right}"
        );
    }
}

#[test]
fn grants_one_by_one_cover_a_request_for_all() {
    let requested = scope(&["network_http=a.com;methods=GET,POST"]);
    let granted = scope(&[
        "network_http=http://a.com;methods=GET",
        "network_http=http://a.com;methods=POST",
        "network_http=https://a.com",
    ]);
    assert!(requested.is_within(&granted));
    let without = scope(&[
        "network_http=http://a.com;methods=GET",
        "network_http=https://a.com",
    ]);
    assert!(!requested.is_within(&without));
    assert_eq!(requested.beyond(&without).len(), 1);
    assert!(!Scope::everything().is_within(&granted));
}
