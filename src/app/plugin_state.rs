//! What plugins keep between their calls, as calls use it: opened when it is first used, and shared by the calls of this
//! process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};
use crate::exec::{
    BoxFuture, KeyValue, KeyValueFailure, KeyWrite, MAX_KEYS, StateWritten, Written,
};
use crate::invoke::States;
use crate::registry::{Origin, Source};
use crate::store::{PluginState, StateOwner};

use super::App;

/// How many files are kept open; the one that was used longest ago goes first.
const MAX_OPEN: usize = 32;
/// How long one waits for another process, where the call has more time than that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a command of a person waits.
const PERSON: Duration = Duration::from_secs(2);

/// The files that are open, the one that was used last at the end.
#[derive(Debug, Default)]
pub(super) struct OpenStates(Arc<Mutex<Vec<(StateOwner, PluginState)>>>);

impl OpenStates {
    fn find(&self, owner: &StateOwner) -> Option<PluginState> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = open.iter().position(|(other, _)| other == owner)?;
        let found = open.remove(at);
        let state = found.1.clone();
        open.push(found);
        Some(state)
    }

    fn forget(&self, owner: &StateOwner) -> Option<PluginState> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = open.iter().position(|(other, _)| other == owner)?;
        Some(open.remove(at).1)
    }

    fn keep(&self, owner: StateOwner, state: PluginState) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two calls may have opened it at the same time; it does not matter which one stays.
        open.retain(|(other, _)| *other != owner);
        if open.len() >= MAX_OPEN {
            // Whoever uses it now keeps it open until they are done.
            open.remove(0);
        }
        open.push((owner, state));
    }
}

/// The state of one plugin, for one call.
#[derive(Debug)]
struct CallState {
    home: PathBuf,
    owner: Owner,
    open: Arc<OpenStates>,
    quota: u64,
    deadline: Instant,
}

#[derive(Debug, Clone)]
enum Owner {
    Installed(crate::ids::PluginName),
    /// Where somebody said that it is.
    File(PathBuf),
}

impl CallState {
    /// So long that there is time left to tell that it was in vain.
    fn patience(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        PATIENCE.min(left - left / 5)
    }

    async fn owner(&self) -> Result<StateOwner> {
        match &self.owner {
            Owner::Installed(name) => Ok(StateOwner::Installed(name.clone())),
            Owner::File(path) => {
                let canonical = tokio::fs::canonicalize(path).await;
                canonical.map(StateOwner::File).map_err(|error| {
                    Error::new(Code::E3001, format!("looking where {} is", path.display()))
                        .caused_by(error)
                })
            }
        }
    }

    /// Opens it, and makes it where there is none and something is to be written.
    async fn state(&self, make: bool) -> Result<Option<PluginState>> {
        let owner = self.owner().await?;
        if let Some(state) = self.open.find(&owner) {
            return Ok(Some(state));
        }
        let patience = self.patience();
        let opened = if make {
            Some(PluginState::open(&self.home, &owner, patience).await?)
        } else {
            PluginState::open_existing(&self.home, &owner, patience).await?
        };
        if let Some(state) = &opened {
            self.open.keep(owner, state.clone());
        }
        Ok(opened)
    }
}

/// Tells the guest that it does not work, and the log of this process why.
fn unavailable(error: Error) -> KeyValueFailure {
    tracing::warn!(%error, hints = ?error.hints(), "the state of a plugin cannot be used");
    let why = match error.code() {
        Code::E3109 => "it is damaged",
        _ => "it is locked, or cannot be read and written",
    };
    KeyValueFailure::Unavailable {
        told: why.to_owned(),
        cause: Arc::new(error),
    }
}

impl KeyValue for CallState {
    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, KeyValueFailure>> {
        Box::pin(async move {
            let Some(state) = self.state(false).await.map_err(unavailable)? else {
                return Ok(None);
            };
            state.get(&key, self.patience()).await.map_err(unavailable)
        })
    }

    fn write(&self, write: KeyWrite) -> BoxFuture<'_, Result<Written, KeyValueFailure>> {
        Box::pin(async move {
            let Some(state) = self.state(true).await.map_err(unavailable)? else {
                return Ok(Written::Other);
            };
            let written = state.write(&write, self.quota, self.patience());
            match written.await.map_err(unavailable)? {
                StateWritten::Done(written) => Ok(written),
                StateWritten::Full { needed } => Err(KeyValueFailure::Full { needed }),
            }
        })
    }

    fn list_keys(&self, prefix: String) -> BoxFuture<'_, Result<Vec<String>, KeyValueFailure>> {
        Box::pin(async move {
            let Some(state) = self.state(false).await.map_err(unavailable)? else {
                return Ok(Vec::new());
            };
            let keys = state.keys(&prefix, self.patience()).await;
            let keys = keys.map_err(unavailable)?;
            if keys.len() > MAX_KEYS {
                return Err(KeyValueFailure::Invalid(format!(
                    "more than {MAX_KEYS} keys begin so; ask for fewer at a time"
                )));
            }
            Ok(keys)
        })
    }
}

impl States for App {
    fn open(&self, source: &Source, quota: u64, deadline: Instant) -> Option<Arc<dyn KeyValue>> {
        let owner = match (&source.origin, &source.manifest) {
            (Origin::Installed, Some(manifest)) => Owner::Installed(manifest.name.clone()),
            (Origin::File(path), _) => Owner::File(path.clone()),
            _ => return None,
        };
        Some(Arc::new(CallState {
            home: self.paths.home.clone(),
            owner,
            open: Arc::clone(&self.states),
            quota,
            deadline,
        }))
    }
}

/// The state of a plugin, as a person looks at it.
#[derive(Debug)]
pub struct KeptState {
    /// The name of the plugin, or the path it is called by.
    pub owner: String,
    /// Where it is.
    pub path: PathBuf,
    /// Every key with what it takes, or why that cannot be told.
    pub keys: Result<Vec<crate::store::KeySize>>,
}

impl App {
    /// What every plugin keeps.
    ///
    /// # Errors
    /// E3001 where the folder cannot be read.
    pub async fn kept_states(&self) -> Result<Vec<KeptState>> {
        let mut kept = Vec::new();
        for state in PluginState::all(&self.paths.home)? {
            kept.push(look(state).await);
        }
        kept.sort_by(|a, b| a.owner.cmp(&b.owner));
        Ok(kept)
    }

    /// What one plugin keeps; nothing where it never kept anything.
    ///
    /// # Errors
    /// Those of [`PluginState::open`].
    pub async fn kept_state(&self, owner: &StateOwner) -> Result<Option<KeptState>> {
        let state = PluginState::open_existing(&self.paths.home, owner, PERSON).await?;
        Ok(match state {
            Some(state) => Some(look(state).await),
            None => None,
        })
    }

    /// Removes what a plugin keeps: everything in it, and with `file` the file too. Says how many keys there were.
    ///
    /// # Errors
    /// Those of [`PluginState::open`].
    pub async fn clear_state(&self, owner: &StateOwner, file: bool) -> Result<usize> {
        // The file only goes where nobody uses it, this process neither.
        if file && let Some(own) = self.states.forget(owner) {
            own.close().await;
        }
        let state = PluginState::open_existing(&self.paths.home, owner, PERSON).await?;
        let Some(state) = state else {
            return Ok(0);
        };
        let count = state.sizes().await?.len();
        if file {
            state.remove(PERSON).await?;
        } else {
            state.clear(PERSON).await?;
            state.close().await;
        }
        Ok(count)
    }

    /// Whose state somebody means: that of an installed plugin, or of a file.
    ///
    /// # Errors
    /// E3004 where it is neither a name nor a path; E3001 where there is no such file.
    pub fn state_owner(&self, text: &str) -> Result<StateOwner> {
        if !text.contains(['/', '.']) {
            return text.parse().map(StateOwner::Installed).map_err(|error| {
                Error::new(Code::E3004, format!("reading {text:?}"))
                    .caused_by(error)
                    .hint("Write the name of a plugin, or the path of a file with a `/` or `.` in it.")
            });
        }
        let path = Path::new(text);
        path.canonicalize()
            .map(StateOwner::File)
            .map_err(|error| crate::fsx::io_error("looking at", path, error))
    }
}

async fn look(state: PluginState) -> KeptState {
    let path = state.path().to_owned();
    let keys = state.sizes().await;
    let owner = state.owner().await.unwrap_or_else(|_| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    });
    state.close().await;
    KeptState { owner, path, keys }
}
