//! `stats`: what there is to count in a text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Result, ToolError, tool};

use crate::lines::MAX_TEXT;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"text": "fn main() {\n    println!(\"Hello\");\n}\n"}),
    example = serde_json::json!({"data": "Y2Fm6Q=="})
)]
pub struct Arguments {
    /// The text. Either this or `data`.
    #[schemars(length(max = MAX_TEXT))]
    text: Option<String>,
    /// The bytes of a file in base64, to guess their encoding.
    #[schemars(length(max = MAX_TEXT), extend("contentEncoding" = "base64"), example = &"Y2Fm6Q==")]
    data: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Stats {
    /// Lines; a last one without an end counts.
    lines: usize,
    /// Lines with nothing but white space.
    blank_lines: usize,
    /// Stretches of characters between white space.
    words: usize,
    /// Unicode scalar values, ends of lines included.
    characters: usize,
    /// Bytes: of `data`, or of the text in UTF-8.
    bytes: usize,
    /// The longest line, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_line: Option<Longest>,
    /// What the text is written in.
    encoding: Encoding,
    /// How lines end.
    line_endings: LineEndings,
    /// True where the last line has an end.
    final_newline: bool,
    /// What lines are indented with.
    indentation: Indentation,
    /// Lines that end in spaces or tabs.
    trailing_whitespace: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Longest {
    /// Counted from 1.
    #[schemars(range(min = 1))]
    line: usize,
    /// Its characters, without its end.
    characters: usize,
}

/// A guess, where it is neither ASCII nor UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
enum Encoding {
    #[serde(rename = "ascii")]
    Ascii,
    #[serde(rename = "utf-8")]
    Utf8,
    /// With a byte order mark.
    #[serde(rename = "utf-8-bom")]
    Utf8Bom,
    #[serde(rename = "utf-16le")]
    Utf16Le,
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Or another one with a byte for each character.
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// No text.
    #[serde(rename = "binary")]
    Binary,
}

/// How many lines end in which way.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LineEndings {
    /// `\n`.
    lf: usize,
    /// `\r\n`.
    crlf: usize,
    /// `\r` alone.
    cr: usize,
}

/// How many lines are indented, and by what.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Indentation {
    /// Lines indented with tabs.
    tabs: usize,
    /// Lines indented with spaces.
    spaces: usize,
    /// Lines with both.
    mixed: usize,
    /// By how many spaces a step is, as far as that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<usize>,
}

/// Counts lines, words, characters and bytes, and tells the encoding, the ends of lines and the indentation.
///
/// # Errors
/// `invalid-arguments` where there is not exactly one of `text` and `data`, or `data` is no base64.
#[tool]
pub fn stats(#[serde(flatten)] arguments: Arguments) -> Result<Stats> {
    let (text, bytes, encoding) = match (arguments.text, arguments.data) {
        (Some(text), None) => {
            let encoding = if text.is_ascii() {
                Encoding::Ascii
            } else if text.starts_with('\u{feff}') {
                Encoding::Utf8Bom
            } else {
                Encoding::Utf8
            };
            let bytes = text.len();
            (text, bytes, encoding)
        }
        (None, Some(data)) => {
            let bytes = STANDARD.decode(&data).map_err(|error| {
                ToolError::invalid_arguments(format!("`data` is not base64: {error}"))
            })?;
            let (text, encoding) = decode(&bytes);
            (text, bytes.len(), encoding)
        }
        _ => {
            return Err(ToolError::invalid_arguments("give either `text` or `data`"));
        }
    };
    Ok(count(&text, bytes, encoding))
}

/// The text of bytes, by their marks and by what is likely.
fn decode(bytes: &[u8]) -> (String, Encoding) {
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        return (utf16(rest, u16::from_le_bytes), Encoding::Utf16Le);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        return (utf16(rest, u16::from_be_bytes), Encoding::Utf16Be);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && !bytes.contains(&0)
    {
        let encoding = if bytes.is_ascii() {
            Encoding::Ascii
        } else if text.starts_with('\u{feff}') {
            Encoding::Utf8Bom
        } else {
            Encoding::Utf8
        };
        return (text.to_owned(), encoding);
    }
    // In UTF-16 every other byte of western text is zero.
    let zeros = |parity: usize| {
        bytes
            .iter()
            .skip(parity)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    if bytes.len() >= 4 && odd * 4 > bytes.len() && even * 20 < bytes.len() {
        return (utf16(bytes, u16::from_le_bytes), Encoding::Utf16Le);
    }
    if bytes.len() >= 4 && even * 4 > bytes.len() && odd * 20 < bytes.len() {
        return (utf16(bytes, u16::from_be_bytes), Encoding::Utf16Be);
    }
    let is_control = |byte: &&u8| **byte < b' ' && !b"\t\n\r\x0c\x1b".contains(*byte);
    let controls = bytes.iter().filter(is_control).count();
    let encoding = if bytes.contains(&0) || controls * 20 > bytes.len() {
        Encoding::Binary
    } else {
        Encoding::Windows1252
    };
    // For counting it does not matter which character a byte is.
    (
        bytes.iter().map(|byte| char::from(*byte)).collect(),
        encoding,
    )
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn count(text: &str, bytes: usize, encoding: Encoding) -> Stats {
    let mut stats = Stats {
        lines: 0,
        blank_lines: 0,
        words: text.split_whitespace().count(),
        characters: text.chars().count(),
        bytes,
        longest_line: None,
        encoding,
        line_endings: LineEndings::default(),
        final_newline: text.ends_with(['\n', '\r']),
        indentation: Indentation::default(),
        trailing_whitespace: 0,
    };
    let mut steps = Steps::default();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, behind) = rest.split_at(end);
        rest = if let Some(behind) = behind.strip_prefix("\r\n") {
            stats.line_endings.crlf += 1;
            behind
        } else if let Some(behind) = behind.strip_prefix('\n') {
            stats.line_endings.lf += 1;
            behind
        } else if let Some(behind) = behind.strip_prefix('\r') {
            stats.line_endings.cr += 1;
            behind
        } else {
            behind
        };
        stats.line(line);
        steps.line(line);
    }
    stats.indentation.width = steps.width();
    stats
}

impl Stats {
    fn line(&mut self, line: &str) {
        self.lines += 1;
        let characters = line.chars().count();
        if self
            .longest_line
            .as_ref()
            .is_none_or(|longest| longest.characters < characters)
        {
            self.longest_line = Some(Longest {
                line: self.lines,
                characters,
            });
        }
        if line.ends_with([' ', '\t']) {
            self.trailing_whitespace += 1;
        }
        if line.trim().is_empty() {
            self.blank_lines += 1;
            return;
        }
        let indent = line
            .split(|other| other != ' ' && other != '\t')
            .next()
            .unwrap_or_default();
        match (indent.contains('\t'), indent.contains(' ')) {
            (true, true) => self.indentation.mixed += 1,
            (true, false) => self.indentation.tabs += 1,
            (false, true) => self.indentation.spaces += 1,
            (false, false) => {}
        }
    }
}

/// By how many spaces lines are indented more than those before them.
#[derive(Debug, Default)]
struct Steps {
    before: usize,
    /// How often it was so many, from none to eight.
    counts: [usize; 9],
}

impl Steps {
    fn line(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let indent = line.bytes().take_while(|byte| *byte == b' ').count();
        if line.as_bytes().get(indent) == Some(&b'\t') {
            return;
        }
        if let Some(count) = self.counts.get_mut(indent.saturating_sub(self.before)) {
            *count += 1;
        }
        self.before = indent;
    }

    fn width(&self) -> Option<usize> {
        let (width, count) = self
            .counts
            .iter()
            .enumerate()
            .skip(1)
            .max_by_key(|(width, count)| (**count, usize::MAX - width))?;
        (*count > 0).then_some(width)
    }
}

#[cfg(test)]
mod tests;
