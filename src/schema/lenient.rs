//! Arguments of nearly the right type, for tools that opt in, and for those of servers.
//!
//! Models write `"3"` for 3, `"[1, 2]"` for a list, and null for what they leave out. A tool whose manifest says
//! `coerce = true` takes these for what they clearly stand for, and so does one of a server, whose author could not say;
//! every other tool refuses them. Nothing is guessed: where a schema allows several types, or refers to
//! another one, the value stays as it is, and the check that follows decides.

use serde_json::{Map, Value};

/// The value as the schema wants it; nothing where it stays as it is.
#[must_use]
pub fn lenient(value: &Value, schema: &Value) -> Option<Value> {
    let wanted = schema.get("type")?.as_str()?;
    let parsed = match (wanted, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => return Some(value.to_string().into()),
        ("integer" | "number" | "boolean" | "array" | "object", Value::String(text)) => {
            Some(read(text, wanted)?)
        }
        _ => None,
    };
    let inner = inside(parsed.as_ref().unwrap_or(value), schema);
    inner.or(parsed)
}

/// What a text stands for, if it is the JSON of a value of this type and nothing else.
fn read(text: &str, wanted: &str) -> Option<Value> {
    let value = super::parse_strict(text).ok()?;
    let fits = match wanted {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    fits.then_some(value)
}

/// The members of an object and the items of a list, coerced.
fn inside(value: &Value, schema: &Value) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let others = schema.get("additionalProperties");
            let mut changed = false;
            let mut coerced = Map::new();
            for (name, member) in members {
                let of_name = properties.and_then(|properties| properties.get(name));
                if member.is_null()
                    && !is_required(schema, name)
                    && of_name.is_some_and(is_never_null)
                {
                    changed = true;
                    continue;
                }
                let new = of_name
                    .or(others)
                    .and_then(|schema| lenient(member, schema));
                changed |= new.is_some();
                coerced.insert(name.clone(), new.unwrap_or_else(|| member.clone()));
            }
            changed.then_some(Value::Object(coerced))
        }
        Value::Array(items) => {
            let schema = schema.get("items")?;
            let mut changed = false;
            let coerced = items
                .iter()
                .map(|item| {
                    let new = lenient(item, schema);
                    changed |= new.is_some();
                    new.unwrap_or_else(|| item.clone())
                })
                .collect();
            changed.then_some(coerced)
        }
        _ => None,
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|other| other == name))
}

/// True where a schema names one type, and that is another one than null.
fn is_never_null(schema: &Value) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind != "null")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_clearly_stands_for_something_is_taken_for_it() {
        let schema = json!({
            "type": "object",
            "properties": {
                "count": {"type": "integer"},
                "ratio": {"type": "number"},
                "deep": {"type": "boolean"},
                "name": {"type": "string"},
                "lines": {"type": "array", "items": {"type": "integer"}},
                "either": {"type": ["string", "integer"]},
                "other": {"$ref": "#/properties/count"},
            },
            "additionalProperties": {"type": "boolean"},
        });
        let given = json!({
            "count": "3", "ratio": "0.5", "deep": "true", "name": 7, "lines": "[\"1\", 2]", "either": "3", "other": "3", "x": "false",
        });
        let coerced = lenient(&given, &schema).expect("changed");
        let wanted = json!({
            "count": 3, "ratio": 0.5, "deep": true, "name": "7", "lines": [1, 2], "either": "3", "other": "3", "x": false,
        });
        assert_eq!(coerced, wanted);
        // Once is enough.
        assert_eq!(lenient(&wanted, &schema), None);
        assert_eq!(lenient(&json!(given.to_string()), &schema), Some(wanted));
    }

    #[test]
    fn what_does_not_clearly_stand_for_something_stays() {
        for (value, wanted) in [
            (json!("3.5"), "integer"),
            (json!("three"), "integer"),
            (json!(" "), "number"),
            (json!("yes"), "boolean"),
            (json!(1), "boolean"),
            (json!(null), "string"),
            (json!("3"), "array"),
            (json!("{\"a\": 1, \"a\": 2}"), "object"),
        ] {
            assert_eq!(
                lenient(&value, &json!({"type": wanted})),
                None,
                "{value} {wanted}"
            );
        }
    }

    #[test]
    fn null_stands_for_what_is_left_out() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "string"},
                "c": {"type": ["string", "null"]},
                "d": {"enum": [null]},
            },
            "required": ["b"],
        });
        let given = json!({"a": null, "b": null, "c": null, "d": null, "e": null});
        let wanted = json!({"b": null, "c": null, "d": null, "e": null});
        assert_eq!(lenient(&given, &schema), Some(wanted));
    }

    proptest! {
        #[test]
        fn a_value_of_the_right_type_is_never_touched(number: i64, text in ".*", flag: bool) {
            for (value, kind) in [(json!(number), "integer"), (json!(text), "string"), (json!(flag), "boolean")] {
                prop_assert_eq!(lenient(&value, &json!({"type": kind})), None);
            }
        }
    }
}
