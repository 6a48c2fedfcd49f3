//! What came of an example call when somebody looked at it, `tests/snapshots/FILE/CALL.json`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{FOLDER, within};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest::document::MAX_BYTES;

/// The folder in that of example calls that snapshots are kept in, one folder a file.
const SNAPSHOTS: &str = "snapshots";

/// Where what came of an example call is kept. The project may be one of strangers: no link leads out of it, neither for
/// reading nor for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder of the project, without links.
    project: PathBuf,
    /// The folders below it, the outermost first.
    folders: [String; 3],
    file: String,
}

/// The name of the file of a call's snapshot.
fn file_name(call: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let name: String = call.chars().map(plain).collect();
    format!("{name}.json")
}

/// True where the snapshots of two calls of one file would be in one place, on a disk that may know no case.
pub(super) fn is_one_file(one: &str, other: &str) -> bool {
    file_name(one).to_lowercase() == file_name(other).to_lowercase()
}

impl Snapshot {
    /// Of a call in a file of a project, both by their names; `project` is without links.
    pub(super) fn new(project: &Path, file: &str, call: &str) -> Self {
        Self {
            project: project.to_owned(),
            folders: [FOLDER, SNAPSHOTS, file].map(str::to_owned),
            file: file_name(call),
        }
    }

    /// The path of its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let mut path = self.project.clone();
        path.extend(&self.folders);
        path.join(&self.file)
    }

    /// Reads it; nothing where there is none yet.
    ///
    /// # Errors
    /// E3105 where it is not JSON, E3206 where a link leads out of the project; those of reading.
    pub fn read(&self) -> Result<Option<Value>> {
        let path = self.path();
        if !path.exists() {
            return Ok(None);
        }
        let text = fsx::read_text(&within(&self.project, &path)?, MAX_BYTES as u64)?;
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::new(
                Code::E3105,
                format!("reading the snapshot {}", path.display()),
            )
            .caused_by(error)
            .hint("Write it anew with `toolhatch plugin test --update`.")
        })
    }

    /// Writes it, and makes the folders that it lies in.
    ///
    /// # Errors
    /// E3206 where a link leads out of the project, before anything is made there; those of writing.
    pub fn write(&self, found: &Value) -> Result<()> {
        let mut folder = self.project.clone();
        for name in &self.folders {
            let next = folder.join(name);
            match std::fs::create_dir(&next) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(fsx::io_error("making the folder", &next, error));
                }
                _ => folder = within(&self.project, &next)?,
            }
        }
        let text = serde_json::to_string_pretty(found).unwrap_or_else(|_| found.to_string());
        // A link in the place of the file is replaced, and not followed.
        fsx::write_atomic(
            &folder.join(&self.file),
            format!("{text}\n").as_bytes(),
            0o644,
        )
    }
}
