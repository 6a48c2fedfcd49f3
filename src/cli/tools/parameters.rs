//! A JSON Schema in words: which parameters there are, and what each of them takes.
//!
//! Schemas come from strangers: nesting, length and the number of rows are limited, and references are followed only within
//! the schema itself.

mod plain;

use std::cell::Cell;

use serde_json::{Map, Value};

use self::plain::{LISTED, between, joined, number, shown, string};
use crate::cli::text::cut;

/// How deep types within types are told.
const DEEPEST: usize = 4;
/// The longest description of one type, in characters.
const LONGEST: usize = 200;
/// The most parameters that are listed, those within others included.
const MOST: usize = 300;
/// How many references in a row are followed.
const HOPS: usize = 8;
/// How many types are looked at to describe one.
const STEPS: usize = 500;

/// One parameter, or one member of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Parameter {
    /// Its path: `options.depth`, `items[].name`.
    pub(in crate::cli) name: String,
    /// What it takes, in words.
    pub(in crate::cli) kind: String,
    /// Whether it has to be there.
    pub(in crate::cli) is_required: bool,
    /// What it is for.
    pub(in crate::cli) description: String,
}

/// The properties of a schema, each followed by its own.
pub(in crate::cli) fn parameters(schema: &Value) -> Vec<Parameter> {
    let mut rows = Vec::new();
    Words::new(schema).properties(schema, "", 0, &mut rows);
    rows
}

/// A tool on one line: `read(path: string, from?: integer) -> string`.
pub(in crate::cli) fn signature(name: &str, input: &Value, output: Option<&Value>) -> String {
    let taken = Words::brief(input);
    let parameters: Vec<String> = taken
        .members(input)
        .map(|(name, schema, is_required)| {
            let mark = if is_required { "" } else { "?" };
            format!(
                "{name}{mark}: {}",
                cut(&taken.kind(schema, Members::Here), 60)
            )
        })
        .collect();
    let given = output.map(|output| {
        let words = Words::brief(output);
        let members: Vec<_> = words.members(output).collect();
        let kind = match members.as_slice() {
            // A result that is no object stands under this name.
            [("result", only, _)] => words.kind(only, Members::Here),
            _ => words.kind(output, Members::Here),
        };
        format!(" -> {}", cut(&kind, 120))
    });
    let line = format!(
        "{name}({}){}",
        parameters.join(", "),
        given.unwrap_or_default()
    );
    cut(&line, LONGEST)
}

/// Where the members of an object are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Members {
    /// Within the words.
    Here,
    /// In rows of their own.
    Elsewhere,
}

struct Words<'a> {
    root: &'a Value,
    /// How many more types may be looked at; a schema can refer to itself.
    steps: Cell<usize>,
    /// Leaves out ranges and lengths.
    is_brief: bool,
}

impl<'a> Words<'a> {
    fn new(root: &'a Value) -> Self {
        Self {
            root,
            steps: Cell::new(STEPS),
            is_brief: false,
        }
    }

    fn brief(root: &'a Value) -> Self {
        Self {
            is_brief: true,
            ..Self::new(root)
        }
    }

    /// The schema, or the one it refers to.
    fn resolve(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..HOPS {
            let target = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix('#'))
                .and_then(|pointer| self.root.pointer(pointer));
            match target {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    /// Name, schema and whether it is required, for each property.
    fn members(
        &self,
        schema: &'a Value,
    ) -> impl Iterator<Item = (&'a str, &'a Value, bool)> + use<'a> {
        let schema = self.resolve(schema);
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            move |name: &str| required.is_some_and(|names| names.iter().any(|other| other == name));
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(move |(name, schema)| (name.as_str(), schema, is_required(name)))
    }

    fn properties(&self, schema: &'a Value, prefix: &str, depth: usize, rows: &mut Vec<Parameter>) {
        for (name, property, is_required) in self.members(schema) {
            if rows.len() >= MOST {
                return;
            }
            let path = if prefix.is_empty() {
                cut(name, LONGEST)
            } else {
                format!("{prefix}.{}", cut(name, LONGEST))
            };
            let property = self.resolve(property);
            let mut kind = self.kind(property, Members::Elsewhere);
            if let Some(default) = property.get("default") {
                kind.push_str(&format!(", default {}", shown(default)));
            }
            let description = property.get("description").and_then(Value::as_str);
            rows.push(Parameter {
                name: path.clone(),
                kind,
                is_required,
                description: description.unwrap_or_default().trim().to_owned(),
            });
            if depth + 1 < DEEPEST
                && let Some((inner, suffix)) = self.nested(property, 0)
            {
                self.properties(inner, &format!("{path}{suffix}"), depth + 1, rows);
            }
        }
    }

    /// The object inside of a type whose members get rows of their own, and what stands for the way to it.
    fn nested(&self, schema: &'a Value, depth: usize) -> Option<(&'a Value, &'static str)> {
        if depth > DEEPEST {
            return None;
        }
        let schema = self.resolve(schema);
        if self.members(schema).next().is_some() {
            return Some((schema, ""));
        }
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            let (inner, suffix) = self.nested(items, depth + 1)?;
            return suffix.is_empty().then_some((inner, "[]"));
        }
        match self.alternatives(schema)?.as_slice() {
            [only] => self.nested(only, depth + 1),
            _ => None,
        }
    }

    /// The alternatives of a type that are not null.
    fn alternatives(&self, schema: &'a Value) -> Option<Vec<&'a Value>> {
        let alternatives = ["anyOf", "oneOf"]
            .iter()
            .find_map(|keyword| schema.get(keyword)?.as_array())?;
        let all = alternatives.iter().map(|one| self.resolve(one));
        Some(
            all.filter(|one| one.get("type").is_none_or(|name| name != "null"))
                .collect(),
        )
    }

    /// What a schema takes.
    fn kind(&self, schema: &'a Value, members: Members) -> String {
        self.steps.set(STEPS);
        cut(&self.words(schema, members, 0), LONGEST)
    }

    fn words(&self, schema: &'a Value, members: Members, depth: usize) -> String {
        let steps = self.steps.get();
        if depth > DEEPEST || steps == 0 {
            return "…".to_owned();
        }
        self.steps.set(steps - 1);
        let schema = match self.resolve(schema) {
            Value::Bool(false) => return "nothing".to_owned(),
            Value::Object(schema) => schema,
            _ => return "anything".to_owned(),
        };
        if let Some(only) = schema.get("const") {
            return shown(only);
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            return joined(options.iter().map(shown), options.len());
        }
        if schema.contains_key("anyOf") || schema.contains_key("oneOf") {
            return self.either(schema, members, depth);
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.inner(parts, depth).join(" and ");
        }
        match schema.get("type") {
            Some(Value::String(name)) => self.of_type(name, schema, members, depth),
            Some(Value::Array(names)) => {
                let words = names
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|name| self.of_type(name, schema, members, depth));
                joined(words, names.len())
            }
            _ if schema.contains_key("properties") => self.object(schema, members, depth),
            _ if schema.contains_key("items") => self.array(schema, members, depth),
            _ => "anything".to_owned(),
        }
    }

    /// The words of types within a type.
    fn inner(&self, schemas: &'a [Value], depth: usize) -> Vec<String> {
        let some = schemas.iter().take(LISTED);
        some.map(|schema| self.words(schema, Members::Here, depth + 1))
            .collect()
    }

    fn either(&self, schema: &'a Map<String, Value>, members: Members, depth: usize) -> String {
        let alternatives = ["anyOf", "oneOf"]
            .iter()
            .find_map(|keyword| schema.get(*keyword)?.as_array())
            .map(Vec::as_slice)
            .unwrap_or_default();
        // 64-bit integers are also read as decimal strings, which need no pattern to be understood.
        if let [number, text] = alternatives
            && number.get("type").is_some_and(|name| name == "integer")
            && text
                .get("pattern")
                .and_then(Value::as_str)
                .is_some_and(|pattern| pattern.starts_with("^(0|"))
        {
            let words = self.words(number, members, depth + 1);
            return if self.is_brief {
                words
            } else {
                format!("{words}, also as a string")
            };
        }
        let is_null = |one: &&Value| one.get("type").is_some_and(|name| name == "null");
        let is_only = alternatives.len() - alternatives.iter().filter(is_null).count() == 1;
        let members = if is_only { members } else { Members::Here };
        let words = alternatives
            .iter()
            .map(|one| self.words(one, members, depth + 1));
        joined(words, alternatives.len())
    }

    fn of_type(
        &self,
        name: &str,
        schema: &'a Map<String, Value>,
        members: Members,
        depth: usize,
    ) -> String {
        match name {
            "integer" | "number" | "string" if self.is_brief => name.to_owned(),
            "integer" | "number" => number(name, schema),
            "string" => string(schema),
            "array" => self.array(schema, members, depth),
            "object" => self.object(schema, members, depth),
            other => other.to_owned(),
        }
    }

    fn array(&self, schema: &'a Map<String, Value>, members: Members, depth: usize) -> String {
        if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
            return format!("array of [{}]", self.inner(items, depth).join(", "));
        }
        let count = between(schema, "minItems", "maxItems").filter(|_| !self.is_brief);
        let count = count.map_or_else(String::new, |count| format!(" of {count}"));
        let is_set = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let unlike = if is_set && !self.is_brief {
            ", no two alike"
        } else {
            ""
        };
        let items = match schema.get("items").filter(|items| items.is_object()) {
            Some(items)
                if members == Members::Elsewhere && self.members(items).next().is_some() =>
            {
                "objects".to_owned()
            }
            Some(items) => self.words(items, Members::Here, depth + 1),
            None => return format!("array{count}{unlike}"),
        };
        if count.is_empty() {
            return format!("array of {items}{unlike}");
        }
        format!("array{count}: {items}{unlike}")
    }

    fn object(&self, schema: &'a Map<String, Value>, members: Members, depth: usize) -> String {
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .filter(|properties| !properties.is_empty());
        let others = schema
            .get("additionalProperties")
            .filter(|others| others.is_object());
        match (properties, others) {
            (Some(properties), _) if members == Members::Here => {
                let required = schema.get("required").and_then(Value::as_array);
                let members = properties.iter().take(LISTED).map(|(name, member)| {
                    let is_required =
                        required.is_some_and(|names| names.iter().any(|other| other == name));
                    let mark = if is_required { "" } else { "?" };
                    format!(
                        "{name}{mark}: {}",
                        self.words(member, Members::Here, depth + 1)
                    )
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
            (None, Some(others)) => {
                format!("object of {}", self.words(others, Members::Here, depth + 1))
            }
            _ => "object".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
