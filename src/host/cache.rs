//! Compiled components on disk.
//!
//! Compiled code is run as it is, so nobody but us may have written it. The folder is private, every file is opened
//! without following links and checked for its owner and mode on the opened handle, and a message authentication code
//! binds it to the artifact, the engine and the file itself. Small files are authenticated whole; of larger ones, whose
//! hashing would take longer than mapping them, the size, inode and times are: any write changes them. Whatever does not
//! fit is removed and built again.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::Digest;

/// Files up to this size are authenticated whole: about two milliseconds of hashing.
const WHOLE: u64 = 4 << 20;
/// How much of a file is read at once.
const PIECE: usize = 64 << 10;
/// Written into the code, so that a change of the layout makes old files foreign.
const FORMAT: &[u8] = b"toolhatch compiled component 1";

/// The folder of compiled components.
#[derive(Debug, Clone)]
pub struct CompiledCache {
    folder: PathBuf,
    key: [u8; 32],
}

/// A compiled component in the cache, for `cache list` and `cache gc`.
#[derive(Debug, Clone)]
pub struct CachedComponent {
    /// The artifact it was compiled from.
    pub artifact: String,
    /// The engine it was compiled for.
    pub engine: String,
    /// Bytes on disk.
    pub size: u64,
    /// When it was last used.
    pub used: SystemTime,
    path: PathBuf,
}

impl CompiledCache {
    /// Opens the cache in `folder`, making it and the key file where they are missing.
    ///
    /// # Errors
    /// E3109 where the folder or the key belongs to somebody else or is open to others; E3000 where they cannot be made.
    pub fn open(folder: &Path, key_file: &Path) -> Result<Self> {
        fsx::create_private_dir(folder)?;
        check_private(folder, 0o077)?;
        if let Some(parent) = key_file.parent() {
            fsx::create_private_dir(parent)?;
            check_private(parent, 0o077)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            key: read_or_make_key(key_file)?,
        })
    }

    fn path(&self, artifact: &Digest, engine: &str) -> PathBuf {
        self.folder
            .join(engine)
            .join(format!("{}.cwasm", artifact.hex()))
    }

    /// Opens the compiled form of an artifact, if there is one that is ours and whole.
    #[must_use]
    pub fn load(&self, artifact: &Digest, engine: &str) -> Option<CompiledFile> {
        let path = self.path(artifact, engine);
        match self.open_checked(&path, artifact, engine) {
            Ok(file) => Some(CompiledFile(file)),
            Err(reason) => {
                if path.exists() {
                    tracing::warn!(path = %path.display(), reason, "rejected a compiled component and will build it again");
                    self.discard(artifact, engine);
                }
                None
            }
        }
    }

    fn open_checked(
        &self,
        path: &Path,
        artifact: &Digest,
        engine: &str,
    ) -> Result<File, &'static str> {
        let mut file = open_no_follow(path).map_err(|_| "it cannot be opened")?;
        let metadata = file.metadata().map_err(|_| "it cannot be examined")?;
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err("it belongs to somebody else");
        }
        if metadata.mode() & 0o077 != 0 {
            return Err("others may write or read it");
        }
        let mut expected = Vec::new();
        open_no_follow(&path.with_extension("mac"))
            .and_then(|code| code.take(64).read_to_end(&mut expected))
            .map_err(|_| "its authentication code is missing")?;
        let mac = self
            .authenticate(&mut file, artifact, engine)
            .map_err(|_| "it cannot be read")?;
        mac.verify_slice(&expected)
            .map_err(|_| "its authentication code does not match")?;
        Ok(file)
    }

    fn authenticate(
        &self,
        file: &mut File,
        artifact: &Digest,
        engine: &str,
    ) -> std::io::Result<Hmac<Sha256>> {
        let metadata = file.metadata()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(std::io::Error::other)?;
        mac.update(FORMAT);
        mac.update(artifact.bytes());
        mac.update(engine.as_bytes());
        mac.update(&metadata.len().to_le_bytes());
        if metadata.len() <= WHOLE {
            // Piece by piece: memory for all of it would take longer to get than the code does to compute.
            let mut piece = vec![0; PIECE];
            let mut file = file.take(WHOLE + 1);
            loop {
                match file.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => mac.update(piece.get(..read).unwrap_or_default()),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        } else {
            for part in [
                metadata.ino().to_le_bytes(),
                metadata.dev().to_le_bytes(),
                metadata.mtime().to_le_bytes(),
                metadata.mtime_nsec().to_le_bytes(),
                metadata.ctime().to_le_bytes(),
                metadata.ctime_nsec().to_le_bytes(),
            ] {
                mac.update(&part);
            }
        }
        Ok(mac)
    }

    /// Stores the compiled form of an artifact; gives what was stored, or what another process stored in that moment.
    ///
    /// # Errors
    /// E3000 with the path where it cannot be written; nothing half-written stays behind.
    pub fn store(&self, artifact: &Digest, engine: &str, compiled: &[u8]) -> Result<CompiledFile> {
        let path = self.path(artifact, engine);
        if let Some(parent) = path.parent() {
            fsx::create_private_dir(parent)?;
        }
        fsx::write_atomic(&path, compiled, 0o600)?;
        // The code covers times that renaming the file into place may change, so it is made after that. A crash in between
        // leaves a file without a code, which is rejected and built again.
        let failed = |error| fsx::io_error("reading back", &path, error);
        let mut file = open_no_follow(&path).map_err(failed)?;
        let mac = self
            .authenticate(&mut file, artifact, engine)
            .map_err(failed)?;
        fsx::write_atomic(
            &path.with_extension("mac"),
            &mac.finalize().into_bytes(),
            0o600,
        )?;
        Ok(CompiledFile(file))
    }

    fn discard(&self, artifact: &Digest, engine: &str) {
        let path = self.path(artifact, engine);
        for path in [path.with_extension("mac"), path] {
            if let Err(error) = std::fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "could not remove a rejected file of the cache");
            }
        }
    }

    /// Everything in the cache, most recently used first.
    ///
    /// # Errors
    /// E3000 where the folder cannot be read.
    pub fn list(&self) -> Result<Vec<CachedComponent>> {
        let mut found = Vec::new();
        for engine in read_folder(&self.folder)? {
            if !engine.is_dir() {
                continue;
            }
            for path in read_folder(&engine)? {
                let (Some(stem), Some("cwasm")) = (
                    path.file_stem().and_then(|stem| stem.to_str()),
                    path.extension().and_then(|extension| extension.to_str()),
                ) else {
                    continue;
                };
                let Ok(metadata) = path.symlink_metadata() else {
                    continue;
                };
                found.push(CachedComponent {
                    artifact: format!("sha256:{stem}"),
                    engine: engine
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    size: metadata.len(),
                    used: metadata
                        .accessed()
                        .or_else(|_| metadata.modified())
                        .unwrap_or(SystemTime::UNIX_EPOCH),
                    path,
                });
            }
        }
        found.sort_by_key(|cached| std::cmp::Reverse(cached.used));
        Ok(found)
    }

    /// Removes what other engines left, then the least recently used until at most `keep` bytes stay; returns what went.
    ///
    /// # Errors
    /// E3000 where the folder cannot be read or a file not removed.
    pub fn collect(
        &self,
        engines: &[String],
        keep: u64,
        dry_run: bool,
    ) -> Result<Vec<CachedComponent>> {
        let mut kept = 0;
        let mut removed = Vec::new();
        for cached in self.list()? {
            if engines.contains(&cached.engine) && kept + cached.size <= keep {
                kept += cached.size;
                continue;
            }
            if !dry_run {
                for path in [cached.path.with_extension("mac"), cached.path.clone()] {
                    match std::fs::remove_file(&path) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(fsx::io_error("removing", &path, error));
                        }
                        _ => {}
                    }
                }
            }
            removed.push(cached);
        }
        Ok(removed)
    }
}

/// An opened, checked file of compiled code.
pub struct CompiledFile(File);

impl CompiledFile {
    /// A path that leads to exactly this opened file, whatever happens to its name meanwhile.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        let folder = "/proc/self/fd";
        #[cfg(not(target_os = "linux"))]
        let folder = "/dev/fd";
        Path::new(folder).join(self.0.as_raw_fd().to_string())
    }
}

fn open_no_follow(path: &Path) -> std::io::Result<File> {
    File::options()
        .read(true)
        .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits() as i32)
        .open(path)
}

fn read_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| fsx::io_error("listing", folder, error);
    std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| Ok(entry.map_err(failed)?.path()))
        .collect()
}

/// Refuses what belongs to somebody else, is a symbolic link, or is open to others.
fn check_private(path: &Path, forbidden: u32) -> Result<()> {
    let metadata = path
        .symlink_metadata()
        .map_err(|error| fsx::io_error("examining", path, error))?;
    let why = if metadata.file_type().is_symlink() {
        "it is a symbolic link"
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        "it belongs to another user"
    } else if metadata.permissions().mode() & forbidden != 0 {
        "others have access to it"
    } else {
        return Ok(());
    };
    Err(Error::new(
        Code::E3109,
        format!("refusing to use {}: {why}", path.display()),
    )
    .hint(format!(
        "Make it yours and private (`chmod go= {0}`), or remove it: it is made again when it is needed.",
        path.display()
    )))
}

fn read_or_make_key(path: &Path) -> Result<[u8; 32]> {
    let failed = |error| fsx::io_error("reading", path, error);
    if !path.exists() {
        // Another process may be faster: its key counts then.
        fsx::create_whole(path, &rand::random::<[u8; 32]>(), 0o600)?;
    }
    check_private(path, 0o077)?;
    let mut bytes = Vec::new();
    open_no_follow(path)
        .and_then(|file| file.take(64).read_to_end(&mut bytes))
        .map_err(failed)?;
    bytes.try_into().map_err(|_| {
        Error::new(
            Code::E3109,
            format!("the key {} does not have 32 bytes", path.display()),
        )
        .hint("Remove it: a new one is made, and compiled components are built again.")
    })
}
