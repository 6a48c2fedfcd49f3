//! `read`: a file, or a part of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Content as Block, Reply, Result, ToolError, tool};

use crate::open::open_file;

/// The largest integer that every reader of JSON keeps exactly: 2^53 - 1.
const MAX_SAFE: u64 = 9_007_199_254_740_991;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"path": "/workspace/README.md"}),
    example = serde_json::json!({"path": "/workspace/src/main.rs", "start_line": 10, "end_line": 40}),
    example = serde_json::json!({"path": "/workspace/logo.png", "encoding": "base64"})
)]
pub struct Arguments {
    /// The file, under the name it was granted: usually below /workspace.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/README.md")]
    path: String,
    /// The first line to return, counted from 1.
    #[schemars(range(min = 1, max = MAX_SAFE))]
    start_line: Option<u64>,
    /// The last line to return.
    #[schemars(range(min = 1, max = MAX_SAFE))]
    end_line: Option<u64>,
    /// The byte to begin at. Not together with lines.
    #[schemars(range(max = MAX_SAFE))]
    offset: Option<u64>,
    /// How the content is to be returned.
    #[serde(default)]
    encoding: Encoding,
    /// How many bytes to return at most. With lines, whole lines are returned as far as they fit.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1, max = 4_194_304))]
    max_bytes: u64,
}

fn default_max_bytes() -> u64 {
    256 * 1024
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Text where it is UTF-8 without NUL bytes, else base64.
    #[default]
    Auto,
    /// Text, or an error.
    Text,
    /// Base64, whatever it is.
    Base64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Content {
    path: String,
    /// Of the whole file, in bytes.
    size: u64,
    /// What `content` is.
    encoding: Returned,
    content: String,
    /// Where lines were asked for: the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    start_line: Option<u64>,
    /// Where lines were asked for: the last that is returned; absent where the file is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    end_line: Option<u64>,
    /// As it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// True where less was returned than asked for, because of `max_bytes`.
    truncated: bool,
    /// Where lines were asked for and the file goes on: the line to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    next_line: Option<u64>,
    /// Where bytes were asked for and the file goes on: the offset to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Returned {
    Text,
    Base64,
}

/// Reads a file, or a range of its lines or bytes: text as it is, anything else as base64.
///
/// # Errors
/// Those of [`open_file`]; `invalid-arguments` for ranges that make no sense; `failed` where text is asked for and the
/// file is none.
#[tool]
pub fn read(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Content>> {
    let by_lines = arguments.start_line.is_some() || arguments.end_line.is_some();
    if by_lines && (arguments.offset.is_some() || arguments.encoding == Encoding::Base64) {
        return Err(ToolError::InvalidArguments(
            "a range of lines cannot be combined with `offset` or base64".to_owned(),
        ));
    }
    let (file, size) = open_file("read", &arguments.path)?;
    let content = if by_lines {
        arguments.lines(file, size)?
    } else {
        arguments.bytes(file, size)?
    };
    let text = match content.encoding {
        Returned::Text => content.content.clone(),
        Returned::Base64 => {
            format!("{size} bytes that are no UTF-8 text; base64 is in the structured result")
        }
    };
    let note = content.note().map(Block::text);
    Ok(Reply::new(content).text(text).blocks(note))
}

impl Arguments {
    fn failed(&self, error: io::Error) -> ToolError {
        ToolError::from(error).context(format!("cannot read `{}`", self.path))
    }

    fn not_text(&self) -> ToolError {
        ToolError::Failed(format!(
            "`{}` is not UTF-8 text; read it with `encoding` base64 and without a range of lines",
            self.path
        ))
    }

    fn lines(&self, file: File, size: u64) -> Result<Content> {
        let first = self.start_line.unwrap_or(1);
        let last = self.end_line.unwrap_or(u64::MAX);
        if last < first {
            return Err(ToolError::InvalidArguments(format!(
                "line {last} comes before line {first}"
            )));
        }
        let mut reader = BufReader::new(file);
        let skipped = skip_lines(&mut reader, first - 1).map_err(|error| self.failed(error))?;
        if skipped < first - 1 {
            return Err(ToolError::InvalidArguments(format!(
                "`{}` has {skipped} lines: there is no line {first}",
                self.path
            )));
        }
        let wanted = last - first + 1;
        let taken =
            take_lines(&mut reader, wanted, self.max_bytes).map_err(|error| self.failed(error))?;
        let (text, _) = text(taken.bytes, !taken.ends_line).ok_or_else(|| self.not_text())?;
        let is_more = taken.lines == wanted || taken.truncated;
        let is_more = is_more && has_more(&mut reader).map_err(|error| self.failed(error))?;
        let end = first + taken.lines.saturating_sub(1);
        // A line that was cut is read again from its start, with more room.
        let next = if taken.ends_line { end + 1 } else { end };
        Ok(Content {
            path: self.path.clone(),
            size,
            encoding: Returned::Text,
            content: text,
            start_line: Some(first),
            end_line: (taken.lines > 0).then_some(end),
            offset: None,
            truncated: taken.truncated,
            next_line: is_more.then_some(next),
            next_offset: None,
        })
    }

    fn bytes(&self, mut file: File, size: u64) -> Result<Content> {
        let offset = self.offset.unwrap_or(0);
        if offset > size {
            return Err(ToolError::InvalidArguments(format!(
                "`{}` has {size} bytes: there is nothing at {offset}",
                self.path
            )));
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(self.max_bytes).read_to_end(&mut bytes))
            .map_err(|error| self.failed(error))?;
        let end = offset + length(&bytes);
        let truncated = end < size;
        let as_text = match self.encoding {
            Encoding::Base64 => None,
            Encoding::Auto if is_binary(&bytes) => None,
            Encoding::Auto | Encoding::Text => text(bytes.clone(), truncated),
        };
        let (encoding, content, cut) = match as_text {
            Some((text, cut)) => (Returned::Text, text, cut),
            None if self.encoding == Encoding::Text => return Err(self.not_text()),
            None => (Returned::Base64, STANDARD.encode(&bytes), 0),
        };
        Ok(Content {
            path: self.path.clone(),
            size,
            encoding,
            content,
            start_line: None,
            end_line: None,
            offset: self.offset,
            truncated,
            next_line: None,
            next_offset: truncated.then_some(end - cut),
        })
    }
}

impl Content {
    /// Tells a reader of the text where to go on.
    fn note(&self) -> Option<String> {
        let next = match (self.next_line, self.next_offset) {
            (Some(line), _) => format!("`start_line` {line}"),
            (None, Some(offset)) => format!("`offset` {offset}"),
            (None, None) => return None,
        };
        Some(format!("[there is more: go on with {next}]"))
    }
}

/// Some lines of a file.
struct Taken {
    bytes: Vec<u8>,
    /// How many lines they are, a cut one included.
    lines: u64,
    /// False where the last one was cut.
    ends_line: bool,
    /// True where not all that was wanted had room.
    truncated: bool,
}

/// Reads over up to `count` lines, and returns how many there were.
fn skip_lines(reader: &mut impl BufRead, count: u64) -> io::Result<u64> {
    let mut skipped = 0;
    let mut in_line = false;
    while skipped < count {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped + u64::from(in_line));
        }
        let consumed = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                skipped += 1;
                in_line = false;
                end + 1
            }
            None => {
                in_line = true;
                buffer.len()
            }
        };
        reader.consume(consumed);
    }
    Ok(skipped)
}

/// Takes up to `count` lines, and of a line that has no room only its beginning, if it is the first.
fn take_lines(reader: &mut impl BufRead, count: u64, max_bytes: u64) -> io::Result<Taken> {
    let mut taken = Taken {
        bytes: Vec::new(),
        lines: 0,
        ends_line: true,
        truncated: false,
    };
    while taken.lines < count {
        let room = max_bytes - length(&taken.bytes);
        let before = taken.bytes.len();
        let read = reader
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut taken.bytes)?;
        if read == 0 && (room > 0 || !has_more(reader)?) {
            break;
        }
        let is_whole = taken.bytes.last() == Some(&b'\n') && read > 0;
        if !is_whole && has_more(reader)? {
            taken.truncated = true;
            taken.ends_line = false;
            if before > 0 {
                taken.bytes.truncate(before);
                taken.ends_line = true;
                break;
            }
            taken.lines += 1;
            break;
        }
        taken.lines += 1;
    }
    Ok(taken)
}

fn has_more(reader: &mut impl BufRead) -> io::Result<bool> {
    Ok(!reader.fill_buf()?.is_empty())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A NUL byte is in no text that people write.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.contains(&0)
}

/// The bytes as text, and how many of them were cut off: where they end in the middle, a character may too.
fn text(mut bytes: Vec<u8>, may_be_cut: bool) -> Option<(String, u64)> {
    let mut cut = 0;
    if may_be_cut
        && let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        cut = length(&bytes) - u64::try_from(error.valid_up_to()).unwrap_or_default();
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes).ok().map(|text| (text, cut))
}

#[cfg(test)]
mod tests;
