use super::*;

#[test]
fn strings_in_all_forms() {
    check_strings(
        Language::Rust,
        &[
            (r#"let a = "x\"y";"#, &[r#""x\"y""#]),
            (
                r###"r"a\" r#"b"c"# br##"d"#e"## cr"f""###,
                &[
                    r#"r"a\""#,
                    r##"r#"b"c"#"##,
                    r###"br##"d"#e"##"###,
                    r#"cr"f""#,
                ],
            ),
            ("b\"x\" c\"y\"", &["b\"x\"", "c\"y\""]),
            ("\"a\nb // no comment\"", &["\"a\nb // no comment\""]),
            (
                r"'a' '\'' '\\' '\u{1F600}' b'x' b'\''",
                &["'a'", r"'\''", r"'\\'", r"'\u{1F600}'", "b'x'", r"b'\''"],
            ),
            ("'(' '\"' ' ' '/'", &["'('", "'\"'", "' '", "'/'"]),
        ],
    );
}

#[test]
fn lifetimes_are_no_characters() {
    let code = "fn f<'a>(x: &'a str) -> &'static str { 'outer: loop { break 'outer; } }";
    let expected = ["'a", "'a", "'static", "'outer", "'outer"];
    assert_eq!(of_kind(code, Language::Rust, TokenKind::Lifetime), expected);
    assert_eq!(lex(code, Language::Rust).faults, []);
}

#[test]
fn raw_identifiers_and_prefixes_are_words() {
    assert_eq!(
        tokens("r#type r b br#x", Language::Rust),
        "W:r#type W:r W:b W:br S:# W:x"
    );
}

#[test]
fn comments_nest() {
    let code = "/* a /* b */ c */ x // y\n/// doc\nz";
    assert_eq!(tokens(code, Language::Rust), "W:x W:z");
    assert_eq!(lex(code, Language::Rust).comments.len(), 3);
}

#[test]
fn a_shebang_is_a_comment_and_an_attribute_is_not() {
    assert_eq!(tokens("#!/usr/bin/env x\na", Language::Rust), "W:a");
    assert_eq!(tokens("#![a]", Language::Rust), "S:# S:! S:[ W:a S:]");
}

#[test]
fn what_never_ends_is_a_fault() {
    check_faults(
        Language::Rust,
        &[
            ("a \"b\nc", FaultKind::UnterminatedString, "\"b\nc"),
            ("a r#\"b\"", FaultKind::UnterminatedString, "r#\"b\""),
            ("a /* /* */", FaultKind::UnterminatedComment, "/* /* */"),
            ("a = '\\n\nb", FaultKind::UnterminatedCharacter, "'\\n"),
        ],
    );
}
