//! Arguments as values of their types.

use std::fmt;

use cedar_policy::RestrictedExpression;
use serde_json::{Map, Value};

use super::{ArgumentRefused, Attribute, Shape};

/// A value of a [`Shape`], which Cedar can hold exactly.
#[derive(Debug, Clone, PartialEq)]
pub enum Typed<'a> {
    /// True or false.
    Bool(bool),
    /// A 64-bit integer.
    Long(i64),
    /// A number as Cedar writes a decimal.
    Decimal(String),
    /// Text.
    String(&'a str),
    /// A set, with its members in the order and number in which they were given.
    Set(Vec<Self>),
    /// Named attributes; one that is absent is not among them.
    Record(Vec<(&'a str, Self)>),
}

impl<'a> Typed<'a> {
    /// One attribute of a record; `None` where it is absent, or this is no record.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Record(fields) = self else {
            return None;
        };
        let found = fields.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value)
    }

    /// The value as Cedar takes it.
    ///
    /// # Errors
    /// Never in fact: a record of JSON has no name twice.
    pub fn to_cedar(&self) -> Result<RestrictedExpression, String> {
        Ok(match self {
            Self::Bool(flag) => RestrictedExpression::new_bool(*flag),
            Self::Long(number) => RestrictedExpression::new_long(*number),
            Self::Decimal(number) => RestrictedExpression::new_decimal(number),
            Self::String(text) => RestrictedExpression::new_string((*text).to_owned()),
            Self::Set(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(Self::to_cedar).collect();
                RestrictedExpression::new_set(items?)
            }
            Self::Record(fields) => {
                let fields: Result<Vec<_>, String> = fields
                    .iter()
                    .map(|(name, value)| Ok(((*name).to_owned(), value.to_cedar()?)))
                    .collect();
                RestrictedExpression::new_record(fields?).map_err(|error| error.to_string())?
            }
        })
    }

    pub(super) fn of(
        shape: &'a Shape,
        value: &'a Value,
        path: &Path<'_>,
    ) -> Result<Self, ArgumentRefused> {
        let refused = |why: String| ArgumentRefused {
            path: path.to_string(),
            why,
        };
        match (shape, value) {
            (Shape::Bool, Value::Bool(flag)) => Ok(Self::Bool(*flag)),
            (Shape::String, Value::String(text)) => Ok(Self::String(text)),
            (Shape::Long, Value::Number(number)) => long(number)
                .map(Self::Long)
                .ok_or_else(|| refused(format!("is {number}, no integer of 64 bits"))),
            (Shape::Decimal, Value::Number(number)) => decimal(number)
                .map(Self::Decimal)
                .ok_or_else(|| {
                    refused(format!(
                        "is {number}, which policies cannot hold exactly (four digits after the point at most)"
                    ))
                }),
            (Shape::Set(item), Value::Array(values)) => {
                let items: Result<Vec<_>, _> = values
                    .iter()
                    .enumerate()
                    .map(|(index, value)| Self::of(item, value, &Path::Item(path, index)))
                    .collect();
                Ok(Self::Set(items?))
            }
            (Shape::Record(attributes), Value::Object(given)) => {
                Self::record(attributes.iter(), given, path)
            }
            (expected, other) => Err(refused(mismatch(expected.in_words(), other))),
        }
    }

    pub(super) fn record(
        attributes: impl Iterator<Item = (&'a String, &'a Attribute)>,
        given: &'a Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<Self, ArgumentRefused> {
        let mut fields = Vec::new();
        for (name, attribute) in attributes {
            let path = Path::Field(path, name);
            match given.get(name) {
                Some(Value::Null) | None if !attribute.required => {}
                None => {
                    return Err(ArgumentRefused {
                        path: path.to_string(),
                        why: "is missing, though its schema requires it".to_owned(),
                    });
                }
                Some(value) => {
                    fields.push((name.as_str(), Self::of(&attribute.shape, value, &path)?))
                }
            }
        }
        Ok(Self::Record(fields))
    }
}

/// Where a value is, written out only where something is wrong with it.
pub(super) enum Path<'a> {
    Root,
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("args"),
            Self::Field(of, name) => write!(f, "{of}.{name}"),
            Self::Item(of, index) => write!(f, "{of}[{index}]"),
        }
    }
}

pub(super) fn mismatch(expected: &str, found: &Value) -> String {
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
