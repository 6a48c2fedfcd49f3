//! What a server answers.

use std::time::{Duration, SystemTime};

use super::failed;
use crate::error::{Code, Error, Result};

/// How much of the text of a refusal is shown.
const SHOWN: usize = 300;
/// The longest a server can ask to be left alone; more is taken for this.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// An answer whose head has come.
#[derive(Debug)]
pub struct Answer {
    response: reqwest::Response,
    origin: String,
}

impl Answer {
    pub(super) fn new(response: reqwest::Response, origin: String) -> Self {
        Self { response, origin }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// True for a status from 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    /// A header, where it is there once at least and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// A header, as often as it is there and is text.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.response.headers().get_all(name).iter();
        values.filter_map(|value| value.to_str().ok())
    }

    /// How long the server asks to be left alone (`Retry-After`, in seconds or as a date), a day at most.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header("retry-after")?, SystemTime::now())
    }

    /// The next piece of the body, for one that is a stream; nothing at its end.
    ///
    /// # Errors
    /// E3503 and E3502 as for [`Answer::read`].
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>> {
        let next = self.response.chunk().await;
        next.map_err(|error| failed(&self.origin, error).while_doing("reading the answer"))
    }

    /// Reads the body.
    ///
    /// # Errors
    /// E3508 where it has more than `max` bytes, of which no more are read; E3503 where it does not come in time; E3502
    /// where the connection breaks before its end.
    pub async fn read(mut self, max: usize) -> Result<Vec<u8>> {
        let too_much = || {
            Error::new(
                Code::E3508,
                format!(
                    "reading the answer of {}: it has more than {max} bytes",
                    self.origin
                ),
            )
            .hint("Check that the URL is that of the service you meant.")
            .detail("limit", max)
        };
        if self
            .response
            .content_length()
            .is_some_and(|length| length > max as u64)
        {
            return Err(too_much());
        }
        let mut body = Vec::new();
        loop {
            match self.response.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(chunk)) if body.len() + chunk.len() > max => return Err(too_much()),
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => {
                    return Err(
                        failed(&self.origin, error).while_doing("reading the answer to its end")
                    );
                }
            }
        }
    }

    /// The error that a status other than success stands for, with the beginning of the body as its cause: E3507 for a
    /// rejected credential, E3504 for too many requests, E3502 for what may pass, E3508 for the rest.
    pub async fn into_refusal(mut self) -> Error {
        let status = self.response.status();
        let (code, hint) = match status.as_u16() {
            401 | 403 => (
                Code::E3507,
                "Check the secret or key, and that it is the one for this service.",
            ),
            429 => (Code::E3504, "Wait as long as the service asks."),
            300..=399 => (
                Code::E3508,
                "Redirects are not followed: configure the URL that is meant.",
            ),
            408 | 425 | 500.. => (
                Code::E3502,
                "Check the service; it is tried again where that helps.",
            ),
            _ => (
                Code::E3508,
                "Check the URL, and that it is the service you meant.",
            ),
        };
        let mut text = Vec::new();
        // Whatever keeps the text from coming, the status is what matters.
        while text.len() < SHOWN
            && let Ok(Some(chunk)) = self.response.chunk().await
        {
            text.extend_from_slice(&chunk);
        }
        let mut error = Error::new(
            code,
            format!("sending a request to {}: it answered {status}", self.origin),
        )
        .hint(hint)
        .detail("status", status.as_u16());
        if let Some(wait) = self.retry_after() {
            error = error.detail("retry_after_s", wait.as_secs());
        }
        match shown(&text) {
            text if text.is_empty() => error,
            text => error.caused_by(text),
        }
    }
}

/// The beginning of a text from outside, on one line and without what moves a terminal's cursor.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes)).into_owned();
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.join(" ")
}

fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let wait = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text.trim())
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_asks_for_time_in_seconds_or_by_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("99999999999", Some(24 * 3600)),
            ("-1", None),
            ("soon", None),
        ] {
            let wait = retry_after(text, now).map(|wait| wait.as_secs());
            assert_eq!(wait, seconds, "{text}");
        }
    }

    #[test]
    fn text_from_outside_is_one_short_line() {
        assert_eq!(shown(b" a\r\n\x1b[2Jb\xff  c\0"), "a [2Jb\u{fffd} c");
        assert_eq!(shown(&[b'x'; 5000]).len(), SHOWN);
    }
}
