//! The tools of a package, one by one.

use std::collections::HashMap;

use serde_json::Value;

use super::super::finding::{Findings, Severity};
use super::super::rule::Rule;
use super::{LONGEST_NAME, Seen, TOOLS_EXPORT, parameters};
use crate::cli::text::cut;
use crate::error::Code;
use crate::mcp::server::names::distinguishing;
use crate::schema::Validator;

/// Looks at each tool as an agent will: its name, its description and its schemas.
pub(super) fn check(seen: &[Seen], is_readable: bool, findings: &mut Findings) {
    if seen.is_empty() && is_readable {
        findings.error(
            Rule::NoTools,
            "it has no tools",
            format!("Export `{TOOLS_EXPORT}`, or functions that take and give plain values."),
        );
    }
    collisions(seen, findings);
    for tool in seen {
        let name = cut(&tool.name, LONGEST_NAME);
        if !is_usable_name(&tool.name) {
            findings.warning(
                Rule::ToolName,
                format!("agents cannot use the tool {name:?} by its name"),
                format!("Use at most {LONGEST_NAME} letters, digits, hyphens and underscores."),
            );
        }
        if tool.description.trim().is_empty() {
            findings.warning(
                Rule::ToolDescription,
                format!("the tool {name:?} has no description"),
                "Say what it does, in its code, its WIT or the manifest.",
            );
        }
        match &tool.input {
            Some(schema) => {
                check_schema(&name, "input", schema, findings);
                parameters::check(&name, schema, findings);
            }
            None => findings.error(
                Rule::InputSchema,
                format!("the tool {name:?} has no input schema"),
                "Give it one; `{ type = \"object\" }` where it takes anything.",
            ),
        }
        match &tool.output {
            Some(schema) => check_schema(&name, "output", schema, findings),
            None => findings.add(
                Severity::Note,
                Some(Code::E3307),
                Rule::OutputSchema,
                format!("the tool {name:?} has no output schema"),
                "Describe its structured result, if it has one; strict mode asks for it.",
            ),
        }
    }
}

/// Names that some clients take for the same.
fn collisions(seen: &[Seen], findings: &mut Findings) {
    let mut names: HashMap<String, &str> = HashMap::new();
    for tool in seen {
        if let Some(other) = names.insert(distinguishing(&tool.name), &tool.name)
            && other != tool.name
        {
            findings.warning(
                Rule::NameCollision,
                format!(
                    "the tools {:?} and {:?} differ in nothing that every client keeps",
                    cut(other, LONGEST_NAME),
                    cut(&tool.name, LONGEST_NAME)
                ),
                "Give one of them another name.",
            );
        }
    }
}

/// True for names that models are known to take.
pub(super) fn is_usable_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn check_schema(name: &str, which: &str, schema: &Value, findings: &mut Findings) {
    let rule = if which == "input" {
        Rule::InputSchema
    } else {
        Rule::OutputSchema
    };
    if schema.get("type").is_none_or(|kind| kind != "object") {
        findings.error(
            rule,
            format!("the {which} schema of {name:?} is not the schema of an object"),
            "Begin it with `\"type\": \"object\"`: agents pass and read objects only.",
        );
    }
    if let Err(error) = Validator::new(schema) {
        findings.failed(
            rule,
            &error.while_doing(format!("the {which} schema of {name:?}")),
        );
    }
}
