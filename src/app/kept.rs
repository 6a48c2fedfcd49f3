//! Grants that are kept, as calls see them: read once, and again whenever something changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::App;
use crate::error::Result;
use crate::ids::Digest;
use crate::permission::Grants;
use crate::registry::{Origin, Source};
use crate::store::Generation;

/// What was read, and in which state of the database.
#[derive(Debug, Default)]
pub(super) struct KeptGrants {
    read: Mutex<Read>,
    /// What the one call of this process was confined by: a grant that comes later would name what it cannot reach any more.
    pinned: OnceLock<(Digest, Option<Arc<Grants>>)>,
}

#[derive(Debug, Default)]
struct Read {
    generation: Generation,
    grants: HashMap<Digest, Option<Arc<Grants>>>,
}

impl App {
    /// Has these grants hold for this artifact as long as the process lives, whatever becomes of what is kept.
    pub fn pin_kept(&self, digest: Digest, kept: Option<Arc<Grants>>) {
        // A process confines itself once.
        drop(self.kept.pinned.set((digest, kept)));
    }

    /// What a person granted this source for good, if anything. Only what is installed has such grants: they are bound to
    /// its name and its bytes.
    ///
    /// # Errors
    /// E3109 where the grant is damaged; those of the store.
    pub async fn kept_grants(&self, source: &Source) -> Result<Option<Arc<Grants>>> {
        let (Origin::Installed, Some(manifest)) = (&source.origin, &source.manifest) else {
            return Ok(None);
        };
        self.kept_for(&manifest.name, &source.artifact.digest).await
    }

    /// The same by name and digest.
    ///
    /// # Errors
    /// As above.
    pub async fn kept_for(
        &self,
        plugin: &crate::ids::PluginName,
        digest: &Digest,
    ) -> Result<Option<Arc<Grants>>> {
        if let Some((_, kept)) = self.kept.pinned.get().filter(|(of, _)| of == digest) {
            return Ok(kept.clone());
        }
        let registry = self.registry().await?;
        // Taken before reading: what changes meanwhile is read again the next time.
        let generation = registry.store().generation();
        {
            let mut read = self
                .kept
                .read
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if read.generation != generation {
                read.generation = generation;
                read.grants.clear();
            }
            if let Some(known) = read.grants.get(digest) {
                return Ok(known.clone());
            }
        }
        let given = registry.given(plugin, digest).await?;
        let grants = given.map(|given| Arc::new(given.grants));
        let mut read = self
            .kept
            .read
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if read.generation == generation {
            read.grants.insert(*digest, grants.clone());
        }
        Ok(grants)
    }
}
