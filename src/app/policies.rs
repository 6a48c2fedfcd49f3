//! The policies in force: those that ship with Toolhatch, the operator's, the user's.
//!
//! ```text
//! /etc/toolhatch/policy/*.cedar                   the operator's
//! $XDG_CONFIG_HOME/toolhatch/policy/*.cedar       the user's
//! ```
//!
//! Projects have none: whatever a project forbids, it forbids by its configuration. Policies are read again when one of
//! the files or something that is installed changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::App;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::{Digest, ToolId};
use crate::policy::{DEFAULT_FILE, DEFAULT_POLICIES, Policies, ToolShape};
use crate::registry::{Source, Tool};
use crate::store::Generation;

/// A process that serves many calls looks this often whether a policy file has changed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The largest policy file.
const MAX_FILE: u64 = 4 << 20;

/// How many sets of policies are remembered to have passed the check of their types.
const PASSED: usize = 32;
/// The largest file of such.
const MAX_PASSED: u64 = 64 << 10;

/// What was loaded, and from what.
#[derive(Debug, Default)]
pub(super) struct LoadedPolicies {
    loaded: Mutex<Option<Loaded>>,
    /// Held while policies are loaded: many callers wait for one to do it.
    loading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Loaded {
    stamp: Stamp,
    /// When the files were last looked at.
    looked: Instant,
    /// Sources whose tools the policies were checked against besides what is installed. Two servers that say the same of
    /// themselves are told apart by their names, which their tools have too.
    sources: Vec<(String, Digest)>,
    tools: BTreeMap<ToolId, ToolShape>,
    policies: Arc<Policies>,
}

/// Equal where nothing that policies depend on has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    generation: Option<Generation>,
    files: Vec<(PathBuf, Option<SystemTime>, u64)>,
}

/// A policy file with its text.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// Where it is; of the policies that ship with Toolhatch their name.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl App {
    /// The files of the policies in force, in the order in which they are read.
    ///
    /// # Errors
    /// E3004 where a folder or file cannot be read: what cannot be read might forbid.
    pub fn policy_files(&self) -> Result<Vec<PolicyFile>> {
        let mut files = Vec::new();
        if self.config.policy_default {
            files.push(PolicyFile {
                name: DEFAULT_FILE.to_owned(),
                text: DEFAULT_POLICIES.to_owned(),
            });
        }
        for path in self.own_policy_files()? {
            files.push(PolicyFile {
                name: path.display().to_string(),
                text: fsx::read_text(&path, MAX_FILE)?,
            });
        }
        Ok(files)
    }

    pub(super) fn own_policy_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for folder in self.policy_folders() {
            files.extend(cedar_files(&folder)?);
        }
        Ok(files)
    }

    /// The folders of policies that are not shipped with Toolhatch, there or not.
    pub(super) fn policy_folders(&self) -> Vec<PathBuf> {
        let beside = |file: &Path| file.parent().map(|folder| folder.join("policy"));
        let user = self
            .paths
            .user_config
            .as_deref()
            .filter(|_| self.config.policy_user);
        beside(&self.paths.system_config)
            .into_iter()
            .chain(user.and_then(beside))
            .collect()
    }

    /// The policies in force, checked against all that is installed and against this source.
    ///
    /// # Errors
    /// E3004 that lists everything that is wrong with them; E3205 where there is none.
    pub async fn policies(&self, source: &Source) -> Result<Arc<Policies>> {
        let named = (source.name.clone(), source.artifact.digest);
        let at_hand = || {
            let loaded = self.lock_policies();
            let loaded = loaded.as_ref().filter(|loaded| {
                loaded.looked.elapsed() < LOOK_EVERY && loaded.sources.contains(&named)
            })?;
            Some(Arc::clone(&loaded.policies))
        };
        if let Some(policies) = at_hand() {
            return Ok(policies);
        }
        let _loading = self.policies.loading.lock().await;
        if let Some(policies) = at_hand() {
            return Ok(policies);
        }
        let own = self.own_policy_files()?;
        let stamp = self.stamp(&own).await?;
        let before = self.lock_policies().clone();
        let before = before.filter(|loaded| loaded.stamp == stamp);
        if let Some(loaded) = &before
            && loaded.sources.contains(&named)
        {
            let policies = Arc::clone(&loaded.policies);
            if let Some(loaded) = &mut *self.lock_policies() {
                loaded.looked = Instant::now();
            }
            return Ok(policies);
        }
        let (mut tools, mut sources) = match before {
            Some(loaded) => (loaded.tools, loaded.sources),
            // Policies of a person's own may name any tool there is; those that ship with Toolhatch name none.
            None if own.is_empty() => (BTreeMap::new(), Vec::new()),
            None => (self.installed_shapes().await?, Vec::new()),
        };
        for tool in source.callables() {
            tools.insert(tool.id.clone(), shape(tool));
        }
        sources.push(named);
        let files = self.policy_files()?;
        let shapes: Vec<ToolShape> = tools.values().cloned().collect();
        let policies = Arc::new(self.load(&files, &shapes)?);
        if let Some(log) = self.audit()? {
            self.note_policies(&log, &files)?;
        }
        *self.lock_policies() = Some(Loaded {
            stamp,
            looked: Instant::now(),
            sources,
            tools,
            policies: Arc::clone(&policies),
        });
        Ok(policies)
    }

    /// Why the policies in force would not load with these tools beside, or in place of, what is installed; nothing where
    /// they would, or do not load anyway.
    ///
    /// # Errors
    /// Those of the store, and of reading the policies.
    pub async fn breaks_policies(&self, tools: &[ToolShape]) -> Result<Option<Error>> {
        if self.own_policy_files()?.is_empty() {
            return Ok(None);
        }
        let mut shapes = self.installed_shapes().await?;
        let files = self.policy_files()?;
        let before: Vec<ToolShape> = shapes.values().cloned().collect();
        let Ok(policies) = self.load(&files, &before) else {
            return Ok(None);
        };
        for tool in tools {
            shapes.insert(tool.id.clone(), tool.clone());
        }
        let after: Vec<ToolShape> = shapes.into_values().collect();
        Ok(policies.check_with(&after).err())
    }

    pub(super) fn load(&self, files: &[PolicyFile], tools: &[ToolShape]) -> Result<Policies> {
        let sources: Vec<(&str, &str)> = files
            .iter()
            .map(|file| (file.name.as_str(), file.text.as_str()))
            .collect();
        // Those that ship with Toolhatch look at nothing in which tools differ; a test checks them.
        if sources == [(DEFAULT_FILE, DEFAULT_POLICIES)] {
            return Policies::load_checked(&sources, tools);
        }
        let fingerprint = Policies::fingerprint(&sources, tools).to_string();
        let passed = self.passed();
        if passed.contains(&fingerprint) {
            return Policies::load_checked(&sources, tools);
        }
        let policies = Policies::load(&sources, tools)?;
        self.remember_passed(passed, fingerprint);
        Ok(policies)
    }

    /// The fingerprints of policies whose types were checked before, by any process, the newest last.
    fn passed(&self) -> Vec<String> {
        let text = fsx::read_text(&self.passed_file(), MAX_PASSED).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn passed_file(&self) -> PathBuf {
        self.config.cache_dir.join("policies-checked")
    }

    /// Whoever cannot keep it checks again next time.
    fn remember_passed(&self, mut passed: Vec<String>, fingerprint: String) {
        passed.push(fingerprint);
        let newest: Vec<String> = passed.split_off(passed.len().saturating_sub(PASSED));
        let text = newest.join("\n") + "\n";
        let kept = fsx::create_private_dir(&self.config.cache_dir)
            .and_then(|()| fsx::write_atomic(&self.passed_file(), text.as_bytes(), 0o600));
        if let Err(error) = kept {
            tracing::debug!(%error, "could not keep that the policies were checked");
        }
    }

    /// The tools of every installed version that runs or waits, as policies must know them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn installed_shapes(&self) -> Result<BTreeMap<ToolId, ToolShape>> {
        let mut shapes = BTreeMap::new();
        // The highest version comes first and is the one whose schema counts.
        for plugin in self.registry().await?.plugins().await? {
            if !plugin.lifecycle.stage.runs() {
                continue;
            }
            for tool in plugin.callables()? {
                shapes.entry(tool.id.clone()).or_insert(shape(&tool));
            }
        }
        Ok(shapes)
    }

    pub(super) async fn stamp(&self, own: &[PathBuf]) -> Result<Stamp> {
        let files = own
            .iter()
            .map(|path| {
                let found = std::fs::metadata(path).ok();
                let changed = found.as_ref().and_then(|found| found.modified().ok());
                (path.clone(), changed, found.map_or(0, |found| found.len()))
            })
            .collect();
        let generation = if own.is_empty() {
            None
        } else {
            Some(self.registry().await?.store().generation())
        };
        Ok(Stamp { generation, files })
    }

    fn lock_policies(&self) -> std::sync::MutexGuard<'_, Option<Loaded>> {
        self.policies
            .loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tool as policies must know it.
pub(super) fn shape(tool: &Tool) -> ToolShape {
    ToolShape {
        id: tool.id.clone(),
        input_schema: tool.input_schema.clone(),
    }
}

/// The `.cedar` files of a folder, by name; none where the folder is not there.
fn cedar_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| {
        Error::new(
            Code::E3004,
            format!("reading the policies in {}", folder.display()),
        )
        .caused_by(error)
        .hint("Make the folder readable, or remove it; a call is refused while it is not known what forbids it.")
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "cedar")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
