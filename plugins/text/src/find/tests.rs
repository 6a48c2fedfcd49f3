use serde_json::json;
use toolhatch_plugin::ToolError;

use crate::testing::call;

#[test]
fn matches_have_a_place_and_groups() {
    let (result, text) = call(
        "match",
        &json!({"text": "é 2026-03\nx 1999-12\n", "pattern": r"(?<year>\d+)-(\d+)(z)?"}),
    )
    .unwrap();
    assert_eq!(
        result,
        json!({"truncated": false, "matches": [
            {"line": 1, "column": 3, "text": "2026-03", "groups": [{"name": "year", "text": "2026"}, {"text": "03"}, {}]},
            {"line": 2, "column": 3, "text": "1999-12", "groups": [{"name": "year", "text": "1999"}, {"text": "12"}, {}]},
        ]})
    );
    assert_eq!(text, "1:3: 2026-03\n2:3: 1999-12");
    let (result, text) = call("match", &json!({"text": "a", "pattern": "b"})).unwrap();
    assert_eq!(
        (&result["matches"], text.as_str()),
        (&json!([]), "nothing matches")
    );
}

#[test]
fn it_is_read_as_it_is_told() {
    for (more, count) in [
        (json!({"pattern": "a.b"}), 1),
        (json!({"pattern": "a.b", "literal": true}), 0),
        (json!({"pattern": "A.B", "ignore_case": true}), 1),
        (json!({"pattern": "^b"}), 0),
        (json!({"pattern": "^b", "multi_line": true}), 1),
        (json!({"pattern": "x.b", "dot_matches_new_line": true}), 1),
        (json!({"pattern": r"\p{Greek}"}), 1),
        (json!({"pattern": "Ä", "ignore_case": true}), 1),
    ] {
        let mut arguments = more.clone();
        arguments["text"] = json!("a-b x\nb λ ä");
        let (result, _) = call("match", &arguments).unwrap();
        assert_eq!(result["matches"].as_array().unwrap().len(), count, "{more}");
    }
}

#[test]
fn many_matches_come_in_parts() {
    let (result, text) = call(
        "match",
        &json!({"text": "aaaaa", "pattern": "a", "max_matches": 2, "skip": 1}),
    )
    .unwrap();
    assert_eq!(
        (&result["matches"][0]["column"], &result["truncated"]),
        (&json!(2), &json!(true))
    );
    assert!(
        text.ends_with("[there is more: go on with `skip` 3]"),
        "{text}"
    );
    let (result, _) = call(
        "match",
        &json!({"text": "aaaaa", "pattern": "a", "max_matches": 2, "skip": 3}),
    )
    .unwrap();
    assert_eq!(result["truncated"], false);
    // A few large ones.
    let text = "a".repeat(1 << 21);
    let (result, _) = call(
        "match",
        &json!({"text": text, "pattern": "a{400}", "max_matches": 10_000}),
    )
    .unwrap();
    assert_eq!(result["truncated"], true);
}

#[test]
fn a_pattern_that_cannot_be_used_is_explained() {
    for (pattern, why) in [
        ("(", "unclosed group"),
        (r"(?=a)", "look-around"),
        (r"(\w{1000}){1000}", "size limit"),
    ] {
        let error = call("match", &json!({"text": "", "pattern": pattern})).unwrap_err();
        assert!(
            matches!(&error, ToolError::InvalidArguments(message) if message.contains(why)),
            "{pattern}: {error}"
        );
    }
    let nested = "(".repeat(1000) + &")".repeat(1000);
    assert!(call("match", &json!({"text": "", "pattern": nested})).is_err());
}
