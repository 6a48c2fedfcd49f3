//! Servers that others wrote: from what a person declared to what the bridge talks to, and from what a server showed of
//! itself to a source of tools.

mod adding;
mod directory;
mod known;
mod launch;
mod login;
mod sources;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use directory::ServerDirectory;
pub use known::KnownServer;
use known::Stamp;
pub(super) use sources::{Looking, ServerSources};

use super::App;
use crate::config::{McpConfig, McpPlace, McpServerConfig};
use crate::error::{Code, Error, Result};
use crate::exec::{Artifact, Entry, Executor};
use crate::ids::{PluginName, ToolId};
use crate::invoke::ToolRef;
use crate::manifest::{LimitRequest, Risk};
use crate::mcp::bridge::{Bridge, Seen, ServerTool};
use crate::permission::{Kind, Scope};
use crate::pins::{Drift, Lock};
use crate::registry::{Effects, KnownRequests, Offers, Origin, Source, Tool, Validators};

/// How much longer than without a sign of life a call may take in all.
const IN_ALL: u32 = 10;

/// How long a list waits for a server that was never connected to.
const A_LITTLE: std::time::Duration = std::time::Duration::from_secs(3);

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
        Ok(Arc::new(ServerDirectory::new(
            mcp,
            &self.environment,
            &self.paths,
            self.launch_rules()?,
            keeps,
        )))
    }

    /// What talks to servers, made when it is first needed; it connects to nothing before a tool is called.
    ///
    /// # Errors
    /// Those of [`App::server_directory`].
    pub fn bridge(&self) -> Result<Arc<Bridge>> {
        if let Some(bridge) = self.bridge.get() {
            return Ok(Arc::clone(bridge));
        }
        let directory = self.server_directory()?;
        let bridge = Arc::new(match self.follows_servers.get() {
            Some(()) => Bridge::following(directory),
            None => Bridge::new(directory),
        });
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

    /// Says that what servers tell between calls is of interest: somebody is served by this process for long. It has to be
    /// said before anything talks to them.
    pub fn follow_servers(&self) {
        // The first one counts.
        let _ = self.follows_servers.set(());
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

    /// A server whose tools, or some of them, this scope allows to call; nothing where it allows none of any.
    pub(super) fn server_it_may_call(&self, scope: &Scope) -> Option<PluginName> {
        let allowed: Vec<String> = scope
            .entries()
            .into_iter()
            .filter_map(|(kind, text)| (kind == Kind::ToolInvoke).then_some(text))
            .collect();
        let mut servers = self.used_servers().map(|(name, _)| name);
        let found = servers.find(|name| {
            let prefix = format!("{name}.");
            allowed
                .iter()
                .any(|text| text == "*" || text.starts_with(&prefix))
        });
        found.cloned()
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
        coerce: true,
        effects,
        validators: Validators::default(),
    })
}

/// True where it is a program of this machine.
#[must_use]
pub fn is_program(server: &McpServerConfig) -> bool {
    matches!(server.place, McpPlace::Program { .. })
}
