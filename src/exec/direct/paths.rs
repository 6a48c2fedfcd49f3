//! From what was looked at to what Landlock is told.
//!
//! Landlock opens trees and cannot close a part of one again. Where something in a granted folder stays closed, the folder
//! is not opened as a whole, but everything in it beside that. What is made there later is then not reachable, and nothing
//! can be made directly in a folder on the way to what may not be changed: rather too little than too much.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::exec::CommandEnd;
use crate::exec::places::Places;
use crate::fsx;

/// A tree that takes more rules than this is refused.
const MOST_RULES: usize = 20_000;

/// A file or a folder with everything below it, and what may be done there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PathRule {
    /// The path on this machine, without links.
    pub(super) path: PathBuf,
    /// Which file it was that was looked at: device and inode.
    pub(super) file: (u64, u64),
    /// What may be done.
    pub(super) access: Reach,
}

/// What may be done in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reach {
    /// Folders can be listed.
    List,
    /// Files can be read and executed, folders listed.
    Read,
    /// Everything, but for making devices.
    Write,
}

/// The rules for what was granted, and what the caller should know of them. The first so many of what is bound are mounts;
/// what follows covers parts of them.
pub(super) fn rules(places: &Places, mounts: usize) -> Result<(Vec<PathRule>, Vec<String>)> {
    let (granted, covers) = places.binds.split_at(mounts.min(places.binds.len()));
    let mut split = Split {
        hidden: places.hidden.iter().map(PathBuf::from).collect(),
        fixed: Vec::new(),
        rules: Vec::new(),
    };
    for cover in covers {
        if cover.host == Path::new(&cover.container) {
            split.fixed.push(cover.host.clone());
        } else {
            split.hidden.push(PathBuf::from(&cover.container));
        }
    }
    // Nothing can be connected to a socket, whether it can be reached or not.
    split.hidden.retain(|path| {
        !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
    });
    let mut warnings = Vec::new();
    for bind in granted {
        split.open(&bind.host, !bind.read_only)?;
        let is_split = |path: &PathBuf| path.starts_with(&bind.host);
        if !bind.read_only && split.hidden.iter().chain(&split.fixed).any(is_split) {
            warnings.push(format!(
                "{} has something in it that may not be changed: nothing new can be made in the folders on the way to it",
                bind.host.display()
            ));
        }
    }
    Ok((split.rules, warnings))
}

/// The text of a path; those that are none cannot be written down as JSON.
pub(super) fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        CommandEnd::InvalidConfig.error(
            Code::E3004,
            format!("granting {}: the path is not UTF-8", path.display()),
        )
    })
}

struct Split {
    hidden: Vec<PathBuf>,
    fixed: Vec<PathBuf>,
    rules: Vec<PathRule>,
}

impl Split {
    fn open(&mut self, path: &Path, writable: bool) -> Result<()> {
        if self.hidden.iter().any(|hidden| hidden == path) {
            return Ok(());
        }
        let writable = writable && !self.fixed.iter().any(|fixed| fixed == path);
        let hidden: Vec<&PathBuf> = self
            .hidden
            .iter()
            .filter(|it| it.starts_with(path))
            .collect();
        let has_hidden = !hidden.is_empty();
        let has_hidden_folder = hidden.iter().any(|it| it.is_dir());
        let has_fixed = writable && self.fixed.iter().any(|it| it.starts_with(path));
        if !has_hidden && !has_fixed {
            let reach = if writable { Reach::Write } else { Reach::Read };
            return self.rule(path, reach);
        }
        if !has_hidden {
            self.rule(path, Reach::Read)?;
        } else if !has_hidden_folder {
            // Which files there are may be known; of a closed folder, not even that.
            self.rule(path, Reach::List)?;
        }
        let failed = |error: io::Error| fsx::io_error("looking through", path, error);
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            text(&entry.path())?;
            self.open(&entry.path(), writable)?;
        }
        Ok(())
    }

    fn rule(&mut self, path: &Path, access: Reach) -> Result<()> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            // Somebody removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fsx::io_error("looking at", path, error)),
        };
        // A link leads somewhere that has a rule of its own, or none.
        if metadata.is_symlink() {
            return Ok(());
        }
        if self.rules.len() >= MOST_RULES {
            return Err(Error::new(
                Code::E3210,
                format!("granting {}: too much in it stays closed", path.display()),
            )
            .hint("Grant a smaller folder."));
        }
        self.rules.push(PathRule {
            path: path.to_owned(),
            file: (metadata.dev(), metadata.ino()),
            access,
        });
        Ok(())
    }
}
