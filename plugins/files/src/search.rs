//! `search`: lines that match, below a folder or in a file.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use regex_lite::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Context as _, Reply, Result, ToolError, log, progress, tool};
use tree::{Glob, Kind, Walk};

use crate::list::{Unreadable, parse_glob};
use crate::open::read_whole;

/// How many files one call looks into.
const MAX_FILES: usize = 20_000;

/// Larger files are left out.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// How many bytes one call searches.
const MAX_TOTAL_BYTES: usize = 64 * 1024 * 1024;

/// How much of a line is returned, in characters.
const MAX_LINE: usize = 500;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"pattern": r"unwrap\(\)", "path": "/workspace/src", "glob": "*.rs", "context": 2}),
    example = serde_json::json!({"pattern": "a.b(c)", "literal": true})
)]
pub struct Arguments {
    /// A regular expression (Perl-like, without look-around and back-references), matched against each line; or a text, see
    /// `literal`.
    #[schemars(length(min = 1, max = 4096), example = &r"fn \w+_test", example = &"TODO")]
    pattern: String,
    /// A folder, or a single file, under the name it was granted: usually /workspace or below.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 4096), example = &"/workspace", example = &"/workspace/src/main.rs")]
    path: String,
    /// Take `pattern` as it stands; faster.
    #[serde(default)]
    literal: bool,
    /// Let `a` match `A`.
    #[serde(default)]
    ignore_case: bool,
    /// Only what matches: `*.rs` looks at names, `src/**/*.rs` at paths below the folder.
    #[schemars(length(min = 1, max = 1024), example = &"*.rs", example = &"src/**/*.{ts,tsx}")]
    glob: Option<String>,
    /// Also go into hidden folders, and into those named target, node_modules, __pycache__ or vendor.
    #[serde(default)]
    all: bool,
    /// How many lines to return before and after each match.
    #[serde(default)]
    #[schemars(range(max = 20))]
    context: usize,
    /// After this many matching lines the search ends.
    #[serde(default = "default_max_matches")]
    #[schemars(range(min = 1, max = 5000))]
    max_matches: usize,
}

fn default_path() -> String {
    "/workspace".to_owned()
}

fn default_max_matches() -> usize {
    100
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Found {
    /// Matching lines, file by file.
    matches: Vec<Match>,
    /// Text files that were searched.
    files_searched: usize,
    /// Files with at least one match.
    files_with_matches: usize,
    /// Files that were left out.
    skipped: Skipped,
    /// True where the search ended early: at `max_matches`, 20000 files or 64 MiB.
    truncated: bool,
    /// What could not be looked into.
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Match {
    path: String,
    /// Counted from 1.
    #[schemars(range(min = 1))]
    line: usize,
    /// Of the first match in the line, in characters, counted from 1.
    #[schemars(range(min = 1))]
    column: usize,
    /// The line; of one longer than 500 bytes, 500 characters around the match.
    text: String,
    /// Lines before it, see `context`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before: Vec<String>,
    /// Lines after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    after: Vec<String>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Skipped {
    /// Files that are not UTF-8 text.
    binary: usize,
    /// Files larger than 8 MiB.
    too_large: usize,
}

/// Searches the lines of a file, or of all text files below a folder, for a regular expression or a literal text; returns
/// matching lines with their place and some lines around them.
///
/// # Errors
/// `not-found` and `not-permitted` for the path itself; `invalid-arguments` for a broken pattern or glob.
#[tool]
pub fn search(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Found>> {
    let pattern = Pattern::of(&arguments)?;
    let glob = parse_glob(arguments.glob.as_deref())?;
    let root = Path::new(&arguments.path);
    let metadata =
        fs::metadata(root).with_context(|| format!("cannot search `{}`", arguments.path))?;
    let mut search = Search {
        arguments: &arguments,
        pattern,
        found: Found::default(),
        bytes: 0,
    };
    if metadata.is_dir() {
        search.folder(root, glob.as_ref())?;
    } else {
        let bytes = read_whole("search", &arguments.path, MAX_FILE_BYTES)?;
        search.bytes(&arguments.path, bytes);
    }
    let found = search.found;
    let text = found.text();
    Ok(Reply::new(found).text(text))
}

/// What is looked for in each line.
enum Pattern {
    /// A text as it stands, found much faster than an expression.
    Literal(String),
    /// A regular expression.
    Regex(Regex),
}

impl Pattern {
    fn of(arguments: &Arguments) -> Result<Self> {
        let text = &arguments.pattern;
        if arguments.literal && !arguments.ignore_case {
            return Ok(Self::Literal(text.clone()));
        }
        let escaped = arguments.literal.then(|| regex_lite::escape(text));
        RegexBuilder::new(escaped.as_ref().unwrap_or(text))
            .case_insensitive(arguments.ignore_case)
            .build()
            .map(Self::Regex)
            .map_err(|error| {
                ToolError::InvalidArguments(format!(
                    "`pattern` is no regular expression: {error}; set `literal` to search for it as it stands"
                ))
            })
    }

    /// Where the pattern is found first, as a byte offset.
    fn find(&self, line: &str) -> Option<usize> {
        match self {
            Self::Literal(text) => line.find(text),
            Self::Regex(regex) => regex.find(line).map(|found| found.start()),
        }
    }
}

struct Search<'a> {
    arguments: &'a Arguments,
    pattern: Pattern,
    found: Found,
    bytes: usize,
}

impl Search<'_> {
    fn folder(&mut self, root: &Path, glob: Option<&Glob>) -> Result<()> {
        let walk = Walk {
            depth: usize::MAX,
            everything: self.arguments.all,
            max_entries: MAX_FILES,
        };
        let walked = walk
            .run(root, |entry| {
                entry.kind == Kind::File && glob.is_none_or(|glob| glob.matches(&entry.relative))
            })
            .with_context(|| format!("cannot search `{}`", root.display()))?;
        self.found.truncated = walked.truncated;
        for trouble in &walked.troubles {
            self.found
                .unreadable
                .push(Unreadable::new(&trouble.path, &trouble.error));
        }
        let count = walked.entries.len();
        for (done, entry) in walked.entries.iter().enumerate() {
            let path = entry.path.display().to_string();
            progress::report(done, count, &path);
            if self.is_full() {
                self.found.truncated = true;
                break;
            }
            match read_unless_large(&entry.path) {
                Ok(Some(bytes)) => self.bytes(&path, bytes),
                Ok(None) => self.found.skipped.too_large += 1,
                Err(error) => self.unreadable(&entry.path, &error),
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        log::warn!("cannot read {}: {error}", path.display());
        self.found.unreadable.push(Unreadable::new(path, error));
    }

    fn is_full(&self) -> bool {
        self.bytes >= MAX_TOTAL_BYTES || self.found.matches.len() >= self.arguments.max_matches
    }

    /// Searches what was read of one file.
    fn bytes(&mut self, path: &str, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        let text = match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => text,
            _ => {
                self.found.skipped.binary += 1;
                return;
            }
        };
        self.found.files_searched += 1;
        let lines: Vec<&str> = text.lines().collect();
        let mut any = false;
        for (index, line) in lines.iter().enumerate() {
            let Some(start) = self.pattern.find(line) else {
                continue;
            };
            if self.found.matches.len() >= self.arguments.max_matches {
                self.found.truncated = true;
                break;
            }
            any = true;
            let context = self.arguments.context;
            let around = |range: std::ops::Range<usize>| {
                let lines = lines.get(range).unwrap_or_default();
                lines.iter().map(|line| shorten(line, 0)).collect()
            };
            self.found.matches.push(Match {
                path: path.to_owned(),
                line: index + 1,
                column: line.get(..start).unwrap_or_default().chars().count() + 1,
                text: shorten(line, start),
                before: around(index.saturating_sub(context)..index),
                after: around(index + 1..(index + 1 + context).min(lines.len())),
            });
        }
        self.found.files_with_matches += usize::from(any);
    }
}

/// The content of a file, unless it is too large.
fn read_unless_large(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_FILE_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A line as it is, or of a long one the part around `start` (a byte offset).
fn shorten(line: &str, start: usize) -> String {
    if line.len() <= MAX_LINE {
        return line.to_owned();
    }
    let before = line.get(..start).unwrap_or_default();
    let lead = before
        .chars()
        .rev()
        .take(MAX_LINE / 5)
        .map(char::len_utf8)
        .sum::<usize>();
    let first = start - lead;
    let rest = line.get(first..).unwrap_or_default();
    let part: String = rest.chars().take(MAX_LINE).collect();
    let front = if first > 0 { "…" } else { "" };
    let back = if part.len() < rest.len() { "…" } else { "" };
    format!("{front}{part}{back}")
}

impl Found {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for found in &self.matches {
            let has_context = !found.before.is_empty() || !found.after.is_empty();
            if has_context && !lines.is_empty() {
                lines.push("--".to_owned());
            }
            let first = found.line - found.before.len();
            for (number, line) in (first..).zip(&found.before) {
                lines.push(format!("{}-{number}- {line}", found.path));
            }
            lines.push(format!(
                "{}:{}:{}: {}",
                found.path, found.line, found.column, found.text
            ));
            for (number, line) in (found.line + 1..).zip(&found.after) {
                lines.push(format!("{}-{number}- {line}", found.path));
            }
        }
        if lines.is_empty() {
            lines.push(format!("no match in {} files", self.files_searched));
        }
        if self.truncated {
            lines.push(
                "[not everything was searched or listed: narrow it with `path` or `glob`]"
                    .to_owned(),
            );
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
