//! The parameters of a tool, as an agent sees them: what each is for, what it may be, and an example.

use serde_json::Value;

use super::super::finding::Findings;
use super::super::rule::Rule;
use crate::cli::text::cut;

/// How deep parameters are looked into: deeper ones are few, and of somebody who describes the outer ones.
const DEPTH: usize = 4;
/// How many names are told.
const NAMED: usize = 8;
/// The longest name that is told whole.
const LONGEST: usize = 64;

/// What is missing, by the paths of parameters.
#[derive(Default)]
struct Missing {
    description: Vec<String>,
    bounds: Vec<String>,
    parameters: usize,
    has_example: bool,
}

/// Looks at the input schema of a tool.
pub(super) fn check(tool: &str, schema: &Value, findings: &mut Findings) {
    let mut missing = Missing {
        has_example: has_example(schema),
        ..Missing::default()
    };
    walk(schema, schema, "", DEPTH, &mut missing);
    if !missing.description.is_empty() {
        findings.warning(
            Rule::ParameterDescription,
            format!(
                "the tool {tool:?} does not say what {} for",
                are(&missing.description)
            ),
            "Give each a `description`: what it is, and in which form or unit.",
        );
    }
    if !missing.bounds.is_empty() {
        findings.note(
            Rule::ParameterBounds,
            format!("the tool {tool:?} takes any value for {}", listed(&missing.bounds)),
            "Where there is a limit, write it down: `minimum` and `maximum`, `maxLength`, `maxItems`, `enum` or `pattern`.",
        );
    }
    if missing.parameters > 0 && !missing.has_example {
        findings.note(
            Rule::Example,
            format!("the tool {tool:?} has no example of an argument"),
            "Give at least one parameter `examples`.",
        );
    }
}

fn walk(root: &Value, schema: &Value, place: &str, depth: usize, missing: &mut Missing) {
    let schema = resolve(root, schema);
    if depth == 0 {
        return;
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            let place = format!(
                "{place}{}{}",
                if place.is_empty() { "" } else { "." },
                cut(name, LONGEST)
            );
            missing.parameters += 1;
            let resolved = resolve(root, property);
            missing.has_example |= has_example(property) || has_example(resolved);
            let says = |schema: &Value| {
                schema
                    .get("description")
                    .and_then(Value::as_str)
                    .is_some_and(|text| !text.trim().is_empty())
            };
            if !says(property) && !says(resolved) {
                missing.description.push(place.clone());
            }
            if !is_bounded(resolved) {
                missing.bounds.push(place.clone());
            }
            walk(root, property, &place, depth - 1, missing);
        }
    }
    if let Some(items) = schema.get("items") {
        walk(root, items, &format!("{place}[]"), depth - 1, missing);
    }
}

/// What a reference within the schema leads to.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'));
    pointer
        .and_then(|pointer| root.pointer(pointer))
        .unwrap_or(schema)
}

fn has_example(schema: &Value) -> bool {
    ["examples", "example", "default", "enum", "const"]
        .iter()
        .any(|key| schema.get(key).is_some())
}

/// True where a value cannot be of any size: bounded in itself, or of a type that has no size.
fn is_bounded(schema: &Value) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| schema.get(key).is_some());
    if has(&["enum", "const", "$ref", "anyOf", "oneOf", "allOf"]) {
        return true;
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return true,
    };
    types.iter().all(|kind| match *kind {
        "integer" | "number" => {
            has(&["minimum", "exclusiveMinimum"]) && has(&["maximum", "exclusiveMaximum"])
        }
        "string" => has(&["maxLength", "pattern", "format"]),
        "array" => has(&["maxItems"]),
        _ => true,
    })
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("{name:?}"))
        .collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", listed(names))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: &Value) -> Vec<(&'static str, String)> {
        let mut findings = Findings::default();
        check("t", schema, &mut findings);
        findings
            .sorted()
            .iter()
            .map(|finding| (finding.rule.id(), finding.message.clone()))
            .collect()
    }

    #[test]
    fn a_schema_that_says_everything_is_quiet() {
        let schema = json!({"type": "object", "properties": {
            "text": {"type": "string", "description": "What is counted.", "maxLength": 10, "examples": ["a b"]},
            "times": {"type": ["integer", "null"], "description": "How often.", "minimum": 1, "maximum": 9},
            "mode": {"$ref": "#/$defs/mode", "description": "How."},
            "also": {"type": "boolean", "description": "Whether."}
        }, "$defs": {"mode": {"enum": ["a", "b"]}}});
        assert_eq!(found(&schema), []);
        assert_eq!(
            found(&json!({"type": "object"})),
            [],
            "there is nothing to describe"
        );
    }

    #[test]
    fn what_is_missing_is_told_once_a_tool_with_its_place() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "string"},
            "b": {"type": "array", "description": "Many.", "maxItems": 3, "items": {"type": "object", "properties": {
                "c": {"type": "integer", "minimum": 0, "description": " "}
            }}}
        }});
        assert_eq!(
            found(&schema),
            [
                (
                    "parameter-description",
                    "the tool \"t\" does not say what \"a\", \"b[].c\" are for".to_owned()
                ),
                (
                    "parameter-bounds",
                    "the tool \"t\" takes any value for \"a\", \"b[].c\"".to_owned()
                ),
                (
                    "example",
                    "the tool \"t\" has no example of an argument".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_schema_that_leads_to_itself_comes_to_an_end() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(found(&schema).len() >= 2);
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#/nowhere"}}});
        assert!(found(&schema)[0].1.contains("\"next\" is for"));
    }
}
