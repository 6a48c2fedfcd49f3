//! Unified diffs: what `patch` and `git apply` read.

use std::fmt::Write as _;
use std::hash::Hash;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput};

/// How many unchanged lines are shown around a change where nobody says.
pub const CONTEXT: u32 = 3;

/// What lies between two texts, line by line.
#[derive(Debug)]
pub struct Change<'a> {
    /// The lines as they were, with their ends.
    before: Vec<&'a str>,
    after: Vec<&'a str>,
    hunks: Vec<Hunk>,
    added: u32,
    removed: u32,
}

impl<'a> Change<'a> {
    /// From one text to another. The end of a line belongs to it.
    #[must_use]
    pub fn between(before: &'a str, after: &'a str) -> Self {
        let (before, after) = (lines(before), lines(after));
        let diff = compare(before.iter().copied(), after.iter().copied());
        Self::new(before, after, &diff)
    }

    /// From one text to another, where lines count as equal that differ in white space alone. Such a diff cannot always be
    /// applied.
    #[must_use]
    pub fn besides_white_space(before: &'a str, after: &'a str) -> Self {
        let (before, after) = (lines(before), lines(after));
        let plain = |line: &&str| -> String { line.split_whitespace().collect() };
        let diff = compare(before.iter().map(plain), after.iter().map(plain));
        Self::new(before, after, &diff)
    }

    fn new(before: Vec<&'a str>, after: Vec<&'a str>, diff: &Diff) -> Self {
        Self {
            before,
            after,
            hunks: diff.hunks().collect(),
            added: diff.count_additions(),
            removed: diff.count_removals(),
        }
    }

    /// True where nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hunks.is_empty()
    }

    /// How many lines were added.
    #[must_use]
    pub fn added(&self) -> u32 {
        self.added
    }

    /// How many lines were removed.
    #[must_use]
    pub fn removed(&self) -> u32 {
        self.removed
    }

    /// The unified diff of a file of this name, with so many unchanged lines around each change; empty where nothing differs.
    #[must_use]
    pub fn unified(&self, name: &str, context: u32) -> String {
        let mut text = String::new();
        if self.is_empty() {
            return text;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "--- a/{name}\n+++ b/{name}");
        // Two changes share a piece of context where there is not enough between them for one each.
        let near = context.saturating_mul(2);
        let close =
            |one: &Hunk, next: &Hunk| next.before.start.saturating_sub(one.before.end) <= near;
        for group in self.hunks.chunk_by(close) {
            self.write(&mut text, group, context);
        }
        text
    }

    /// Writes some hunks that lie close together, with the lines around and between them.
    fn write(&self, text: &mut String, hunks: &[Hunk], context: u32) {
        let (Some(first), Some(last)) = (hunks.first(), hunks.last()) else {
            return;
        };
        let lead = first.before.start.min(context);
        let length = u32::try_from(self.before.len()).unwrap_or(u32::MAX);
        let trail = length.saturating_sub(last.before.end).min(context);
        let range = |start: u32, end: u32| header_range(start - lead..end + trail);
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

/// The lines of a text, each with the `\n` at its end; the last one may be without.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn compare<T: AsRef<[u8]> + Default + Eq + Hash>(
    before: impl Iterator<Item = T>,
    after: impl Iterator<Item = T>,
) -> Diff {
    let mut input = InternedInput::default();
    input.update_before(before);
    input.update_after(after);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    diff
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
