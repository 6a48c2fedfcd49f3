//! `read`: a file, or a part of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guest::ToolError;
use serde::{Deserialize, Serialize};

use crate::open::open_file;

/// The arguments of `read`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    path: String,
    start_line: Option<u64>,
    end_line: Option<u64>,
    offset: Option<u64>,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default = "default_max_bytes")]
    max_bytes: u64,
}

fn default_max_bytes() -> u64 {
    256 * 1024
}

/// How the content is to be returned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Text where it is UTF-8, else base64.
    #[default]
    Auto,
    /// Text, or an error.
    Text,
    /// Base64, whatever it is.
    Base64,
}

/// The result of `read`.
#[derive(Debug, Serialize)]
pub struct Content {
    path: String,
    size: u64,
    encoding: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
}

/// Reads a file.
///
/// # Errors
/// Those of [`open_file`]; `invalid-arguments` for ranges that make no sense; `failed` where text is asked for and the
/// file is none.
pub fn read(arguments: Arguments) -> Result<(Content, Vec<String>), ToolError> {
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
    let mut blocks = vec![match content.encoding {
        "text" => content.content.clone(),
        _ => format!("{size} bytes that are no UTF-8 text; base64 is in the structured result"),
    }];
    blocks.extend(content.note());
    Ok((content, blocks))
}

impl Arguments {
    fn failed(&self, error: &io::Error) -> ToolError {
        ToolError::io("read", Path::new(&self.path), error)
    }

    fn not_text(&self) -> ToolError {
        ToolError::Failed(format!(
            "`{}` is not UTF-8 text; read it with `encoding` base64 and without a range of lines",
            self.path
        ))
    }

    fn lines(&self, file: File, size: u64) -> Result<Content, ToolError> {
        let first = self.start_line.unwrap_or(1);
        let last = self.end_line.unwrap_or(u64::MAX);
        if last < first {
            return Err(ToolError::InvalidArguments(format!(
                "line {last} comes before line {first}"
            )));
        }
        let mut reader = BufReader::new(file);
        let skipped = skip_lines(&mut reader, first - 1).map_err(|error| self.failed(&error))?;
        if skipped < first - 1 {
            return Err(ToolError::InvalidArguments(format!(
                "`{}` has {skipped} lines: there is no line {first}",
                self.path
            )));
        }
        let wanted = last - first + 1;
        let taken =
            take_lines(&mut reader, wanted, self.max_bytes).map_err(|error| self.failed(&error))?;
        let (text, _) = text(taken.bytes, !taken.ends_line).ok_or_else(|| self.not_text())?;
        let is_more = taken.lines == wanted || taken.truncated;
        let is_more = is_more && has_more(&mut reader).map_err(|error| self.failed(&error))?;
        let end = first + taken.lines.saturating_sub(1);
        // A line that was cut is read again from its start, with more room.
        let next = if taken.ends_line { end + 1 } else { end };
        Ok(Content {
            path: self.path.clone(),
            size,
            encoding: "text",
            content: text,
            start_line: Some(first),
            end_line: (taken.lines > 0).then_some(end),
            offset: None,
            truncated: taken.truncated,
            next_line: is_more.then_some(next),
            next_offset: None,
        })
    }

    fn bytes(&self, mut file: File, size: u64) -> Result<Content, ToolError> {
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
            .map_err(|error| self.failed(&error))?;
        let end = offset + length(&bytes);
        let truncated = end < size;
        let as_text = match self.encoding {
            Encoding::Base64 => None,
            Encoding::Auto if is_binary(&bytes) => None,
            Encoding::Auto | Encoding::Text => text(bytes.clone(), truncated),
        };
        let (encoding, content, cut) = match as_text {
            Some((text, cut)) => ("text", text, cut),
            None if self.encoding == Encoding::Text => return Err(self.not_text()),
            None => ("base64", STANDARD.encode(&bytes), 0),
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
