//! Names and ids that are parsed once and valid everywhere after that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The text is not a valid name or id; says which rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.text.chars().take(80).collect();
        write!(f, "{shown:?} is not a valid {}: {}", self.what, self.rule)
    }
}

impl std::error::Error for InvalidId {}

/// The name of a plugin: kebab-case, 1 to 64 characters, such as `analyze-code`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginName(String);

impl PluginName {
    /// The longest name there may be, in characters.
    pub const MAX: usize = 64;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for words of lower-case letters and digits joined by single hyphens, the first starting with a letter.
#[must_use]
pub fn is_kebab_case(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('-').all(|word| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
}

/// True for a name that a tool or a prompt of a plugin can have: 1 to 128 letters, digits, `_`, `-` and `.`, as MCP has it.
#[must_use]
pub fn is_tool_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

impl FromStr for PluginName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() <= Self::MAX && is_kebab_case(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidId {
            what: "plugin name",
            text: text.to_owned(),
            rule: "use at most 64 lower-case letters, digits and single hyphens, starting with a letter",
        })
    }
}

/// The id of a tool, `source.tool`, split at the first dot.
///
/// The source is a plugin, a file stem or the name a person gave a server; the tool part is kept as its owner wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ToolId {
    text: String,
    /// Where the first dot is, which ends the source.
    dot: usize,
}

impl ToolId {
    /// Puts an id together; the source must not contain a dot, and neither part may be empty or hold control characters.
    ///
    /// # Errors
    /// [`InvalidId`] where a part breaks one of these rules.
    pub fn new(source: &str, tool: &str) -> Result<Self, InvalidId> {
        let well_formed = |part: &str| {
            !part.is_empty()
                && part.len() <= 256
                && !part.chars().any(|c| c.is_control() || c.is_whitespace())
        };
        if well_formed(source) && well_formed(tool) && !source.contains('.') {
            return Ok(Self {
                text: format!("{source}.{tool}"),
                dot: source.len(),
            });
        }
        Err(InvalidId {
            what: "tool id",
            text: format!("{source}.{tool}"),
            rule: "write `source.tool`, without spaces",
        })
    }

    /// The plugin, file stem or server the tool belongs to.
    #[must_use]
    pub fn source(&self) -> &str {
        self.text.get(..self.dot).unwrap_or_default()
    }

    /// The name of the tool within its source.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.text.get(self.dot + 1..).unwrap_or_default()
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// By source, then by name.
impl Ord for ToolId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.source(), self.tool()).cmp(&(other.source(), other.tool()))
    }
}

impl PartialOrd for ToolId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for ToolId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (source, tool) = text.split_once('.').unwrap_or((text, ""));
        Self::new(source, tool)
    }
}

impl fmt::Display for ToolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The SHA-256 of an artifact, written `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of these pieces, one after the other.
    #[must_use]
    pub fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for piece in pieces {
            hash.update(piece);
        }
        Self(hash.finalize().into())
    }

    /// The digest of all that a reader gives.
    ///
    /// # Errors
    /// Those of reading.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<Self> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0_u8; 64 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Self(hash.finalize().into())),
                Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits without the `sha256:` in front.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first twelve digits, for tables people read.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidId {
            what: "digest",
            text: text.to_owned(),
            rule: "write `sha256:` and 64 lower-case hexadecimal digits",
        };
        let hex = text.strip_prefix("sha256:").ok_or_else(invalid)?;
        if hex.len() != 64
            || !hex
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(invalid)?;
        }
        Ok(Self(bytes))
    }
}

/// The id of one call: a ULID, so ids sort by the time the call began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId(ulid::Ulid);

impl CallId {
    /// A new id for a call that begins now.
    #[must_use]
    pub fn generate() -> Self {
        Self(ulid::Ulid::generate())
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for CallId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ulid::Ulid::from_string(text)
            .map(Self)
            .map_err(|_| InvalidId {
                what: "call id",
                text: text.to_owned(),
                rule: "a call id is a ULID of 26 characters",
            })
    }
}

macro_rules! text_form {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

text_form!(PluginName, ToolId, Digest, CallId);

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_names_are_kebab_case() {
        for good in ["a", "analyze-code", "x2", "a-1"] {
            assert!(good.parse::<PluginName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "a_b",
            "-a",
            "a-",
            "a--b",
            "1a",
            "é",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<PluginName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tool_id_splits_at_the_first_dot() {
        let id: ToolId = "server.a.b".parse().expect("valid");
        assert_eq!((id.source(), id.tool()), ("server", "a.b"));
        for bad in ["", "a", ".b", "a.", "a b.c", "a.\u{7}"] {
            assert!(bad.parse::<ToolId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_round_trip() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
    }
}
