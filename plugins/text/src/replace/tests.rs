use proptest::prelude::*;
use serde_json::json;
use toolhatch_plugin::ToolError;

use crate::testing::call;

#[test]
fn matches_are_replaced_with_their_groups() {
    for (more, text, count) in [
        (
            json!({"pattern": r"(\w)(?<n>\d)", "replacement": "${n}$1-$$-$0"}),
            "1a-$-a1 2b-$-b2",
            2,
        ),
        (
            json!({"pattern": r"\d", "replacement": "x", "limit": 1}),
            "ax b2",
            1,
        ),
        (
            json!({"pattern": "a1", "replacement": "$0", "literal": true}),
            "$0 b2",
            1,
        ),
        (
            json!({"pattern": "x*", "replacement": "|"}),
            "|a|1| |b|2|",
            6,
        ),
        (json!({"pattern": "z", "replacement": ""}), "a1 b2", 0),
    ] {
        let mut arguments = more.clone();
        arguments["text"] = json!("a1 b2");
        let (result, shown) = call("replace", &arguments).unwrap();
        assert_eq!(
            result,
            json!({"text": text, "replacements": count}),
            "{more}"
        );
        assert_eq!(shown, text);
    }
}

#[test]
fn a_text_does_not_grow_without_end() {
    let arguments =
        json!({"text": "a".repeat(10_000), "pattern": "a", "replacement": "b".repeat(10_000)});
    let error = call("replace", &arguments).unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("would become longer")),
        "{error}"
    );
}

proptest! {
    #[test]
    fn a_match_replaced_by_itself_changes_nothing(text in any::<String>()) {
        let (result, _) = call("replace", &json!({"text": text, "pattern": r"\w+|\s", "replacement": "$0"})).unwrap();
        prop_assert_eq!(result["text"].as_str().unwrap(), &text);
    }
}
