//! Changes that wait for a person: plain files, and an index in JSON.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Change, Name, Node, Rules};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::CallId;

/// The format of the index.
pub(super) const VERSION: u32 = 1;
const INDEX: &str = "index.json";
/// A larger index is none of ours.
const MAX_INDEX: u64 = 256 << 20;

/// The changes of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The format.
    pub version: u32,
    /// The call that the command was.
    pub id: CallId,
    /// When it ended, in milliseconds since 1970.
    pub created_ms: i64,
    /// The image.
    pub image: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What changed in each folder that it could write to.
    pub layers: Vec<LayerChanges>,
}

/// What changed in one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerChanges {
    /// The folder of its overlay.
    pub name: String,
    /// The canonical path on the host.
    pub host: Name,
    /// Where the command saw it.
    pub container: String,
    /// What changed, in the order of the paths.
    pub changes: Vec<Change>,
}

impl LayerChanges {
    /// The change of a path.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<&Change> {
        let at = self
            .changes
            .binary_search_by(|change| change.path.path().cmp(path));
        at.ok().and_then(|at| self.changes.get(at))
    }
}

impl ChangeSet {
    /// How many paths changed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.layers.iter().map(|layer| layer.changes.len()).sum()
    }

    /// For programs: every change, and why it is not applied where it is not.
    #[must_use]
    pub fn to_json(&self, rules: &Rules) -> Value {
        let changes = self.layers.iter().flat_map(|layer| {
            layer
                .changes
                .iter()
                .map(|change| change_json(layer, change, rules))
        });
        let changes: Vec<Value> = changes.collect();
        let refused = changes
            .iter()
            .filter(|change| change.get("refused").is_some())
            .count();
        json!({
            "id": self.id.to_string(),
            "created_ms": self.created_ms,
            "image": self.image,
            "command": self.command,
            "count": changes.len(),
            "refused": refused,
            "changes": changes,
        })
    }
}

fn change_json(layer: &LayerChanges, change: &Change, rules: &Rules) -> Value {
    let mut value = json!({
        "path": change.path.to_string(),
        "folder": layer.host.to_string(),
        "change": change.what.word(),
    });
    let Some(object) = value.as_object_mut() else {
        return value;
    };
    for (name, node) in [("before", &change.before), ("after", &change.after)] {
        if let Some(node) = node {
            object.insert(name.to_owned(), node_json(node));
        }
    }
    if change.changed_meanwhile {
        object.insert("changed_meanwhile".to_owned(), true.into());
    }
    if let Some(why) = rules.refusal(layer, change) {
        object.insert("refused".to_owned(), why.into());
    }
    if let Some(diff) = &change.diff {
        object.insert("diff".to_owned(), diff.clone().into());
    }
    value
}

fn node_json(node: &Node) -> Value {
    let mode = |mode: &u32| format!("{mode:04o}");
    match node {
        Node::File {
            size,
            mode: bits,
            digest,
        } => {
            json!({"type": "file", "size": size, "mode": mode(bits), "digest": digest.to_string()})
        }
        Node::Folder { mode: bits } => json!({"type": "folder", "mode": mode(bits)}),
        Node::Link { target } => json!({"type": "link", "target": target.to_string()}),
        Node::Special => json!({"type": "special"}),
    }
}

/// Where changes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept(PathBuf);

/// Held while changes are applied or removed.
#[derive(Debug)]
pub struct Locked(#[expect(dead_code, reason = "closing it unlocks")] fs::File);

impl Kept {
    /// Those in this folder, which need not be there yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder of all of them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn folder_of(&self, id: &CallId) -> PathBuf {
        self.0.join(id.to_string())
    }

    /// What the command wrote.
    pub(super) fn upper(&self, id: &CallId, layer: &LayerChanges) -> PathBuf {
        self.folder_of(id).join(&layer.name).join("upper")
    }

    /// The newest first. What cannot be read is passed over.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn list(&self) -> Result<Vec<ChangeSet>> {
        let mut sets = Vec::new();
        for id in self.ids()? {
            if !self.folder_of(&id).join(INDEX).exists() {
                continue;
            }
            match self.open(&id) {
                Ok(set) => sets.push(set),
                Err(error) => tracing::warn!(%error, %id, "changes cannot be read"),
            }
        }
        sets.sort_by_key(|set| std::cmp::Reverse((set.created_ms, set.id.to_string())));
        Ok(sets)
    }

    fn ids(&self) -> Result<Vec<CallId>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fsx::io_error("listing", &self.0, error)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    /// The changes of one call.
    ///
    /// # Errors
    /// E3101 where there are none, E3904 where the index is damaged, E3910 where it is of a later version.
    pub fn open(&self, id: &CallId) -> Result<ChangeSet> {
        let path = self.folder_of(id).join(INDEX);
        if !path.exists() {
            return Err(Error::new(
                Code::E3101,
                format!("looking for the changes of {id}: there are none"),
            )
            .hint("`toolhatch sandbox changes` lists those that wait."));
        }
        let bytes = fsx::read_capped(&path, MAX_INDEX)?;
        let damaged = |error: serde_json::Error| {
            Error::new(
                Code::E3904,
                format!("reading {}: it is damaged", path.display()),
            )
            .hint(format!(
                "What the command wrote lies beside it. `toolhatch sandbox discard {id}` removes it."
            ))
            .caused_by(error)
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(damaged)?;
        let version = value.get("version").and_then(Value::as_u64).unwrap_or(0);
        if version > u64::from(VERSION) {
            return Err(Error::new(
                Code::E3910,
                format!(
                    "reading {}: it is of version {version}, and this program reads {VERSION}",
                    path.display()
                ),
            )
            .hint("Use the version of Toolhatch that made it."));
        }
        let mut set: ChangeSet = serde_json::from_value(value).map_err(damaged)?;
        for layer in &mut set.layers {
            layer.changes.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(set)
    }

    /// Writes the index, whole.
    pub(super) fn save(&self, set: &ChangeSet) -> Result<()> {
        let path = self.folder_of(&set.id).join(INDEX);
        let bytes = serde_json::to_vec(set)
            .map_err(|error| Error::new(Code::E3906, "writing down changes").caused_by(error))?;
        fsx::write_atomic(&path, &bytes, 0o600)
    }

    /// Waits until nobody makes a folder or looks which were left.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn turn(&self) -> Result<Locked> {
        // Beside the folder: everything in it is of a call.
        let path = self.0.with_extension("lock");
        let file = fsx::open_lock(&path)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| fsx::io_error("locking", &path, error.into()))?;
        Ok(Locked(file))
    }

    /// Keeps others from applying or removing the same changes meanwhile.
    ///
    /// # Errors
    /// E3908 where somebody does.
    pub fn lock(&self, id: &CallId) -> Result<Locked> {
        let path = self.folder_of(id);
        let file = fs::File::open(&path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return Error::new(
                    Code::E3101,
                    format!("looking for the changes of {id}: there are none"),
                )
                .hint("`toolhatch sandbox changes` lists those that wait.");
            }
            fsx::io_error("opening", &path, error)
        })?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            Error::new(
                Code::E3908,
                format!("locking the changes of {id}: another process applies or removes them"),
            )
            .hint("Wait for it to end.")
            .caused_by(io::Error::from(error))
        })?;
        Ok(Locked(file))
    }

    /// Removes the changes of a call, the index first: half of them are none.
    ///
    /// # Errors
    /// Where something cannot be removed.
    pub fn remove(&self, id: &CallId) -> Result<()> {
        let folder = self.folder_of(id);
        let failed = |error| fsx::io_error("removing", &folder, error);
        match fs::remove_file(folder.join(INDEX)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        remove_kernels(&folder);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                open_up(&folder);
                fs::remove_dir_all(&folder).map_err(failed)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(failed),
        }
    }

    /// Removes what commands wrote whose process is gone and that nobody was told of; gives how many those were.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn sweep(&self) -> Result<usize> {
        let mut removed = 0;
        for (id, _locked) in self.left()? {
            match self.remove(&id) {
                Ok(()) => removed += 1,
                Err(error) => tracing::debug!(%error, %id, "something stays"),
            }
        }
        Ok(removed)
    }

    /// What has no index, and nobody who will write one.
    fn left(&self) -> Result<Vec<(CallId, Locked)>> {
        let has_index = |id: &CallId| self.folder_of(id).join(INDEX).exists();
        let mut open = self.ids()?;
        open.retain(|id| !has_index(id));
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let _turn = self.turn()?;
        let locked = open
            .into_iter()
            .filter_map(|id| Some((id, self.lock(&id).ok()?)));
        // It may have been written meanwhile.
        Ok(locked.filter(|(id, _)| !has_index(id)).collect())
    }
}

/// Removes the folders that the kernel makes for itself below `work`: they are empty, belong to whoever mounted the
/// overlay, and let nobody else look into them.
fn remove_kernels(folder: &Path) {
    for layer in fs::read_dir(folder).into_iter().flatten().flatten() {
        let made = fs::read_dir(layer.path().join("work"))
            .into_iter()
            .flatten();
        for own in made.flatten() {
            // What is not empty stays, and the removal says so.
            drop(fs::remove_dir(own.path()));
        }
    }
}

/// Lets the owner into every folder: a command may have closed some of its own.
fn open_up(folder: &Path) {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        // What belongs to somebody else stays closed, and the removal says so.
        drop(fs::set_permissions(
            &folder,
            fs::Permissions::from_mode(0o700),
        ));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        open.extend(folders.map(|entry| entry.path()));
    }
}
