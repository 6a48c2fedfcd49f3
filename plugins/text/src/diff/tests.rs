use serde_json::json;

use crate::testing::call;

#[test]
fn what_changed_is_shown_with_lines_around_it() {
    let before = "a\nb\nc\nd\ne\nf\ng\nh\ni\n";
    let after = "a\nb\nc\nD\ne\nf\ng\nh\ni\nj\n";
    let (result, text) = call(
        "diff",
        &json!({"before": before, "after": after, "name": "f", "context": 1}),
    )
    .unwrap();
    let diff = "--- a/f\n+++ b/f\n@@ -3,3 +3,3 @@\n c\n-d\n+D\n e\n@@ -9 +9,2 @@\n i\n+j\n";
    assert_eq!(
        result,
        json!({"diff": diff, "identical": false, "added": 2, "removed": 1})
    );
    assert_eq!(text, diff);
    let (result, _) = call(
        "diff",
        &json!({"before": before, "after": after, "context": 0}),
    )
    .unwrap();
    assert!(
        result["diff"]
            .as_str()
            .unwrap()
            .contains("@@ -4 +4 @@\n-d\n+D\n@@ -9,0 +10 @@\n+j\n"),
        "{result}"
    );
    let (result, _) = call("diff", &json!({"before": before, "after": after})).unwrap();
    assert_eq!(result["diff"].as_str().unwrap().matches("@@ -").count(), 1);
}

#[test]
fn the_end_of_the_last_line_counts() {
    let (result, _) = call("diff", &json!({"before": "a", "after": "a\n"})).unwrap();
    assert_eq!(
        result["diff"],
        "--- a/text\n+++ b/text\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"
    );
    let (result, _) = call("diff", &json!({"before": "", "after": "a\n"})).unwrap();
    assert_eq!(
        result["diff"],
        "--- a/text\n+++ b/text\n@@ -0,0 +1 @@\n+a\n"
    );
}

#[test]
fn white_space_is_left_out_of_account_where_that_is_wanted() {
    let texts = json!({"before": "a  b\n\tc\nd\n", "after": "a b\n    c \nD\n"});
    let mut arguments = texts.clone();
    arguments["ignore_whitespace"] = json!(true);
    let (result, _) = call("diff", &arguments).unwrap();
    assert!(
        result["diff"]
            .as_str()
            .unwrap()
            .ends_with("@@ -1,3 +1,3 @@\n a  b\n \tc\n-d\n+D\n"),
        "{result}"
    );
    let (result, text) = call(
        "diff",
        &json!({"before": "a\r\n", "after": "a\n", "ignore_whitespace": true}),
    )
    .unwrap();
    assert_eq!(
        (&result["identical"], text.as_str()),
        (&json!(true), "nothing differs")
    );
}

#[test]
fn a_name_cannot_forge_lines() {
    let arguments = json!({"before": "a", "after": "b", "name": "a\n+++ b/other"});
    assert!(call("diff", &arguments).is_err());
}
