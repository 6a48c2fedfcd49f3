use super::*;

#[test]
fn strings_runes_and_raw_strings() {
    check_strings(
        Language::Go,
        &[
            (r#"a := "x\"y""#, &[r#""x\"y""#]),
            (
                "b := `raw \\ \n // no comment`",
                &["`raw \\ \n // no comment`"],
            ),
            (
                r#"'a' '\'' '"' '\u00e9' '日'"#,
                &["'a'", r"'\''", "'\"'", r"'\u00e9'", "'日'"],
            ),
        ],
    );
}

#[test]
fn comments_do_not_nest() {
    assert_eq!(tokens("/* a /* b */ c // d\ne", Language::Go), "W:c W:e");
}

#[test]
fn operators_are_taken_whole() {
    assert_eq!(
        tokens("a <- b; c := d &^= e...", Language::Go),
        "W:a S:<- W:b S:; W:c S::= W:d S:&^= W:e S:..."
    );
}

#[test]
fn what_never_ends_is_a_fault() {
    check_faults(
        Language::Go,
        &[
            ("a := \"b\nc := 1", FaultKind::UnterminatedString, "\"b"),
            (
                "a := `b\nc := 1",
                FaultKind::UnterminatedString,
                "`b\nc := 1",
            ),
            ("a := 'b\nc := 1", FaultKind::UnterminatedCharacter, "'b"),
            ("/* a", FaultKind::UnterminatedComment, "/* a"),
        ],
    );
}
