use proptest::prelude::*;

use super::*;

#[test]
fn addresses_are_taken_apart_and_put_together() {
    for (text, expected) in [
        ("https://example.com", "https://example.com/"),
        (
            "HTTP://Example.COM:8080/a/B?c=d#e",
            "http://example.com:8080/a/B?c=d",
        ),
        ("https://example.com?q=1", "https://example.com/?q=1"),
        (
            "https://example.com/ä b/%20",
            "https://example.com/%C3%A4%20b/%20",
        ),
        ("http://[::1]:80/", "http://[::1]:80/"),
        (" https://a/#x ", "https://a/"),
    ] {
        assert_eq!(Url::parse(text).unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn what_is_no_address_is_explained() {
    for (text, expected) in [
        ("example.com", "does not begin with http:// or https://"),
        (
            "ftp://example.com",
            "does not begin with http:// or https://",
        ),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://:80/", "names no host"),
        ("https://me:secret@example.com/", "credentials"),
        ("https://exa mple.com/", "letters, digits"),
        ("https://exämple.com/", "letters, digits"),
        ("https://a\r\nHost: b/", "letters, digits"),
    ] {
        let error = Url::parse(text).unwrap_err().to_string();
        assert!(
            error.contains(expected) && !error.contains("secret"),
            "{text}: {error}"
        );
    }
}

#[test]
fn links_are_followed_from_where_they_stand() {
    let base = Url::parse("https://example.com/a/b/c?d=e").unwrap();
    for (link, expected) in [
        ("https://other.org/x", "https://other.org/x"),
        ("//other.org/x", "https://other.org/x"),
        ("/x/../y", "https://example.com/y"),
        ("x", "https://example.com/a/b/x"),
        ("./x?y=../z", "https://example.com/a/b/x?y=../z"),
        ("../x", "https://example.com/a/x"),
        ("../../../../x", "https://example.com/x"),
        ("..", "https://example.com/a/"),
        ("?f=g", "https://example.com/a/b/c?f=g"),
        ("", "https://example.com/a/b/c?d=e"),
        ("#here", "https://example.com/a/b/c?d=e"),
        ("x?at=12:30", "https://example.com/a/b/x?at=12:30"),
    ] {
        assert_eq!(base.join(link).unwrap().to_string(), expected, "{link}");
    }
    assert!(base.join("file:///etc/passwd").is_err());
}

#[test]
fn an_origin_is_a_scheme_a_host_and_a_port() {
    let url = |text| Url::parse(text).unwrap();
    let is_same = |left, right| url(left).has_same_origin(&url(right));
    assert!(is_same("https://a/x", "https://A:443/y"));
    assert!(is_same("http://[::1]/", "http://[::1]:80/"));
    for (left, right) in [
        ("https://a/", "http://a/"),
        ("https://a/", "https://a:8443/"),
        ("https://a/", "https://a.b/"),
        ("http://[::1]/", "http://[::2]/"),
    ] {
        assert!(!is_same(left, right), "{left} {right}");
    }
}

#[test]
fn a_query_grows() {
    assert_eq!(
        with_query("https://a/b", "q", "x y&z=ä"),
        "https://a/b?q=x%20y%26z%3D%C3%A4"
    );
    assert_eq!(
        with_query("https://a/b?c=d#e", "q", "1"),
        "https://a/b?c=d&q=1#e"
    );
    assert_eq!(with_query("https://a?", "q", "1"), "https://a?q=1");
}

proptest! {
    #[test]
    fn whatever_is_an_address_stays_what_it_is(text in "(https?://)?[a-zA-Z0-9.:@ /?#%\\[\\]äÄ\r\n\"<>.-]{0,40}", link in "[a-z.:/?#%ä \n-]{0,20}") {
        if let Ok(url) = Url::parse(&text) {
            prop_assert_eq!(Url::parse(&url.to_string()).unwrap(), url.clone());
            let sent = format!("{}{}", url.authority, url.path_and_query);
            prop_assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{}", sent);
            if let Ok(joined) = url.join(&link) {
                prop_assert_eq!(Url::parse(&joined.to_string()).unwrap(), joined);
            }
        }
    }
}
