//! Says in plain JSON Schema what schemars says in terms of Rust.

use serde_json::{Map, Value};

/// Tidies a schema and all of its parts.
pub fn tidy(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        // First, for it moves what is said of a type to where its choices are merged.
        drop_null_of_optional(object);
    }
    for_each_part(schema, &mut tidy);
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    bound_integers(object);
    merge_choices(object);
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = paragraphs(description);
    }
}

/// Goes through the schemas directly within one, and not into values.
pub fn for_each_part(schema: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    for (keyword, part) in object {
        match keyword.as_str() {
            "properties" | "patternProperties" | "$defs" | "dependentSchemas" => {
                if let Value::Object(parts) = part {
                    parts.values_mut().for_each(&mut *visit);
                }
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                if let Value::Array(parts) = part {
                    parts.iter_mut().for_each(&mut *visit);
                }
            }
            "items"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "unevaluatedItems"
            | "propertyNames"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else" => visit(part),
            _ => {}
        }
    }
}

/// The formats that schemars made up for numbers become bounds, where there are none and JSON can say them exactly.
fn bound_integers(object: &mut Map<String, Value>) {
    let Some(format) = object.get("format").and_then(Value::as_str) else {
        return;
    };
    let bounds: Option<(i64, i64)> = match format {
        "uint8" => Some((0, u8::MAX.into())),
        "uint16" => Some((0, u16::MAX.into())),
        "uint32" => Some((0, u32::MAX.into())),
        "int8" => Some((i8::MIN.into(), i8::MAX.into())),
        "int16" => Some((i16::MIN.into(), i16::MAX.into())),
        "int32" => Some((i32::MIN.into(), i32::MAX.into())),
        "uint" | "uint64" | "uint128" | "int" | "int64" | "int128" | "float" | "double" => None,
        _ => return,
    };
    object.remove("format");
    let Some((least, most)) = bounds else {
        return;
    };
    for (bound, exclusive, value) in [
        ("minimum", "exclusiveMinimum", least),
        ("maximum", "exclusiveMaximum", most),
    ] {
        if !object.contains_key(bound) && !object.contains_key(exclusive) {
            object.insert(bound.into(), value.into());
        }
    }
}

/// A property that may be left out is left out: nobody has to write `null` for it.
fn drop_null_of_optional(object: &mut Map<String, Value>) {
    let required: Vec<String> = match object.get("required").and_then(Value::as_array) {
        Some(names) => names
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        None => Vec::new(),
    };
    let Some(Value::Object(properties)) = object.get_mut("properties") else {
        return;
    };
    for (name, property) in properties {
        match property {
            Value::Object(property) if !required.contains(name) => drop_null(property),
            _ => {}
        }
    }
}

fn drop_null(property: &mut Map<String, Value>) {
    if property.get("default").is_some_and(Value::is_null) {
        property.remove("default");
    }
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            property.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = property.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(alternatives)) = property.get_mut("anyOf") {
        alternatives.retain(|schema| schema.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            property.remove("anyOf");
            for (keyword, value) in only {
                // What is said of the property goes over what is said of its type.
                property.entry(keyword).or_insert(value);
            }
        }
    }
}

/// Texts to choose from, each with a description, become one `enum`: every client understands that. What the choices mean
/// goes into the description.
fn merge_choices(object: &mut Map<String, Value>) {
    let Some(choices) = object.get("oneOf").and_then(Value::as_array) else {
        return;
    };
    let mut values = Vec::new();
    let mut lines = Vec::new();
    for choice in choices {
        let Some(choice) = choice.as_object() else {
            return;
        };
        let is_plain =
            |key: &String| matches!(key.as_str(), "type" | "const" | "enum" | "description");
        if choice.get("type").is_none_or(|name| name != "string") || !choice.keys().all(is_plain) {
            return;
        }
        match (choice.get("const"), choice.get("enum")) {
            (Some(value), None) => {
                if let (Some(value), Some(description)) = (
                    value.as_str(),
                    choice.get("description").and_then(Value::as_str),
                ) {
                    lines.push(format!("- `{value}`: {description}"));
                }
                values.push(value.clone());
            }
            (None, Some(Value::Array(several))) => values.extend(several.iter().cloned()),
            _ => return,
        }
    }
    object.remove("oneOf");
    object.insert("type".into(), "string".into());
    object.insert("enum".into(), values.into());
    if !lines.is_empty() {
        let mut description = match object.get("description").and_then(Value::as_str) {
            Some(description) => vec![description.to_owned()],
            None => Vec::new(),
        };
        description.extend(lines);
        object.insert("description".into(), description.join("\n").into());
    }
}

/// A doc comment without the line breaks that only its source needs. Those between paragraphs and before list items stay,
/// and so does everything between fences.
pub fn paragraphs(text: &str) -> String {
    let mut whole = String::new();
    let mut is_fenced = false;
    let mut is_open = false;
    for line in text.trim().lines() {
        let trimmed = line.trim();
        let is_fence = trimmed.starts_with("```");
        let stands_alone = is_fenced || is_fence || trimmed.is_empty() || begins_item(trimmed);
        if !whole.is_empty() {
            whole.push(if stands_alone || !is_open { '\n' } else { ' ' });
        }
        whole.push_str(if is_fenced { line.trim_end() } else { trimmed });
        is_fenced ^= is_fence;
        is_open = !(is_fenced || is_fence || trimmed.is_empty());
    }
    whole
}

fn begins_item(line: &str) -> bool {
    let mark = line.split(' ').next().unwrap_or_default();
    let is_number = mark.strip_suffix('.').is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_number || matches!(mark, "-" | "*" | "+") || mark.starts_with(['#', '|'])
}
