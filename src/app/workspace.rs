//! Changes of commands that wait for a person: applied to the workspace, or thrown away, and recorded either way.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde_json::Value;

use super::App;
use crate::audit::{Event, EventType};
use crate::changes::{ChangeSet, Kept, Name, Plan, Rules};
use crate::config::Glob;
use crate::error::{Error, Result};
use crate::ids::CallId;

/// So many paths are in one record; it says how many there are besides.
const MOST_RECORDED: usize = 1000;

/// What became of changes.
#[derive(Debug)]
pub struct AppliedChanges {
    /// The paths that are in the workspace now.
    pub applied: Vec<Name>,
    /// Those that never are, and why.
    pub refused: Vec<(Name, String)>,
    /// How many still wait, the refused ones among them.
    pub left: usize,
    /// What ended it before all was done.
    pub error: Option<Error>,
}

impl App {
    /// Where changes are kept.
    #[must_use]
    pub fn kept_changes(&self) -> Kept {
        let home = &self.paths.home;
        // A daemon that is told this path follows no links of ours.
        let home = home.canonicalize().unwrap_or_else(|_| home.clone());
        Kept::new(home.join("changes"))
    }

    /// What changes never reach.
    #[must_use]
    pub fn change_rules(&self) -> Rules {
        Rules {
            protected: self.config.docker.protected_paths.clone(),
            sensitive: self.rules().sensitive,
        }
    }

    /// Applies changes to the workspace: all that are not refused, or those whose path, or a folder above it, is one of
    /// `paths`. Either none of them is in conflict with what is there, or none is applied.
    ///
    /// # Errors
    /// E3101 where there are none, E3908 where there are conflicts; those of the audit log, without which nothing is done.
    pub fn apply_changes(&self, id: &CallId, paths: &[Glob]) -> Result<AppliedChanges> {
        let kept = self.kept_changes();
        let _locked = kept.lock(id)?;
        let set = kept.open(id)?;
        let is_selected = |path: &Path| paths.is_empty() || names(paths, path);
        let plan = Plan::make(&kept, &set, &self.change_rules(), &is_selected)?;
        let planned: Vec<&Name> = plan.paths().collect();
        if !planned.is_empty() {
            self.record(
                event(EventType::ChangesApplied, &set, &planned)
                    .with("refused", plan.refused.len()),
            )?;
        }
        let applied = plan.run();
        let set = kept.settle(set, &applied.done)?;
        Ok(AppliedChanges {
            applied: applied.done.into_iter().map(|(_, name)| name).collect(),
            refused: plan.refused,
            left: set.count(),
            error: applied.error,
        })
    }

    /// Removes changes that wait.
    ///
    /// # Errors
    /// E3101 where there are none; those of the audit log and of removing.
    pub fn discard_changes(&self, id: &CallId) -> Result<ChangeSet> {
        let kept = self.kept_changes();
        let _locked = kept.lock(id)?;
        let set = kept.open(id)?;
        let all = set.layers.iter().flat_map(|layer| &layer.changes);
        let paths: Vec<&Name> = all.map(|change| &change.path).collect();
        self.record(event(EventType::ChangesDiscarded, &set, &paths))?;
        kept.remove(id)?;
        Ok(set)
    }
}

fn event(kind: EventType, set: &ChangeSet, paths: &[&Name]) -> Event {
    let folders: Value = set
        .layers
        .iter()
        .map(|layer| layer.host.to_string())
        .collect();
    let named: Value = paths
        .iter()
        .take(MOST_RECORDED)
        .map(ToString::to_string)
        .collect();
    Event::new(kind)
        .call(set.id)
        .with("folders", folders)
        .with("count", paths.len())
        .with("paths", named)
}

/// True where one of the globs stands for the path, or for a folder above it.
fn names(globs: &[Glob], path: &Path) -> bool {
    path.ancestors()
        .filter(|above| !above.as_os_str().is_empty())
        .any(|above| {
            let parts: Vec<&[u8]> = above
                .components()
                .map(|component| component.as_os_str().as_bytes())
                .collect();
            globs.iter().any(|glob| glob.matches(&parts))
        })
}
