//! `read`: one file of an archive.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, tool};

use crate::caps::{Caps, Exceeded};
use crate::entry::{Kind, Next};
use crate::open::{Archive, Format, broken};

/// How many bytes of an entry are unpacked at most, those before `offset` included.
const MAX_UNPACKED: u64 = 1 << 30;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"path": "/workspace/release.zip", "entry": "README.md"}))]
pub struct Arguments {
    /// The archive, under the name it was granted: usually below /workspace.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/release.zip")]
    path: String,
    /// The name of the entry, as `list` gives it.
    #[schemars(length(min = 1, max = 8192), example = &"README.md")]
    entry: String,
    /// How the content is to be returned.
    #[serde(default)]
    encoding: Encoding,
    /// The byte to begin at.
    #[serde(default)]
    #[schemars(range(max = 1_073_741_824))]
    offset: u64,
    /// How many bytes to return at most.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1, max = 4_194_304))]
    max_bytes: u64,
}

fn default_max_bytes() -> u64 {
    256 * 1024
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
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
    /// The name of the entry.
    name: String,
    /// What `content` is: `text` or `base64`.
    encoding: Returned,
    content: String,
    /// True where the entry goes on.
    truncated: bool,
    /// The offset to go on with, where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Returned {
    Text,
    Base64,
}

/// Reads one file of an archive, or a part of it: text as it is, anything else as base64. Nothing is unpacked to disk.
///
/// # Errors
/// Those of [`Archive::open`]; `not-found` where there is no such entry; `failed` for one that is no file, is encrypted or is
/// broken, and for text that is none.
#[tool]
pub fn read(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Content>> {
    let archive = Archive::open(&arguments.path)?;
    let has_directory = archive.format == Format::Zip;
    let mut found: Option<Vec<u8>> = None;
    let name = &arguments.entry;
    archive.visit(&mut |entry, contents| {
        if entry.name != *name {
            return Ok(Next::Continue);
        }
        if found.is_some() {
            return Err(ToolError::failed(format!(
                "`{}` has more than one `{name}`, so it is not clear which is meant",
                arguments.path
            )));
        }
        let failed = |why: &str| {
            ToolError::failed(format!(
                "`{name}` in `{}` cannot be read: {why}",
                arguments.path
            ))
        };
        let Some(contents) = contents else {
            let why = match entry.kind {
                Kind::File => entry.problem.as_deref().unwrap_or("it has no contents"),
                Kind::Folder => "it is a folder",
                Kind::Link | Kind::HardLink => "it is a link",
                Kind::Special => "it is no file",
            };
            return Err(failed(why));
        };
        found = Some(
            arguments
                .part(contents)
                .map_err(|error| match Exceeded::of(&error) {
                    Some(exceeded) => failed(&exceeded.to_string()),
                    None if error.kind() == std::io::ErrorKind::InvalidData => {
                        failed(&error.to_string())
                    }
                    None => broken(&arguments.path, error),
                })?,
        );
        // A tar has to be read to its end to know whether there is another one: `list` does.
        Ok(if has_directory {
            Next::Continue
        } else {
            Next::Stop
        })
    })?;
    let Some(bytes) = found else {
        return Err(ToolError::not_found(format!(
            "`{}` has no entry `{name}`",
            arguments.path
        )));
    };
    let content = arguments.content(bytes)?;
    let text = match content.encoding {
        Returned::Text => content.content.clone(),
        Returned::Base64 => "no UTF-8 text; base64 is in the structured result".to_owned(),
    };
    let note = content.next_offset.map(|next| {
        toolhatch_plugin::Content::text(format!("[there is more: go on with `offset` {next}]"))
    });
    Ok(Reply::new(content).text(text).blocks(note))
}

impl Arguments {
    /// The part that was asked for, and a byte more where there is one. What is read whole is checked whole.
    fn part(&self, contents: &mut dyn std::io::Read) -> std::io::Result<Vec<u8>> {
        let mut caps = Caps::new(MAX_UNPACKED, MAX_UNPACKED);
        let mut contents = caps.limit(contents);
        std::io::copy(
            &mut contents.by_ref().take(self.offset),
            &mut std::io::sink(),
        )?;
        let mut bytes = Vec::new();
        contents.take(self.max_bytes + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn content(&self, mut bytes: Vec<u8>) -> Result<Content> {
        let most = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        let truncated = bytes.len() > most;
        bytes.truncate(most);
        let name = self.entry.clone();
        let text = if self.encoding == Encoding::Base64
            || (self.encoding == Encoding::Auto && bytes.contains(&0))
        {
            None
        } else {
            text(&bytes, truncated)
        };
        let (encoding, content, length) = match text {
            Some(text) => (Returned::Text, text.to_owned(), text.len()),
            None if self.encoding == Encoding::Text => {
                return Err(ToolError::failed(format!(
                    "`{name}` is not UTF-8 text; read it with `encoding` base64"
                )));
            }
            None => (Returned::Base64, STANDARD.encode(&bytes), bytes.len()),
        };
        Ok(Content {
            name,
            encoding,
            content,
            truncated,
            next_offset: truncated.then_some(self.offset + length as u64),
        })
    }
}

/// Bytes as text; of those that were cut, without half a character at the end.
fn text(bytes: &[u8], is_cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
