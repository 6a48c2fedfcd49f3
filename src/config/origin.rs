//! Where a value of the configuration came from.

use std::fmt;
use std::path::PathBuf;

/// The layer that set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    BuiltIn,
    /// `[defaults]` of the operator's file.
    SystemDefaults(PathBuf),
    /// The user's file.
    User(PathBuf),
    /// The project's file.
    Project(PathBuf),
    /// An environment variable, by name.
    Variable(&'static str),
    /// A command-line flag, as it is typed.
    Flag(&'static str),
    /// `[enforced]` of the operator's file.
    Enforced(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::SystemDefaults(path) => write!(f, "{} [defaults]", path.display()),
            Self::User(path) | Self::Project(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::Enforced(path) => write!(f, "{} [enforced]", path.display()),
        }
    }
}
