//! Folders for as long as a command runs: private, and gone when it ends, or when the next one begins where it was killed.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::App;
use crate::error::Result;
use crate::fsx;
use crate::ids::CallId;
use crate::store::StateOwner;

/// The folder below Toolhatch's own that they are in.
const FOLDER: &str = "tmp";
/// What the file is called that is locked while somebody uses the folder of the same name.
const LOCK: &str = "lock";

/// A private folder that goes with this value.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Scratch {
    /// The folder, without links.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.folder, &self.lock);
    }
}

impl App {
    /// Makes a folder of its own, and removes those of processes that are gone.
    ///
    /// # Errors
    /// Those of the file system.
    pub async fn scratch(&self) -> Result<Scratch> {
        let all = self.paths.home.join(FOLDER);
        fsx::create_private_dir(&all)?;
        self.sweep(&all).await;
        let all = all
            .canonicalize()
            .map_err(|error| fsx::io_error("looking at", &all, error))?;
        let folder = all.join(CallId::generate().to_string());
        let lock = folder.with_extension(LOCK);
        let held = fsx::open_lock(&lock)?;
        flock(&held, FlockOperation::LockExclusive)
            .map_err(|error| fsx::io_error("locking", &lock, error.into()))?;
        fsx::create_private_dir(&folder)?;
        Ok(Scratch {
            folder,
            lock,
            _held: held,
        })
    }

    /// Removes the folders that nobody uses any more, and what plugins in them kept.
    async fn sweep(&self, all: &Path) {
        let Ok(entries) = std::fs::read_dir(all) else {
            return;
        };
        for lock in entries.flatten().map(|entry| entry.path()) {
            if lock.extension().is_none_or(|extension| extension != LOCK) {
                continue;
            }
            let Ok(file) = File::open(&lock) else {
                continue;
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let folder = lock.with_extension("");
            let plugins = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            for plugin in plugins.filter_map(|plugin| plugin.path().canonicalize().ok()) {
                if let Err(error) = self.clear_state(&StateOwner::File(plugin), true).await {
                    tracing::debug!(%error, "could not remove what a copy of a plugin kept");
                }
            }
            remove(&folder, &lock);
        }
    }
}

/// The lock goes last: while it is there, the folder is found again.
fn remove(folder: &Path, lock: &Path) {
    let removed = match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::remove_file(lock),
    };
    if let Err(error) = removed {
        tracing::warn!(folder = %folder.display(), %error, "could not remove a folder of a command");
    }
}
