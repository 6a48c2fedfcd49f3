//! Documents that the host keeps, by id: `notes/today`, `notes/*`, or `*` for every document.

use std::fmt;
use std::str::FromStr;

use super::id_pattern::IdPattern;
use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::ParseError;

/// The documents one grant or request is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentScope(IdPattern);

impl DocumentScope {
    /// Every document.
    #[must_use]
    pub fn everything() -> Self {
        Self(IdPattern::Prefix(String::new()))
    }

    /// True where the document of this id may be used.
    #[must_use]
    pub fn allows(&self, id: &str) -> bool {
        self.0.matches(id)
    }
}

impl Meet for DocumentScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        self.0.meet(&other.0).map(Self)
    }
}

impl FromStr for DocumentScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        IdPattern::parse(text, Kind::Documents.form()).map(Self)
    }
}

impl fmt::Display for DocumentScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
