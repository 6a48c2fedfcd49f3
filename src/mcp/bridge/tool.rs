//! One tool as a server describes it, read from raw JSON. What is wrong with one is the matter of that one alone.

use serde_json::{Map, Value};

use crate::ids::{Digest, ToolId};
use crate::pins::ToolDescriptor;
use crate::schema::Validator;

/// The longest description that is taken, in bytes.
const MAX_DESCRIPTION: usize = 256 << 10;
/// The longest name, in bytes.
const MAX_NAME: usize = 256;

/// What a server says that a tool does. None of it is known to be true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may destroy something.
    pub destructive: Option<bool>,
    /// Calling it twice has the effect of calling it once.
    pub idempotent: Option<bool>,
    /// It deals with things outside a closed world.
    pub open_world: Option<bool>,
}

/// One tool of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerTool {
    /// Its name, as the server writes it.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// A JSON Schema of its arguments; it was compiled once.
    pub input_schema: Value,
    /// A JSON Schema of its structured result, where it has a usable one.
    pub output_schema: Option<Value>,
    /// What the server says that it does.
    pub hints: Hints,
    /// The object as the server wrote it.
    pub raw: Value,
    /// What tells it from any other description: the digest of the canonical form of that object.
    pub digest: Digest,
    /// What was left out of it, as sentences.
    pub warnings: Vec<String>,
}

/// A tool that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name, where it has one.
    pub name: String,
    /// Why.
    pub why: String,
}

impl ServerTool {
    /// Reads one tool.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn read(raw: &Value) -> Result<Self, LeftOut> {
        let name = raw.get("name").and_then(Value::as_str).unwrap_or_default();
        Self::understood(raw).map_err(|why| LeftOut {
            name: super::message::cut(name, 100),
            why,
        })
    }

    fn understood(raw: &Value) -> Result<Self, String> {
        let Value::Object(object) = raw else {
            return Err("it is not a JSON object".to_owned());
        };
        let name = match object.get("name") {
            Some(Value::String(name)) if name.is_empty() => return Err("its name is empty".into()),
            Some(Value::String(name)) if name.len() > MAX_NAME => {
                return Err(format!("its name has more than {MAX_NAME} bytes"));
            }
            Some(Value::String(name)) if ToolId::new("server", name).is_err() => {
                return Err("its name has spaces or control characters".into());
            }
            Some(Value::String(name)) => name.clone(),
            Some(_) => return Err("its name is not a text".into()),
            None => return Err("it has no name".into()),
        };
        let input_schema = match object.get("inputSchema") {
            Some(schema @ Value::Object(_)) => arguments_schema(schema)?,
            Some(_) => return Err("its input schema is not a JSON object".into()),
            None => return Err("it has no input schema".into()),
        };
        let descriptor = ToolDescriptor::new(raw.clone()).map_err(|error| error.to_string())?;
        let mut warnings = Vec::new();
        let output_schema = match object.get("outputSchema") {
            None | Some(Value::Null) => None,
            Some(schema @ Value::Object(_)) => match compiled(schema) {
                Ok(()) => Some(schema.clone()),
                Err(why) => {
                    warnings.push(format!("its output schema is left out: {why}"));
                    None
                }
            },
            Some(_) => {
                warnings.push("its output schema is left out: it is not a JSON object".to_owned());
                None
            }
        };
        let mut text = |key: &str| match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.len() <= MAX_DESCRIPTION => Some(text.clone()),
            Some(Value::String(_)) => {
                warnings.push(format!("its {key} is left out: it is too long"));
                None
            }
            Some(_) => {
                warnings.push(format!("its {key} is left out: it is not a text"));
                None
            }
        };
        let description = text("description");
        let title = text("title");
        let hints = hints(object, &mut warnings);
        Ok(Self {
            title: title.or_else(|| title_of_annotations(object)),
            description: description.unwrap_or_default(),
            input_schema,
            output_schema,
            hints,
            digest: descriptor.digest(),
            raw: raw.clone(),
            warnings,
            name,
        })
    }
}

/// The schema of arguments, which are always an object.
fn arguments_schema(schema: &Value) -> Result<Value, String> {
    match schema.get("type") {
        None => {}
        Some(Value::String(kind)) if kind == "object" => {}
        Some(other) => {
            return Err(format!(
                "its input schema is of the type {other}, and arguments are an object"
            ));
        }
    }
    compiled(schema).map_err(|why| format!("its input schema cannot be used: {why}"))?;
    Ok(schema.clone())
}

fn compiled(schema: &Value) -> Result<(), String> {
    match Validator::new(schema) {
        Ok(_) => Ok(()),
        Err(error) => {
            let all = std::iter::once(error.to_string()).chain(error.causes());
            Err(super::message::cut(
                &all.collect::<Vec<_>>().join(": "),
                400,
            ))
        }
    }
}

fn title_of_annotations(object: &Map<String, Value>) -> Option<String> {
    let title = object.get("annotations")?.get("title")?.as_str()?;
    (title.len() <= MAX_DESCRIPTION).then(|| title.to_owned())
}

fn hints(object: &Map<String, Value>, warnings: &mut Vec<String>) -> Hints {
    let annotations = match object.get("annotations") {
        None | Some(Value::Null) => return Hints::default(),
        Some(Value::Object(annotations)) => annotations,
        Some(_) => {
            warnings.push("its annotations are left out: they are no JSON object".to_owned());
            return Hints::default();
        }
    };
    let mut hint = |key: &str| match annotations.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::Bool(hint)) => Some(*hint),
        Some(_) => {
            warnings.push(format!(
                "its {key} is left out: it is neither true nor false"
            ));
            None
        }
    };
    Hints {
        read_only: hint("readOnlyHint"),
        destructive: hint("destructiveHint"),
        idempotent: hint("idempotentHint"),
        open_world: hint("openWorldHint"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn why(raw: &Value) -> String {
        ServerTool::read(raw).expect_err("left out").why
    }

    #[test]
    fn a_tool_is_read_as_it_is_written() {
        let raw = json!({
            "name": "git.log-entries_ü",
            "title": "Log",
            "description": "Shows the log",
            "inputSchema": {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {"n": {"type": "integer"}},
                "definitions": {"x": {"type": "string"}},
            },
            "outputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": true, "destructiveHint": "no"},
            "execution": {"taskSupport": "optional"},
        });
        let tool = ServerTool::read(&raw).expect("usable");
        assert_eq!(tool.name, "git.log-entries_ü");
        assert_eq!(tool.raw, raw);
        assert_eq!(tool.hints.read_only, Some(true));
        assert_eq!(tool.hints.destructive, None);
        assert!(tool.output_schema.is_some());
        assert_eq!(tool.warnings.len(), 1, "{:?}", tool.warnings);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let schema = json!({"type": "object"});
        for (raw, expected) in [
            (json!(5), "not a JSON object"),
            (json!({"inputSchema": schema}), "no name"),
            (json!({"name": 5, "inputSchema": schema}), "not a text"),
            (json!({"name": "", "inputSchema": schema}), "empty"),
            (json!({"name": "a b", "inputSchema": schema}), "spaces"),
            (
                json!({"name": "a\u{7}", "inputSchema": schema}),
                "spaces or control",
            ),
            (
                json!({"name": "a".repeat(300), "inputSchema": schema}),
                "256 bytes",
            ),
            (json!({"name": "a"}), "no input schema"),
            (
                json!({"name": "a", "inputSchema": null}),
                "not a JSON object",
            ),
            (
                json!({"name": "a", "inputSchema": true}),
                "not a JSON object",
            ),
            (
                json!({"name": "a", "inputSchema": {"type": "string"}}),
                "are an object",
            ),
            (
                json!({"name": "a", "inputSchema": {"type": "object", "properties": 5}}),
                "cannot be used",
            ),
            (
                json!({"name": "a", "inputSchema": {"type": "object", "$ref": "https://example.com/schema.json"}}),
                "cannot be used",
            ),
        ] {
            let why = why(&raw);
            assert!(why.contains(expected), "{raw}: {why}");
        }
    }

    #[test]
    fn a_schema_made_to_explode_is_refused() {
        let mut inner = json!({"type": "string"});
        for _ in 0..300 {
            inner = json!({"type": "object", "properties": {"a": inner}});
        }
        let raw = json!({"name": "deep", "inputSchema": inner});
        assert!(why(&raw).contains("cannot be used"));
        let many: Map<String, Value> = (0..60_000).map(|n| (format!("p{n}"), json!({}))).collect();
        let raw = json!({"name": "wide", "inputSchema": {"type": "object", "properties": many}});
        assert!(why(&raw).contains("cannot be used"));
    }

    #[test]
    fn a_wrong_output_schema_does_not_lose_the_tool() {
        for output in [
            json!(true),
            json!({"type": 5}),
            json!({"$ref": "file:///etc/passwd"}),
        ] {
            let raw =
                json!({"name": "a", "inputSchema": {"type": "object"}, "outputSchema": output});
            let tool = ServerTool::read(&raw).expect("usable");
            assert_eq!(tool.output_schema, None);
            assert_eq!(tool.warnings.len(), 1);
        }
    }
}
