//! Wires configuration into services and traits into each other. The API that the command line, and later the MCP server,
//! batches and agents, call; nothing else puts the parts together.

mod changes;
mod choice;
mod commands;
pub mod confine;
mod grants;
mod history;
mod kept;
mod ledger;
mod offered;
mod outlets;
mod plugin_state;
mod plugins;
mod policies;
mod recorder;
mod scratch;
mod servers;
mod source;
mod visible;
mod warm;
mod workspace;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use semver::VersionReq;

use crate::audit::{Event, EventType};
use crate::config::{Config, Environment, Flag, Paths};
use crate::dist::{Blobs, Package};
use crate::embedding::EmbeddingEndpoint;
use crate::error::{Code, Error, Result};
use crate::exec::BoxFuture;
use crate::exec::Mux;
use crate::exec::docker::DockerExecutor;
use crate::host::{self, CompiledCache, FEW_SLOTS, Host, POOL_SLOTS};
use crate::ids::PluginName;
use crate::invoke::{
    Admission, ApprovalRules, Catalog, Known, Ledger, Parts, Pipeline, Rules, SERVICE, Sharing,
    States, ToolRef,
};
use crate::mcp::bridge::Bridge;
use crate::permission::{Capability, Kind, Scope, Sensitive};
use crate::policy::Policies;
use crate::registry::{self, Embedder, Installed, Locked, Origin, Registry, Source};

pub use choice::choose_tool;
pub use grants::read_grants;
pub use history::{CallFilter, History, Progress, RecordFilter, ToolCost};
pub use offered::{LeftOut, Offered, OfferedTool, Place};
pub use plugin_state::KeptState;
pub use plugins::Installation;
pub use policies::PolicyFile;
pub use scratch::Scratch;
pub use servers::{KnownServer, ServerDirectory, is_program};
pub use visible::Listed;

/// The parts of one process.
pub struct App {
    /// What was decided by all layers of configuration.
    pub config: Config,
    /// Where things are.
    pub paths: Paths,
    /// The artifacts of installed plugins.
    pub blobs: Blobs,
    /// The variables of this process.
    pub environment: Environment,
    /// What is installed and granted, opened when it is first needed.
    registry: tokio::sync::Mutex<Option<Registry>>,
    kept: kept::KeptGrants,
    policies: policies::LoadedPolicies,
    visible: visible::VisibleTools,
    /// What plugins keep between calls, as far as it is open.
    states: Arc<plugin_state::OpenStates>,
    recorder: recorder::Recorder,
    host: OnceLock<Arc<Host>>,
    commands: OnceLock<DockerExecutor>,
    bridge: OnceLock<Arc<Bridge>>,
    looking: servers::Looking,
    /// How long lists wait for a server that was never connected to, where that is not usual.
    server_patience: OnceLock<std::time::Duration>,
    /// Set where what servers say between calls is of interest.
    follows_servers: OnceLock<()>,
    server_sources: servers::ServerSources,
    /// Set where calls are made to find out what a tool needs.
    learning: OnceLock<()>,
    /// How many calls the host can run at once, where that is not many.
    slots: OnceLock<u32>,
    /// Standard output, where records may be printed there.
    stdout: OnceLock<fn() -> Box<dyn std::io::Write + Send>>,
    /// What was resolved stays pinned: a file that changes while a process runs is not picked up half-way.
    sources: Mutex<Vec<(SourceKey, Arc<Source>)>>,
    packages: Mutex<Vec<(SourceKey, Found)>>,
}

/// A package and where it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The package.
    pub package: Package,
    /// Where it was found.
    pub origin: Origin,
    /// What is kept of it, where it is installed; its tools are those of then.
    pub installed: Option<Installed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SourceKey {
    File(PathBuf),
    Installed(PluginName, VersionReq),
}

impl App {
    /// Reads the configuration; starts nothing that takes time.
    ///
    /// # Errors
    /// E3004 where the configuration is not valid.
    pub fn open(flags: &[Flag]) -> Result<Self> {
        let environment = Environment::of_process();
        let paths = Paths::of_process(&environment)?;
        let config = Config::load(&paths, &environment, flags)?;
        Ok(Self::new(paths, config, environment))
    }

    /// The same with nothing opened yet, and as though this were the workspace: what a manifest asks for in one is asked for
    /// here. The settings stay those of whoever runs it.
    #[must_use]
    pub fn elsewhere(&self, workspace: PathBuf) -> Self {
        let paths = Paths {
            workspace,
            ..self.paths.clone()
        };
        Self::new(paths, self.config.clone(), self.environment.clone())
    }

    fn new(paths: Paths, config: Config, environment: Environment) -> Self {
        Self {
            blobs: Blobs::new(&paths.home),
            registry: tokio::sync::Mutex::default(),
            kept: kept::KeptGrants::default(),
            policies: policies::LoadedPolicies::default(),
            visible: visible::VisibleTools::default(),
            states: Arc::default(),
            recorder: recorder::Recorder::default(),
            config,
            paths,
            environment,
            host: OnceLock::new(),
            commands: OnceLock::new(),
            bridge: OnceLock::new(),
            looking: servers::Looking::default(),
            server_patience: OnceLock::new(),
            follows_servers: OnceLock::new(),
            server_sources: servers::ServerSources::default(),
            learning: OnceLock::new(),
            slots: OnceLock::new(),
            stdout: OnceLock::new(),
            sources: Mutex::default(),
            packages: Mutex::default(),
        }
    }

    /// Lets records be printed on standard output, if they are to be. Not for where it carries what programs read.
    pub fn lend_stdout(&self, open: fn() -> Box<dyn std::io::Write + Send>) {
        // The first one counts.
        let _ = self.stdout.set(open);
    }

    /// What makes vectors of texts, where one is configured.
    ///
    /// # Errors
    /// Those of [`EmbeddingEndpoint::configured`].
    pub fn embedder(&self) -> Result<Option<Arc<dyn Embedder>>> {
        let endpoint = EmbeddingEndpoint::configured(&self.config.embedding, &self.environment)?;
        Ok(endpoint.map(|endpoint| Arc::new(endpoint) as Arc<dyn Embedder>))
    }

    /// Says that this process makes one call, so that its host is started for that. Counts before the host is needed.
    pub fn expect_one_call(&self) {
        // The first one counts.
        let _ = self.slots.set(FEW_SLOTS);
    }

    /// Says that this process finds out what a tool of a file needs: what its manifest does not ask for can be allowed all the
    /// same. Counts before the tool is looked up.
    pub fn learn(&self) {
        // The first one counts.
        let _ = self.learning.set(());
    }

    /// The host for components, started when it is first needed.
    ///
    /// # Errors
    /// E3405 where it cannot start, E3109 where the cache is open to others.
    pub fn host(&self) -> Result<Arc<Host>> {
        if let Some(host) = self.host.get() {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::new(
            Some(self.cache()?),
            self.config.compile_jobs as usize,
            self.slots.get().copied().unwrap_or(POOL_SLOTS),
        )?);
        Ok(Arc::clone(self.host.get_or_init(|| host)))
    }

    /// The compiled components on disk.
    ///
    /// # Errors
    /// E3109 where the folder or its key is open to others.
    pub fn cache(&self) -> Result<CompiledCache> {
        host::open_cache(&self.config.cache_dir, &self.paths.home.join("keys"))
    }

    /// A pipeline over this process's tools.
    ///
    /// # Errors
    /// Those of [`App::host`] and [`App::audit`].
    pub fn pipeline(self: &Arc<Self>) -> Result<Pipeline> {
        let most = (self.config.concurrency as usize).min(POOL_SLOTS as usize - 8);
        Ok(Pipeline::new(Parts {
            catalog: Arc::clone(self) as Arc<dyn Catalog>,
            executor: Arc::new(Mux {
                wasm: self.host()?,
                commands: self.command_executor()?,
                servers: self.server_executor()?,
            }),
            ledger: Arc::clone(self) as Arc<dyn Ledger>,
            states: Some(Arc::clone(self) as Arc<dyn States>),
            admission: self.admission(most)?,
            rules: self.rules(),
            recording: self.recording()?,
        }))
    }

    /// What calls have to pass before they run. Breakers that open and close are recorded.
    fn admission(&self, total: usize) -> Result<Admission> {
        let log = self.audit()?;
        let config = &self.config;
        let sharing = Sharing {
            total,
            per_caller: (config.per_caller as usize).min(total),
            queue: config.queue as usize,
            rate: Some(config.per_minute).filter(|limit| *limit < u32::MAX),
            attempts: config.attempts,
            breaker: config.breaker,
        };
        Ok(Admission::new(
            sharing,
            Arc::new(move |tool, transition| {
                tracing::warn!(
                    tool,
                    from = transition.from.word(),
                    to = transition.to.word(),
                    "a breaker changed"
                );
                let event = Event::new(EventType::BreakerChanged);
                let event = match tool.strip_prefix(SERVICE) {
                    Some(service) => event.with("service", service),
                    None => event.subject(tool),
                };
                let event = event
                    .with("from", transition.from.word())
                    .with("to", transition.to.word());
                if let Some(Err(error)) = log.as_ref().map(|log| log.append(event)) {
                    tracing::error!(%error, "could not record that a breaker changed");
                }
            }),
        ))
    }

    /// What holds for every call of this process.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let ceiling: Scope = Kind::ALL
            .into_iter()
            .filter(|kind| !self.config.deny.contains(kind))
            .flat_map(Capability::broadest)
            .collect();
        let mut own_state = vec![self.paths.home.clone(), self.config.cache_dir.clone()];
        own_state.extend(
            self.paths
                .user_config
                .as_ref()
                .and_then(|path| path.parent())
                .map(Path::to_owned),
        );
        Rules {
            default_limits: self.config.limits.clone(),
            most_limits: self.config.ceiling.clone(),
            commands: self.command_rules(),
            ceiling,
            sensitive: Sensitive::new(
                own_state
                    .into_iter()
                    .map(|path| path.canonicalize().unwrap_or(path))
                    .collect(),
            ),
            variables: self.paths.variables(),
            environment: self.environment.to_utf8(),
            approvals: ApprovalRules {
                default: self.config.approvals_default,
                tools: self.config.approvals_tools.clone(),
                ttl_ms: i64::try_from(self.config.approvals_ttl.as_millis()).unwrap_or(i64::MAX),
            },
        }
    }

    /// Reads how somebody names a tool: `FILE`, `PLUGIN`, `PLUGIN.TOOL` or `PLUGIN@RANGE`, and a tool besides.
    ///
    /// # Errors
    /// E3004 where it is neither.
    pub fn tool_ref(&self, text: &str, tool: Option<&str>) -> Result<ToolRef> {
        // How MCP names it, where a dot stands for nothing.
        let text = if text == "sandbox_run" {
            "sandbox.run"
        } else {
            text
        };
        if let Some(reference) = self.server_ref(text, tool) {
            return Ok(reference);
        }
        let path = Path::new(text);
        if text.contains('/') || text.ends_with(".wasm") || text.ends_with(".toml") || path.exists()
        {
            return Ok(ToolRef::File {
                path: path.to_owned(),
                tool: tool.map(str::to_owned),
            });
        }
        let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Code::E3004, format!("reading the tool {text:?}"))
                .caused_by(error)
                .hint("Name a file, an installed plugin, or `plugin.tool`.")
        };
        let (name, range, inner) = match text.split_once('@') {
            Some((name, range)) => {
                let range = range.parse().map_err(|error| invalid(Box::new(error)))?;
                (name, range, None)
            }
            None => {
                let (name, inner) = text
                    .split_once('.')
                    .map_or((text, None), |(name, inner)| (name, Some(inner)));
                (name, VersionReq::STAR, inner)
            }
        };
        if let (Some(inner), Some(tool)) = (inner, tool) {
            return Err(Error::new(
                Code::E3004,
                format!("two tools are named, {inner:?} and {tool:?}"),
            ));
        }
        Ok(ToolRef::Installed {
            plugin: name.parse().map_err(|error| invalid(Box::new(error)))?,
            range,
            tool: tool.or(inner).map(str::to_owned),
        })
    }

    /// The source a reference names, with its tools.
    ///
    /// # Errors
    /// E3101, E3102, E3105, E3109, E3111.
    pub async fn source(&self, reference: &ToolRef) -> Result<Arc<Source>> {
        if reference.is_built_in() {
            return registry::sandbox();
        }
        if let ToolRef::Installed { plugin, .. } = reference
            && self.server(plugin).is_some()
        {
            return self.server_source(plugin).await;
        }
        let key = key(reference);
        if let Some(source) = self.pinned(&key) {
            return Ok(source);
        }
        let found = self.package(reference).await?;
        let source = Arc::new(source::build(self, found).await?);
        // Two callers may have built it at the same time; the first one counts for both.
        let mut sources = self.lock_sources();
        if let Some((_, first)) = sources.iter().find(|(other, _)| *other == key) {
            return Ok(Arc::clone(first));
        }
        sources.push((key, Arc::clone(&source)));
        Ok(source)
    }

    /// The package a reference names, read at most once: what was looked at is what runs.
    ///
    /// # Errors
    /// E3101, E3102, E3105, E3109; of an installed plugin those of [`Registry::find`].
    pub async fn package(&self, reference: &ToolRef) -> Result<Found> {
        let key = key(reference);
        if let Some(found) = self.read_before(&key) {
            return Ok(found);
        }
        let found = match reference {
            ToolRef::File { path, .. } => Found {
                package: Package::read(path)?,
                origin: Origin::File(path.clone()),
                installed: None,
            },
            ToolRef::Installed { plugin, range, .. } => self.find_installed(plugin, range).await?,
        };
        let mut packages = self.lock_packages();
        // Two callers may have read it at the same time; the first one counts for both.
        if let Some((_, first)) = packages.iter().find(|(other, _)| *other == key) {
            return Ok(first.clone());
        }
        packages.push((key, found.clone()));
        Ok(found)
    }

    fn read_before(&self, key: &SourceKey) -> Option<Found> {
        let packages = self.lock_packages();
        let (_, found) = packages.iter().find(|(other, _)| other == key)?;
        Some(found.clone())
    }

    fn lock_packages(&self) -> std::sync::MutexGuard<'_, Vec<(SourceKey, Found)>> {
        self.packages
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lock_sources(&self) -> std::sync::MutexGuard<'_, Vec<(SourceKey, Arc<Source>)>> {
        self.sources
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn pinned(&self, key: &SourceKey) -> Option<Arc<Source>> {
        let sources = self.lock_sources();
        let (_, source) = sources.iter().find(|(other, _)| other == key)?;
        Some(Arc::clone(source))
    }

    /// What is installed and granted.
    ///
    /// # Errors
    /// Those of [`Registry::open`].
    pub async fn registry(&self) -> Result<Registry> {
        let mut open = self.registry.lock().await;
        if let Some(registry) = &*open {
            return Ok(registry.clone());
        }
        let registry = Registry::open(&self.paths.home).await?;
        *open = Some(registry.clone());
        Ok(registry)
    }

    /// Closes the database, if it is open, and ends the threads that serve it. It opens again when it is needed.
    pub async fn release(&self) {
        if let Some(registry) = self.registry.lock().await.take() {
            registry.store().close().await;
        }
    }

    async fn find_installed(&self, plugin: &PluginName, range: &VersionReq) -> Result<Found> {
        match self.registry().await?.find(plugin, range).await {
            Ok(installed) => {
                let artifact = self.blobs.read(&installed.digest)?;
                let file = self.blobs.path(&installed.digest);
                Ok(Found {
                    package: Package::from_artifact(artifact, file)?,
                    origin: Origin::Installed,
                    installed: Some(installed),
                })
            }
            Err(error) if matches!(error.code(), Code::E3101 | Code::E3107) => {
                let Some(path) = self.on_search_path(plugin.as_str()) else {
                    return Err(self.did_you_mean(plugin, error).await);
                };
                Ok(Found {
                    package: Package::read(&path)?,
                    origin: Origin::File(path),
                    installed: None,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// A plugin that lies in one of the configured folders: by the name of its file or folder, else by the name that its
    /// manifest gives it, which is how it is listed.
    fn on_search_path(&self, name: &str) -> Option<PathBuf> {
        if !self.config.plugins_enabled {
            return None;
        }
        let named_so = self.config.search_paths.iter().find_map(|folder| {
            [folder.join(format!("{name}.wasm")), folder.join(name)]
                .into_iter()
                .find(|path| path.exists())
        });
        named_so
            .or_else(|| {
                self.search_path_entries()
                    .into_iter()
                    .find(|path| Package::read(path).is_ok_and(|package| package.name() == name))
            })
            // What the project proposes comes last, so that it never takes the place of anything.
            .or_else(|| {
                let own = self.paths.project_tools().join(format!("{name}.toml"));
                own.is_file().then_some(own)
            })
    }

    /// Everything that lies in the configured folders.
    #[must_use]
    pub fn search_path_entries(&self) -> Vec<PathBuf> {
        if !self.config.plugins_enabled {
            return Vec::new();
        }
        let mut found: Vec<PathBuf> = self
            .config
            .search_paths
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "wasm")
                    || path.join(crate::dist::MANIFEST_FILE).is_file()
            })
            .collect();
        found.sort();
        let mut proposed: Vec<PathBuf> = std::fs::read_dir(self.paths.project_tools())
            .into_iter()
            .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .collect();
        proposed.sort();
        found.extend(proposed);
        found
    }

    async fn did_you_mean(&self, plugin: &PluginName, error: Error) -> Error {
        let installed = match self.registry().await {
            Ok(registry) => registry.plugins().await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let near = installed
            .iter()
            .map(|other| {
                (
                    strsim::jaro_winkler(other.name.as_str(), plugin.as_str()),
                    &other.name,
                )
            })
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        match near {
            Some((_, name)) if name != plugin => error.hint(format!("Did you mean `{name}`?")),
            _ => error,
        }
    }
}

fn key(reference: &ToolRef) -> SourceKey {
    match reference {
        ToolRef::File { path, .. } => SourceKey::File(path.clone()),
        ToolRef::Installed { plugin, range, .. } => {
            SourceKey::Installed(plugin.clone(), range.clone())
        }
    }
}

impl Catalog for App {
    fn resolve<'a>(&'a self, reference: &'a ToolRef) -> BoxFuture<'a, Result<Known>> {
        Box::pin(async move {
            let source = self.source(reference).await?;
            let tool = choose_tool(&source, reference.tool())?;
            let kept = self.kept_grants(&source).await?;
            Ok(Known { source, tool, kept })
        })
    }

    fn locked<'a>(
        &'a self,
        source: &'a Source,
        needs: &'a PluginName,
    ) -> BoxFuture<'a, Result<Option<Locked>>> {
        Box::pin(async move {
            let Some(manifest) = &source.manifest else {
                return Ok(None);
            };
            let registry = self.registry().await?;
            let locked = registry.locked(&manifest.name, &manifest.version).await?;
            Ok(locked.into_iter().find(|lock| lock.needs == *needs))
        })
    }

    fn policies<'a>(
        &'a self,
        source: &'a Arc<Source>,
    ) -> BoxFuture<'a, Result<Option<Arc<Policies>>>> {
        Box::pin(async move { self.policies(source).await.map(Some) })
    }
}
