//! Where other programs keep their servers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{ForeignProgram, MAX_FOREIGN_BYTES, docker};
use crate::config::Paths;
use crate::fsx;
use crate::manifest::document::Document;

/// A file that is there.
#[derive(Debug, Clone)]
pub struct ForeignPlace {
    /// The program it is of.
    pub program: ForeignProgram,
    /// Where it is.
    pub path: PathBuf,
    /// It belongs to the project: somebody else can have written it.
    pub of_project: bool,
    /// The servers in it that are switched on, where another file says so.
    pub only: Option<BTreeSet<String>>,
}

/// The files of other programs that are there, of the user and of the project.
#[must_use]
pub fn foreign_places(paths: &Paths) -> Vec<ForeignPlace> {
    use ForeignProgram::{Claude, Codex, Cursor, Docker, ToolHive, VsCode};
    let mut places = Vec::new();
    let mut add = |program, path: PathBuf, of_project, only: Option<&BTreeSet<String>>| {
        if path.symlink_metadata().is_ok() {
            places.push(ForeignPlace {
                program,
                path,
                of_project,
                only: only.cloned(),
            });
        }
    };
    let config = paths
        .user_config
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::parent);
    if let Some(home) = &paths.user_home {
        add(Claude, home.join(".claude.json"), false, None);
        add(Cursor, home.join(".cursor/mcp.json"), false, None);
        add(Codex, home.join(".codex/config.toml"), false, None);
        let docker = home.join(".docker/mcp");
        let on = switched_on(&docker.join("registry.yaml"));
        for path in files(&docker.join("catalogs"), "yaml") {
            // A catalog has all there are. Without a registry none is switched on.
            add(
                Docker,
                path,
                false,
                Some(on.as_ref().unwrap_or(&BTreeSet::new())),
            );
        }
        for path in files(&home.join(".local/state/toolhive/runconfigs"), "json") {
            add(ToolHive, path, false, None);
        }
    }
    if let Some(config) = config {
        let desktop = config.join("Claude/claude_desktop_config.json");
        add(Claude, desktop, false, None);
        add(VsCode, config.join("Code/User/mcp.json"), false, None);
    }
    for (program, name) in [
        (Claude, ".mcp.json"),
        (Cursor, ".cursor/mcp.json"),
        (VsCode, ".vscode/mcp.json"),
    ] {
        add(program, paths.workspace.join(name), true, None);
    }
    places
}

/// The servers that a registry of Docker switches on; nothing where there is none that can be read.
fn switched_on(path: &Path) -> Option<BTreeSet<String>> {
    let text = fsx::read_text(path, MAX_FOREIGN_BYTES).ok()?;
    docker::switched_on(&Document::from_long_yaml(&text).ok()?.to_json())
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}
