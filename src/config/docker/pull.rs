//! When images are pulled.

use std::fmt;
use std::str::FromStr;

use crate::manifest::document::quoted;

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImagePullPolicy {
    /// Before each start, so that a tag is what it is at its registry.
    Always,
    /// Where it is not here.
    IfNotPresent,
    /// Not at all: what is not here cannot be run.
    Never,
}

impl ImagePullPolicy {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::IfNotPresent => "if-not-present",
            Self::Never => "never",
        }
    }
}

/// The text is not when an image is pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPullPolicy(String);

impl fmt::Display for InvalidPullPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = quoted(&self.0);
        write!(
            f,
            "expected \"always\", \"if-not-present\" or \"never\", found {found}"
        )
    }
}

impl std::error::Error for InvalidPullPolicy {}

impl FromStr for ImagePullPolicy {
    type Err = InvalidPullPolicy;

    /// Reads the word, also as Kubernetes spells it: `IfNotPresent`.
    fn from_str(text: &str) -> Result<Self, InvalidPullPolicy> {
        match text.to_ascii_lowercase().as_str() {
            "always" => Ok(Self::Always),
            "if-not-present" | "ifnotpresent" => Ok(Self::IfNotPresent),
            "never" => Ok(Self::Never),
            _ => Err(InvalidPullPolicy(text.to_owned())),
        }
    }
}
