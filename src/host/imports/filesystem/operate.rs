//! The checked operations on paths, shared by WASI 0.2 and 0.3.
//!
//! Each one walks to a handle and a name, asks the guard about the true path, and only then acts, on that handle. They
//! block and run on the blocking pool; nothing here can block for ever, because only files and folders are ever opened.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File as WasiFile, FsPerms, OpenMode};

use super::walk::{WalkError, Walked, walk};
use crate::host::guard::Guard;
use crate::permission::Access;

/// A directory that paths start from.
#[derive(Clone)]
pub(super) struct Base {
    pub(super) dir: Arc<File>,
    /// Its true path on the host.
    pub(super) path: PathBuf,
    pub(super) guard: Arc<Guard>,
    /// The name under which the guest sees the one file of this folder that was granted.
    pub(super) alias: Option<Arc<Alias>>,
}

/// A single granted file that appears under a name of the person's choice.
#[derive(Debug)]
pub(super) struct Alias {
    pub(super) guest: String,
    pub(super) host: String,
}

/// What `open-at` was asked for.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the flags of open-at"
)]
pub(super) struct OpenRequest {
    pub(super) follow: bool,
    pub(super) create: bool,
    pub(super) directory: bool,
    pub(super) exclusive: bool,
    pub(super) truncate: bool,
    pub(super) read: bool,
    pub(super) write: bool,
}

impl OpenRequest {
    /// The stronger of the two kinds of access it needs.
    pub(super) fn access(self) -> Access {
        if self.write || self.create || self.truncate {
            Access::Write
        } else {
            Access::Read
        }
    }
}

/// An opened descriptor and its true path.
pub(super) struct Opened {
    pub(super) descriptor: Descriptor,
    pub(super) path: PathBuf,
    pub(super) alias: Option<Arc<Alias>>,
}

/// One entry of a directory.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: FileType,
}

impl Base {
    /// Walks to `path`; a path that leaves the directory is a recorded denial.
    fn walk(&self, path: &str, follow: bool, access: Access) -> io::Result<Walked> {
        let path = match (&self.alias, path.trim_start_matches("./")) {
            (Some(alias), asked) if asked == alias.guest => &alias.host,
            // Its own name means nothing to the guest.
            (Some(alias), asked) if asked == alias.host => return Err(Errno::NOENT.into()),
            _ => path,
        };
        match walk(&self.dir, &self.path, path, follow) {
            Ok(walked) => Ok(walked),
            Err(WalkError::Escapes { target, by_link }) => {
                let target = normalise(&target);
                self.guard.left_grant(&target, access, by_link);
                Err(Errno::PERM.into())
            }
            Err(WalkError::System(errno)) => Err(errno.into()),
        }
    }

    fn reach(&self, path: &str, follow: bool, access: Access) -> io::Result<Walked> {
        let walked = self.walk(path, follow, access)?;
        self.guard.file(&walked.path(), access)?;
        Ok(walked)
    }

    /// Walks to an entry whose metadata is asked for: either kind of access is enough to see it, and so is being on the
    /// way to something that was granted.
    fn glimpse(&self, path: &str, follow: bool) -> io::Result<Walked> {
        let walked = self.walk(path, follow, Access::Read)?;
        self.guard.see(&walked.path())?;
        Ok(walked)
    }

    pub(super) fn open(&self, path: &str, request: OpenRequest) -> io::Result<Opened> {
        if request.directory && (request.create || request.exclusive || request.truncate) {
            return Err(Errno::INVAL.into());
        }
        let intent = request.access();
        let writes = intent == Access::Write;
        // Opened for neither means opened for looking at it, which needs reading.
        let reads = request.read || !request.write;
        let walked = self.walk(path, request.follow, intent)?;
        let host_path = walked.path();

        // What it is decides what opening it means, and must be known before a FIFO or device could block or act.
        let existing = match stat_entry(&walked) {
            Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode)),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(errno.into()),
        };
        let is_dir = existing == Some(FileType::Directory);
        if is_dir && !writes {
            self.guard.see(&host_path)?;
        } else {
            if reads {
                self.guard.file(&host_path, Access::Read)?;
            }
            if writes {
                self.guard.file(&host_path, Access::Write)?;
            }
        }
        match existing {
            None if !request.create => return Err(Errno::NOENT.into()),
            None | Some(FileType::Directory | FileType::RegularFile) => {}
            Some(FileType::Symlink) => return Err(Errno::LOOP.into()),
            Some(_) => {
                self.guard.special_file(&host_path, intent);
                return Err(Errno::PERM.into());
            }
        }
        if (request.directory || walked.must_be_dir) && !is_dir {
            return Err(Errno::NOTDIR.into());
        }

        let mut flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        flags |= match (reads, writes) {
            _ if is_dir => OFlags::RDONLY | OFlags::DIRECTORY,
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            (_, false) => OFlags::RDONLY,
        };
        if is_dir && writes {
            return Err(Errno::ISDIR.into());
        }
        if request.create {
            flags |= OFlags::CREATE;
        }
        if request.exclusive {
            flags |= OFlags::EXCL;
        }
        if request.truncate {
            flags |= OFlags::TRUNC;
        }
        let opened = rustix::fs::openat(
            &walked.dir,
            walked.name_or_dot(),
            flags,
            Mode::from_raw_mode(0o666),
        )?;
        let file = File::from(opened);
        // The entry may have been swapped since it was looked at: what counts is what was opened.
        let kind = file.metadata()?.file_type();
        let mut mode = OpenMode::empty();
        mode.set(OpenMode::READ, reads);
        mode.set(OpenMode::WRITE, writes);
        let perms = if self.guard.may_write(&host_path) {
            FsPerms::ReadWrite
        } else {
            FsPerms::ReadOnly
        };
        let descriptor = if kind.is_dir() {
            Descriptor::Dir(Dir::new(file, perms, mode, false))
        } else if kind.is_file() {
            self.guard.touched(&host_path, intent);
            Descriptor::File(WasiFile::new(file, perms, mode, false))
        } else {
            self.guard.special_file(&host_path, intent);
            return Err(Errno::PERM.into());
        };
        Ok(Opened {
            descriptor,
            // The folder opened again is the folder that shows one file under another name.
            alias: self.alias.clone().filter(|_| host_path == self.path),
            path: host_path,
        })
    }

    pub(super) fn stat(&self, path: &str, follow: bool) -> io::Result<Stat> {
        let walked = self.glimpse(path, follow)?;
        let stat = stat_entry(&walked)?;
        if walked.must_be_dir && FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        Ok(stat)
    }

    pub(super) fn read_link(&self, path: &str) -> io::Result<String> {
        let walked = self.reach(path, false, Access::Read)?;
        let target = rustix::fs::readlinkat(&walked.dir, walked.name_or_dot(), Vec::new())?;
        target.into_string().map_err(|_| Errno::ILSEQ.into())
    }

    pub(super) fn create_directory(&self, path: &str) -> io::Result<()> {
        let walked = self.reach(path, false, Access::Write)?;
        let name = walked.name.as_deref().ok_or(Errno::EXIST)?;
        rustix::fs::mkdirat(&walked.dir, name, Mode::from_raw_mode(0o777))?;
        self.guard.touched(&walked.path(), Access::Write);
        Ok(())
    }

    pub(super) fn unlink_file(&self, path: &str) -> io::Result<()> {
        self.remove(path, AtFlags::empty())
    }

    pub(super) fn remove_directory(&self, path: &str) -> io::Result<()> {
        self.remove(path, AtFlags::REMOVEDIR)
    }

    fn remove(&self, path: &str, flags: AtFlags) -> io::Result<()> {
        let walked = self.reach(path, false, Access::Write)?;
        let name = walked.name.as_deref().ok_or(Errno::BUSY)?;
        if walked.must_be_dir && flags.is_empty() {
            return Err(Errno::ISDIR.into());
        }
        rustix::fs::unlinkat(&walked.dir, name, flags)?;
        self.guard.touched(&walked.path(), Access::Write);
        Ok(())
    }

    /// Links must stay useful to the guest and harmless to whoever follows them on the host: the target is relative and
    /// does not leave the directory the link is made from.
    pub(super) fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        let walked = self.reach(path, false, Access::Write)?;
        let name = walked.name.as_deref().ok_or(Errno::EXIST)?;
        let depth = walked
            .dir_path
            .strip_prefix(&self.path)
            .map(|below| below.components().count())
            .unwrap_or_default();
        if leaves(Path::new(target), depth) {
            let target = normalise(&walked.dir_path.join(target));
            self.guard.left_grant(&target, Access::Write, true);
            return Err(Errno::PERM.into());
        }
        rustix::fs::symlinkat(target, &walked.dir, name)?;
        self.guard.touched(&walked.path(), Access::Write);
        Ok(())
    }

    /// Both ends must be writable: a link into a writable folder would otherwise make a read-only file writable.
    pub(super) fn hard_link(&self, path: &str, to: &Self, new_path: &str) -> io::Result<()> {
        let (from, to) = self.both(path, to, new_path)?;
        let stat = stat_entry(&from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::PERM.into());
        }
        let (Some(name), Some(new_name)) = (&from.name, &to.name) else {
            return Err(Errno::PERM.into());
        };
        rustix::fs::linkat(&from.dir, name, &to.dir, new_name, AtFlags::empty())?;
        self.guard.touched(&to.path(), Access::Write);
        Ok(())
    }

    pub(super) fn rename(&self, path: &str, to: &Self, new_path: &str) -> io::Result<()> {
        let (from, to) = self.both(path, to, new_path)?;
        let (Some(name), Some(new_name)) = (&from.name, &to.name) else {
            return Err(Errno::BUSY.into());
        };
        if (from.must_be_dir || to.must_be_dir)
            && FileType::from_raw_mode(stat_entry(&from)?.st_mode) != FileType::Directory
        {
            return Err(Errno::NOTDIR.into());
        }
        rustix::fs::renameat(&from.dir, name, &to.dir, new_name)?;
        self.guard.touched(&from.path(), Access::Write);
        self.guard.touched(&to.path(), Access::Write);
        Ok(())
    }

    /// Walks to both ends of a link or rename, each for writing. Moving something out of one grant into another must not
    /// change who may read it, so whether it may be read has to be the same on both sides.
    fn both(&self, path: &str, to: &Self, new_path: &str) -> io::Result<(Walked, Walked)> {
        let from = self.reach(path, false, Access::Write)?;
        let to_walked = to.reach(new_path, false, Access::Write)?;
        if to.guard.may_read(&to_walked.path()) && !self.guard.may_read(&from.path()) {
            self.guard.file(&from.path(), Access::Read)?;
        }
        Ok((from, to_walked))
    }

    pub(super) fn set_times(&self, path: &str, follow: bool, times: &Timestamps) -> io::Result<()> {
        let walked = self.reach(path, follow, Access::Write)?;
        rustix::fs::utimensat(
            &walked.dir,
            walked.name_or_dot(),
            times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
        Ok(())
    }

    /// Lists the directory. Where only some of what it holds was granted, only that is shown; being allowed to write into
    /// a folder shows nothing of it. Names that are not UTF-8 cannot be told to a guest, and are left out with a warning.
    pub(super) fn list(&self) -> io::Result<Vec<Entry>> {
        let all = self.guard.may_read(&self.path);
        if !all && !self.guard.leads_to_grant(&self.path) {
            self.guard.file(&self.path, Access::Read)?;
        }
        let mut entries = Vec::new();
        let mut unnameable = 0_usize;
        for entry in rustix::fs::Dir::read_from(&self.dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                unnameable += 1;
                continue;
            };
            if name == "." || name == ".." || !(all || self.lists(&self.path.join(name))) {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::Unknown, |stat| {
                        FileType::from_raw_mode(stat.st_mode)
                    }),
                known => known,
            };
            let shown = match &self.alias {
                Some(alias) if alias.host == name => &alias.guest,
                _ => name,
            };
            entries.push(Entry {
                name: shown.to_owned(),
                kind,
            });
        }
        if unnameable > 0 {
            self.guard.unnameable(&self.path, unnameable);
        }
        self.guard.touched(&self.path, Access::Read);
        Ok(entries)
    }

    /// True where an entry of this folder, which may not be read as a whole, was granted itself or leads to what was.
    fn lists(&self, entry: &Path) -> bool {
        let written_alone = !self.guard.may_write(&self.path) && self.guard.may_write(entry);
        self.guard.may_read(entry) || self.guard.leads_to_grant(entry) || written_alone
    }
}

/// Metadata of exactly this entry; the walk has already followed what was to be followed.
fn stat_entry(walked: &Walked) -> Result<Stat, Errno> {
    rustix::fs::statat(&walked.dir, walked.name_or_dot(), AtFlags::SYMLINK_NOFOLLOW)
}

/// Removes `.` and `..` from an absolute path by its text alone, for messages and for asking about it.
pub(super) fn normalise(path: &Path) -> PathBuf {
    let mut result = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::ParentDir => {
                result.pop();
            }
            Component::Normal(name) => result.push(name),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    result
}

/// True where a link target, read from `depth` folders below its base, is absolute or leaves the base.
fn leaves(target: &Path, depth: usize) -> bool {
    let mut level = depth;
    for component in target.components() {
        match component {
            Component::ParentDir if level == 0 => return true,
            Component::ParentDir => level -= 1,
            Component::Normal(_) => level += 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

/// `utimensat`'s arguments from two optional points in time, seconds and nanoseconds.
pub(super) fn timestamps(access: Option<Timespec>, modification: Option<Timespec>) -> Timestamps {
    let omit = Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_OMIT,
    };
    Timestamps {
        last_access: access.unwrap_or(omit),
        last_modification: modification.unwrap_or(omit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_targets_that_leave_are_told_apart() {
        for (target, depth, expected) in [
            ("x", 0, false),
            ("../x", 0, true),
            ("../x", 1, false),
            ("a/../../x", 1, false),
            ("a/../../../x", 1, true),
            ("/etc", 5, true),
        ] {
            assert_eq!(
                leaves(Path::new(target), depth),
                expected,
                "{target} at {depth}"
            );
        }
    }

    #[test]
    fn paths_are_normalised_by_their_text() {
        for (path, expected) in [("/a/../b", "/b"), ("/../..", "/"), ("a/./b", "/a/b")] {
            assert_eq!(normalise(Path::new(path)), Path::new(expected));
        }
    }
}
