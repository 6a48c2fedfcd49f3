//! The manifest as it is written: the types behind `plugin.toml` and its JSON Schema.
//!
//! These types only say which keys there are and which shape their values have; [`super::Manifest`] is what they mean.
//! Their doc comments are the descriptions that `toolhatch schema manifest` prints.

mod container;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use container::{
    Container, Element, Exit, ExitTable, Format, Network, Output, Stdin, StdinTable, Stream, User,
    Verdict, When,
};

/// The manifest of a plugin (`plugin.toml`): what it is, which tools it has, what it asks for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Toolhatch plugin manifest")]
pub struct Wire {
    /// The version of this format.
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// The name of the plugin: kebab-case, at most 64 characters.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"), example = &"analyze-code")]
    pub name: String,
    /// The version of the plugin, as in Semantic Versioning 2.0.
    #[schemars(example = &"1.0.0")]
    pub version: String,
    /// What the plugin is for, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// Who wrote it, such as `Name <address>`.
    #[serde(default)]
    pub authors: Vec<String>,
    /// The licence as an SPDX expression.
    #[schemars(example = &"Apache-2.0 OR MIT")]
    #[serde(default)]
    pub license: Option<String>,
    /// The WebAssembly component, where the plugin has one.
    #[serde(default)]
    pub component: Option<Component>,
    /// Other plugins it needs, each with a range of versions such as `">=1.0.0"`.
    #[serde(default)]
    pub dependencies: BTreeMap<String, String>,
    /// The tools. May be left out where the component describes them itself.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// What the plugin asks for. Nothing is granted by writing it here.
    #[serde(default)]
    pub permissions: Permissions,
    /// How much one call may use.
    #[serde(default)]
    pub limits: Limits,
    /// Values the plugin reads through `wasi:config`.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// The WebAssembly component.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The WIT world it is built for.
    #[schemars(example = &"toolhatch:plugin/plugin@0.1.0")]
    pub world: String,
    /// How long an instance of it lives: for one call, or for the calls of one session, which then share what it holds in
    /// memory.
    #[serde(default)]
    pub lifecycle: ComponentLifecycle,
    /// For how long an instance of a session is kept when no call comes, such as `10m`; that long where nothing is said.
    #[serde(default)]
    pub idle: Option<String>,
}

/// How long an instance of the component lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ComponentLifecycle {
    /// For one call.
    #[default]
    Call,
    /// For the calls of one session.
    Session,
}

/// One tool.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The name of the tool within the plugin: 1 to 128 letters, digits, `_`, `-` and `.`, best kebab-case.
    #[schemars(example = &"analyze-code")]
    pub name: String,
    /// One or two sentences for the agent that chooses among tools.
    #[serde(default)]
    pub description: Option<String>,
    /// A JSON Schema (2020-12) of the arguments; its root must be an object. A table, or a string that holds JSON.
    #[serde(default)]
    pub input_schema: Option<Schema>,
    /// A JSON Schema (2020-12) of the structured result. A table, or a string that holds JSON.
    #[serde(default)]
    pub output_schema: Option<Schema>,
    /// Calling it twice with the same arguments has the same effect as calling it once.
    #[serde(default)]
    pub idempotent: bool,
    /// It only computes: no effects, and the same arguments always give the same result. A result may be kept and told again,
    /// where the call was allowed to touch nothing.
    #[serde(default)]
    pub pure: bool,
    /// How much harm a call can do. Operators attach approval to it.
    #[serde(default)]
    pub risk: Risk,
    /// Its results carry text from strangers, such as web pages or mail.
    #[serde(default)]
    pub untrusted_output: bool,
    /// Arguments of nearly the right type are taken for what they clearly stand for, such as `"3"` for 3.
    #[serde(default)]
    pub coerce: bool,
    /// The container that runs the tool, where it is not in the component.
    #[serde(default)]
    pub container: Option<Container>,
}

/// A JSON Schema, as a table or as a string that holds JSON.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Schema {
    /// The text of the schema.
    Text(String),
    /// The schema itself.
    Table(Map<String, Value>),
}

/// How much harm a call can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Risk {
    /// It reads, or changes nothing that matters.
    #[default]
    Low,
    /// What it changes can be undone.
    Medium,
    /// What it changes cannot be undone, or reaches other people.
    High,
}

/// What the plugin asks for. Nothing is granted by writing it here.
// serde cannot refuse unknown keys around a flattened struct; the schema does, and every manifest is checked against it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Permissions {
    /// What it cannot work without.
    #[serde(flatten)]
    pub required: Requests,
    /// What it uses where it is granted and works without where it is not.
    #[serde(default)]
    pub optional: Requests,
    /// Freezes clocks and random numbers, so that the same arguments give the same result.
    #[serde(default)]
    pub deterministic: bool,
}

/// Permissions, each with the scopes that are asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Requests {
    /// Files and folders it reads: a path, or a table that also says where it appears.
    #[serde(default)]
    pub file_read: Vec<File>,
    /// Files and folders it creates, changes and removes.
    #[serde(default)]
    pub file_write: Vec<File>,
    /// HTTP requests it makes: a URL pattern, or a table.
    #[serde(default)]
    pub network_http: Vec<Http>,
    /// TCP connections it opens: `HOST:PORT`, or a table.
    #[serde(default)]
    pub network_tcp: Vec<Socket>,
    /// UDP datagrams it sends: `HOST:PORT`, or a table.
    #[serde(default)]
    pub network_udp: Vec<Socket>,
    /// Environment variables it reads, by name.
    #[serde(default)]
    pub env: Vec<String>,
    /// Secrets that are put into its requests, by name.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// Commands it runs in containers.
    #[serde(default)]
    pub subprocess: Vec<Subprocess>,
    /// Tools of other plugins it calls, as `plugin.tool` or `plugin.*`.
    #[serde(default)]
    pub tool_invoke: Vec<String>,
    /// A small store of its own that is kept between calls.
    #[serde(default)]
    pub state: Option<State>,
    /// Documents it reads, by id or by the beginning of ids and a `*`.
    #[serde(default)]
    pub documents: Vec<String>,
    /// Checkpoints of the session.
    #[serde(default)]
    pub checkpoint: bool,
}

/// A file or folder.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum File {
    /// Its path; `${workspace}` is the project, `${home}` the home folder.
    Path(#[schemars(example = &"${workspace}/src")] String),
    /// Its path and where it appears.
    Table(FileTable),
}

/// A file or folder and where it appears.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    /// Its path; `${workspace}` is the project, `${home}` the home folder.
    #[schemars(example = &"${workspace}/src")]
    pub path: String,
    /// The absolute path under which the plugin sees it.
    #[schemars(example = &"/workspace")]
    #[serde(default)]
    pub mount: Option<String>,
}

/// HTTP requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Http {
    /// A pattern such as `https://api.github.com/repos/**;methods=GET`.
    Text(#[schemars(example = &"api.github.com")] String),
    /// The parts of the pattern.
    Table(HttpTable),
}

/// HTTP requests to one host.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTable {
    /// The host: a name, `*.NAME` for all names below it, an address, or `*`.
    #[schemars(example = &"api.github.com")]
    pub host: String,
    /// The methods; all where it is absent.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// Globs of paths, such as `/repos/**`; all where it is absent.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
    /// The port; that of the scheme where it is absent.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default)]
    pub port: Option<u16>,
    /// `https` or `http`; both where it is absent.
    #[serde(default)]
    pub scheme: Option<Scheme>,
    /// Also where the host has an address on a private network or on this machine.
    #[serde(default)]
    pub private: bool,
}

/// How requests are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Scheme {
    /// Over TLS.
    Https,
    /// Without encryption.
    Http,
}

/// A peer of TCP or UDP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Socket {
    /// `HOST:PORT`.
    Text(#[schemars(example = &"db.example.com:5432")] String),
    /// The parts.
    Table(SocketTable),
}

/// A peer of TCP or UDP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SocketTable {
    /// The host: a name, `*.NAME`, an address, a network, or `*`.
    #[schemars(example = &"db.example.com")]
    pub host: String,
    /// The port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// A secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Secret {
    /// Its name.
    Name(#[schemars(example = &"GITHUB_TOKEN")] String),
    /// Its name and what happens with it.
    Table(SecretTable),
}

/// A secret and what happens with it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretTable {
    /// Its name.
    #[schemars(example = &"GITHUB_TOKEN")]
    pub name: String,
    /// Where the host puts it; the plugin never sees it.
    #[serde(default)]
    pub inject: Option<Inject>,
    /// Hands the value to the plugin. Ask for this only where injection cannot do.
    #[serde(default)]
    pub reveal: bool,
}

/// Where a secret is put.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// Requests to this host carry it.
    #[schemars(example = &"api.github.com")]
    pub host: String,
    /// The header it is put into; any where it is absent.
    #[schemars(example = &"Authorization")]
    #[serde(default)]
    pub header: Option<String>,
    /// The value of the header, with `{}` in the place of the secret.
    #[schemars(example = &"Bearer {}")]
    #[serde(default)]
    pub format: Option<String>,
}

/// A command run in a container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Subprocess {
    /// `image:IMAGE`, `command:COMMAND`, or both with a `;` between them.
    Text(#[schemars(example = &"image:alpine;command:grep")] String),
    /// The parts.
    Table(SubprocessTable),
}

/// A command run in a container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubprocessTable {
    /// The image; any that is allowed where it is absent.
    #[schemars(example = &"alpine")]
    #[serde(default)]
    pub image: Option<String>,
    /// The command; any where it is absent.
    #[schemars(example = &"grep")]
    #[serde(default)]
    pub command: Option<String>,
}

/// A small store that is kept between calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// How much it may hold.
    #[schemars(example = &"1MiB")]
    pub quota: String,
}

/// How much one call may use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How long a call may take.
    #[schemars(example = &"30s")]
    #[serde(default)]
    pub timeout: Option<String>,
    /// Linear memory, summed over all memories.
    #[schemars(example = &"128MiB")]
    #[serde(default)]
    pub memory: Option<String>,
    /// Size of the result as JSON.
    #[schemars(example = &"10MiB")]
    #[serde(default)]
    pub output: Option<String>,
    /// How much of each of stdout and stderr is kept.
    #[schemars(example = &"1MiB")]
    #[serde(default)]
    pub stdio: Option<String>,
    /// HTTP bodies, each direction summed over the call.
    #[schemars(example = &"64MiB")]
    #[serde(default)]
    pub http_bytes: Option<String>,
    /// Elements, summed over all tables.
    #[schemars(range(min = 1, max = 4294967295_i64))]
    #[serde(default)]
    pub table_elements: Option<u64>,
    /// Core instances.
    #[schemars(range(min = 1, max = 100000))]
    #[serde(default)]
    pub instances: Option<u32>,
    /// Calls into the host.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub host_calls: Option<u64>,
    /// Fuel units. Counted in deterministic calls only.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub fuel: Option<u64>,
}
