use serde_json::{Value, json};

use super::*;
use crate::testing::Folder;

/// Edits a file `f`, and returns what it holds afterwards with the result.
fn edit(content: &str, arguments: Value) -> (String, Result<Value, ToolError>) {
    let folder = Folder::with(&[("f", content)]);
    let result = folder
        .call("edit", "f", arguments)
        .map(|(result, _)| result);
    (folder.read("f"), result)
}

#[test]
fn a_piece_of_text_is_replaced_and_the_diff_returned() {
    let folder = Folder::with(&[("f", "a\nb\nc\n")]);
    let arguments = json!({ "edits": [{ "old": "b\n", "new": "x\ny\n" }] });
    let (result, text) = folder.call("edit", "f", arguments).unwrap();
    assert_eq!(folder.read("f"), "a\nx\ny\nc\n");
    assert_eq!(
        (&result["replacements"], &result["changed"]),
        (&json!(1), &json!(true))
    );
    let diff = result["diff"].as_str().unwrap();
    assert!(
        diff.ends_with("@@ -1,3 +1,4 @@\n a\n-b\n+x\n+y\n c\n"),
        "{diff}"
    );
    assert_eq!(text, [diff]);
}

#[test]
fn edits_follow_each_other_and_a_shorter_file_is_cut() {
    let (content, result) = edit(
        "one two two\n",
        json!({ "edits": [{ "old": "two", "new": "2", "count": 2 }, { "old": "one 2 2", "new": "x" }] }),
    );
    assert_eq!(content, "x\n");
    assert_eq!(result.unwrap()["replacements"], 3);
}

#[test]
fn a_wrong_count_changes_nothing_and_tells_where() {
    let arguments = json!({ "edits": [{ "old": "b", "new": "x" }, { "old": "a", "new": "x" }] });
    let (content, result) = edit("a\nb\na\n", arguments);
    assert_eq!(content, "a\nb\na\n");
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains("edit 2") && error.contains("found 2 times"),
        "{error}"
    );
    assert!(
        error.contains("line 1, 3") && error.contains("nothing was changed"),
        "{error}"
    );
}

#[test]
fn what_was_not_found_is_explained_where_it_is_nearly_there() {
    for (content, old, expected) in [
        (
            "fn f() {\n\tg();\n}\n",
            "fn f() {\n    g();",
            "line 1 differs from it in white space",
        ),
        ("a\r\nb\r\n", "a\nb", "end in \\r\\n"),
        ("a\n", "zzz", "`old` was not found; nothing"),
    ] {
        let (_, result) = edit(content, json!({ "edits": [{ "old": old, "new": "" }] }));
        let error = result.unwrap_err();
        assert!(
            matches!(&error, ToolError::InvalidArguments(message) if message.contains(expected)),
            "{error}"
        );
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let arguments = json!({ "edits": [{ "old": "a", "new": "b" }], "dry_run": true });
    let (content, result) = edit("a\n", arguments);
    assert_eq!(content, "a\n");
    let result = result.unwrap();
    assert_eq!(result["changed"], true);
    assert!(result["diff"].as_str().unwrap().contains("-a\n+b\n"));
}

#[test]
fn the_same_text_is_no_change() {
    let (_, result) = edit("a\n", json!({ "edits": [{ "old": "a", "new": "a" }] }));
    let result = result.unwrap();
    assert_eq!(
        (&result["changed"], &result["diff"]),
        (&json!(false), &json!(""))
    );
}

#[test]
fn only_text_is_edited() {
    let folder = Folder::with(&[]);
    folder.write("f", b"a\xff");
    let arguments = json!({ "edits": [{ "old": "a", "new": "b" }] });
    let error = folder.call("edit", "f", arguments.clone()).unwrap_err();
    assert!(matches!(error, ToolError::Failed(_)), "{error}");
    let error = folder.call("edit", "none", arguments).unwrap_err();
    assert!(matches!(error, ToolError::NotFound(_)), "{error}");
}
