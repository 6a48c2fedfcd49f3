//! Path globs against an independent, naive reading of the same rules.

use proptest::prelude::*;

use super::generate::{glob, request_path};
use crate::permission::{Meet, PathGlob, RequestPath};

fn parse(text: &str) -> PathGlob {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn covers(glob: &str, path: &str) -> bool {
    RequestPath::parse(path).is_ok_and(|path| parse(glob).matches(&path))
}

#[test]
fn globs_cover_what_the_module_says() {
    for (glob, yes, no) in [
        ("/", &["/", ""][..], &["/a"][..]),
        (
            "/repos",
            &["/repos", "/repos/", "/repos?q=1"],
            &["/repos/x", "/repo", "/REPOS", "/"],
        ),
        ("/repos/", &["/repos", "/repos/"], &["/repos/x"]),
        (
            "/repos/*",
            &["/repos/x", "/repos/x/"],
            &["/repos", "/repos/", "/repos/x/y"],
        ),
        (
            "/repos/**",
            &["/repos", "/repos/", "/repos/x/y/z"],
            &["/repos2", "/x/repos"],
        ),
        ("/**", &["/", "/a", "/a/b"], &["/a/../b"]),
        (
            "/**/raw",
            &["/raw", "/a/raw", "/a/b/raw"],
            &["/raw/a", "/a/xraw"],
        ),
        (
            "/a/**/b",
            &["/a/b", "/a/x/b", "/a/x/b/b"],
            &["/a", "/a/b/x", "/b"],
        ),
        (
            "/v*/users",
            &["/v1/users", "/v/users"],
            &["/v1/x/users", "/u/users"],
        ),
        ("/*.json", &["/a.json", "/.json"], &["/a/b.json", "/ajson"]),
        ("/a*b*c", &["/abc", "/aXbYc", "/abbc"], &["/ab", "/acb"]),
        ("/caf%C3%A9", &["/café", "/caf%c3%a9"], &["/cafe"]),
        ("/%2A", &["/*", "/%2a"], &["/x"]),
        ("/a.b", &["/a.b", "/%61.b"], &["/axb"]),
    ] {
        for path in yes {
            assert!(covers(glob, path), "{glob} should cover {path}");
        }
        for path in no {
            assert!(!covers(glob, path), "{glob} should not cover {path}");
        }
    }
}

#[test]
fn ambiguous_paths_are_read_by_nobody() {
    for (path, why) in [
        ("/a/../b", "dot segment"),
        ("/a/%2e%2E/b", "dot segment"),
        ("/..", "dot segment"),
        ("/a/..;x=1/b", "dot segment"),
        ("/a/.;/b", "dot segment"),
        ("/a%2fb", "encoded slash"),
        ("/a\\..\\b", "backslash"),
        ("/a%5Cb", "backslash"),
        ("//a", "empty segment"),
        ("/a//b", "empty segment"),
        ("//", "empty segment"),
        ("/a%00", "control character"),
        ("/a%0d%0ab", "control character"),
        ("/a%252fb", "encoded twice"),
        ("/%252e%252e/b", "encoded twice"),
        ("/a%2", "two hexadecimal digits"),
        ("/a%zz", "two hexadecimal digits"),
        ("/a#b", "fragment"),
        ("a/b", "begin with a slash"),
        ("*", "begin with a slash"),
    ] {
        let error = RequestPath::parse(path).expect_err(path);
        assert!(error.contains(why), "{path}: {error}");
    }
    assert_eq!(RequestPath::parse("/a/./b"), RequestPath::parse("/a/b"));
    assert_eq!(RequestPath::parse("/%7Euser"), RequestPath::parse("/~user"));
}

#[test]
fn globs_that_cannot_be_meant_are_refused() {
    for (text, why) in [
        ("repos", "begin with `/`"),
        ("/a**", "whole segment"),
        ("/a/***", "whole segment"),
        ("/a//b", "empty segment"),
        ("/a/../b", "dot segment"),
        ("/a?b", "ends a path"),
        ("/a#b", "ends a path"),
        ("/a%2fb", "encoded slash"),
        ("/a%", "hexadecimal"),
        ("/a\\b", "backslash"),
        ("", "empty"),
    ] {
        let error = text.parse::<PathGlob>().expect_err(text);
        assert!(error.problem().contains(why), "{text}: {error}");
    }
}

#[test]
fn globs_that_mean_the_same_are_equal() {
    for (left, right) in [
        ("/a/", "/a"),
        ("/a/**/**", "/a/**"),
        ("/**/*", "/*/**"),
        ("/a/**/*/**/b", "/a/*/**/b"),
        ("/%61", "/a"),
        ("/%c3%a9", "/é"),
    ] {
        assert_eq!(parse(left), parse(right), "{left} and {right}");
    }
}

#[test]
fn a_glob_contains_another_only_where_it_covers_all_of_it() {
    for (outer, inner, expected) in [
        ("/**", "/a/*/b", true),
        ("/a/**", "/a", true),
        ("/a/**", "/a/b*/**", true),
        ("/a/*", "/a/b*", true),
        ("/a/b*", "/a/*", false),
        ("/a/*", "/a/**", false),
        ("/a*c", "/ab*c", true),
        ("/ab*c", "/a*c", false),
        ("/a/**/c", "/a/b/c", true),
        ("/a/**/c", "/a/**/b/c", true),
        ("/*/**", "/**", false),
    ] {
        assert_eq!(
            parse(outer).contains(&parse(inner)),
            expected,
            "{outer} contains {inner}"
        );
    }
}

#[test]
fn matching_takes_no_exponential_time() {
    let stars = parse(&format!("/{}b", "a*".repeat(1000)));
    let path = RequestPath::parse(&format!("/{}", "a".repeat(20_000))).expect("a path");
    assert!(!stars.matches(&path));
    let folders = parse(&format!("{}/b", "/**/a".repeat(700)));
    let path = RequestPath::parse(&"/a".repeat(10_000)).expect("a path");
    assert!(!folders.matches(&path));
}

/// The rules once more, tried one way after the other.
fn naive(glob: &[&str], path: &[&str]) -> bool {
    fn segment(glob: &[u8], text: &[u8]) -> bool {
        match glob {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skip| segment(rest, &text[skip..])),
            [c, rest @ ..] => text.first() == Some(c) && segment(rest, &text[1..]),
        }
    }
    match glob {
        [] => path.is_empty(),
        ["**", rest @ ..] => (0..=path.len()).any(|skip| naive(rest, &path[skip..])),
        [one, rest @ ..] => {
            !path.is_empty()
                && segment(one.as_bytes(), path[0].as_bytes())
                && naive(rest, &path[1..])
        }
    }
}

fn segments(text: &str) -> Vec<&str> {
    text.split('/')
        .filter(|segment| !segment.is_empty())
        .collect()
}

proptest! {
    #[test]
    fn matching_agrees_with_the_naive_reading(
        glob in glob(), path in prop::collection::vec("[ab]{1,3}", 0..6),
    ) {
        let path = format!("/{}", path.join("/"));
        let expected = naive(&segments(&glob), &segments(&path));
        prop_assert_eq!(covers(&glob, &path), expected, "{} and {}", glob, path);
    }

    #[test]
    fn a_containing_glob_covers_whatever_the_contained_one_does(
        outer in glob(), inner in glob(), paths in prop::collection::vec(request_path(), 10),
    ) {
        if parse(&outer).contains(&parse(&inner)) {
            for path in paths {
                prop_assert!(!covers(&inner, &path) || covers(&outer, &path), "{outer} {inner} {path}");
            }
        }
    }

    #[test]
    fn containment_is_an_order(a in glob(), b in glob(), c in glob()) {
        let (a, b, c) = (parse(&a), parse(&b), parse(&c));
        prop_assert!(a.contains(&a));
        if a.contains(&b) && b.contains(&a) {
            prop_assert_eq!(&a, &b);
        }
        if a.contains(&b) && b.contains(&c) {
            prop_assert!(a.contains(&c));
        }
        prop_assert_eq!(a.meet(&b), b.meet(&a));
    }

    #[test]
    fn a_glob_survives_writing_and_reading(segments in prop::collection::vec("[a-z*%;é .]{1,4}", 0..5)) {
        if let Ok(glob) = format!("/{}", segments.join("/")).parse::<PathGlob>() {
            prop_assert_eq!(parse(&glob.to_string()), glob);
        }
    }
}
