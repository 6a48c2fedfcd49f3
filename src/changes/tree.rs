//! Folders by handle: every path is walked component by component, and no link is followed on the way.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Node;
use crate::ids::Digest;

/// No file system nests deeper than people do; what does wants to be a nuisance.
pub(super) const MOST_DEPTH: usize = 200;
/// The permission bits, with those that make a program run as its owner.
const BITS: u32 = 0o7777;

/// An absolute or relative path as the names in it.
///
/// # Errors
/// `EINVAL` for one that has `..` in it, or nothing.
fn names(path: &Path) -> io::Result<Vec<&std::ffi::OsStr>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::INVAL.into()),
        }
    }
    Ok(names)
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// On the way a folder need not be readable, only passable.
#[cfg(target_os = "linux")]
const THROUGH: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const THROUGH: OFlags = FOLDER;

/// Opens the folder at an absolute canonical path.
///
/// # Errors
/// `ELOOP` or `ENOTDIR` where a component is a link.
pub(super) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let root = rustix::fs::open("/", FOLDER, Mode::empty())?;
    let names = names(path)?;
    walk(root, &names)
}

/// Opens a folder below another one; the empty path is that one itself.
///
/// # Errors
/// As [`open_root`].
pub(super) fn open_folder(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let names = names(path)?;
    let here = rustix::fs::openat(root, ".", FOLDER, Mode::empty())?;
    walk(here, &names)
}

fn walk(root: OwnedFd, names: &[&std::ffi::OsStr]) -> io::Result<OwnedFd> {
    let mut here = root;
    let last = names.len().saturating_sub(1);
    for (at, name) in names.iter().enumerate() {
        let flags = if at == last { FOLDER } else { THROUGH };
        here = rustix::fs::openat(&here, *name, flags, Mode::empty())?;
    }
    Ok(here)
}

/// The folder that holds the entry at a path, and the name of it there.
///
/// # Errors
/// As [`open_root`].
pub(super) fn open_parent(root: impl AsFd, path: &Path) -> io::Result<(OwnedFd, OsString)> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let parent = path.parent().unwrap_or(Path::new(""));
    Ok((open_folder(root, parent)?, name.to_os_string()))
}

/// What is at a path, which may be a link; nothing where nothing is, nor where a folder on the way is none.
///
/// # Errors
/// Where it cannot be looked at.
pub(super) fn stat(root: impl AsFd, path: &Path) -> io::Result<Option<Stat>> {
    let found = open_parent(root, path).and_then(|(folder, name)| {
        Ok(rustix::fs::statat(
            &folder,
            &name,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    });
    match found {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True where the path leads nowhere. A link in the place of a folder on the way is one such case: it is not followed.
pub(super) fn is_absent(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

/// The type of an entry.
pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// When the entry itself last changed, in nanoseconds since 1970. Nobody can set it.
pub(super) fn changed_at(stat: &Stat) -> i128 {
    i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec)
}

/// What the overlay writes down for something that was removed.
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    kind(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// The names in a folder, in order.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn list(folder: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}

/// The entry at a path with the digest of its content, which is read.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) node: Node,
    pub(super) stat: Stat,
    /// The content of a small file.
    pub(super) content: Option<Vec<u8>>,
}

/// Reads what is at a path; nothing where nothing is. Content is kept up to `keep` bytes.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn look(root: impl AsFd, path: &Path, keep: u64) -> io::Result<Option<Seen>> {
    let Some(stat) = stat(&root, path)? else {
        return Ok(None);
    };
    let (folder, name) = open_parent(root, path)?;
    let mode = stat.st_mode & BITS;
    let mut content = None;
    let node = match kind(&stat) {
        FileType::RegularFile => {
            let mut file = open_file(&folder, &name)?;
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            let digest = if size <= keep {
                let mut bytes = Vec::new();
                (&mut file).take(keep + 1).read_to_end(&mut bytes)?;
                let digest = Digest::of(&bytes);
                content = Some(bytes);
                digest
            } else {
                Digest::of_reader(&mut file)?
            };
            Node::File { size, mode, digest }
        }
        FileType::Directory => Node::Folder { mode },
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&folder, &name, Vec::new())?;
            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
            Node::Link {
                target: target.into(),
            }
        }
        _ => Node::Special,
    };
    Ok(Some(Seen {
        node,
        stat,
        content,
    }))
}

/// Opens a regular file for reading. A pipe that was put in its place does not block.
///
/// # Errors
/// Where it is none, or cannot be read.
pub(super) fn open_file(folder: impl AsFd, name: &std::ffi::OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(Errno::INVAL.into());
    }
    Ok(file)
}

/// The target of the link at a path; nothing where there is no link.
pub(super) fn link_target(root: impl AsFd, path: &Path) -> Option<PathBuf> {
    let (folder, name) = open_parent(root, path).ok()?;
    let target = rustix::fs::readlinkat(&folder, &name, Vec::new()).ok()?;
    Some(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

/// True where the overlay says that nothing of the folder below shows through.
pub(super) fn is_opaque(folder: impl AsFd) -> bool {
    let mut value = [0_u8; 8];
    let read = rustix::fs::fgetxattr(folder, "user.overlay.opaque", &mut value[..]);
    read.is_ok_and(|length| value.get(..length) == Some(b"y"))
}

/// How deep a path is.
pub(super) fn depth(path: &Path) -> usize {
    path.as_os_str().as_bytes().split(|b| *b == b'/').count()
}
