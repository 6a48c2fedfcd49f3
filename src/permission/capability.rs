//! One scope of any permission, with the texts that ask for it and grant it.

use std::fmt;

use super::address::Reach;
use super::checkpoint::CheckpointScope;
use super::document::DocumentScope;
use super::env::EnvScope;
use super::file::{Access, FileScope};
use super::http::{HttpScope, Scheme};
use super::kind::Kind;
use super::parse_error::ParseError;
use super::port::Port;
use super::secret::{Inject, SecretScope, Usage};
use super::socket::SocketScope;
use super::state::StateScope;
use super::subprocess::SubprocessScope;
use super::text;
use super::tool_invoke::ToolInvokeScope;

/// A permission together with one scope of it: what a request asks for, a grant allows, a meet leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Reading files.
    FileRead(FileScope),
    /// Writing files.
    FileWrite(FileScope),
    /// HTTP requests.
    NetworkHttp(HttpScope),
    /// TCP connections.
    NetworkTcp(SocketScope),
    /// UDP datagrams.
    NetworkUdp(SocketScope),
    /// Environment variables.
    Env(EnvScope),
    /// Secrets.
    Secrets(SecretScope),
    /// Commands in containers.
    Subprocess(SubprocessScope),
    /// Calls of other tools.
    ToolInvoke(ToolInvokeScope),
    /// State kept between calls.
    State(StateScope),
    /// Documents the host keeps.
    Documents(DocumentScope),
    /// Checkpoints of the session.
    Checkpoint(CheckpointScope),
}

impl Capability {
    /// Reads a scope of the permission; the inverse of `Display`.
    ///
    /// # Errors
    /// Where the text is not a scope of that permission.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, ParseError> {
        kind.form().check_text(text)?;
        Ok(match kind {
            Kind::FileRead => Self::FileRead(FileScope::parse(text, Access::Read)?),
            Kind::FileWrite => Self::FileWrite(FileScope::parse(text, Access::Write)?),
            Kind::NetworkHttp => Self::NetworkHttp(text.parse()?),
            Kind::NetworkTcp => Self::NetworkTcp(SocketScope::parse(text, kind)?),
            Kind::NetworkUdp => Self::NetworkUdp(SocketScope::parse(text, kind)?),
            Kind::Env => Self::Env(text.parse()?),
            Kind::Secrets => Self::Secrets(text.parse()?),
            Kind::Subprocess => Self::Subprocess(text.parse()?),
            Kind::ToolInvoke => Self::ToolInvoke(text.parse()?),
            Kind::State => Self::State(text.parse()?),
            Kind::Documents => Self::Documents(text.parse()?),
            Kind::Checkpoint => Self::Checkpoint(text.parse()?),
        })
    }

    /// The widest scopes of the permission: what a request that names no scope asks for.
    #[must_use]
    pub fn broadest(kind: Kind) -> Vec<Self> {
        vec![match kind {
            Kind::FileRead => Self::FileRead(FileScope::Any),
            Kind::FileWrite => Self::FileWrite(FileScope::Any),
            Kind::NetworkHttp => Self::NetworkHttp(HttpScope::everything()),
            Kind::NetworkTcp => Self::NetworkTcp(SocketScope::everything()),
            Kind::NetworkUdp => Self::NetworkUdp(SocketScope::everything()),
            Kind::Env => Self::Env(EnvScope::Any),
            Kind::Secrets => return SecretScope::everything().map(Self::Secrets).into(),
            Kind::Subprocess => {
                return SubprocessScope::everything().map(Self::Subprocess).into();
            }
            Kind::ToolInvoke => Self::ToolInvoke(ToolInvokeScope::everything()),
            Kind::State => Self::State(StateScope::everything()),
            Kind::Documents => Self::Documents(DocumentScope::everything()),
            Kind::Checkpoint => Self::Checkpoint(CheckpointScope),
        }]
    }

    /// The permission.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::FileRead(_) => Kind::FileRead,
            Self::FileWrite(_) => Kind::FileWrite,
            Self::NetworkHttp(_) => Kind::NetworkHttp,
            Self::NetworkTcp(_) => Kind::NetworkTcp,
            Self::NetworkUdp(_) => Kind::NetworkUdp,
            Self::Env(_) => Kind::Env,
            Self::Secrets(_) => Kind::Secrets,
            Self::Subprocess(_) => Kind::Subprocess,
            Self::ToolInvoke(_) => Kind::ToolInvoke,
            Self::State(_) => Kind::State,
            Self::Documents(_) => Kind::Documents,
            Self::Checkpoint(_) => Kind::Checkpoint,
        }
    }

    /// The flag that grants it, as one would type it in a shell; nothing where no flag can say it.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        let scope = self.to_string();
        let is_file = matches!(self, Self::FileRead(_) | Self::FileWrite(_));
        // `:/` would be read as the place where the guest's path begins.
        if !text::is_plain(&scope) || scope == "*" || (is_file && scope.contains(":/")) {
            return None;
        }
        let word = text::shell_word(&format!("{}={scope}", self.kind()));
        Some(format!("--allow {word}"))
    }

    /// The line of `[permissions]` that requests it; nothing where a manifest cannot say it.
    #[must_use]
    pub fn manifest_line(&self) -> Option<String> {
        let scope = self.to_string();
        if !text::is_plain(&scope) {
            return None;
        }
        let value = match self {
            Self::FileRead(_) | Self::FileWrite(_) if scope == "*" => return None,
            Self::FileRead(_) | Self::FileWrite(_) => {
                format!("[{{ path = {} }}]", text::toml_string(&scope))
            }
            Self::NetworkHttp(http) => format!("[{{ {} }}]", http_keys(http)?),
            Self::Secrets(secret) => format!("[{{ {} }}]", secret_keys(secret)?),
            Self::State(_) => format!("{{ quota = {} }}", text::toml_string(&scope)),
            Self::Checkpoint(_) => "true".to_owned(),
            Self::NetworkTcp(_)
            | Self::NetworkUdp(_)
            | Self::Env(_)
            | Self::Subprocess(_)
            | Self::ToolInvoke(_)
            | Self::Documents(_) => text::toml_array([scope.as_str()]),
        };
        Some(format!("{} = {value}", self.kind()))
    }
}

/// The keys of a `network_http` entry; nothing for what only a meet can make.
fn http_keys(http: &HttpScope) -> Option<String> {
    let mut keys = vec![format!(
        "host = {}",
        text::toml_string(&http.host().to_string())
    )];
    let (plain, tls) = (http.port(Scheme::Http), http.port(Scheme::Https));
    let is_default = |scheme: Scheme| {
        let default = Some(Port::Exact(scheme.default_port()));
        http.port(scheme).is_none() || http.port(scheme) == default
    };
    match (plain, tls) {
        (Some(_), None) => keys.push("scheme = \"http\"".to_owned()),
        (None, Some(_)) => keys.push("scheme = \"https\"".to_owned()),
        _ => {}
    }
    if !(is_default(Scheme::Http) && is_default(Scheme::Https)) {
        match plain.or(tls) {
            Some(Port::Exact(port)) => keys.push(format!("port = {port}")),
            Some(Port::Any) => {
                let host = text::toml_string(&format!("{}:*", http.host()));
                keys.splice(..1, [format!("host = {host}")]);
            }
            None => {}
        }
    }
    if let Some(methods) = http.methods() {
        let methods = text::toml_array(methods.iter().map(String::as_str));
        keys.push(format!("methods = {methods}"));
    }
    let globs: Vec<String> = http.paths().iter().map(ToString::to_string).collect();
    match globs.as_slice() {
        [] => {}
        [glob] => keys.push(format!("paths = {}", text::toml_array([glob.as_str()]))),
        _ => return None,
    }
    let text_form = http.to_string();
    match http.reach() {
        Reach::Private if text_form.ends_with(";private") => keys.push("private = true".to_owned()),
        Reach::Metadata if text_form.ends_with(";metadata") => return None,
        Reach::Public | Reach::Private | Reach::Metadata => {}
    }
    Some(keys.join(", "))
}

/// The keys of a `secrets` entry; nothing where it names no secret.
fn secret_keys(secret: &SecretScope) -> Option<String> {
    let name = format!("name = {}", text::toml_string(secret.name()?));
    let keys = match secret.usage() {
        Usage::Reveal => return Some(format!("{name}, reveal = true")),
        Usage::Inject(inject) if *inject == Inject::anywhere() => return Some(name),
        Usage::Inject(inject) => [
            Some(("host", inject.host.to_string())),
            inject.header.clone().map(|header| ("header", header)),
            inject.format.clone().map(|format| ("format", format)),
        ],
    };
    let keys: Vec<String> = keys
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key} = {}", text::toml_string(value)))
        .collect();
    Some(format!("{name}, inject = {{ {} }}", keys.join(", ")))
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileRead(scope) | Self::FileWrite(scope) => scope.fmt(f),
            Self::NetworkHttp(scope) => scope.fmt(f),
            Self::NetworkTcp(scope) | Self::NetworkUdp(scope) => scope.fmt(f),
            Self::Env(scope) => scope.fmt(f),
            Self::Secrets(scope) => scope.fmt(f),
            Self::Subprocess(scope) => scope.fmt(f),
            Self::ToolInvoke(scope) => scope.fmt(f),
            Self::State(scope) => scope.fmt(f),
            Self::Documents(scope) => scope.fmt(f),
            Self::Checkpoint(scope) => scope.fmt(f),
        }
    }
}
