//! What a person is told about a scope that cannot be read: which text, what is wrong, how it is written, an example.

use std::fmt;

use super::text;
use crate::error::{Code, Error};

/// The longest scope text that is read, in bytes.
pub const MAX_SCOPE_TEXT: usize = 4096;

/// How one kind of text is written; the part of a [`ParseError`] that is the same every time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// What the text should have been, such as `network_tcp scope`.
    pub(crate) what: &'static str,
    /// The syntax.
    pub(crate) write: &'static str,
    /// A text that is valid.
    pub(crate) example: &'static str,
}

impl Form {
    /// The error of a text that breaks this form.
    pub(crate) fn error(&self, text: &str, problem: impl Into<String>) -> ParseError {
        ParseError {
            what: self.what,
            write: self.write,
            example: self.example,
            text: text::shown(text),
            problem: problem.into(),
        }
    }

    /// Refuses texts that no form allows: empty, too long, or with control characters.
    pub(crate) fn check_text(&self, text: &str) -> Result<(), ParseError> {
        if text.is_empty() {
            return Err(self.error(text, "it is empty"));
        }
        if text.len() > MAX_SCOPE_TEXT {
            return Err(self.error(text, format!("it is longer than {MAX_SCOPE_TEXT} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(self.error(text, "it has a control character"));
        }
        Ok(())
    }
}

/// A text that is not a valid scope, host, glob, permission or `--allow` value.
///
/// `Display` says which text, what is wrong with it, how it is written, and gives an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    what: &'static str,
    write: &'static str,
    example: &'static str,
    text: String,
    problem: String,
}

impl ParseError {
    /// What is wrong, without the text and the example.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The error with a code, for the place that knows whether the text came from a command line or a manifest.
    #[must_use]
    pub fn into_error(self, code: Code) -> Error {
        Error::new(
            code,
            format!(
                "`{}` is not a valid {}: {}",
                self.text, self.what, self.problem
            ),
        )
        .hint(format!(
            "Write {}, for example `{}`.",
            self.write, self.example
        ))
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            write,
            example,
            text,
            problem,
        } = self;
        write!(
            f,
            "`{text}` is not a valid {what}: {problem}; write {write}, for example `{example}`"
        )
    }
}

impl std::error::Error for ParseError {}
