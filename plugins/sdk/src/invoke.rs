//! Calls of other tools: those of installed plugins, of a project, of servers, and `sandbox.run`.
//!
//! Which ones is the permission `tool_invoke`. A tool that is called so may do what was granted to it, and of that no more
//! than its caller may do itself. The call counts as one of its own, ends when this one does, and takes its time from it.
//!
//! ```
//! use serde_json::json;
//! use toolhatch_plugin::{Result, invoke};
//!
//! fn readme() -> Result<String> {
//!     let output = invoke::call("files.read", &json!({"path": "/workspace/README.md"}))?;
//!     Ok(output.text())
//! }
//! ```
//!
//! Outside of a host there are no other tools; [`testing::invoke`](crate::testing::invoke) takes their place.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Content, Context as _, Result, ToolError};

/// Calls a tool by its id, `source.tool`, with arguments that are written as a JSON object, and waits for its result.
///
/// # Errors
/// See [`Error`].
pub fn call<T: Serialize + ?Sized>(tool: &str, arguments: &T) -> Result<Output, Error> {
    let arguments = serde_json::to_value(arguments).map_err(|error| {
        Error::InvalidArguments(format!(
            "cannot write the arguments of {tool} as JSON: {error}"
        ))
    })?;
    #[cfg(target_arch = "wasm32")]
    return component::call(tool, &arguments.to_string());
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::call_other(tool, arguments)
}

/// The result of a tool.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// The structured result, where there is one.
    pub structured: Option<Value>,
    /// Blocks of content.
    pub content: Vec<Content>,
}

impl Output {
    /// Reads the structured result.
    ///
    /// # Errors
    /// [`ToolError::Failed`] where there is none, or where it does not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        match &self.structured {
            Some(value) => T::deserialize(value).context("cannot read the result"),
            None => Err(ToolError::failed("the tool has no structured result")),
        }
    }

    /// The text of all blocks that are text, each on lines of its own.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self
            .content
            .iter()
            .filter_map(|block| match block {
                Content::Text(content) => Some(content.text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("\n")
    }
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The call is not granted, policy forbids it, or the tool was denied something it cannot do without. Also where calls
    /// would go in a circle.
    NotPermitted(String),
    /// There is no such tool, or what the arguments name does not exist.
    NotFound(String),
    /// The arguments do not fit the tool's input schema, or make no sense to it.
    InvalidArguments(String),
    /// The tool failed, and would fail again.
    Failed(String),
    /// The tool failed, and may work when called again, after this time where it is known.
    Retryable(String, Option<Duration>),
    /// The tool cannot be called now, the time was over, or there were too many calls.
    Unavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotPermitted(why)
        | Self::NotFound(why)
        | Self::InvalidArguments(why)
        | Self::Failed(why)
        | Self::Retryable(why, _)
        | Self::Unavailable(why)) = self;
        formatter.write_str(why)
    }
}

impl std::error::Error for Error {}

impl Error {
    pub(crate) fn to_tool_error(&self) -> ToolError {
        match self {
            Self::NotPermitted(why) => ToolError::not_permitted(why),
            Self::NotFound(why) => ToolError::not_found(why),
            // They are those that this tool made up, not the ones it was given.
            Self::InvalidArguments(why) | Self::Failed(why) => ToolError::failed(why),
            Self::Retryable(why, after) => ToolError::retryable(why, *after),
            Self::Unavailable(why) => ToolError::retryable(why, None),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod component {
    use std::time::Duration;

    use super::{Error, Output};
    use crate::bindings::toolhatch::plugin::invoke as host;

    pub fn call(tool: &str, arguments: &str) -> Result<Output, Error> {
        match host::call(tool, arguments) {
            Ok(output) => Ok(Output {
                structured: output
                    .structured
                    .map(|json| serde_json::from_str(&json))
                    .transpose()
                    .map_err(|error| {
                        Error::Failed(format!("the result of {tool} is no JSON: {error}"))
                    })?,
                content: output.content,
            }),
            Err(failure) => Err(match failure {
                host::Failure::NotPermitted(why) => Error::NotPermitted(why),
                host::Failure::NotFound(why) => Error::NotFound(why),
                host::Failure::InvalidArguments(why) => Error::InvalidArguments(why),
                host::Failure::Failed(why) => Error::Failed(why),
                host::Failure::Retryable(advice) => {
                    Error::Retryable(advice.message, advice.after_ms.map(Duration::from_millis))
                }
                host::Failure::Unavailable(why) => Error::Unavailable(why),
            }),
        }
    }
}
