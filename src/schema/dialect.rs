//! JSON Schemas of older drafts, written as 2020-12.
//!
//! Clients compile the schemas of tools with one dialect, 2020-12, and refuse a tool whose schema names another or uses what
//! another meant. What older drafts wrote differently is rewritten: draft 4 to 7, as far as their meaning is the same
//! everywhere (the appendices "Changelog" of the drafts). A schema that names 2020-12, or no dialect, is left as it is.

use serde_json::{Map, Value};

/// Keywords whose value is one schema.
const ONE: [&str; 12] = [
    "additionalProperties",
    "additionalItems",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
/// Keywords whose value is a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is an object with a schema for each name.
const NAMED: [&str; 5] = [
    "$defs",
    "definitions",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

/// What stays beside a reference: it says nothing about values.
const BESIDE_REF: [&str; 7] = [
    "$ref",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
];

/// The schema as 2020-12 has it, without a word about dialects.
///
/// References stay within the schema: nothing is fetched, and what refers elsewhere is left as it is.
#[must_use]
pub fn as_2020_12(schema: &Value) -> Value {
    let named = schema.get("$schema").and_then(Value::as_str);
    let is_older = named.is_some_and(|named| {
        let named = named.trim_end_matches('#');
        named.contains("json-schema.org/draft-0")
    });
    let mut schema = if is_older {
        rewritten(schema)
    } else {
        schema.clone()
    };
    if let Value::Object(object) = &mut schema {
        object.remove("$schema");
    }
    schema
}

fn rewritten(schema: &Value) -> Value {
    let Value::Object(object) = schema else {
        return schema.clone();
    };
    let mut new = Map::new();
    // Up to draft 7 nothing counted beside a reference.
    let is_reference = object.get("$ref").is_some_and(Value::is_string);
    for (key, value) in object {
        if is_reference && !BESIDE_REF.contains(&key.as_str()) {
            continue;
        }
        match (key.as_str(), value) {
            ("definitions", Value::Object(_)) if !object.contains_key("$defs") => {
                new.insert("$defs".to_owned(), each(value));
            }
            ("$ref", Value::String(reference)) => {
                let reference = reference.replacen("#/definitions/", "#/$defs/", 1);
                new.insert("$ref".to_owned(), reference.into());
            }
            // A list of items was what `prefixItems` is now, and the rest was told beside it.
            ("items", Value::Array(items)) => {
                let items = items.iter().map(rewritten).collect();
                new.insert("prefixItems".to_owned(), items);
                if let Some(rest) = object.get("additionalItems") {
                    new.insert("items".to_owned(), rewritten(rest));
                }
            }
            ("additionalItems", _) => {}
            // Draft 4: a word beside the bound; since draft 6 a bound of its own.
            ("exclusiveMinimum", Value::Bool(is_exclusive)) => {
                bound(object, &mut new, *is_exclusive, "minimum", key);
            }
            ("exclusiveMaximum", Value::Bool(is_exclusive)) => {
                bound(object, &mut new, *is_exclusive, "maximum", key);
            }
            ("minimum", _) if object.get("exclusiveMinimum") == Some(&Value::Bool(true)) => {}
            ("maximum", _) if object.get("exclusiveMaximum") == Some(&Value::Bool(true)) => {}
            ("id", Value::String(_)) if !object.contains_key("$id") => {
                new.insert("$id".to_owned(), value.clone());
            }
            ("dependencies", Value::Object(dependencies)) => split(dependencies, &mut new),
            (key, value) if ONE.contains(&key) => {
                new.insert(key.to_owned(), rewritten(value));
            }
            (key, Value::Array(list)) if LIST.contains(&key) => {
                new.insert(key.to_owned(), list.iter().map(rewritten).collect());
            }
            (key, value) if NAMED.contains(&key) => {
                new.insert(key.to_owned(), each(value));
            }
            (key, value) => {
                new.insert(key.to_owned(), value.clone());
            }
        }
    }
    Value::Object(new)
}

/// A schema for each name.
fn each(value: &Value) -> Value {
    match value {
        Value::Object(named) => named
            .iter()
            .map(|(name, schema)| (name.clone(), rewritten(schema)))
            .collect(),
        other => other.clone(),
    }
}

fn bound(
    object: &Map<String, Value>,
    new: &mut Map<String, Value>,
    is_exclusive: bool,
    plain: &str,
    key: &str,
) {
    if let (true, Some(value)) = (is_exclusive, object.get(plain)) {
        new.insert(key.to_owned(), value.clone());
    }
}

/// What was one keyword for names and for schemas is two.
fn split(dependencies: &Map<String, Value>, new: &mut Map<String, Value>) {
    let (names, schemas): (Map<_, _>, Map<_, _>) = dependencies
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .partition(|(_, value)| value.is_array());
    if !names.is_empty() {
        new.insert("dependentRequired".to_owned(), names.into());
    }
    if !schemas.is_empty() {
        new.insert("dependentSchemas".to_owned(), each(&schemas.into()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::Validator;
    use super::super::json_schema::DIALECT;
    use super::*;

    const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";
    const DRAFT_4: &str = "http://json-schema.org/draft-04/schema#";

    #[test]
    fn what_older_drafts_wrote_differently_is_rewritten() {
        let old = json!({
            "$schema": DRAFT_7, "type": "object",
            "properties": {
                "pair": {"type": "array", "items": [{"$ref": "#/definitions/n"}, {}], "additionalItems": false},
                "definitions": {"type": "string"},
            },
            "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
            "definitions": {"n": {"type": "number"}},
        });
        assert_eq!(
            as_2020_12(&old),
            json!({
                "type": "object",
                "properties": {
                    "pair": {"type": "array", "prefixItems": [{"$ref": "#/$defs/n"}, {}], "items": false},
                    "definitions": {"type": "string"},
                },
                "dependentRequired": {"a": ["b"]},
                "dependentSchemas": {"c": {"required": ["d"]}},
                "$defs": {"n": {"type": "number"}},
            })
        );
        let old = json!({"$schema": DRAFT_4, "minimum": 3, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false});
        assert_eq!(
            as_2020_12(&old),
            json!({"exclusiveMinimum": 3, "maximum": 9})
        );
    }

    #[test]
    fn what_is_of_today_is_left_as_it_is() {
        let now = json!({"$schema": DIALECT, "items": [{}], "definitions": {}});
        assert_eq!(as_2020_12(&now), json!({"items": [{}], "definitions": {}}));
        let unnamed = json!({"definitions": {"x": {}}, "$ref": "#/definitions/x"});
        assert_eq!(as_2020_12(&unnamed), unnamed);
        assert_eq!(as_2020_12(&json!(true)), json!(true));
    }

    fn schema() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(true)),
            Just(json!({"type": "integer", "minimum": 2})),
            Just(json!({"type": "string", "maxLength": 3})),
            Just(json!({"$ref": "#/definitions/n"})),
            Just(json!({"const": 5})),
        ];
        leaf.prop_recursive(3, 16, 3, |inner| {
            let some = prop::collection::vec(inner.clone(), 1..3);
            prop_oneof![
                (some.clone(), inner.clone())
                    .prop_map(|(items, rest)| json!({"items": items, "additionalItems": rest})),
                inner
                    .clone()
                    .prop_map(|of| json!({"properties": {"a": of.clone(), "items": of}})),
                some.clone().prop_map(|of| json!({"anyOf": of})),
                inner
                    .clone()
                    .prop_map(|of| json!({"dependencies": {"a": ["b"], "b": of}})),
                inner.prop_map(|of| json!({"not": of})),
            ]
        })
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (0..8).prop_map(Value::from),
            "[a-c]{0,4}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("a|b|items", inner, 0..3)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_same_values_fit_before_and_after(schema in schema(), values in prop::collection::vec(value(), 1..8)) {
            let mut old = json!({"$schema": DRAFT_7, "definitions": {"n": {"type": "number"}}, "allOf": [schema]});
            let before = Validator::new(&old).expect("a schema of draft 7");
            let new = as_2020_12(&old);
            prop_assert!(new.get("$schema").is_none());
            let after = Validator::new(&new).expect("a schema of 2020-12");
            for value in &values {
                prop_assert_eq!(before.validate(value).is_ok(), after.validate(value).is_ok(), "{} {}", new, value);
            }
            old["$schema"] = DIALECT.into();
            prop_assert_eq!(as_2020_12(&old)["definitions"].is_object(), true);
        }
    }
}
