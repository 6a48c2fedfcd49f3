//! What the bridge asks about servers: how each is reached, and whether what it shows of itself is what was agreed to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::known::{self, Stamp};
use super::launch::LaunchRules;
use super::login::login;
use crate::config::{Environment, McpConfig, McpPlace, McpServerConfig, Paths};
use crate::error::{Code, Error, Result};
use crate::exec::BoxFuture;
use crate::ids::PluginName;
use crate::mcp::bridge::{Directory, Era, Reach, Seen, ServerSpec, Service};
use crate::pins::{Lock, SeenServer, Verdict};
use crate::web::{Client, Options};

/// What is needed to talk to servers; it outlives any call.
pub struct ServerDirectory {
    servers: BTreeMap<PluginName, McpServerConfig>,
    environment: Environment,
    paths: Paths,
    rules: LaunchRules,
    /// What servers show of themselves is written down.
    keeps: bool,
    shown: Mutex<BTreeMap<PluginName, Shown>>,
}

impl ServerDirectory {
    /// Knows these servers; what they show of themselves is written down where it `keeps` it.
    pub(super) fn new(
        mcp: &McpConfig,
        environment: &Environment,
        paths: &Paths,
        rules: LaunchRules,
        keeps: bool,
    ) -> Self {
        Self {
            servers: mcp.servers.clone(),
            environment: environment.clone(),
            paths: paths.clone(),
            rules,
            keeps,
            shown: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PluginName, Shown>> {
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
                let login = login(name, server, &self.environment, &self.paths)?;
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
                Ok(Reach::Service(Arc::new(Service {
                    url: url.clone(),
                    headers,
                    client: Arc::new(Client::new(options)),
                    login: Arc::new(login),
                })))
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
        if !self.keeps {
            return Ok(());
        }
        let now = Stamp::of(&self.paths.home);
        let mut shown = self.lock();
        let Some(shown) = shown.get_mut(name) else {
            return Err(known::unknown(name, tool));
        };
        // A person can accept something at any time.
        if shown.judged.as_ref().is_none_or(|(stamp, _)| *stamp != now) {
            let lock = Lock::read(&self.paths.home)?;
            shown.judged = Some((now, lock.verdicts(name.as_str(), &shown.server)));
        }
        match &shown.judged {
            Some((_, verdicts)) => known::check(name, tool, verdicts),
            None => Err(known::unknown(name, tool)),
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
