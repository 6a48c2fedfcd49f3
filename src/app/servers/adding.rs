//! Adding servers and taking them away: a file of its own for each, below the folder of the user's configuration.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{App, known};
use crate::audit::{Event, EventType};
use crate::config::{Config, McpConfig, McpServer, McpServerConfig, Origin};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::PluginName;
use crate::invoke::{Caller, registering};
use crate::mcp::bridge::{Bridge, Examination, Seen};
use crate::permission::Grants;
use crate::pins::{Choice, Drift, Lock};
use crate::policy::ToolShape;

impl App {
    /// Checks a declaration that a person is about to make, and what it allows.
    ///
    /// # Errors
    /// E3004 and E3101 with what is wrong with it.
    pub fn declared_server(
        &self,
        name: &PluginName,
        written: &McpServer,
    ) -> Result<(McpServerConfig, Grants)> {
        let server = Config::declared_server(&self.paths, name, written)?;
        let granted = self.launch_rules()?.granted(&server, &self.paths)?;
        Ok((server, granted))
    }

    /// Asks the policies whether a server of this name may be added.
    ///
    /// # Errors
    /// E3206 where one forbids it; those of loading policies.
    pub async fn may_register(&self, caller: &Caller, name: &PluginName) -> Result<()> {
        let shapes: Vec<ToolShape> = self.installed_shapes().await?.into_values().collect();
        let policies = self.load(&self.policy_files()?, &shapes)?;
        let decision = policies.decide(&registering(caller, name.as_str()));
        match decision.refusal() {
            Some(refusal) => Err(refusal.while_doing(format!("adding the server {name}"))),
            None => Ok(()),
        }
    }

    /// Connects to a server that may not be configured yet, and says what it is. What it shows is written down where this
    /// `keeps` it.
    ///
    /// # Errors
    /// Those of connecting and of listing its tools.
    pub async fn examine_server(
        &self,
        name: &PluginName,
        server: &McpServerConfig,
        keeps: bool,
    ) -> Result<Examination> {
        let mcp = McpConfig {
            servers: [(name.clone(), server.clone())].into(),
            ..McpConfig::default()
        };
        let directory = self.directory_of(&mcp, keeps)?;
        let bridge = Bridge::new(directory);
        let examined = bridge.examine(name).await;
        bridge.close().await;
        examined
    }

    /// Keeps a server, as it was when a person looked at it.
    ///
    /// # Errors
    /// E3004 where there is no place for it; those of writing files and of the audit log.
    pub fn add_server(
        &self,
        name: &PluginName,
        written: &McpServer,
        server: &McpServerConfig,
        seen: &Seen,
        by: (&str, &str),
    ) -> Result<PathBuf> {
        let event = added(name, server, by).with("tools", seen.listing.tools.len());
        let shown = known::shown(server, seen)?;
        self.write_server(name, written, event, || {
            known::note(&self.paths.home, name, &shown, seen).map(drop)
        })
    }

    /// Keeps a server that stood in a file of another program. It is not connected to now, and pinned when it first is, as
    /// one is that a person declares.
    ///
    /// # Errors
    /// Those of [`App::add_server`].
    pub fn import_server(
        &self,
        name: &PluginName,
        written: &McpServer,
        server: &McpServerConfig,
        from: &Path,
        by: (&str, &str),
    ) -> Result<PathBuf> {
        let event = added(name, server, by).with("from", from.to_string_lossy());
        self.write_server(name, written, event, || Ok(()))
    }

    /// Writes a declaration into a file of its own. What was known of a server of this name is forgotten before, and what
    /// is known of this one comes in its place: whoever finds the file finds that as well.
    fn write_server(
        &self,
        name: &PluginName,
        written: &McpServer,
        event: Event,
        note: impl FnOnce() -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.server_file(name)?;
        let text = toml::to_string(written).map_err(|error| {
            Error::new(Code::E3000, format!("writing down the server {name}")).caused_by(error)
        })?;
        self.record(event)?;
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        fsx::create_private_dir(&folder)?;
        // A person agrees to it as it is.
        self.forget_server(name)?;
        note()?;
        // Variables and headers can hold secrets.
        fsx::write_atomic(&path, text.as_bytes(), 0o600)?;
        Ok(path)
    }

    /// Takes a server away that was added by command.
    ///
    /// # Errors
    /// E3101 where there is none of that name, E3004 where it stands in a file that people write.
    pub fn remove_server(&self, name: &PluginName, by: &str) -> Result<PathBuf> {
        let server = self.config.mcp.servers.get(name).ok_or_else(|| {
            Error::new(Code::E3101, format!("there is no server {name}"))
                .hint("`toolhatch mcp list` shows the servers there are.")
        })?;
        let path = self.server_file(name)?;
        if server.origin != Origin::User(path.clone()) {
            return Err(Error::new(
                Code::E3004,
                format!(
                    "{name} was not added by command: it stands in {}",
                    server.origin
                ),
            )
            .hint("Remove it there, or switch it off with `enabled = false`."));
        }
        let event = Event::new(EventType::ServerRemoved)
            .subject(name.as_str())
            .with("place", server.place.shown())
            .with("by", by);
        self.record(event)?;
        std::fs::remove_file(&path).map_err(|error| {
            Error::new(Code::E3000, format!("removing {}", path.display())).caused_by(error)
        })?;
        self.forget_server(name)?;
        self.log_out(name)?;
        Ok(path)
    }

    fn server_file(&self, name: &PluginName) -> Result<PathBuf> {
        let folder = self.paths.mcp_servers().ok_or_else(|| {
            Error::new(
                Code::E3004,
                "there is no place for servers: neither HOME nor XDG_CONFIG_HOME is set",
            )
        })?;
        Ok(folder.join(format!("{name}.toml")))
    }

    /// Pins what differs of a server, as a person was shown it: all of it, or that of these tools.
    ///
    /// # Errors
    /// E3908 where it has changed again since; E3101 where there is no such server or tool; those of the audit log.
    pub fn accept_server(
        &self,
        name: &PluginName,
        tools: &BTreeSet<String>,
        shown: &Drift,
        by: (&str, &str),
    ) -> Result<()> {
        let choice = if tools.is_empty() {
            Choice::All
        } else {
            Choice::Some {
                server: false,
                tools: tools.clone(),
            }
        };
        let (who, how) = by;
        let event = Event::new(EventType::ServerAccepted)
            .subject(name.as_str())
            .with("changes", shown.summary())
            .with("by", who)
            .with("how", how);
        let now = SystemTime::now();
        Lock::update(&self.paths.home, |lock| {
            lock.accept(name.as_str(), &choice, shown, now)?;
            self.record(event)
        })
    }
}

/// What is recorded of a server that somebody adds: who, and how they decided.
fn added(name: &PluginName, server: &McpServerConfig, by: (&str, &str)) -> Event {
    let (who, how) = by;
    Event::new(EventType::ServerAdded)
        .subject(name.as_str())
        .with("place", server.place.shown())
        .with("allow", server.allow.clone())
        .with("by", who)
        .with("how", how)
}
