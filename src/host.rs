//! Runs components. The only place that names wasmtime.
//!
//! Engine, linker and `InstancePre` are built once; every call gets a fresh store and instance, a deadline, a limiter, and
//! a guard that decides on everything the guest tries. See `docs/architecture.md` for the path of a call.

mod bindings;
mod cache;
mod call;
mod clocks;
mod component;
mod cpu;
mod describe;
mod engine;
mod exports;
mod guard;
mod heap;
mod imports;
mod input;
mod limits;
mod linker;
mod meter;
mod outcome;
mod session;
mod state;
mod stdio;
mod typed;
mod values;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use self::cache::{CachedComponent, CompiledCache};
pub use self::engine::{EngineKind, FEW_SLOTS, POOL_MEMORY, POOL_SLOTS, config as engine_config};

use self::engine::POOL_TABLE_ELEMENTS;

use self::component::{Loaded, Loader};
use self::engine::Engines;
use self::imports::http::Tls;
use self::session::Sessions;
use crate::error::{Code, Error, Result};
use crate::exec::{Artifact, BoxFuture, Ended, Executor, Job, Outcome, Usage};
use crate::registry::Offers;

/// How long a component may take to compile before its callers are told; compiling itself cannot be stopped.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(120);

/// What a plugin says that it has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// Its tools.
    pub tools: Vec<DescribedTool>,
    /// What it has besides; not checked yet.
    pub offers: Offers,
}

/// What a plugin says of one of its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedTool {
    /// Its name.
    pub name: String,
    /// What people are shown in place of it.
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// The JSON text of its input schema.
    pub input_schema: String,
    /// The JSON text of its output schema.
    pub output_schema: Option<String>,
}

/// Runs components of both kinds: plugins and custom tools.
pub struct Host {
    loader: Arc<Loader>,
    sessions: Arc<Sessions>,
    tls: Tls,
}

impl Host {
    /// Starts the engines, for [`POOL_SLOTS`] calls at once or for [`FEW_SLOTS`]; `compile_jobs` threads compile components.
    ///
    /// # Errors
    /// E3405 where the system cannot give what the engines need.
    pub fn new(cache: Option<CompiledCache>, compile_jobs: usize, slots: u32) -> Result<Self> {
        let engines = Arc::new(Engines::new(slots)?);
        Ok(Self {
            loader: Arc::new(Loader::new(engines, cache, compile_jobs)?),
            sessions: Arc::default(),
            tls: Tls::default(),
        })
    }

    /// The compiled components on disk, where there is a cache.
    #[must_use]
    pub fn cache(&self) -> Option<&CompiledCache> {
        self.loader.cache()
    }

    /// The engines' names in the cache.
    ///
    /// # Errors
    /// E3405 where the system cannot give what the engines need.
    pub fn fingerprints(&self) -> Result<Vec<String>> {
        self.loader.fingerprints()
    }

    /// Compiles an artifact, or finds it compiled, so that the first call does not have to.
    ///
    /// # Errors
    /// Those of [`Executor::run`] before a guest starts: E3105, E3111, E3402.
    pub async fn prepare(&self, artifact: &Artifact, deterministic: bool) -> Result<()> {
        let wanted = if deterministic {
            EngineKind::Fuel
        } else {
            EngineKind::Pooling
        };
        self.load(artifact, wanted).await.map(drop)
    }

    async fn load(&self, artifact: &Artifact, wanted: EngineKind) -> Result<Arc<Loaded>> {
        let loading = self
            .loader
            .load(artifact.digest, artifact.bytes.clone(), wanted);
        tokio::time::timeout(COMPILE_TIMEOUT, loading)
            .await
            .map_err(|_| {
                Error::new(
                    Code::E3402,
                    format!(
                        "the component did not compile within {} s",
                        COMPILE_TIMEOUT.as_secs()
                    ),
                )
                .hint("It is very large or made to be slow; ask its author for a smaller one.")
            })?
    }

    /// Asks a plugin what it has: once, with nothing granted and the clocks frozen.
    ///
    /// # Errors
    /// E3111 where the component exports no tools; else as a call.
    pub async fn describe(&self, artifact: &Artifact) -> Result<Description> {
        let loaded = self.load(artifact, EngineKind::Pooling).await?;
        describe::describe(self, &loaded, true).await
    }

    /// Asks it with clocks that run and numbers that are random, to see whether the answer depends on them. It is never used.
    ///
    /// # Errors
    /// Those of [`Host::describe`].
    pub async fn describe_awake(&self, artifact: &Artifact) -> Result<Description> {
        let loaded = self.load(artifact, EngineKind::Pooling).await?;
        describe::describe(self, &loaded, false).await
    }
}

impl Executor for Host {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let loading = self.load(&job.artifact, engine_for(&job));
            let loaded = tokio::select! {
                biased;
                () = job.cancel.cancelled() => return not_run(Ended::Cancelled),
                loaded = loading => loaded,
            };
            match loaded {
                Ok(loaded) => call::run(self, &loaded, job).await,
                Err(error) => not_run(Ended::NotRun(error)),
            }
        })
    }
}

/// A call that may take more than a slot of the pool gives runs on demand. So does one inside another: there are as many slots
/// as calls that may run at once, and those wait for it. An instance that is kept would have a slot for long.
fn engine_for(job: &Job) -> EngineKind {
    if job.deterministic {
        EngineKind::Fuel
    } else if job.is_inner
        || job.kept.is_some()
        || job.limits.memory > POOL_MEMORY
        || job.limits.table_elements > POOL_TABLE_ELEMENTS
    {
        EngineKind::OnDemand
    } else {
        EngineKind::Pooling
    }
}

fn not_run(ended: Ended) -> Outcome {
    Outcome {
        ended,
        usage: Usage::default(),
    }
}

/// Opens the cache of compiled components below a Toolhatch home.
///
/// # Errors
/// Those of [`CompiledCache::open`].
pub fn open_cache(cache_folder: &Path, keys_folder: &Path) -> Result<CompiledCache> {
    CompiledCache::open(
        &cache_folder.join("components"),
        &keys_folder.join("cache.key"),
    )
}
