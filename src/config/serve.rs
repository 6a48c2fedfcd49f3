//! What is served to agents and to whom, all decided.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::audit::{path, text};
use crate::manifest::{ByteSize, HumanDuration};
use crate::permission::ToolInvokeScope;

/// Past how many tools a client gets a search in place of the whole list. Lists of more cost a model tens of thousands of
/// tokens, and clients begin to cut them.
pub const SEARCH_ABOVE: u32 = 100;

/// What is served to agents, and to whom (`serve`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServeConfig {
    /// The HTTP server.
    pub http: HttpServeConfig,
    /// Clients that are known by a bearer token, by name.
    pub tokens: BTreeMap<String, TokenConfig>,
    /// Clients that an authorization server vouches for.
    pub oauth: OAuthConfig,
    /// Sets of tools by name.
    pub profiles: BTreeMap<String, ProfileConfig>,
}

/// The HTTP server (`serve.http`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpServeConfig {
    /// Names that clients may reach it by, besides those of this machine.
    pub hosts: Vec<String>,
    /// Origins of web pages that may talk to it.
    pub origins: Vec<String>,
    /// The certificate chain; with it, it speaks TLS.
    pub certificate: Option<PathBuf>,
    /// The private key of the certificate.
    pub key: Option<PathBuf>,
    /// Something in front of it speaks TLS.
    pub behind_proxy: bool,
    /// The largest request, in bytes.
    pub max_body: u64,
    /// How long calls may go on when it ends.
    pub grace: Duration,
}

/// A client that is known by a bearer token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenConfig {
    /// The SHA-256 of the token, in hex.
    pub sha256: String,
    /// What it is served.
    pub profile: Option<String>,
}

/// An authorization server (`serve.oauth`); there is one where an issuer is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OAuthConfig {
    /// Its issuer identifier.
    pub issuer: Option<String>,
    /// What this server is to it.
    pub resource: Option<String>,
    /// The URL of its keys.
    pub jwks: Option<String>,
    /// Scopes that each token has to have.
    pub scopes: Vec<String>,
    /// What its clients are served.
    pub profile: Option<String>,
}

/// A set of tools (`serve.profiles.NAME`).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileConfig {
    /// Only these tools; all of them where there is none.
    pub tools: Vec<ToolInvokeScope>,
    /// What its calls are allowed, as after `--allow`.
    pub allow: Vec<String>,
    /// Past how many tools clients get a search.
    pub search_above: Option<u32>,
}

impl Default for HttpServeConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            certificate: None,
            key: None,
            behind_proxy: false,
            max_body: 16 << 20,
            grace: Duration::from_secs(10),
        }
    }
}

impl ServeConfig {
    /// Keys and values, in the order of the schema. Digests of tokens are not among them.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let (http, oauth) = (&self.http, &self.oauth);
        let names = |names: Vec<&String>| {
            let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
            names.join(", ")
        };
        [
            ("http.hosts", http.hosts.join(", ")),
            ("http.origins", http.origins.join(", ")),
            ("http.certificate", path(http.certificate.as_ref())),
            ("http.key", path(http.key.as_ref())),
            ("http.behind_proxy", http.behind_proxy.to_string()),
            ("http.max_body", ByteSize(http.max_body).to_string()),
            ("http.grace", HumanDuration(http.grace).to_string()),
            ("tokens", names(self.tokens.keys().collect())),
            ("oauth.issuer", text(oauth.issuer.as_ref())),
            ("oauth.resource", text(oauth.resource.as_ref())),
            ("oauth.jwks", text(oauth.jwks.as_ref())),
            ("oauth.scopes", oauth.scopes.join(", ")),
            ("oauth.profile", text(oauth.profile.as_ref())),
            ("profiles", names(self.profiles.keys().collect())),
        ]
        .into_iter()
        .map(|(key, value)| (format!("serve.{key}"), value))
        .collect()
    }
}
