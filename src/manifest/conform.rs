//! Checks a tree against the JSON Schema that is generated from the wire types, and tells everything that is wrong.
//!
//! serde stops at the first error and knows no places; this walk reports all of them. It understands exactly the keywords
//! that the wire types give rise to: `type`, `properties`, `required`, `additionalProperties`, `items`, `minimum`,
//! `maximum`, `minItems`, `anyOf`, and `oneOf` of constant strings. Whatever it lets through, serde still has to accept.

use serde_json::Value as Json;

use super::document::{Document, Entry, Node, Value, join};
use super::problem::{Problems, nearest};

/// Adds to `problems` all that keeps `document` from fitting `schema`.
pub fn check(document: &Document, schema: &Json, problems: &mut Problems) {
    Walk { schema, problems }.node(document.root(), schema, "");
}

struct Walk<'a> {
    schema: &'a Json,
    problems: &'a mut Problems,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, schema: &Json, path: &str) {
        if self.problems.is_full() {
            return;
        }
        if let Some(alternatives) = schema.get("anyOf").and_then(Json::as_array) {
            match alternatives.iter().find(|one| fits_type(&node.value, one)) {
                Some(schema) => self.node(node, schema, path),
                None => self.mismatch(node, schema, path),
            }
            return;
        }
        if !fits_type(&node.value, schema) {
            self.mismatch(node, schema, path);
            return;
        }
        match &node.value {
            Value::Table(entries) => self.table(node, entries, schema, path),
            Value::Array(items) => self.array(node, items, schema, path),
            Value::Number(number) => {
                self.number(node, number.as_f64().unwrap_or(f64::NAN), schema, path);
            }
            Value::String(text) => self.word(node, text, schema, path),
            // A schema without a type takes any JSON, and these are not JSON.
            Value::Other(_) => self.mismatch(node, schema, path),
            Value::Boolean(_) | Value::Null => {}
        }
    }

    fn mismatch(&mut self, node: &Node, schema: &Json, path: &str) {
        let message = format!(
            "expected {}, found {}",
            expected(schema),
            node.value.describe()
        );
        self.problems.add(node.at, path, message);
    }

    fn number(&mut self, node: &Node, number: f64, schema: &Json, path: &str) {
        let bound = |keyword| schema.get(keyword).and_then(Json::as_f64);
        if bound("minimum").is_some_and(|least| number < least)
            || bound("maximum").is_some_and(|most| number > most)
        {
            self.mismatch(node, schema, path);
        }
    }

    fn word(&mut self, node: &Node, written: &str, schema: &Json, path: &str) {
        let Some(words) = words(schema) else { return };
        if words.contains(&written) {
            return;
        }
        let mut message = format!(
            "expected {}, found {}",
            expected(schema),
            node.value.describe()
        );
        if let Some(near) = nearest(written, words) {
            message.push_str(&format!("; did you mean \"{near}\"?"));
        }
        self.problems.add(node.at, path, message);
    }

    fn array(&mut self, node: &Node, items: &[Node], schema: &Json, path: &str) {
        if let Some(least) = schema.get("minItems").and_then(Json::as_u64)
            && (items.len() as u64) < least
        {
            let message = format!(
                "expected an array of at least {least}, found {}",
                items.len()
            );
            self.problems.add(node.at, path, message);
        }
        let of = schema.get("items").unwrap_or(&Json::Bool(true));
        for (index, item) in items.iter().enumerate() {
            self.node(item, of, &format!("{path}[{index}]"));
        }
    }

    fn table(&mut self, node: &Node, entries: &[Entry], schema: &Json, path: &str) {
        let known = schema.get("properties").and_then(Json::as_object);
        let others = schema
            .get("additionalProperties")
            .unwrap_or(&Json::Bool(true));
        let mut meant = Vec::new();
        for entry in entries {
            let key = join(path, &entry.key);
            match known.and_then(|known| known.get(&entry.key)) {
                Some(schema) => self.node(&entry.node, schema, &key),
                // Suggestions cost time, and a text can have many unknown keys.
                None if *others == Json::Bool(false) && self.problems.is_full() => {
                    self.problems.add(entry.at, key, "unknown key");
                    return;
                }
                None if *others == Json::Bool(false) => {
                    let message = match self.suggest(&entry.key, known, path) {
                        Some(suggestion) => {
                            let message = format!("unknown key; did you mean `{suggestion}`?");
                            meant.push(suggestion);
                            message
                        }
                        None => "unknown key".to_owned() + &listing(known),
                    };
                    self.problems.add(entry.at, key, message);
                }
                None => self.node(&entry.node, others, &key),
            }
        }
        let required = schema.get("required").and_then(Json::as_array);
        for name in required.into_iter().flatten().filter_map(Json::as_str) {
            let written = entries.iter().any(|entry| entry.key == name);
            // A misspelt key has been reported already.
            if !written && !meant.iter().any(|meant| meant == name) {
                let table = if path.is_empty() {
                    "the file"
                } else {
                    "this table"
                };
                let message = format!("missing: {table} needs the key `{name}`");
                self.problems.add(node.at, join(path, name), message);
            }
        }
    }

    /// The keys of the table at a path that leads through no array.
    fn keys_of(&self, path: &str) -> Option<impl Iterator<Item = &str>> {
        let mut schema = self.schema;
        for part in path.split('.') {
            schema = schema.get("properties")?.get(part)?;
        }
        let keys = schema.get("properties")?.as_object()?;
        Some(keys.keys().map(String::as_str))
    }

    /// The key that was meant: one of the same table or the one around it spelt otherwise, or the same word in another
    /// section.
    fn suggest(
        &self,
        written: &str,
        known: Option<&serde_json::Map<String, Json>>,
        path: &str,
    ) -> Option<String> {
        let here = known
            .into_iter()
            .flat_map(|known| known.keys().map(String::as_str));
        if let Some(near) = nearest(written, here) {
            return Some(near.to_owned());
        }
        // What belongs to the table around this one is often written into it.
        let around = path.rsplit_once('.').map(|(around, _)| around);
        if let Some(keys) = around.and_then(|around| self.keys_of(around))
            && let Some(near) = nearest(written, keys)
        {
            return around.map(|around| join(around, near));
        }
        let sections = self.schema.get("properties")?.as_object()?;
        if !path.is_empty() && sections.contains_key(written) {
            return Some(format!(
                "{written}` at the top of the file, before any `[section]"
            ));
        }
        sections
            .iter()
            .filter(|(name, _)| *name != path)
            .find(|(_, section)| {
                section
                    .pointer("/properties")
                    .is_some_and(|keys| keys.get(written).is_some())
            })
            .map(|(name, _)| join(name, written))
    }
}

/// ` (known here: a, b)`, for tables with few keys.
fn listing(known: Option<&serde_json::Map<String, Json>>) -> String {
    match known {
        Some(known) if !known.is_empty() && known.len() <= 12 => {
            let keys: Vec<&str> = known.keys().map(String::as_str).collect();
            format!("; the keys known here are {}", keys.join(", "))
        }
        _ => String::new(),
    }
}

fn fits_type(value: &Value, schema: &Json) -> bool {
    if let Some(alternatives) = schema.get("anyOf").and_then(Json::as_array) {
        return alternatives.iter().any(|one| fits_type(value, one));
    }
    if words(schema).is_some() {
        return matches!(value, Value::String(_));
    }
    match schema.get("type").and_then(Json::as_str) {
        Some(name) => is_a(value, name),
        None => true,
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Boolean(_) => name == "boolean",
        Value::Number(number) => name == "number" || (name == "integer" && !number.is_f64()),
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Table(_) => name == "object",
        Value::Other(_) => false,
    }
}

/// The strings that are allowed, where a schema lists them.
fn words(schema: &Json) -> Option<Vec<&str>> {
    let cases = schema.get("oneOf")?.as_array()?;
    Some(
        cases
            .iter()
            .filter_map(|case| case.get("const").and_then(Json::as_str))
            .collect(),
    )
}

/// What a schema asks for, in words.
fn expected(schema: &Json) -> String {
    if let Some(alternatives) = schema.get("anyOf").and_then(Json::as_array) {
        let each: Vec<String> = alternatives.iter().map(expected).collect();
        return each.join(" or ");
    }
    if let Some(words) = words(schema) {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        return quoted.join(" or ");
    }
    let bound = |keyword| schema.get(keyword).filter(|bound| bound.is_number());
    match schema.get("type").and_then(Json::as_str) {
        Some("object") => "a table".to_owned(),
        Some("array") => "an array".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some(kind @ ("integer" | "number")) => {
            let what = if kind == "integer" {
                "an integer"
            } else {
                "a number"
            };
            match (bound("minimum"), bound("maximum")) {
                (Some(least), Some(most)) if least == most => format!("the number {least}"),
                (Some(least), Some(most)) => format!("{what} from {least} to {most}"),
                (Some(least), None) => format!("{what} of at least {least}"),
                (None, Some(most)) => format!("{what} of at most {most}"),
                (None, None) => what.to_owned(),
            }
        }
        // An example says more than the word "string".
        Some("string") => match schema.pointer("/examples/0").and_then(Json::as_str) {
            Some(example) => format!("a string such as \"{example}\""),
            None => "a string".to_owned(),
        },
        _ => "a value that JSON can hold".to_owned(),
    }
}
