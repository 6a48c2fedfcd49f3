//! The Cedar type of a JSON Schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Attribute, Shape};

/// How deep arguments may be nested before the rest is left out; the arguments themselves are level one.
pub(super) const MAX_DEPTH: usize = 10;

/// How many types one schema may come to; references can make a small text very large.
pub(super) const MAX_TYPES: usize = 2_000;

/// The type of arguments with this schema: a record, empty where the schema names no properties.
pub(super) fn input(schema: &Value) -> Shape {
    let mut reader = Reader {
        root: schema,
        open: Vec::new(),
        left: MAX_TYPES,
    };
    match reader.typed(schema, 1) {
        Some((record @ Shape::Record(_), _)) => record,
        // Without a type the schema may still name properties, and arguments are always an object.
        _ => {
            let named = schema.as_object();
            let read = named.and_then(|schema| reader.properties(schema, 1));
            Shape::Record(read.unwrap_or_default())
        }
    }
}

/// Reads types from a JSON Schema.
struct Reader<'a> {
    root: &'a Value,
    /// The references being followed; one that is met again is a loop.
    open: Vec<&'a str>,
    left: usize,
}

impl<'a> Reader<'a> {
    /// The type of a schema, and whether its values may also be null; `None` where there is no Cedar type.
    fn typed(&mut self, schema: &'a Value, depth: usize) -> Option<(Shape, bool)> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let schema = schema.as_object()?;
        if let Some(reference) = schema.get("$ref") {
            return self.referred(reference.as_str()?, depth);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(key)
                && !schema.contains_key("type")
            {
                return self.one_of(choices.as_array()?, depth);
            }
        }
        let (name, nullable) = match schema.get("type") {
            Some(Value::String(name)) => (Some(name.as_str()), false),
            Some(Value::Array(names)) => {
                let mut kept = names.iter().filter(|name| *name != "null");
                let one = kept.next()?.as_str()?;
                if kept.next().is_some() {
                    return None;
                }
                (Some(one), names.iter().any(|name| name == "null"))
            }
            Some(_) => return None,
            None => (None, false),
        };
        let Some(name) = name else {
            return match (schema.get("enum"), schema.get("const"), schema.get("allOf")) {
                (Some(values), ..) => of_values(values.as_array()?),
                (None, Some(value), _) => of_values(std::slice::from_ref(value)),
                (None, None, Some(parts)) => match parts.as_array()?.as_slice() {
                    [only] => self.typed(only, depth),
                    _ => None,
                },
                (None, None, None) => None,
            };
        };
        let shape = match name {
            "string" => Shape::String,
            "integer" => Shape::Long,
            "number" => Shape::Decimal,
            "boolean" => Shape::Bool,
            "array" => {
                if schema.contains_key("prefixItems") {
                    return None;
                }
                match self.typed(schema.get("items")?, depth + 1)? {
                    (item, false) => Shape::Set(Box::new(item)),
                    (_, true) => return None,
                }
            }
            "object" => Shape::Record(self.properties(schema, depth)?),
            _ => return None,
        };
        Some((shape, nullable))
    }

    fn properties(
        &mut self,
        schema: &'a Map<String, Value>,
        depth: usize,
    ) -> Option<BTreeMap<String, Attribute>> {
        let properties = schema.get("properties")?.as_object()?;
        let required = schema.get("required").and_then(Value::as_array);
        let attributes = properties.iter().filter_map(|(name, schema)| {
            let (shape, nullable) = self.typed(schema, depth + 1)?;
            let listed = required.is_some_and(|names| names.iter().any(|other| other == name));
            let attribute = Attribute {
                shape,
                required: listed && !nullable,
            };
            Some((name.clone(), attribute))
        });
        Some(attributes.collect())
    }

    fn referred(&mut self, reference: &'a str, depth: usize) -> Option<(Shape, bool)> {
        let pointer = reference.strip_prefix('#')?;
        if self.open.contains(&reference) {
            return None;
        }
        let target = self.root.pointer(pointer)?;
        self.open.push(reference);
        let typed = self.typed(target, depth);
        self.open.pop();
        typed
    }

    /// The one type all choices but null share.
    fn one_of(&mut self, choices: &'a [Value], depth: usize) -> Option<(Shape, bool)> {
        let mut nullable = false;
        let mut shared = None;
        for choice in choices {
            if choice.get("type").is_some_and(|name| name == "null") {
                nullable = true;
                continue;
            }
            let (shape, null) = self.typed(choice, depth)?;
            nullable |= null;
            match &shared {
                None => shared = Some(shape),
                Some(other) if *other == shape => {}
                Some(_) => return None,
            }
        }
        Some((shared?, nullable))
    }
}

/// The type of an enumeration, where all its values but null have the same.
fn of_values(values: &[Value]) -> Option<(Shape, bool)> {
    let mut kept = values
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| match value {
            Value::String(_) => Some(Shape::String),
            Value::Bool(_) => Some(Shape::Bool),
            Value::Number(number) if number.is_i64() => Some(Shape::Long),
            _ => None,
        });
    let first = kept.next()??;
    kept.all(|shape| shape.as_ref() == Some(&first))
        .then(|| (first, values.iter().any(Value::is_null)))
}
