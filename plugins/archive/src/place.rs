//! The folder that is extracted into. Nothing is written through a link, and nothing that is there is replaced unasked.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use toolhatch_plugin::{Context as _, Result, ToolError};

/// A folder to write into.
pub struct Place {
    root: PathBuf,
    /// What may be replaced.
    overwrite: bool,
    /// Folders, as paths below it, that are there and are no links.
    known: HashSet<PathBuf>,
    /// How many folders were made.
    pub made: usize,
}

/// Why a file was not written.
#[derive(Debug)]
pub enum Trouble {
    /// It is there, or in the way.
    Left(String),
    /// What was read could not be.
    Reading(io::Error),
    /// The system said no.
    Writing(io::Error),
}

impl Place {
    /// The folder at a path.
    ///
    /// # Errors
    /// `not-found`, `not-permitted`; `invalid-arguments` where it is no folder.
    pub fn open(path: &str, overwrite: bool) -> Result<Self> {
        let metadata =
            fs::metadata(path).with_context(|| format!("cannot extract into `{path}`"))?;
        if !metadata.is_dir() {
            return Err(ToolError::invalid_arguments(format!(
                "`{path}` is no folder"
            )));
        }
        Ok(Self {
            root: PathBuf::from(path),
            overwrite,
            known: HashSet::new(),
            made: 0,
        })
    }

    /// Makes the folder that these parts name, and those above it.
    ///
    /// # Errors
    /// [`Trouble::Left`] where something else is there; [`Trouble::Writing`].
    pub fn folder(&mut self, parts: &[&str]) -> Result<PathBuf, Trouble> {
        let mut below = PathBuf::new();
        for part in parts {
            below.push(part);
            if self.known.contains(&below) {
                continue;
            }
            let path = self.root.join(&below);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(metadata) => {
                    let what = if metadata.is_symlink() {
                        "a link"
                    } else {
                        "a file"
                    };
                    return Err(Trouble::Left(format!(
                        "`{}` is {what} and no folder",
                        below.display()
                    )));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir(&path).map_err(Trouble::Writing)?;
                    self.made += 1;
                }
                Err(error) => return Err(Trouble::Writing(error)),
            }
            self.known.insert(below.clone());
        }
        Ok(self.root.join(below))
    }

    /// Says whether a file with these parts would be written.
    ///
    /// # Errors
    /// Why not.
    pub fn look(&self, parts: &[&str]) -> Result<(), Trouble> {
        let path: PathBuf = self.root.join(parts.iter().collect::<PathBuf>());
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                Err(Trouble::Left("a folder is in its place".to_owned()))
            }
            Ok(_) if !self.overwrite => Err(Trouble::Left("it is there already".to_owned())),
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Err(Trouble::Writing(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes a file, whole or not at all, and returns its bytes.
    ///
    /// # Errors
    /// See [`Trouble`]. What was written of it is gone again.
    pub fn file(&mut self, parts: &[&str], contents: &mut dyn Read) -> Result<u64, Trouble> {
        let Some((name, above)) = parts.split_last() else {
            return Err(Trouble::Left("it has no name".to_owned()));
        };
        let folder = self.folder(above)?;
        self.look(parts)?;
        let path = folder.join(name);
        // Beside its place first: whoever reads it meanwhile sees the old one, and a link is replaced, not followed.
        let part = if self.overwrite {
            free_name(&folder)
        } else {
            path.clone()
        };
        let mut file = File::create_new(&part).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Trouble::Left("it is there already".to_owned()),
            _ => Trouble::Writing(error),
        })?;
        let written = copy(contents, &mut file);
        drop(file);
        let written = written.and_then(|bytes| {
            if part != path {
                fs::rename(&part, &path).map_err(Trouble::Writing)?;
            }
            Ok(bytes)
        });
        if written.is_err() {
            // What remains of it is in nobody's way but the next attempt's.
            let _ = fs::remove_file(&part);
        }
        written
    }
}

/// A name in a folder that nothing has yet.
fn free_name(folder: &Path) -> PathBuf {
    let mut number = 0_u32;
    loop {
        let path = folder.join(format!(".extracting-{number}"));
        if fs::symlink_metadata(&path).is_err() {
            return path;
        }
        number += 1;
    }
}

fn copy(contents: &mut dyn Read, file: &mut File) -> Result<u64, Trouble> {
    let mut buffer = vec![0; 64 << 10];
    let mut written = 0;
    loop {
        let read = match contents.read(&mut buffer) {
            Ok(0) => return Ok(written),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Trouble::Reading(error)),
        };
        file.write_all(buffer.get(..read).unwrap_or_default())
            .map_err(Trouble::Writing)?;
        written += read as u64;
    }
}
