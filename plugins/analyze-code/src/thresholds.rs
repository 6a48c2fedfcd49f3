//! What is too much.

use serde::Deserialize;

/// The limits that a call may move. A value is reported where it is greater than its limit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Cyclomatic complexity of a function.
    pub complexity: usize,
    /// Lines of code of a function.
    pub function_lines: usize,
    /// Nesting of conditions and loops.
    pub nesting: usize,
    /// Parameters of a function.
    pub parameters: usize,
    /// Characters of a line.
    pub line_length: usize,
    /// Lines of a file.
    pub file_lines: usize,
    /// Equal tokens that make a duplicate.
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
