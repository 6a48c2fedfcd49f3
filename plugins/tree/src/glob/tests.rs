use super::*;

fn check(glob: &str, matching: &[&str], others: &[&str]) {
    let compiled = Glob::parse(glob).unwrap();
    for path in matching {
        assert!(compiled.matches(path), "`{glob}` should match `{path}`");
    }
    for path in others {
        assert!(
            !compiled.matches(path),
            "`{glob}` should not match `{path}`"
        );
    }
}

#[test]
fn a_glob_without_slash_looks_at_the_name() {
    check(
        "*.rs",
        &["a.rs", "src/a.rs", ".rs", "a/b/c.x.rs"],
        &["a.rs/b", "a.rsx", "rs"],
    );
    check(
        "Makefile",
        &["Makefile", "sub/Makefile"],
        &["makefile", "Makefile.am"],
    );
    check("?.rs", &["a.rs", "é.rs"], &["ab.rs", ".rs"]);
}

#[test]
fn a_star_stays_within_a_component() {
    check(
        "src/*.rs",
        &["src/a.rs"],
        &["src/a/b.rs", "a.rs", "x/src/a.rs"],
    );
    check("./src/*", &["src/a"], &["a"]);
}

#[test]
fn two_stars_span_components() {
    check(
        "src/**/*.rs",
        &["src/a.rs", "src/a/b/c.rs"],
        &["a.rs", "x/src/a.rs"],
    );
    check(
        "**/tests/**",
        &["tests/a", "a/tests/b/c"],
        &["tests.rs", "mytests/a"],
    );
    check("**/a/**/**/b", &["a/b", "x/a/y/z/b"], &["a", "b", "a/bb"]);
}

#[test]
fn classes_braces_and_escapes() {
    check("[a-cx].rs", &["a.rs", "c.rs", "x.rs"], &["d.rs", "-.rs"]);
    check("[!a-c].rs", &["d.rs"], &["a.rs"]);
    check("[]a-].rs", &["].rs", "a.rs", "-.rs"], &["b.rs"]);
    check(
        "*.{rs,to{ml,x}}",
        &["a.rs", "a.toml", "a.tox"],
        &["a.to", "a.py"],
    );
    check(
        "{src,tests}/**/*.rs",
        &["src/a.rs", "tests/b/c.rs"],
        &["docs/a.rs"],
    );
    check(r"\*.rs", &["*.rs"], &["a.rs"]);
    check(r"\{a,b\}", &["{a,b}"], &["a"]);
}

#[test]
fn broken_globs_say_what_is_wrong() {
    assert_eq!(Glob::parse("[a").unwrap_err(), GlobError::UnclosedClass);
    assert_eq!(Glob::parse("[]").unwrap_err(), GlobError::UnclosedClass);
    assert_eq!(Glob::parse("{a,b").unwrap_err(), GlobError::UnclosedBrace);
    assert_eq!(
        Glob::parse(r"a\").unwrap_err(),
        GlobError::TrailingBackslash
    );
    assert_eq!(
        Glob::parse(&"{a,b}".repeat(20)).unwrap_err(),
        GlobError::TooManyAlternatives
    );
}

#[test]
fn many_stars_do_not_explode() {
    let path = "a".repeat(2_000);
    check(&format!("{}b", "*a".repeat(50)), &[], &[&path]);
    check(
        &format!("{}b", "**/a*/".repeat(50)),
        &[],
        &[&"a/".repeat(500)],
    );
}
