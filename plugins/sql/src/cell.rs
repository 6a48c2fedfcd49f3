//! Values of SQLite as JSON, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Cell, ValueRef};
use serde_json::{Number, Value, json};

/// A value as JSON. Integers are exact; what JSON has no number for is a text, and bytes are `{"base64": "…"}`.
pub fn to_json(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => integer.into(),
        ValueRef::Real(real) => match Number::from_f64(real) {
            Some(number) => Value::Number(number),
            None if real > 0.0 => "Infinity".into(),
            None => "-Infinity".into(),
        },
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => blob(bytes),
        },
        ValueRef::Blob(bytes) => blob(bytes),
    }
}

fn blob(bytes: &[u8]) -> Value {
    json!({ "base64": STANDARD.encode(bytes) })
}

/// How many bytes a value takes in an answer, about.
pub fn size(cell: ValueRef<'_>) -> usize {
    match cell {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 20,
        ValueRef::Text(bytes) => bytes.len() + 2,
        ValueRef::Blob(bytes) => bytes.len() / 3 * 4 + 20,
    }
}

/// The name of the type of a value.
pub fn type_name(cell: ValueRef<'_>) -> &'static str {
    match cell {
        ValueRef::Null => "null",
        ValueRef::Integer(_) => "integer",
        ValueRef::Real(_) => "real",
        ValueRef::Text(_) => "text",
        ValueRef::Blob(_) => "blob",
    }
}

/// A parameter: JSON as it is given to SQLite. `{"base64": "…"}` is bytes; lists and other objects are JSON text.
///
/// # Errors
/// Why it cannot be given.
pub fn from_json(value: &Value) -> Result<Cell, String> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Bool(is_true) => Cell::Integer((*is_true).into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            // It would lose its last digits.
            (None, _) if number.is_u64() => {
                return Err(format!(
                    "{number} is larger than the integers of SQLite; give it as a text"
                ));
            }
            (None, Some(real)) => Cell::Real(real),
            (None, None) => return Err(format!("{number} is no number of SQLite")),
        },
        Value::String(text) => Cell::Text(text.clone()),
        Value::Object(object) => match (object.len(), object.get("base64").and_then(Value::as_str))
        {
            (1, Some(data)) => Cell::Blob(
                STANDARD
                    .decode(data)
                    .map_err(|error| format!("`base64` is not base64: {error}"))?,
            ),
            _ => Cell::Text(value.to_string()),
        },
        Value::Array(_) => Cell::Text(value.to_string()),
    })
}

#[cfg(test)]
mod tests;
