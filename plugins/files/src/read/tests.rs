use serde_json::{Value, json};

use super::*;
use crate::testing::Folder;

fn read(content: &[u8], arguments: Value) -> Result<(Value, Vec<String>), ToolError> {
    let folder = Folder::with(&[]);
    folder.write("f", content);
    folder.call("read", "f", arguments)
}

#[test]
fn text_is_returned_as_it_is() {
    let (result, text) = read("a\nb\r\né".as_bytes(), json!({})).unwrap();
    assert_eq!(result["content"], "a\nb\r\né");
    assert_eq!(
        (&result["encoding"], &result["size"]),
        (&json!("text"), &json!(7))
    );
    assert_eq!(result["truncated"], false);
    assert_eq!(text, ["a\nb\r\né"]);
}

#[test]
fn anything_else_is_base64() {
    for content in [&b"\xff\xfe"[..], b"a\0b"] {
        let (result, text) = read(content, json!({})).unwrap();
        assert_eq!(result["encoding"], "base64");
        assert_eq!(
            STANDARD
                .decode(result["content"].as_str().unwrap())
                .unwrap(),
            content
        );
        assert!(text[0].contains("base64"), "{text:?}");
    }
    let (result, _) = read(b"abc", json!({ "encoding": "base64" })).unwrap();
    assert_eq!(result["content"], "YWJj");
    let error = read(b"\xff", json!({ "encoding": "text" })).unwrap_err();
    assert!(matches!(error, ToolError::Failed(_)), "{error}");
    let error = read(b"\xff\n", json!({ "end_line": 1 })).unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("base64")),
        "{error}"
    );
}

#[test]
fn a_range_of_lines() {
    let lines = b"1\n2\n3\n4";
    for (arguments, content, end_line, next_line) in [
        (
            json!({ "start_line": 2, "end_line": 3 }),
            "2\n3\n",
            json!(3),
            json!(4),
        ),
        (json!({ "start_line": 3 }), "3\n4", json!(4), Value::Null),
        (json!({ "end_line": 2 }), "1\n2\n", json!(2), json!(3)),
        (
            json!({ "start_line": 4, "end_line": 90 }),
            "4",
            json!(4),
            Value::Null,
        ),
        (
            json!({ "start_line": 1, "end_line": 4 }),
            "1\n2\n3\n4",
            json!(4),
            Value::Null,
        ),
    ] {
        let (result, _) = read(lines, arguments.clone()).unwrap();
        assert_eq!(result["content"], content, "{arguments}");
        assert_eq!(
            (&result["end_line"], &result["next_line"]),
            (&end_line, &next_line),
            "{arguments}"
        );
        assert_eq!(result["truncated"], false, "{arguments}");
    }
}

#[test]
fn ranges_that_make_no_sense_are_explained() {
    for (arguments, expected) in [
        (json!({ "start_line": 3, "end_line": 2 }), "before line 3"),
        (json!({ "start_line": 9 }), "has 2 lines"),
        (
            json!({ "start_line": 1, "offset": 1 }),
            "cannot be combined",
        ),
        (
            json!({ "start_line": 1, "encoding": "base64" }),
            "cannot be combined",
        ),
        (json!({ "offset": 9 }), "has 4 bytes"),
    ] {
        let error = read(b"1\n2\n", arguments.clone()).unwrap_err();
        assert!(
            matches!(&error, ToolError::InvalidArguments(message) if message.contains(expected)),
            "{arguments}: {error}"
        );
    }
}

#[test]
fn lines_behind_the_end_are_empty_only_where_the_file_is() {
    let (result, _) = read(b"", json!({ "start_line": 1 })).unwrap();
    assert_eq!(
        (&result["content"], &result["end_line"]),
        (&json!(""), &Value::Null)
    );
    // A line break at the end begins one more line, which is empty.
    let (result, _) = read(b"1\n", json!({ "start_line": 2 })).unwrap();
    assert_eq!(result["content"], "");
}

#[test]
fn a_limit_cuts_between_lines_and_tells_where_to_go_on() {
    let (result, text) = read(
        b"111\n222\n333\n",
        json!({ "start_line": 1, "max_bytes": 9 }),
    )
    .unwrap();
    assert_eq!(result["content"], "111\n222\n");
    assert_eq!(
        (&result["truncated"], &result["next_line"]),
        (&json!(true), &json!(3))
    );
    assert!(text[1].contains("`start_line` 3"), "{text:?}");
    // A line that has no room at all is cut.
    let (result, _) = read(
        "ééé\n2\n".as_bytes(),
        json!({ "start_line": 1, "max_bytes": 3 }),
    )
    .unwrap();
    assert_eq!(result["content"], "é");
    assert_eq!(
        (&result["end_line"], &result["next_line"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn a_limit_on_bytes_never_cuts_a_character() {
    let (result, text) = read("aéb".as_bytes(), json!({ "max_bytes": 2 })).unwrap();
    assert_eq!(
        (&result["content"], &result["next_offset"]),
        (&json!("a"), &json!(1))
    );
    assert!(text[1].contains("`offset` 1"), "{text:?}");
    let (result, _) = read("aéb".as_bytes(), json!({ "offset": 1 })).unwrap();
    assert_eq!(
        (&result["content"], &result["truncated"]),
        (&json!("éb"), &json!(false))
    );
}

#[test]
fn reading_on_and_on_returns_the_whole_file() {
    let content: String = (0..50)
        .map(|line| format!("{}\n", "é".repeat(line)))
        .collect();
    let folder = Folder::with(&[("f", &content)]);
    for start in [
        json!({ "start_line": 1, "max_bytes": 120 }),
        json!({ "max_bytes": 7 }),
    ] {
        let mut arguments = start;
        let mut read = String::new();
        loop {
            let (result, _) = folder.call("read", "f", arguments.clone()).unwrap();
            read.push_str(result["content"].as_str().unwrap());
            match (&result["next_line"], &result["next_offset"]) {
                (Value::Null, Value::Null) => break,
                (Value::Null, offset) => arguments["offset"] = offset.clone(),
                (line, _) => arguments["start_line"] = line.clone(),
            }
        }
        assert_eq!(read, content);
    }
}

#[test]
fn only_regular_files_are_read() {
    let folder = Folder::with(&[("sub/f", "")]);
    let error = folder.call("read", "sub", json!({})).unwrap_err();
    assert!(
        matches!(&error, ToolError::InvalidArguments(message) if message.contains("is a folder"))
    );
    let error = folder.call("read", "none", json!({})).unwrap_err();
    assert!(matches!(error, ToolError::NotFound(_)), "{error}");
}
