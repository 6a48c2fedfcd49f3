//! `diff`: two texts, as a unified diff.

use std::fmt::Write as _;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, tool};

use crate::lines::{MAX_TEXT, lines};

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
    3
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
    let (before, after) = (lines(&arguments.before), lines(&arguments.after));
    let plain = |line: &&str| -> String { line.split_whitespace().collect() };
    let change = if arguments.ignore_whitespace {
        let (before, after): (Vec<String>, Vec<String>) = (
            before.iter().map(plain).collect(),
            after.iter().map(plain).collect(),
        );
        Change::of(
            before.iter().map(String::as_str),
            after.iter().map(String::as_str),
        )
    } else {
        Change::of(before.iter().copied(), after.iter().copied())
    };
    let sides = Sides {
        before: &before,
        after: &after,
        context: arguments.context,
    };
    let diff = sides.unified(&arguments.name, &change.hunks);
    let compared = Compared {
        identical: change.hunks.is_empty(),
        added: change.added,
        removed: change.removed,
        diff,
    };
    let text = if compared.identical {
        "nothing differs".to_owned()
    } else {
        compared.diff.clone()
    };
    Ok(Reply::new(compared).text(text))
}

/// Which lines changed.
struct Change {
    hunks: Vec<Hunk>,
    added: u32,
    removed: u32,
}

impl Change {
    fn of<'a>(before: impl Iterator<Item = &'a str>, after: impl Iterator<Item = &'a str>) -> Self {
        let mut input = InternedInput::default();
        input.update_before(before);
        input.update_after(after);
        let mut diff = Diff::compute(Algorithm::Histogram, &input);
        diff.postprocess_lines(&input);
        Self {
            hunks: diff.hunks().collect(),
            added: diff.count_additions(),
            removed: diff.count_removals(),
        }
    }
}

struct Sides<'a> {
    before: &'a [&'a str],
    after: &'a [&'a str],
    context: u32,
}

impl Sides<'_> {
    fn unified(&self, name: &str, hunks: &[Hunk]) -> String {
        let mut text = String::new();
        if hunks.is_empty() {
            return text;
        }
        let _ = writeln!(text, "--- a/{name}\n+++ b/{name}");
        // Two changes share a piece of context where there is not enough between them for one each.
        let near = self.context.saturating_mul(2);
        for group in hunks.chunk_by(|one, next| next.before.start - one.before.end <= near) {
            self.write(&mut text, group);
        }
        text
    }

    fn write(&self, text: &mut String, hunks: &[Hunk]) {
        let (Some(first), Some(last)) = (hunks.first(), hunks.last()) else {
            return;
        };
        let lead = first.before.start.min(self.context);
        let length = u32::try_from(self.before.len()).unwrap_or(u32::MAX);
        let trail = length.saturating_sub(last.before.end).min(self.context);
        let range = |start: u32, end: u32| header_range(start - lead..end + trail);
        let _ = writeln!(
            text,
            "@@ -{} +{} @@",
            range(first.before.start, last.before.end),
            range(first.after.start, last.after.end)
        );
        let mut position = first.before.start - lead;
        for hunk in hunks {
            write_lines(text, ' ', self.before, position..hunk.before.start);
            write_lines(text, '-', self.before, hunk.before.clone());
            write_lines(text, '+', self.after, hunk.after.clone());
            position = hunk.before.end;
        }
        write_lines(text, ' ', self.before, position..position + trail);
    }
}

/// First line and number of lines, as a header has them: an empty range begins at the line before it.
fn header_range(lines: Range<u32>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

fn write_lines(text: &mut String, mark: char, lines: &[&str], range: Range<u32>) {
    let lines = lines.get(range.start as usize..range.end as usize);
    for line in lines.unwrap_or_default() {
        text.push(mark);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests;
