//! `match`: where a regular expression matches, and what its groups have.

use std::fmt::Write as _;

use regex::{Captures, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Content, Reply, Result, tool};

use crate::lines::{MAX_TEXT, Position};
use crate::pattern::Pattern;

/// How many bytes of matches are returned at most.
const MAX_RETURNED: usize = 1 << 20;
/// How many characters of a match stand in the text to read.
const MAX_SHOWN: usize = 200;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"text": "due 2026-03-01", "pattern": r"(?<year>\d{4})-(?<month>\d{2})"}))]
pub struct Arguments {
    /// The text to search.
    #[schemars(length(max = MAX_TEXT))]
    text: String,
    #[serde(flatten)]
    pattern: Pattern,
    /// How many matches to return at most.
    #[serde(default = "default_matches")]
    #[schemars(range(min = 1, max = 10_000))]
    max_matches: usize,
    /// How many matches to leave out first: to go on where an answer ended.
    #[serde(default)]
    #[schemars(range(max = 2_097_152))]
    skip: usize,
}

fn default_matches() -> usize {
    100
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Found {
    /// The matches, in their order; they do not overlap.
    matches: Vec<Match>,
    /// True where there are more.
    truncated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Match {
    /// The line that it begins in, counted from 1.
    line: usize,
    /// The character of that line that it begins at, counted from 1.
    column: usize,
    text: String,
    /// What the groups have, in the order of the pattern.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Group>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Group {
    /// Its name, where the pattern gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What it matched; absent where it took no part.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Finds where a regular expression matches in a text, and what its groups have.
///
/// # Errors
/// `invalid-arguments` for a pattern that cannot be read, or becomes too large.
#[tool(name = "match")]
pub fn find(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Found>> {
    let pattern = arguments.pattern.compile()?;
    let mut position = Position::new(&arguments.text);
    let mut found = Found {
        matches: Vec::new(),
        truncated: false,
    };
    let mut returned = 0;
    for captures in pattern.captures_iter(&arguments.text).skip(arguments.skip) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        returned += captures
            .iter()
            .flatten()
            .map(|group| group.len())
            .sum::<usize>();
        let is_full = found.matches.len() == arguments.max_matches;
        if is_full || (returned > MAX_RETURNED && !found.matches.is_empty()) {
            found.truncated = true;
            break;
        }
        let (line, column) = position.of(whole.start());
        found.matches.push(Match {
            line,
            column,
            text: whole.as_str().to_owned(),
            groups: groups(&pattern, &captures),
        });
    }
    let text = found.text(arguments.skip);
    Ok(Reply::new(found).block(Content::text(text)))
}

fn groups(pattern: &Regex, captures: &Captures<'_>) -> Vec<Group> {
    let groups = pattern.capture_names().zip(captures.iter()).skip(1);
    groups
        .map(|(name, group)| Group {
            name: name.map(str::to_owned),
            text: group.map(|group| group.as_str().to_owned()),
        })
        .collect()
}

impl Found {
    fn text(&self, skipped: usize) -> String {
        if self.matches.is_empty() {
            return "nothing matches".to_owned();
        }
        let mut text = String::new();
        for found in &self.matches {
            let shown: String = found.text.chars().take(MAX_SHOWN).collect();
            let more = if shown.len() < found.text.len() {
                "…"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "{}:{}: {}{more}",
                found.line,
                found.column,
                shown.escape_debug()
            );
        }
        if self.truncated {
            let _ = write!(
                text,
                "[there is more: go on with `skip` {}]",
                skipped + self.matches.len()
            );
        }
        text.truncate(text.trim_end().len());
        text
    }
}

#[cfg(test)]
mod tests;
