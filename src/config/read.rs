//! Reading one layer: a file, or the texts of variables and flags.

use std::path::Path;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::schema::Wire;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest::document::{Document, MAX_BYTES, quoted};
use crate::manifest::problem::nearest;

/// A configuration file; nothing where there is none.
///
/// # Errors
/// E3004 where something is there that cannot be read, is not a file, too large, not UTF-8, or not valid: a file that
/// somebody wrote is never passed over.
pub(super) fn file<T: DeserializeOwned>(
    path: &Path,
    schema: &LazyLock<Value>,
) -> Result<Option<(T, Document)>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // Everything else is told by the attempt to read it.
        Ok(_) | Err(_) => {}
    }
    let refused = |error: Error| {
        let text = format!("reading the configuration: {error}");
        error
            .hints()
            .into_iter()
            .fold(Error::new(Code::E3004, text), |new, hint| new.hint(hint))
    };
    let text = fsx::read_text(path, MAX_BYTES as u64).map_err(refused)?;
    let origin = path.display().to_string();
    Document::from_toml(&text)
        .and_then(|document| Ok((document.conform(schema)?, document)))
        .map(Some)
        .map_err(|problems| problems.into_error(Code::E3004, &origin))
}

/// A layer with one key, from its text in a variable or flag; `source` names it in errors.
///
/// # Errors
/// E3004 where there is no such key or the text is not a value of it.
pub(super) fn assignment(
    key: &str,
    text: &str,
    source: &str,
    schema: &Value,
) -> Result<(Wire, Document)> {
    let pointer: String = key
        .split('.')
        .map(|part| format!("/properties/{part}"))
        .collect();
    let Some(of_key) = schema.pointer(&pointer) else {
        let known = keys(schema);
        let mut error = Error::new(
            Code::E3004,
            format!("reading {source}: there is no key `{key}` in the configuration"),
        );
        if let Some(near) = nearest(key, known.iter().map(String::as_str)) {
            error = error.hint(format!("Did you mean `{near}`?"));
        }
        return Err(error);
    };
    let value = value(text, of_key).ok_or_else(|| {
        let error = Error::new(
            Code::E3004,
            format!(
                "reading {source}: {} is not a value of `{key}`",
                quoted(text)
            ),
        );
        match of_key.get("description").and_then(Value::as_str) {
            Some(description) => error.hint(description),
            None => error,
        }
    })?;
    let tree = key.rsplit('.').fold(value, |inner, part| {
        Value::Object(Map::from_iter([(part.to_owned(), inner)]))
    });
    let document = Document::from_json(&tree);
    let wire = document
        .conform(schema)
        .map_err(|problems| problems.into_error(Code::E3004, source))?;
    Ok((wire, document))
}

/// The dotted paths of all keys that hold values.
pub(super) fn keys(schema: &Value) -> Vec<String> {
    fn walk(schema: &Value, path: &str, keys: &mut Vec<String>) {
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                for (name, inner) in properties {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    walk(inner, &path, keys);
                }
            }
            None => keys.push(path.to_owned()),
        }
    }
    let mut keys = Vec::new();
    walk(schema, "", &mut keys);
    keys.retain(|key| !key.starts_with("defaults.") && !key.starts_with("enforced."));
    keys
}

/// A text as a value of the type its key asks for.
fn value(text: &str, schema: &Value) -> Option<Value> {
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => text.parse::<u64>().ok().map(Value::from),
        Some("number") => text.parse::<f64>().ok().map(Value::from),
        Some("boolean") => match text {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        Some("array") => Some(text.split(':').filter(|part| !part.is_empty()).collect()),
        Some("object") => None,
        _ => Some(Value::from(text)),
    }
}
