//! Calls of other tools, by tool id: `files.read`, `files.re*`, `files.*`, or `*` for every tool.
//!
//! The source must be written out before a `*`: `git*` would also name `github-look-alike.push`.

use std::fmt;
use std::str::FromStr;

use super::id_pattern::IdPattern;
use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::{Form, ParseError};

/// The tools one grant or request is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolInvokeScope(IdPattern);

impl ToolInvokeScope {
    /// Every tool.
    #[must_use]
    pub fn everything() -> Self {
        Self(IdPattern::Prefix(String::new()))
    }

    /// True where the tool of this id, `source.tool`, may be called.
    #[must_use]
    pub fn allows(&self, tool_id: &str) -> bool {
        self.0.matches(tool_id)
    }
}

impl Meet for ToolInvokeScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        self.0.meet(&other.0).map(Self)
    }
}

impl FromStr for ToolInvokeScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &Form = Kind::ToolInvoke.form();
        let pattern = IdPattern::parse(text, FORM)?;
        let has_both_parts = text.split_once('.').is_some_and(|(source, tool)| {
            !source.is_empty() && !tool.is_empty() && !source.contains('*')
        });
        if pattern.is_everything() || has_both_parts {
            return Ok(Self(pattern));
        }
        Err(FORM.error(text, "a tool id is a source, a dot and a tool"))
    }
}

impl fmt::Display for ToolInvokeScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
