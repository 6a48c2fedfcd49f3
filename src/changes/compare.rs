//! From the two folders of an overlay to the list of what changed.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode};

use super::{Change, Node, What, text, tree};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// More changes than this are none that anybody looks at.
pub(super) const MOST_CHANGES: usize = 100_000;
/// All differences of texts together are no longer than this.
const MOST_DIFFS: usize = 1 << 20;

/// What is different in `upper`, which lay over `lower`. `since` is when the command began, by the clock of the file
/// system; what is at the paths of `skip` was covered and is not looked at.
///
/// # Errors
/// E3407 where there are too many changes; those of reading `upper`.
pub fn compare(
    upper: &Path,
    lower: &Path,
    since: i128,
    skip: &BTreeSet<PathBuf>,
) -> Result<Vec<Change>> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| fsx::io_error("comparing", &path, error)
    };
    let mut comparison = Comparison {
        upper: tree::open_root(upper).map_err(failed(upper))?,
        lower: tree::open_root(lower).map_err(failed(lower))?,
        since,
        skip,
        changes: Vec::new(),
        diffs: MOST_DIFFS,
    };
    let mut open = vec![Open::default()];
    while let Some(folder) = open.pop() {
        comparison
            .folder(&folder, &mut open)
            .map_err(failed(&upper.join(&folder.path)))?;
        if comparison.changes.len() > MOST_CHANGES {
            return Err(too_many(lower));
        }
    }
    let mut changes = comparison.changes;
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

/// The refusal to keep more changes than anybody looks at.
pub(super) fn too_many(workspace: &Path) -> Error {
    Error::new(
        Code::E3407,
        format!(
            "comparing {}: more than {MOST_CHANGES} paths changed",
            workspace.display()
        ),
    )
    .hint("Mount a smaller folder, or have the command write what it needs for itself to /tmp.")
}

/// A folder that is still to be looked into.
#[derive(Default)]
struct Open {
    path: PathBuf,
    /// One above it is opaque: nothing of the workspace is seen through it, which is not marked again further down.
    is_covered: bool,
}

struct Comparison<'a> {
    upper: OwnedFd,
    lower: OwnedFd,
    since: i128,
    skip: &'a BTreeSet<PathBuf>,
    changes: Vec<Change>,
    /// How much text may still be shown.
    diffs: usize,
}

/// What the workspace holds at a path.
struct Base {
    seen: Option<tree::Seen>,
    trouble: Option<String>,
}

impl Base {
    fn is_folder(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.node.is_folder())
    }
}

impl Comparison<'_> {
    fn folder(&mut self, folder: &Open, open: &mut Vec<Open>) -> io::Result<()> {
        let Open {
            path: folder,
            is_covered,
        } = folder;
        let above = tree::open_folder(&self.upper, folder)?;
        let names = tree::list(&above)?;
        let is_root = folder.as_os_str().is_empty();
        let is_opaque = *is_covered || (tree::is_opaque(&above) && !is_root);
        if is_opaque {
            self.hidden(folder, &names)?;
        }
        for name in names {
            let path = folder.join(&name);
            if self.skip.contains(&path) {
                continue;
            }
            let stat = rustix::fs::statat(&above, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            if tree::is_whiteout(&stat) {
                self.removed(&path)?;
                continue;
            }
            let is_folder = tree::kind(&stat) == FileType::Directory;
            let mode = Mode::from_raw_mode(stat.st_mode);
            let needed = if is_folder { Mode::RWXU } else { Mode::RUSR };
            let is_closed = matches!(
                tree::kind(&stat),
                FileType::Directory | FileType::RegularFile
            ) && !mode.contains(needed);
            // The command may have closed it to its owner, who we may be. It is a copy, and its mode is written down.
            if is_closed && !rustix::process::geteuid().is_root() {
                rustix::fs::chmodat(&above, &name, mode | needed, AtFlags::empty())?;
            }
            self.entry(path.clone(), stat.st_mode)?;
            if is_folder && tree::depth(&path) < tree::MOST_DEPTH {
                open.push(Open {
                    path,
                    is_covered: is_opaque,
                });
            }
        }
        Ok(())
    }

    /// An entry of the upper folder, whose mode was this.
    fn entry(&mut self, path: PathBuf, mode: u32) -> io::Result<()> {
        let Some(mut seen) = tree::look(&self.upper, &path, text::MOST_CONTENT)? else {
            return Ok(());
        };
        match &mut seen.node {
            Node::File { mode: bits, .. } | Node::Folder { mode: bits } => *bits = mode & 0o7777,
            Node::Link { .. } | Node::Special => {}
        }
        let base = self.base(&path);
        let what = match &base.seen {
            None => What::Added,
            Some(base) if !base.node.is_like(&seen.node) => What::TypeChanged,
            Some(base) if base.node == seen.node => return Ok(()),
            Some(_) => What::Modified,
        };
        if what == What::TypeChanged && base.is_folder() {
            self.removed_below(&path)?;
        }
        let is_deep = seen.node.is_folder() && tree::depth(&path) >= tree::MOST_DEPTH;
        let deep = is_deep.then(|| "it lies too deep, and so does what is in it".to_owned());
        self.push(path, what, base, Some(seen), deep);
        Ok(())
    }

    /// What an opaque folder, or one in it, hides: all that was in the one below and is not in this one.
    fn hidden(&mut self, folder: &Path, names: &[std::ffi::OsString]) -> io::Result<()> {
        let below = match tree::open_folder(&self.lower, folder) {
            Ok(below) => below,
            Err(error) if tree::is_absent(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        for name in tree::list(&below)? {
            let path = folder.join(&name);
            if !names.contains(&name) && !self.skip.contains(&path) {
                self.removed(&path)?;
            }
        }
        Ok(())
    }

    fn removed(&mut self, path: &Path) -> io::Result<()> {
        let base = self.base(path);
        if base.seen.is_none() && base.trouble.is_none() {
            return Ok(());
        }
        if base.is_folder() {
            self.removed_below(path)?;
        }
        self.push(path.to_owned(), What::Removed, base, None, None);
        Ok(())
    }

    /// Everything below a folder of the workspace that is no folder any more.
    fn removed_below(&mut self, folder: &Path) -> io::Result<()> {
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            let names = match tree::open_folder(&self.lower, &folder).and_then(tree::list) {
                Ok(names) => names,
                Err(error) if tree::is_absent(&error) => continue,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                Err(error) => return Err(error),
            };
            for name in names {
                let path = folder.join(name);
                let base = self.base(&path);
                if base.is_folder() {
                    open.push(path.clone());
                }
                self.push(path, What::Removed, base, None, None);
                if self.changes.len() > MOST_CHANGES {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn base(&self, path: &Path) -> Base {
        match tree::look(&self.lower, path, text::MOST_CONTENT) {
            Ok(seen) => Base {
                seen,
                trouble: None,
            },
            Err(error) => Base {
                seen: None,
                trouble: Some(format!(
                    "what the workspace has there cannot be read: {error}"
                )),
            },
        }
    }

    fn push(
        &mut self,
        path: PathBuf,
        what: What,
        base: Base,
        after: Option<tree::Seen>,
        trouble: Option<String>,
    ) {
        let name = super::Name::from(path);
        let changed_meanwhile = base.seen.as_ref().is_some_and(|seen| {
            !seen.node.is_folder() && tree::changed_at(&seen.stat) > self.since
        });
        let is_file = |seen: &Option<tree::Seen>| {
            seen.as_ref()
                .is_none_or(|seen| matches!(seen.node, Node::File { .. }))
        };
        let is_small =
            |seen: &Option<tree::Seen>| seen.as_ref().is_none_or(|seen| seen.content.is_some());
        let is_text = [&base.seen, &after]
            .into_iter()
            .all(|seen| is_file(seen) && is_small(seen));
        let diff = is_text
            .then(|| {
                let content = |seen: &Option<tree::Seen>| seen.as_ref()?.content.clone();
                let (old, new) = (content(&base.seen), content(&after));
                text::diff(&name, old.as_deref(), new.as_deref())
            })
            .flatten()
            .filter(|diff| diff.len() <= self.diffs);
        self.diffs -= diff.as_ref().map_or(0, String::len);
        self.changes.push(Change {
            path: name,
            what,
            before: base.seen.map(|seen| seen.node),
            after: after.map(|seen| seen.node),
            changed_meanwhile,
            trouble: trouble.or(base.trouble),
            diff,
        });
    }
}
