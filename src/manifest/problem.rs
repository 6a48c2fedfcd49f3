//! What is wrong with a file a person wrote: every problem with its place, collected and reported together.

use std::fmt;

use serde_json::{Value, json};

use crate::error::{Code, Error};

/// A place in a text; both numbers start at 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, if the format tells.
    pub at: Option<Position>,
    /// The dotted key path, such as `tools[0].risk`; empty for the file as a whole.
    pub key: String,
    /// What is wrong: what was expected and what was found.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// The problems of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    kept: Vec<Problem>,
    /// There were more than are kept.
    overflow: bool,
}

impl Problems {
    /// How many problems are kept and told; more than that is noise from one cause, or a text made to be slow.
    pub const MAX: usize = 50;

    /// No problems yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a problem.
    pub fn add(
        &mut self,
        at: Option<Position>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) {
        if self.is_full() {
            self.overflow = true;
            return;
        }
        let problem = Problem {
            at,
            key: key.into(),
            message: message.into(),
        };
        if !self.kept.contains(&problem) {
            self.kept.push(problem);
        }
    }

    /// Notes those of another look at the same file.
    pub fn extend(&mut self, more: Self) {
        for problem in more.kept {
            self.add(problem.at, problem.key, problem.message);
        }
        self.overflow |= more.overflow;
    }

    /// True where looking for more is of no use.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kept.len() >= Self::MAX
    }

    /// True while nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// One error that names `origin` (the file) and every problem, in the order of the text.
    ///
    /// One problem makes one line, `plugin.toml:3:11: limits.timeout: …`; several make a headline and a line each.
    #[must_use]
    pub fn into_error(mut self, code: Code, origin: &str) -> Error {
        self.kept
            .sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        let list: Vec<Value> = self.kept.iter().map(problem_json).collect();
        let message = match self.kept.as_slice() {
            [] => format!("{origin} is not valid"),
            [one] => match one.at {
                Some(at) => format!("{origin}:{at}: {one}"),
                None => format!("{origin}: {one}"),
            },
            many => {
                let more = if self.overflow { "more than " } else { "" };
                let mut text = format!("{origin} has {more}{} problems", many.len());
                for problem in many {
                    text.push_str("\n  ");
                    if let Some(at) = problem.at {
                        text.push_str(&format!("{at}: "));
                    }
                    text.push_str(&problem.to_string());
                }
                text
            }
        };
        Error::new(code, message)
            .detail("file", origin)
            .detail("problems", list)
    }
}

fn problem_json(problem: &Problem) -> Value {
    json!({
        "key": problem.key,
        "message": problem.message,
        "line": problem.at.map(|at| at.line),
        "column": problem.at.map(|at| at.column),
    })
}

/// The candidate that `written` is most likely a slip of, if any is close enough.
#[must_use]
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        // The beginning of a word is as good as the word; of several the first is the one people mean most.
        let likeness = if written.len() >= 4 && candidate.starts_with(&written) {
            1.0
        } else {
            strsim::jaro_winkler(&written, candidate)
        };
        if likeness >= 0.85 && best.is_none_or(|(best, _)| likeness > best) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_is_one_line_and_several_are_sorted_by_place() {
        let at = |line, column| Some(Position { line, column });
        let mut problems = Problems::new();
        problems.add(at(3, 11), "limits.timeout", "wrong");
        assert_eq!(
            problems
                .clone()
                .into_error(Code::E3105, "p.toml")
                .to_string(),
            "p.toml:3:11: limits.timeout: wrong"
        );
        problems.add(at(1, 2), "name", "wrong too");
        problems.add(at(1, 2), "name", "wrong too");
        assert_eq!(
            problems.into_error(Code::E3105, "p.toml").to_string(),
            "p.toml has 2 problems\n  1:2: name: wrong too\n  3:11: limits.timeout: wrong"
        );
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let mut problems = Problems::new();
        for n in 0..80 {
            problems.add(None, format!("key{n}"), "wrong");
        }
        let text = problems.into_error(Code::E3105, "p.toml").to_string();
        assert!(
            text.starts_with("p.toml has more than 50 problems"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 51);
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let keys = ["timeout", "memory", "file_read", "file_write"];
        assert_eq!(nearest("tiemout", keys), Some("timeout"));
        assert_eq!(nearest("file-read", keys), Some("file_read"));
        assert_eq!(nearest("FileWrite", keys), Some("file_write"));
        assert_eq!(nearest("file", keys), Some("file_read"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
