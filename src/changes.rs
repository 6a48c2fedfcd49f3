//! What a command changed in a workspace: kept for a person to look at, applied or thrown away.
//!
//! The command ran over an overlay (`src/exec/docker/overlay.rs`): the folder of the host below, which it only read, and a
//! folder of ours above, which holds all that it wrote. [`compare`] tells the difference of the two as a list of [`Change`]s;
//! [`Kept`] holds it under the id of the call; [`Plan`] applies it. Nothing here knows of containers.
//!
//! Where there can be no overlay it ran over a copy (`src/exec/docker/copies.rs`): [`pack`] makes an archive of the workspace and
//! writes down what is in it, and [`unpack`] tells what is different in the one that comes back, in the same form.
//!
//! * Every path is walked component by component and no link is ever followed, in the workspace and in what is kept.
//! * What the workspace held is written down when the run ends. A path that is something else by then is a conflict.
//! * What is protected is listed and never applied ([`Rules`]).

mod apply;
mod archive;
mod compare;
mod draft;
mod index;
mod links;
mod name;
mod pack;
mod rules;
mod text;
mod tree;
mod unpack;

use serde::{Deserialize, Serialize};

pub use apply::{Applied, Plan};
pub use compare::compare;
pub use draft::{Draft, Layer};
pub use index::{ChangeSet, Kept, LayerChanges};
pub use name::Name;
pub use pack::{Apart, Packed, Room, Workspace, pack};
pub use rules::Rules;
pub use unpack::{Returned, unpack, unpack_anything};

use crate::ids::Digest;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It was not there.
    Added,
    /// Its content, its target or its mode is another.
    Modified,
    /// It is not there any more.
    Removed,
    /// It is a folder where it was a file, a link where it was a folder, and so on.
    TypeChanged,
}

impl What {
    /// The word of tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Removed => "removed",
            Self::TypeChanged => "type-changed",
        }
    }
}

/// One entry of a folder, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Node {
    /// A regular file.
    File {
        /// In bytes.
        size: u64,
        /// The permission bits, with those that make a program run as its owner.
        mode: u32,
        /// Of its content.
        digest: Digest,
    },
    /// A folder.
    Folder {
        /// The permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// What it says.
        target: Name,
    },
    /// A pipe, a socket or a device.
    Special,
}

impl Node {
    /// True for a folder.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        matches!(self, Self::Folder { .. })
    }

    /// True where the two are of one type.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Bytes of content.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        match self {
            Self::File { size, .. } => Some(*size),
            _ => None,
        }
    }

    /// The permission bits.
    #[must_use]
    pub const fn mode(&self) -> Option<u32> {
        match self {
            Self::File { mode, .. } | Self::Folder { mode } => Some(*mode),
            Self::Link { .. } | Self::Special => None,
        }
    }
}

/// One changed path of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Relative to the workspace.
    pub path: Name,
    /// What happened.
    pub what: What,
    /// What the workspace held when the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Node>,
    /// What the command left there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Node>,
    /// Somebody else changed it while the command ran, so that nobody knows what the command saw.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed_meanwhile: bool,
    /// Why it can never be applied, whatever the rules say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The difference of two small texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

#[cfg(test)]
mod tests;
