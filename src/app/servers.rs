//! Servers that others wrote: from what a person declared to what the bridge talks to, and from what a server showed of
//! itself to a source of tools.

mod adding;
mod known;
mod launch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};

pub use known::KnownServer;
use known::Stamp;

use super::App;
use crate::config::{Environment, McpConfig, McpPlace, McpServerConfig, Paths};
use crate::error::{Code, Error, Result};
use crate::exec::{Artifact, BoxFuture, Entry, Executor};
use crate::ids::{PluginName, ToolId};
use crate::invoke::ToolRef;
use crate::manifest::{LimitRequest, Risk};
use crate::mcp::bridge::{Bridge, Directory, Era, Reach, Seen, ServerSpec, ServerTool};
use crate::pins::{Drift, Lock, SeenServer, Verdict};
use crate::registry::{Effects, KnownRequests, Offers, Origin, Source, Tool, Validators};
use crate::web::{Client, Options};

/// How much longer than without a sign of life a call may take in all.
const IN_ALL: u32 = 10;

/// The sources of servers, and all that is pinned, each as of one state of that.
#[derive(Debug, Default)]
pub(super) struct ServerSources(Mutex<Sources>);

#[derive(Debug, Default)]
struct Sources {
    lock: Option<(Stamp, Arc<Lock>)>,
    servers: BTreeMap<PluginName, (Stamp, Arc<Source>)>,
}

impl ServerSources {
    fn inner(&self) -> std::sync::MutexGuard<'_, Sources> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &PluginName, stamp: Stamp) -> Option<Arc<Source>> {
        let inner = self.inner();
        let (known, source) = inner.servers.get(name)?;
        (*known == stamp).then(|| Arc::clone(source))
    }

    fn put(&self, name: &PluginName, stamp: Stamp, source: &Arc<Source>) {
        let entry = (stamp, Arc::clone(source));
        self.inner().servers.insert(name.clone(), entry);
    }

    fn lock(&self, stamp: Stamp) -> Option<Arc<Lock>> {
        let inner = self.inner();
        let (known, lock) = inner.lock.as_ref()?;
        (*known == stamp).then(|| Arc::clone(lock))
    }

    fn put_lock(&self, stamp: Stamp, lock: &Arc<Lock>) {
        self.inner().lock = Some((stamp, Arc::clone(lock)));
    }
}

/// How long a list waits for a server that was never connected to.
const A_LITTLE: std::time::Duration = std::time::Duration::from_secs(3);

/// The servers that are being connected to for the first time.
#[derive(Debug, Clone, Default)]
pub(super) struct Looking(Arc<Mutex<BTreeSet<PluginName>>>);

/// One of them, until this is dropped.
struct LookingAt {
    all: Looking,
    name: PluginName,
}

impl Looking {
    /// Nothing where somebody does already.
    fn begin(&self, name: &PluginName) -> Option<LookingAt> {
        let is_new = self.lock().insert(name.clone());
        is_new.then(|| LookingAt {
            all: self.clone(),
            name: name.clone(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<PluginName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LookingAt {
    fn drop(&mut self) {
        self.all.lock().remove(&self.name);
    }
}

/// What is needed to talk to servers; it outlives any call.
pub struct ServerDirectory {
    servers: BTreeMap<PluginName, McpServerConfig>,
    environment: Environment,
    paths: Paths,
    rules: launch::LaunchRules,
    /// What servers show of themselves is written down.
    keeps: bool,
    shown: Mutex<BTreeMap<PluginName, Shown>>,
}

impl ServerDirectory {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PluginName, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self, name: &PluginName) -> Result<&McpServerConfig> {
        self.servers.get(name).ok_or_else(|| {
            Error::new(Code::E3101, format!("there is no server {name}"))
                .hint("`toolhatch mcp list` shows the servers there are.")
        })
    }

    fn reach(&self, name: &PluginName, server: &McpServerConfig) -> Result<Reach> {
        let texts = server.texts(&self.environment)?;
        match &server.place {
            McpPlace::Program { run, .. } => Ok(Reach::Program {
                launch: Box::new(self.rules.launch(name, server, texts, &self.paths)?),
                launcher: self.rules.launcher(*run),
            }),
            McpPlace::Service {
                url,
                plain_http,
                proxy,
                ca_file,
                ..
            } => {
                let mut options = Options::of_service(
                    server.start_timeout,
                    *plain_http,
                    *proxy,
                    ca_file.as_deref(),
                )?;
                // Streams stay open; every request has its own end in time.
                options.timeout = std::time::Duration::MAX;
                let mut headers = HeaderMap::new();
                for (key, text) in texts {
                    let unusable = || {
                        Error::new(
                            Code::E3004,
                            format!("the header {key} has characters that no header can have"),
                        )
                    };
                    let mut value = HeaderValue::from_str(&text).map_err(|_| unusable())?;
                    value.set_sensitive(true);
                    let key = HeaderName::try_from(key.as_str()).map_err(|_| unusable())?;
                    headers.insert(key, value);
                }
                Ok(Reach::Service {
                    url: url.clone(),
                    headers,
                    client: Arc::new(Client::new(options)),
                })
            }
        }
    }
}

impl Directory for ServerDirectory {
    fn spec(&self, name: &PluginName) -> Result<ServerSpec> {
        let server = self.config(name)?;
        if self.keeps {
            // What is not what a person agreed to is not even started.
            known::check_identity(&self.paths.home, name, server)
                .map_err(|error| error.while_doing(format!("using the server {name}")))?;
        }
        let reach = self.reach(name, server);
        Ok(ServerSpec {
            name: name.clone(),
            reach: reach.map_err(|error| error.while_doing(format!("the server {name}")))?,
            protocol: server.protocol,
            timeout: server.timeout,
            start_timeout: server.start_timeout,
            connections: server.connections as usize,
            concurrency: server.concurrency as usize,
            max_message: usize::try_from(server.max_message).unwrap_or(usize::MAX),
        })
    }

    fn era(&self, name: &PluginName) -> Option<Era> {
        known::era(&self.paths.home, name).filter(|_| self.keeps)
    }

    fn seen<'a>(&'a self, name: &'a PluginName, seen: &'a Seen) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let server = self.config(name)?;
            if !self.keeps {
                return Ok(());
            }
            let shown = known::shown(server, seen)?;
            let drift = known::note(&self.paths.home, name, &shown, seen)?;
            if !drift.is_empty() {
                let summary = drift.summary().join("; ");
                tracing::warn!(server = %name, summary, "a server differs from what was agreed to");
            }
            self.lock().insert(name.clone(), Shown::new(shown));
            Ok(())
        })
    }

    fn check(&self, name: &PluginName, tool: &str) -> Result<()> {
        let now = Stamp::of(&self.paths.home);
        let mut shown = self.lock();
        let Some(shown) = shown.get_mut(name) else {
            return Ok(());
        };
        // A person can accept something at any time.
        if shown.judged.as_ref().is_none_or(|(stamp, _)| *stamp != now) {
            let lock = Lock::read(&self.paths.home)?;
            shown.judged = Some((now, lock.verdicts(name.as_str(), &shown.server)));
        }
        match &shown.judged {
            Some((_, verdicts)) => known::check(name, tool, verdicts),
            None => Ok(()),
        }
    }
}

/// A server as it showed itself last, and what of it may be used.
struct Shown {
    server: SeenServer,
    judged: Option<(Stamp, BTreeMap<String, Verdict>)>,
}

impl Shown {
    fn new(server: SeenServer) -> Self {
        Self {
            server,
            judged: None,
        }
    }
}

impl App {
    /// What knows the servers.
    ///
    /// # Errors
    /// Those of what starts programs.
    pub fn server_directory(&self) -> Result<Arc<ServerDirectory>> {
        self.directory_of(&self.config.mcp, true)
    }

    /// The same for these servers; what they show of themselves is written down where it `keeps` it.
    ///
    /// # Errors
    /// Those of what starts programs.
    fn directory_of(&self, mcp: &McpConfig, keeps: bool) -> Result<Arc<ServerDirectory>> {
        Ok(Arc::new(ServerDirectory {
            servers: mcp.servers.clone(),
            environment: self.environment.clone(),
            paths: self.paths.clone(),
            rules: self.launch_rules()?,
            keeps,
            shown: Mutex::default(),
        }))
    }

    /// What talks to servers, made when it is first needed; it connects to nothing before a tool is called.
    ///
    /// # Errors
    /// Those of [`App::server_directory`].
    pub fn bridge(&self) -> Result<Arc<Bridge>> {
        if let Some(bridge) = self.bridge.get() {
            return Ok(Arc::clone(bridge));
        }
        let bridge = Arc::new(Bridge::new(self.server_directory()?));
        // Two callers may have made it at the same time; the first one counts for both.
        Ok(Arc::clone(self.bridge.get_or_init(|| bridge)))
    }

    pub(super) fn server_executor(&self) -> Result<Arc<dyn Executor>> {
        Ok(self.bridge()?)
    }

    /// The server of this name, where there is one and it is used.
    #[must_use]
    pub fn server(&self, name: &PluginName) -> Option<&McpServerConfig> {
        let mcp = &self.config.mcp;
        let server = mcp.servers.get(name)?;
        (mcp.enabled && server.enabled).then_some(server)
    }

    /// The servers that are used, by name.
    pub fn used_servers(&self) -> impl Iterator<Item = (&PluginName, &McpServerConfig)> {
        let mcp = &self.config.mcp;
        mcp.servers
            .iter()
            .filter(|(_, server)| mcp.enabled && server.enabled)
    }

    /// What a server was found to be when it was last connected to; nothing where it never was.
    ///
    /// # Errors
    /// E3109 where what is pinned is damaged.
    pub fn known_server(&self, name: &PluginName) -> Result<Option<KnownServer>> {
        let stamp = Stamp::of(&self.paths.home);
        let lock = match self.server_sources.lock(stamp) {
            Some(lock) => lock,
            None => {
                let lock = Arc::new(Lock::read(&self.paths.home)?);
                self.server_sources.put_lock(stamp, &lock);
                lock
            }
        };
        Ok(KnownServer::of(&self.paths.home, name, &lock))
    }

    /// Takes note of what a server shows of itself, and gives what differs from what a person agreed to.
    ///
    /// # Errors
    /// Those of writing it down.
    pub fn saw_server(&self, name: &PluginName, seen: &Seen) -> Result<Drift> {
        match self.config.mcp.servers.get(name) {
            Some(server) => {
                let shown = known::shown(server, seen)?;
                known::note(&self.paths.home, name, &shown, seen)
            }
            None => Ok(Drift::default()),
        }
    }

    /// Says that lists of this process wait for no server: whoever is told of tools later need not wait for them now.
    pub fn wait_for_no_server(&self) {
        // The first one counts.
        let _ = self.server_patience.set(std::time::Duration::ZERO);
    }

    /// Ends what talks to servers, and waits a moment for their programs to end by themselves.
    pub async fn settle_servers(&self) {
        const A_MOMENT: std::time::Duration = std::time::Duration::from_secs(1);
        if let Some(bridge) = self.bridge.get() {
            drop(tokio::time::timeout(A_MOMENT, bridge.close()).await);
        }
    }

    /// Forgets what a server was found to be.
    ///
    /// # Errors
    /// E3109 where what is pinned is damaged; those of writing.
    pub fn forget_server(&self, name: &PluginName) -> Result<()> {
        known::forget(&self.paths.home, name)
    }

    /// The tools of a server, as it was when it was last connected to. One that never was is connected to now.
    ///
    /// # Errors
    /// E3101 where there is none of that name; those of connecting to it.
    pub async fn server_source(&self, name: &PluginName) -> Result<Arc<Source>> {
        let server = self.server(name).ok_or_else(|| {
            Error::new(Code::E3101, format!("the server {name} is not used")).hint(
                "It is switched off: see `mcp.enabled` and `mcp.servers` in the configuration.",
            )
        })?;
        let mut stamp = Stamp::of(&self.paths.home);
        if let Some(source) = self.server_sources.get(name, stamp) {
            return Ok(source);
        }
        let known = match self.known_server(name)? {
            Some(known) => Some(known),
            None => {
                self.bridge()?.look(name).await?;
                stamp = Stamp::of(&self.paths.home);
                self.known_server(name)?
            }
        };
        let known = known.ok_or_else(|| {
            Error::new(
                Code::E3109,
                format!("nothing is pinned of the server {name}"),
            )
        })?;
        let source = Arc::new(self.source_of(name, server, &known)?);
        self.server_sources.put(name, stamp, &source);
        Ok(source)
    }

    /// Which of the tools of a server may not be used until a person has looked at them.
    ///
    /// # Errors
    /// E3109 where what is pinned is damaged.
    pub fn put_aside(&self, name: &PluginName) -> Result<BTreeSet<String>> {
        let Some(known) = self.known_server(name)? else {
            return Ok(BTreeSet::new());
        };
        let drift = known.pending();
        let tools = known.pinned.tools.keys();
        Ok(tools
            .filter(|tool| !drift.verdict(tool).is_usable())
            .cloned()
            .collect())
    }

    /// The same for lists: a server that was never connected to gets a moment to answer, and goes on being connected to
    /// where it takes longer.
    ///
    /// # Errors
    /// Those of [`App::server_source`]; E3503 where it has not answered yet.
    pub async fn server_source_soon(&self, name: &PluginName) -> Result<Arc<Source>> {
        if self.server(name).is_none() || self.known_server(name)?.is_some() {
            return self.server_source(name).await;
        }
        let late = || {
            Error::new(Code::E3503, format!("{name} has not answered yet")).hint(format!(
                "`toolhatch mcp test {name}` waits for it, and says what it does."
            ))
        };
        let Some(looking) = self.looking.begin(name) else {
            return Err(late());
        };
        let bridge = self.bridge()?;
        let server = name.clone();
        let look = tokio::spawn(async move {
            let seen = bridge.look(&server).await;
            drop(looking);
            seen
        });
        let patience = self.server_patience.get().copied().unwrap_or(A_LITTLE);
        match tokio::time::timeout(patience, look).await {
            Ok(Ok(seen)) => {
                seen?;
                self.server_source(name).await
            }
            Ok(Err(_)) | Err(_) => Err(late()),
        }
    }

    /// A server as a source of tools: what of them cannot be used is left out.
    fn source_of(
        &self,
        name: &PluginName,
        server: &McpServerConfig,
        known: &KnownServer,
    ) -> Result<Source> {
        let effects = match &server.place {
            McpPlace::Program { .. } => {
                Effects::of(&self.launch_rules()?.granted(server, &self.paths)?.whole())
            }
            // Nobody here knows what a service does.
            McpPlace::Service { .. } => Effects::UNKNOWN,
        };
        let tools = known
            .tools()
            .into_iter()
            .filter(|tool| server.offers(&tool.name))
            .filter_map(|tool| tool_of(name, server, tool, effects))
            .map(Arc::new)
            .collect();
        let ceiling = self.config.ceiling.timeout;
        Ok(Source {
            name: name.to_string(),
            origin: Origin::Server {
                limits: LimitRequest {
                    timeout: Some(server.timeout.saturating_mul(IN_ALL).min(ceiling)),
                    ..LimitRequest::default()
                },
            },
            artifact: Artifact::new(known.pinned.canonical().into_bytes().into()),
            manifest: None,
            imports: Vec::new(),
            tags: BTreeSet::new(),
            notice: None,
            tools,
            offers: Offers::default(),
            parts: Vec::new(),
            requested: KnownRequests::default(),
        })
    }

    /// True where it is a tool of a server.
    #[must_use]
    pub fn is_of_server(&self, reference: &ToolRef) -> bool {
        matches!(reference, ToolRef::Installed { plugin, .. } if self.server(plugin).is_some())
    }

    /// The server that a tool is named by: `server`, or `server.tool`. Names of tools are whatever their servers chose.
    pub(super) fn server_ref(&self, text: &str, tool: Option<&str>) -> Option<ToolRef> {
        let (name, inner) = match text.split_once('.') {
            Some((name, inner)) => (name, Some(inner)),
            None => (text, None),
        };
        let name: PluginName = name.parse().ok()?;
        self.server(&name)?;
        if inner.is_some() && tool.is_some() {
            return None;
        }
        Some(ToolRef::Installed {
            plugin: name,
            range: semver::VersionReq::STAR,
            tool: tool.or(inner).map(str::to_owned),
        })
    }
}

/// What a server says of a tool makes it riskier; where a person said that the server is to be trusted, also less so.
fn tool_of(
    name: &PluginName,
    server: &McpServerConfig,
    tool: ServerTool,
    effects: Effects,
) -> Option<Tool> {
    let is_trusted = !server.untrusted;
    let only_reads = tool.hints.read_only == Some(true);
    let risk = if tool.hints.destructive == Some(true) && !only_reads {
        Risk::High
    } else if is_trusted && only_reads {
        Risk::Low
    } else {
        Risk::Medium
    };
    Some(Tool {
        id: ToolId::new(name.as_str(), &tool.name).ok()?,
        title: tool.title.clone(),
        description: match (&tool.title, tool.description.is_empty()) {
            (Some(title), true) => title.clone(),
            _ => tool.description,
        },
        input_schema: tool.input_schema,
        output_schema: tool.output_schema,
        entry: Entry::Server {
            server: name.clone(),
            tool: tool.name,
            digest: tool.digest,
        },
        idempotent: is_trusted && (only_reads || tool.hints.idempotent == Some(true)),
        pure: false,
        risk,
        untrusted_output: server.untrusted,
        coerce: false,
        effects,
        validators: Validators::default(),
    })
}

/// True where it is a program of this machine.
#[must_use]
pub fn is_program(server: &McpServerConfig) -> bool {
    matches!(server.place, McpPlace::Program { .. })
}
