//! Resolves a guest's path to a directory handle and a name, without ever leaving the directory it starts from.
//!
//! Every step opens one component with `O_NOFOLLOW` relative to a handle that is already held, and symbolic links are
//! expanded here, so the path that is checked is the path that is used: swapping a link between the check and the use
//! changes nothing. Since every component is known, the result also has its true path on the host.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// As many symbolic links as Linux follows in one path.
const MAX_LINKS: usize = 40;
/// `PATH_MAX` of Linux.
const MAX_PATH: usize = 4096;

/// Handles that are only walked through need no permission to list the directory.
#[cfg(target_os = "linux")]
const THROUGH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const THROUGH: OFlags = OFlags::RDONLY;

/// Where a path leads.
#[derive(Debug, Clone)]
pub(super) struct Walked {
    /// The directory that holds the entry, or that is the entry where `name` is absent.
    pub(super) dir: Arc<File>,
    /// The true host path of `dir`.
    pub(super) dir_path: PathBuf,
    /// The entry's name; absent where the path leads to `dir` itself.
    pub(super) name: Option<OsString>,
    /// The path ended in a slash: the entry must be a directory.
    pub(super) must_be_dir: bool,
}

impl Walked {
    /// The true host path of the entry.
    pub(super) fn path(&self) -> PathBuf {
        match &self.name {
            Some(name) => self.dir_path.join(name),
            None => self.dir_path.clone(),
        }
    }

    /// The entry's name, or `.` for the directory itself.
    pub(super) fn name_or_dot(&self) -> &OsStr {
        self.name.as_deref().unwrap_or(OsStr::new("."))
    }
}

/// Why a path leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WalkError {
    /// It leaves the directory, towards `target`; through a symbolic link, or by its own words.
    Escapes { target: PathBuf, by_link: bool },
    /// The system says no.
    System(Errno),
}

impl From<Errno> for WalkError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// Resolves `path` below `base`, whose true host path is `base_path`.
///
/// The last component is expanded where it is a symbolic link and `follow` is set or the path ends in a slash.
pub(super) fn walk(
    base: &Arc<File>,
    base_path: &Path,
    path: &str,
    follow: bool,
) -> Result<Walked, WalkError> {
    if path.is_empty() {
        return Err(Errno::NOENT.into());
    }
    if path.len() >= MAX_PATH {
        return Err(Errno::NAMETOOLONG.into());
    }
    if path.starts_with('/') {
        return Err(WalkError::Escapes {
            target: PathBuf::from(path),
            by_link: false,
        });
    }
    let mut must_be_dir = ends_as_dir(path.as_bytes());
    let mut pending: VecDeque<OsString> = components(path.as_bytes()).collect();
    // The directories entered so far, so that `..` goes back to a handle and never asks the system.
    let mut entered: Vec<(Arc<File>, OsString)> = Vec::new();
    let mut links = 0;

    while let Some(name) = pending.pop_front() {
        let here = entered.last().map_or(base, |(dir, _)| dir);
        if name == ".." {
            if entered.pop().is_none() {
                let rest: PathBuf = pending.iter().collect();
                let above = base_path.parent().unwrap_or(Path::new("/"));
                return Err(WalkError::Escapes {
                    target: above.join(rest),
                    by_link: links > 0,
                });
            }
            continue;
        }
        let is_last = pending.is_empty();
        if is_last {
            let target = if follow || must_be_dir {
                link_target(here, &name)?
            } else {
                None
            };
            let Some(target) = target else {
                return Ok(Walked {
                    dir: here.clone(),
                    dir_path: path_of(base_path, &entered),
                    name: Some(name),
                    must_be_dir,
                });
            };
            must_be_dir |= ends_as_dir(target.as_bytes());
            expand(&target, &mut pending, &mut links)?;
            continue;
        }
        match rustix::fs::openat(
            here,
            &name,
            THROUGH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(dir) => entered.push((Arc::new(File::from(dir)), name)),
            // A symbolic link is not a directory; which of the two errors it gives depends on the system.
            Err(errno @ (Errno::NOTDIR | Errno::LOOP | Errno::MLINK)) => {
                let target = link_target(here, &name)?.ok_or(errno)?;
                expand(&target, &mut pending, &mut links)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Walked {
        dir: entered.last().map_or(base, |(dir, _)| dir).clone(),
        dir_path: path_of(base_path, &entered),
        name: None,
        must_be_dir: true,
    })
}

fn path_of(base_path: &Path, entered: &[(Arc<File>, OsString)]) -> PathBuf {
    let mut path = base_path.to_owned();
    path.extend(entered.iter().map(|(_, name)| name));
    path
}

fn ends_as_dir(path: &[u8]) -> bool {
    path.ends_with(b"/") || path.ends_with(b"/.") || path == b"."
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsString::from_vec(part.to_vec()))
}

/// The target of a symbolic link; nothing where the entry is something else or does not exist.
fn link_target(dir: impl AsFd, name: &OsStr) -> Result<Option<OsString>, Errno> {
    match rustix::fs::readlinkat(dir, name, Vec::new()) {
        Ok(target) => Ok(Some(OsString::from_vec(target.into_bytes()))),
        Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Puts a link's target in place of the link.
fn expand(
    target: &OsStr,
    pending: &mut VecDeque<OsString>,
    links: &mut usize,
) -> Result<(), WalkError> {
    *links += 1;
    if *links > MAX_LINKS {
        return Err(Errno::LOOP.into());
    }
    if target.as_bytes().starts_with(b"/") {
        return Err(WalkError::Escapes {
            target: PathBuf::from(target),
            by_link: true,
        });
    }
    for part in components(target.as_bytes()).rev() {
        pending.push_front(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn setup() -> (tempfile::TempDir, Arc<File>) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(dir.path().join("root/a/b")).expect("created");
        std::fs::create_dir(dir.path().join("secret")).expect("created");
        symlink("a/b", dir.path().join("root/inside")).expect("linked");
        symlink("../secret", dir.path().join("root/outside")).expect("linked");
        symlink("/etc/passwd", dir.path().join("root/absolute")).expect("linked");
        symlink("loop", dir.path().join("root/loop")).expect("linked");
        symlink("../../../secret/x", dir.path().join("root/a/b/deep")).expect("linked");
        let handle = Arc::new(File::open(dir.path().join("root")).expect("opened"));
        (dir, handle)
    }

    #[test]
    fn paths_inside_resolve_to_their_true_place() {
        let (_dir, base) = setup();
        let root = Path::new("/r");
        for (path, expected) in [
            ("a", "/r/a"),
            ("./a//b/", "/r/a/b"),
            ("a/../a/b", "/r/a/b"),
            ("inside", "/r/a/b"),
            ("inside/new", "/r/a/b/new"),
            ("inside/..", "/r/a"),
            (".", "/r"),
            ("a/b/..", "/r/a"),
            ("missing", "/r/missing"),
        ] {
            let walked = walk(&base, root, path, true).expect(path);
            assert_eq!(walked.path(), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn a_last_link_is_kept_where_it_is_not_followed() {
        let (_dir, base) = setup();
        let walked = walk(&base, Path::new("/r"), "absolute", false).expect("not followed");
        assert_eq!(walked.path(), Path::new("/r/absolute"));
    }

    #[test]
    fn nothing_leaves_the_directory() {
        let (_dir, base) = setup();
        for (path, through_a_link) in [
            ("..", false),
            ("../secret", false),
            ("a/../../secret", false),
            ("/etc/passwd", false),
            ("./../root", false),
            ("outside/x", true),
            ("outside", true),
            ("outside/", true),
            ("absolute", true),
            ("absolute/", true),
            ("a/b/deep", true),
            ("inside/deep", true),
        ] {
            let result = walk(&base, Path::new("/r"), path, true);
            assert!(
                matches!(result, Err(WalkError::Escapes { by_link, .. }) if by_link == through_a_link),
                "{path}: {result:?}"
            );
        }
        // With a slash behind it a link is followed even by calls that do not follow links.
        assert!(matches!(
            walk(&base, Path::new("/r"), "outside/", false),
            Err(WalkError::Escapes { by_link: true, .. })
        ));
    }

    #[test]
    fn loops_and_missing_folders_end() {
        let (_dir, base) = setup();
        let error = |path| walk(&base, Path::new("/r"), path, true).expect_err(path);
        assert_eq!(error("loop"), WalkError::System(Errno::LOOP));
        assert_eq!(error("none/x"), WalkError::System(Errno::NOENT));
        assert_eq!(error(""), WalkError::System(Errno::NOENT));
        assert_eq!(
            error(&"a/".repeat(3000)),
            WalkError::System(Errno::NAMETOOLONG)
        );
    }
}
