//! HTTP scopes: the text form and the manifest entry.

use super::problem;
use crate::permission::{Capability, HttpEntry, HttpScope, Kind};

#[test]
fn text_forms_are_put_in_order() {
    for (text, canonical) in [
        ("HTTPS://API.Example.COM.", "https://api.example.com"),
        ("https://a.com:443/", "https://a.com/"),
        ("http://a.com:80", "http://a.com"),
        ("a.com:80", "a.com:80"),
        ("a.com/**", "a.com"),
        ("a.com/x/", "a.com/x"),
        ("a.com;methods=post,get,get", "a.com;methods=GET,POST"),
        ("a.com;private;private", "a.com;private"),
        ("a.com;private;metadata", "a.com;metadata"),
        ("127.0.0.1;private", "127.0.0.1"),
        ("8.8.8.8;private", "8.8.8.8"),
        ("[::FFFF:127.0.0.1]:80", "127.0.0.1:80"),
        ("[2001:DB8::1]:8080", "[2001:db8::1]:8080"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a.com/é", "a.com/%C3%A9"),
        ("a.com/x%3Bprivate", "a.com/x%3Bprivate"),
        ("a.com/x/**;and=/x/y", "a.com/x/y"),
        ("*:*;metadata", "*:*;metadata"),
    ] {
        let scope: HttpScope = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(scope.to_string(), canonical, "{text}");
    }
    assert_eq!(HttpScope::everything().to_string(), "*:*;metadata");
}

#[test]
fn mistakes_are_explained() {
    for (text, why) in [
        ("ftp://a.com", "http or https, not `ftp`"),
        ("https://", "it is empty"),
        ("a.com:0", "1 to 65535"),
        ("a.com:99999", "1 to 65535"),
        ("a.com:+80", "1 to 65535"),
        ("a.com:", "1 to 65535"),
        ("::1", "in brackets"),
        ("[::1]x", "only a port"),
        ("a.com;method=GET", "did you mean `methods`?"),
        ("a.com;privat", "did you mean `private`?"),
        ("a.com/x;y=z", "written `%3B`"),
        ("a.com;methods=", "names such as GET"),
        ("a.com;methods=*", "leave the methods out"),
        ("a.com;methods=GET;methods=PUT", "twice"),
        ("a.com/a//b", "empty segment"),
        ("a.com?x", "internationalised name"),
        ("user@a.com", "internationalised name"),
        ("api.*.com", "stands only alone"),
        ("0.0.0.0", "nobody can connect"),
        ("224.0.0.1", "nobody can connect"),
        ("127.1", "four decimal numbers"),
    ] {
        let found = problem(Kind::NetworkHttp, text);
        assert!(found.contains(why), "{text}: {found}");
    }
    let error = Capability::parse(Kind::NetworkHttp, "ftp://a.com").expect_err("a scheme");
    assert_eq!(
        error.to_string(),
        "`ftp://a.com` is not a valid network_http scope: the scheme is http or https, not `ftp`; write \
         [http://|https://]HOST[:PORT][/PATH-GLOB][;methods=A,B][;private], for example \
         `https://api.github.com/repos/**;methods=GET`"
    );
}

#[test]
fn an_entry_with_several_paths_allows_any_of_them() {
    let paths = ["/repos/**".to_owned(), "/user".to_owned()];
    let methods = ["GET".to_owned()];
    let entry = HttpEntry {
        host: "api.github.com",
        scheme: Some("https"),
        methods: Some(&methods),
        paths: Some(&paths),
        ..HttpEntry::default()
    };
    let scopes = entry.scopes().expect("valid");
    let texts: Vec<_> = scopes.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "https://api.github.com/repos/**;methods=GET",
            "https://api.github.com/user;methods=GET"
        ]
    );
}

#[test]
fn an_entry_reads_host_and_port_from_either_place() {
    let text = |entry: HttpEntry<'_>| match entry.scopes() {
        Ok(scopes) => scopes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => error.problem().to_owned(),
    };
    let base = HttpEntry::default();
    for (entry, expected) in [
        (
            HttpEntry {
                host: "a.com",
                ..base
            },
            "a.com",
        ),
        (
            HttpEntry {
                host: "https://a.com:8443",
                ..base
            },
            "https://a.com:8443",
        ),
        (
            HttpEntry {
                host: "a.com",
                port: Some(8080),
                ..base
            },
            "a.com:8080",
        ),
        (
            HttpEntry {
                host: "a.com:*",
                ..base
            },
            "a.com:*",
        ),
        (
            HttpEntry {
                host: "a.com",
                private: true,
                ..base
            },
            "a.com;private",
        ),
        (
            HttpEntry {
                host: "https://a.com",
                scheme: Some("http"),
                ..base
            },
            "`scheme` says something else than the host",
        ),
        (
            HttpEntry {
                host: "a.com:80",
                port: Some(81),
                ..base
            },
            "`port` says something else than the host",
        ),
        (
            HttpEntry {
                host: "a.com/x",
                ..base
            },
            "the host of an entry has no path; use `paths`",
        ),
        (
            HttpEntry {
                host: "a.com;private",
                ..base
            },
            "the host of an entry has no options; use the other keys",
        ),
        (
            HttpEntry {
                host: "a.com",
                port: Some(0),
                ..base
            },
            "a port is a number from 1 to 65535",
        ),
        (
            HttpEntry {
                host: "a.com",
                scheme: Some("ws"),
                ..base
            },
            "the scheme is http or https",
        ),
        (
            HttpEntry {
                host: "a.com",
                methods: Some(&[]),
                ..base
            },
            "an empty list of methods allows nothing; leave it out to mean every method",
        ),
        (
            HttpEntry {
                host: "a.com",
                paths: Some(&[]),
                ..base
            },
            "an empty list of paths allows nothing; leave it out to mean every path",
        ),
        (HttpEntry { host: "", ..base }, "it is empty"),
    ] {
        assert_eq!(text(entry), expected, "{entry:?}");
    }
}
