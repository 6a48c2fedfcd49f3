//! From bytes to something that can be called: compiled once, however many callers wait, and kept.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use super::cache::{CompiledCache, CompiledFile};
use super::engine::{EngineKind, Engines};
use super::exports::Exports;
use super::heap;
use super::linker;
use super::state::State;
use crate::error::{Code, Error, Result};
use crate::ids::Digest;

/// A component that is compiled, linked and ready to be instantiated for a call.
pub struct Loaded {
    /// The engine it belongs to.
    pub kind: EngineKind,
    pub(super) pre: InstancePre<State>,
    /// What it exports of `toolhatch:plugin`, where it is a plugin.
    pub(super) plugin: Option<Exports>,
}

/// Filled by the first caller; the others wait for it.
type Slot = Arc<OnceCell<Arc<Loaded>>>;

/// Loads components: looks into the memory of the process, then the cache on disk, then compiles.
pub struct Loader {
    engines: Arc<Engines>,
    linkers: [OnceLock<Linker<State>>; 3],
    cache: Option<CompiledCache>,
    compilers: Arc<rayon::ThreadPool>,
    loaded: Mutex<HashMap<(Digest, EngineKind), Slot>>,
}

impl Loader {
    /// A loader with threads of its own for compiling on `compile_jobs` cores, so that calls go on meanwhile.
    ///
    /// # Errors
    /// E3405 where the threads cannot be started.
    pub fn new(
        engines: Arc<Engines>,
        cache: Option<CompiledCache>,
        compile_jobs: usize,
    ) -> Result<Self> {
        let compilers = rayon::ThreadPoolBuilder::new()
            .num_threads(compile_threads(compile_jobs))
            .thread_name(|index| format!("toolhatch-compile-{index}"))
            .start_handler(|_| {
                // Compiling can wait; calls cannot. Where the system does not allow it, it is merely less polite.
                let _ = rustix::process::setpriority_process(None, 10);
            })
            .build()
            .map_err(|error| {
                Error::new(Code::E3405, "starting the threads that compile components")
                    .caused_by(error)
            })?;
        Ok(Self {
            engines,
            linkers: Default::default(),
            cache,
            compilers: Arc::new(compilers),
            loaded: Mutex::default(),
        })
    }

    /// The engines of this loader.
    #[must_use]
    pub fn engines(&self) -> &Arc<Engines> {
        &self.engines
    }

    /// The compiled components on disk, where there is a cache.
    #[must_use]
    pub fn cache(&self) -> Option<&CompiledCache> {
        self.cache.as_ref()
    }

    /// The engines' names in the cache.
    ///
    /// # Errors
    /// E3405 where the system cannot give what the engines need.
    pub fn fingerprints(&self) -> Result<Vec<String>> {
        let kinds = [EngineKind::Pooling, EngineKind::Fuel];
        let names = kinds.map(|kind| self.engines.get(kind).map(fingerprint));
        names.into_iter().collect()
    }

    /// Makes a component ready to be called on the engine that is wanted; one that does not fit a slot of the pool runs on
    /// demand.
    ///
    /// # Errors
    /// E3105 for bytes that are no valid component, E3111 for one that imports what this host does not have.
    pub async fn load(
        self: &Arc<Self>,
        digest: Digest,
        bytes: Bytes,
        wanted: EngineKind,
    ) -> Result<Arc<Loaded>> {
        let cell = Arc::clone(
            self.loaded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry((digest, wanted))
                .or_default(),
        );
        let loaded = cell
            .get_or_try_init(|| async {
                let loader = Arc::clone(self);
                tokio::task::spawn_blocking(move || loader.load_now(digest, &bytes, wanted))
                    .await
                    .map_err(|error| {
                        Error::new(Code::E3000, "compiling a component").caused_by(error)
                    })?
                    .map(Arc::new)
            })
            .await?;
        Ok(Arc::clone(loaded))
    }

    fn load_now(&self, digest: Digest, bytes: &[u8], wanted: EngineKind) -> Result<Loaded> {
        if wanted != EngineKind::Pooling {
            let component = self.component(wanted, digest, bytes)?;
            return self.link(wanted, &component);
        }
        // Most components fit a slot of the pool; the few that do not run on demand, from the same compiled code.
        let component = self.component(EngineKind::Pooling, digest, bytes);
        let pooled = component.and_then(|component| self.link(EngineKind::Pooling, &component));
        match pooled {
            Err(error) if exceeds_pool(&error) => {
                let component = self.component(EngineKind::OnDemand, digest, bytes)?;
                self.link(EngineKind::OnDemand, &component)
            }
            other => other,
        }
    }

    fn component(&self, kind: EngineKind, digest: Digest, bytes: &[u8]) -> Result<Component> {
        let engine = self.engines.get(kind)?;
        let name = fingerprint(engine);
        if let Some(cache) = &self.cache
            && let Some(file) = cache.load(&digest, &name)
            && let Some(component) = mapped(&file, engine, &digest)?
        {
            return Ok(component);
        }
        let compiler = Engines::compiler(kind)?;
        let compiled = self
            .compilers
            .install(|| compiler.precompile_component(bytes))
            .map_err(invalid)?;
        let component = self.keep(engine, &digest, &name, &compiled);
        // Nobody has to wait for that.
        self.compilers.spawn(move || {
            drop((compiler, compiled));
            heap::give_back();
        });
        component
    }

    /// A component from its compiled form, which is kept where there is a cache.
    fn keep(
        &self,
        engine: &Engine,
        digest: &Digest,
        name: &str,
        compiled: &[u8],
    ) -> Result<Component> {
        if let Some(cache) = &self.cache {
            match cache.store(digest, name, compiled) {
                // From the file it is in memory as far as it is used, and the system may take it out again.
                Ok(file) => {
                    if let Some(component) = mapped(&file, engine, digest)? {
                        return Ok(component);
                    }
                }
                Err(error) => tracing::warn!(%error, "could not keep a compiled component"),
            }
        }
        #[expect(
            unsafe_code,
            reason = "these bytes were compiled for this engine a moment ago"
        )]
        // SAFETY: `compiled` comes straight from `precompile_component`; the engine refuses code that was not made for it.
        let component = unsafe { Component::deserialize(engine, compiled) };
        component.map_err(invalid)
    }

    fn link(&self, kind: EngineKind, component: &Component) -> Result<Loaded> {
        let linker = self.linker(kind)?;
        let pre = linker
            .instantiate_pre(component)
            .map_err(|error| linker::explain(component, &error))?;
        Ok(Loaded {
            kind,
            plugin: Exports::of(&pre),
            pre,
        })
    }

    fn linker(&self, kind: EngineKind) -> Result<&Linker<State>> {
        let slot = match kind {
            EngineKind::Pooling => &self.linkers[0],
            EngineKind::OnDemand => &self.linkers[1],
            EngineKind::Fuel => &self.linkers[2],
        };
        if let Some(linker) = slot.get() {
            return Ok(linker);
        }
        let linker = linker::build(self.engines.get(kind)?).map_err(|error| {
            Error::new(Code::E3405, "linking the host's interfaces").caused_by(error)
        })?;
        Ok(slot.get_or_init(|| linker))
    }
}

/// A component from the file of its compiled form, where that loads.
///
/// # Errors
/// Where it does not fit a slot of the pool of this engine.
fn mapped(file: &CompiledFile, engine: &Engine, digest: &Digest) -> Result<Option<Component>> {
    #[expect(
        unsafe_code,
        reason = "the file was written by us: what is mapped here is the handle on which its authentication code was made, or was checked with its owner and mode"
    )]
    // SAFETY: `CompiledCache` only gives files that this process's user wrote through `CompiledCache::store`.
    let component = unsafe { Component::deserialize_file(engine, file.path()) };
    match component {
        Ok(component) => Ok(Some(component)),
        Err(error) if exceeds_pool_text(&format!("{error:#}")) => Err(invalid(error)),
        Err(error) => {
            tracing::warn!(%digest, error = format!("{error:#}"), "what was kept of a compiled component does not load");
            Ok(None)
        }
    }
}

/// How many threads compile on so many cores: exactly as many, unless it is all of them.
///
/// rayon hands out the functions in pieces, the smaller the more threads there are, and a thread with a large function at the
/// end of a large piece keeps the others waiting. Twice as many threads as cores take no more cores, and compile a QuickJS
/// component of 1.7 MB on two cores in 0.8 of the time.
fn compile_threads(jobs: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    if jobs < cores {
        jobs.max(1)
    } else {
        jobs.max(2 * cores)
    }
}

fn invalid(error: wasmtime::Error) -> Error {
    Error::new(Code::E3105, "the component is not valid").caused_by(error)
}

/// True where the pool said that a slot is too small. wasmtime gives these as text only.
fn exceeds_pool(error: &Error) -> bool {
    error.causes().iter().any(|cause| exceeds_pool_text(cause))
}

fn exceeds_pool_text(text: &str) -> bool {
    text.contains("exceeds the limit")
        || text.contains("exceed the limit")
        || text.contains("pooling allocator")
}

/// A name for everything that compiled code depends on: the version and settings of the engine.
fn fingerprint(engine: &Engine) -> String {
    struct Collect(Sha256);
    impl Hasher for Collect {
        fn finish(&self) -> u64 {
            0
        }

        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut collect = Collect(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut collect);
    collect
        .0
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
