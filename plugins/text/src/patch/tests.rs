use proptest::prelude::*;
use serde_json::{Value, json};
use toolhatch_plugin::{Result, ToolError};

use crate::testing::call;

fn patch(text: &str, patch: &str, more: Value) -> Result<Value> {
    let mut arguments = json!({"text": text, "patch": patch});
    arguments
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    call("patch", &arguments).map(|(result, _)| result)
}

const CHANGE: &str = "--- a/f\n+++ b/f\n@@ -2,3 +2,4 @@\n b\n-c\n+C\n+CC\n d\n";

#[test]
fn a_patch_is_applied_and_undone() {
    let result = patch("a\nb\nc\nd\ne\n", CHANGE, json!({})).unwrap();
    assert_eq!(
        result,
        json!({"text": "a\nb\nC\nCC\nd\ne\n", "hunks": [{"line": 2, "offset": 0, "fuzz": 0}]})
    );
    let result = patch("a\nb\nC\nCC\nd\ne\n", CHANGE, json!({"reverse": true})).unwrap();
    assert_eq!(result["text"], "a\nb\nc\nd\ne\n");
}

#[test]
fn a_hunk_is_found_where_it_moved_to() {
    let result = patch("x\ny\nz\na\nb\nc\nd\ne\n", CHANGE, json!({})).unwrap();
    assert_eq!(result["text"], "x\ny\nz\na\nb\nC\nCC\nd\ne\n");
    assert_eq!(
        result["hunks"][0],
        json!({"line": 5, "offset": 3, "fuzz": 0})
    );
    let result = patch("b\nc\nd\n", CHANGE, json!({})).unwrap();
    assert_eq!(result["hunks"][0]["offset"], -1);
    // The nearer of two places.
    let result = patch(
        "b\nc\nd\n\n\n\n\n\nb\nc\nd\n",
        "@@ -8,3 +8,2 @@\n b\n-c\n d\n",
        json!({}),
    )
    .unwrap();
    assert_eq!(result["text"], "b\nc\nd\n\n\n\n\n\nb\nd\n");
}

#[test]
fn the_edges_of_the_context_may_differ_with_fuzz() {
    let text = "a\nB\nc\nd\ne\n";
    let error = patch(text, CHANGE, json!({})).unwrap_err().to_string();
    assert!(
        error.contains("1 of 1 hunks")
            && error.contains("hunk 1 (line 2) expects line 2 to be `b`, and it is `B`"),
        "{error}"
    );
    let result = patch(text, CHANGE, json!({"fuzz": 1})).unwrap();
    assert_eq!(result["text"], "a\nB\nC\nCC\nd\ne\n");
    assert_eq!(
        result["hunks"][0],
        json!({"line": 2, "offset": 0, "fuzz": 1})
    );
    // What is to be removed is never guessed.
    assert!(patch("a\nb\nX\nd\n", CHANGE, json!({"fuzz": 3})).is_err());
}

#[test]
fn all_hunks_are_applied_or_none() {
    let two = format!("{CHANGE}@@ -8,2 +9,2 @@\n h\n-i\n+I\n@@ -20 +21 @@\n-z\n+Z\n");
    let error = patch("a\nb\nc\nd\ne\nf\ng\nh\nj\n", &two, json!({})).unwrap_err();
    let ToolError::Failed(message) = &error else {
        panic!("{error:?}")
    };
    assert!(
        message.contains("2 of 3 hunks do not fit, so nothing was changed"),
        "{message}"
    );
    assert!(
        message.contains("hunk 2 (line 8) expects line 10 to be `i`, and it is `j`")
            || message.contains("hunk 2 (line 8) expects"),
        "{message}"
    );
    assert!(
        message
            .contains("hunk 3 (line 20) expects `z` behind the end of the text, which has 9 lines"),
        "{message}"
    );
}

#[test]
fn line_ends_and_the_end_of_the_text_count() {
    let result = patch("a\r\nb\r\nc\r\nd\r\n", CHANGE, json!({})).unwrap();
    assert_eq!(result["text"], "a\r\nb\r\nC\r\nCC\r\nd\r\n");
    let result = patch("a\nb\nc\nd\n", &CHANGE.replace('\n', "\r\n"), json!({})).unwrap();
    assert_eq!(result["text"], "a\nb\nC\nCC\nd\n");
    let ending = "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n";
    assert_eq!(patch("a", ending, json!({})).unwrap()["text"], "a\n");
    let error = patch("a\n", ending, json!({})).unwrap_err().to_string();
    assert!(error.contains("differs in white space"), "{error}");
}

#[test]
fn an_insertion_without_context_needs_the_right_line() {
    assert_eq!(
        patch("a\nb\n", "@@ -1,0 +2 @@\n+x\n", json!({})).unwrap()["text"],
        "a\nx\nb\n"
    );
    assert_eq!(
        patch("", "@@ -0,0 +1,2 @@\n+x\n+y\n", json!({})).unwrap()["text"],
        "x\ny\n"
    );
    let error = patch("a\n", "@@ -9,0 +10 @@\n+x\n", json!({}))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("behind line 9, and the text has 1 lines"),
        "{error}"
    );
    let error = patch(
        "a\nb\n",
        "@@ -2 +2 @@\n-b\n+c\n@@ -1 +1 @@\n-a\n+d\n",
        json!({}),
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("overlaps the one before it"), "{error}");
}

#[test]
fn what_would_take_for_ever_is_given_up() {
    let text = "a\n".repeat(500_000);
    let hunk = format!(
        "@@ -1,{n} +1,{m} @@\n{}-b\n",
        " a\n".repeat(1000),
        n = 1001,
        m = 1000
    );
    let error = patch(&text, &hunk, json!({})).unwrap_err().to_string();
    assert!(error.contains("takes too long"), "{error}");
}

fn text() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec("[ab]{0,2}", 0..12);
    (lines, any::<bool>()).prop_map(|(lines, is_ended)| {
        let text = lines.join("\n");
        if is_ended && !text.is_empty() {
            text + "\n"
        } else {
            text
        }
    })
}

proptest! {
    #[test]
    fn what_was_compared_can_be_applied_and_undone(before in text(), after in text(), context in 0_u32..5) {
        let (result, _) = call("diff", &json!({"before": before, "after": after, "context": context})).unwrap();
        let diff = result["diff"].as_str().unwrap();
        if before == after {
            prop_assert_eq!(diff, "");
        } else {
            let there = patch(&before, diff, json!({})).unwrap();
            prop_assert_eq!(there["text"].as_str().unwrap(), &after);
            let back = patch(&after, diff, json!({"reverse": true})).unwrap();
            prop_assert_eq!(back["text"].as_str().unwrap(), &before);
        }
    }

    #[test]
    fn a_patch_of_something_else_is_applied_cleanly_or_refused(before in text(), after in text(), other in text(), fuzz in 0_usize..4) {
        let (result, _) = call("diff", &json!({"before": before, "after": after})).unwrap();
        let diff = result["diff"].as_str().unwrap();
        if !diff.is_empty() && let Ok(result) = patch(&other, diff, json!({"fuzz": fuzz})) {
            let count = |text: &str| i64::try_from(text.matches(['a', 'b']).count()).unwrap();
            prop_assert_eq!(count(result["text"].as_str().unwrap()) - count(&other), count(&after) - count(&before));
        }
    }
}
