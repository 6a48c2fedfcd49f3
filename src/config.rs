//! The configuration: what is built in, and six layers over it, each value with where it came from.
//!
//! From the lowest to the highest: built in, `[defaults]` of `/etc/toolhatch/config.toml`, the user's
//! `toolhatch/config.toml`, the project's `.toolhatch/config.toml`, `TOOLHATCH_*` variables, command-line flags, and
//! `[enforced]` of the system's file. A project is somebody else's: its file can lower limits, deny and be stricter, and a
//! file that tries more is refused as a whole. `[enforced]` caps what the others may have chosen.
//!
//! Files are checked against the schema that `toolhatch schema config` prints. A file that is there and cannot be read, or
//! is not valid, is an error and never passed over.

mod audit;
mod credential;
mod docker;
mod entries;
pub mod env_vars;
mod execution;
mod foreign;
mod mcp;
mod merge;
mod origin;
pub mod paths;
mod read;
pub mod schema;
mod search;
mod serve;
mod syslog;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

pub use audit::{AuditConfig, SyslogConfig, WebhookConfig};
pub use credential::{Credential, CredentialSource};
pub use docker::{
    Amount, ContainerRequest, ContainerResources, DaemonChoice, DockerConfig, DockerHost, Glob,
    ImagePattern, ImagePullPolicy, ImageReference, InvalidDockerHost, InvalidGlob, InvalidPattern,
    InvalidPullPolicy, Narrowed, PoolConfig, ProtectedPaths, RetryConfig, TlsFiles, VolumeMount,
};
pub use entries::ConfigEntry;
pub use env_vars::{ARCHITECTURE, Environment};
pub use execution::{ExecutionConfig, InvalidHostKey, SshConfig, SshHostKey};
pub use foreign::{
    ForeignFile, ForeignPlace, ForeignProgram, ForeignServer, MAX_FOREIGN_BYTES, foreign_places,
    kebab_case, masked,
};
pub use mcp::{McpConfig, McpOauthConfig, McpPlace, McpServerConfig, McpText, NamePattern};
pub use origin::Origin;
pub use paths::{Paths, workspace_root};
pub use schema::{
    ApprovalMode, Color, EmbeddingApi, LogLevel, McpGrant, McpOauth, McpProtocol, McpRun,
    McpServer, McpSource, McpValue, Strategy,
};
pub use search::EmbeddingConfig;
pub use serve::{
    HttpServeConfig, OAuthConfig, ProfileConfig, SEARCH_ABOVE, ServeConfig, TokenConfig,
};
pub use syslog::{Facility, InvalidSyslogAddress, SyslogAddress};

use merge::Merge;
use schema::{Layer, Wire};

use crate::error::{Code, Error, Result};
use crate::ids::Digest;
use crate::manifest::document::Document;
use crate::manifest::json_schema::schema_of;
use crate::manifest::problem::{Problems, nearest};
use crate::manifest::{LimitRequest, Limits};
use crate::permission::Kind;

/// The configuration of a process, all decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What a call gets where neither its manifest nor the command line says (`limits`).
    pub limits: Limits,
    /// The most a call gets (`ceiling`).
    pub ceiling: Limits,
    /// How many calls run at once (`calls.concurrency`).
    pub concurrency: u32,
    /// How many of these one caller may have (`calls.per_caller`).
    pub per_caller: u32,
    /// How many calls may wait for their turn (`calls.queue`).
    pub queue: u32,
    /// How many calls of one tool a caller may begin a minute (`calls.per_minute`); the most there is means no limit.
    pub per_minute: u32,
    /// How often a call that may be repeated is tried (`calls.attempts`).
    pub attempts: u32,
    /// Whether a tool that keeps failing is left alone for a while (`calls.breaker`).
    pub breaker: bool,
    /// How many cores compile components (`calls.compile_jobs`).
    pub compile_jobs: u32,
    /// Whether `--allow` and `--allow-requested` may be used (`permissions.allow_flag`).
    pub allow_flag: bool,
    /// Whether `--yes` answers for a person (`permissions.yes`).
    pub yes: bool,
    /// Permissions that nobody is granted (`permissions.deny`).
    pub deny: BTreeSet<Kind>,
    /// Who may decide without a terminal, with the SHA-256 of their credentials in hex (`approvers`).
    pub approvers: BTreeMap<String, String>,
    /// When a person is asked about a call, where nothing is said about its tool (`approvals.default`).
    pub approvals_default: ApprovalMode,
    /// The same by tool id (`approvals.tools`).
    pub approvals_tools: BTreeMap<String, ApprovalMode>,
    /// How long a question and its answer hold (`approvals.ttl`).
    pub approvals_ttl: Duration,
    /// Whether the policies that ship with Toolhatch are in force (`policy.default`).
    pub policy_default: bool,
    /// Whether the user's own policies are in force (`policy.user`).
    pub policy_user: bool,
    /// The record of what calls did (`audit`).
    pub audit: AuditConfig,
    /// The model that makes vectors of texts, for the search of tools (`search.embedding`).
    pub embedding: EmbeddingConfig,
    /// Who runs tools that are commands (`execution`).
    pub execution: ExecutionConfig,
    /// The containers that commands run in (`docker`).
    pub docker: DockerConfig,
    /// Servers that others wrote (`mcp`).
    pub mcp: McpConfig,
    /// What is served to agents, and to whom (`serve`).
    pub serve: ServeConfig,
    /// The folder of compiled components (`cache.dir`).
    pub cache_dir: PathBuf,
    /// How many bytes it may hold (`cache.max_size`).
    pub cache_max_size: u64,
    /// Whether the search paths are looked at (`plugins.enabled`).
    pub plugins_enabled: bool,
    /// Folders with plugins (`plugins.search_paths`).
    pub search_paths: Vec<PathBuf>,
    /// Which messages are shown (`log.level`).
    pub log_level: LogLevel,
    /// Whether output is coloured (`output.color`).
    pub color: Color,
    /// Refuses what is only doubtful (`strict`).
    pub strict: bool,
    /// What a person should be told, such as a variable nobody reads.
    pub warnings: Vec<String>,
    /// The files that were read, with what they say.
    pub files: Vec<ConfigFile>,
    /// Where values came from, by key; what is absent is built in.
    origins: BTreeMap<String, Origin>,
}

/// A file of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it sets: JSON texts by dotted keys. Of an approver it is told that there is one, and not by which credential.
    pub values: BTreeMap<String, String>,
}

/// A value from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as it is typed, such as `--color`.
    pub flag: &'static str,
    /// The key it sets, such as `output.color`.
    pub key: &'static str,
    /// The value.
    pub value: String,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(config_schema);
static SERVER_SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<McpServer>);

/// The JSON Schema (2020-12) of the configuration files.
#[must_use]
pub fn config_schema() -> Value {
    schema_of::<Wire>()
}

impl Config {
    /// Reads every layer.
    ///
    /// # Errors
    /// E3004 where a file cannot be read or is not valid, a project asks for more than it may, or a variable or flag has a
    /// value that does not fit. The error names the file, the place and the key, or the variable.
    pub fn load(paths: &Paths, environment: &Environment, flags: &[Flag]) -> Result<Self> {
        let mut config = Self::built_in(paths);
        let system = read::file::<Wire>(&paths.system_config, &SCHEMA)?;
        if let Some((wire, document)) = &system {
            check_system_file(paths, document)?;
            config
                .files
                .push(ConfigFile::new(&paths.system_config, document));
            if let Some(layer) = &wire.defaults {
                let origin = Origin::SystemDefaults(paths.system_config.clone());
                config.lay(paths, layer, document, origin, "defaults")?;
            }
        }
        if let Some(path) = &paths.user_config
            && let Some((wire, document)) = read::file::<Wire>(path, &SCHEMA)?
        {
            config.files.push(ConfigFile::new(path, &document));
            config.own_file(paths, wire, &document, Origin::User(path.clone()))?;
        }
        config.added_servers(paths)?;
        if let Some((wire, document)) = read::file::<Wire>(&paths.project_config, &SCHEMA)? {
            config
                .files
                .push(ConfigFile::new(&paths.project_config, &document));
            let origin = Origin::Project(paths.project_config.clone());
            config.own_file(paths, wire, &document, origin)?;
        }
        config.variables(paths, environment)?;
        for flag in flags {
            let (wire, document) = read::assignment(flag.key, &flag.value, flag.flag, &SCHEMA)?;
            config.lay(paths, &wire.layer, &document, Origin::Flag(flag.flag), "")?;
        }
        if let Some((wire, document)) = &system
            && let Some(layer) = &wire.enforced
        {
            let origin = Origin::Enforced(paths.system_config.clone());
            config.lay(paths, layer, document, origin, "enforced")?;
        }
        config.limits = config.limits.within(&config.ceiling);
        let told = config.docker.settle(&config.ceiling);
        config.warnings.extend(told);
        Ok(config)
    }

    /// The configuration where nobody says anything.
    #[must_use]
    pub fn built_in(paths: &Paths) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            limits: Limits::default(),
            ceiling: Limits::most(),
            concurrency: 64,
            per_caller: 10_000,
            queue: 100_000,
            per_minute: u32::MAX,
            attempts: 3,
            breaker: true,
            // They are polite threads: calls come first wherever both want a core.
            compile_jobs: u32::try_from(cores).unwrap_or(1),
            allow_flag: true,
            yes: false,
            deny: BTreeSet::new(),
            approvers: BTreeMap::new(),
            approvals_default: ApprovalMode::Never,
            approvals_tools: BTreeMap::new(),
            approvals_ttl: Duration::from_secs(3600),
            policy_default: true,
            policy_user: true,
            audit: AuditConfig::default(),
            embedding: EmbeddingConfig::default(),
            execution: ExecutionConfig::default(),
            docker: DockerConfig::default(),
            mcp: McpConfig::default(),
            serve: ServeConfig::default(),
            cache_dir: paths.home.join("cache"),
            cache_max_size: 2 << 30,
            plugins_enabled: true,
            search_paths: vec![paths.home.join("plugins")],
            log_level: LogLevel::Warn,
            color: Color::Auto,
            strict: false,
            warnings: Vec::new(),
            files: Vec::new(),
            origins: BTreeMap::new(),
        }
    }

    /// The limits of a call whose manifest and command line ask for `request`.
    #[must_use]
    pub fn call_limits(&self, request: &LimitRequest) -> Limits {
        Limits::resolve(&self.limits, request, &self.ceiling)
    }

    /// Where the value of a key came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::BuiltIn)
    }

    /// A file that is not the operator's.
    fn own_file(
        &mut self,
        paths: &Paths,
        wire: Wire,
        document: &Document,
        origin: Origin,
    ) -> Result<()> {
        let mut problems = Problems::new();
        for (table, there) in [
            ("defaults", wire.defaults.is_some()),
            ("enforced", wire.enforced.is_some()),
        ] {
            if there {
                let message = format!("only {} can have this table", paths.system_config.display());
                problems.add(document.place(table), table, message);
            }
        }
        if problems.is_empty() {
            return self.lay(paths, &wire.layer, document, origin, "");
        }
        Err(problems.into_error(Code::E3004, &origin.to_string()))
    }

    fn variables(&mut self, paths: &Paths, environment: &Environment) -> Result<()> {
        for (name, key) in env_vars::SETTINGS {
            let Some(value) = environment.get(name) else {
                continue;
            };
            let text = value.to_str().ok_or_else(|| {
                Error::new(
                    Code::E3004,
                    format!("reading {name}: its value is not UTF-8"),
                )
            })?;
            let (wire, document) = read::assignment(key, text, name, &SCHEMA)?;
            self.lay(paths, &wire.layer, &document, Origin::Variable(name), "")?;
        }
        // A variable that a file names to hold a secret is read too.
        let own = [&self.audit.webhook.secret, &self.embedding.key];
        let of_servers = self.mcp.servers.values().flat_map(McpServerConfig::sources);
        let named: Vec<String> = own
            .into_iter()
            .flatten()
            .chain(of_servers)
            .filter_map(|source| match source {
                CredentialSource::Variable(name) => Some(name.clone()),
                CredentialSource::File(_) => None,
            })
            .collect();
        let known: Vec<&str> = env_vars::SETTINGS
            .iter()
            .map(|(name, _)| *name)
            .chain([env_vars::HOME])
            .chain(named.iter().map(String::as_str))
            .collect();
        for name in environment.names_with("TOOLHATCH_") {
            if known.contains(&name) {
                continue;
            }
            let mut warning = format!("nothing reads the variable {name}");
            if let Some(near) = nearest_variable(name, &known) {
                warning.push_str(&format!("; did you mean {near}?"));
            }
            self.warnings.push(warning);
        }
        Ok(())
    }

    fn lay(
        &mut self,
        paths: &Paths,
        layer: &Layer,
        document: &Document,
        origin: Origin,
        table: &'static str,
    ) -> Result<()> {
        let mut merge = Merge {
            config: self,
            paths,
            origin: origin.clone(),
            document,
            table,
            problems: Problems::new(),
        };
        merge.layer(layer.clone());
        if merge.problems.is_empty() {
            return Ok(());
        }
        let name = match &origin {
            Origin::SystemDefaults(path) | Origin::Enforced(path) => path.display().to_string(),
            other => other.to_string(),
        };
        Err(merge.problems.into_error(Code::E3004, &name))
    }
}

impl ConfigFile {
    fn new(path: &Path, document: &Document) -> Self {
        Self::below(path, "", document)
    }

    /// The file of one server.
    fn of_server(path: &Path, name: &str, document: &Document) -> Self {
        Self::below(path, &format!("mcp.servers.{name}"), document)
    }

    /// A file whose keys stand below this one.
    fn below(path: &Path, key: &str, document: &Document) -> Self {
        fn walk(value: &Value, key: &str, values: &mut BTreeMap<String, String>) {
            match value {
                Value::Object(object) => {
                    for (name, inner) in object {
                        let key = if key.is_empty() {
                            name.clone()
                        } else {
                            format!("{key}.{name}")
                        };
                        walk(inner, &key, values);
                    }
                }
                _ if key
                    .split('.')
                    .any(|part| part == "approvers" || part == "tokens")
                    || is_of_server(key) =>
                {
                    let digest = Digest::of(value.to_string().as_bytes());
                    values.insert(key.to_owned(), format!("known by {}", digest.short()));
                }
                value => {
                    values.insert(key.to_owned(), value.to_string());
                }
            }
        }
        let mut values = BTreeMap::new();
        walk(&document.to_json(), key, &mut values);
        Self {
            path: path.to_owned(),
            values,
        }
    }
}

/// True for the variables and headers of a server, which can be secrets.
fn is_of_server(key: &str) -> bool {
    key.split_once("mcp.servers.")
        .and_then(|(_, rest)| rest.split_once('.'))
        .is_some_and(|(_, rest)| rest.starts_with("env.") || rest.starts_with("headers."))
}

/// The operator's file has nothing but its two layers.
fn check_system_file(paths: &Paths, document: &Document) -> Result<()> {
    let mut problems = Problems::new();
    for key in document
        .keys()
        .filter(|key| key != "defaults" && key != "enforced")
    {
        let message =
            "the system's file has two tables: write it under `[defaults]` or `[enforced]`";
        problems.add(document.place(&key), key, message);
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems.into_error(Code::E3004, &paths.system_config.display().to_string()))
}

fn nearest_variable<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    // What all names have in common would make every name look alike.
    let rest = |name: &'a str| name.trim_start_matches("TOOLHATCH_");
    let written = written
        .trim_start_matches("TOOLHATCH_")
        .to_ascii_lowercase();
    let lower: Vec<String> = known
        .iter()
        .map(|name| rest(name).to_ascii_lowercase())
        .collect();
    let near = nearest(&written, lower.iter().map(String::as_str))?;
    let index = lower.iter().position(|name| name == near)?;
    known.get(index).copied()
}
