//! Why a request has no answer, or the answer no end.

use std::fmt;

use crate::ToolError;

/// Why there is no answer. Reading a body gives it too, inside of a [`std::io::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The host denied it.
    NotPermitted(String),
    /// It is no request that could be sent.
    Invalid(String),
    /// Its time was over.
    TimedOut,
    /// The server was not reached, or the connection broke. It may work later.
    Failed(String),
    /// There is no network here.
    Unavailable(String),
    /// The body has more bytes than are read.
    TooLarge(u64),
    /// There were more redirects than this.
    TooManyRedirects(u32),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted(why)
            | Self::Invalid(why)
            | Self::Failed(why)
            | Self::Unavailable(why) => formatter.write_str(why),
            Self::TimedOut => formatter.write_str("the time of the request was over"),
            Self::TooLarge(limit) => write!(formatter, "the body has more than {limit} bytes"),
            Self::TooManyRedirects(most) => {
                write!(formatter, "the server redirects more than {most} times")
            }
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    pub(crate) fn to_tool_error(&self) -> ToolError {
        let message = self.to_string();
        match self {
            Self::NotPermitted(_) => ToolError::NotPermitted(message),
            Self::TimedOut | Self::Failed(_) | Self::Unavailable(_) => {
                ToolError::retryable(message, None)
            }
            Self::Invalid(_) | Self::TooLarge(_) | Self::TooManyRedirects(_) => {
                ToolError::Failed(message)
            }
        }
    }
}
