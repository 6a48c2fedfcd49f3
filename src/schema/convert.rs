//! JSON values ↔ values of WIT types, both ways without loss.

mod error;
mod numbers;
mod reading;
mod writing;

use serde_json::{Map, Value as Json};

pub use error::ConvertError;
pub use reading::from_json;
pub use writing::to_json;

use super::json_schema::success;
use super::wit::{Function, Ty, Value};

/// What a call of a custom tool gave, as JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Returned {
    /// It succeeded: the structured output, an object that fits [`super::output_schema`].
    Ok(Json),
    /// The function returned the failure of its `result`: the payload, or null where it carries none.
    Err(Json),
}

/// Reads the arguments of a call: a JSON object with one member a parameter.
///
/// Gives one value a parameter, in order. A parameter that is an `option` may be absent; a missing argument and one that
/// is not a parameter are errors.
///
/// # Errors
/// [`ConvertError`] for the first thing that does not fit.
pub fn arguments_from_json(f: &Function, arguments: &Json) -> Result<Vec<Value>, ConvertError> {
    let Json::Object(members) = arguments else {
        return Err(ConvertError::new("an object of arguments", arguments));
    };
    let params = f.params.iter().map(|(name, ty)| (name.as_str(), ty));
    reading::members("argument", params, members, arguments)
}

/// Turns what a function returned into the result of the tool.
///
/// `returned` is absent exactly where the function has no result.
#[must_use]
pub fn result_to_json(f: &Function, returned: Option<Value>) -> Returned {
    let value = match (&f.result, returned) {
        (Some(Ty::Result { err, .. }), Some(Value::Result(Err(payload)))) => {
            return Returned::Err(writing::payload(err.as_deref(), payload.as_deref()));
        }
        (Some(Ty::Result { .. }), Some(Value::Result(Ok(payload)))) => payload.map(|value| *value),
        (_, returned) => returned,
    };
    let structured = match (success(f), value) {
        (Some(ty), Some(value)) if ty.is_object() => to_json(ty, &value),
        (Some(ty), Some(value)) => {
            let mut members = Map::new();
            members.insert("result".to_owned(), to_json(ty, &value));
            Json::Object(members)
        }
        _ => Json::Object(Map::new()),
    };
    Returned::Ok(structured)
}

#[cfg(test)]
mod tests;
