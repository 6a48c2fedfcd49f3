//! Unified diffs: what `patch` and `git apply` read.

use std::fmt::Write as _;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput};

/// How many unchanged lines are shown around a change.
const CONTEXT: u32 = 3;

/// The change from one text to another as a unified diff of a file of this name; empty where they are the same.
pub fn unified(name: &str, before: &str, after: &str) -> String {
    let input = InternedInput::new(before, after);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let hunks: Vec<Hunk> = diff.hunks().collect();
    let mut text = String::new();
    if !hunks.is_empty() {
        let sides = Sides {
            before: before.split_inclusive('\n').collect(),
            after: after.split_inclusive('\n').collect(),
        };
        let _ = writeln!(text, "--- a/{name}\n+++ b/{name}");
        for group in groups(&hunks) {
            sides.write(&mut text, group);
        }
    }
    text
}

/// Splits hunks where there are too many unchanged lines between two of them for one piece of context.
fn groups(hunks: &[Hunk]) -> impl Iterator<Item = &[Hunk]> {
    hunks.chunk_by(|one, next| next.before.start - one.before.end <= 2 * CONTEXT)
}

/// The lines of both texts, with their breaks.
struct Sides<'a> {
    before: Vec<&'a str>,
    after: Vec<&'a str>,
}

impl Sides<'_> {
    /// Writes some hunks that lie close together, with the lines around and between them.
    fn write(&self, text: &mut String, hunks: &[Hunk]) {
        let (Some(first), Some(last)) = (hunks.first(), hunks.last()) else {
            return;
        };
        let lead = first.before.start.min(CONTEXT);
        let count = u32::try_from(self.before.len()).unwrap_or(u32::MAX);
        let trail = (count - last.before.end).min(CONTEXT);
        let range = |start: u32, end: u32| header_range(start - lead..end + trail);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "@@ -{} +{} @@",
            range(first.before.start, last.before.end),
            range(first.after.start, last.after.end)
        );
        let mut position = first.before.start - lead;
        for hunk in hunks {
            write_lines(text, ' ', &self.before, position..hunk.before.start);
            write_lines(text, '-', &self.before, hunk.before.clone());
            write_lines(text, '+', &self.after, hunk.after.clone());
            position = hunk.before.end;
        }
        write_lines(text, ' ', &self.before, position..position + trail);
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
