//! What an executor is: traits and plain data, nothing that runs.
//!
//! An executor gets a [`Job`] and returns one [`Outcome`]. Everything it wants to tell meanwhile (progress, logs, output,
//! what it touched, what was denied) goes into the job's [`EventSink`].

mod capture;
mod command_end;
mod commands;
mod content;
mod dialogue;
pub mod direct;
pub mod docker;
mod egress;
mod events;
mod input;
mod invoker;
mod key_value;
mod launch;
mod mux;
mod outcome;
mod places;
mod program;
mod queue;
mod reading;
mod resident;
mod sandbox;
mod session;
pub mod ssh;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub use capture::Capture;
pub use command_end::CommandEnd;
pub use commands::{CommandFailure, Commands, FinishedCommand, GuestCommand};
pub use content::{Content, Output, PromptFrame, ResourceBody, Role};
pub use events::{Backlog, Effect, Event, EventLimits, EventSink, Events, LogLevel, Stdio};
pub use input::{
    Ask, Askable, Asking, Input, InputAnswer, InputNeeded, InputRequest, Inquiry, Respondent,
};
pub use invoker::{InvokeFailure, Invoked, Invoker};
pub use key_value::{
    KeyValue, KeyValueFailure, KeyWrite, MAX_KEY, MAX_KEYS, MAX_VALUE, StateWritten, Written,
    check_key, check_value,
};
pub use launch::{Launch, Launched, Launcher, Program};
pub use mux::{Mux, Obstructed};
pub use outcome::{Ended, Frame, LimitKind, Outcome, ToolError, ToolErrorKind, Usage, bytes};
pub use places::PlaceRules;
pub use sandbox::{Changes, Reading, SandboxMount, SandboxSpec};

use crate::error::Error;
use crate::ids::{CallId, Digest, PluginName, ToolId};
use crate::manifest::container::ContainerSpec;
use crate::manifest::limits::Limits;
use crate::permission::{Action, Scope, Sensitive};
use crate::schema::{Function, Value};

/// A folder or file that a guest sees, and where.
///
/// Where something appears is not part of a scope: what may be done with it is decided by [`Job::scope`] alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// The canonical path on the host.
    pub host: PathBuf,
    /// The path the guest uses, absolute or as it was typed.
    pub guest: String,
}

/// The bytes of a component and their digest.
#[derive(Clone)]
pub struct Artifact {
    /// The SHA-256 of the bytes.
    pub digest: Digest,
    /// The component, as it was packed; clones share it.
    pub bytes: Bytes,
}

impl Artifact {
    /// Takes the digest of the bytes.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self {
            digest: Digest::of(&bytes),
            bytes,
        }
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact")
            .field("digest", &self.digest)
            .field("size", &self.bytes.len())
            .finish()
    }
}

/// What of an artifact is called.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A tool of a component that exports `toolhatch:plugin/tools`.
    Plugin {
        /// Its name.
        tool: String,
    },
    /// A prompt of a plugin.
    Prompt {
        /// Its name.
        name: String,
    },
    /// The resources of a plugin, one of which is read.
    Resource,
    /// What a plugin proposes for arguments.
    Completion,
    /// An exported function of any component.
    Function(Arc<Function>),
    /// A command in a container, as its author wrote it.
    Container(Arc<ContainerSpec>),
    /// Any command in any container, as whoever calls it says: the tool `sandbox.run`.
    Sandbox,
    /// A tool of a server that somebody else wrote.
    Server {
        /// The server, by the name that a person gave it.
        server: PluginName,
        /// The tool, as the server names it.
        tool: String,
        /// The digest of what the server says of it.
        digest: Digest,
    },
}

/// Arguments that were checked against what the tool takes.
#[derive(Debug, Clone)]
pub enum Arguments {
    /// A JSON object that fits the tool's input schema.
    Json(Arc<serde_json::Value>),
    /// One value for each parameter of the function.
    Values(Vec<Value>),
    /// What is run, and what it gets.
    Command(Arc<SandboxSpec>),
}

/// One call, authorised and admitted, ready to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Joins result, records and logs.
    pub call: CallId,
    /// What is run.
    pub artifact: Artifact,
    /// Which part of it.
    pub entry: Entry,
    /// The arguments, already checked.
    pub arguments: Arguments,
    /// What it was told since it was run first, and what it can ask.
    pub input: Input,
    /// The effective scope; whatever it does not contain is denied.
    pub scope: Arc<Scope>,
    /// What is refused even inside a granted folder.
    pub sensitive: Arc<Sensitive>,
    /// What appears where in the guest's file system.
    pub mounts: Vec<Mount>,
    /// What the manifest would have appear and nobody granted: to tell what a guest meant by a path that is not there.
    pub wanted: Vec<Mount>,
    /// Environment variables, by name; only granted ones.
    pub env: Vec<(String, String)>,
    /// Values for `wasi:config`.
    pub config: Vec<(String, String)>,
    /// Freezes clocks and random numbers and counts fuel.
    pub deterministic: bool,
    /// The tool of another call waits for this one, and has what calls are numbered for.
    pub is_inner: bool,
    /// Whose instance it uses, where one is kept between calls.
    pub kept: Option<InstanceOwner>,
    /// The limits of the call.
    pub limits: Limits,
    /// Cancels the call when triggered.
    pub cancel: CancellationToken,
    /// Where progress, logs, output and effects go.
    pub events: Arc<EventSink>,
    /// Asked about each connection that the scope allows.
    pub veto: Option<Arc<dyn Veto>>,
    /// Asked before each request to another machine, and told how it went.
    pub services: Option<Arc<dyn Services>>,
    /// Runs commands on behalf of a guest; nothing where none may be run.
    pub commands: Option<Arc<dyn Commands>>,
    /// Keeps state between calls of a plugin; nothing where none may be kept.
    pub key_value: Option<Arc<dyn KeyValue>>,
    /// Calls other tools on behalf of a guest; nothing where none may be called.
    pub invoker: Option<Arc<dyn Invoker>>,
    /// Has questions answered while it runs; nothing where it cannot ask.
    pub asking: Option<Arc<dyn Asking>>,
}

impl Job {
    /// A command by itself, with nothing granted and nobody listening: to look at a sandbox, not to run anything.
    #[must_use]
    pub fn of_command(spec: SandboxSpec, limits: &Limits, sensitive: &Sensitive) -> Self {
        Self {
            call: CallId::generate(),
            artifact: Artifact::new(Bytes::new()),
            entry: Entry::Sandbox,
            arguments: Arguments::Command(Arc::new(spec)),
            input: Input::default(),
            scope: Arc::default(),
            sensitive: Arc::new(sensitive.clone()),
            mounts: Vec::new(),
            wanted: Vec::new(),
            env: Vec::new(),
            config: Vec::new(),
            deterministic: false,
            is_inner: false,
            kept: None,
            limits: limits.clone(),
            cancel: CancellationToken::new(),
            events: Arc::new(EventSink::new(EventLimits::default())),
            veto: None,
            services: None,
            commands: None,
            key_value: None,
            invoker: None,
            asking: None,
        }
    }
}

/// Whose instance of a component is kept between calls: of one session, of whoever makes calls in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceOwner {
    /// The session.
    pub session: String,
    /// Who makes the calls.
    pub principal: String,
    /// For how long it is kept when no call comes.
    pub idle: Duration,
}

/// Says no to things that the scope allows: policy, as far as executors see it.
pub trait Veto: Send + Sync + fmt::Debug {
    /// Decides on an action; `Err` is the sentence that tells why not.
    ///
    /// # Errors
    /// The reason, for people.
    fn check<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, Result<(), String>>;
}

/// Spares services that keep failing: other machines that tools send requests to.
pub trait Services: Send + Sync + fmt::Debug {
    /// Asks to send one request to a service, named `host:port`.
    ///
    /// # Errors
    /// E3501 where the service is left alone for now.
    fn begin<'a>(
        &'a self,
        service: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn ServiceRequest>, Error>>;
}

/// A request to a service. Dropped without an end, it says nothing about the service.
pub trait ServiceRequest: Send {
    /// Tells whether the service answered as one that works.
    fn end(self: Box<Self>, works: bool);
}

/// What a person is asked about a call that needs their approval.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The id of the question.
    pub id: String,
    /// The tool.
    pub tool: ToolId,
    /// Its artifact.
    pub digest: Digest,
    /// The arguments, as JSON.
    pub arguments: String,
    /// What the call may do, in plain words.
    pub may: Vec<String>,
    /// Why a person is asked.
    pub why: Vec<String>,
}

/// Somebody who can be asked while a call waits: a person at a terminal. Never the one who asked for the call.
pub trait Approver: Send + Sync {
    /// Asks; the answer is yes or no, or nothing where nobody answers.
    fn approve<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Option<bool>>;

    /// Who answers, as it is written down.
    fn name(&self) -> String;
}

/// A future that can be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to run a tool.
pub trait Executor: Send + Sync {
    /// Runs the job to its end. Dropping the future cancels it; so does [`Job::cancel`], and the deadline.
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome>;
}
