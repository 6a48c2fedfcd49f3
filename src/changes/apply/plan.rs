//! What applying would do: what is refused, what is in conflict with the workspace, and the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

use super::super::{Change, ChangeSet, Kept, LayerChanges, Name, Node, Rules, What, tree};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// As many conflicts are named in the sentence; all of them are in the details.
const NAMED: usize = 5;

/// What is to be done, and what is not.
#[derive(Debug)]
pub struct Plan {
    /// What is never applied, and why.
    pub refused: Vec<(Name, String)>,
    pub(super) workspaces: Vec<Workspace>,
}

/// What is to be done in one folder.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) layer: usize,
    pub(super) host: PathBuf,
    pub(super) root: OwnedFd,
    pub(super) upper: OwnedFd,
    /// Whom the workspace belongs to.
    pub(super) owner: (u32, u32),
    pub(super) steps: Vec<Step>,
}

/// One change, and what the workspace held when it was planned.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) change: Change,
    pub(super) stamp: Option<Stamp>,
    /// The workspace has it already.
    pub(super) is_done: bool,
}

impl Step {
    /// What is there goes before anything comes: what is removed, and a folder that becomes something else, or the other way
    /// round.
    pub(super) fn leaves_first(&self) -> bool {
        let is_folder = |node: &Option<Node>| node.as_ref().is_some_and(Node::is_folder);
        match self.change.what {
            What::Removed => true,
            What::TypeChanged => is_folder(&self.change.before) || is_folder(&self.change.after),
            What::Added | What::Modified => false,
        }
    }
}

/// Tells an entry apart from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: i64,
    changed_at: i128,
    pub(super) owner: (u32, u32),
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            inode: stat.st_ino,
            size: stat.st_size,
            changed_at: tree::changed_at(stat),
            owner: (stat.st_uid, stat.st_gid),
        }
    }
}

/// Paths of a workspace changed since the command saw them.
pub(super) fn conflict(paths: &[String]) -> Error {
    let named: Vec<&str> = paths.iter().take(NAMED).map(String::as_str).collect();
    let more = match paths.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Error::new(
        Code::E3908,
        format!(
            "applying changes: the workspace is not what the command saw any more: {}{more}",
            named.join(", ")
        ),
    )
    .hint("Run the command again over what is there now; or apply the rest: `--path` takes the paths that are applied.")
    .detail("conflicts", paths.to_vec())
}

impl Plan {
    /// Looks at the workspace and decides what applying the selected paths comes to. Nothing is changed.
    ///
    /// # Errors
    /// E3908 where the workspace is not what the command saw; E3101 where it is not there.
    pub fn make(
        kept: &Kept,
        set: &ChangeSet,
        rules: &Rules,
        is_selected: &dyn Fn(&Path) -> bool,
    ) -> Result<Self> {
        let mut plan = Self {
            refused: Vec::new(),
            workspaces: Vec::new(),
        };
        let mut conflicts = Vec::new();
        for (number, layer) in set.layers.iter().enumerate() {
            let open = |path: &Path| {
                tree::open_root(path).map_err(|error| fsx::io_error("opening", path, error))
            };
            let host = layer.host.path();
            let root = open(host)?;
            let stat = rustix::fs::fstat(&root)
                .map_err(|error| fsx::io_error("looking at", host, error.into()))?;
            let mut looking = Looking {
                layer,
                root: &root,
                refused: BTreeMap::new(),
                conflicts: BTreeSet::new(),
            };
            let steps = looking.steps(rules, is_selected);
            let shown = |path: &PathBuf| Name::from(host.join(path)).to_string();
            conflicts.extend(looking.conflicts.iter().map(shown));
            plan.refused.extend(
                looking
                    .refused
                    .into_iter()
                    .map(|(path, why)| (path.into(), why)),
            );
            plan.workspaces.push(Workspace {
                layer: number,
                host: host.to_owned(),
                upper: open(&kept.upper(&set.id, layer))?,
                root,
                owner: (stat.st_uid, stat.st_gid),
                steps,
            });
        }
        if conflicts.is_empty() {
            return Ok(plan);
        }
        Err(conflict(&conflicts))
    }

    /// The paths that are applied.
    pub fn paths(&self) -> impl Iterator<Item = &Name> {
        self.workspaces
            .iter()
            .flat_map(|workspace| workspace.steps.iter().map(|step| &step.change.path))
    }
}

struct Looking<'a> {
    layer: &'a LayerChanges,
    root: &'a OwnedFd,
    refused: BTreeMap<PathBuf, String>,
    conflicts: BTreeSet<PathBuf>,
}

impl Looking<'_> {
    fn steps(&mut self, rules: &Rules, is_selected: &dyn Fn(&Path) -> bool) -> Vec<Step> {
        let chosen = self.chosen(is_selected);
        // In the order of the paths a folder comes before what is in it.
        for change in &self.layer.changes {
            let path = change.path.path();
            if !chosen.contains(path) {
                continue;
            }
            let why = rules.refusal(self.layer, change).or_else(|| {
                let above = path.ancestors().skip(1);
                let mut refused = above.filter(|above| self.refused.contains_key(*above));
                let is_new = |above: &Path| self.layer.find(above).is_some_and(makes_folder);
                refused
                    .any(is_new)
                    .then(|| "the folder that it lies in is not applied".to_owned())
            });
            if let Some(why) = why {
                self.refused.insert(path.to_owned(), why);
            }
        }
        let mut steps = Vec::new();
        let mut going: BTreeSet<PathBuf> = BTreeSet::new();
        // The other way round, a folder comes after what is in it.
        for change in self.layer.changes.iter().rev() {
            let path = change.path.path();
            if !chosen.contains(path) || self.refused.contains_key(path) {
                continue;
            }
            match self.step(change, &going) {
                Ok(Some(step)) => {
                    if change.what == What::Removed {
                        going.insert(path.to_owned());
                    }
                    steps.push(step);
                }
                Ok(None) => {}
                Err(error) => {
                    self.refused
                        .insert(path.to_owned(), format!("it cannot be looked at: {error}"));
                }
            }
        }
        steps.reverse();
        self.homeless(&steps);
        steps
    }

    /// What is selected, with the new folders that it lies in.
    fn chosen(&self, is_selected: &dyn Fn(&Path) -> bool) -> BTreeSet<PathBuf> {
        let mut chosen = BTreeSet::new();
        for change in &self.layer.changes {
            let path = change.path.path();
            if !is_selected(path) {
                continue;
            }
            chosen.insert(path.to_owned());
            if change.after.is_some() {
                let above = path.ancestors().skip(1);
                let new = above.filter(|above| self.layer.find(above).is_some_and(makes_folder));
                chosen.extend(new.map(Path::to_owned));
            }
        }
        chosen
    }

    fn step(&mut self, change: &Change, going: &BTreeSet<PathBuf>) -> io::Result<Option<Step>> {
        let path = change.path.path();
        let now = tree::look(self.root, path, 0)?;
        let node = now.as_ref().map(|seen| &seen.node);
        let is_done = match (&change.after, node) {
            (None, None) => true,
            (Some(Node::Folder { .. }), Some(Node::Folder { .. })) if makes_folder(change) => true,
            (after, now) => after.as_ref() == now,
        };
        let stamp = now.as_ref().map(|seen| Stamp::of(&seen.stat));
        let is_gone_for_another = change.what == What::TypeChanged && node.is_none();
        // A folder that is removed is what is in it.
        let is_same = match (&change.before, node) {
            (Some(Node::Folder { .. }), Some(Node::Folder { .. })) => {
                change.what != What::Modified || change.before.as_ref() == node
            }
            (before, now) => before.as_ref() == now,
        };
        if !is_done && !is_gone_for_another && (change.changed_meanwhile || !is_same) {
            self.conflicts.insert(path.to_owned());
            return Ok(None);
        }
        let is_folder = node.is_some_and(Node::is_folder);
        let goes = matches!(change.what, What::Removed | What::TypeChanged);
        if !is_done && goes && is_folder && !self.is_emptied(path, going)? {
            return Ok(None);
        }
        let me = rustix::process::geteuid();
        let is_theirs = stamp.is_some_and(|stamp| stamp.owner.0 != me.as_raw());
        if change.what == What::Modified && is_theirs && !me.is_root() && !is_done {
            self.refused
                .insert(path.to_owned(), "it belongs to another user".to_owned());
            return Ok(None);
        }
        Ok(Some(Step {
            change: change.clone(),
            stamp,
            is_done,
        }))
    }

    /// Whether everything in a folder goes with it. What came since is a conflict; what is not applied keeps its folder.
    fn is_emptied(&mut self, folder: &Path, going: &BTreeSet<PathBuf>) -> io::Result<bool> {
        for name in tree::list(tree::open_folder(self.root, folder)?)? {
            let path = folder.join(name);
            if going.contains(&path) {
                continue;
            }
            if self.layer.find(&path).is_none() {
                self.conflicts.insert(path);
            } else if !self.conflicts.contains(&path) {
                let why = format!("{} in it stays", Name::from(path));
                self.refused.insert(folder.to_owned(), why);
            }
            return Ok(false);
        }
        Ok(true)
    }

    /// What lies in a folder that is not there any more is a conflict.
    fn homeless(&mut self, steps: &[Step]) {
        for step in steps.iter().filter(|step| !step.is_done) {
            let path = step.change.path.path();
            let Some(parent) = path.parent().filter(|_| step.change.after.is_some()) else {
                continue;
            };
            let is_made = self.layer.find(parent).is_some_and(makes_folder);
            if !is_made && tree::open_folder(self.root, parent).is_err() {
                self.conflicts.insert(path.to_owned());
            }
        }
    }
}

/// True for a folder where none was.
fn makes_folder(change: &Change) -> bool {
    matches!(change.what, What::Added | What::TypeChanged)
        && change.after.as_ref().is_some_and(Node::is_folder)
}
