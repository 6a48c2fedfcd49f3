//! Why a tool could not do what it was asked.

use std::error::Error;
use std::fmt::{self, Display};
use std::io;
use std::time::Duration;

use crate::bindings::toolhatch::plugin::types::{self, RetryAdvice};
use crate::{Questions, Result, exec, http, invoke, state};

/// The failures that a tool tells apart, each with a sentence for whoever called it.
///
/// Every error of a library becomes one with `?`. Those of this crate and of the standard library keep their meaning,
/// wherever they stand in the chain of causes: what the host denied is [`NotPermitted`](Self::NotPermitted), a file that
/// is not there is [`NotFound`](Self::NotFound), a connection that broke is [`Retryable`](Self::Retryable). All others are
/// [`Failed`](Self::Failed). [`Context`] says what was being done.
///
/// ```
/// use toolhatch_plugin::{Context as _, Result, ToolError};
///
/// fn count_lines(path: &str) -> Result<usize> {
///     let text = std::fs::read_to_string(path).context(format!("reading {path}"))?;
///     Ok(text.lines().count())
/// }
///
/// let error = count_lines("/there/is/no/such/file").unwrap_err();
/// assert!(matches!(error, ToolError::NotFound(_)));
/// assert_eq!(error.to_string(), "reading /there/is/no/such/file: it does not exist");
/// ```
// It does not implement `Error`: it could not be made from all errors then.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToolError {
    /// The arguments fit the schema and still make no sense.
    InvalidArguments(String),
    /// The host denied something that the tool cannot do without.
    NotPermitted(String),
    /// What the arguments name does not exist.
    NotFound(String),
    /// It failed, and would fail again.
    Failed(String),
    /// It failed, and may work when tried again.
    Retryable {
        /// What went wrong.
        message: String,
        /// When to try again, where that is known.
        after: Option<Duration>,
    },
    /// No failure: the tool needs answers first, and will be called again with them. See [`Call::ask`](crate::Call::ask).
    NeedsInput(Box<Questions>),
}

impl ToolError {
    /// The arguments fit the schema and still make no sense.
    pub fn invalid_arguments(message: impl Into<String>) -> Self {
        Self::InvalidArguments(message.into())
    }

    /// The host denied something that the tool cannot do without.
    pub fn not_permitted(message: impl Into<String>) -> Self {
        Self::NotPermitted(message.into())
    }

    /// What the arguments name does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    /// It failed, and would fail again.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// It failed, and may work when tried again, after this time where it is known.
    pub fn retryable(message: impl Into<String>, after: impl Into<Option<Duration>>) -> Self {
        Self::Retryable {
            message: message.into(),
            after: after.into(),
        }
    }

    /// Puts what was being done before the message. The kind of the error stays what it is.
    #[must_use]
    pub fn context(mut self, doing: impl Display) -> Self {
        match &mut self {
            Self::InvalidArguments(message)
            | Self::NotPermitted(message)
            | Self::NotFound(message)
            | Self::Failed(message)
            | Self::Retryable { message, .. } => *message = format!("{doing}: {message}"),
            Self::NeedsInput(_) => {}
        }
        self
    }

    /// What the host is told: questions, or a failure. For what is written with [`bindings`](crate::bindings).
    ///
    /// # Errors
    /// The failure.
    pub fn into_host(self) -> Result<types::InputNeeded, types::ToolError> {
        Err(match self {
            Self::InvalidArguments(message) => types::ToolError::InvalidArguments(message),
            Self::NotPermitted(message) => types::ToolError::NotPermitted(message),
            Self::NotFound(message) => types::ToolError::NotFound(message),
            Self::Failed(message) => types::ToolError::Failed(message),
            Self::Retryable { message, after } => types::ToolError::Retryable(RetryAdvice {
                message,
                after_ms: after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            }),
            Self::NeedsInput(questions) => return Ok((*questions).into()),
        })
    }
}

impl Display for ToolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArguments(message)
            | Self::NotPermitted(message)
            | Self::NotFound(message)
            | Self::Failed(message)
            | Self::Retryable { message, .. } => formatter.write_str(message),
            Self::NeedsInput(_) => formatter.write_str("answers are needed first"),
        }
    }
}

impl<E: Error + 'static> From<E> for ToolError {
    fn from(error: E) -> Self {
        let mut message = String::new();
        let mut known = None;
        let mut next: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(cause) = next {
            // A cause that is told apart is told in its own words.
            known = known.or_else(|| recognise(cause));
            let text = match &known {
                Some(known) => known.to_string(),
                None => cause.to_string(),
            };
            // Many errors repeat their cause in their own text.
            if !message.ends_with(&text) {
                if !message.is_empty() {
                    message.push_str(": ");
                }
                message.push_str(&text);
            }
            if known.is_some() {
                break;
            }
            next = cause.source();
        }
        match known {
            Some(Self::InvalidArguments(_)) => Self::InvalidArguments(message),
            Some(Self::NotPermitted(_)) => Self::NotPermitted(message),
            Some(Self::NotFound(_)) => Self::NotFound(message),
            Some(Self::Retryable { after, .. }) => Self::Retryable { message, after },
            _ => Self::Failed(message),
        }
    }
}

/// The error of an error whose meaning is known here.
fn recognise(error: &(dyn Error + 'static)) -> Option<ToolError> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // An error of somebody else may travel in one of the standard library.
        let inner = error.get_ref().and_then(|inner| recognise(inner));
        return Some(inner.unwrap_or_else(|| of_io(error)));
    }
    if let Some(error) = error.downcast_ref::<http::Error>() {
        return Some(error.to_tool_error());
    }
    if let Some(error) = error.downcast_ref::<exec::Error>() {
        return Some(error.to_tool_error());
    }
    if let Some(error) = error.downcast_ref::<state::Error>() {
        return Some(error.to_tool_error());
    }
    if let Some(error) = error.downcast_ref::<invoke::Error>() {
        return Some(error.to_tool_error());
    }
    error.downcast_ref::<types::ToolError>().map(of_host)
}

fn of_io(error: &io::Error) -> ToolError {
    if error.get_ref().is_some() {
        // Somebody put it together, and knows more than its kind says.
        let message = error.to_string();
        return match error.kind() {
            io::ErrorKind::PermissionDenied => ToolError::NotPermitted(message),
            io::ErrorKind::NotFound => ToolError::NotFound(message),
            _ => ToolError::Failed(message),
        };
    }
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => ToolError::not_permitted("not permitted to write"),
        io::ErrorKind::NotFound => ToolError::not_found("it does not exist"),
        _ if is_denial(error) => ToolError::not_permitted("not permitted"),
        _ => ToolError::failed(error.to_string()),
    }
}

/// Says whether the host refused this file operation, rather than the file system failing at it: for tools that have
/// another way.
pub fn is_denial(error: &io::Error) -> bool {
    /// `ENOTCAPABLE` of WASI preview 1, which the standard library has no kind for: what lies outside of every granted
    /// folder.
    const NOT_CAPABLE: i32 = 76;
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    ) || (cfg!(target_os = "wasi") && error.raw_os_error() == Some(NOT_CAPABLE))
}

fn of_host(error: &types::ToolError) -> ToolError {
    match error {
        types::ToolError::InvalidArguments(message) => ToolError::invalid_arguments(message),
        types::ToolError::NotPermitted(message) => ToolError::not_permitted(message),
        types::ToolError::NotFound(message) | types::ToolError::UnknownTool(message) => {
            ToolError::not_found(message)
        }
        types::ToolError::Failed(message) => ToolError::failed(message),
        types::ToolError::Retryable(advice) => {
            ToolError::retryable(&advice.message, advice.after_ms.map(Duration::from_millis))
        }
    }
}

/// What `?` makes of an error.
pub fn tool_error<E>(error: E) -> ToolError
where
    ToolError: From<E>,
{
    error.into()
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Puts what was being done before the message: `reading notes.md: it does not exist`.
    ///
    /// # Errors
    /// The same one, as a [`ToolError`].
    fn context(self, doing: impl Display) -> Result<T>;

    /// The same, where the text costs something to make.
    ///
    /// # Errors
    /// The same one, as a [`ToolError`].
    fn with_context<D: Display>(self, doing: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E> Context<T> for Result<T, E>
where
    ToolError: From<E>,
{
    fn context(self, doing: impl Display) -> Result<T> {
        self.map_err(|error| ToolError::from(error).context(doing))
    }

    fn with_context<D: Display>(self, doing: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| ToolError::from(error).context(doing()))
    }
}

#[cfg(test)]
mod tests;
