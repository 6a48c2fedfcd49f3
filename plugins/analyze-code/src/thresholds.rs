//! What is too much.

use schemars::JsonSchema;
use serde::Deserialize;

/// The limits that a call may move. A value is reported where it is greater than its limit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Cyclomatic complexity of a function.
    #[schemars(range(min = 1, max = 10_000))]
    pub complexity: usize,
    /// Lines of a function that have code on them.
    #[schemars(range(min = 1, max = 100_000))]
    pub function_lines: usize,
    /// How deep conditions and loops may nest in a function.
    #[schemars(range(min = 1, max = 100))]
    pub nesting: usize,
    /// Parameters of a function; a receiver such as `self` does not count.
    #[schemars(range(max = 1000))]
    pub parameters: usize,
    /// Characters of a line.
    #[schemars(range(min = 20, max = 100_000))]
    pub line_length: usize,
    /// Lines of a file.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub file_lines: usize,
    /// Equal tokens in a row, over five lines or more, that make a duplicate.
    #[schemars(range(min = 20, max = 100_000))]
    pub duplicate_tokens: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            complexity: 15,
            function_lines: 80,
            nesting: 4,
            parameters: 6,
            line_length: 120,
            file_lines: 1_000,
            duplicate_tokens: 100,
        }
    }
}
