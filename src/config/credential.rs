//! Secrets that the configuration names and does not hold.

use std::fmt;
use std::path::PathBuf;

use super::Environment;
use crate::error::{Code, Error, Result};
use crate::fsx;

/// The largest file that a secret is read from.
const MAX_FILE: u64 = 64 << 10;

/// Where a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialSource {
    /// A file with nothing but the secret.
    File(PathBuf),
    /// An environment variable, by name.
    Variable(String),
}

impl CredentialSource {
    /// Reads the secret; white space around it is not part of it.
    ///
    /// # Errors
    /// E3101 or E3004 where the file cannot be read or the variable is not set, and where there is nothing in it or it is
    /// not UTF-8. The error names the place and never what is there.
    pub fn read(&self, environment: &Environment) -> Result<Credential> {
        let text = match self {
            Self::File(path) => fsx::read_text(path, MAX_FILE)?,
            Self::Variable(name) => environment
                .get(name)
                .ok_or_else(|| {
                    Error::new(
                        Code::E3004,
                        format!("reading the variable {name}: it is not set"),
                    )
                    .hint(format!(
                        "Set {name} to the secret, or name a file that holds it."
                    ))
                })?
                .to_str()
                .ok_or_else(|| {
                    Error::new(
                        Code::E3004,
                        format!("reading the variable {name}: it is not UTF-8"),
                    )
                })?
                .to_owned(),
        };
        match text.trim() {
            "" => Err(Error::new(
                Code::E3004,
                format!("reading a secret from {self}: there is none in it"),
            )),
            secret => Ok(Credential(secret.to_owned())),
        }
    }

    /// True for a name that a variable can have.
    #[must_use]
    pub(super) fn is_variable(name: &str) -> bool {
        !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "the variable {name}"),
        }
    }
}

/// A secret of Toolhatch's own, such as the key for a service. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// A secret with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the request it is meant for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_files_and_variables() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("secret");
        fsx::write_atomic(&path, b" s3cret \n", 0o600).expect("written");
        let environment: Environment = [("KEY", "k3y"), ("EMPTY", "  ")].into_iter().collect();
        let read = |source: CredentialSource| source.read(&environment);
        let file = read(CredentialSource::File(path)).expect("there");
        assert_eq!(file.reveal(), "s3cret");
        assert!(!format!("{file:?}").contains("s3cret"));
        let variable = read(CredentialSource::Variable("KEY".to_owned())).expect("set");
        assert_eq!(variable.reveal(), "k3y");
        for (name, why) in [("NONE", "not set"), ("EMPTY", "there is none in it")] {
            let error = read(CredentialSource::Variable(name.to_owned())).expect_err(name);
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let missing = read(CredentialSource::File(folder.path().join("none")));
        assert_eq!(missing.expect_err("missing").code(), Code::E3101);
    }
}
