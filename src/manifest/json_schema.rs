//! JSON Schemas of files people write, generated from the wire types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::schema::Wire;

/// The JSON Schema (2020-12) of `plugin.toml`.
#[must_use]
pub fn manifest_schema() -> Value {
    schema_of::<Wire>()
}

/// The JSON Schema (2020-12) of a wire type.
///
/// Every part stands in its place, without `$ref`, so that [`super::conform`] and a person can follow it from the top.
/// `null`, which the types need for absent keys and which TOML does not have, is taken out.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    without_null(&mut schema);
    schema
}

fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            // Integer widths mean nothing to readers of the file; bounds say the same in words every validator knows.
            keywords.shift_remove("format");
            if keywords.get("default").is_some_and(Value::is_null) {
                keywords.shift_remove("default");
            }
            if let Some(Value::Array(types)) = keywords.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    keywords.insert("type".to_owned(), only);
                }
            }
            for (keyword, value) in keywords.iter_mut() {
                match (keyword.as_str(), value) {
                    // The names in here are keys of the file, not keywords.
                    ("properties", Value::Object(keys)) => keys.values_mut().for_each(without_null),
                    ("properties" | "examples" | "default", _) => {}
                    (_, value) => without_null(value),
                }
            }
            let alternatives = keywords.get_mut("anyOf").and_then(Value::as_array_mut);
            if let Some(alternatives) = alternatives {
                alternatives.retain(|one| one.get("type").is_none_or(|name| name != "null"));
                if let [only] = alternatives.as_mut_slice() {
                    let only = only.take();
                    keywords.shift_remove("anyOf");
                    hoist(keywords, only);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// Moves the keywords of the only alternative up; what is already said above, such as a description, stays.
fn hoist(keywords: &mut serde_json::Map<String, Value>, only: Value) {
    if let Value::Object(inner) = only {
        for (keyword, value) in inner {
            keywords.entry(keyword).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(schema: &Value, visit: &mut impl FnMut(&Value)) {
        visit(schema);
        match schema {
            Value::Object(keywords) => keywords.values().for_each(|inner| walk(inner, visit)),
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_key_of_the_manifest_is_described_and_every_table_is_closed() {
        let schema = manifest_schema();
        jsonschema::meta::validate(&schema).expect("a valid schema");
        assert_eq!(schema["title"], "Toolhatch plugin manifest");
        let mut tables = 0;
        walk(&schema, &mut |part| {
            assert_ne!(part["type"], "null", "{part:#}");
            assert!(part.get("$ref").is_none(), "{part:#}");
            if let Some(properties) = part
                .get("properties")
                .filter(|keys| keys.get("type").is_none())
            {
                tables += 1;
                assert_eq!(part["additionalProperties"], false, "{part:#}");
                for (key, value) in properties.as_object().expect("an object") {
                    assert!(value["description"].is_string(), "{key} has no description");
                }
            }
        });
        assert!(tables > 10, "{tables}");
        let inject = "/properties/permissions/properties/secrets/items/anyOf/1/properties/inject";
        let inject = schema.pointer(inject).expect("there");
        assert_eq!(inject["properties"]["format"]["type"], "string");
    }
}
