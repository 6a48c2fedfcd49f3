//! What an installed plugin says of itself.

use crate::dist::{Installed, Store};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest::{self, Manifest};

/// The manifest of an installed plugin, read without hashing the whole artifact: good for showing, and for nothing that is
/// run or granted.
pub(in crate::cli) fn manifest(store: &Store, plugin: &Installed) -> Result<Manifest> {
    let bytes = fsx::read_capped(&store.blob_path(&plugin.digest), plugin.size)?;
    let origin = format!("the manifest of {} {}", plugin.name, plugin.version);
    let text = manifest::extract(&bytes)?
        .ok_or_else(|| Error::new(Code::E3109, format!("{origin} is gone")))?;
    manifest::parse_toml(&text, &origin)
}
