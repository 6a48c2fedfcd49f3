//! From kept changes to the workspace: looked at first, all of them, and then done one by one.
//!
//! Whatever is applied is there whole: a file is written beside its place and renamed into it. What a killed process had
//! applied is recognised by the next one, because it is what the command left.

mod plan;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;

pub use plan::Plan;
use plan::{Stamp, Step, Workspace};

use super::{Name, Node, What, tree};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::Digest;

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    /// The layer and the path of each change that is in the workspace now.
    pub done: Vec<(usize, Name)>,
    /// What ended it before all was done.
    pub error: Option<Error>,
}

impl Plan {
    /// Applies what was planned, up to the first that fails.
    #[must_use]
    pub fn run(&self) -> Applied {
        let mut applied = Applied::default();
        for workspace in &self.workspaces {
            if let Err(error) = workspace.run(&mut applied.done) {
                applied.error = Some(error);
                break;
            }
        }
        applied
    }
}

impl Workspace {
    fn run(&self, done: &mut Vec<(usize, Name)>) -> Result<()> {
        let mut finish = |step: &Step| done.push((self.layer, step.change.path.clone()));
        let failed = |step: &Step| {
            let path = self.host.join(step.change.path.path());
            move |error: io::Error| match Errno::from_io_error(&error) {
                Some(Errno::STALE) => plan::conflict(&[path.display().to_string()]),
                _ => fsx::io_error("applying", &path, error),
            }
        };
        for step in self.steps.iter().rev() {
            if !step.is_done && step.leaves_first() {
                self.remove(step).map_err(failed(step))?;
            }
            if !step.is_done && step.change.what == What::Removed {
                finish(step);
            }
        }
        for step in self.steps.iter().filter(|step| !step.is_done) {
            let is_new = matches!(step.change.what, What::Added | What::TypeChanged);
            match &step.change.after {
                Some(Node::Folder { .. }) if is_new => self.folder(step).map_err(failed(step))?,
                Some(node @ (Node::File { .. } | Node::Link { .. })) => {
                    self.put(step, node).map_err(failed(step))?;
                    finish(step);
                }
                _ => {}
            }
        }
        // Modes last: a folder that nobody may write to was filled before.
        for step in self.steps.iter().rev().filter(|step| !step.is_done) {
            if let Some(Node::Folder { mode }) = step.change.after {
                self.set_mode(step.change.path.path(), mode)
                    .map_err(failed(step))?;
                finish(step);
            }
        }
        for step in self.steps.iter().filter(|step| step.is_done) {
            finish(step);
        }
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&self.root)
            .map_err(|error| fsx::io_error("applying", &self.host, error.into()))?;
        Ok(())
    }

    fn remove(&self, step: &Step) -> io::Result<()> {
        let (parent, name) = tree::open_parent(&self.root, step.change.path.path())?;
        // What was taken out of a folder changed the folder itself.
        let is_folder = step.change.before.as_ref().is_some_and(Node::is_folder);
        let flags = if is_folder {
            AtFlags::REMOVEDIR
        } else {
            unchanged(&parent, &name, step.stamp)?;
            AtFlags::empty()
        };
        match rustix::fs::unlinkat(&parent, &name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Err(Errno::STALE.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn folder(&self, step: &Step) -> io::Result<()> {
        let (parent, name) = tree::open_parent(&self.root, step.change.path.path())?;
        match rustix::fs::mkdirat(&parent, &name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(Errno::STALE.into()),
            Err(error) => return Err(error.into()),
        }
        let made = tree::open_folder(&parent, Path::new(&name))?;
        self.give(&made, self.owner)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        let folder = tree::open_folder(&self.root, path)?;
        let now = rustix::fs::fstat(&folder)?.st_mode;
        // Whose group new files have is for the workspace to say, not for the command.
        let mode = (mode & 0o1777) | (now & 0o2000);
        Ok(rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode))?)
    }

    /// Puts a file or a link into its place.
    fn put(&self, step: &Step, node: &Node) -> io::Result<()> {
        let path = step.change.path.path();
        let (parent, name) = tree::open_parent(&self.root, path)?;
        let temporary = format!(".toolhatch-{:016x}.tmp", rand::random::<u64>());
        let stamp = step.stamp.filter(|_| !step.leaves_first());
        let owner = stamp.map_or(self.owner, |stamp| stamp.owner);
        let put = self
            .make(&parent, &temporary, path, node, owner)
            .and_then(|()| unchanged(&parent, &name, stamp))
            .and_then(|()| match stamp {
                Some(_) => Ok(rustix::fs::renameat(&parent, &temporary, &parent, &name)?),
                None => rename_new(&parent, &temporary, &name),
            });
        if put.is_err() {
            // The error that matters is the other one; what stays is only litter.
            let _ = rustix::fs::unlinkat(&parent, &temporary, AtFlags::empty());
        }
        put
    }

    fn make(
        &self,
        parent: &OwnedFd,
        temporary: &str,
        path: &Path,
        node: &Node,
        owner: (u32, u32),
    ) -> io::Result<()> {
        match node {
            Node::Link { target } => {
                rustix::fs::symlinkat(target.path(), parent, temporary)?;
                if rustix::process::geteuid().is_root() {
                    let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
                    let flags = AtFlags::SYMLINK_NOFOLLOW;
                    rustix::fs::chownat(parent, temporary, Some(uid), Some(gid), flags)?;
                }
                Ok(())
            }
            Node::File { mode, digest, .. } => {
                let (folder, name) = tree::open_parent(&self.upper, path)?;
                let from = tree::open_file(&folder, &name)?;
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let made = rustix::fs::openat(parent, temporary, flags, Mode::RUSR | Mode::WUSR)?;
                let mut made = File::from(made);
                let copied = Digest::of_reader(Tee {
                    from,
                    to: &mut made,
                })?;
                if copied != *digest {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "what is kept is not what the command left",
                    ));
                }
                self.give(&made, owner)?;
                rustix::fs::fchmod(&made, Mode::from_raw_mode(mode & 0o777))?;
                made.sync_all()
            }
            Node::Folder { .. } | Node::Special => Err(Errno::INVAL.into()),
        }
    }

    /// What root applies belongs to whom the workspace belongs to; anybody else can only make what is their own.
    fn give(&self, made: impl AsFd, owner: (u32, u32)) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        Ok(rustix::fs::fchown(made, Some(uid), Some(gid))?)
    }
}

/// Refuses where the entry is not what it was a moment ago.
fn unchanged(parent: &OwnedFd, name: &std::ffi::OsStr, stamp: Option<Stamp>) -> io::Result<()> {
    let now = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(Stamp::of(&stat)),
        Err(Errno::NOENT) => None,
        Err(error) => return Err(error.into()),
    };
    if now == stamp {
        return Ok(());
    }
    Err(Errno::STALE.into())
}

/// Gives a new entry its name, unless somebody else has it.
fn rename_new(parent: &OwnedFd, from: &str, to: &std::ffi::OsStr) -> io::Result<()> {
    match rustix::fs::renameat_with(parent, from, parent, to, RenameFlags::NOREPLACE) {
        Err(Errno::EXIST) => Err(Errno::STALE.into()),
        // Not every file system can do that; a moment ago nothing was there.
        Err(Errno::INVAL | Errno::NOSYS) => Ok(rustix::fs::renameat(parent, from, parent, to)?),
        renamed => Ok(renamed?),
    }
}

/// Reads, and writes what was read.
struct Tee<'a> {
    from: File,
    to: &'a mut File,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.to.write_all(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

impl super::Kept {
    /// Takes out of a set what is in the workspace now. Gives what is left; a set with nothing left is removed.
    ///
    /// # Errors
    /// Those of writing the index.
    pub fn settle(
        &self,
        mut set: super::ChangeSet,
        done: &[(usize, Name)],
    ) -> Result<super::ChangeSet> {
        let done: std::collections::BTreeSet<(usize, &Name)> =
            done.iter().map(|(layer, name)| (*layer, name)).collect();
        for (number, layer) in set.layers.iter_mut().enumerate() {
            layer
                .changes
                .retain(|change| !done.contains(&(number, &change.path)));
        }
        if set.count() == 0 {
            self.remove(&set.id)?;
        } else {
            self.save(&set).map_err(|error| {
                Error::new(Code::E3001, "writing down what was applied").caused_by(error)
            })?;
        }
        Ok(set)
    }
}
