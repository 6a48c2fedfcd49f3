//! Files: whole, private and atomic, with the path in every error.
//!
//! Everything Toolhatch stores goes through [`write_atomic`], so that a crash at any point leaves the old content or the
//! new, never half of it. Everything it reads from outside goes through [`read_capped`], which opens nothing that could
//! block for ever and reads no more than it was told to.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::{Code, Error, Result};

/// Replaces the file at `path` with `bytes`: a temporary file in the same folder, synced, renamed, and the folder synced.
///
/// `mode` is given when the file is created (less the process's umask), so its content is at no time readable by more
/// people than at the end. A symlink at `path` is replaced, not followed.
///
/// # Errors
/// E3101 where the folder does not exist, E3004 where it may not be written to, E3001 for everything else such as a full
/// disk. The file at `path` is then what it was before.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source: io::Error| io_error("writing", path, source);
    let Some(name) = path.file_name() else {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path does not name a file",
        )));
    };
    let (temporary, mut file) = create_beside(folder, name, mode).map_err(failed)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    drop(file);
    if let Err(source) = written {
        // The error that matters is the one above; a file that cannot be removed either is only litter.
        let _ = std::fs::remove_file(&temporary);
        return Err(failed(source));
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

/// Makes the file at `path`, unless something is there already: it gets its name only when it is whole and on the disk, so
/// that neither a crash nor another process that makes it too can ever see half of it. What is there is never replaced.
///
/// # Errors
/// Those of [`write_atomic`].
pub fn create_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let failed = |source: io::Error| io_error("creating", path, source);
    let name = path.file_name().unwrap_or_default();
    let (temporary, mut file) = create_beside(folder, name, mode).map_err(failed)?;
    let made = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| match std::fs::hard_link(&temporary, path) {
            // Somebody else was faster: theirs counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    drop(file);
    let removed = std::fs::remove_file(&temporary);
    made.and(removed)
        .and_then(|()| File::open(folder))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

/// Creates a new hidden file next to where `name` will be.
fn create_beside(folder: &Path, name: &OsStr, mode: u32) -> io::Result<(PathBuf, File)> {
    loop {
        // Long names are cut: a suffix must not push a legal name past what the file system takes.
        let stem: String = name.to_string_lossy().chars().take(40).collect();
        let candidate = folder.join(format!(".{stem}.{:016x}.tmp", rand::random::<u64>()));
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&candidate);
        match opened {
            Ok(file) => return Ok((candidate, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a regular file of at most `max` bytes.
///
/// Pipes, devices, sockets and folders are refused without blocking on them.
///
/// # Errors
/// E3101 where there is no such file; E3004 where it may not be read, is not a regular file, or is larger than `max`.
pub fn read_capped(path: &Path, max: u64) -> Result<Vec<u8>> {
    let (file, size) = open_capped(path, max)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| io_error("reading", path, error))?;
    // The file may have grown since its size was asked.
    if bytes.len() as u64 > max {
        return Err(too_large(path, max));
    }
    Ok(bytes)
}

/// Opens a regular file of at most `max` bytes for reading, and tells how long it is.
///
/// # Errors
/// Those of [`read_capped`].
pub fn open_capped(path: &Path, max: u64) -> Result<(File, u64)> {
    let failed = |source: io::Error| io_error("reading", path, source);
    // O_NONBLOCK: opening a pipe nobody writes to would otherwise wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::new(
            Code::E3004,
            format!("reading {}: it is not a regular file", path.display()),
        )
        .hint("Name a file. Folders, pipes and devices are not read."));
    }
    if metadata.len() > max {
        return Err(too_large(path, max));
    }
    Ok((file, metadata.len()))
}

fn too_large(path: &Path, max: u64) -> Error {
    Error::new(
        Code::E3004,
        format!("reading {}: it is larger than {max} bytes", path.display()),
    )
    .hint("Check that this is the file you meant.")
    .detail("limit", max)
}

/// Reads a regular file of at most `max` bytes as UTF-8 text.
///
/// # Errors
/// Those of [`read_capped`], and E3004 that names the first byte which is not UTF-8.
pub fn read_text(path: &Path, max: u64) -> Result<String> {
    String::from_utf8(read_capped(path, max)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(
            Code::E3004,
            format!("reading {}: byte {at} is not UTF-8", path.display()),
        )
        .hint("Save the file as UTF-8 text.")
    })
}

/// Opens the file that a lock is taken on, which is made where it is not there.
///
/// # Errors
/// Those of the file system.
pub fn open_lock(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| io_error("opening", path, error))
}

/// Makes a folder, and those above it that are missing, which only its owner can enter (0700).
///
/// A folder that is already there is left as it is; it must belong to the user who runs this process, and nobody else may
/// be able to write to it.
///
/// # Errors
/// E3004 where something else than a folder is there, it belongs to somebody else, others can write to it, or it may not
/// be created.
pub fn create_private_dir(path: &Path) -> Result<()> {
    let failed = |source: io::Error| io_error("creating folder", path, source);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)?;
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me {
        return Err(Error::new(
            Code::E3004,
            format!(
                "using folder {}: it belongs to user {}, and this process runs as user {me}",
                path.display(),
                metadata.uid()
            ),
        )
        .hint("Run as the owner of the folder, or choose another folder."));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(Error::new(
            Code::E3004,
            format!(
                "using folder {}: others than its owner can write to it",
                path.display()
            ),
        )
        .hint(format!(
            "Run `chmod go-w {}`, or choose another folder.",
            path.display()
        )));
    }
    Ok(())
}

/// Finds a program in folders with `:` between them, as a shell does. Those that depend on the working directory are passed
/// over: whoever made that may have put a program of this name there.
#[must_use]
pub fn find_program(search: &OsStr, name: &str) -> Option<PathBuf> {
    search
        .as_bytes()
        .split(|byte| *byte == b':')
        .map(|folder| Path::new(OsStr::from_bytes(folder)))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

/// True for a file that somebody may run.
#[must_use]
pub fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// An error that says what was being done to which file; the cause stays the source.
pub(crate) fn io_error(doing: &str, path: &Path, source: io::Error) -> Error {
    use io::ErrorKind as Kind;
    let (code, why, hint) = match source.kind() {
        Kind::NotFound => (
            Code::E3101,
            "there is no such file or folder",
            "Check the path.",
        ),
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => (
            Code::E3004,
            "the system does not allow it",
            "Check who owns it, its permission bits, and whether the disk is read-only.",
        ),
        Kind::IsADirectory | Kind::NotADirectory | Kind::InvalidInput | Kind::AlreadyExists => {
            (Code::E3004, "something else is there", "Check the path.")
        }
        Kind::StorageFull | Kind::QuotaExceeded => (
            Code::E3001,
            "there is no room left",
            "Make room on the disk and try again.",
        ),
        _ => (
            Code::E3001,
            "the system failed",
            "Try again, and check the disk if it stays.",
        ),
    };
    Error::new(code, format!("{doing} {}: {why}", path.display()))
        .hint(hint)
        .detail("path", path.display().to_string())
        .caused_by(source)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        std::fs::metadata(path).expect("exists").mode() & 0o777
    }

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state.json");
        write_atomic(&path, b"old", 0o600).expect("written");
        write_atomic(&path, b"new", 0o400).expect("replaced");
        assert_eq!(read_capped(&path, 3).expect("read"), b"new");
        assert_eq!(mode_of(&path), 0o400);
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_write_over_a_folder_fails_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).expect("created");
        let error = write_atomic(&path, b"x", 0o600).expect_err("a folder is there");
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_write_replaces_a_symlink_and_not_what_it_points_to() {
        let folder = tempfile::tempdir().expect("folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        write_atomic(&target, b"kept", 0o600).expect("written");
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        write_atomic(&link, b"new", 0o600).expect("written");
        assert_eq!(read_capped(&target, 10).expect("read"), b"kept");
        assert_eq!(read_capped(&link, 10).expect("read"), b"new");
    }

    #[test]
    fn reading_stops_at_the_cap_and_at_what_is_not_a_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("four");
        write_atomic(&path, b"1234", 0o600).expect("written");
        assert_eq!(read_capped(&path, 4).expect("fits"), b"1234");
        let error = read_capped(&path, 3).expect_err("too large");
        assert_eq!(error.code(), Code::E3004);
        assert!(error.to_string().contains("larger than 3 bytes"), "{error}");

        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("pipe made");
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            let error = read_capped(path, 10).expect_err("not a regular file");
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
        // /proc files have size 0 and content all the same.
        assert!(
            !read_capped(Path::new("/proc/self/stat"), 1 << 16)
                .expect("read")
                .is_empty()
        );
        let missing = read_capped(&folder.path().join("none"), 1).expect_err("missing");
        assert_eq!(missing.code(), Code::E3101);
    }

    #[test]
    fn text_must_be_utf8() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("latin1");
        write_atomic(&path, b"ab\xe9", 0o600).expect("written");
        let error = read_text(&path, 10).expect_err("not UTF-8");
        assert!(error.to_string().contains("byte 2 is not UTF-8"), "{error}");
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let folder = tempfile::tempdir().expect("folder");
        let theirs = if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(1), None).expect("root may");
            folder.path()
        } else {
            Path::new("/")
        };
        let error = create_private_dir(theirs).expect_err("not ours");
        assert_eq!(error.code(), Code::E3004);
        assert!(error.to_string().contains("belongs to user"), "{error}");
    }

    #[test]
    fn private_folders_are_closed_to_others() {
        let folder = tempfile::tempdir().expect("folder");
        let deep = folder.path().join("a/b");
        create_private_dir(&deep).expect("created");
        assert_eq!(
            (mode_of(&deep), mode_of(&folder.path().join("a"))),
            (0o700, 0o700)
        );

        let shared = folder.path().join("shared");
        std::fs::create_dir(&shared).expect("created");
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o755)).expect("set");
        create_private_dir(&shared).expect("only we can write");
        assert_eq!(mode_of(&shared), 0o755, "somebody else's choice stays");
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o775)).expect("set");
        let error = create_private_dir(&shared).expect_err("the group can write");
        assert!(error.hints().concat().contains("chmod go-w"), "{error}");

        let file = folder.path().join("file");
        write_atomic(&file, b"", 0o600).expect("written");
        assert!(create_private_dir(&file).is_err());
    }
}
