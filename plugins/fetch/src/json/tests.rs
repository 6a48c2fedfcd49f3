use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn members_get_a_line_each_and_stay_what_they_are() {
    let text = r#" {"z":[1,2.50,12345678901234567890123], "a":{ },"s":"a, {\"b\"}","e":[ ]}"#;
    let lines = [
        "{",
        "  \"z\": [",
        "    1,",
        "    2.50,",
        "    12345678901234567890123",
        "  ],",
        "  \"a\": {},",
        "  \"s\": \"a, {\\\"b\\\"}\",",
        "  \"e\": []",
        "}",
    ];
    assert_eq!(pretty(text, 1000).unwrap(), lines.join("\n"));
}

#[test]
fn what_is_no_json_or_becomes_too_long_is_left_alone() {
    assert_eq!(pretty("{", 1000), None);
    assert_eq!(pretty("", 1000), None);
    assert_eq!(pretty(&"[".repeat(100_000), 1 << 20), None);
    assert_eq!(pretty("[1,2,3,4]", 5), None);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_means_the_same(value in value()) {
        let pretty = pretty(&value.to_string(), usize::MAX).unwrap();
        prop_assert_eq!(&pretty, &serde_json::to_string_pretty(&value).unwrap());
    }
}
