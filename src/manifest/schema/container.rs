//! `[tools.container]` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// A container that runs a tool. Its root file system is always read-only; memory and time stand in `[limits]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The image, by digest or tag.
    #[schemars(example = &"docker.io/library/alpine@sha256:…")]
    pub image: String,
    /// The program and its arguments. `{name}` stands for an argument of the call, `{{` and `}}` for braces. An element that
    /// is only a placeholder becomes one element, or one for each item of an array; an element with an absent argument is
    /// left out. No shell is involved. A text that begins with `-` is refused, unless "--" stands before it or the
    /// placeholder is written `{name:any}`.
    #[schemars(length(min = 1))]
    pub command: Vec<Element>,
    /// What the program reads from standard input: a text with placeholders, or all arguments as JSON.
    #[serde(default)]
    pub stdin: Option<Stdin>,
    /// The absolute path in the container that the program starts in.
    #[schemars(example = &"/workspace")]
    #[serde(default)]
    pub workdir: Option<String>,
    /// Environment variables, each a text with placeholders. One with an absent argument is left out.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The network it would like to have. What is granted decides.
    #[serde(default)]
    pub network: Network,
    /// Whom the program runs as; never root.
    #[serde(default)]
    pub user: User,
    /// How many processors it may use; parts of one are possible.
    #[schemars(range(min = 0.01, max = 1024))]
    #[serde(default)]
    pub cpus: Option<f64>,
    /// Its weight where containers compete for processors; 1024 is usual.
    #[schemars(range(min = 2, max = 262144))]
    #[serde(default)]
    pub cpu_shares: Option<u32>,
    /// How many processes and threads it may have.
    #[schemars(range(min = 1, max = 4194304))]
    #[serde(default)]
    pub pids: Option<u32>,
    /// The size of `/tmp`, which is kept in memory.
    #[schemars(example = &"64MiB")]
    #[serde(default)]
    pub tmpfs: Option<String>,
    /// The size of its shared memory.
    #[schemars(example = &"16MiB")]
    #[serde(default)]
    pub shm: Option<String>,
    /// How much it may write besides, where the storage of the container runtime can limit it.
    #[schemars(example = &"1GiB")]
    #[serde(default)]
    pub disk: Option<String>,
    /// How many files each of its processes may have open.
    #[schemars(range(min = 16, max = 1048576))]
    #[serde(default)]
    pub nofile: Option<u32>,
    /// How what it prints is read.
    #[serde(default)]
    pub output: Output,
}

/// One element of a command, or several under a condition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Element {
    /// A text with placeholders.
    Text(#[schemars(example = &"{path}")] String),
    /// Elements that are only there under a condition.
    When(When),
}

/// Elements that are only there under a condition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// An argument: true where it is a boolean, there at all where it is anything else.
    #[schemars(example = &"verbose")]
    pub when: String,
    /// The elements; they may hold placeholders too.
    #[schemars(length(min = 1))]
    pub then: Vec<String>,
}

/// What a program reads from standard input.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Stdin {
    /// A text with placeholders. Where an argument in it is absent, there is no input.
    Text(#[schemars(example = &"{script}")] String),
    /// All arguments.
    Table(StdinTable),
}

/// All arguments as standard input.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdinTable {
    /// Hands over all arguments, as one line of JSON.
    pub json: bool,
}

/// The network a container would like to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Network {
    /// None at all.
    #[default]
    None,
    /// Everything the container runtime's bridge leads to.
    Bridge,
    /// That of the host.
    Host,
    /// The hosts that `[permissions]` names, and no others.
    AllowList,
}

/// Whom a program runs as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum User {
    /// The owner of the workspace, so that the files it makes belong to them.
    #[default]
    Workspace,
    /// A user who owns nothing.
    Nobody,
}

/// How what a program prints is read.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// What it is read as.
    #[serde(default)]
    pub format: Format,
    /// Where the result is printed.
    #[serde(default)]
    pub stream: Stream,
    /// What exit codes mean, by number. Where one is not listed, 0 is ok and every other has failed.
    #[serde(default)]
    pub exit_codes: BTreeMap<String, Exit>,
}

/// What output is read as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Format {
    /// Text: the result is `{"text": …}`.
    #[default]
    Text,
    /// One JSON value: an object is the result, anything else is `{"result": …}`.
    Json,
    /// Lines: the result is `{"lines": […]}`.
    Lines,
}

/// One of the streams a program prints to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// What an exit code means.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Exit {
    /// In a word.
    Word(Verdict),
    /// In a word, with what is told.
    Table(ExitTable),
}

/// What an exit code means and what is told.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExitTable {
    /// What it means.
    pub is: Verdict,
    /// What people and agents are told.
    #[schemars(example = &"no match")]
    #[serde(default)]
    pub message: Option<String>,
}

/// Whether a program did what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Verdict {
    /// It did.
    Ok,
    /// It failed, and would fail again.
    Failed,
    /// It failed, and may work later.
    Retryable,
    /// What it was asked for does not exist.
    NotFound,
    /// It was asked for something that makes no sense to it.
    InvalidArguments,
}
