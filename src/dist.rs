//! Artifacts: reading them from files and folders, packing a manifest into a component, and the installed ones.

mod blobs;
mod package;
mod read;

pub use blobs::{BlobLock, Blobs};
pub use package::{MANIFEST_FILE, Package, manifest_beside, pack};
