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
mod typed;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use serde_json::{Map, Value};

pub use typed::Typed;
use typed::{Path, mismatch};

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

/// Which top-level arguments policies can see; the others need not be converted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// A policy uses the arguments, or the context, as a whole.
    pub whole: bool,
    /// The names that policies mention.
    pub names: BTreeSet<String>,
}

impl Seen {
    /// Nothing is seen of them.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.whole && self.names.is_empty()
    }

    /// Adds what others see.
    pub fn merge(&mut self, others: &Self) {
        self.whole |= others.whole;
        for name in &others.names {
            if !self.names.contains(name) {
                self.names.insert(name.clone());
            }
        }
    }

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

    /// The arguments of a call as a record, as far as policies can see them.
    ///
    /// # Errors
    /// [`ArgumentRefused`] where a part that policies can see is missing, has another type, has no exact Cedar value, or
    /// where those parts are larger than [`MAX_ARGUMENT_BYTES`] together.
    pub fn arguments<'a>(
        &'a self,
        args: &'a Value,
        seen: &Seen,
    ) -> Result<Typed<'a>, ArgumentRefused> {
        let refused = |path: &str, why: String| ArgumentRefused {
            path: path.to_owned(),
            why,
        };
        let Self::Record(attributes) = self else {
            return Err(refused("args", "have a type that is no record".to_owned()));
        };
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        let given = match args {
            Value::Object(given) => given,
            Value::Null => &*NONE,
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
        Typed::record(visible, given, &Path::Root)
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

#[cfg(test)]
mod tests;
