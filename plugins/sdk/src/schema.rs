//! JSON Schemas of Rust types, as agents and hosts are to read them: draft 2020-12, without references where a type does
//! not contain itself, and without what schemars says about Rust.

mod tidy;

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub use tidy::paragraphs;

/// The schema of the arguments of a tool.
pub fn input_schema<T: JsonSchema>() -> Value {
    input_schema_of(SchemaGenerator::subschema_for::<T>)
}

// What does not depend on the type is compiled once.
fn input_schema_of(subschema_for: fn(&mut SchemaGenerator) -> Schema) -> Value {
    let (mut schema, definitions) = schema_of(Contract::Deserialize, subschema_for);
    if let Some(schema) = schema.as_object_mut() {
        // A struct of flattened enums has no type of its own.
        schema.insert("type".into(), "object".into());
    }
    with_definitions(schema, definitions)
}

/// The schema of an answer to a form.
pub fn form_schema<T: JsonSchema>() -> Value {
    let (schema, definitions) =
        schema_of(Contract::Deserialize, SchemaGenerator::subschema_for::<T>);
    with_definitions(schema, definitions)
}

/// The schema of the structured result of a tool. It is that of an object: a value that is none stands under `result`.
pub fn output_schema<T: JsonSchema>() -> Value {
    output_schema_of(SchemaGenerator::subschema_for::<T>)
}

fn output_schema_of(subschema_for: fn(&mut SchemaGenerator) -> Schema) -> Value {
    let (schema, definitions) = schema_of(Contract::Serialize, subschema_for);
    with_definitions(in_object(schema), definitions)
}

/// The schema of a type, and of the types in it that contain themselves. That of the type is not a root schema: it has no
/// title, and no references to itself that would break where it moves.
fn schema_of(
    contract: Contract,
    subschema_for: fn(&mut SchemaGenerator) -> Schema,
) -> (Value, Map<String, Value>) {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.contract = contract;
    let mut generator = settings.into_generator();
    let mut schema = subschema_for(&mut generator).to_value();
    let mut definitions = std::mem::take(generator.definitions_mut());
    tidy::tidy(&mut schema);
    definitions.values_mut().for_each(tidy::tidy);
    (schema, definitions)
}

/// What values of a schema are: objects, something else, or now this and now that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    Other,
    Either,
}

/// The schema of what `outcome::structured` makes of values of this schema.
fn in_object(mut schema: Value) -> Value {
    match shape(&schema) {
        Shape::Object => {
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("type".into(), "object".into());
            }
            schema
        }
        Shape::Other => wrapped(schema),
        Shape::Either => split(schema),
    }
}

/// Values that are objects as they are, all others under `result`.
fn split(schema: Value) -> Value {
    let alternatives = schema
        .as_object()
        .filter(|object| {
            object
                .keys()
                .all(|key| key == "anyOf" || key == "oneOf" || key == "description")
        })
        .and_then(|object| object.get("anyOf").or_else(|| object.get("oneOf")))
        .and_then(Value::as_array);
    let Some(alternatives) = alternatives else {
        // Nothing is known but that it is an object now.
        return match schema.get("description") {
            Some(description) => json!({"type": "object", "description": description}),
            None => json!({"type": "object"}),
        };
    };
    let mut all: Vec<Value> = alternatives
        .iter()
        .map(|alternative| match shape(alternative) {
            Shape::Object => alternative.clone(),
            Shape::Other => wrapped(alternative.clone()),
            Shape::Either => split(alternative.clone()),
        })
        .collect();
    all.dedup();
    let mut whole = json!({"type": "object", "anyOf": all});
    if let (Some(whole), Some(description)) = (whole.as_object_mut(), schema.get("description")) {
        whole.insert("description".into(), description.clone());
    }
    whole
}

fn wrapped(schema: Value) -> Value {
    json!({
        "type": "object",
        "properties": {"result": schema},
        "required": ["result"],
        "additionalProperties": false,
    })
}

fn shape(schema: &Value) -> Shape {
    match schema.get("type") {
        Some(Value::String(name)) => of_name(name),
        Some(Value::Array(names)) => both(
            names
                .iter()
                .map(|name| name.as_str().map_or(Shape::Either, of_name)),
        ),
        _ => {
            let any = schema.get("anyOf").or_else(|| schema.get("oneOf"));
            if let Some(alternatives) = any.and_then(Value::as_array) {
                both(alternatives.iter().map(shape))
            } else if let Some(value) = schema.get("const") {
                of_value(value)
            } else if let Some(values) = schema.get("enum").and_then(Value::as_array) {
                both(values.iter().map(of_value))
            } else {
                Shape::Either
            }
        }
    }
}

fn of_name(name: &str) -> Shape {
    if name == "object" {
        Shape::Object
    } else {
        Shape::Other
    }
}

fn of_value(value: &Value) -> Shape {
    if value.is_object() {
        Shape::Object
    } else {
        Shape::Other
    }
}

fn both(shapes: impl Iterator<Item = Shape>) -> Shape {
    shapes
        .reduce(|left, right| if left == right { left } else { Shape::Either })
        .unwrap_or(Shape::Either)
}

fn with_definitions(mut schema: Value, mut definitions: Map<String, Value>) -> Value {
    if let (Some(object), false) = (schema.as_object_mut(), definitions.is_empty()) {
        // A schema that somebody wrote may have its own.
        if let Some(Value::Object(own)) = object.remove("$defs") {
            definitions.extend(own);
        }
        object.insert("$defs".into(), definitions.into());
    }
    schema
}

#[cfg(test)]
mod tests;
