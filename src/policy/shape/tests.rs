use proptest::prelude::*;
use serde_json::json;

use super::read::{MAX_DEPTH, MAX_TYPES};
use super::*;

fn whole() -> Seen {
    Seen {
        whole: true,
        names: BTreeSet::new(),
    }
}

/// The type of one property with this schema, in Cedar's words; `None` where it is left out.
fn typed(schema: Value) -> Option<String> {
    let input = json!({"type": "object", "properties": {"x": schema}, "$defs": {
        "text": {"type": "string"},
        "tree": {"type": "object", "properties": {
            "name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}},
        "round": {"$ref": "#/$defs/trip"}, "trip": {"$ref": "#/$defs/round"},
    }});
    match Shape::of_input(&input) {
        Shape::Record(attributes) => attributes.get("x").map(|one| one.shape.to_cedar()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_kind_of_schema_has_its_type_or_none() {
    for (schema, expected) in [
        (json!({"type": "string"}), Some("String")),
        (json!({"enum": ["a", "b", null]}), Some("String")),
        (json!({"const": 3}), Some("Long")),
        (json!({"type": "integer"}), Some("Long")),
        (json!({"type": "number"}), Some("decimal")),
        (json!({"type": ["boolean", "null"]}), Some("Bool")),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            Some("String"),
        ),
        (
            json!({"type": "array", "items": {"type": "integer"}}),
            Some("Set<Long>"),
        ),
        (json!({"$ref": "#/$defs/text"}), Some("String")),
        (json!({"allOf": [{"$ref": "#/$defs/text"}]}), Some("String")),
        (
            json!({"$ref": "#/$defs/tree"}),
            Some("{ \"name\"?: String }"),
        ),
        (json!({"type": "object", "properties": {}}), Some("{  }")),
        (json!({"$ref": "#/$defs/round"}), None),
        (json!({"$ref": "https://elsewhere/schema"}), None),
        (json!({"enum": ["a", 1]}), None),
        (json!({"type": ["string", "integer"]}), None),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            None,
        ),
        (json!({"type": "array"}), None),
        (
            json!({"type": "array", "items": {"type": ["string", "null"]}}),
            None,
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}}),
            None,
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            None,
        ),
        (json!({}), None),
        (json!(true), None),
    ] {
        assert_eq!(typed(schema.clone()).as_deref(), expected, "{schema}");
    }
}

#[test]
fn only_what_is_required_and_never_null_is_always_there() {
    let shape = Shape::of_input(&json!({
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": ["string", "null"]}},
        "required": ["a", "c"],
    }));
    assert_eq!(
        shape.to_cedar(),
        r#"{ "a": String, "b"?: String, "c"?: String }"#
    );
}

#[test]
fn nesting_past_the_limit_is_left_out() {
    let mut schema = json!({"type": "string"});
    for _ in 0..30 {
        schema = json!({"type": "object", "properties": {"in": schema}});
    }
    assert_eq!(
        Shape::of_input(&schema)
            .to_cedar()
            .matches("\"in\"")
            .count(),
        MAX_DEPTH - 1
    );
}

#[test]
fn a_schema_that_multiplies_itself_stays_small() {
    let level = |next: &str| {
        let many = (0..50).map(|n| (format!("p{n}"), json!({"$ref": format!("#/$defs/{next}")})));
        json!({"type": "object", "properties": many.collect::<Map<_, _>>()})
    };
    let schema = json!({
        "$ref": "#/$defs/a",
        "$defs": {"a": level("b"), "b": level("c"), "c": level("d"), "d": level("e"), "e": {"type": "string"}},
    });
    assert!(Shape::of_input(&schema).to_cedar().len() < MAX_TYPES * 40);
}

fn one(schema: Value, value: Value) -> Result<String, ArgumentRefused> {
    Shape::of_input(&json!({"type": "object", "properties": {"x": schema}, "required": ["x"]}))
        .arguments(&json!({"x": value}), &whole())
        .map(|record| {
            let context = cedar_policy::Context::from_pairs([(
                "a".to_owned(),
                record.to_cedar().expect("a record"),
            )]);
            let json = context.expect("a context").to_json_value().expect("json");
            json["a"]["x"].to_string()
        })
}

#[test]
fn numbers_are_taken_exactly_or_refused() {
    let number = || json!({"type": "number"});
    let integer = || json!({"type": "integer"});
    for (schema, value, expected) in [
        (number(), json!(1.25), "\"1.25\""),
        (number(), json!(3), "\"3.0\""),
        (number(), json!(-0.0001), "\"-0.0001\""),
        (
            number(),
            json!(922_337_203_685_477_i64),
            "\"922337203685477.0\"",
        ),
        (integer(), json!(2.0), "2"),
        (integer(), json!(i64::MIN), "-9223372036854775808"),
    ] {
        let text = one(schema, value.clone()).expect("has a value");
        assert!(text.contains(expected), "{value}: {text}");
    }
    for (schema, value) in [
        (number(), json!(0.00001)),
        (number(), json!(1e300)),
        (number(), json!(922_337_203_685_478_i64)),
        (integer(), json!(1.5)),
        (integer(), json!(u64::MAX)),
        (integer(), json!("1")),
        (integer(), json!(null)),
    ] {
        let refused = one(schema, value.clone()).expect_err("has none");
        assert_eq!(refused.path, "args.x", "{value}");
    }
}

#[test]
fn what_no_policy_sees_is_neither_measured_nor_converted() {
    let shape = Shape::of_input(&json!({"type": "object", "properties": {
        "content": {"type": "string"}, "ratio": {"type": "number"}, "path": {"type": "string"}}}));
    let args = json!({"content": "x".repeat(MAX_ARGUMENT_BYTES), "ratio": 0.123_456, "path": "/a"});
    let only = |name: &str| Seen {
        whole: false,
        names: [name.to_owned()].into(),
    };
    assert!(shape.arguments(&args, &only("path")).is_ok());
    let large = shape
        .arguments(&args, &only("content"))
        .expect_err("too large");
    assert!(large.to_string().contains("64 KiB"), "{large}");
    let inexact = shape.arguments(&args, &only("ratio")).expect_err("inexact");
    assert_eq!(inexact.path, "args.ratio");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-9999i32..9999).prop_map(|n| Value::from(f64::from(n) / 100.0)),
        "[a-z\"\\\\\u{0}é]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!({"type": "string"}),
        json!({"type": "integer"}),
        json!({"type": "number"}),
        json!({"type": "boolean"}),
        json!({"type": ["string", "null"]}),
        json!({"$ref": "#"}),
        json!({}),
    ]);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|items| json!({"type": "array", "items": items})),
            inner
                .clone()
                .prop_map(|one| json!({"anyOf": [one, {"type": "null"}]})),
            (
                prop::collection::vec(("[a-c]", inner), 0..4),
                prop::sample::subsequence(vec!["a", "b", "c"], 0..=3)
            )
                .prop_map(|(fields, required)| {
                    let fields: Map<_, _> = fields.into_iter().collect();
                    json!({"type": "object", "properties": fields, "required": required})
                }),
        ]
    })
}

proptest! {
    /// Whatever comes in, the type is one Cedar takes, and arguments become a value of it or are refused.
    #[test]
    fn any_schema_and_any_arguments_end_in_a_value_or_a_refusal(schema in schema(), args in json_value()) {
        let shape = Shape::of_input(&schema);
        let text = super::super::vocabulary::schema([("a.b", &shape)].into_iter());
        let (schema, _) = cedar_policy::Schema::from_cedarschema_str(&text).expect("Cedar takes it");
        if let Ok(record) = shape.arguments(&args, &whole()) {
            let context = cedar_policy::Context::from_pairs([("args".to_owned(), record.to_cedar().expect("a record"))]).expect("a context");
            let json = context.to_json_value().expect("json");
            let mut all = json.clone();
            all["time"] = json!({"unix": 0, "hour": 0, "weekday": "monday"});
            all["environment"] = json!({"interactive": false, "headless": false});
            all["session"] = json!({"tainted": false, "labels": [], "calls": 0, "egress": false});
            let action: cedar_policy::EntityUid = "Action::\"a.b\"".parse().expect("an action");
            let checked = cedar_policy::Context::from_json_value(all, Some((&schema, &action)));
            prop_assert!(checked.is_ok(), "{:?}", checked.err());
        }
    }
}
