//! Templates in every right and wrong shape.

use proptest::prelude::*;

use super::*;

fn text(written: &str) -> Text {
    Text::parse(written).unwrap_or_else(|error| panic!("{written:?}: {error}"))
}

fn names(written: &str) -> Vec<String> {
    let text = text(written);
    text.placeholders().map(|p| p.name().to_owned()).collect()
}

#[test]
fn placeholders_are_told_from_literal_braces() {
    for (written, expected) in [
        ("", &[][..]),
        ("plain", &[]),
        ("{a}", &["a"]),
        ("x{a}y{b}z", &["a", "b"]),
        ("{{a}}", &[]),
        ("{{{a}}}", &["a"]),
        ("{a}}}{{", &["a"]),
        ("{odd name}", &["odd name"]),
        ("{a:any}", &["a"]),
        ("{a:other}", &["a:other"]),
        ("{a:any}{b}", &["a", "b"]),
        ("${a}", &["a"]),
    ] {
        assert_eq!(names(written), expected, "{written}");
        assert_eq!(text(written).to_string(), written);
    }
    assert_eq!(text("{{a}} 100%").literal(), Some("{a} 100%"));
    assert_eq!(text("").literal(), Some(""));
    assert_eq!(text("{a}").literal(), None);
    assert!(text("{a:any}").sole().expect("sole").takes_any());
    assert!(!text("{a}").sole().expect("sole").takes_any());
    assert!(text("{a} ").sole().is_none());
}

#[test]
fn names_are_shown_without_what_moves_a_cursor() {
    let odd = text("{a\u{1b}[2J\u{202e}}");
    assert_eq!(odd.sole().expect("sole").shown(), "a\\u{1b}[2J\\u{202e}");
    let long = text(&format!("{{{}}}", "ä".repeat(100)));
    let shown = long.sole().expect("sole").shown();
    assert_eq!((shown.chars().count(), shown.ends_with('…')), (61, true));
}

#[test]
fn what_is_no_template_is_refused_with_the_rule() {
    for (written, rule) in [
        ("{", "is not closed"),
        ("{a", "is not closed"),
        ("{a{b}}", "is not closed"),
        ("a}", "closes nothing"),
        ("{a}}", "closes nothing"),
        ("{}", "names no argument"),
        ("{:any}", "names no argument"),
        ("x{a:any}", "only at the beginning"),
        ("{b}{a:any}", "only at the beginning"),
        ("a\0", "NUL character"),
    ] {
        let error = Text::parse(written).expect_err(written).to_string();
        assert!(error.contains(rule), "{written}: {error}");
    }
}

fn command(written: &[&str]) -> Result<CommandTemplate, InvalidCommand> {
    let elements = written[1..].iter().map(|one| Element::Text(text(one)));
    CommandTemplate::new(written[0], elements.collect())
}

#[test]
fn programs_that_cannot_be_are_refused() {
    for (program, rule) in [
        ("", "is empty"),
        ("-c", "taken for a flag"),
        ("a\n", "control character"),
    ] {
        let error = command(&[program]).expect_err(program);
        assert_eq!(error.element, 0);
        assert!(error.problem.contains(rule), "{}", error.problem);
    }
    let braces = command(&["{x}"]).expect("a program may be called anything");
    assert_eq!(braces.program_text(), "{{x}}");
}

#[test]
fn arguments_are_not_pasted_into_scripts() {
    for (written, element) in [
        (&["sh", "-c", "grep {a} x"][..], 2),
        (&["/bin/bash", "-euo", "pipefail", "-c", "echo {a}"], 4),
        (&["bash", "--norc", "-lc", "{a};"], 3),
        (&["env", "X=1", "sh", "-c", "{a}{b}"], 4),
        (&["busybox", "ash", "-c", "'{a}'"], 3),
        (&["python3", "-c", "print('{a}')"], 2),
        (&["perl", "-ne", "/{a}/"], 2),
        (&["sh", "+x", "-c", "{a} "], 3),
    ] {
        let error = command(written).expect_err(written[0]);
        assert_eq!(error.element, element, "{written:?}");
        assert!(
            error.problem.contains("`{a}` would be read as code"),
            "{}",
            error.problem
        );
    }
    for written in [
        &["sh", "-c", "{a}"][..],
        &["sh", "-c", "grep -- \"$1\" x", "sh", "{a}", "x{a}"],
        &["bash", "script.sh", "-c", "x{a}"],
        &["sh", "--color", "x{a}"],
        &["git", "-c", "user.name={a}"],
        &["python3", "tool.py", "-c", "x{a}"],
        &["sh", "{a}", "-c", "x{a}"],
    ] {
        assert!(command(written).is_ok(), "{written:?}");
    }
    let then = Element::When {
        argument: "v".to_owned(),
        then: vec![text("-c"), text("x {a}")],
    };
    let error = CommandTemplate::new("sh", vec![Element::Text(text("-x")), then]);
    assert_eq!(error.expect_err("a script").element, 2);
}

#[test]
fn shells_without_a_script_run_what_they_read() {
    for (written, runs) in [
        (&["sh"][..], true),
        (&["/bin/bash", "-eu"], true),
        (&["env", "A=1", "sh", "-s"], true),
        (&["python3", "-"], true),
        (&["sh", "-c", "cat"], false),
        (&["sh", "script.sh"], false),
        (&["cat"], false),
        (&["python3", "{a}"], false),
    ] {
        assert_eq!(
            command(written).expect("valid").runs_stdin(),
            runs,
            "{written:?}"
        );
    }
}

proptest! {
    #[test]
    fn reading_never_panics_and_writing_reads_back(written in any::<String>()) {
        if let Ok(text) = Text::parse(&written) {
            prop_assert_eq!(Text::parse(&text.to_string()), Ok(text));
        }
    }

    #[test]
    fn texts_with_many_braces_read_back(written in "[{}a:ny-]{0,12}") {
        if let Ok(text) = Text::parse(&written) {
            prop_assert_eq!(text.to_string(), written);
        }
    }

    #[test]
    fn every_literal_can_be_escaped(literal in any::<String>()) {
        let literal = literal.replace('\0', "");
        let read = text(&escape(&literal));
        prop_assert_eq!(read.literal(), Some(literal.as_str()));
    }
}
