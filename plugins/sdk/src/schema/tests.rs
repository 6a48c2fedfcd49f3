use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

fn input<T: JsonSchema>() -> Value {
    input_schema::<T>()
}

/// Lines that are only wrapped
/// in the source.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Numbers {
    small: u8,
    signed: i16,
    #[schemars(range(min = 1))]
    bounded: u32,
    #[schemars(extend("exclusiveMinimum" = 0))]
    above: i32,
    large: u64,
    size: usize,
    real: f64,
}

#[test]
fn the_types_of_numbers_become_bounds() {
    let schema = input::<Numbers>();
    assert_eq!(
        schema["description"],
        "Lines that are only wrapped in the source."
    );
    let properties = &schema["properties"];
    for (name, expected) in [
        (
            "small",
            json!({"type": "integer", "minimum": 0, "maximum": 255}),
        ),
        (
            "signed",
            json!({"type": "integer", "minimum": -32768, "maximum": 32767}),
        ),
        (
            "bounded",
            json!({"type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32}),
        ),
        (
            "above",
            json!({"type": "integer", "exclusiveMinimum": 0, "maximum": i32::MAX}),
        ),
        ("large", json!({"type": "integer", "minimum": 0})),
        ("size", json!({"type": "integer", "minimum": 0})),
        ("real", json!({"type": "number"})),
    ] {
        assert_eq!(properties[name], expected, "{name}");
    }
}

/// How to write it.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Style {
    /// As it is.
    Plain,
    /// In
    /// capitals.
    Loud,
    Quiet,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Optional {
    number: Option<u8>,
    /// Which style.
    #[serde(default)]
    style: Option<Style>,
    inner: Option<Inner>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    list: Vec<Option<bool>>,
}

/// Something in it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Inner {
    text: String,
}

#[test]
fn what_may_be_left_out_takes_no_null() {
    let schema = input::<Optional>();
    let properties = &schema["properties"];
    assert_eq!(
        properties["number"],
        json!({"type": "integer", "minimum": 0, "maximum": 255})
    );
    assert_eq!(
        properties["style"],
        json!({
            "type": "string",
            "enum": ["quiet", "plain", "loud"],
            "description": "Which style.\n- `plain`: As it is.\n- `loud`: In capitals.",
        })
    );
    assert_eq!(
        properties["inner"],
        json!({
            "type": "object",
            "description": "Something in it.",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        })
    );
    // A null in a list is somebody's.
    assert_eq!(
        properties["list"]["items"]["type"],
        json!(["boolean", "null"])
    );
    assert_eq!(schema.get("required"), None);
}

#[test]
fn a_result_says_null_where_it_is_always_written() {
    let schema = output_schema::<Optional>();
    assert_eq!(
        schema["properties"]["number"]["type"],
        json!(["integer", "null"])
    );
    assert_eq!(schema["required"], json!(["number", "style", "inner"]));
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    /// Its name.
    name: String,
    children: Vec<Tree>,
}

#[test]
fn only_what_contains_itself_is_a_reference() {
    for schema in [
        input::<Tree>(),
        output_schema::<Vec<Tree>>(),
        output_schema::<Option<Tree>>(),
    ] {
        assert!(
            schema["$defs"]["Tree"]["properties"]["name"]["description"] == "Its name.",
            "{schema}"
        );
        jsonschema::validator_for(&schema).expect("its references are resolved");
        for noise in ["title", "$schema"] {
            assert!(!schema.to_string().contains(noise), "{schema}");
        }
    }
    let text = input::<Optional>().to_string();
    assert!(!text.contains("$ref") && !text.contains("$defs"), "{text}");
}

#[test]
fn a_title_that_somebody_wrote_stays() {
    #[derive(JsonSchema)]
    #[schemars(title = "All of it")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Titled {
        #[schemars(title = "A part")]
        part: bool,
    }
    let schema = input::<Titled>();
    assert_eq!(schema["title"], "All of it");
    assert_eq!(schema["properties"]["part"]["title"], "A part");
}

#[test]
fn values_in_a_schema_are_left_alone() {
    let mut schema = json!({
        "type": "object",
        "properties": {"a": {"default": {"format": "uint8", "properties": {"b": null}}}},
        "examples": [{"format": "uint8", "description": "a\nb"}],
    });
    let before = schema.clone();
    tidy::tidy(&mut schema);
    assert_eq!(schema, before);
}

#[test]
fn paragraphs_lists_and_code_keep_their_lines() {
    for (text, expected) in [
        ("", ""),
        (" one\n two ", "one two"),
        ("one\n\ntwo\nthree", "one\n\ntwo three"),
        ("these:\n- a\n  b\n- c\n\nand", "these:\n- a b\n- c\n\nand"),
        ("1. a\n2. b\nc", "1. a\n2. b c"),
        (
            "so:\n```\nlet a;\n  let b;\n```\nand\nso",
            "so:\n```\nlet a;\n  let b;\n```\nand so",
        ),
        ("- not\n-an item", "- not -an item"),
    ] {
        assert_eq!(paragraphs(text), expected, "{text:?}");
    }
}

/// Any JSON, with words of schemas in it.
fn value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "type",
        "properties",
        "required",
        "anyOf",
        "oneOf",
        "enum",
        "const",
        "default",
        "format",
        "items",
        "description",
        "$defs",
        "null",
        "object",
        "string",
        "uint8",
        "a",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_type_says_is_tidied_once_and_for_all(schema in value()) {
        let mut once = schema;
        tidy::tidy(&mut once);
        let mut twice = once.clone();
        tidy::tidy(&mut twice);
        // A description grows by the choices below it, which are gone then.
        prop_assert_eq!(&once, &twice);
        let whole = in_object(once);
        prop_assert!(!whole.is_object() || whole["type"] == "object");
    }

    #[test]
    fn paragraphs_keep_every_word(text in "[a-z`#.0-9\\- \n]{0,80}") {
        let joined = paragraphs(&text);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(&joined), words(&text));
        prop_assert_eq!(paragraphs(&joined), joined);
    }
}
