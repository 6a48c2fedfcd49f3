//! The one error type of the library: a [`Code`] from the table, what was being done, and what to do next.
//!
//! `Display` never contains the source; whoever shows an error walks [`std::error::Error::source`].

mod codes;

use std::fmt;

pub use codes::{Code, Retry, Severity};
use serde_json::{Map, Value};

use crate::exit_code::Exit;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure with a number, a sentence, and a way out.
///
/// The sentence is a lower-case fragment without a final stop that says what was being done, to which thing, and why it
/// did not work. Hints are whole sentences or commands.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: String,
    hints: Vec<String>,
    details: Map<String, Value>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the given code; `message` says what was being done, to which thing, and why it failed.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            hints: Vec::new(),
            details: Map::new(),
            source: None,
        }))
    }

    /// Adds the cause; it is shown after the message, never inside it.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds something the reader can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Adds a machine-readable fact to the JSON form.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(key.to_owned(), value.into());
        self
    }

    /// Puts what was being done in front of the message: `doing: message`.
    #[must_use]
    pub fn while_doing(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// The number and everything that follows from it.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The exit class of the code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.code.exit()
    }

    /// What a person can do: the hints of this error, or the code's own when there are none.
    #[must_use]
    pub fn hints(&self) -> Vec<&str> {
        if self.0.hints.is_empty() {
            return vec![self.0.code.hint()];
        }
        self.0.hints.iter().map(String::as_str).collect()
    }

    /// Machine-readable facts, by key.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    /// The causes, outermost first, as text.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        causes
    }

    /// The JSON form every `--json` output and every `--jsonl` line uses.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("code".into(), self.0.code.name().into());
        object.insert("symbol".into(), self.0.code.symbol().into());
        object.insert("message".into(), self.to_string().into());
        let causes = self.causes();
        if !causes.is_empty() {
            object.insert("causes".into(), causes.into());
        }
        object.insert(
            "hints".into(),
            self.hints().into_iter().map(str::to_owned).collect(),
        );
        object.insert(
            "retryable".into(),
            self.0.code.retry().is_retryable().into(),
        );
        object.insert("exit".into(), self.exit().number().into());
        if !self.0.details.is_empty() {
            object.insert("details".into(), Value::Object(self.0.details.clone()));
        }
        Value::Object(object)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_leaves_the_source_to_the_renderer() {
        let error = Error::new(Code::E3105, "reading plugin.toml")
            .caused_by(std::io::Error::other("disk on fire"));
        assert_eq!(error.to_string(), "reading plugin.toml");
        assert_eq!(error.causes(), ["disk on fire"]);
    }

    #[test]
    fn an_error_without_hints_gives_the_hint_of_its_code() {
        assert_eq!(Error::new(Code::E3402, "x").hints(), [Code::E3402.hint()]);
        assert_eq!(Error::new(Code::E3402, "x").hint("do y").hints(), ["do y"]);
    }
}
