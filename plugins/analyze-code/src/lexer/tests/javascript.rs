use super::*;

const JS: Language = Language::JavaScript;

#[test]
fn a_slash_divides_or_begins_a_regular_expression() {
    check_strings(
        JS,
        &[
            ("a / b / c", &[]),
            ("x = /a\\/b[/]c/gi", &["/a\\/b[/]c/gi"]),
            ("return /\"/.test(a)", &["/\"/"]),
            ("a[0] / 2 / c", &[]),
            ("f(a) / 2 / c", &[]),
            ("if (a) /x/.test(b)", &["/x/"]),
            ("while (a) /x/.exec(b)", &["/x/"]),
            ("a++ / 2 / c", &[]),
            ("x = {} / 2 / c", &[]),
            ("{} /x/.test(a)", &["/x/"]),
            ("a.return / 2 / c", &[]),
            ("() => /x/", &["/x/"]),
            ("a ? /x/ : /y/", &["/x/", "/y/"]),
            ("[/x/, !/y/]", &["/x/", "/y/"]),
            ("a = b\n/ c", &[]),
            ("`${a}` / 2 / c", &["`", "`"]),
            ("1 / 2 / 3", &[]),
        ],
    );
}

#[test]
fn templates_hold_expressions() {
    for (text, expected) in [
        ("`a`", "T:`a`"),
        ("`a${b}c`", "T:`a S:${ W:b S:} T:c`"),
        (
            "`${{a: 1}.a}`",
            "T:` S:${ S:{ W:a S:: N:1 S:} S:. W:a S:} T:`",
        ),
        ("`${`${a}`}`", "T:` S:${ T:` S:${ W:a S:} T:` S:} T:`"),
        ("`\\`\\${a}`", "T:`\\`\\${a}`"),
        ("`$a $ {b}`", "T:`$a $ {b}`"),
        ("`//${'}'}`", "T:`// S:${ T:'}' S:} T:`"),
    ] {
        assert_eq!(tokens(text, JS), expected, "{text}");
        assert_eq!(lex(text, JS).faults, [], "{text}");
    }
}

#[test]
fn elements_are_no_comparisons() {
    for (text, expected) in [
        ("x = <a/>", "W:x S:= S:< W:a S:/>"),
        ("x = <a>it's</a>", "W:x S:= S:< W:a S:> T:it's S:</ W:a S:>"),
        ("return <>{a}</>", "W:return S:< S:> S:{ W:a S:} S:</ S:>"),
        (
            "(<a b=\"it's\" c={d < e}>x {/* y' */} z</a>)",
            "S:( S:< W:a W:b S:= T:\"it's\" W:c S:= S:{ W:d S:< W:e S:} S:> T:x  S:{ S:} T: z S:</ W:a S:> S:)",
        ),
        (
            "x = <a>{b ? <c/> : 'd'}</a> / 2",
            "W:x S:= S:< W:a S:> S:{ W:b S:? S:< W:c S:/> S:: T:'d' S:} S:</ W:a S:> S:/ N:2",
        ),
        (
            "x = <a.b data-c d:e />",
            "W:x S:= S:< W:a S:. W:b W:data-c W:d S:: W:e S:/>",
        ),
        ("a < b > c", "W:a S:< W:b S:> W:c"),
        (
            "if (a <b || c> d) {}",
            "W:if S:( W:a S:< W:b S:|| W:c S:> W:d S:) S:{ S:}",
        ),
    ] {
        assert_eq!(tokens(text, JS), expected, "{text}");
        assert_eq!(lex(text, JS).faults, [], "{text}");
    }
}

#[test]
fn what_looks_like_an_element_and_is_none_is_read_again() {
    for (text, language) in [
        ("const f = <T,>(a: T) => 'x';", TSX),
        ("const f = <T extends U>(a: T) => 'x';", TSX),
        ("let a = <string>b; 'x'", TS),
        ("a = <b; 'x'", JS),
    ] {
        assert_eq!(of_kind(text, language, TokenKind::Text), ["'x'"], "{text}");
        assert_eq!(lex(text, language).faults, [], "{text}");
    }
}

#[test]
fn names_and_operators() {
    assert_eq!(
        tokens("this.#a?.b ?? $c ?.5:d", JS),
        "W:this S:. W:#a S:?. W:b S:?? W:$c S:? N:.5 S:: W:d"
    );
    assert_eq!(tokens("1_000n + .5e3", JS), "N:1_000n S:+ N:.5e3");
    assert_eq!(
        tokens("a: Map<K, Set<V>>= b", TS),
        "W:a S:: W:Map S:< W:K S:, W:Set S:< W:V S:> S:> S:= W:b"
    );
}

#[test]
fn strings_go_on_after_a_backslash() {
    check_strings(
        JS,
        &[("'a\\\nb'", &["'a\\\nb'"]), ("'a\\\r\nb'", &["'a\\\r\nb'"])],
    );
}

#[test]
fn what_never_ends_is_a_fault() {
    check_faults(
        JS,
        &[
            ("a = 'b\nc", FaultKind::UnterminatedString, "'b"),
            ("a = `b\nc", FaultKind::UnterminatedString, "`b\nc"),
            ("a = `b${c", FaultKind::UnterminatedString, "`b${c"),
            ("a /* b", FaultKind::UnterminatedComment, "/* b"),
        ],
    );
}
