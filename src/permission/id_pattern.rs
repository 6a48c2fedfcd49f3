//! Ids, whole or by how they begin: the pattern behind `tool_invoke` and `documents`.

use std::fmt;

use super::meet::Meet;
use super::parse_error::{Form, ParseError};

/// One id, or all ids that begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum IdPattern {
    /// Exactly this id.
    Exact(String),
    /// `PREFIX*`; the empty prefix is every id.
    Prefix(String),
}

impl IdPattern {
    pub(crate) fn parse(text: &str, form: &Form) -> Result<Self, ParseError> {
        form.check_text(text)?;
        let (prefix, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if prefix.contains('*') {
            return Err(form.error(text, "`*` stands only at the end"));
        }
        if prefix.contains(char::is_whitespace) {
            return Err(form.error(text, "it has a space"));
        }
        let prefix = prefix.to_owned();
        Ok(if is_prefix {
            Self::Prefix(prefix)
        } else {
            Self::Exact(prefix)
        })
    }

    pub(crate) fn matches(&self, id: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == id,
            Self::Prefix(prefix) => id.starts_with(prefix.as_str()),
        }
    }

    pub(crate) fn is_everything(&self) -> bool {
        matches!(self, Self::Prefix(prefix) if prefix.is_empty())
    }
}

impl Meet for IdPattern {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Exact(id), pattern) | (pattern, Self::Exact(id)) => {
                pattern.matches(id).then(|| Self::Exact(id.clone()))
            }
            (Self::Prefix(left), Self::Prefix(right)) => {
                if left.starts_with(right.as_str()) {
                    Some(self.clone())
                } else {
                    right.starts_with(left.as_str()).then(|| other.clone())
                }
            }
        }
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(id) => f.write_str(id),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}
