//! Prompts, resources and completions as the pipeline sees them: each is called like a tool, under an id that no tool can
//! have, with arguments that are checked against a schema.
//!
//! | id | arguments |
//! |---|---|
//! | `plugin.prompt:NAME` | those of the prompt, all of them texts |
//! | `plugin.resource:read` | `{"uri": …}` |
//! | `plugin.completion:complete` | what MCP sends with `completion/complete` |

use serde_json::{Map, Value, json};

use super::{Offers, PromptInfo, UriTemplate};
use crate::error::{Code, Error, Result};
use crate::exec::Entry;
use crate::ids::{InvalidId, ToolId};
use crate::manifest::Risk;
use crate::registry::{Effects, Tool, Validators};

/// What stands before the name of a prompt.
pub const PROMPT: &str = "prompt:";
/// The name resources are read under.
pub const RESOURCE: &str = "resource:read";
/// The name completions are asked for under.
pub const COMPLETION: &str = "completion:complete";

impl Offers {
    /// What there is to call, beside these tools of the same source. It can do as much harm as they can, and what it returns
    /// is trusted no more.
    ///
    /// # Errors
    /// Where the source has a name that no source can have.
    pub fn parts<'a>(
        &self,
        source: &str,
        tools: impl Iterator<Item = &'a Tool>,
    ) -> std::result::Result<Vec<Tool>, InvalidId> {
        let (mut risk, mut untrusted_output) = (Risk::default(), false);
        for tool in tools {
            risk = risk.max(tool.risk);
            untrusted_output |= tool.untrusted_output;
        }
        let part = |name: &str, description: &str, input_schema: Value, entry: Entry| {
            Ok(Tool {
                id: ToolId::new(source, name)?,
                title: None,
                description: description.to_owned(),
                input_schema,
                output_schema: None,
                entry,
                // Reading twice is reading once.
                idempotent: true,
                pure: false,
                risk,
                untrusted_output,
                coerce: false,
                effects: Effects::UNKNOWN,
                validators: Validators::default(),
            })
        };
        let mut parts = Vec::new();
        for prompt in &self.prompts {
            let description = prompt.description.as_deref().unwrap_or_default();
            let entry = Entry::Prompt {
                name: prompt.name.clone(),
            };
            let name = format!("{PROMPT}{}", prompt.name);
            parts.push(part(&name, description, prompt.input_schema(), entry)?);
        }
        if self.has_resources() {
            let schema = json!({
                "type": "object",
                "properties": {"uri": {"type": "string"}},
                "required": ["uri"],
                "additionalProperties": false,
            });
            parts.push(part(
                RESOURCE,
                "Reads a resource.",
                schema,
                Entry::Resource,
            )?);
        }
        if self.completions {
            let schema = completion_schema();
            let what = "Proposes values for an argument.";
            parts.push(part(COMPLETION, what, schema, Entry::Completion)?);
        }
        Ok(parts)
    }

    /// Checks that what a call of a part names is there, where the schema of its arguments cannot tell.
    ///
    /// # Errors
    /// E3101 for a URI that is none of these, and for a prompt or pattern that is not there; E3301 for an argument that
    /// neither has.
    pub fn check_call(&self, entry: &Entry, arguments: &Value) -> Result<()> {
        match entry {
            Entry::Resource => {
                let uri = text(arguments, "uri");
                if self.reads(uri) {
                    return Ok(());
                }
                Err(Error::new(Code::E3101, "there is no such resource").detail("uri", uri))
            }
            Entry::Completion => self.check_completion(arguments),
            _ => Ok(()),
        }
    }

    fn check_completion(&self, arguments: &Value) -> Result<()> {
        let of = arguments.get("ref").unwrap_or(&Value::Null);
        let name = arguments
            .get("argument")
            .map_or("", |argument| text(argument, "name"));
        let is_known = if text(of, "type") == "ref/prompt" {
            let wanted = text(of, "name");
            let prompt = self.prompt(wanted).ok_or_else(|| {
                Error::new(Code::E3101, "there is no such prompt").detail("prompt", wanted)
            })?;
            prompt.arguments.iter().any(|other| other.name == name)
        } else {
            let wanted = text(of, "uri");
            let template = self
                .resource_templates
                .iter()
                .find(|template| template.uri_template == wanted)
                .and_then(|template| UriTemplate::parse(&template.uri_template).ok())
                .ok_or_else(|| {
                    Error::new(Code::E3101, "there is no such pattern of resources")
                        .detail("uri", wanted)
                })?;
            template.variables().any(|other| other == name)
        };
        if is_known {
            return Ok(());
        }
        Err(Error::new(
            Code::E3301,
            format!("there is no argument {name:?} to complete"),
        ))
    }
}

impl PromptInfo {
    /// A JSON Schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        let properties: Map<String, Value> = self
            .arguments
            .iter()
            .map(|argument| {
                let mut schema = json!({"type": "string"});
                if let (Some(schema), Some(description)) =
                    (schema.as_object_mut(), &argument.description)
                {
                    schema.insert("description".into(), description.clone().into());
                }
                (argument.name.clone(), schema)
            })
            .collect();
        let required: Vec<&str> = self
            .arguments
            .iter()
            .filter(|argument| argument.required)
            .map(|argument| argument.name.as_str())
            .collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The arguments of MCP's `completion/complete`.
fn completion_schema() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "properties": {
            "ref": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": ["ref/prompt", "ref/resource"]},
                    "name": {"type": "string"},
                    "uri": {"type": "string"},
                },
                "required": ["type"],
            },
            "argument": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                "required": ["name", "value"],
            },
            "context": {"type": "object", "properties": {"arguments": texts}},
        },
        "required": ["ref", "argument"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Offers {
        serde_json::from_value(json!({
            "prompts": [{"name": "greet", "arguments": [{"name": "who", "required": true}, {"name": "how", "required": false}]}],
            "resources": [{"uri": "test://one", "name": "one"}],
            "resourceTemplates": [{"uriTemplate": "test://many/{id}", "name": "many"}],
            "completions": true,
        }))
        .expect("offers")
    }

    #[test]
    fn there_is_one_part_for_each_prompt_and_one_for_all_resources() {
        let parts = offers().parts("p", std::iter::empty()).expect("parts");
        let ids: Vec<String> = parts.iter().map(|part| part.id.to_string()).collect();
        assert_eq!(
            ids,
            ["p.prompt:greet", "p.resource:read", "p.completion:complete"]
        );
        let none = Offers::default().parts("p", std::iter::empty());
        assert!(none.expect("parts").is_empty());
    }

    #[test]
    fn the_arguments_of_a_prompt_are_texts_and_those_that_are_listed() {
        let parts = offers().parts("p", std::iter::empty()).expect("parts");
        let prompt = parts.first().expect("a prompt");
        let fits = |arguments: Value| {
            prompt
                .check_arguments(&std::sync::Arc::new(arguments))
                .is_ok()
        };
        assert!(fits(json!({"who": "Ada"})) && fits(json!({"who": "Ada", "how": "well"})));
        assert!(!fits(json!({})) && !fits(json!({"who": 3})) && !fits(json!({"who": "", "x": ""})));
    }

    #[test]
    fn what_is_not_there_is_not_called() {
        let check = |entry: &Entry, arguments: Value| {
            let checked = offers().check_call(entry, &arguments);
            checked.err().map(|error| error.code())
        };
        let read = |uri: &str| check(&Entry::Resource, json!({"uri": uri}));
        assert_eq!((read("test://one"), read("test://many/7")), (None, None));
        assert_eq!(read("test://two"), Some(Code::E3101));
        let complete = |of: Value, name: &str| {
            check(
                &Entry::Completion,
                json!({"ref": of, "argument": {"name": name, "value": ""}}),
            )
        };
        let prompt = json!({"type": "ref/prompt", "name": "greet"});
        assert_eq!(complete(prompt.clone(), "who"), None);
        assert_eq!(complete(prompt, "whom"), Some(Code::E3301));
        let template = json!({"type": "ref/resource", "uri": "test://many/{id}"});
        assert_eq!(complete(template, "id"), None);
        let unknown = json!({"type": "ref/prompt", "name": "shout"});
        assert_eq!(complete(unknown, "who"), Some(Code::E3101));
    }
}
