//! Regular expressions, as the tools that search take them.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use toolhatch_plugin::{Result, ToolError};

/// How large a compiled pattern may be, in bytes.
const MAX_COMPILED: usize = 4 << 20;

/// A pattern and how it is read.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Pattern {
    /// A regular expression in the syntax of Rust's `regex`: like Perl's, without look-around and back references. It takes
    /// time in proportion to the text, whatever the pattern.
    #[schemars(length(min = 1, max = 4096), example = &r"(?<year>\d{4})-(?<month>\d{2})")]
    pattern: String,
    /// Take the pattern as a text to look for.
    #[serde(default)]
    literal: bool,
    /// Take capital and small letters for the same.
    #[serde(default)]
    ignore_case: bool,
    /// `^` and `$` match at the beginning and end of each line.
    #[serde(default)]
    multi_line: bool,
    /// `.` matches line breaks too.
    #[serde(default)]
    dot_matches_new_line: bool,
}

impl Pattern {
    /// True where it is a text to look for.
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Compiles it.
    ///
    /// # Errors
    /// `invalid-arguments` with what is wrong with it.
    pub fn compile(&self) -> Result<Regex> {
        let escaped;
        let pattern = if self.literal {
            escaped = regex::escape(&self.pattern);
            &escaped
        } else {
            &self.pattern
        };
        RegexBuilder::new(pattern)
            .case_insensitive(self.ignore_case)
            .multi_line(self.multi_line)
            .dot_matches_new_line(self.dot_matches_new_line)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .nest_limit(50)
            .build()
            .map_err(|error| ToolError::invalid_arguments(format!("`pattern`: {error}")))
    }
}
