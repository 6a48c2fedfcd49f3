//! A whole scope: what is allowed, of every permission. Nothing that is not in it is allowed.

use std::fmt;
use std::path::Path;

use super::capability::Capability;
use super::checkpoint::CheckpointScope;
use super::document::DocumentScope;
use super::env::EnvScope;
use super::file::{Access, FileScope};
use super::host::HostName;
use super::http::HttpScope;
use super::kind::Kind;
use super::meet::ScopeSet;
use super::secret::SecretScope;
use super::socket::SocketScope;
use super::state::StateScope;
use super::subprocess::SubprocessScope;
use super::text;
use super::tool_invoke::ToolInvokeScope;

/// What is allowed. The meet of two scopes allows exactly what both allow; equal scopes are equal values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    pub(super) file_read: ScopeSet<FileScope>,
    pub(super) file_write: ScopeSet<FileScope>,
    pub(super) http: ScopeSet<HttpScope>,
    pub(super) tcp: ScopeSet<SocketScope>,
    pub(super) udp: ScopeSet<SocketScope>,
    pub(super) env: ScopeSet<EnvScope>,
    pub(super) secrets: ScopeSet<SecretScope>,
    pub(super) subprocess: ScopeSet<SubprocessScope>,
    pub(super) tool_invoke: ScopeSet<ToolInvokeScope>,
    pub(super) state: ScopeSet<StateScope>,
    pub(super) documents: ScopeSet<DocumentScope>,
    pub(super) checkpoint: ScopeSet<CheckpointScope>,
}

impl Scope {
    /// The scope that allows nothing; the same as `Scope::default()`.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The scope that every other is within: the requests of a component that names no scopes.
    #[must_use]
    pub fn everything() -> Self {
        Kind::ALL
            .into_iter()
            .flat_map(Capability::broadest)
            .collect()
    }

    /// Allows this too.
    pub fn insert(&mut self, capability: Capability) {
        match capability {
            Capability::FileRead(scope) => self.file_read.insert(scope),
            Capability::FileWrite(scope) => self.file_write.insert(scope),
            Capability::NetworkHttp(scope) => self.http.insert(scope),
            Capability::NetworkTcp(scope) => self.tcp.insert(scope),
            Capability::NetworkUdp(scope) => self.udp.insert(scope),
            Capability::Env(scope) => self.env.insert(scope),
            Capability::Secrets(scope) => self.secrets.insert(scope),
            Capability::Subprocess(scope) => self.subprocess.insert(scope),
            Capability::ToolInvoke(scope) => self.tool_invoke.insert(scope),
            Capability::State(scope) => self.state.insert(scope),
            Capability::Documents(scope) => self.documents.insert(scope),
            Capability::Checkpoint(scope) => self.checkpoint.insert(scope),
        }
    }

    /// What both allow.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        Self {
            file_read: self.file_read.meet(&other.file_read),
            file_write: self.file_write.meet(&other.file_write),
            http: self.http.meet(&other.http),
            tcp: self.tcp.meet(&other.tcp),
            udp: self.udp.meet(&other.udp),
            env: self.env.meet(&other.env),
            secrets: self.secrets.meet(&other.secrets),
            subprocess: self.subprocess.meet(&other.subprocess),
            tool_invoke: self.tool_invoke.meet(&other.tool_invoke),
            state: self.state.meet(&other.state),
            documents: self.documents.meet(&other.documents),
            checkpoint: self.checkpoint.meet(&other.checkpoint),
        }
    }

    /// True where the other allows everything that this allows.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.capabilities()
            .iter()
            .all(|capability| other.covers(capability))
    }

    /// True where the scope allows everything that the capability does.
    #[must_use]
    pub fn covers(&self, capability: &Capability) -> bool {
        match capability {
            Capability::FileRead(scope) => self.file_read.covers(scope),
            Capability::FileWrite(scope) => self.file_write.covers(scope),
            Capability::NetworkHttp(scope) => self.http.covers(scope),
            Capability::NetworkTcp(scope) => self.tcp.covers(scope),
            Capability::NetworkUdp(scope) => self.udp.covers(scope),
            Capability::Env(scope) => self.env.covers(scope),
            Capability::Secrets(scope) => self.secrets.covers(scope),
            Capability::Subprocess(scope) => self.subprocess.covers(scope),
            Capability::ToolInvoke(scope) => self.tool_invoke.covers(scope),
            Capability::State(scope) => self.state.covers(scope),
            Capability::Documents(scope) => self.documents.covers(scope),
            Capability::Checkpoint(scope) => self.checkpoint.covers(scope),
        }
    }

    /// True where nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds().is_empty()
    }

    /// The permissions of which anything is allowed, in the order of [`Kind::ALL`].
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<_> = self.capabilities().iter().map(Capability::kind).collect();
        kinds.dedup();
        kinds
    }

    /// Everything that is allowed, by permission in the order of [`Kind::ALL`], none within another.
    #[must_use]
    pub fn capabilities(&self) -> Vec<Capability> {
        let mut all = Vec::new();
        all.extend(self.file_read.iter().cloned().map(Capability::FileRead));
        all.extend(self.file_write.iter().cloned().map(Capability::FileWrite));
        all.extend(self.http.iter().cloned().map(Capability::NetworkHttp));
        all.extend(self.tcp.iter().cloned().map(Capability::NetworkTcp));
        all.extend(self.udp.iter().cloned().map(Capability::NetworkUdp));
        all.extend(self.env.iter().cloned().map(Capability::Env));
        all.extend(self.secrets.iter().cloned().map(Capability::Secrets));
        all.extend(self.subprocess.iter().cloned().map(Capability::Subprocess));
        all.extend(self.tool_invoke.iter().cloned().map(Capability::ToolInvoke));
        all.extend(self.state.iter().copied().map(Capability::State));
        all.extend(self.documents.iter().cloned().map(Capability::Documents));
        all.extend(self.checkpoint.iter().copied().map(Capability::Checkpoint));
        all
    }

    /// The same as text: each permission with a scope that [`Capability::parse`] reads back.
    #[must_use]
    pub fn entries(&self) -> Vec<(Kind, String)> {
        self.capabilities()
            .iter()
            .map(|capability| (capability.kind(), capability.to_string()))
            .collect()
    }

    /// The file scopes of one kind of access.
    pub fn files(&self, access: Access) -> impl Iterator<Item = &FileScope> {
        match access {
            Access::Read => self.file_read.iter(),
            Access::Write => self.file_write.iter(),
        }
    }

    /// The environment variables that are allowed, by name; nothing where every one is.
    #[must_use]
    pub fn env_names(&self) -> Option<Vec<&str>> {
        self.env
            .iter()
            .map(|scope| match scope {
                EnvScope::Any => None,
                EnvScope::Name(name) => Some(name.as_str()),
            })
            .collect()
    }

    /// How much state there may be, in bytes; zero where none is allowed.
    #[must_use]
    pub fn state_quota(&self) -> u64 {
        self.state
            .iter()
            .map(|scope| scope.quota())
            .max()
            .unwrap_or(0)
    }

    /// True where something strictly below the path was named for reading or writing: it is a folder on the way to a grant.
    #[must_use]
    pub fn reaches_below(&self, path: &Path) -> bool {
        [Access::Read, Access::Write]
            .into_iter()
            .flat_map(|access| self.files(access))
            .filter_map(FileScope::root)
            .any(|root| root != path && root.starts_with(path))
    }

    /// True where some TCP or UDP scope names what the name may lead to. HTTP does not count: there the host looks names up.
    #[must_use]
    pub fn allows_lookup(&self, name: &str) -> bool {
        let Ok(name) = name.parse::<HostName>() else {
            return false;
        };
        self.tcp
            .iter()
            .chain(self.udp.iter())
            .any(|scope| scope.allows_lookup(&name))
    }
}

impl FromIterator<Capability> for Scope {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut scope = Self::nothing();
        scope.extend(capabilities);
        scope
    }
}

impl Extend<Capability> for Scope {
    fn extend<I: IntoIterator<Item = Capability>>(&mut self, capabilities: I) {
        for capability in capabilities {
            self.insert(capability);
        }
    }
}

impl fmt::Display for Scope {
    /// `nothing`, or `NAME=SCOPE` for each entry, as one line that is safe to print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (nth, (kind, scope)) in self.entries().iter().enumerate() {
            let before = if nth == 0 { "" } else { ", " };
            write!(f, "{before}{kind}={}", text::shown(scope))?;
        }
        Ok(())
    }
}
