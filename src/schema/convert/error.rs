//! Where a JSON value does not fit a type.

use std::fmt;

use serde_json::Value as Json;

use crate::error::{Code, Error};
use crate::schema::preview::preview;

/// A JSON value that is not of the WIT type it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertError {
    /// Where it is: a JSON Pointer into the value that was read, empty for that value itself.
    pub path: String,
    /// What the type takes there.
    pub expected: String,
    /// What is there: never more than a short preview.
    pub found: String,
    /// What was probably meant, as a sentence.
    pub hint: Option<String>,
}

impl ConvertError {
    /// The value at hand is not what was expected.
    pub(super) fn new(expected: impl Into<String>, found: &Json) -> Self {
        Self {
            path: String::new(),
            expected: expected.into(),
            found: preview(found),
            hint: None,
        }
    }

    /// Says in other words what was found.
    pub(super) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    /// Adds what was probably meant.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error seen from the value that holds the one at hand under `segment`.
    pub(super) fn under(mut self, segment: impl fmt::Display) -> Self {
        let segment = segment.to_string().replace('~', "~0").replace('/', "~1");
        self.path.insert_str(0, &segment);
        self.path.insert(0, '/');
        self
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            let path: String = self.path.chars().filter(|c| !c.is_control()).collect();
            write!(f, "at {path}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for ConvertError {}

impl From<ConvertError> for Error {
    fn from(error: ConvertError) -> Self {
        let mut converted = Self::new(Code::E3301, format!("reading the arguments: {error}"))
            .detail("path", error.path)
            .detail("expected", error.expected)
            .detail("found", error.found);
        if let Some(hint) = error.hint {
            converted = converted.hint(hint);
        }
        converted
    }
}
