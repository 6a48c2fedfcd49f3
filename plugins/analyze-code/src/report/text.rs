//! The answer as a text.

use std::fmt::Write as _;

use super::Report;
use crate::issue::Severity;

/// How many issues the text lists; all of them are in the structured result.
const ISSUES: usize = 25;

/// How many files that were left out the text lists.
const SKIPPED: usize = 5;

impl Report {
    /// A summary for people and agents: the score, the numbers, the worst issues.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let totals = &self.totals;
        match self.score {
            None => writeln!(text, "No source file of a known language was analysed.")?,
            Some(score) => {
                writeln!(
                    text,
                    "Score {score} of 100: {}, {}, {}.",
                    counted(self.counts.error, "error"),
                    counted(self.counts.warning, "warning"),
                    counted(self.counts.info, "note")
                )?;
                writeln!(
                    text,
                    "{}, {} ({} code, {} comment, {} blank), {}, highest complexity {}.",
                    counted(totals.files, "file"),
                    counted(totals.lines, "line"),
                    totals.code_lines,
                    totals.comment_lines,
                    totals.blank_lines,
                    counted(totals.functions, "function"),
                    totals.max_complexity
                )?;
            }
        }
        self.write_issues(text)?;
        self.write_skipped(text)
    }

    fn write_issues(&self, text: &mut String) -> std::fmt::Result {
        if !self.issues.is_empty() {
            writeln!(text)?;
        }
        for issue in self.issues.iter().take(ISSUES) {
            let severity = match issue.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "note",
            };
            let rule = issue.rule.name();
            let (file, line, column) = (&issue.file, issue.line, issue.column);
            writeln!(
                text,
                "{severity:<7} {file}:{line}:{column} {rule}: {}",
                issue.message
            )?;
        }
        let shown = self.issues.len().min(ISSUES);
        let more = self.issues.len() - shown + self.counts.omitted_issues;
        if more > 0 {
            writeln!(text, "… and {more} more.")?;
        }
        Ok(())
    }

    fn write_skipped(&self, text: &mut String) -> std::fmt::Result {
        if !self.skipped.is_empty() {
            writeln!(text, "\nLeft out:")?;
        }
        for skipped in self.skipped.iter().take(SKIPPED) {
            writeln!(text, "  {}: {}", skipped.file, skipped.reason.text())?;
        }
        let more = self.skipped.len().saturating_sub(SKIPPED);
        if more > 0 {
            writeln!(text, "  … and {more} more.")?;
        }
        if self.truncated {
            writeln!(
                text,
                "There are more files than one call looks at; narrow it with `path` or `glob`."
            )?;
        }
        Ok(())
    }
}

/// `1 file`, `2 files`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
