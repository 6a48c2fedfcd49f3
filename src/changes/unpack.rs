//! What came back of a workspace that was copied: told apart from what was packed, and kept where it is different.
//!
//! The archive was made of what a command left, by a daemon that may be anybody's: both may lie. Nothing is made from it but
//! plain files of our own, below one folder of ours, by handles that follow no link; links, folders and modes are only written
//! down. What it comes to is looked at once more when it is applied ([`super::Plan`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::archive::{Entry, Kind, Reader, Trouble};
use super::compare::MOST_CHANGES;
use super::pack::{Packed, Room, covers, too_much};
use super::{Change, Node, What, text, tree};
use crate::error::{Code, Result};
use crate::exec::CommandEnd;
use crate::fsx;
use crate::ids::Digest;

/// Smaller files are written only where they are different; larger ones are written first.
const AT_ONCE: u64 = 1 << 20;
/// All differences of texts together are no longer than this.
const MOST_DIFFS: usize = 1 << 20;

/// Where a workspace comes back to.
#[derive(Debug)]
pub struct Returned<'a> {
    /// Its canonical path.
    pub host: &'a Path,
    /// What was packed of it.
    pub packed: &'a Packed,
    /// The folder that all of the archive lies in.
    pub base: &'a str,
    /// Files that are different are put there.
    pub upper: &'a Path,
}

/// What is different in an archive, in the order of the paths. `left` is the room that is left of `room`.
///
/// # Errors
/// E3407 where it is too much; E3502 where it is no archive that can be trusted to be whole; those of writing.
pub fn unpack(
    archive: impl Read,
    returned: &Returned<'_>,
    left: &mut Room,
    room: &Room,
) -> Result<Vec<Change>> {
    let Returned { host, upper, .. } = *returned;
    let open =
        |path: &Path| tree::open_root(path).map_err(|error| fsx::io_error("opening", path, error));
    let mut unpacking = Unpacking {
        returned,
        upper: open(upper)?,
        workspace: open(host)?,
        seen: BTreeMap::new(),
        troubles: BTreeMap::new(),
        deep: BTreeSet::new(),
        has_root: false,
    };
    let doing = format!("copying back what became of {}", host.display());
    let mut reader = Reader::new(archive, returned.base);
    let failed = |trouble| match trouble {
        Trouble::TooLarge => too_much(room, &doing),
        Trouble::Io(error) => CommandEnd::DaemonLost
            .error(
                Code::E3502,
                format!("{doing}: it could not be read or written"),
            )
            .caused_by(error),
        Trouble::Malformed(why) => CommandEnd::DaemonLost
            .error(
                Code::E3502,
                format!("{doing}: what the daemon sent cannot be taken: {why}"),
            )
            .hint("The workspace is as it was. Run the command again."),
    };
    while let Some(entry) = reader.next().map_err(failed)? {
        let bytes = match entry.kind {
            Kind::File { size } => size,
            _ => 0,
        };
        left.take(bytes, room, &doing)?;
        unpacking.entry(entry, &mut reader).map_err(failed)?;
    }
    if !unpacking.has_root {
        return Err(failed(Trouble::Malformed("it is empty".to_owned())));
    }
    unpacking.changes()
}

struct Unpacking<'a> {
    returned: &'a Returned<'a>,
    upper: OwnedFd,
    workspace: OwnedFd,
    /// Everything that came, by its path.
    seen: BTreeMap<PathBuf, Node>,
    /// Why something can never be applied.
    troubles: BTreeMap<PathBuf, String>,
    /// Folders whose content lies too deep.
    deep: BTreeSet<PathBuf>,
    has_root: bool,
}

impl Unpacking<'_> {
    fn entry<R: Read>(&mut self, entry: Entry, reader: &mut Reader<R>) -> Result<(), Trouble> {
        let Entry { path, kind, mode } = entry;
        let refused = |why: &str| {
            let shown = super::Name::from(path.clone());
            Err(Trouble::Malformed(format!("{shown} {why}")))
        };
        if path.as_os_str().is_empty() {
            if std::mem::replace(&mut self.has_root, true) {
                return Err(Trouble::Malformed("its folder is there twice".to_owned()));
            }
            return Ok(());
        }
        if covers(&self.returned.packed.apart.elsewhere, &path) || covers(&self.deep, &path) {
            return Ok(());
        }
        if self.seen.contains_key(&path) {
            return refused("is there twice");
        }
        let parent = path.parent().unwrap_or(Path::new(""));
        let has_parent = if parent.as_os_str().is_empty() {
            self.has_root
        } else {
            self.seen.get(parent).is_some_and(Node::is_folder)
        };
        if !has_parent {
            return refused("lies in no folder");
        }
        let node = match kind {
            Kind::File { size } => self.file(&path, size, mode, reader)?,
            Kind::Folder => {
                if tree::depth(&path) >= tree::MOST_DEPTH {
                    self.deep.insert(path.clone());
                    let why = "it lies too deep, and so does what is in it";
                    self.troubles.insert(path.clone(), why.to_owned());
                }
                Node::Folder { mode }
            }
            Kind::Link(target) => Node::Link {
                target: PathBuf::from(std::ffi::OsString::from_vec(target)).into(),
            },
            Kind::Same(other) => match self.seen.get(&other).cloned() {
                Some(node @ Node::File { .. }) => {
                    self.same(&path, &other, &node)?;
                    node
                }
                _ if covers(&self.deep, &other) => Node::Special,
                // Pipes have several names too.
                Some(Node::Special) => Node::Special,
                // Links as well, and the archive does not say what this name is besides.
                Some(node @ Node::Link { .. }) => node,
                Some(Node::Folder { .. }) | None => return refused("is the same as nothing"),
            },
            Kind::Special => Node::Special,
        };
        self.seen.insert(path, node);
        Ok(())
    }

    fn is_as_packed(&self, path: &Path, node: &Node) -> bool {
        let was = self.returned.packed.was.get(path);
        was.is_some_and(|was| was.node == *node)
    }

    /// Reads a file, and keeps what is not as it was packed.
    fn file<R: Read>(
        &mut self,
        path: &Path,
        size: u64,
        mode: u32,
        reader: &mut Reader<R>,
    ) -> Result<Node, Trouble> {
        let node = |digest| Node::File { size, mode, digest };
        if size <= AT_ONCE {
            let mut bytes = Vec::new();
            reader.content().read_to_end(&mut bytes)?;
            let node = node(Digest::of(&bytes));
            if !self.is_as_packed(path, &node) {
                self.make(path)?.write_all(&bytes)?;
            }
            return Ok(node);
        }
        let mut made = self.make(path)?;
        let node = node(Digest::of_reader(Tee {
            from: reader.content(),
            to: &mut made,
        })?);
        if self.is_as_packed(path, &node) {
            let (folder, name) = tree::open_parent(&self.upper, path)?;
            rustix::fs::unlinkat(&folder, &name, AtFlags::empty()).map_err(io::Error::from)?;
        }
        Ok(node)
    }

    /// Another name of a file that came before. Its content is ours already, or that of the workspace.
    fn same(&mut self, path: &Path, other: &Path, node: &Node) -> Result<(), Trouble> {
        let Node::File { digest, .. } = node else {
            return Ok(());
        };
        if self.is_as_packed(path, node) {
            return Ok(());
        }
        let from = if self.is_as_packed(other, node) {
            &self.workspace
        } else {
            &self.upper
        };
        let from = tree::open_parent(from, other)
            .and_then(|(folder, name)| tree::open_file(folder, &name));
        let copied = from.and_then(|from| {
            let mut made = self.make(path)?;
            Digest::of_reader(Tee {
                from,
                to: &mut made,
            })
        });
        if !copied.is_ok_and(|copied| copied == *digest) {
            let why = "its content is that of another file, which was changed meanwhile";
            self.troubles.insert(path.to_owned(), why.to_owned());
        }
        Ok(())
    }

    /// A new file of ours at a path, with the folders that it takes.
    fn make(&self, path: &Path) -> io::Result<File> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let mut here = tree::open_folder(&self.upper, Path::new(""))?;
        for part in path.parent().into_iter().flat_map(Path::components) {
            let part = Path::new(part.as_os_str());
            match rustix::fs::mkdirat(&here, part, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            here = tree::open_folder(&here, part)?;
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&here, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(made))
    }

    /// Everything that is not as it was packed.
    fn changes(self) -> Result<Vec<Change>> {
        let packed = self.returned.packed;
        let mut diffs = MOST_DIFFS;
        let mut changes = Vec::new();
        let paths: BTreeSet<&PathBuf> = packed.was.keys().chain(self.seen.keys()).collect();
        for path in paths {
            let was = packed.was.get(path);
            let (before, after) = (was.map(|was| &was.node), self.seen.get(path));
            let what = match (before, after) {
                (None, _) => What::Added,
                (Some(_), None) => What::Removed,
                (Some(before), Some(after)) if before == after => continue,
                (Some(before), Some(after)) if !before.is_like(after) => What::TypeChanged,
                (Some(_), Some(_)) => What::Modified,
            };
            if changes.len() >= MOST_CHANGES {
                return Err(super::compare::too_many(self.returned.host));
            }
            let diff = self
                .diff(path, before, after)
                .filter(|diff| diff.len() <= diffs);
            diffs -= diff.as_ref().map_or(0, String::len);
            changes.push(Change {
                path: path.clone().into(),
                what,
                before: before.cloned(),
                after: after.cloned(),
                changed_meanwhile: was.is_some_and(|was| self.is_another(path, was)),
                trouble: self.trouble(path, what, before),
                diff,
            });
        }
        Ok(changes)
    }

    fn trouble(&self, path: &Path, what: What, before: Option<&Node>) -> Option<String> {
        let apart = &self.returned.packed.apart;
        if covers(&apart.left_out, path) {
            return Some(
                "it was not copied, so that nobody knows what it would replace".to_owned(),
            );
        }
        if covers(&apart.closed, path) {
            return Some("it can be read and not changed".to_owned());
        }
        let goes = matches!(what, What::Removed | What::TypeChanged)
            && before.is_some_and(Node::is_folder);
        let mut kept = apart
            .left_out
            .iter()
            .chain(&apart.closed)
            .chain(&apart.elsewhere);
        if goes && kept.any(|kept| kept.starts_with(path)) {
            return Some("something in it stays, or was not copied".to_owned());
        }
        self.troubles.get(path).cloned()
    }

    /// True where somebody else changed the workspace since it was packed. What is in a folder is looked at by itself.
    fn is_another(&self, path: &Path, was: &super::pack::Was) -> bool {
        if was.node.is_folder() {
            return false;
        }
        let now = tree::stat(&self.workspace, path).ok().flatten();
        now.map(|now| (now.st_ino, tree::changed_at(&now))) != Some((was.inode, was.changed_at))
    }

    /// The difference of two small texts, where the workspace still has the one.
    fn diff(&self, path: &Path, before: Option<&Node>, after: Option<&Node>) -> Option<String> {
        let content = |root: &OwnedFd, node: Option<&Node>| match node {
            None => Some(None),
            Some(Node::File { size, digest, .. }) if *size <= text::MOST_CONTENT => {
                let seen = tree::look(root, path, text::MOST_CONTENT).ok()??;
                let bytes = seen.content.filter(|bytes| Digest::of(bytes) == *digest)?;
                Some(Some(bytes))
            }
            Some(_) => None,
        };
        let old = content(&self.workspace, before)?;
        let new = content(&self.upper, after)?;
        text::diff(&path.to_owned().into(), old.as_deref(), new.as_deref())
    }
}

/// Reads, and writes what was read.
struct Tee<'a, R> {
    from: R,
    to: &'a mut File,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.to.write_all(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

/// Reads any bytes as such an archive, over a workspace with nothing in it: for whoever looks for what it cannot stand.
///
/// # Errors
/// Those of [`unpack`].
#[doc(hidden)]
pub fn unpack_anything(archive: &[u8], host: &Path, upper: &Path) -> Result<Vec<Change>> {
    let room = Room {
        bytes: 1 << 20,
        entries: 1 << 10,
    };
    let returned = Returned {
        host,
        packed: &Packed::default(),
        base: "0",
        upper,
    };
    unpack(archive, &returned, &mut room.clone(), &room)
}
