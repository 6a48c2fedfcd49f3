//! Artifacts: reading them from files and folders, packing a manifest into a component, and the installed ones.

mod package;
mod store;

pub use package::{MANIFEST_FILE, Package, pack};
pub use store::{Installed, InstalledTool, Store};
