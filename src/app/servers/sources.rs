//! What lists and calls share: sources of servers, what is pinned, and which servers are being looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::known::Stamp;
use crate::ids::PluginName;
use crate::pins::Lock;
use crate::registry::Source;

/// The sources of servers, and all that is pinned, each as of one state of that.
#[derive(Debug, Default)]
pub(in crate::app) struct ServerSources(Mutex<Sources>);

#[derive(Debug, Default)]
struct Sources {
    lock: Option<(Stamp, Arc<Lock>)>,
    servers: BTreeMap<PluginName, (Stamp, Arc<Source>)>,
}

impl ServerSources {
    fn inner(&self) -> MutexGuard<'_, Sources> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, name: &PluginName, stamp: Stamp) -> Option<Arc<Source>> {
        let inner = self.inner();
        let (known, source) = inner.servers.get(name)?;
        (*known == stamp).then(|| Arc::clone(source))
    }

    pub(super) fn put(&self, name: &PluginName, stamp: Stamp, source: &Arc<Source>) {
        let entry = (stamp, Arc::clone(source));
        self.inner().servers.insert(name.clone(), entry);
    }

    pub(super) fn lock(&self, stamp: Stamp) -> Option<Arc<Lock>> {
        let inner = self.inner();
        let (known, lock) = inner.lock.as_ref()?;
        (*known == stamp).then(|| Arc::clone(lock))
    }

    pub(super) fn put_lock(&self, stamp: Stamp, lock: &Arc<Lock>) {
        self.inner().lock = Some((stamp, Arc::clone(lock)));
    }
}

/// The servers that are being connected to for the first time.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Looking(Arc<Mutex<BTreeSet<PluginName>>>);

/// One of them, until this is dropped.
pub(super) struct LookingAt {
    all: Looking,
    name: PluginName,
}

impl Looking {
    /// Nothing where somebody does already.
    pub(super) fn begin(&self, name: &PluginName) -> Option<LookingAt> {
        let is_new = self.lock().insert(name.clone());
        is_new.then(|| LookingAt {
            all: self.clone(),
            name: name.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PluginName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LookingAt {
    fn drop(&mut self) {
        self.all.lock().remove(&self.name);
    }
}
