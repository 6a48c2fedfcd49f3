//! `diff`: two texts, as a unified diff.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, tool};
use unified::{CONTEXT, Change};

use crate::lines::MAX_TEXT;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"before": "a\nb\n", "after": "a\nc\n"}))]
pub struct Arguments {
    /// The text as it was.
    #[schemars(length(max = MAX_TEXT))]
    before: String,
    /// The text as it is now.
    #[schemars(length(max = MAX_TEXT))]
    after: String,
    /// The name of the file that stands at the head of the diff.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1, max = 4096), example = &"src/main.rs")]
    name: String,
    /// How many unchanged lines are shown around a change.
    #[serde(default = "default_context")]
    #[schemars(range(max = 1000))]
    context: u32,
    /// Take lines for the same that differ in white space only. Such a diff cannot always be applied.
    #[serde(default)]
    ignore_whitespace: bool,
}

fn default_name() -> String {
    "text".to_owned()
}

fn default_context() -> u32 {
    CONTEXT
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Compared {
    /// The unified diff; empty where nothing differs.
    diff: String,
    /// True where nothing differs.
    identical: bool,
    /// How many lines were added.
    added: u32,
    /// How many lines were removed.
    removed: u32,
}

/// Compares two texts line by line, and returns what changed as a unified diff.
///
/// # Errors
/// `invalid-arguments` for a name with line breaks.
#[tool]
pub fn diff(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Compared>> {
    if arguments.name.contains(char::is_control) {
        return Err(ToolError::invalid_arguments(
            "`name` is one line, without control characters",
        ));
    }
    let (before, after) = (&arguments.before, &arguments.after);
    let change = if arguments.ignore_whitespace {
        Change::besides_white_space(before, after)
    } else {
        Change::between(before, after)
    };
    let compared = Compared {
        diff: change.unified(&arguments.name, arguments.context),
        identical: change.is_empty(),
        added: change.added(),
        removed: change.removed(),
    };
    let text = if compared.identical {
        "nothing differs".to_owned()
    } else {
        compared.diff.clone()
    };
    Ok(Reply::new(compared).text(text))
}

#[cfg(test)]
mod tests;
