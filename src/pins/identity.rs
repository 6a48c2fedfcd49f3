//! What a server is, and what it says of itself.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Code, Error, Result};
use crate::ids::Digest;
use crate::schema::canonical;
use crate::web::Endpoint;

/// The longest instructions, in bytes.
pub const MAX_INSTRUCTIONS: usize = 256 << 10;
/// The longest name, title or version, in bytes.
const MAX_NAME: usize = 1 << 10;

const SERVER: &[u8] = b"toolhatch mcp server v1\n";

/// How a server is started or reached, as the person's own configuration says and as this machine finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerIdentity {
    /// A process of this machine.
    Stdio {
        /// The program, as it was written down.
        command: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// The SHA-256 of the program's file, where it can be found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<Digest>,
    },
    /// A process in a container.
    Container {
        /// The digest of the image.
        image: Digest,
        /// The program, as it was written down.
        command: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// A service behind HTTP.
    Http {
        /// Its origin and path.
        url: String,
    },
}

impl ServerIdentity {
    /// The service behind an address. Its query is no part of it: people put keys there.
    #[must_use]
    pub fn http(address: &Endpoint) -> Self {
        Self::Http {
            url: address.service(),
        }
    }
}

/// What a server says of itself. Nothing else that it says of itself is pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerInfo {
    /// Its name.
    pub name: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its version as it was told last. It may change.
    pub version: String,
    /// What it tells models of how to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

impl ServerInfo {
    /// Takes `serverInfo` and `instructions` of an answer to `initialize` or `server/discover`. What is not there is empty.
    ///
    /// # Errors
    /// E3508 where something of it is no text, or too long.
    pub fn new(server_info: &Value, instructions: Option<&Value>) -> Result<Self> {
        let text = |value: Option<&Value>, what: &str, most: usize| -> Result<Option<String>> {
            let malformed =
                |why: String| Error::new(Code::E3508, format!("reading a server's {what}: {why}"));
            match value {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) if text.len() <= most => Ok(Some(text.clone())),
                Some(Value::String(_)) => Err(malformed(format!("it is longer than {most} bytes"))),
                Some(_) => Err(malformed("it is not a string".to_owned())),
            }
        };
        let field = |name: &str| text(server_info.get(name), name, MAX_NAME);
        Ok(Self {
            name: field("name")?.unwrap_or_default(),
            title: field("title")?,
            version: field("version")?.unwrap_or_default(),
            instructions: text(instructions, "instructions", MAX_INSTRUCTIONS)?,
        })
    }
}

/// A server, as it is and as it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerRecord {
    /// How it is started or reached.
    pub identity: ServerIdentity,
    /// What it says of itself.
    pub info: ServerInfo,
}

impl ServerRecord {
    /// What is pinned of it: all but its version.
    pub(super) fn pinned_form(&self) -> Value {
        json!({
            "identity": self.identity,
            "name": self.info.name,
            "title": self.info.title,
            "instructions": self.info.instructions,
        })
    }

    /// The SHA-256 of what is pinned of it, which does not differ with its version.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_pieces([SERVER, canonical(&self.pinned_form()).as_bytes()])
    }
}
