//! Environment variables, by name. A variable that is not named is absent for the guest, as if it were not set.

use std::fmt;
use std::str::FromStr;

use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::ParseError;

/// The variables one grant or request is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EnvScope {
    /// Every variable; only requests that name none mean this. Written `*`.
    Any,
    /// This one, compared with case.
    Name(String),
}

impl EnvScope {
    /// True where the variable is meant.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::Any => is_name(name),
            Self::Name(ours) => ours == name,
        }
    }
}

impl Meet for EnvScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, scope) | (scope, Self::Any) => Some(scope.clone()),
            (Self::Name(left), Self::Name(right)) => (left == right).then(|| self.clone()),
        }
    }
}

impl FromStr for EnvScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &super::parse_error::Form = Kind::Env.form();
        FORM.check_text(text)?;
        if text == "*" {
            return Ok(Self::Any);
        }
        if is_name(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        let problem = if text.contains('*') {
            "variables are named one by one, without wildcards"
        } else {
            "a name has no spaces, `=` or `;`"
        };
        Err(FORM.error(text, problem))
    }
}

impl fmt::Display for EnvScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// True for names of variables and secrets: printable ASCII without what separates them from other things.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !"=*;,\"'`".contains(c))
}
