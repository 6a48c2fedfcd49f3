//! `replace`: what a regular expression matches, by something else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, tool};

use crate::lines::MAX_TEXT;
use crate::pattern::Pattern;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"text": "Ada Lovelace", "pattern": r"(\w+) (\w+)", "replacement": "$2, $1"}))]
pub struct Arguments {
    /// The text to change.
    #[schemars(length(max = MAX_TEXT))]
    text: String,
    #[serde(flatten)]
    pattern: Pattern,
    /// What is put in the place of each match. `$1`, `$name` and `${name}` are groups, `$0` is the match, `$$` is a `$`; with
    /// `literal` it is taken as it is.
    #[schemars(length(max = 65_536), example = &"${month}/${year}")]
    replacement: String,
    /// How many matches to replace at most; 0 means all of them.
    #[serde(default)]
    #[schemars(range(max = 2_097_152))]
    limit: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Replaced {
    /// The text as it is now.
    text: String,
    /// How many matches were replaced.
    replacements: usize,
}

/// Replaces what a regular expression matches in a text.
///
/// # Errors
/// `invalid-arguments` for a pattern that cannot be read; `failed` where the text would become too long.
#[tool]
pub fn replace(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Replaced>> {
    let pattern = arguments.pattern.compile()?;
    let most = if arguments.limit == 0 {
        usize::MAX
    } else {
        arguments.limit
    };
    let mut text = String::with_capacity(arguments.text.len());
    let mut replacements = 0;
    let mut at = 0;
    for captures in pattern.captures_iter(&arguments.text).take(most) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        text.push_str(arguments.text.get(at..whole.start()).unwrap_or_default());
        if arguments.pattern.is_literal() {
            text.push_str(&arguments.replacement);
        } else {
            captures.expand(&arguments.replacement, &mut text);
        }
        at = whole.end();
        replacements += 1;
        if text.len() > 2 * MAX_TEXT {
            return Err(ToolError::failed(format!(
                "the text would become longer than {} bytes: {replacements} matches were replaced so far",
                2 * MAX_TEXT
            )));
        }
    }
    text.push_str(arguments.text.get(at..).unwrap_or_default());
    let replaced = Replaced { text, replacements };
    let text = replaced.text.clone();
    Ok(Reply::new(replaced).text(text))
}

#[cfg(test)]
mod tests;
