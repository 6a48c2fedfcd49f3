//! JSON Schemas of Rust types, as agents and hosts are to read them: draft 2020-12, without references where a type does
//! not contain itself, and without what schemars says about Rust.

mod tidy;

use schemars::JsonSchema;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

pub use tidy::paragraphs;

/// The schema of the arguments of a tool.
pub fn input_schema<T: JsonSchema>() -> Value {
    let mut schema = schema_of::<T>(Contract::Deserialize);
    if let Some(schema) = schema.as_object_mut() {
        // A struct of flattened enums has no type of its own.
        schema.insert("type".into(), "object".into());
    }
    schema
}

/// The schema of an answer to a form.
pub fn form_schema<T: JsonSchema>() -> Value {
    schema_of::<T>(Contract::Deserialize)
}

/// The schema of the structured result of a tool. It is that of an object: a value that is none stands under `result`.
pub fn output_schema<T: JsonSchema>() -> Value {
    in_object(schema_of::<T>(Contract::Serialize))
}

fn schema_of<T: JsonSchema>(contract: Contract) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.meta_schema = None;
    settings.inline_subschemas = true;
    settings.contract = contract;
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    if let Some(object) = schema.as_object_mut() {
        // The name of a Rust type is nobody's business; a title that somebody wrote stays.
        if object.get("title").and_then(Value::as_str) == Some(&*T::schema_name()) {
            object.remove("title");
        }
    }
    tidy::tidy(&mut schema);
    schema
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
        Shape::Other => {
            let definitions = lift_definitions(&mut schema);
            with_definitions(wrapped(schema), definitions)
        }
        Shape::Either => {
            let definitions = lift_definitions(&mut schema);
            with_definitions(split(schema), definitions)
        }
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

/// Takes the definitions out of a schema that is about to move down, where references would not find them. A reference to
/// the schema itself becomes one to a definition.
fn lift_definitions(schema: &mut Value) -> Map<String, Value> {
    const ITSELF: &str = "result";
    let mut definitions = match schema
        .as_object_mut()
        .and_then(|object| object.remove("$defs"))
    {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    let mut name = ITSELF.to_owned();
    while definitions.contains_key(&name) {
        name.push('_');
    }
    let reference = format!("#/$defs/{name}");
    let mut is_recursive = redirect(schema, &reference);
    for definition in definitions.values_mut() {
        is_recursive |= redirect(definition, &reference);
    }
    if is_recursive {
        definitions.insert(name, schema.clone());
    }
    definitions
}

/// Points references to the root elsewhere. Says whether there were any.
fn redirect(schema: &mut Value, reference: &str) -> bool {
    let mut found = false;
    if let Some(target) = schema.get_mut("$ref") {
        if target == "#" {
            *target = reference.into();
            found = true;
        }
    }
    tidy::for_each_part(schema, &mut |part| found |= redirect(part, reference));
    found
}

fn with_definitions(mut schema: Value, definitions: Map<String, Value>) -> Value {
    if let (Some(object), false) = (schema.as_object_mut(), definitions.is_empty()) {
        object.insert("$defs".into(), definitions.into());
    }
    schema
}

#[cfg(test)]
mod tests;
