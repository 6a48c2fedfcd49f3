//! A walk through a folder tree: depth first, names in byte order, so that two walks over the same tree say the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders that hold what was built or fetched, not what was written.
const GENERATED: [&str; 4] = ["target", "node_modules", "__pycache__", "vendor"];

/// What to walk through.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    /// How many folders deep to go: 1 is the folder itself.
    pub depth: usize,
    /// Also go into hidden folders, and into those that hold what was built or fetched.
    pub everything: bool,
    /// After this many entries the walk stops.
    pub max_entries: usize,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walked {
    /// The entries that were kept, in order.
    pub entries: Vec<Entry>,
    /// Folders that could not be listed.
    pub troubles: Vec<Trouble>,
    /// True where the walk stopped at `max_entries`.
    pub truncated: bool,
}

/// One file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is: the root as it was given, and the rest.
    pub path: PathBuf,
    /// The path below the root, separated by `/`.
    pub relative: String,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, whatever it points to.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// A folder that could not be listed.
#[derive(Debug)]
pub struct Trouble {
    /// The folder, with the root as it was given.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl Walk {
    /// Walks through the folder `root` and returns the entries for which `keep` is true. Hidden folders (a leading dot)
    /// and those named `target`, `node_modules`, `__pycache__` or `vendor` are entries, but not gone into, unless
    /// `everything` is set; the root itself may be called anything.
    ///
    /// # Errors
    /// The root cannot be listed. Trouble further down is part of the answer.
    pub fn run(&self, root: &Path, mut keep: impl FnMut(&Entry) -> bool) -> io::Result<Walked> {
        let mut walked = Walked::default();
        let mut waiting = Vec::new();
        push_below(&mut waiting, list(root, "", &mut walked)?, 1);
        while let Some((entry, depth)) = waiting.pop() {
            if keep(&entry) {
                if walked.entries.len() == self.max_entries {
                    walked.truncated = true;
                    break;
                }
                walked.entries.push(entry.clone());
            }
            let goes_on = self.everything || !is_left_out(&entry);
            if entry.kind == Kind::Folder && depth < self.depth && goes_on {
                match list(&entry.path, &entry.relative, &mut walked) {
                    Ok(below) => push_below(&mut waiting, below, depth + 1),
                    Err(error) => walked.troubles.push(Trouble {
                        path: entry.path,
                        error,
                    }),
                }
            }
        }
        Ok(walked)
    }
}

impl Entry {
    /// Size in bytes and time of the last change. A link's are its own, not those of what it points to.
    ///
    /// # Errors
    /// The entry went away, or may not be looked at.
    pub fn stat(&self) -> io::Result<(u64, Option<SystemTime>)> {
        let metadata = fs::symlink_metadata(&self.path)?;
        Ok((metadata.len(), metadata.modified().ok()))
    }
}

impl Kind {
    /// The kind behind the standard library's file type.
    pub fn of(file_type: fs::FileType) -> Self {
        if file_type.is_symlink() {
            Self::Link
        } else if file_type.is_dir() {
            Self::Folder
        } else if file_type.is_file() {
            Self::File
        } else {
            Self::Other
        }
    }
}

/// Lists one folder, sorted by name. A name that cannot be read is trouble, not the end.
fn list(folder: &Path, relative: &str, walked: &mut Walked) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok((name, file_type)) => {
                let path = folder.join(&name);
                let name = name.to_string_lossy();
                let relative = if relative.is_empty() {
                    name.into_owned()
                } else {
                    format!("{relative}/{name}")
                };
                let kind = Kind::of(file_type);
                entries.push(Entry {
                    path,
                    relative,
                    kind,
                });
            }
            Err(error) => walked.troubles.push(Trouble {
                path: folder.to_owned(),
                error,
            }),
        }
    }
    entries.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(entries)
}

/// Puts the entries of one folder on top of those that wait, so that its first is the next to be taken.
fn push_below(waiting: &mut Vec<(Entry, usize)>, below: Vec<Entry>, depth: usize) {
    waiting.extend(below.into_iter().rev().map(|entry| (entry, depth)));
}

fn is_left_out(folder: &Entry) -> bool {
    let name = folder.relative.rsplit('/').next().unwrap_or_default();
    name.starts_with('.') || GENERATED.contains(&name)
}

#[cfg(test)]
mod tests;
