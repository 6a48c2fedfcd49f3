//! A question to the policies: who wants to do what, to which thing, under which circumstances.
//!
//! A [`Question`] is plain data with a version, so the audit record can keep it and a proposed policy can be asked the
//! same later. Every fact about a tool comes from the registry; nothing here is what a tool says of itself.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{Digest, ToolId};

/// One question, complete: two equal questions get the same answer from the same policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The version of the stored form.
    pub version: Version,
    /// Who asks.
    pub principal: Principal,
    /// What is to be done, and to what.
    pub ask: Ask,
    /// The tool in whose call a folder, connection, secret or container is wanted; `context.tool` in a policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Tool>,
    /// When, in seconds since 1970; hour and weekday follow from it.
    pub time: i64,
    /// What surrounds the call.
    #[serde(default)]
    pub environment: Environment,
    /// What the session has seen and done so far.
    #[serde(default)]
    pub session: SessionState,
}

/// The version of the stored form of a question; another one is refused when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version(());

impl Version {
    /// The only version there is.
    pub const CURRENT: Self = Self(());
}

impl Default for Version {
    fn default() -> Self {
        Self::CURRENT
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        1
    }
}

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            1 => Ok(Self(())),
            other => Err(format!(
                "a question of version {other}; this knows version 1"
            )),
        }
    }
}

/// Who asks. The most specific of plugin, session, agent and user is the principal; the others are its parents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// The person the work is done for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The agent that decides what to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The session the call belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The plugin that makes the call itself, from inside one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Caller>,
}

/// A plugin that calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub origin: Origin,
}

/// What is to be done, with the thing it is done to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", deny_unknown_fields)]
pub enum Ask {
    /// A tool is called.
    #[serde(rename = "tool.invoke")]
    Invoke {
        /// The tool.
        resource: Tool,
        /// The arguments, as they were validated.
        #[serde(default)]
        args: Arc<Value>,
    },
    /// A tool is shown in a list.
    #[serde(rename = "tool.list")]
    List {
        /// The tool.
        resource: Tool,
    },
    /// A folder or file is given to a call.
    #[serde(rename = "fs.mount")]
    Mount {
        /// What is mounted.
        resource: PathTarget,
    },
    /// A connection is opened.
    #[serde(rename = "net.connect")]
    Connect {
        /// Where to.
        resource: HostTarget,
    },
    /// A container is run.
    #[serde(rename = "exec.container")]
    Container {
        /// The image.
        resource: ImageTarget,
    },
    /// A secret is read or put into a request.
    #[serde(rename = "secret.read")]
    Secret {
        /// Which one.
        resource: SecretTarget,
    },
    /// An MCP server is added.
    #[serde(rename = "mcp.register")]
    Register {
        /// The server.
        resource: ServerTarget,
    },
}

impl Ask {
    /// The action in general: `tool.invoke` for a call of any tool.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Invoke { .. } => "tool.invoke",
            Self::List { .. } => "tool.list",
            Self::Mount { .. } => "fs.mount",
            Self::Connect { .. } => "net.connect",
            Self::Container { .. } => "exec.container",
            Self::Secret { .. } => "secret.read",
            Self::Register { .. } => "mcp.register",
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoke { resource, .. } => write!(f, "tool.invoke of {}", resource.id),
            Self::List { resource } => write!(f, "tool.list of {}", resource.id),
            Self::Mount { resource } => write!(f, "fs.mount of {:?}", resource.path),
            Self::Connect { resource } => {
                write!(f, "net.connect to {}:{}", resource.name, resource.port)
            }
            Self::Container { resource } => write!(f, "exec.container of {}", resource.reference),
            Self::Secret { resource } => write!(f, "secret.read of {}", resource.name),
            Self::Register { resource } => write!(f, "mcp.register of {}", resource.name),
        }
    }
}

/// What the registry knows of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its id; the source is `resource.plugin`, the rest `resource.name`.
    pub id: ToolId,
    /// What kind of thing it is.
    pub origin: Origin,
    /// The version of its plugin or server, as text.
    pub version: String,
    /// The digest of the pinned artifact or descriptor.
    pub digest: Digest,
    /// How much harm a call can do.
    pub risk: Risk,
    /// A second call with the same arguments changes nothing more.
    #[serde(default)]
    pub idempotent: bool,
    /// It has no effects at all.
    #[serde(default)]
    pub pure: bool,
    /// Its results hold content that nobody here vouches for.
    #[serde(default)]
    pub untrusted_output: bool,
    /// Where it stands between its release and its removal.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Words a person or the registry put on it.
    #[serde(default)]
    pub tags: BTreeSet<String>,
    /// A trusted signature was verified.
    #[serde(default)]
    pub signed: bool,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $(#[serde(rename = $word)] $(#[$case_doc])* $case,)*
        }

        impl $name {
            /// Every word there is.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// The word a policy uses for it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$case => $word,)* }
            }
        }
    };
}

words! {
    /// How much harm a call can do.
    Risk {
        /// Little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// Much.
        High = "high",
    }
}

words! {
    /// Where a tool stands between its release and its removal.
    #[derive(Default)]
    Lifecycle {
        /// In use.
        #[default]
        Active = "active",
        /// Works, but has a replacement.
        Deprecated = "deprecated",
        /// Its last day is over.
        Sunset = "sunset",
        /// Taken away.
        Removed = "removed",
    }
}

words! {
    /// What kind of thing a tool is.
    Origin {
        /// A plugin that is a component.
        Wasm = "wasm",
        /// A tool of an MCP server.
        Mcp = "mcp",
        /// A command in a container.
        Docker = "docker",
        /// A component without a manifest.
        File = "file",
    }
}

words! {
    /// What may be done to files.
    Access {
        /// Read only.
        Read = "read",
        /// Read and write.
        Write = "write",
    }
}

/// A file or folder on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathTarget {
    /// The absolute path, resolved.
    pub path: String,
    /// What may be done to it.
    pub access: Access,
    /// Where the tool sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
}

/// The far end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostTarget {
    /// The name, or the address where there is no name.
    pub name: String,
    /// The port.
    pub port: u16,
    /// The address the name led to, where that is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// A secret, by name; its value never comes near a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretTarget {
    /// The name.
    pub name: String,
    /// The host it would be sent to, where it is put into a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTarget {
    /// The reference it was asked for by.
    pub reference: String,
    /// Its digest, where it is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// An MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTarget {
    /// The name a person gave it.
    pub name: String,
}

/// What surrounds a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// A person is there and can be asked.
    pub interactive: bool,
    /// Nobody is there.
    pub headless: bool,
}

/// What the session has seen and done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionState {
    /// A tool whose output nobody vouches for has run.
    pub tainted: bool,
    /// Labels the session has collected.
    pub labels: BTreeSet<String>,
    /// How many calls were made before this one.
    pub calls: u32,
    /// Something has been sent to the network.
    pub egress: bool,
}

impl Question {
    /// Reads a stored question.
    ///
    /// # Errors
    /// The text is not JSON, is of another version, or has other fields.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The stored form, as a JSON value.
    #[must_use]
    pub fn to_json(&self) -> Value {
        // Only maps with keys that are no text fail, and there are none.
        serde_json::to_value(self).unwrap_or_default()
    }
}
