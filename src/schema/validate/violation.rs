//! Violations of a schema in our own words.

use std::fmt;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::{Value as Json, json};

use crate::schema::preview::{list, nearest, preview, quote, tick};

/// One thing that does not fit.
pub(super) struct Violation {
    path: String,
    expected: String,
    found: String,
    /// What was probably meant.
    pub(super) hint: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            let path: String = self.path.chars().filter(|c| !c.is_control()).collect();
            write!(f, "at {path}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl Violation {
    pub(super) fn of(schema: &Json, error: &ValidationError<'_>) -> Self {
        let mut found = preview(error.instance());
        let mut hint = None;
        let expected = match error.kind() {
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let known = known_properties(schema, error);
                found = match unexpected.as_slice() {
                    [name] => format!("an unknown property {}", tick(name)),
                    names => format!("the unknown properties {}", list(names.iter())),
                };
                let near = unexpected
                    .iter()
                    .find_map(|name| nearest(name, known.iter().map(String::as_str)));
                hint = near.map(|name| format!("Did you mean {}?", tick(name)));
                match known.as_slice() {
                    [] => "no further properties".to_owned(),
                    names => format!("only the properties {}", list(names.iter())),
                }
            }
            Kind::Enum { options } => {
                let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
                hint = error.instance().as_str().and_then(|text| {
                    let near = nearest(text, options.iter().filter_map(Json::as_str))?;
                    Some(format!("Did you mean {}?", quote(near)))
                });
                one_of(options)
            }
            kind => expectation(kind).unwrap_or_else(|| shortened(&error.masked().to_string())),
        };
        if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind()
            && let Some((nearest, inner)) = closest(schema, context)
        {
            return Self {
                expected: if inner.path.is_empty() || inner.path == error.instance_path().as_str() {
                    format!("{expected} (the nearest takes {})", inner.expected)
                } else {
                    format!(
                        "{expected} (the nearest fails at {}: expected {}, found {})",
                        nearest, inner.expected, inner.found
                    )
                },
                path: error.instance_path().as_str().to_owned(),
                found,
                hint: inner.hint,
            };
        }
        Self {
            path: error.instance_path().as_str().to_owned(),
            expected,
            found,
            hint,
        }
    }

    /// The value does not fit, and it is not known why.
    pub(super) fn unexplained(instance: &Json) -> Self {
        Self {
            path: String::new(),
            expected: "a value that fits".to_owned(),
            found: preview(instance),
            hint: None,
        }
    }

    pub(super) fn into_json(self) -> Json {
        json!({"path": self.path, "expected": self.expected, "found": self.found})
    }
}

/// What the schema takes, for the kinds that need no look at the value.
fn expectation(kind: &Kind) -> Option<String> {
    let count =
        |limit: &u64, noun: &str| format!("{limit} {noun}{}", if *limit == 1 { "" } else { "s" });
    Some(match kind {
        Kind::Type { kind } => types(kind),
        Kind::Required { property } => match property.as_str() {
            Some(name) => format!("the property {}", tick(name)),
            None => format!("the property {property}"),
        },
        Kind::Constant { expected_value } => preview(expected_value),
        Kind::Minimum { limit } => format!("a number of at least {limit}"),
        Kind::Maximum { limit } => format!("a number of at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("a number above {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("a number below {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("a string of at least {}", count(limit, "character")),
        Kind::MaxLength { limit } => format!("a string of at most {}", count(limit, "character")),
        Kind::MinItems { limit } => format!("an array of at least {}", count(limit, "item")),
        Kind::MaxItems { limit } => format!("an array of at most {}", count(limit, "item")),
        Kind::AdditionalItems { limit } => format!("an array of at most {limit} items"),
        Kind::MinProperties { limit } => format!("an object with at least {limit} keys"),
        Kind::MaxProperties { limit } => format!("an object with at most {limit} keys"),
        Kind::UniqueItems => "an array without repeated items".to_owned(),
        Kind::Contains => "an array with a certain item".to_owned(),
        Kind::Pattern { pattern } => format!("a string that matches {}", tick(pattern)),
        Kind::Format { format } => format!("a string in the format {}", tick(format)),
        Kind::ContentEncoding { content_encoding } => {
            format!("a string in the encoding {}", tick(content_encoding))
        }
        Kind::ContentMediaType { content_media_type } => {
            format!("a string of the media type {}", tick(content_media_type))
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            format!("one of {} alternatives", context.len())
        }
        Kind::OneOfMultipleValid { .. } => {
            "exactly one of the alternatives to fit, not several".to_owned()
        }
        Kind::Not { .. } => "anything but what the schema rules out".to_owned(),
        Kind::FalseSchema => "no value".to_owned(),
        Kind::PropertyNames { .. } => "keys of another form".to_owned(),
        Kind::UnevaluatedItems { .. } => "no further items".to_owned(),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "a string that a pattern can be matched against within its limits".to_owned()
        }
        _ => return None,
    })
}

fn types(kind: &TypeKind) -> String {
    let names: Vec<String> = match kind {
        TypeKind::Single(ty) => vec![ty.to_string()],
        TypeKind::Multiple(types) => types.iter().map(|ty| ty.to_string()).collect(),
    };
    let names: Vec<String> = names
        .into_iter()
        .map(|name| match name.as_str() {
            "null" => name,
            "array" | "integer" | "object" => format!("an {name}"),
            _ => format!("a {name}"),
        })
        .collect();
    names.join(" or ")
}

fn one_of(options: &[Json]) -> String {
    let mut shown: Vec<String> = options.iter().take(8).map(preview).collect();
    if options.len() > shown.len() {
        shown.push(format!("and {} more", options.len() - shown.len()));
    }
    match shown.as_slice() {
        [only] => only.clone(),
        _ => format!("one of {}", shown.join(", ")),
    }
}

/// The alternative that came nearest, as the path and the text of its first violation: the one that got deepest into the
/// value, then the one with the fewest complaints.
fn closest(
    schema: &Json,
    context: &[Vec<ValidationError<'static>>],
) -> Option<(String, Violation)> {
    let depth = |errors: &Vec<ValidationError<'static>>| {
        errors
            .iter()
            .map(|error| error.instance_path().as_str().matches('/').count())
            .max()
            .unwrap_or(0)
    };
    let best = context
        .iter()
        .filter(|errors| !errors.is_empty())
        .max_by_key(|errors| (depth(errors), std::cmp::Reverse(errors.len())))?;
    let first = best.first()?;
    // An alternative within an alternative is named, not opened.
    let violation = match first.kind() {
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => Violation {
            path: first.instance_path().as_str().to_owned(),
            expected: expectation(first.kind())?,
            found: preview(first.instance()),
            hint: None,
        },
        _ => Violation::of(schema, first),
    };
    Some((violation.path.clone(), violation))
}

/// The properties that the schema next to the violated keyword names.
fn known_properties(schema: &Json, error: &ValidationError<'_>) -> Vec<String> {
    let path = error.schema_path().as_str();
    let holder = path.rsplit_once('/').map_or("", |(holder, _)| holder);
    schema
        .pointer(holder)
        .and_then(|holder| holder.get("properties"))
        .and_then(Json::as_object)
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// A sentence of the library, cut short.
pub(super) fn shortened(text: &str) -> String {
    let mut chars = text.chars().filter(|c| !c.is_control());
    let mut short: String = chars.by_ref().take(200).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
