//! What an archive has in it.

use std::io::Read;

use schemars::JsonSchema;
use serde::Serialize;

/// One thing in an archive, as far as its header tells.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name as text, see [`crate::name::text`].
    pub name: String,
    pub kind: Kind,
    /// How many bytes it says that it has, where it says so.
    pub size: Option<u64>,
    /// How many bytes it takes in the archive, where it is packed on its own.
    pub packed: Option<u64>,
    /// When it was changed, in RFC 3339, or without a time zone where the archive has none.
    pub modified: Option<String>,
    /// Where a link leads.
    pub target: Option<String>,
    /// Why its contents cannot be read, or not be trusted.
    pub problem: Option<String>,
}

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    File,
    Folder,
    /// A symbolic link.
    Link,
    /// Another name of a file before it.
    HardLink,
    /// A device, a pipe, or what nobody knows.
    Special,
}

/// What is to be done after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Continue,
    Stop,
}

/// Looks at entries, and reads the contents of those that are of use. There are contents only for files without a problem.
pub type Visit<'a> =
    dyn FnMut(&Entry, Option<&mut dyn Read>) -> toolhatch_plugin::Result<Next> + 'a;
