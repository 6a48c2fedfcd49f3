use super::*;

#[test]
fn strings_in_all_forms() {
    check_strings(
        Language::Python,
        &[
            ("a = 'x\\'y' + \"z\"", &["'x\\'y'", "\"z\""]),
            ("a = '''x\n'y' ''z'''", &["'''x\n'y' ''z'''"]),
            (
                "a = \"\"\"x \\\"\"\" y\"\"\"",
                &["\"\"\"x \\\"\"\" y\"\"\""],
            ),
            ("a = r'\\' b'", &["r'\\' b'"]),
            ("a = Rb'x' + bR'y' + u'z'", &["Rb'x'", "bR'y'", "u'z'"]),
            ("a = 'x\\\ny'", &["'x\\\ny'"]),
            ("a = '' + \"\" + ''''''", &["''", "\"\"", "''''''"]),
            ("xf'a'", &["'a'"]),
        ],
    );
}

#[test]
fn expressions_in_f_strings_are_code() {
    for (text, expected) in [
        ("f'a{b}c'", "T:f'a S:{ W:b S:} T:c' newline"),
        ("+f'{{a}}'", "S:+ T:f'{{a}}' newline"),
        (
            "f'{a!r:>{w}}'",
            "T:f' S:{ W:a S:! W:r S:: T:> S:{ W:w S:} S:} T:' newline",
        ),
        ("f'{d['k']}'", "T:f' S:{ W:d S:[ T:'k' S:] S:} T:' newline"),
        ("f'{a != b}'", "T:f' S:{ W:a S:!= W:b S:} T:' newline"),
        (
            "f'{ {1: 2}[1] }'",
            "T:f' S:{ S:{ N:1 S:: N:2 S:} S:[ N:1 S:] S:} T:' newline",
        ),
        (
            "f'{(lambda x: x)(1)}'",
            "T:f' S:{ S:( W:lambda W:x S:: W:x S:) S:( N:1 S:) S:} T:' newline",
        ),
        (
            "f'\\N{BULLET}{x}'",
            "T:f'\\N{BULLET} S:{ W:x S:} T:' newline",
        ),
        ("rf'\\{x}'", "T:rf'\\ S:{ W:x S:} T:' newline"),
        (
            "f'{f'{f'{1}'}'}'",
            "T:f' S:{ T:f' S:{ T:f' S:{ N:1 S:} T:' S:} T:' S:} T:' newline",
        ),
        ("t'{x}'", "T:t' S:{ W:x S:} T:' newline"),
    ] {
        assert_eq!(tokens(text, Language::Python), expected, "{text}");
        assert_eq!(lex(text, Language::Python).faults, [], "{text}");
    }
}

#[test]
fn indentation_makes_blocks() {
    assert_eq!(
        tokens("if a:\n    b\n\n    # c\n  # d\n    e\nf", Language::Python),
        "W:if W:a S:: newline indent W:b newline W:e newline dedent W:f newline"
    );
    assert_eq!(
        tokens("if a:\n\tif b:\n\t\tc", Language::Python),
        "W:if W:a S:: newline indent W:if W:b S:: newline indent W:c newline dedent dedent"
    );
}

#[test]
fn lines_go_on_in_brackets_and_after_a_backslash() {
    assert_eq!(
        tokens("a(\n    b,\n# c\nd)\ne", Language::Python),
        "W:a S:( W:b S:, W:d S:) newline W:e newline"
    );
    assert_eq!(
        tokens("a = \\\n    b\nc", Language::Python),
        "W:a S:= W:b newline W:c newline"
    );
}

#[test]
fn a_string_alone_on_its_line_is_documentation() {
    let code = "'''module'''\ndef f():\n    \"doc\"\n    x = 'no'\n    'a' + b\n";
    assert_eq!(
        of_kind(code, Language::Python, TokenKind::Docstring),
        ["'''module'''", "\"doc\""]
    );
    assert_eq!(
        of_kind(code, Language::Python, TokenKind::Text),
        ["'no'", "'a'"]
    );
}

#[test]
fn a_snippet_may_be_indented_as_a_whole() {
    assert_eq!(
        lex("    def f():\n        pass\n    g()\n", Language::Python).faults,
        []
    );
}

#[test]
fn a_bracket_that_is_never_closed_ends_before_the_next_statement() {
    assert_eq!(
        tokens("a = (1,\ndef f():\n    pass\n", Language::Python),
        "W:a S:= S:( N:1 S:, newline W:def W:f S:( S:) S:: newline indent W:pass newline dedent"
    );
    // These words are arguments here.
    assert_eq!(
        tokens("f(a,\nclass=1)\n", Language::Python),
        "W:f S:( W:a S:, W:class S:= N:1 S:) newline"
    );
}

#[test]
fn carriage_returns_do_not_matter() {
    assert_eq!(
        tokens("if a:\r\n    b\r\n\r\nc\r\n", Language::Python),
        "W:if W:a S:: newline indent W:b newline dedent W:c newline"
    );
}

#[test]
fn what_never_ends_is_a_fault() {
    check_faults(
        Language::Python,
        &[
            ("a = 'b\nc", FaultKind::UnterminatedString, "'b"),
            ("a = '''b\nc", FaultKind::UnterminatedString, "'''b\nc"),
            ("a = f'b\nc", FaultKind::UnterminatedString, "f'b"),
            (
                "a = f'''{b}\nc",
                FaultKind::UnterminatedString,
                "f'''{b}\nc",
            ),
        ],
    );
}

#[test]
fn indentation_that_fits_nothing_is_a_fault() {
    for (text, line) in [
        ("if a:\n    b\n  c\nd", "c"),
        ("a\n    b\nc", "b"),
        ("if a:\n        b\n    c\n    d\ne", "c"),
    ] {
        let faults = lex(text, Language::Python).faults;
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert_eq!(faults[0].kind, FaultKind::Indentation);
        assert!(
            text[faults[0].span.start as usize..].starts_with(line),
            "{text}"
        );
    }
}
