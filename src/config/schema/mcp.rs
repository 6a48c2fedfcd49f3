//! Servers that others wrote, as they are declared.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Servers that speak the Model Context Protocol.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mcp {
    /// Whether servers are used at all. Projects can only turn it off.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Servers by name: kebab-case, and not `sandbox`. What a project declares is only a proposal, and never started.
    #[serde(default)]
    pub servers: BTreeMap<String, McpServer>,
}

/// One server: a program, or a URL.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// The program and its arguments, which is talked to over its standard streams.
    #[schemars(length(min = 1), example = &["node", "server.js"])]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Where the server is reached over HTTP.
    #[schemars(example = &"https://mcp.example/mcp")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The folder the program starts in: absolute, or beginning with `~/`. Without it, the workspace where that was
    /// allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Variables of the program: texts, or where a secret is read from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, McpValue>,
    /// Headers of every request: texts, or where a secret is read from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, McpValue>,
    /// What the program may do, as after `--allow`: `file_read=.`, `network_http=api.example`. Relative paths start at
    /// the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// What the program is confined by: a process of this machine, or a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<McpRun>,
    /// The image of the container.
    #[schemars(example = &"docker.io/library/node:22-slim")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which revisions of the protocol are tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<McpProtocol>,
    /// How long a call may take.
    #[schemars(example = &"60s")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How long the server may take until it has answered for the first time.
    #[schemars(example = &"30s")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout: Option<String>,
    /// How many connections are made to it at most. A program has one.
    #[schemars(range(min = 1, max = 10))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// How many calls it gets at once; others wait.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The largest message that is read, up to 128MiB.
    #[schemars(example = &"16MiB")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_message: Option<String>,
    /// Which of its tools are offered: names, with `*` for any characters. Without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Whether its results count as text from strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<bool>,
    /// Whether plain `http://` may go to another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_http: Option<bool>,
    /// Whether the proxy of the environment is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<bool>,
    /// Certificates in PEM form that are trusted beside the system's: an absolute path, or one that begins with `~/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// How a person logs in to a service that wants OAuth. It is found out where this says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<McpOauth>,
    /// Whether it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Who we are to the authorization server of a service, and what is asked of it.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpOauth {
    /// The id of a client that was registered there by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The secret of that client: a text, or where it is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<McpValue>,
    /// The authorization server that the client is registered with. A client with a secret needs it: a server can name any.
    #[schemars(example = &"https://login.example")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// How tokens are got: by a person who logs in, or by the secret alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<McpGrant>,
    /// The URL of a document that says who the client is, for authorization servers that read such documents.
    #[schemars(example = &"https://agents.example/toolhatch.json")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_metadata_url: Option<String>,
    /// What is asked for. Without it, what the server says that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The port of this machine that the browser comes back to. Without it, any.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_port: Option<u16>,
}

/// How tokens are got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum McpGrant {
    /// A person logs in.
    AuthorizationCode,
    /// The client has a secret, and acts for itself.
    ClientCredentials,
}

/// A text, or where it is read from.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum McpValue {
    /// The text itself.
    Text(String),
    /// Where it is read from.
    Source(McpSource),
}

/// Where a secret is read from: one of the two.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpSource {
    /// An environment variable of Toolhatch, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// A file with nothing but the secret: an absolute path, or one that begins with `~/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What a program is confined by.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum McpRun {
    /// The kernel of this machine: it is a process that sees what was allowed.
    Process,
    /// A container.
    Container,
}

impl McpRun {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Container => "container",
        }
    }
}

/// Which revisions of the protocol are tried.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum McpProtocol {
    /// The newest, and those with a handshake where the server does not know it.
    #[default]
    Auto,
    /// Those with a handshake: 2025-11-25 and before.
    Legacy,
    /// 2026-07-28 alone.
    Modern,
    /// HTTP with server-sent events on an endpoint of their own, as in 2024-11-05.
    Sse,
}

impl McpProtocol {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::Sse => "sse",
        }
    }
}
