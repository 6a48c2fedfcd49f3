//! Results of tools that are declared pure, kept to be given again.
//!
//! A result of a call that may touch nothing depends on the artifact that computed it, the tool and its arguments, and its
//! key is a digest of these three. The artifact is its digest and never a version as it was asked for: another build has other
//! keys, so nothing has to be thrown away when a tool is updated.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::clock::Clock;
use super::lock;
use crate::ids::Digest;

/// What a cached result belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey(Digest);

impl CacheKey {
    /// The key of a call: its artifact, the tool and the arguments as canonical JSON.
    #[must_use]
    pub fn new(artifact: &Digest, tool: &str, arguments: &str) -> Self {
        let mut text = b"toolhatch result 1".to_vec();
        text.extend_from_slice(artifact.bytes());
        // Lengths keep parts apart that would read the same when put together.
        for part in [tool, arguments] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        Self(Digest::of(&text))
    }
}

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    /// How many bytes of results. Default 64 MiB (ours: F's 1 GB is for a server of its own).
    pub max_bytes: usize,
    /// How many results. Default 10,000 (F).
    pub max_entries: usize,
    /// For how long, where the tool does not say. Default 300 s (the specification).
    pub ttl: Duration,
    /// For how long at most, whatever the tool says. Default 24 h (F).
    pub max_ttl: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_entries: 10_000,
            ttl: Duration::from_secs(300),
            max_ttl: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Results by key, the least recently used given up first. `T` is cheap to clone, such as an `Arc`.
pub struct ResultCache<T> {
    config: CacheConfig,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    entries: HashMap<CacheKey, Entry<T>>,
    /// Keys by when they were last used, as a count of uses.
    order: BTreeMap<u64, CacheKey>,
    uses: u64,
    bytes: usize,
}

struct Entry<T> {
    value: T,
    bytes: usize,
    expiry: Duration,
    used: u64,
}

impl<T: Clone> ResultCache<T> {
    /// An empty cache.
    #[must_use]
    pub fn new(config: CacheConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            config,
            clock,
            kept: Mutex::new(Kept {
                entries: HashMap::new(),
                order: BTreeMap::new(),
                uses: 0,
                bytes: 0,
            }),
        }
    }

    /// The result of this call, if it is known and not too old.
    #[must_use]
    pub fn get(&self, key: &CacheKey) -> Option<T> {
        let now = self.clock.now();
        let mut kept = lock(&self.kept);
        let kept = &mut *kept;
        let entry = kept.entries.get_mut(key)?;
        if entry.expiry <= now {
            kept.remove(key);
            return None;
        }
        kept.order.remove(&entry.used);
        kept.uses += 1;
        entry.used = kept.uses;
        kept.order.insert(entry.used, *key);
        Some(entry.value.clone())
    }

    /// Keeps a result of `bytes` bytes for `ttl`, or as long as results are kept where the tool does not say. One that is
    /// larger than the whole cache is not kept.
    pub fn put(&self, key: CacheKey, value: T, bytes: usize, ttl: Option<Duration>) {
        let ttl = ttl.unwrap_or(self.config.ttl).min(self.config.max_ttl);
        let expiry = self.clock.now().saturating_add(ttl);
        let mut kept = lock(&self.kept);
        kept.remove(&key);
        if bytes > self.config.max_bytes || self.config.max_entries == 0 || ttl.is_zero() {
            return;
        }
        while kept.entries.len() >= self.config.max_entries
            || kept.bytes > self.config.max_bytes - bytes
        {
            let Some(oldest) = kept.order.first_key_value().map(|(_, key)| *key) else {
                break;
            };
            kept.remove(&oldest);
        }
        kept.uses += 1;
        let used = kept.uses;
        kept.bytes += bytes;
        kept.order.insert(used, key);
        let entry = Entry {
            value,
            bytes,
            expiry,
            used,
        };
        kept.entries.insert(key, entry);
    }

    /// How many results it holds, and how many bytes, those included that are too old and not yet given up.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let kept = lock(&self.kept);
        (kept.entries.len(), kept.bytes)
    }
}

impl<T> Kept<T> {
    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

impl<T> fmt::Debug for ResultCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = lock(&self.kept);
        f.debug_struct("ResultCache")
            .field("config", &self.config)
            .field("entries", &kept.entries.len())
            .field("bytes", &kept.bytes)
            .finish_non_exhaustive()
    }
}
