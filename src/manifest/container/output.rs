//! What a command printed, read as the result of a tool.
//!
//! The exit code decides first, by the tool's own table; only what went well is read as text, lines or JSON. What had to be
//! changed or left out on the way is told in notes, never mixed into the result.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::schema::parse_strict;

/// The most lines that are read one by one: each takes many times its size in memory.
pub const MAX_LINES: usize = 100_000;

/// The most bytes of what a failed command printed that its message repeats, from the end.
const SHOWN: usize = 2048;

/// How the output of a container tool is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputSpec {
    /// What it is read as.
    pub format: Format,
    /// Where the result is printed; the other stream explains a failure.
    pub stream: Stream,
    /// What exit codes mean; 0 is [`Verdict::Ok`] and every other a failure where they are not listed.
    pub exit_codes: BTreeMap<u8, Exit>,
}

/// What output is read as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Text: the result is `{"text": …}`.
    #[default]
    Text,
    /// One JSON value: an object is the result, anything else is `{"result": …}`.
    Json,
    /// Lines: the result is `{"lines": […]}`.
    Lines,
}

impl Format {
    /// The word in manifests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Lines => "lines",
        }
    }
}

/// One of the streams a command prints to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The word in manifests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What an exit code means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Whether the command did what it was asked for.
    pub is: Verdict,
    /// What people and agents are told, such as `no match`.
    pub message: Option<String>,
}

/// Whether a command did what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Ok,
    /// It failed, and would fail again.
    Failed,
    /// It failed, and may work later.
    Retryable,
    /// What it was asked for does not exist.
    NotFound,
    /// It was asked for something that makes no sense to it.
    InvalidArguments,
}

impl Verdict {
    /// The word in manifests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Retryable => "retryable",
            Self::NotFound => "not-found",
            Self::InvalidArguments => "invalid-arguments",
        }
    }
}

/// What a command that ran to its end gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// A result.
    Ok {
        /// The structured result; always an object.
        structured: Value,
        /// The result as text: what was printed, or the message of the exit code where nothing was.
        text: String,
        /// What the caller should know besides, as sentences: what the exit code says, what was replaced or cut.
        notes: Vec<String>,
    },
    /// No result.
    Failed {
        /// Why.
        kind: Failure,
        /// What happened, and the end of what the command printed: text from a stranger.
        message: String,
    },
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An exit code other than 0 that the tool's table does not list (E3410).
    Exit(i32),
    /// The exit code says that it failed (E3401).
    Failed,
    /// The exit code says that it may work later (E3401, retryable).
    Retryable,
    /// The exit code says that something does not exist (E3401).
    NotFound,
    /// The exit code says that the arguments make no sense (E3301).
    InvalidArguments,
    /// The output is not what its format says (E3308).
    Malformed,
    /// The output is too large to be read as its format says, or was cut (E3306).
    TooLarge,
}

impl OutputSpec {
    /// Reads what a command left behind; `truncated` says that the stream with the result was not kept whole.
    #[must_use]
    pub fn read(&self, exit_code: i32, stdout: &[u8], stderr: &[u8], truncated: bool) -> Parsed {
        let (result, other) = match self.stream {
            Stream::Stdout => (stdout, stderr),
            Stream::Stderr => (stderr, stdout),
        };
        let listed = u8::try_from(exit_code)
            .ok()
            .and_then(|code| self.exit_codes.get(&code));
        let failure = match listed.map(|exit| exit.is) {
            None if exit_code == 0 => None,
            None => Some(Failure::Exit(exit_code)),
            Some(Verdict::Ok) => None,
            Some(Verdict::Failed) => Some(Failure::Failed),
            Some(Verdict::Retryable) => Some(Failure::Retryable),
            Some(Verdict::NotFound) => Some(Failure::NotFound),
            Some(Verdict::InvalidArguments) => Some(Failure::InvalidArguments),
        };
        let said = listed.and_then(|exit| exit.message.as_deref());
        match failure {
            Some(kind) => Parsed::Failed {
                kind,
                message: failed(exit_code, said, [other, result]),
            },
            None => self.result(result, said, truncated),
        }
    }

    /// The result of a command that did what it was asked for.
    fn result(&self, output: &[u8], said: Option<&str>, truncated: bool) -> Parsed {
        let text = String::from_utf8_lossy(output);
        let mut notes: Vec<String> = said.map(str::to_owned).into_iter().collect();
        if matches!(text, Cow::Owned(_)) {
            notes.push("The output is not UTF-8; what is not was replaced by \u{fffd}.".to_owned());
        }
        if truncated {
            notes.push("The output was too large and was cut.".to_owned());
        }
        let structured = match self.format {
            Format::Text => Ok(json!({"text": text})),
            Format::Lines => lines(&text),
            Format::Json if truncated => Err((
                Failure::TooLarge,
                "the output was too large and was cut, and so cannot be read as JSON".to_owned(),
            )),
            // The exit code has already said all there is to say.
            Format::Json if said.is_some() && text.trim().is_empty() => Ok(json!({"result": null})),
            Format::Json => from_json(&text),
        };
        match structured {
            Ok(structured) => Parsed::Ok {
                structured,
                text: match said {
                    Some(said) if text.is_empty() => said.to_owned(),
                    _ => text.into_owned(),
                },
                notes,
            },
            Err((kind, message)) => Parsed::Failed { kind, message },
        }
    }
}

fn lines(text: &str) -> Result<Value, (Failure, String)> {
    if text.lines().nth(MAX_LINES).is_some() {
        return Err((
            Failure::TooLarge,
            format!("the output has more than {MAX_LINES} lines"),
        ));
    }
    let lines: Value = text.lines().map(Value::from).collect();
    Ok(json!({"lines": lines}))
}

fn from_json(text: &str) -> Result<Value, (Failure, String)> {
    match parse_strict(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(value) => Ok(json!({"result": value})),
        Err(error) => {
            let error = error.to_string();
            let why = error.strip_prefix("reading JSON: ").unwrap_or(&error);
            Err((Failure::Malformed, format!("the output is not JSON: {why}")))
        }
    }
}

/// What happened, and the end of the first stream that says anything.
fn failed(exit_code: i32, said: Option<&str>, streams: [&[u8]; 2]) -> String {
    let what = match said {
        Some(said) => format!("{said} (exit code {exit_code})"),
        None => format!("the command ended with exit code {exit_code}"),
    };
    let printed = streams.into_iter().map(end_of).find(|end| !end.is_empty());
    match printed {
        Some(end) if end.contains('\n') => format!("{what}:\n{end}"),
        Some(end) => format!("{what}: {end}"),
        None => what,
    }
}

/// The end of what was printed, from the beginning of a line where there is one.
fn end_of(stream: &[u8]) -> String {
    let stream = stream.trim_ascii();
    let Some(start) = stream.len().checked_sub(SHOWN) else {
        return String::from_utf8_lossy(stream).into_owned();
    };
    let end = stream.get(start..).unwrap_or_default();
    let line = end.iter().position(|byte| *byte == b'\n');
    let from = match line {
        Some(newline) => newline + 1,
        // Not in the middle of a character.
        None => end
            .iter()
            .position(|byte| *byte & 0xc0 != 0x80)
            .unwrap_or_default(),
    };
    format!(
        "…{}",
        String::from_utf8_lossy(end.get(from..).unwrap_or_default())
    )
}

#[cfg(test)]
mod tests;
