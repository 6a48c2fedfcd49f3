//! The answer to a request.

use std::fmt;
use std::io::{self, Cursor, Read};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Error;
use crate::{Context as _, Result, ToolError};

/// How many bytes of a body are read whole where nothing else is said: 16 MiB.
pub const MAX_BODY: u64 = 16 << 20;

/// The answer to a request: its head, and a body that is read as it comes, with [`Read`].
pub struct Response {
    status: u16,
    url: String,
    /// Names in small letters.
    headers: Vec<(String, Vec<u8>)>,
    limit: u64,
    /// How many bytes of it are left.
    left: u64,
    body: Box<dyn Read>,
}

impl Response {
    /// An answer without a body: for tests.
    pub fn new(status: u16) -> Self {
        Self::of(status, Vec::new(), io::empty())
    }

    pub(super) fn of(
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        body: impl Read + 'static,
    ) -> Self {
        Self {
            status,
            url: String::new(),
            headers,
            limit: MAX_BODY,
            left: MAX_BODY,
            body: Box::new(body),
        }
    }

    /// Adds a header: for tests.
    #[must_use]
    pub fn with_header(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        let name = name.as_ref().to_ascii_lowercase();
        self.headers.push((name, value.into().into_bytes()));
        self
    }

    /// Gives it a body: for tests.
    #[must_use]
    pub fn with_body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Box::new(Cursor::new(bytes.into()));
        self
    }

    /// The address that answered: that of the request, or of its last redirect.
    pub(super) fn at(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    /// The status, such as 200.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// True where the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The address that answered: that of the request, or of the last redirect that was followed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The value of a header, where it is there and is text. Capitals do not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(&found.1).ok()
    }

    /// All headers, in order, with their names in small letters.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The address that a redirect points to.
    pub(super) fn redirect(&self) -> Option<&str> {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
            .then(|| self.header("location"))
            .flatten()
    }

    /// The same, where it is a success.
    ///
    /// # Errors
    /// [`ToolError::NotFound`] for 404 and 410; [`ToolError::Retryable`] for 408, 425, 429, 500, 502, 503 and 504, with the
    /// seconds of `Retry-After`; else [`ToolError::Failed`].
    pub fn error_for_status(self) -> Result<Self> {
        if self.is_success() {
            return Ok(self);
        }
        let message = format!("{} answered with status {}", self.url, self.status);
        Err(match self.status {
            404 | 410 => ToolError::NotFound(message),
            408 | 425 | 429 | 500 | 502..=504 => {
                let seconds = self
                    .header("retry-after")
                    .and_then(|after| after.trim().parse().ok());
                ToolError::retryable(message, seconds.map(Duration::from_secs))
            }
            _ => ToolError::Failed(message),
        })
    }

    /// Sets how many bytes of the body are read from here on, whole or bit by bit. More than that is an error.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self.left = bytes;
        self
    }

    /// Reads the body whole.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or why the body has no end.
    pub fn bytes(mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(match error.downcast::<Error>() {
                Ok(error) => error,
                Err(error) => Error::Failed(error.to_string()),
            }),
        }
    }

    /// Reads the body as UTF-8 text.
    ///
    /// # Errors
    /// Those of [`Response::bytes`]; [`Error::Invalid`] where it is something else.
    pub fn text(self) -> Result<String, Error> {
        String::from_utf8(self.bytes()?)
            .map_err(|_| Error::Invalid("the body is not UTF-8 text".to_owned()))
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Those of [`Response::bytes`]; [`ToolError::Failed`] where it is no JSON, or does not fit the type.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.bytes()?;
        serde_json::from_slice(&bytes).context("cannot read the body as JSON")
    }
}

impl Read for Response {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            // One byte more tells a body that is full from one that is too large.
            return match self.body.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other(Error::TooLarge(self.limit))),
            };
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.body.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read as u64;
        Ok(read)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({} of {})", self.status, self.url)
    }
}
