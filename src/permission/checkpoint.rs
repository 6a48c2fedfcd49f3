//! Checkpoints: granted or not, written `on`.

use std::fmt;
use std::str::FromStr;

use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::{Form, ParseError};

/// Saving and restoring checkpoints of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckpointScope;

impl Meet for CheckpointScope {
    fn meet(&self, _: &Self) -> Option<Self> {
        Some(Self)
    }
}

impl FromStr for CheckpointScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &Form = Kind::Checkpoint.form();
        if text == "on" {
            return Ok(Self);
        }
        FORM.check_text(text)?;
        Err(FORM.error(text, "it is granted or not"))
    }
}

impl fmt::Display for CheckpointScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("on")
    }
}
