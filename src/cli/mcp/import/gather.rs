//! The files of other programs, read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::app::App;
use crate::config::{ForeignFile, ForeignPlace, ForeignProgram, MAX_FOREIGN_BYTES, foreign_places};
use crate::error::{Error, Result};
use crate::fsx;

/// A file that was read.
pub(super) struct Read {
    pub(super) path: PathBuf,
    pub(super) of_project: bool,
    pub(super) file: ForeignFile,
}

/// All files that there are.
pub(super) struct Gathered {
    pub(super) read: Vec<Read>,
    /// Those that could not be read, with why.
    pub(super) failed: Vec<(PathBuf, Error)>,
}

impl Gathered {
    /// Reads these files, or those in the usual places. One that cannot be read does not spoil the others.
    pub(super) fn of(
        app: &App,
        files: &[PathBuf],
        from: Option<ForeignProgram>,
        with_secrets: bool,
    ) -> Self {
        let mut gathered = Self {
            read: Vec::new(),
            failed: Vec::new(),
        };
        let mut keep = |path: &Path, of_project, file: Result<ForeignFile>| match file {
            Ok(file) => gathered.read.push(Read {
                path: path.to_owned(),
                of_project,
                file,
            }),
            Err(error) => gathered.failed.push((path.to_owned(), error)),
        };
        for file in files {
            let path = app.paths.current.join(file);
            let workspace = &app.paths.workspace;
            let of_project =
                path.starts_with(workspace) && app.paths.user_home.as_ref() != Some(workspace);
            keep(&path, of_project, read(&path, from, with_secrets));
        }
        if files.is_empty() {
            let is_asked_for =
                |place: &ForeignPlace| from.is_none_or(|program| program == place.program);
            for place in foreign_places(&app.paths).into_iter().filter(is_asked_for) {
                let mut file = read(&place.path, Some(place.program), with_secrets);
                if let (Ok(file), Some(only)) = (&mut file, &place.only) {
                    retain(file, only);
                }
                keep(&place.path, place.of_project, file);
            }
        }
        gathered
    }
}

fn read(path: &Path, program: Option<ForeignProgram>, with_secrets: bool) -> Result<ForeignFile> {
    let text = fsx::read_text(path, MAX_FOREIGN_BYTES)?;
    ForeignFile::read(path, &text, program, with_secrets)
}

/// Leaves those that are switched on.
fn retain(file: &mut ForeignFile, only: &BTreeSet<String>) {
    file.servers.retain(|server| only.contains(&server.given));
}
