//! The configuration as it is written: every key may be absent.
//!
//! The doc comments are the descriptions that `toolhatch schema config` prints.

mod audit;
mod docker;
mod execution;
mod mcp;
mod search;
mod serve;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use audit::{Audit, Syslog, Webhook};
pub use docker::{Ceiling, Docker, NetworkMode, Pool, Resources, Retry, Volume};
pub use execution::{Execution, Ssh, Strategy};
pub use mcp::{Mcp, McpGrant, McpOauth, McpProtocol, McpRun, McpServer, McpSource, McpValue};
pub use search::{Embedding, EmbeddingApi, Search};
pub use serve::{Http, OAuth, Profile, Serve, Token};

use crate::manifest::schema::Limits;

/// The configuration of Toolhatch (`config.toml`).
// serde cannot refuse unknown keys around a flattened struct; the schema does, and every file is checked against it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Toolhatch configuration")]
pub struct Wire {
    /// The keys of this file.
    #[serde(flatten)]
    pub layer: Layer,
    /// What everybody on this machine starts from. Only in `/etc/toolhatch/config.toml`.
    #[serde(default)]
    pub defaults: Option<Layer>,
    /// What nobody on this machine can change. Only in `/etc/toolhatch/config.toml`.
    #[serde(default)]
    pub enforced: Option<Layer>,
}

/// One layer of configuration.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Layer {
    /// What a call gets where neither its manifest nor the command line says. Projects can only lower it.
    #[serde(default)]
    pub limits: Limits,
    /// The most a call gets, whoever asks. Projects can only lower it.
    #[serde(default)]
    pub ceiling: Limits,
    /// How calls share the machine.
    #[serde(default)]
    pub calls: Calls,
    /// What may be granted, and how. Projects can only take away.
    #[serde(default)]
    pub permissions: Permissions,
    /// Who may decide without a terminal: names, each with the SHA-256 of a credential in hex. Only in `[enforced]`.
    #[serde(default)]
    pub approvers: BTreeMap<String, String>,
    /// Which calls a person is asked about. Projects can only ask for more.
    #[serde(default)]
    pub approvals: Approvals,
    /// The policies that calls are put to.
    #[serde(default)]
    pub policy: Policy,
    /// The record of what calls did.
    #[serde(default)]
    pub audit: Audit,
    /// How tools are searched.
    #[serde(default)]
    pub search: Search,
    /// Who runs tools that are commands.
    #[serde(default)]
    pub execution: Execution,
    /// The containers that commands run in.
    #[serde(default)]
    pub docker: Docker,
    /// Servers that others wrote, whose tools are offered as well.
    #[serde(default)]
    pub mcp: Mcp,
    /// What is served to agents, and to whom.
    #[serde(default)]
    pub serve: Serve,
    /// The cache of compiled components.
    #[serde(default)]
    pub cache: Cache,
    /// Plugins that are found without being installed.
    #[serde(default)]
    pub plugins: Plugins,
    /// Messages about what Toolhatch does.
    #[serde(default)]
    pub log: Log,
    /// What is printed.
    #[serde(default)]
    pub output: Output,
    /// Refuses what is only doubtful, such as a tool without an output schema. Projects can only turn it on.
    #[serde(default)]
    pub strict: Option<bool>,
}

/// How calls share the machine.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// How many calls run at once; others wait. Projects can only lower it.
    #[schemars(range(min = 1, max = 10000))]
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// How many of these one caller may have. Projects can only lower it.
    #[schemars(range(min = 1, max = 10000))]
    #[serde(default)]
    pub per_caller: Option<u32>,
    /// How many calls may wait for their turn. Projects can only lower it.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(default)]
    pub queue: Option<u32>,
    /// How many calls of one tool a caller may begin a minute. Without it there is no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(default)]
    pub per_minute: Option<u32>,
    /// How often a call is tried whose tool says that it failed and may work later, where calling it twice does no harm.
    #[schemars(range(min = 1, max = 10))]
    #[serde(default)]
    pub attempts: Option<u32>,
    /// Whether a tool that keeps crashing or running out of time is left alone for a while.
    #[serde(default)]
    pub breaker: Option<bool>,
    /// How many cores compile components. Projects can only lower it.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(default)]
    pub compile_jobs: Option<u32>,
}

/// What may be granted, and how.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// Whether `--allow` and `--allow-requested` may be used.
    #[serde(default)]
    pub allow_flag: Option<bool>,
    /// Whether `--yes` answers for a person. Only in `[enforced]`.
    #[serde(default)]
    pub yes: Option<bool>,
    /// Permissions that nobody is granted, such as `network_tcp`. Adds to what other files deny.
    #[serde(default)]
    pub deny: Vec<String>,
}

/// Which calls a person is asked about, besides those that policy asks about.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Where nothing is said about a tool.
    #[serde(default)]
    pub default: Option<ApprovalMode>,
    /// By tool id, such as `"files.write" = "always"`.
    #[serde(default)]
    pub tools: BTreeMap<String, ApprovalMode>,
    /// How long a question and its answer hold. Projects can only lower it.
    #[schemars(example = &"1h")]
    #[serde(default)]
    pub ttl: Option<String>,
}

/// When a person is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ApprovalMode {
    /// Never, unless policy asks.
    #[default]
    Never,
    /// Once for a tool with what it is granted; the answer holds until it expires.
    First,
    /// About each call, with its arguments.
    Always,
}

impl ApprovalMode {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::First => "first",
            Self::Always => "always",
        }
    }
}

/// The policies that calls are put to.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether the policies that ship with Toolhatch are in force. Projects cannot change it.
    #[serde(default)]
    pub default: Option<bool>,
    /// Whether a user's own policies are in force, beside the operator's. Projects cannot change it.
    #[serde(default)]
    pub user: Option<bool>,
}

/// The cache of compiled components.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// The folder: an absolute path, or one that begins with `~/`.
    #[schemars(example = &"~/.cache/toolhatch")]
    #[serde(default)]
    pub dir: Option<String>,
    /// How large it may grow before the oldest entries are removed.
    #[schemars(example = &"2GiB")]
    #[serde(default)]
    pub max_size: Option<String>,
}

/// Plugins that are found without being installed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Whether the search paths are looked at. Projects can only turn it off.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Folders with `.wasm` files: absolute paths, or such that begin with `~/`.
    #[serde(default)]
    pub search_paths: Option<Vec<String>>,
}

/// Messages about what Toolhatch does.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Messages of this level and above are shown.
    #[serde(default)]
    pub level: Option<LogLevel>,
}

/// What is printed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Whether output is coloured.
    #[serde(default)]
    pub color: Option<Color>,
}

/// How bad a message must be to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What did not work.
    Error,
    /// What looks wrong.
    Warn,
    /// What happens.
    Info,
    /// What explains a problem.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word in files and variables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Whether output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// The word in files and variables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}
