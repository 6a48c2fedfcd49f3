//! What is wrong, where, and how much it weighs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// How bad an issue is. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The code cannot be right as it stands.
    Error,
    /// It is hard to read, to test or to change.
    Warning,
    /// Worth knowing.
    Info,
}

/// The kinds of issues. Their names are part of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A bracket without its partner.
    UnbalancedBracket,
    /// A string, template or character without its end.
    UnterminatedString,
    /// A block comment without its end.
    UnterminatedComment,
    /// A Python line that is indented like none of the blocks around it.
    Indentation,
    /// Markers that a merge left behind.
    MergeConflict,
    /// A function with too many paths through it.
    Complexity,
    /// A function with too many lines.
    FunctionLength,
    /// Conditions and loops nested too deep.
    Nesting,
    /// A function with too many parameters.
    Parameters,
    /// A file with too many lines.
    FileLength,
    /// Code that stands elsewhere already.
    Duplication,
    /// An error that is caught and ignored.
    SwallowedError,
    /// A comment that says that something is to be done.
    TodoComment,
    /// A line that is too long.
    LongLine,
}

impl Rule {
    /// All of them, in order.
    pub const ALL: [Self; 14] = [
        Self::UnbalancedBracket,
        Self::UnterminatedString,
        Self::UnterminatedComment,
        Self::Indentation,
        Self::MergeConflict,
        Self::Complexity,
        Self::FunctionLength,
        Self::Nesting,
        Self::Parameters,
        Self::FileLength,
        Self::Duplication,
        Self::SwallowedError,
        Self::TodoComment,
        Self::LongLine,
    ];

    /// How bad an issue of this kind is.
    pub fn severity(self) -> Severity {
        match self {
            Self::UnbalancedBracket
            | Self::UnterminatedString
            | Self::UnterminatedComment
            | Self::Indentation
            | Self::MergeConflict => Severity::Error,
            Self::Complexity
            | Self::FunctionLength
            | Self::Nesting
            | Self::Parameters
            | Self::FileLength
            | Self::Duplication
            | Self::SwallowedError => Severity::Warning,
            Self::TodoComment | Self::LongLine => Severity::Info,
        }
    }

    /// Its name, as it stands in the result.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnbalancedBracket => "unbalanced-bracket",
            Self::UnterminatedString => "unterminated-string",
            Self::UnterminatedComment => "unterminated-comment",
            Self::Indentation => "indentation",
            Self::MergeConflict => "merge-conflict",
            Self::Complexity => "complexity",
            Self::FunctionLength => "function-length",
            Self::Nesting => "nesting",
            Self::Parameters => "parameters",
            Self::FileLength => "file-length",
            Self::Duplication => "duplication",
            Self::SwallowedError => "swallowed-error",
            Self::TodoComment => "todo-comment",
            Self::LongLine => "long-line",
        }
    }
}

/// One issue.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Issue {
    /// The path, as it can be opened; `<code>` where the code was given.
    pub file: String,
    /// The line, counted from 1.
    #[schemars(range(min = 1))]
    pub line: usize,
    /// The column in characters, counted from 1.
    #[schemars(range(min = 1))]
    pub column: usize,
    /// What kind of issue it is.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The function that the issue is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// How many times over its limit the value is; 1 where there is no limit.
    #[serde(skip)]
    pub excess: f64,
}

impl Issue {
    /// What it takes from the score: 20 points for an error, 5 for a warning, 1 for a note; a value that is several
    /// times over its limit counts as that many warnings, up to four.
    pub fn points(&self) -> f64 {
        match self.severity {
            Severity::Error => 20.0,
            Severity::Warning => 5.0 * self.excess.clamp(1.0, 4.0),
            Severity::Info => 1.0,
        }
    }

    /// Worst first: by severity, by points, by place.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let place = |issue: &Self| (issue.line, issue.column, issue.rule);
        self.severity
            .cmp(&other.severity)
            .then_with(|| other.points().total_cmp(&self.points()))
            .then_with(|| self.file.cmp(&other.file))
            .then_with(|| place(self).cmp(&place(other)))
            .then_with(|| self.message.cmp(&other.message))
    }
}

/// All issues of an analysis: every one is counted, the worst are kept.
#[derive(Debug)]
pub struct Issues {
    keep: usize,
    kept: Vec<Issue>,
    counts: BTreeMap<Rule, usize>,
    points: f64,
}

impl Issues {
    /// Begins a collection that keeps this many.
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            kept: Vec::new(),
            counts: BTreeMap::new(),
            points: 0.0,
        }
    }

    /// Counts an issue, and keeps it unless there are enough that are worse.
    pub fn add(&mut self, issue: Issue) {
        *self.counts.entry(issue.rule).or_default() += 1;
        self.points += issue.points();
        self.kept.push(issue);
        // Sorting now and then bounds the memory at little cost.
        if self.kept.len() > self.keep * 2 + 1_000 {
            self.drop_the_least();
        }
    }

    /// How many there are of each kind, kept or not.
    pub fn counts(&self) -> &BTreeMap<Rule, usize> {
        &self.counts
    }

    /// How many points they take together.
    pub fn points(&self) -> f64 {
        self.points
    }

    /// The issues that are kept, worst first.
    pub fn finish(mut self) -> Vec<Issue> {
        self.drop_the_least();
        self.kept
    }

    fn drop_the_least(&mut self) {
        self.kept.sort_by(Issue::order);
        self.kept.truncate(self.keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(file: &str, line: usize, rule: Rule) -> Issue {
        Issue {
            file: file.into(),
            line,
            column: 1,
            rule,
            severity: rule.severity(),
            message: String::new(),
            function: None,
            excess: 1.0,
        }
    }

    #[test]
    fn the_worst_are_kept_and_all_are_counted() {
        let mut issues = Issues::new(3);
        for line in 0..5_000 {
            issues.add(issue("a", line, Rule::LongLine));
        }
        issues.add(issue("b", 2, Rule::Nesting));
        issues.add(issue("a", 9, Rule::MergeConflict));
        assert_eq!(issues.counts()[&Rule::LongLine], 5_000);
        assert_eq!(issues.points(), 5_025.0);
        let kept: Vec<_> = issues
            .finish()
            .into_iter()
            .map(|issue| (issue.line, issue.rule))
            .collect();
        assert_eq!(
            kept,
            [
                (9, Rule::MergeConflict),
                (2, Rule::Nesting),
                (0, Rule::LongLine)
            ]
        );
    }

    #[test]
    fn far_over_the_limit_counts_more_up_to_a_bound() {
        let over = |excess| {
            Issue {
                excess,
                ..issue("a", 1, Rule::Complexity)
            }
            .points()
        };
        assert_eq!([over(1.0), over(2.5), over(90.0)], [5.0, 12.5, 20.0]);
    }

    #[test]
    fn rules_are_written_as_they_are_named() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
    }
}
