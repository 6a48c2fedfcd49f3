//! The bytes of installed plugins, by digest.
//!
//! ```text
//! TOOLHATCH_HOME/blobs/sha256/<hex>   an artifact, 0444, never changed
//! TOOLHATCH_HOME/blobs/lock           held while artifacts come and go
//! ```
//!
//! Bytes are there before anything names them, and go after nothing names them any more; a crash in between leaves bytes
//! that nothing uses. They are hashed again whenever they are read.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::read;
use crate::error::{Code, Error, Result};
use crate::exec::Artifact;
use crate::fsx;
use crate::ids::Digest;

/// The artifacts below one Toolhatch home.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
}

/// Held while artifacts come and go, so that none goes between being written and being named.
#[derive(Debug)]
pub struct BlobLock {
    _file: File,
}

impl Blobs {
    /// The artifacts below `home`; nothing is made before one is put there.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            folder: home.join("blobs"),
        }
    }

    /// Where the bytes of an artifact are.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("sha256").join(digest.hex())
    }

    /// Waits for other processes that put or remove artifacts.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn lock(&self) -> Result<BlobLock> {
        fsx::create_private_dir(&self.folder)?;
        let path = self.folder.join("lock");
        let file = fsx::open_lock(&path)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| fsx::io_error("locking", &path, error.into()))?;
        Ok(BlobLock { _file: file })
    }

    /// Keeps an artifact.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn put(&self, _lock: &BlobLock, artifact: &Artifact) -> Result<()> {
        let path = self.path(&artifact.digest);
        if let Some(folder) = path.parent() {
            fsx::create_private_dir(folder)?;
        }
        fsx::write_atomic(&path, &artifact.bytes, 0o444)
    }

    /// Removes an artifact that nothing names any more; one that is not there is no error.
    pub fn remove(&self, _lock: &BlobLock, digest: &Digest) {
        match std::fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, %digest, "could not remove an artifact");
            }
            _ => {}
        }
    }

    /// Reads an artifact and hashes it again.
    ///
    /// # Errors
    /// E3109 where the bytes are not the ones that were put there; those of reading.
    pub fn read(&self, digest: &Digest) -> Result<Artifact> {
        let path = self.path(digest);
        let artifact = read::artifact(&path)?;
        if artifact.digest == *digest {
            return Ok(artifact);
        }
        Err(Error::new(
            Code::E3109,
            format!(
                "{} does not hold the bytes that were installed",
                path.display()
            ),
        )
        .hint("Remove the plugin, and install it again from a source you trust.")
        .detail("expected", digest.to_string())
        .detail("found", artifact.digest.to_string()))
    }
}
