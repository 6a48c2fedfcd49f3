//! The Cedar type of a tool's arguments, from its JSON Schema, and the arguments as a value of that type.
//!
//! | JSON Schema | Cedar |
//! |---|---|
//! | object with `properties` | record; what is not `required`, or may be null, is optional |
//! | string, or an enumeration of strings | String |
//! | integer | Long |
//! | number | decimal, of at most four digits after the point |
//! | boolean | Bool |
//! | array with one type of `items` | Set |
//!
//! Everything else has no type here and is left out, so that a policy which names it does not load. Nothing is guessed.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::RestrictedExpression;
use serde_json::{Map, Value};

/// How large the arguments that policies look at may be together, in bytes of JSON.
pub const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// A Cedar type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// True or false.
    Bool,
    /// A 64-bit integer.
    Long,
    /// A number of at most four digits after the point.
    Decimal,
    /// Text.
    String,
    /// A set of one type.
    Set(Box<Self>),
    /// Named attributes.
    Record(BTreeMap<String, Attribute>),
}

/// One attribute of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its type.
    pub shape: Shape,
    /// It is always there.
    pub required: bool,
}

/// An argument has no value of the type its schema gave it, so policies cannot be asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentRefused {
    /// Which one, such as `args.limits.depth`.
    pub path: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for ArgumentRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.why)
    }
}

impl std::error::Error for ArgumentRefused {}

/// Which top-level arguments any policy can see; the others need not be converted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// A policy uses the arguments, or the context, as a whole.
    pub whole: bool,
    /// The names that policies mention.
    pub names: BTreeSet<String>,
}

impl Seen {
    fn has(&self, name: &str) -> bool {
        self.whole || self.names.contains(name)
    }
}

impl Shape {
    /// The type of the arguments of a tool with this input schema: always a record, perhaps an empty one.
    #[must_use]
    pub fn of_input(schema: &Value) -> Self {
        read::input(schema)
    }

    /// The type in Cedar's schema language.
    #[must_use]
    pub fn to_cedar(&self) -> String {
        match self {
            Self::Bool => "Bool".to_owned(),
            Self::Long => "Long".to_owned(),
            Self::Decimal => "decimal".to_owned(),
            Self::String => "String".to_owned(),
            Self::Set(item) => format!("Set<{}>", item.to_cedar()),
            Self::Record(attributes) => {
                let fields: Vec<String> = attributes
                    .iter()
                    .map(|(name, attribute)| {
                        let optional = if attribute.required { "" } else { "?" };
                        format!("{name:?}{optional}: {}", attribute.shape.to_cedar())
                    })
                    .collect();
                format!("{{ {} }}", fields.join(", "))
            }
        }
    }

    /// The arguments of a call as a Cedar record, as far as policies can see them.
    ///
    /// # Errors
    /// [`ArgumentRefused`] where a part that policies can see is missing, has another type, has no exact Cedar value, or
    /// where those parts are larger than [`MAX_ARGUMENT_BYTES`] together.
    pub fn arguments(
        &self,
        args: &Value,
        seen: &Seen,
    ) -> Result<RestrictedExpression, ArgumentRefused> {
        let refused = |path: &str, why: String| ArgumentRefused {
            path: path.to_owned(),
            why,
        };
        let Self::Record(attributes) = self else {
            return Err(refused("args", "have a type that is no record".to_owned()));
        };
        let none = Map::new();
        let given = match args {
            Value::Object(given) => given,
            Value::Null => &none,
            other => return Err(refused("args", mismatch("an object", other))),
        };
        let mut budget = MAX_ARGUMENT_BYTES;
        for (name, value) in given {
            if attributes.contains_key(name) && seen.has(name) && !fits(value, &mut budget) {
                let limit = MAX_ARGUMENT_BYTES / 1024;
                return Err(refused(
                    &format!("args.{name}"),
                    format!("makes the arguments larger than the {limit} KiB a policy can look at"),
                ));
            }
        }
        let visible = attributes.iter().filter(|(name, _)| seen.has(name));
        record(visible, given, "args")
    }

    fn value(&self, value: &Value, path: &str) -> Result<RestrictedExpression, ArgumentRefused> {
        let refused = |why: String| ArgumentRefused {
            path: path.to_owned(),
            why,
        };
        match (self, value) {
            (Self::Bool, Value::Bool(flag)) => Ok(RestrictedExpression::new_bool(*flag)),
            (Self::String, Value::String(text)) => {
                Ok(RestrictedExpression::new_string(text.clone()))
            }
            (Self::Long, Value::Number(number)) => long(number)
                .map(RestrictedExpression::new_long)
                .ok_or_else(|| refused(format!("is {number}, no integer of 64 bits"))),
            (Self::Decimal, Value::Number(number)) => decimal(number)
                .map(RestrictedExpression::new_decimal)
                .ok_or_else(|| {
                    refused(format!(
                        "is {number}, which policies cannot hold exactly (four digits after the point at most)"
                    ))
                }),
            (Self::Set(item), Value::Array(values)) => {
                let items: Result<Vec<_>, _> = values
                    .iter()
                    .enumerate()
                    .map(|(index, value)| item.value(value, &format!("{path}[{index}]")))
                    .collect();
                Ok(RestrictedExpression::new_set(items?))
            }
            (Self::Record(attributes), Value::Object(given)) => {
                record(attributes.iter(), given, path)
            }
            (expected, other) => Err(refused(mismatch(expected.in_words(), other))),
        }
    }

    const fn in_words(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Long => "an integer",
            Self::Decimal => "a number",
            Self::String => "a text",
            Self::Set(_) => "an array",
            Self::Record(_) => "an object",
        }
    }
}

fn record<'a>(
    attributes: impl Iterator<Item = (&'a String, &'a Attribute)>,
    given: &Map<String, Value>,
    path: &str,
) -> Result<RestrictedExpression, ArgumentRefused> {
    let mut fields = Vec::new();
    for (name, attribute) in attributes {
        let path = format!("{path}.{name}");
        match given.get(name) {
            Some(Value::Null) | None if !attribute.required => {}
            None => {
                let why = "is missing, though its schema requires it".to_owned();
                return Err(ArgumentRefused { path, why });
            }
            Some(value) => fields.push((name.clone(), attribute.shape.value(value, &path)?)),
        }
    }
    RestrictedExpression::new_record(fields).map_err(|error| ArgumentRefused {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

fn mismatch(expected: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    format!("should be {expected} and is {found}")
}

/// Takes the size of a value off the budget; false as soon as it does not fit, without walking the rest.
fn fits(value: &Value, budget: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len() + 2,
        Value::Number(_) => 8,
        Value::Null | Value::Bool(_) => 4,
        Value::Array(_) | Value::Object(_) => 2,
    };
    let Some(left) = budget.checked_sub(own) else {
        return false;
    };
    *budget = left;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, budget)),
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            budget.checked_sub(name.len() + 3).is_some_and(|left| {
                *budget = left;
                fits(value, budget)
            })
        }),
        _ => true,
    }
}

/// The number as an integer, where it is one: `2.0` is two.
fn long(number: &serde_json::Number) -> Option<i64> {
    if let Some(integer) = number.as_i64() {
        return Some(integer);
    }
    if number.is_u64() {
        return None;
    }
    // Past 2^53 a float no longer says which integer was meant.
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}

/// The number as Cedar writes a decimal, where it has one exactly.
fn decimal(number: &serde_json::Number) -> Option<String> {
    // Display of a float is its shortest exact form, and never has an exponent.
    let text = match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => integer.to_string(),
        (None, Some(integer)) => integer.to_string(),
        (None, None) => number.as_f64().map(|float| float.to_string())?,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    if fraction.len() > 4 {
        return None;
    }
    let scaled: i128 = format!("{whole}{fraction:0<4}").parse().ok()?;
    i64::try_from(scaled).ok()?;
    Some(format!("{whole}.{fraction}"))
}

#[cfg(test)]
mod tests;
