//! Changes of the configuration and of the policies, recorded by whoever first runs under them.
//!
//! ```text
//! TOOLHATCH_HOME/in-force.json    what was recorded last: the values of each configuration file, the digest of each policy
//! ```
//!
//! Files are edited by hand, so nothing is told when it happens. A process that records anything compares what it read
//! with what the last one recorded. Without the file, or with a damaged one, everything is recorded once more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::App;
use super::policies::PolicyFile;
use crate::audit::{AuditLog, Event, EventType};
use crate::error::Result;
use crate::fsx;
use crate::ids::Digest;

/// The largest file that is read; a larger one counts as damaged.
const MAX: u64 = 4 << 20;

/// What was in force when it was last recorded.
#[derive(Debug, Default, PartialEq, Clone, Serialize, Deserialize)]
#[serde(default)]
struct InForce {
    /// By file, the values it sets by their keys.
    config: BTreeMap<PathBuf, BTreeMap<String, String>>,
    /// By file, the digest of the policies in it.
    policies: BTreeMap<String, Digest>,
}

impl App {
    /// Records what changed in the files of the configuration.
    pub(super) fn note_config(&self, log: &AuditLog) -> Result<()> {
        let before = self.in_force();
        let mut after = before.clone();
        let mut events = Vec::new();
        for file in &self.config.files {
            let old = after.config.insert(file.path.clone(), file.values.clone());
            if old.as_ref() != Some(&file.values) {
                let old = old.unwrap_or_default();
                events.push(config_changed(&file.path, &old, &file.values));
            }
        }
        // Another project's file is not read here and yet in force there.
        after.config.retain(|path, old| {
            let is_there = self.config.files.iter().any(|file| file.path == *path)
                || path.symlink_metadata().is_ok();
            if !is_there {
                events.push(config_changed(path, old, &BTreeMap::new()));
            }
            is_there
        });
        self.note(log, &before, &after, events)
    }

    /// Records what changed in the policies in force.
    pub(super) fn note_policies(&self, log: &AuditLog, files: &[PolicyFile]) -> Result<()> {
        let before = self.in_force();
        let policies: BTreeMap<String, Digest> = files
            .iter()
            .map(|file| (file.name.clone(), Digest::of(file.text.as_bytes())))
            .collect();
        if before.policies == policies {
            return Ok(());
        }
        let changed = |from: &BTreeMap<String, Digest>, to: &BTreeMap<String, Digest>| -> Value {
            let names = to.iter().filter(|(name, _)| !from.contains_key(*name));
            names.map(|(name, _)| name.as_str()).collect()
        };
        let edited: Value = policies
            .iter()
            .filter(|(name, digest)| before.policies.get(*name).is_some_and(|old| old != *digest))
            .map(|(name, _)| name.as_str())
            .collect();
        let in_force: Map<String, Value> = policies
            .iter()
            .map(|(name, digest)| (name.clone(), digest.to_string().into()))
            .collect();
        let event = Event::new(EventType::PolicyChanged)
            .with("added", changed(&before.policies, &policies))
            .with("edited", edited)
            .with("removed", changed(&policies, &before.policies))
            .with("in_force", in_force);
        let after = InForce {
            policies,
            ..before.clone()
        };
        self.note(log, &before, &after, vec![event])
    }

    fn note(
        &self,
        log: &AuditLog,
        before: &InForce,
        after: &InForce,
        events: Vec<Event>,
    ) -> Result<()> {
        // On the disk before it is noted that they were recorded, or a process that is killed would lose them for good.
        for event in events {
            log.append_durable(event.principal(Self::own_principal()))?;
        }
        if before == after {
            return Ok(());
        }
        // Whoever cannot keep it records the same once more next time.
        let text = serde_json::to_string_pretty(after).unwrap_or_default();
        let kept = fsx::create_private_dir(&self.paths.home)
            .and_then(|()| fsx::write_atomic(&self.in_force_file(), text.as_bytes(), 0o600));
        if let Err(error) = kept {
            tracing::warn!(%error, "could not keep what is in force");
        }
        Ok(())
    }

    fn in_force(&self) -> InForce {
        let text = fsx::read_text(&self.in_force_file(), MAX).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn in_force_file(&self) -> PathBuf {
        self.paths.home.join("in-force.json")
    }
}

/// One file of the configuration, with each key that is not what it was.
fn config_changed(
    file: &Path,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Event {
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes: Map<String, Value> = keys
        .into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| {
            (
                key.clone(),
                json!({"from": old.get(key), "to": new.get(key)}),
            )
        })
        .collect();
    Event::new(EventType::ConfigChanged)
        .with("file", file.display().to_string())
        .with("keys", changes)
}
