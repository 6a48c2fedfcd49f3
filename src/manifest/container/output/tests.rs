//! What commands print, read in every format.

use proptest::prelude::*;

use super::*;

fn spec(format: Format) -> OutputSpec {
    OutputSpec {
        format,
        ..OutputSpec::default()
    }
}

fn with_codes(format: Format) -> OutputSpec {
    let exit = |is, message: Option<&str>| Exit {
        is,
        message: message.map(str::to_owned),
    };
    OutputSpec {
        format,
        stream: Stream::Stdout,
        exit_codes: BTreeMap::from([
            (1, exit(Verdict::Ok, Some("no match"))),
            (2, exit(Verdict::InvalidArguments, Some("not a pattern"))),
            (3, exit(Verdict::NotFound, None)),
            (4, exit(Verdict::Retryable, None)),
            (5, exit(Verdict::Failed, None)),
            (6, exit(Verdict::Ok, None)),
        ]),
    }
}

fn ok(parsed: Parsed) -> (Value, String, Vec<String>) {
    match parsed {
        Parsed::Ok {
            structured,
            text,
            notes,
        } => (structured, text, notes),
        Parsed::Failed { kind, message } => panic!("{kind:?}: {message}"),
    }
}

fn failure(parsed: Parsed) -> (Failure, String) {
    match parsed {
        Parsed::Failed { kind, message } => (kind, message),
        Parsed::Ok { structured, .. } => panic!("{structured}"),
    }
}

#[test]
fn each_format_has_its_result() {
    for (format, printed, structured) in [
        (Format::Text, "a\nb\n", json!({"text": "a\nb\n"})),
        (Format::Text, "", json!({"text": ""})),
        (Format::Text, "{\"a\": 1}", json!({"text": "{\"a\": 1}"})),
        (Format::Lines, "a\r\n\nb", json!({"lines": ["a", "", "b"]})),
        (Format::Lines, "a\n", json!({"lines": ["a"]})),
        (Format::Lines, "", json!({"lines": []})),
        (Format::Json, " {\"a\": [1]}\n", json!({"a": [1]})),
        (Format::Json, "[1, 2]", json!({"result": [1, 2]})),
        (Format::Json, "null\n", json!({"result": null})),
        (Format::Json, "\"x\"", json!({"result": "x"})),
    ] {
        let parsed = spec(format).read(0, printed.as_bytes(), b"a warning", false);
        assert_eq!(
            ok(parsed),
            (structured, printed.to_owned(), vec![]),
            "{printed:?}"
        );
    }
    let other = OutputSpec {
        stream: Stream::Stderr,
        ..spec(Format::Text)
    };
    let (structured, text, _) = ok(other.read(0, b"out", b"err", false));
    assert_eq!((structured, text.as_str()), (json!({"text": "err"}), "err"));
}

#[test]
fn what_is_not_json_is_malformed() {
    for (printed, why) in [
        (&b""[..], "there is no value"),
        (b"\n ", "there is no value"),
        (b"{\"a\": 1} trailing", "more text after the end"),
        (b"{\"a\": 1, \"a\": 2}", "appears twice"),
        (b"{\"a\": NaN}", "line 1"),
        (b"warning: x\n{}", "line 1"),
        (b"1e999", "number out of range"),
        (b"\xff{}", "line 1"),
        (&[b'['; 10_000], "nested deeper"),
    ] {
        let (kind, message) = failure(spec(Format::Json).read(0, printed, b"", false));
        assert_eq!(kind, Failure::Malformed);
        assert!(message.starts_with("the output is not JSON: "), "{message}");
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn what_was_replaced_or_cut_is_told() {
    let (structured, text, notes) = ok(spec(Format::Text).read(0, b"a\xff\xfeb", b"", false));
    assert_eq!(structured, json!({"text": "a\u{fffd}\u{fffd}b"}));
    assert_eq!(text, "a\u{fffd}\u{fffd}b");
    assert!(notes[0].contains("not UTF-8"), "{notes:?}");
    // Within JSON a replaced character is told as well.
    let (structured, _, notes) = ok(spec(Format::Json).read(0, b"\"\xff\"", b"", false));
    assert_eq!(
        (structured, notes.len()),
        (json!({"result": "\u{fffd}"}), 1)
    );
    for format in [Format::Text, Format::Lines] {
        let (_, _, notes) = ok(spec(format).read(0, b"a", b"", true));
        assert!(notes[0].contains("was cut"), "{notes:?}");
    }
    let (kind, message) = failure(spec(Format::Json).read(0, b"{}", b"", true));
    assert_eq!(kind, Failure::TooLarge);
    assert!(message.contains("was cut"), "{message}");
}

#[test]
fn lines_without_end_are_not_counted_without_end() {
    let most = "\n".repeat(MAX_LINES);
    let (structured, _, _) = ok(spec(Format::Lines).read(0, most.as_bytes(), b"", false));
    assert_eq!(
        structured["lines"].as_array().expect("lines").len(),
        MAX_LINES
    );
    let more = format!("{most}x");
    let (kind, message) = failure(spec(Format::Lines).read(0, more.as_bytes(), b"", false));
    assert_eq!(kind, Failure::TooLarge);
    assert!(message.contains("more than 100000 lines"), "{message}");
}

#[test]
fn exit_codes_mean_what_the_table_says() {
    let spec = with_codes(Format::Text);
    let (structured, text, notes) = ok(spec.read(1, b"", b"", false));
    assert_eq!(structured, json!({"text": ""}));
    assert_eq!(
        (text.as_str(), notes),
        ("no match", vec!["no match".to_owned()])
    );
    let (structured, text, notes) = ok(spec.read(1, b"x", b"", false));
    assert_eq!((structured, text.as_str()), (json!({"text": "x"}), "x"));
    assert_eq!(notes, ["no match"]);
    assert_eq!(ok(spec.read(6, b"x", b"", false)).2, Vec::<String>::new());
    assert_eq!(ok(spec.read(0, b"x", b"", false)).1, "x");
    for (code, kind, message) in [
        (
            2,
            Failure::InvalidArguments,
            "not a pattern (exit code 2): bad [x",
        ),
        (
            3,
            Failure::NotFound,
            "the command ended with exit code 3: bad [x",
        ),
        (
            4,
            Failure::Retryable,
            "the command ended with exit code 4: bad [x",
        ),
        (
            5,
            Failure::Failed,
            "the command ended with exit code 5: bad [x",
        ),
        (
            7,
            Failure::Exit(7),
            "the command ended with exit code 7: bad [x",
        ),
        (
            -1,
            Failure::Exit(-1),
            "the command ended with exit code -1: bad [x",
        ),
        (
            257,
            Failure::Exit(257),
            "the command ended with exit code 257: bad [x",
        ),
    ] {
        let found = failure(spec.read(code, b"some output", b"bad [x\n", false));
        assert_eq!(found, (kind, message.to_owned()));
    }
    // A code can be all there is to say, in JSON too.
    let (structured, text, _) = ok(with_codes(Format::Json).read(1, b"", b"", false));
    assert_eq!(
        (structured, text.as_str()),
        (json!({"result": null}), "no match")
    );
    let (kind, _) = failure(with_codes(Format::Json).read(6, b"", b"", false));
    assert_eq!(kind, Failure::Malformed);
}

#[test]
fn zero_can_be_a_failure() {
    let mut spec = with_codes(Format::Text);
    spec.exit_codes.insert(
        0,
        Exit {
            is: Verdict::Failed,
            message: None,
        },
    );
    assert_eq!(failure(spec.read(0, b"", b"", false)).0, Failure::Failed);
}

#[test]
fn a_failure_shows_the_end_of_what_was_printed() {
    let spec = spec(Format::Text);
    let message = |stdout: &[u8], stderr: &[u8]| failure(spec.read(9, stdout, stderr, false)).1;
    let head = "the command ended with exit code 9";
    assert_eq!(message(b"", b" \n"), head);
    assert_eq!(message(b"out\n", b""), format!("{head}: out"));
    assert_eq!(message(b"out", b"a\nb\n"), format!("{head}:\na\nb"));
    assert_eq!(message(b"", b"\xff!"), format!("{head}: \u{fffd}!"));
    let long: String = (0..1000).map(|n| format!("line {n}\n")).collect();
    let shown = message(b"", long.as_bytes());
    assert!(shown.starts_with(&format!("{head}:\n…line ")), "{shown}");
    assert!(shown.ends_with("line 999"), "{shown}");
    assert!(shown.len() <= SHOWN + 100, "{}", shown.len());
    let wide = message(b"", "ä".repeat(5000).as_bytes());
    assert!(
        wide.starts_with(&format!("{head}: …ä")) && !wide.contains('\u{fffd}'),
        "{wide}"
    );
}

proptest! {
    #[test]
    fn whatever_was_printed_is_read(
        code in -2_i32..10,
        stdout in proptest::collection::vec(any::<u8>(), 0..60),
        stderr in proptest::collection::vec(any::<u8>(), 0..60),
        truncated in any::<bool>(),
    ) {
        for format in [Format::Text, Format::Json, Format::Lines] {
            match with_codes(format).read(code, &stdout, &stderr, truncated) {
                Parsed::Ok { structured, notes, .. } => {
                    prop_assert!(structured.is_object());
                    prop_assert!([0, 1, 6].contains(&code));
                    prop_assert_eq!(notes.iter().any(|note| note.contains("UTF-8")), std::str::from_utf8(&stdout).is_err());
                }
                Parsed::Failed { message, .. } => prop_assert!(!message.is_empty()),
            }
        }
    }

    #[test]
    fn text_that_is_printed_comes_through_unchanged(text in any::<String>()) {
        let (structured, shown, notes) = ok(spec(Format::Text).read(0, text.as_bytes(), b"", false));
        prop_assert_eq!(&structured["text"], &Value::from(text.clone()));
        prop_assert_eq!((shown, notes), (text, vec![]));
    }
}
