//! Files and folders: an absolute path, which stands for that file, or for that folder and everything below it.
//!
//! Paths are compared component by component, so `/workspace2` is not inside `/workspace`. They come in canonical: the
//! caller resolves symlinks, `..`, case and Unicode forms, of what is granted and of what is opened alike. Writing does
//! not include reading. What a granted folder holds in the way of credentials stays closed, see [`sensitive`].

pub mod sensitive;

use std::fmt;
use std::path::{Path, PathBuf};

use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::ParseError;

/// What is done to a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// Reading it, listing it, looking at its metadata.
    Read,
    /// Creating, changing, renaming, linking or removing it.
    Write,
}

impl Access {
    /// The permission that allows it.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Read => Kind::FileRead,
            Self::Write => Kind::FileWrite,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// Which files one grant or request is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileScope {
    /// Every file; only requests that name no path mean this. Written `*`.
    Any,
    /// That file, or that folder and everything below it. Always as [`FileScope::under`] makes it.
    Under(PathBuf),
}

impl FileScope {
    /// The scope of an absolute, canonical path; `access` names the permission in the error.
    ///
    /// # Errors
    /// Where the path is relative, has `.` or `..`, or is not UTF-8 without control characters (it could not be written).
    pub fn under(path: impl AsRef<Path>, access: Access) -> Result<Self, ParseError> {
        let path = path.as_ref();
        let form = access.kind().form();
        let Some(text) = path.to_str() else {
            return Err(form.error(&path.to_string_lossy(), "it is not valid UTF-8"));
        };
        form.check_text(text)?;
        if !path.is_absolute() {
            return Err(form.error(text, "the path is not absolute"));
        }
        if !is_canonical(path) {
            return Err(form.error(text, "the path has `.` or `..` in it"));
        }
        Ok(Self::Under(path.components().collect()))
    }

    /// Reads `*` or an absolute path; `access` names the permission in the error.
    ///
    /// # Errors
    /// As [`FileScope::under`].
    pub fn parse(text: &str, access: Access) -> Result<Self, ParseError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        Self::under(text, access)
    }

    /// True where the path, absolute and canonical, is the named one or below it. Says nothing about sensitive paths.
    #[must_use]
    pub fn allows(&self, path: &Path) -> bool {
        match self {
            Self::Any => is_canonical(path),
            Self::Under(root) => is_canonical(path) && path.starts_with(root),
        }
    }

    /// The named path.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        match self {
            Self::Any => None,
            Self::Under(root) => Some(root),
        }
    }
}

impl Meet for FileScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, scope) | (scope, Self::Any) => Some(scope.clone()),
            (Self::Under(left), Self::Under(right)) => {
                if left.starts_with(right) {
                    Some(self.clone())
                } else {
                    right.starts_with(left).then(|| other.clone())
                }
            }
        }
    }
}

impl fmt::Display for FileScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Under(root) => write!(f, "{}", root.display()),
        }
    }
}

/// True for absolute paths whose text has no `.` or `..` component and no zero byte. [`Path::components`] would skip a `.`.
pub(crate) fn is_canonical(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.is_absolute()
        && !bytes.contains(&0)
        && bytes
            .split(|byte| *byte == b'/')
            .all(|part| part != b"." && part != b"..")
}
