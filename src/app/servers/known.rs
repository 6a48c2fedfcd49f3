//! What servers were found to be, written down so that their tools can be listed while none of them runs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::{McpPlace, McpServerConfig};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::{Digest, PluginName};
use crate::mcp::bridge::{Era, Seen, ServerTool};
use crate::schema::canonical;

/// The largest file that is read.
const MAX_FILE: u64 = 64 << 20;
/// The form of the file.
const VERSION: u32 = 1;

/// What a server was found to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownServer {
    version: u32,
    /// What it is, as it was declared: another program or URL is another server.
    place: Digest,
    /// Which lifecycle it has.
    pub era: Era,
    /// The revision of the protocol.
    pub protocol: String,
    /// Its name, as it gives it.
    pub name: Option<String>,
    /// How it wants its tools to be used.
    pub instructions: Option<String>,
    /// Its tools, as it wrote them.
    tools: Vec<Value>,
}

impl KnownServer {
    /// What it was just found to be.
    #[must_use]
    pub fn of(server: &McpServerConfig, seen: &Seen) -> Self {
        Self {
            version: VERSION,
            place: place(server),
            era: seen.era,
            protocol: seen.identity.protocol.clone(),
            name: seen.identity.name.clone(),
            instructions: seen.identity.instructions.clone(),
            tools: seen
                .listing
                .tools
                .iter()
                .map(|tool| tool.raw.clone())
                .collect(),
        }
    }

    /// Its tools.
    #[must_use]
    pub fn tools(&self) -> Vec<ServerTool> {
        self.tools
            .iter()
            .filter_map(|raw| ServerTool::read(raw).ok())
            .collect()
    }

    /// What stands for the bytes of an artifact: who it is, and what its tools say of themselves.
    pub(super) fn canonical(&self) -> String {
        canonical(&json!({
            "place": self.place.to_string(),
            "name": self.name,
            "instructions": self.instructions,
            "tools": self.tools,
        }))
    }

    /// What was written down of a server; nothing where it never was connected to, or was another one then.
    ///
    /// # Errors
    /// E3109 where what was written down is damaged.
    pub(super) fn read(
        folder: &Path,
        name: &PluginName,
        server: &McpServerConfig,
    ) -> Result<Option<Self>> {
        let path = file(folder, name);
        if !path.exists() {
            return Ok(None);
        }
        let text = fsx::read_text(&path, MAX_FILE)?;
        let damaged = |why: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(
                Code::E3109,
                format!("reading {}: it is damaged", path.display()),
            )
            .hint(format!(
                "Remove it; `toolhatch mcp test {name}` writes it anew."
            ))
            .caused_by(why)
        };
        let known: Self = serde_json::from_str(&text).map_err(|error| damaged(error.into()))?;
        if known.version > VERSION {
            return Err(damaged("a newer Toolhatch wrote it".into()));
        }
        Ok((known.place == place(server)).then_some(known))
    }

    pub(super) fn forget(folder: &Path, name: &PluginName) -> Result<()> {
        let path = file(folder, name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::new(
                Code::E3109,
                format!("removing {}", path.display()),
            )
            .caused_by(error)),
            _ => Ok(()),
        }
    }
}

fn file(folder: &Path, name: &PluginName) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// What tells a server from others, as it was declared. Secrets are no part of it.
fn place(server: &McpServerConfig) -> Digest {
    let text = match &server.place {
        McpPlace::Program {
            command,
            run,
            image,
            ..
        } => json!({"command": command, "run": run.word(), "image": image}),
        McpPlace::Service { url, .. } => json!({"url": url.to_string()}),
    };
    Digest::of(canonical(&text).as_bytes())
}

/// Writes down what a server shows of itself. What nobody has looked at yet is what it is; what differs from what was
/// written down stays out of use, because calls are bound to that.
pub(super) fn note(
    folder: &Path,
    name: &PluginName,
    server: &McpServerConfig,
    seen: &Seen,
) -> Result<()> {
    let now = KnownServer::of(server, seen);
    let before = KnownServer::read(folder, name, server)?;
    let now = match before {
        Some(before) if before.tools != now.tools => {
            tracing::warn!(server = %name, "a server has changed what it says of its tools");
            KnownServer {
                tools: before.tools,
                ..now
            }
        }
        Some(before) if before == now => return Ok(()),
        _ => now,
    };
    let text = serde_json::to_vec_pretty(&now)
        .map_err(|error| Error::new(Code::E3000, "writing down a server").caused_by(error))?;
    fsx::create_private_dir(folder)?;
    fsx::write_atomic(&file(folder, name), &text, 0o600)
}
