//! A workspace as an archive, for a command that works where this machine's files cannot be seen.
//!
//! What is packed is written down with its digest: what a command changed is told from that, also where somebody changes the
//! workspace meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};

use super::archive::{Stat, Writer};
use super::{Name, Node, tree};
use crate::error::{Code, Error, Result};
use crate::exec::CommandEnd;
use crate::fsx;
use crate::ids::Digest;

/// As many paths are named in a warning.
const NAMED: usize = 5;

/// How much may be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Bytes of content.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
}

impl Room {
    /// Takes room for an entry.
    ///
    /// # Errors
    /// E3407 where there is none.
    pub(super) fn take(&mut self, bytes: u64, whole: &Self, doing: &str) -> Result<()> {
        let (Some(bytes), Some(entries)) =
            (self.bytes.checked_sub(bytes), self.entries.checked_sub(1))
        else {
            return Err(too_much(whole, doing));
        };
        *self = Self { bytes, entries };
        Ok(())
    }
}

/// The refusal to copy more than there is room for.
pub(super) fn too_much(room: &Room, doing: &str) -> Error {
    CommandEnd::InvalidConfig
        .error(
            Code::E3407,
            format!(
                "{doing}: there are more than {} MiB or {} entries",
                room.bytes >> 20,
                room.entries
            ),
        )
        .hint(
            "Mount a smaller folder, or use a daemon of this machine, which mounts folders and copies nothing. What a command \
             needs for itself alone belongs in /tmp.",
        )
}

/// What is special about some paths of a workspace, which are relative to it. What holds for a folder holds for all in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apart {
    /// It is not copied, so that nobody knows what a command would replace there.
    pub left_out: BTreeSet<PathBuf>,
    /// It is copied, and never changed.
    pub closed: BTreeSet<PathBuf>,
    /// Something else is mounted over it.
    pub elsewhere: BTreeSet<PathBuf>,
}

/// True where one of these paths is this one, or above it.
pub(super) fn covers(paths: &BTreeSet<PathBuf>, path: &Path) -> bool {
    !paths.is_empty() && path.ancestors().any(|above| paths.contains(above))
}

/// What was packed.
#[derive(Debug, Default)]
pub struct Packed {
    pub(super) was: BTreeMap<PathBuf, Was>,
    pub(super) apart: Apart,
    /// Bytes of content.
    pub bytes: u64,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

impl Packed {
    /// Names of files and folders at the top.
    pub fn top(&self) -> impl Iterator<Item = &Path> {
        let plain = self
            .was
            .iter()
            .filter(|(_, was)| matches!(was.node, Node::File { .. } | Node::Folder { .. }));
        plain
            .map(|(path, _)| path.as_path())
            .filter(|path| tree::depth(path) == 1)
    }
}

/// An entry as it was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Was {
    pub(super) node: Node,
    pub(super) inode: u64,
    pub(super) changed_at: i128,
}

/// A workspace that is packed.
#[derive(Debug)]
pub struct Workspace<'a> {
    /// Its canonical path.
    pub host: &'a Path,
    /// Which folder it was that was looked at: device and inode.
    pub file: (u64, u64),
    /// Where it comes to lie in the archive.
    pub place: &'a Path,
    /// Whom everything in the archive belongs to: user and group.
    pub owner: (u32, u32),
    /// What is special in it.
    pub apart: Apart,
}

/// Packs workspaces into one archive. Links are packed as links; pipes, sockets and devices are not packed, nor what this
/// process may not read. `room` is what may be copied of all of them.
///
/// # Errors
/// E3407 where there is more than that; E3405 where a workspace is another folder than it was; those of reading and writing.
pub fn pack(workspaces: &[Workspace<'_>], room: &Room, to: impl Write) -> Result<Vec<Packed>> {
    let mut writer = Writer::new(to);
    let mut left = room.clone();
    let mut all = Vec::new();
    for workspace in workspaces {
        let failed = |error| fsx::io_error("copying", workspace.host, error);
        let root = tree::open_root(workspace.host).map_err(failed)?;
        let stat = rustix::fs::fstat(&root).map_err(|error| failed(error.into()))?;
        if (stat.st_dev, stat.st_ino) != workspace.file {
            return Err(CommandEnd::InvalidConfig.error(
                Code::E3405,
                format!(
                    "copying {}: it is another folder than it was",
                    workspace.host.display()
                ),
            ));
        }
        writer
            .folder(workspace.place, header(&stat, workspace.owner))
            .map_err(failed)?;
        let mut packing = Packing {
            workspace,
            root,
            packed: Packed {
                apart: workspace.apart.clone(),
                ..Packed::default()
            },
            odd: Vec::new(),
            closed: Vec::new(),
        };
        packing.run(&mut writer, &mut left, room)?;
        all.push(packing.finish());
    }
    writer
        .finish()
        .map_err(|error| sending(Path::new("the last of it"), error))?;
    Ok(all)
}

fn sending(path: &Path, error: io::Error) -> Error {
    fsx::io_error("copying", path, error)
}

fn header(stat: &rustix::fs::Stat, owner: (u32, u32)) -> Stat {
    Stat {
        mode: stat.st_mode & 0o7777,
        owner,
        modified: stat.st_mtime,
    }
}

struct Packing<'a> {
    workspace: &'a Workspace<'a>,
    root: OwnedFd,
    packed: Packed,
    /// What is neither file nor folder nor link.
    odd: Vec<PathBuf>,
    /// What may not be read.
    closed: Vec<PathBuf>,
}

impl Packing<'_> {
    fn run<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        left: &mut Room,
        room: &Room,
    ) -> Result<()> {
        let mut open = vec![PathBuf::new()];
        while let Some(folder) = open.pop() {
            let shown = self.workspace.host.join(&folder);
            let listed = tree::open_folder(&self.root, &folder)
                .and_then(|handle| Ok((tree::list(&handle)?, handle)));
            let (names, handle) = match listed {
                Ok(listed) => listed,
                // Somebody removed it meanwhile.
                Err(error) if tree::is_absent(&error) && !folder.as_os_str().is_empty() => continue,
                Err(error) => return Err(fsx::io_error("copying", &shown, error)),
            };
            for name in names {
                let path = folder.join(&name);
                let apart = &self.packed.apart;
                if covers(&apart.left_out, &path) || covers(&apart.elsewhere, &path) {
                    continue;
                }
                let failed =
                    |error| fsx::io_error("copying", &self.workspace.host.join(&path), error);
                let stat = match rustix::fs::statat(&handle, &name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => stat,
                    Err(rustix::io::Errno::NOENT) => continue,
                    Err(error) => return Err(failed(error.into())),
                };
                let is_file = tree::kind(&stat) == FileType::RegularFile;
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                let doing = format!("copying {}", self.workspace.host.display());
                left.take(if is_file { size } else { 0 }, room, &doing)?;
                match self.entry(writer, &handle, &path, &stat) {
                    Ok(Some(node)) => {
                        if node.is_folder() {
                            open.push(path.clone());
                        }
                        let was = Was {
                            node,
                            inode: stat.st_ino,
                            changed_at: tree::changed_at(&stat),
                        };
                        self.packed.was.insert(path, was);
                    }
                    Ok(None) => {
                        self.packed.apart.left_out.insert(path);
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        Ok(())
    }

    /// Packs one entry; nothing where it is not packed.
    fn entry<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        folder: &OwnedFd,
        path: &Path,
        stat: &rustix::fs::Stat,
    ) -> io::Result<Option<Node>> {
        let Some(name) = path.file_name() else {
            return Ok(None);
        };
        let place = self.workspace.place.join(path);
        let mode = stat.st_mode & 0o7777;
        let told = header(stat, self.workspace.owner);
        let may_read = |error: &io::Error| error.kind() != io::ErrorKind::PermissionDenied;
        let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match tree::kind(stat) {
            FileType::Directory => {
                if tree::depth(path) > tree::MOST_DEPTH {
                    self.odd.push(path.to_owned());
                    return Ok(None);
                }
                match tree::open_folder(folder, Path::new(name)) {
                    Ok(_) => {}
                    Err(error) if is_gone(&error) => return Ok(None),
                    Err(error) if may_read(&error) => return Err(error),
                    Err(_) => {
                        self.closed.push(path.to_owned());
                        return Ok(None);
                    }
                }
                writer.folder(&place, told)?;
                Ok(Some(Node::Folder { mode }))
            }
            FileType::RegularFile => {
                let from = match tree::open_file(folder, name) {
                    Ok(from) => from,
                    Err(error) if is_gone(&error) => return Ok(None),
                    Err(error) if may_read(&error) => return Err(error),
                    Err(_) => {
                        self.closed.push(path.to_owned());
                        return Ok(None);
                    }
                };
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                let digest = writer.file(&place, told, size, |to| {
                    Digest::of_reader(Exact {
                        from,
                        left: size,
                        to,
                    })
                })?;
                self.packed.bytes += size;
                Ok(Some(Node::File { size, mode, digest }))
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(folder, name, Vec::new())?.into_bytes();
                writer.link(&place, &target, told)?;
                use std::os::unix::ffi::OsStringExt as _;
                let target = PathBuf::from(std::ffi::OsString::from_vec(target));
                Ok(Some(Node::Link {
                    target: target.into(),
                }))
            }
            _ => {
                self.odd.push(path.to_owned());
                Ok(None)
            }
        }
    }

    fn finish(mut self) -> Packed {
        let host = self.workspace.host;
        let reasons = [
            (&self.odd, "is a pipe, a socket, a device or lies too deep"),
            (&self.closed, "may not be read"),
        ];
        for (paths, why) in reasons {
            let named: Vec<String> = paths
                .iter()
                .take(NAMED)
                .map(|path| Name::from(host.join(path)).to_string())
                .collect();
            if !named.is_empty() {
                let more = match paths.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                self.packed.warnings.push(format!(
                    "the command works on a copy without {}{more}, which {why}",
                    named.join(", ")
                ));
            }
        }
        self.packed
    }
}

/// Reads a file of which somebody else may take or add something: exactly as much as was said, with zeros for what is gone.
/// What is read is written too.
struct Exact<'a, W> {
    from: std::fs::File,
    left: u64,
    to: &'a mut W,
}

impl<W: Write> Read for Exact<'_, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut count = self.from.read(buffer)?;
        if count == 0 {
            buffer.fill(0);
            count = buffer.len();
        }
        self.to.write_all(buffer.get(..count).unwrap_or_default())?;
        self.left -= count as u64;
        Ok(count)
    }
}
