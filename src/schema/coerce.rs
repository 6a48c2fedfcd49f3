//! `--arg name=text`: text as the type the schema asks for.
//!
//! Where the schema takes a string and nothing else, the text is the string as it stands. Where it takes other types, the
//! text is read as JSON of one of them, and only then as a string. An array of plain values may be written with commas
//! between its items; spaces belong to them.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::preview::{list, nearest, quote, tick};
use super::strict_json::parse_strict;
use crate::error::{Code, Error, Result};

/// How many references one after the other are followed.
const MAX_STEPS: usize = 16;
/// How many parts of a schema are looked at for one question. They can lead to the same parts again and again; beyond this
/// everything is taken, and the check of the arguments decides.
const MAX_PARTS: usize = 1_000;

/// Reads the text given for one argument, by the input schema of the tool.
///
/// # Errors
/// [`Code::E3302`] where the schema has no property of this name and takes no others, or where the text cannot be read as
/// a type that the property takes.
pub fn coerce_arg(schema: &Json, name: &str, raw: &str) -> Result<Json> {
    let property = property(schema, name)?;
    coerce(schema, property, raw).ok_or_else(|| {
        let expected = Accepted::by(schema, property, &mut { MAX_PARTS }).to_string();
        Error::new(
            Code::E3302,
            format!(
                "reading the argument {}: expected {expected}, found {}",
                tick(name),
                quote(raw)
            ),
        )
        .hint(format!(
            "Use `--arg '{name}:=JSON'` to give the exact JSON value."
        ))
        .detail("argument", name)
        .detail("expected", expected)
    })
}

/// Stands for a schema that takes everything.
static ANYTHING: Json = Json::Bool(true);

fn property<'a>(root: &'a Json, name: &str) -> Result<&'a Json> {
    let mut known = Vec::new();
    let is_open = collect_properties(root, root, &mut known, &mut { MAX_PARTS });
    if let Some((_, schema)) = known.iter().find(|(known, _)| *known == name) {
        return Ok(schema);
    }
    if is_open {
        return Ok(&ANYTHING);
    }
    let mut names: Vec<String> = known.iter().map(|(name, _)| (*name).clone()).collect();
    names.dedup();
    let takes = match names.as_slice() {
        [] => "it takes none".to_owned(),
        names => format!("it takes {}", list(names.iter())),
    };
    let error = Error::new(
        Code::E3302,
        format!("the tool has no argument {}: {takes}", tick(name)),
    )
    .detail("argument", name);
    Err(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("Did you mean {}?", tick(near))),
        None => error.hint("`toolhatch tools show TOOL` prints the schema."),
    })
}

/// Collects the properties an object schema names; says whether it takes others too.
fn collect_properties<'a>(
    root: &'a Json,
    schema: &'a Json,
    known: &mut Vec<(&'a String, &'a Json)>,
    parts_left: &mut usize,
) -> bool {
    if !take_one(parts_left) {
        return true;
    }
    let Some(object) = follow(root, schema).as_object() else {
        return true;
    };
    known.extend(
        object
            .get("properties")
            .and_then(Json::as_object)
            .into_iter()
            .flatten(),
    );
    let mut is_open = !["additionalProperties", "unevaluatedProperties"]
        .iter()
        .any(|key| object.get(*key) == Some(&Json::Bool(false)))
        || object.contains_key("patternProperties");
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in object
            .get(key)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let part_is_open = collect_properties(root, part, known, parts_left);
            // What one of several parts refuses is refused by all of them together.
            if key == "allOf" {
                is_open &= part_is_open;
            }
        }
    }
    is_open
}

/// The schema that a local reference leads to, or the schema itself.
fn follow<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    let mut at = schema;
    for _ in 0..MAX_STEPS {
        let Some(reference) = at.get("$ref").and_then(Json::as_str) else {
            return at;
        };
        match reference
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer))
        {
            Some(target) => at = target,
            None => return &ANYTHING,
        }
    }
    &ANYTHING
}

/// The JSON types a schema takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Accepted(u8);

impl Accepted {
    const NAMES: [(&'static str, u8); 7] = [
        ("null", 1),
        ("boolean", 2),
        ("integer", 4),
        ("number", 4 | 8),
        ("string", 16),
        ("array", 32),
        ("object", 64),
    ];
    const STRING: Self = Self(16);
    const ARRAY: Self = Self(32);
    const ALL: Self = Self(127);

    fn named(name: &str) -> Self {
        let bits = Self::NAMES.iter().find(|(known, _)| *known == name);
        Self(bits.map_or(0, |(_, bits)| *bits))
    }

    fn of(value: &Json) -> Self {
        match value {
            Json::Null => Self(1),
            Json::Bool(_) => Self(2),
            Json::Number(number) if number.as_f64().is_some_and(|float| float.fract() == 0.0) => {
                Self(4)
            }
            Json::Number(_) => Self(8),
            Json::String(_) => Self::STRING,
            Json::Array(_) => Self::ARRAY,
            Json::Object(_) => Self(64),
        }
    }

    fn takes(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn by(root: &Json, schema: &Json, parts_left: &mut usize) -> Self {
        if !take_one(parts_left) {
            return Self::ALL;
        }
        let Some(object) = follow(root, schema).as_object() else {
            return Self::ALL;
        };
        let mut accepted = Self::ALL;
        match object.get("type") {
            Some(Json::String(name)) => accepted = Self::named(name),
            Some(Json::Array(names)) => {
                let names = names.iter().filter_map(Json::as_str).map(Self::named);
                accepted = Self(names.fold(0, |all, one| all | one.0));
            }
            _ => {}
        }
        if let Some(value) = object.get("const") {
            accepted.0 &= Self::of(value).0;
        }
        if let Some(values) = object.get("enum").and_then(Json::as_array) {
            accepted.0 &= values.iter().fold(0, |all, value| all | Self::of(value).0);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            let Some(parts) = object.get(key).and_then(Json::as_array) else {
                continue;
            };
            let parts = parts.iter().map(|part| Self::by(root, part, parts_left).0);
            accepted.0 &= if key == "allOf" {
                parts.fold(Self::ALL.0, |all, one| all & one)
            } else {
                parts.fold(0, |all, one| all | one)
            };
        }
        accepted
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = Self::NAMES
            .iter()
            .filter(|(name, bits)| match *name {
                // A schema that takes any number takes integers, which need no mention.
                "integer" => self.0 & 12 == 4,
                "number" => self.0 & 8 != 0,
                _ => self.0 & bits != 0,
            })
            .map(|(name, _)| match *name {
                "null" => "null".to_owned(),
                "array" | "integer" | "object" => format!("an {name}"),
                "boolean" => "true or false".to_owned(),
                name => format!("a {name}"),
            })
            .collect();
        match names.as_slice() {
            [] => f.write_str("nothing"),
            names => f.write_str(&names.join(" or ")),
        }
    }
}

fn coerce(root: &Json, schema: &Json, raw: &str) -> Option<Json> {
    let accepted = Accepted::by(root, schema, &mut { MAX_PARTS });
    if let Ok(value) = parse_strict(raw)
        && accepted.takes(Accepted::of(&value))
        // A string in quotes is one only where anything goes: elsewhere the quotes are part of it.
        && (!value.is_string() || accepted == Accepted::ALL)
    {
        return Some(value);
    }
    if accepted.takes(Accepted::STRING) {
        return Some(raw.into());
    }
    if accepted.takes(Accepted::ARRAY) && !raw.trim_start().starts_with(['[', '{']) {
        return items(root, schema, raw);
    }
    None
}

/// Reads `a,b,c` where the items of the array are plain values.
fn items(root: &Json, schema: &Json, raw: &str) -> Option<Json> {
    if raw.is_empty() {
        return Some(Json::Array(Vec::new()));
    }
    let array = array_schema(root, schema, &mut { MAX_PARTS })?;
    let first = array
        .get("prefixItems")
        .and_then(Json::as_array)
        .map(Vec::as_slice);
    let rest = array.get("items").unwrap_or(&ANYTHING);
    raw.split(',')
        .enumerate()
        .map(|(position, text)| {
            let item = first.and_then(|first| first.get(position)).unwrap_or(rest);
            let accepted = Accepted::by(root, item, &mut { MAX_PARTS });
            // Without a plain type the commas may just as well belong to the item.
            if accepted.takes(Accepted(Accepted::ARRAY.0 | 64)) && accepted != Accepted::ALL {
                return None;
            }
            coerce(root, item, text)
        })
        .collect()
}

/// The part of a schema that speaks of the array it takes.
fn array_schema<'a>(
    root: &'a Json,
    schema: &'a Json,
    parts_left: &mut usize,
) -> Option<&'a Map<String, Json>> {
    if !take_one(parts_left) {
        return None;
    }
    let object = follow(root, schema).as_object()?;
    if object.contains_key("items") || object.contains_key("prefixItems") {
        return Some(object);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for part in object
            .get(key)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            if Accepted::by(root, part, parts_left).takes(Accepted::ARRAY)
                && let Some(found) = array_schema(root, part, parts_left)
            {
                return Some(found);
            }
        }
    }
    Some(object)
}

/// Takes one of the parts that may still be looked at; false where there is none.
fn take_one(parts_left: &mut usize) -> bool {
    match parts_left.checked_sub(1) {
        Some(left) => {
            *parts_left = left;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests;
