//! From measurements to issues: one function for each family of rules.

use crate::code::Code;
use crate::issue::{Issue, Issues, Rule};
use crate::lexer::FaultKind;
use crate::lines::Position;
use crate::metrics::{FunctionMetrics, Metrics};
use crate::thresholds::Thresholds;

/// After this many broken strings, or brackets without a partner, more of them say nothing new: the file is no code.
const MAX_BROKEN: usize = 20;

/// The words that mark a comment as something to be done.
const TODO_WORDS: [&str; 4] = ["TODO", "FIXME", "HACK", "XXX"];

/// How much of a comment is quoted, in characters.
const QUOTED: usize = 100;

/// Makes the issues of one file.
pub struct Rules<'a> {
    /// The file, as it can be opened.
    pub file: &'a str,
    /// Its code.
    pub code: &'a Code<'a>,
    /// Its numbers.
    pub metrics: &'a Metrics,
    /// What is too much.
    pub thresholds: &'a Thresholds,
}

impl Rules<'_> {
    /// Adds all issues of the file but for duplicates, which need the other files.
    pub fn check(&self, issues: &mut Issues) {
        self.faults(issues);
        self.brackets(issues);
        self.conflicts(issues);
        for function in &self.metrics.functions {
            self.function(function, issues);
        }
        self.file_length(issues);
        self.swallowed_errors(issues);
        self.todo_comments(issues);
        self.long_lines(issues);
    }

    fn issue(&self, rule: Rule, position: Position, message: String) -> Issue {
        Issue {
            file: self.file.to_owned(),
            line: position.line,
            column: position.column,
            rule,
            severity: rule.severity(),
            message,
            function: None,
            excess: 1.0,
        }
    }

    fn faults(&self, issues: &mut Issues) {
        for fault in self.code.faults.iter().take(MAX_BROKEN) {
            let (rule, message) = match fault.kind {
                FaultKind::UnterminatedString => {
                    (Rule::UnterminatedString, "this string is never closed")
                }
                FaultKind::UnterminatedCharacter => {
                    (Rule::UnterminatedString, "this character is never closed")
                }
                FaultKind::UnterminatedComment => {
                    (Rule::UnterminatedComment, "this comment is never closed")
                }
                FaultKind::Indentation => (
                    Rule::Indentation,
                    "this line is indented like none of the blocks around it",
                ),
            };
            let position = self.code.lines.position_of(fault.span.start);
            issues.add(self.issue(rule, position, message.to_owned()));
        }
    }

    fn brackets(&self, issues: &mut Issues) {
        // Where a string or comment swallowed the rest of the file, it took the closing brackets with it.
        let is_cut_short = self.code.faults.iter().any(|fault| {
            fault.kind != FaultKind::Indentation && fault.span.end as usize == self.code.text.len()
        });
        let strays = self.code.strays.iter().take(MAX_BROKEN);
        for stray in strays {
            let bracket = self.code.at(stray.token);
            let is_opening = matches!(bracket, "(" | "[" | "{" | "${");
            if is_opening && stray.instead.is_none() && is_cut_short {
                continue;
            }
            let other = stray
                .instead
                .map(|token| (self.code.at(token), self.code.line_of(token)));
            let message = match (is_opening, other) {
                (true, None) => format!("`{bracket}` is never closed"),
                (true, Some((other, line))) => {
                    format!(
                        "`{bracket}` is never closed: `{other}` in line {line} closes what is around it"
                    )
                }
                (false, None) => format!("`{bracket}` closes nothing"),
                (false, Some((other, line))) => {
                    format!("`{bracket}` does not close the `{other}` of line {line}")
                }
            };
            let start = self
                .code
                .tokens
                .get(stray.token)
                .map_or(0, |token| token.span.start);
            let position = self.code.lines.position_of(start);
            issues.add(self.issue(Rule::UnbalancedBracket, position, message));
        }
    }

    fn conflicts(&self, issues: &mut Issues) {
        for (line, text) in self.code.lines.iter().enumerate() {
            let is_marker = text.starts_with("<<<<<<< ") || text.starts_with(">>>>>>> ");
            if is_marker && !self.code.is_in_text(self.code.lines.start_of(line + 1)) {
                let position = Position {
                    line: line + 1,
                    column: 1,
                };
                let message = "a merge left its marker here".to_owned();
                issues.add(self.issue(Rule::MergeConflict, position, message));
            }
        }
    }

    fn function(&self, function: &FunctionMetrics, issues: &mut Issues) {
        let limits = self.thresholds;
        let name = &function.name;
        let checks = [
            (
                Rule::Complexity,
                function.complexity,
                limits.complexity,
                format!(
                    "`{name}` has a cyclomatic complexity of {}",
                    function.complexity
                ),
            ),
            (
                Rule::FunctionLength,
                function.code_lines,
                limits.function_lines,
                format!("`{name}` has {} lines of code", function.code_lines),
            ),
            (
                Rule::Nesting,
                function.nesting,
                limits.nesting,
                format!("`{name}` nests {} levels deep", function.nesting),
            ),
            (
                Rule::Parameters,
                function.parameters,
                limits.parameters,
                format!("`{name}` takes {} parameters", function.parameters),
            ),
        ];
        for (rule, value, limit, message) in checks {
            if value > limit {
                issues.add(Issue {
                    function: Some(name.clone()),
                    excess: excess(value, limit),
                    ..self.issue(
                        rule,
                        function.position,
                        format!("{message}; the limit is {limit}"),
                    )
                });
            }
        }
    }

    fn file_length(&self, issues: &mut Issues) {
        let (lines, limit) = (self.metrics.lines.total, self.thresholds.file_lines);
        if lines > limit {
            let message = format!("the file has {lines} lines; the limit is {limit}");
            let start = Position { line: 1, column: 1 };
            let issue = self.issue(Rule::FileLength, start, message);
            issues.add(Issue {
                excess: excess(lines, limit),
                ..issue
            });
        }
    }

    fn swallowed_errors(&self, issues: &mut Issues) {
        for handler in &self.metrics.control.swallowed {
            let start = self
                .code
                .tokens
                .get(handler.start)
                .map_or(0, |token| token.span.start);
            let first = self.code.lines.line_of(start);
            let last = self.code.last_line_of(handler);
            // A comment there is a reason, and a reason is enough.
            let next = self
                .code
                .comments
                .partition_point(|comment| comment.start < start);
            let reason = self.code.comments.get(next).map(|comment| comment.start);
            let reason_line = reason.map(|start| self.code.lines.line_of(start));
            if !reason_line.is_some_and(|line| (first..=last).contains(&line)) {
                let position = self.code.lines.position_of(start);
                let message = "the error is ignored, and no comment says why".to_owned();
                issues.add(self.issue(Rule::SwallowedError, position, message));
            }
        }
    }

    fn todo_comments(&self, issues: &mut Issues) {
        let docstrings = self.code.docstrings();
        for comment in self.code.comments.iter().copied().chain(docstrings) {
            let text = self.code.slice(comment);
            if let Some(offset) = todo(text) {
                let note = text
                    .get(offset..)
                    .unwrap_or_default()
                    .lines()
                    .next()
                    .unwrap_or_default();
                let note = note.trim_end().trim_end_matches("*/").trim_end();
                let message = note.chars().take(QUOTED).collect();
                let start = comment.start + u32::try_from(offset).unwrap_or_default();
                let position = self.code.lines.position_of(start);
                issues.add(self.issue(Rule::TodoComment, position, message));
            }
        }
    }

    fn long_lines(&self, issues: &mut Issues) {
        let limit = self.thresholds.line_length;
        for (line, text) in self.code.lines.iter().enumerate() {
            // No line has more characters than bytes.
            if text.len() > limit {
                let length = text.chars().count();
                if length > limit {
                    let position = Position {
                        line: line + 1,
                        column: limit + 1,
                    };
                    let message = format!("the line has {length} characters; the limit is {limit}");
                    issues.add(self.issue(Rule::LongLine, position, message));
                }
            }
        }
    }
}

/// How many times over its limit a value is.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn excess(value: usize, limit: usize) -> f64 {
    value as f64 / limit.max(1) as f64
}

/// Where a comment says that something is to be done: one of the words, in capitals and not a part of a longer word.
fn todo(comment: &str) -> Option<usize> {
    let is_word = |char: char| char == '_' || char.is_alphanumeric();
    TODO_WORDS
        .iter()
        .flat_map(|word| comment.match_indices(word))
        .filter(|(offset, word)| {
            let before = comment
                .get(..*offset)
                .and_then(|text| text.chars().next_back());
            let after = comment
                .get(offset + word.len()..)
                .and_then(|text| text.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
        .map(|(offset, _)| offset)
        .min()
}

#[cfg(test)]
mod tests;
