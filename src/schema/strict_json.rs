//! JSON text that means one thing only.
//!
//! RFC 8259 leaves open what a repeated key means, and two readers that answer differently are a way past a check: one
//! sees the first value, the other runs the second. So a repeated key is an error here.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value as Json};

use super::preview::tick;
use crate::error::{Code, Error, Result};

/// How deep arrays and objects may be nested in a text.
pub const MAX_DEPTH: usize = 127;

/// Reads one JSON value from a text that holds nothing else.
///
/// # Errors
/// [`Code::E3301`] with line and column, where the text is not JSON, repeats a key within an object, nests deeper than
/// [`MAX_DEPTH`], has a number no float can hold, or goes on after the value.
pub fn parse_strict(text: &str) -> Result<Json> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let parsed = Strict
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    parsed.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        // The position is said once, in our own words.
        let full = error.to_string();
        let why = full
            .strip_suffix(&format!(" at line {line} column {column}"))
            .unwrap_or(&full);
        let why = match why {
            "recursion limit exceeded" => format!("nested deeper than {MAX_DEPTH} levels"),
            "trailing characters" => "more text after the end of the value".to_owned(),
            "EOF while parsing a value" if text.trim().is_empty() => "there is no value".to_owned(),
            why => why.to_owned(),
        };
        Error::new(
            Code::E3301,
            format!("reading JSON: {why}, at line {line}, column {column}"),
        )
        .detail("line", line)
        .detail("column", column)
    })
}

/// Reads any value, without repeated keys.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Self)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match members.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(entries.next_value_seed(Self)?);
                }
                Entry::Occupied(there) => {
                    return Err(A::Error::custom(format!(
                        "the key {} appears twice in one object",
                        tick(there.key())
                    )));
                }
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn why(text: &str) -> String {
        parse_strict(text).expect_err(text).to_string()
    }

    #[test]
    fn ordinary_json_keeps_its_values_and_the_order_of_keys() {
        let text = r#" {"z": [1, -1, 18446744073709551615, 1.5e3, "é\u00e9"], "a": null, "m": {"x": true}} "#;
        let value = parse_strict(text).expect("valid");
        assert_eq!(
            value,
            json!({"z": [1, -1, u64::MAX, 1500.0, "éé"], "a": null, "m": {"x": true}})
        );
        let keys: Vec<_> = value.as_object().expect("object").keys().collect();
        assert_eq!(keys, ["z", "a", "m"]);
        let zero = parse_strict("-0").expect("valid");
        assert!(zero.as_f64().expect("number").is_sign_negative());
    }

    #[test]
    fn a_repeated_key_is_refused_with_its_place() {
        let why = why("{\n  \"a\": 1,\n  \"b\": {\"k\": 1, \"\\u006b\": 2}\n}");
        assert!(why.contains("`k` appears twice"), "{why}");
        assert!(why.contains("line 3, column "), "{why}");
        assert!(parse_strict(r#"[{"a": 1}, {"a": 2}]"#).is_ok());
    }

    #[test]
    fn what_is_not_one_json_value_is_refused_with_line_and_column() {
        for text in [
            "",
            "  ",
            "NaN",
            "Infinity",
            "-Infinity",
            "{} {}",
            "[1,]",
            "{\"a\":1,}",
            "'a'",
            "1e999",
            "01",
            "+1",
            "[1",
            "\"\\ud800\"",
            "\u{feff}{}",
            "nul",
            "{\"a\" 1}",
            "// x\n1",
            "\"a\nb\"",
            ".5",
            "5.",
        ] {
            let why = why(text);
            assert!(
                why.contains("at line ") && why.contains(", column "),
                "{text:?}: {why}"
            );
        }
        assert!(why("{} {}").contains("more text after the end"));
        assert!(why("1e999").contains("out of range"));
    }

    #[test]
    fn depth_is_limited_and_never_overflows_the_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_strict(&nested(MAX_DEPTH)).is_ok());
        assert!(why(&nested(MAX_DEPTH + 1)).contains("nested deeper than 127 levels"));
        assert!(why(&"[".repeat(1_000_000)).contains("nested deeper"));
        assert!(why(&"{\"a\":".repeat(1_000_000)).contains("nested deeper"));
    }
}
