//! `tools.lock`: all that is pinned, in one file below the Toolhatch home.
//!
//! The digests in it find damage. They are no protection from somebody who may write to the file: who can do that can
//! also write to the database of grants.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::FlockOperation;
use serde_json::Value;

use super::drift::{Drift, ServerField};
use super::identity::ServerIdentity;
use super::server::{Choice, PinnedServer, SeenServer, State};
use super::trust::{Verdict, verdicts};
use super::wire::{self, VERSION};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::ToolId;
use crate::schema::parse_strict;

/// The name of the file.
pub const FILE: &str = "tools.lock";
/// What processes take their turns on: the file itself is replaced with every change.
const TURN: &str = "tools.lock.turn";
/// The longest file there may be, in bytes.
pub const MAX_FILE: usize = 64 << 20;

/// What becomes of a server that is seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstSight {
    /// A person adds it right now: it is pinned as it is.
    Pin,
    /// Nobody is there to agree: it waits, with all of its tools.
    Wait,
}

/// All that is pinned, by the name that a person gave each server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    servers: BTreeMap<String, PinnedServer>,
}

impl Lock {
    /// Reads what is pinned below `home`. Where there is no file, nothing is.
    ///
    /// # Errors
    /// Those of [`Lock::parse`], and E3004 where the file cannot be read or is longer than [`MAX_FILE`].
    pub fn read(home: &Path) -> Result<Self> {
        let path = home.join(FILE);
        let bytes = match fsx::read_capped(&path, MAX_FILE as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.code() == Code::E3101 => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        Self::parse(&bytes).map_err(|error| {
            let hint = match error.code() {
                Code::E3910 => "Use the version of Toolhatch that wrote it.".to_owned(),
                _ => format!(
                    "Restore a copy of {0}. Without one, move it away and agree to your MCP servers again.",
                    path.display()
                ),
            };
            error
                .while_doing(format!("reading {}", path.display()))
                .hint(hint)
        })
    }

    /// Changes what is pinned below `home`: reads it, has it changed, and writes it, whole. Others wait meanwhile, so
    /// that no change is lost; where nothing changed or `change` failed, nothing is written.
    ///
    /// # Errors
    /// Those of [`Lock::read`], of `change`, and of writing; E3407 where it would be longer than [`MAX_FILE`].
    pub fn update<T>(home: &Path, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        fsx::create_private_dir(home)?;
        let turn = home.join(TURN);
        let held = fsx::open_lock(&turn)?;
        rustix::fs::flock(&held, FlockOperation::LockExclusive)
            .map_err(|error| fsx::io_error("locking", &turn, error.into()))?;
        let before = Self::read(home)?;
        let mut lock = before.clone();
        let made = change(&mut lock)?;
        if lock != before {
            fsx::write_atomic(&home.join(FILE), lock.to_text()?.as_bytes(), 0o600)?;
        }
        drop(held);
        Ok(made)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// E3109 where it is damaged: no JSON, a key twice, a field that is not known, or a digest that is not that of what it
    /// stands beside. E3910 where its version is a later one. Nothing of such a file is trusted.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = |why: String| Error::new(Code::E3109, format!("it is damaged: {why}"));
        let text = std::str::from_utf8(bytes)
            .map_err(|error| damaged(format!("byte {} is not UTF-8", error.valid_up_to())))?;
        let value = parse_strict(text)
            .map_err(|error| damaged(error.to_string().replacen("reading JSON: ", "", 1)))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version > u64::from(VERSION) => {
                return Err(Error::new(
                    Code::E3910,
                    format!("it is of version {version}, and this program knows {VERSION}"),
                ));
            }
            Some(version) if version == u64::from(VERSION) => {}
            _ => return Err(damaged("it has no version".to_owned())),
        }
        let file = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        let servers = wire::read(file).map_err(damaged)?;
        Ok(Self { servers })
    }

    /// The text of the file: servers and tools in the order of their names, each descriptor in that of its server.
    ///
    /// # Errors
    /// E3407 where it would be longer than [`MAX_FILE`].
    pub fn to_text(&self) -> Result<String> {
        let mut text =
            serde_json::to_string_pretty(&wire::write(&self.servers)).map_err(|error| {
                Error::new(Code::E3906, format!("writing down {FILE}")).caused_by(error)
            })?;
        text.push('\n');
        if text.len() > MAX_FILE {
            return Err(Error::new(
                Code::E3407,
                format!("writing {FILE}: it would be longer than {MAX_FILE} bytes"),
            )
            .hint("Remove an MCP server that lists a great many tools."));
        }
        Ok(text)
    }

    #[cfg(test)]
    pub(super) fn of(servers: impl IntoIterator<Item = (String, PinnedServer)>) -> Self {
        Self {
            servers: servers.into_iter().collect(),
        }
    }

    /// Every server, by name.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &PinnedServer)> {
        self.servers
            .iter()
            .map(|(name, server)| (name.as_str(), server))
    }

    /// The server of this name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&PinnedServer> {
        self.servers.get(name)
    }

    /// Writes down what was seen of a server, and gives what differs from what is pinned: nothing, where it was pinned
    /// right now.
    ///
    /// # Errors
    /// E3004 where no server can have this name.
    pub fn see(
        &mut self,
        name: &str,
        seen: &SeenServer,
        first: FirstSight,
        now: SystemTime,
    ) -> Result<Drift> {
        if let Err(error) = ToolId::new(name, "tool") {
            return Err(Error::new(
                Code::E3004,
                format!("pinning an MCP server called {name:?}"),
            )
            .hint("A name has no dot, no spaces and at most 256 characters.")
            .caused_by(error));
        }
        match self.servers.get_mut(name) {
            Some(server) if server.state != State::New || first == FirstSight::Wait => {
                Ok(server.see(seen, now))
            }
            _ => {
                let server = match first {
                    FirstSight::Pin => PinnedServer::pin(seen, now),
                    FirstSight::Wait => PinnedServer::unknown(seen, now),
                };
                let drift = server.pending();
                self.servers.insert(name.to_owned(), server);
                Ok(drift)
            }
        }
    }

    /// [`PinnedServer::see_identity`] of the server of this name; of one that is not known, nothing differs.
    pub fn see_identity(
        &mut self,
        name: &str,
        identity: &ServerIdentity,
        now: SystemTime,
    ) -> Vec<ServerField> {
        let server = self.servers.get_mut(name);
        server.map_or_else(Vec::new, |server| server.see_identity(identity, now))
    }

    /// [`PinnedServer::accept`] of the server of this name.
    ///
    /// # Errors
    /// E3101 where there is none, and those of [`PinnedServer::accept`].
    pub fn accept(
        &mut self,
        name: &str,
        choice: &Choice,
        shown: &Drift,
        now: SystemTime,
    ) -> Result<()> {
        let Some(server) = self.servers.get_mut(name) else {
            return Err(Error::new(
                Code::E3101,
                format!("accepting changes of {name:?}: nothing is known of such a server"),
            ));
        };
        server.accept(choice, shown, now)
    }

    /// Forgets a server; true where there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.servers.remove(name).is_some()
    }

    /// What of a server may be used, by the names of its tools.
    #[must_use]
    pub fn verdicts(&self, name: &str, seen: &SeenServer) -> BTreeMap<String, Verdict> {
        verdicts(self.server(name), seen)
    }
}
