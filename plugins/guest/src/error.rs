//! Why a tool could not do what it was asked.

use std::fmt;
use std::io;
use std::path::Path;

/// The failures that a tool tells apart: each becomes the `tool-error` case of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolError {
    /// The arguments fit the schema and still make no sense.
    InvalidArguments(String),
    /// The host denied something that the tool cannot do without.
    NotPermitted(String),
    /// What the arguments name does not exist.
    NotFound(String),
    /// It failed, and would fail again.
    Failed(String),
}

impl ToolError {
    /// Turns a failed file operation into the case that fits, with a sentence that names what was being done (`read`,
    /// `list`) and to which path.
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        if is_denial(error) {
            return Self::NotPermitted(format!("not permitted to {action} `{path}`"));
        }
        match error.kind() {
            io::ErrorKind::NotFound => {
                Self::NotFound(format!("cannot {action} `{path}`: it does not exist"))
            }
            _ => Self::Failed(format!("cannot {action} `{path}`: {error}")),
        }
    }
}

/// Says whether the host refused this file operation, rather than the file system failing at it.
pub fn is_denial(error: &io::Error) -> bool {
    /// `ENOTCAPABLE` of WASI preview 1, which the standard library has no kind for: what lies outside of every granted
    /// folder.
    const NOT_CAPABLE: i32 = 76;
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    ) || (cfg!(target_os = "wasi") && error.raw_os_error() == Some(NOT_CAPABLE))
}

impl fmt::Display for ToolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::InvalidArguments(message)
        | Self::NotPermitted(message)
        | Self::NotFound(message)
        | Self::Failed(message)) = self;
        formatter.write_str(message)
    }
}

impl std::error::Error for ToolError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_case() {
        let path = Path::new("/workspace/a");
        let case = |kind| ToolError::io("read", path, &io::Error::from(kind));
        assert_eq!(
            case(io::ErrorKind::PermissionDenied),
            ToolError::NotPermitted("not permitted to read `/workspace/a`".into())
        );
        assert_eq!(
            case(io::ErrorKind::NotFound),
            ToolError::NotFound("cannot read `/workspace/a`: it does not exist".into())
        );
        assert!(matches!(
            case(io::ErrorKind::IsADirectory),
            ToolError::Failed(message) if message.contains("/workspace/a")
        ));
    }
}
