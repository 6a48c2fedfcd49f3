//! What is served to agents, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// What `toolhatch mcp serve` offers to agents, and to whom. Projects can set none of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// The HTTP server of `--http`.
    #[serde(default)]
    pub http: Http,
    /// Clients of the HTTP server by name, each known by a bearer token.
    #[serde(default)]
    pub tokens: BTreeMap<String, Token>,
    /// Clients of the HTTP server that an authorization server vouches for.
    #[serde(default)]
    pub oauth: OAuth,
    /// Sets of tools by name, each with what its calls are allowed.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// The HTTP server of `toolhatch mcp serve --http`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Names, with a port or without, that clients may reach it by, besides those of this machine.
    #[schemars(example = &["tools.example.com"])]
    #[serde(default)]
    pub hosts: Option<Vec<String>>,
    /// Origins of web pages that may talk to it, such as `https://app.example.com:443`. Without any, none may.
    #[schemars(example = &["https://app.example.com:443"])]
    #[serde(default)]
    pub origins: Option<Vec<String>>,
    /// A file with its certificate chain in PEM form. With it, it speaks TLS.
    #[serde(default)]
    pub certificate: Option<String>,
    /// A file with the private key of the certificate in PEM form.
    #[serde(default)]
    pub key: Option<String>,
    /// Something in front of it speaks TLS with the clients, so that other addresses than those of this machine may be
    /// listened on without.
    #[serde(default)]
    pub behind_proxy: Option<bool>,
    /// The largest request.
    #[schemars(example = &"16MiB")]
    #[serde(default)]
    pub max_body: Option<String>,
    /// How long calls that run may go on when the server is told to end.
    #[schemars(example = &"10s")]
    #[serde(default)]
    pub grace: Option<String>,
}

/// A client that is known by a bearer token.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The SHA-256 of the token in hex. The token itself is stored nowhere.
    pub sha256: String,
    /// What the client is served; all tools and what is granted for good where nothing is said.
    #[serde(default)]
    pub profile: Option<String>,
}

/// An authorization server (OAuth 2.1) whose access tokens, which have to be JSON Web Tokens, are accepted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// Its issuer identifier: what the tokens have as `iss`.
    #[schemars(example = &"https://auth.example.com")]
    #[serde(default)]
    pub issuer: Option<String>,
    /// What this server is to it: what the tokens have to have as `aud`, and the URL that clients know it by.
    #[schemars(example = &"https://tools.example.com/mcp")]
    #[serde(default)]
    pub resource: Option<String>,
    /// The URL of its keys; where it is not given, that of its metadata (RFC 8414).
    #[serde(default)]
    pub jwks: Option<String>,
    /// Scopes that each token has to have.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// What its clients are served.
    #[serde(default)]
    pub profile: Option<String>,
}

/// A set of tools, and what calls of them are allowed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Only these tools: ids such as `files.read`, or `files.*`. All of them where there is none.
    #[serde(default)]
    pub tools: Vec<String>,
    /// What its calls are allowed besides what is granted for good, as after `--allow`.
    #[schemars(example = &["file_read=/home/me/src"])]
    #[serde(default)]
    pub allow: Vec<String>,
    /// Past how many tools clients get a search in place of the whole list; 0 for always.
    #[serde(default)]
    pub search_above: Option<u32>,
}
