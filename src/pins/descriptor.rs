//! One tool as its server describes it.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::visible::visible;
use crate::error::{Code, Error, Result};
use crate::ids::{Digest, ToolId};
use crate::schema::canonical;

/// How deep arrays and objects of a descriptor may be nested; `tools.lock` has a few levels around it.
pub const MAX_DEPTH: usize = 100;
/// The longest descriptor, in bytes as `tools.lock` writes it down.
pub const MAX_DESCRIPTOR: usize = 1 << 20;

/// Stands before what is hashed, so that a digest of something else is never one of these. A later form gets another.
const TOOL: &[u8] = b"toolhatch mcp tool v1\n";
const CONTENT: &[u8] = b"toolhatch mcp tool content v1\n";

/// What a server says of one tool: the whole object of `tools/list`. Two are equal where their digests are, so that the
/// order of keys and white space do not matter. Cheap to clone.
#[derive(Clone)]
pub struct ToolDescriptor(Arc<Inner>);

struct Inner {
    name: String,
    value: Value,
    digest: Digest,
    content: Digest,
    size: usize,
}

impl ToolDescriptor {
    /// Takes an object of `tools/list`.
    ///
    /// # Errors
    /// E3508 where it is no object, has no name that a tool can be called by, nests deeper than [`MAX_DEPTH`] or is longer
    /// than [`MAX_DESCRIPTOR`].
    pub fn new(value: Value) -> Result<Self> {
        let malformed =
            |why: String| Error::new(Code::E3508, format!("reading a tool's description: {why}"));
        let name = match value.get("name") {
            _ if !value.is_object() => return Err(malformed("it is not an object".to_owned())),
            Some(Value::String(name)) => name.clone(),
            Some(_) => return Err(malformed("its name is not a string".to_owned())),
            None => return Err(malformed("it has no name".to_owned())),
        };
        let shown: String = name.chars().take(80).collect();
        let shown = visible(&shown).replace(['\n', '\t'], " ");
        if ToolId::new("server", &name).is_err() {
            return Err(malformed(format!(
                "no tool can be called by its name, `{shown}`"
            )));
        }
        if is_deeper(&value, MAX_DEPTH) {
            return Err(malformed(format!(
                "`{shown}` is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        let mut size = Size(0);
        if serde_json::to_writer_pretty(&mut size, &value).is_err() {
            return Err(malformed(format!(
                "`{shown}` is longer than {MAX_DESCRIPTOR} bytes"
            )));
        }
        let digest = Digest::of_pieces([TOOL, canonical(&value).as_bytes()]);
        let mut rest = value.as_object().cloned().unwrap_or_default();
        rest.shift_remove("name");
        let content = Digest::of_pieces([CONTENT, canonical(&Value::Object(rest)).as_bytes()]);
        Ok(Self(Arc::new(Inner {
            name,
            value,
            digest,
            content,
            size: size.0,
        })))
    }

    /// The name that the server calls it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The object, with its keys in the order that the server gave them in.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// A field of the object.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.value.get(field)
    }

    /// The fields of the object.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.value.as_object().into_iter().flat_map(Map::iter)
    }

    /// The SHA-256 of its canonical form, which differs with any field.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The same without the name: that of a tool that was renamed stays.
    #[must_use]
    pub fn content_digest(&self) -> Digest {
        self.0.content
    }

    /// How long it is written down, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size
    }
}

impl PartialEq for ToolDescriptor {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for ToolDescriptor {}

impl fmt::Debug for ToolDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolDescriptor({})", self.0.value)
    }
}

/// True where arrays and objects are nested deeper than this.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => fields.values().any(|field| is_deeper(field, levels - 1)),
        _ => false,
    }
}

/// Counts what is written, up to the longest there may be.
struct Size(usize);

/// How much further in than by itself a descriptor stands in the file, in bytes a line.
const INDENT: usize = 12;

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.0 += bytes.len() + lines * INDENT;
        if self.0 > MAX_DESCRIPTOR {
            return Err(io::Error::other("too long"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
