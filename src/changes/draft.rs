//! The folders that a command writes into while it runs. What is not kept in the end is removed.
//!
//! ```text
//! TOOLHATCH_HOME/changes/ID             locked by the process that runs the command, as long as it does
//!                           LAYER/upper what the command writes: afterwards, what it changed
//!                           LAYER/work  for the kernel
//!                           index.json  the changes; what has none is of a run that did not end
//! ```

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::index::{Kept, Locked, VERSION};
use super::{ChangeSet, LayerChanges};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::CallId;

/// Has the time of the file system when the command began.
const BEGAN: &str = "began";

/// The changes of a command that runs. Dropping it removes what was not kept.
#[derive(Debug)]
pub struct Draft {
    id: CallId,
    kept: Kept,
    is_kept: AtomicBool,
    _locked: Locked,
}

/// The two folders of one overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its folder in the draft.
    pub name: String,
    /// What the command writes goes there.
    pub upper: PathBuf,
    /// The kernel's own; on the same file system.
    pub work: PathBuf,
    /// The inode of `upper`.
    pub inode: u64,
    /// `upper` and the workspace are on one file system.
    pub is_of_one_file_system: bool,
}

impl Draft {
    /// Begins one below the folder of all changes. [`Kept::sweep`] leaves it alone as long as this process lives.
    ///
    /// # Errors
    /// Those of making folders.
    pub fn begin(kept: &Kept, id: CallId) -> Result<Self> {
        fsx::create_private_dir(kept.folder())?;
        let folder = kept.folder_of(&id);
        // Between its two steps it looks like one that was left.
        let _turn = kept.turn()?;
        fs::create_dir(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)))
            .map_err(|error| fsx::io_error("creating folder", &folder, error))?;
        Ok(Self {
            id,
            kept: kept.clone(),
            is_kept: AtomicBool::new(false),
            _locked: kept.lock(&id)?,
        })
    }

    fn folder(&self) -> PathBuf {
        self.kept.folder_of(&self.id)
    }

    /// Makes the folders of one overlay over `host`. Seen from above, the upper one is the workspace itself: it has its
    /// owner and its mode.
    ///
    /// # Errors
    /// E3004 where it cannot be given to the owner of the workspace.
    pub fn layer(&self, name: &str, host: &Path) -> Result<Layer> {
        let folder = self.folder().join(name);
        let (upper, work) = (folder.join("upper"), folder.join("work"));
        for path in [&folder, &upper, &work] {
            fsx::create_private_dir(path)?;
        }
        let failed = |error| fsx::io_error("laying an overlay over", host, error);
        let below = fs::symlink_metadata(host).map_err(failed)?;
        let above = fs::symlink_metadata(&upper).map_err(failed)?;
        if (above.uid(), above.gid()) != (below.uid(), below.gid()) {
            let given = std::os::unix::fs::chown(&upper, Some(below.uid()), Some(below.gid()));
            // The group alone decides nothing for a folder of our own.
            if above.uid() != below.uid() {
                given.map_err(|error| {
                    Error::new(
                        Code::E3004,
                        format!(
                            "laying an overlay over {}: it belongs to user {}, to whom we cannot give a folder",
                            host.display(),
                            below.uid()
                        ),
                    )
                    .hint("Run it as the owner of the folder, or mount a folder of your own.")
                    .caused_by(error)
                })?;
            }
        }
        fs::set_permissions(&upper, fs::Permissions::from_mode(below.mode() & 0o7777))
            .map_err(failed)?;
        Ok(Layer {
            name: name.to_owned(),
            upper,
            work,
            inode: above.ino(),
            is_of_one_file_system: above.dev() == below.dev(),
        })
    }

    /// Makes the folder for what came back of a copy. Everything in it is our own.
    ///
    /// # Errors
    /// Those of making folders.
    pub fn upper(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder().join(name);
        let upper = folder.join("upper");
        for path in [&folder, &upper] {
            fsx::create_private_dir(path)?;
        }
        Ok(upper)
    }

    /// The time by the clock of the file system, in nanoseconds since 1970: what changes from now on changes later.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn mark(&self) -> Result<i128> {
        let path = self.folder().join(BEGAN);
        fsx::write_atomic(&path, b"", 0o600)?;
        let found = fs::symlink_metadata(&path)
            .map_err(|error| fsx::io_error("looking at", &path, error))?;
        Ok(i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec()))
    }

    /// Keeps what changed. From here on only a person removes it.
    ///
    /// # Errors
    /// Those of writing; then nothing is kept.
    pub fn keep(
        &self,
        image: &str,
        command: &[String],
        layers: Vec<LayerChanges>,
    ) -> Result<ChangeSet> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let created_ms = since.unwrap_or_default().as_millis();
        let set = ChangeSet {
            version: VERSION,
            id: self.id,
            created_ms: i64::try_from(created_ms).unwrap_or(i64::MAX),
            image: image.to_owned(),
            command: command.to_vec(),
            layers,
        };
        self.kept.save(&set)?;
        self.is_kept.store(true, Ordering::Relaxed);
        Ok(set)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.is_kept.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.kept.remove(&self.id) {
            tracing::warn!(%error, id = %self.id, "could not remove what a command wrote; the next sweep will");
        }
    }
}
