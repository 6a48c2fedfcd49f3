//! `edit`: exact replacements.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, tool};
use unified::{CONTEXT, Change};

use crate::open::read_whole;
use crate::write::rewrite;

/// Larger files are not edited.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "path": "/workspace/src/main.rs",
    "edits": [{"old": "let x = 1;", "new": "let x = 2;"}]
}))]
pub struct Arguments {
    /// The file, UTF-8 text of at most 8 MiB, under the name it was granted: usually below /workspace.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/src/main.rs")]
    path: String,
    /// Replacements, each applied to the result of those before it. All are made, or none.
    #[schemars(length(min = 1, max = 100))]
    edits: Vec<Edit>,
    /// Return the diff and change nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// The exact text to replace, with its white space.
    #[schemars(length(min = 1, max = 1_048_576))]
    old: String,
    /// What to put in its place.
    #[schemars(length(max = 1_048_576))]
    new: String,
    /// How often `old` must occur; every occurrence is replaced.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 100_000))]
    count: usize,
}

fn once() -> usize {
    1
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Edited {
    path: String,
    /// How many pieces of text were replaced.
    replacements: usize,
    /// False where the file is as it was; with `dry_run`, where it would be.
    changed: bool,
    /// The change as a unified diff; empty where there is none.
    diff: String,
}

/// Replaces exact pieces of text in a file, each as often as expected and else not at all, and returns the change as a
/// unified diff.
///
/// # Errors
/// Those of [`read_whole`] and [`rewrite`]; `invalid-arguments` where a piece of text is not found as often as
/// expected; `failed` for what is not UTF-8 text.
#[tool]
pub fn edit(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Edited>> {
    let bytes = read_whole("edit", &arguments.path, MAX_FILE_BYTES)?;
    let before = String::from_utf8(bytes)
        .map_err(|_| ToolError::Failed(format!("`{}` is not UTF-8 text", arguments.path)))?;
    let mut after = before.clone();
    let mut replacements = 0;
    for (index, edit) in arguments.edits.iter().enumerate() {
        after = edit.apply(&after).map_err(|problem| {
            ToolError::InvalidArguments(format!(
                "edit {} of `{}`: {problem}; nothing was changed",
                index + 1,
                arguments.path
            ))
        })?;
        replacements += edit.count;
    }
    let changed = before != after;
    if changed && !arguments.dry_run {
        rewrite(Path::new(&arguments.path), after.as_bytes())?;
    }
    let name = arguments.path.trim_start_matches('/');
    let diff = Change::between(&before, &after).unified(name, CONTEXT);
    let text = if changed {
        diff.clone()
    } else {
        "nothing changed".to_owned()
    };
    let edited = Edited {
        path: arguments.path,
        replacements,
        changed,
        diff,
    };
    Ok(Reply::new(edited).text(text))
}

impl Edit {
    /// Replaces every occurrence, if there are as many as expected.
    fn apply(&self, text: &str) -> Result<String, String> {
        if self.old.is_empty() {
            return Err("`old` is empty".to_owned());
        }
        let found = text.matches(&self.old).count();
        if found == self.count {
            return Ok(text.replace(&self.old, &self.new));
        }
        if found == 0 {
            return Err(self.not_found(text));
        }
        let lines: Vec<String> = text
            .match_indices(&self.old)
            .take(10)
            .map(|(offset, _)| line_of(text, offset).to_string())
            .collect();
        let and_more = if found > lines.len() { ", …" } else { "" };
        Err(format!(
            "`old` was found {found} times and expected {}, in line {}{and_more}; give more of the text around it, or \
             `count`",
            times(self.count),
            lines.join(", ")
        ))
    }

    /// Says what is nearly what was looked for.
    fn not_found(&self, text: &str) -> String {
        if text.contains("\r\n") && text.replace("\r\n", "\n").contains(&self.old) {
            return "`old` was not found: the lines of the file end in \\r\\n".to_owned();
        }
        match find_ignoring_space(text, &self.old) {
            Some(line) => {
                format!("`old` was not found; line {line} differs from it in white space only")
            }
            None => "`old` was not found".to_owned(),
        }
    }
}

fn times(count: usize) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

/// The first line of a stretch of lines that is the same but for the white space in them.
fn find_ignoring_space(text: &str, wanted: &str) -> Option<usize> {
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let wanted: Vec<_> = wanted.trim().lines().map(words).collect();
    let lines: Vec<_> = text.lines().map(words).collect();
    let position = lines
        .windows(wanted.len().max(1))
        .position(|window| window == wanted.as_slice());
    position.map(|index| index + 1)
}

#[cfg(test)]
mod tests;
