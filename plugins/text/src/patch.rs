//! `patch`: applies a unified diff.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, tool};

use crate::hunk::{Hunk, parse};
use crate::lines::{MAX_TEXT, lines};

/// How many lines are compared at most to find out where hunks belong.
const MAX_WORK: usize = 50_000_000;
/// How many hunks that do not fit are told.
const MAX_TOLD: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"text": "a\nb\n", "patch": "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"}))]
pub struct Arguments {
    /// The text to change.
    #[schemars(length(max = MAX_TEXT))]
    text: String,
    /// A unified diff of one file. Its head, with the names of files, may be left out.
    #[schemars(length(min = 1, max = MAX_TEXT), example = &"@@ -1 +1 @@\n-a\n+b\n")]
    patch: String,
    /// How many lines at the edges of a hunk's context may differ.
    #[serde(default)]
    #[schemars(range(max = 3))]
    fuzz: usize,
    /// Undo the patch instead.
    #[serde(default)]
    reverse: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Patched {
    /// The text as the patch leaves it.
    text: String,
    /// Where each hunk was applied, in their order.
    hunks: Vec<Applied>,
}

/// How a hunk was applied.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Applied {
    /// The line of the text that it begins at, counted from 1.
    line: usize,
    /// How many lines that is behind where its header says; before it, where it is negative.
    offset: i64,
    /// How many lines at the edges of its context were not looked at.
    fuzz: usize,
}

/// Applies a unified diff to a text. Hunks are looked for where their headers say, and then further away. All of them are
/// applied, or none.
///
/// # Errors
/// `invalid-arguments` for what is no unified diff of one text; `failed` with each hunk that does not fit.
#[tool]
pub fn patch(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Patched>> {
    let text = &arguments.text;
    // A patch that went through a program with other line ends still means the same.
    let patch = match (text.contains("\r\n"), arguments.patch.contains("\r\n")) {
        (true, false) => arguments.patch.replace('\n', "\r\n"),
        (false, true) => arguments.patch.replace("\r\n", "\n"),
        _ => arguments.patch,
    };
    let hunks = parse(&patch, arguments.reverse).map_err(|problem| {
        ToolError::invalid_arguments(format!("`patch` cannot be read: {problem}"))
    })?;
    let lines = lines(text);
    let mut search = Search {
        lines: &lines,
        fuzz: arguments.fuzz,
        work: 0,
    };
    let (places, misfits) = search.places(&hunks);
    if search.work > MAX_WORK {
        return Err(ToolError::failed(
            "it takes too long to find where the hunks belong; give a patch whose line numbers are right",
        ));
    }
    if let Some(first) = misfits.first() {
        let told = misfits.len().min(MAX_TOLD);
        let more = if misfits.len() > told { "; …" } else { "" };
        let list: Vec<&str> = misfits.iter().take(told).map(String::as_str).collect();
        let list = if misfits.len() == 1 {
            first.clone()
        } else {
            list.join("; ")
        };
        return Err(ToolError::failed(format!(
            "{} of {} hunks do not fit, so nothing was changed: {list}{more}",
            misfits.len(),
            hunks.len()
        )));
    }
    let patched = Patched {
        text: apply(&lines, &hunks, &places),
        hunks: places.into_iter().map(|place| place.applied).collect(),
    };
    if patched.text.len() > 2 * MAX_TEXT {
        return Err(ToolError::failed("the text would become too long"));
    }
    let text = patched.text.clone();
    Ok(Reply::new(patched).text(text))
}

/// Where a hunk belongs.
struct Place {
    /// The first line that is replaced, counted from 0.
    start: usize,
    /// How many lines of context are left as they are, before and after.
    trimmed: (usize, usize),
    applied: Applied,
}

struct Search<'a> {
    lines: &'a [&'a str],
    fuzz: usize,
    /// How many lines were compared.
    work: usize,
}

impl Search<'_> {
    /// Where the hunks belong, and why some do not.
    fn places(&mut self, hunks: &[Hunk]) -> (Vec<Place>, Vec<String>) {
        let mut places: Vec<Place> = Vec::new();
        let mut misfits = Vec::new();
        let mut free = 0;
        let mut drift = 0_i64;
        for (index, hunk) in hunks.iter().enumerate() {
            let old = hunk.old();
            let expected = add(hunk.start, drift);
            if let Some(place) = self.place(hunk, &old, expected, free) {
                drift = distance(hunk.start, place.applied.line.saturating_sub(1));
                free = place.start + old.len() - place.trimmed.0 - place.trimmed.1;
                places.push(place);
            } else if self.work > MAX_WORK {
                break;
            } else {
                misfits.push(self.misfit(index, hunk, &old, expected, free));
            }
        }
        (places, misfits)
    }

    fn place(&mut self, hunk: &Hunk, old: &[&str], expected: usize, free: usize) -> Option<Place> {
        let (before, after) = hunk.context();
        for fuzz in 0..=self.fuzz.min(before.max(after)) {
            let trimmed = (
                fuzz.min(before),
                fuzz.min(after.min(old.len() - fuzz.min(before))),
            );
            let kept = old.get(trimmed.0..old.len() - trimmed.1)?;
            let wanted = expected + trimmed.0;
            if let Some(start) = self.find(kept, wanted, free) {
                let line = start.saturating_sub(trimmed.0) + 1;
                return Some(Place {
                    start,
                    trimmed,
                    applied: Applied {
                        line,
                        offset: distance(hunk.start, line - 1),
                        fuzz,
                    },
                });
            }
        }
        None
    }

    /// The place nearest to the wanted one, and not before the free ones, where these lines are.
    fn find(&mut self, wanted: &[&str], near: usize, free: usize) -> Option<usize> {
        let last = self.lines.len().checked_sub(wanted.len())?;
        if wanted.is_empty() {
            // There is nothing to look for: the header has to be right.
            return (free..=last).contains(&near).then_some(near);
        }
        if free > last {
            return None;
        }
        let near = near.clamp(free, last);
        for away in 0..=(near - free).max(last - near) {
            if self.work > MAX_WORK {
                return None;
            }
            let below = near
                .checked_sub(away)
                .filter(|start| *start >= free && away > 0);
            let above = Some(near + away).filter(|start| *start <= last);
            for start in [above, below].into_iter().flatten() {
                if self.is_at(wanted, start) {
                    return Some(start);
                }
            }
        }
        None
    }

    fn is_at(&mut self, wanted: &[&str], start: usize) -> bool {
        let lines = self.lines.get(start..).unwrap_or_default();
        for (line, wanted) in lines.iter().zip(wanted) {
            self.work += 1;
            if line != wanted {
                return false;
            }
        }
        true
    }

    /// Says why a hunk does not fit, by the first line that differs where it should be.
    fn misfit(
        &self,
        index: usize,
        hunk: &Hunk,
        old: &[&str],
        expected: usize,
        free: usize,
    ) -> String {
        let number = index + 1;
        let line = hunk.start + 1;
        if expected < free {
            return format!(
                "hunk {number} (line {line}) overlaps the one before it, or is not in order"
            );
        }
        let found = self.lines.get(expected..).unwrap_or_default();
        let differs = old
            .iter()
            .zip(found.iter().map(Some).chain(std::iter::repeat(None)))
            .enumerate()
            .find(|(_, (wanted, found))| found.is_none_or(|found| found != *wanted));
        match differs {
            Some((offset, (wanted, Some(found)))) if found.trim_end() == wanted.trim_end() => {
                format!(
                    "hunk {number} (line {line}): line {} differs in white space at its end or in its line end",
                    expected + offset + 1
                )
            }
            Some((offset, (wanted, Some(found)))) => format!(
                "hunk {number} (line {line}) expects line {} to be `{}`, and it is `{}`",
                expected + offset + 1,
                shown(wanted),
                shown(found)
            ),
            Some((_, (wanted, None))) => format!(
                "hunk {number} (line {line}) expects `{}` behind the end of the text, which has {} lines",
                shown(wanted),
                self.lines.len()
            ),
            None => format!(
                "hunk {number} (line {line}) is to be inserted behind line {}, and the text has {} lines",
                hunk.start,
                self.lines.len()
            ),
        }
    }
}

/// The text with all hunks at their places.
fn apply(lines: &[&str], hunks: &[Hunk], places: &[Place]) -> String {
    let mut text = String::new();
    let mut at = 0;
    for (hunk, place) in hunks.iter().zip(places) {
        text.extend(
            lines
                .get(at..place.start)
                .unwrap_or_default()
                .iter()
                .copied(),
        );
        let (before, after) = place.trimmed;
        let new = hunk.new_lines();
        text.extend(
            new.get(before..new.len() - after)
                .unwrap_or_default()
                .iter()
                .copied(),
        );
        at = place.start + hunk.old().len() - before - after;
    }
    text.extend(lines.get(at..).unwrap_or_default().iter().copied());
    text
}

/// A line for a message.
fn shown(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    let mut shown: String = line.chars().take(60).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

fn add(line: usize, drift: i64) -> usize {
    let line = i64::try_from(line).unwrap_or(i64::MAX);
    usize::try_from(line.saturating_add(drift)).unwrap_or_default()
}

fn distance(from: usize, to: usize) -> i64 {
    let as_signed = |line: usize| i64::try_from(line).unwrap_or(i64::MAX);
    as_signed(to) - as_signed(from)
}

#[cfg(test)]
mod tests;
