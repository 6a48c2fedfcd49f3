//! What is known of servers without connecting to them: what is pinned of each, and which lifecycle it had the last time.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::config::{McpPlace, McpRun, McpServerConfig};
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::{Digest, PluginName};
use crate::manifest::image::ImageRef;
use crate::mcp::bridge::{Era, Seen, ServerTool};
use crate::pins::{
    Drift, FILE, FirstSight, Lock, PinnedServer, SeenServer, ServerIdentity, ServerInfo, State,
    Verdict,
};

/// The largest file of what is remembered.
const MAX_FILE: u64 = 64 << 10;

/// What is known of a server.
#[derive(Debug, Clone)]
pub struct KnownServer {
    /// What is pinned of it.
    pub pinned: PinnedServer,
    /// Which lifecycle it had the last time.
    pub era: Option<Era>,
    /// The revision of the protocol it spoke the last time.
    pub protocol: Option<String>,
}

impl KnownServer {
    /// What is known of a server; nothing where nothing is pinned of it.
    pub(super) fn of(home: &Path, name: &PluginName, lock: &Lock) -> Option<Self> {
        let last = Remembered::read(home, name);
        Some(Self {
            pinned: lock.server(name.as_str())?.clone(),
            era: last.as_ref().map(|last| last.era),
            protocol: last.map(|last| last.protocol),
        })
    }

    /// The tools that a person agreed to and that were there when it was last seen, in the form they agreed to.
    #[must_use]
    pub fn tools(&self) -> Vec<ServerTool> {
        self.pinned
            .tools
            .values()
            .filter(|tool| matches!(tool.state, State::Accepted | State::Quarantined))
            .filter_map(|tool| ServerTool::read(tool.descriptor.value()).ok())
            .collect()
    }

    /// What waits for a person.
    #[must_use]
    pub fn pending(&self) -> Drift {
        self.pinned.pending()
    }
}

/// What makes connecting to a server quicker the next time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    era: Era,
    protocol: String,
}

impl Remembered {
    /// Nothing where there is nothing that can be read: it is found out again then.
    fn read(home: &Path, name: &PluginName) -> Option<Self> {
        let text = fsx::read_text(&remembered(home, name), MAX_FILE).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn write(&self, home: &Path, name: &PluginName) -> Result<()> {
        if Self::read(home, name).as_ref() == Some(self) {
            return Ok(());
        }
        let text = serde_json::to_vec(self).map_err(|error| {
            Error::new(Code::E3000, "writing down how a server is spoken to").caused_by(error)
        })?;
        let path = remembered(home, name);
        if let Some(folder) = path.parent() {
            fsx::create_private_dir(folder)?;
        }
        fsx::write_atomic(&path, &text, 0o600)
    }
}

fn remembered(home: &Path, name: &PluginName) -> PathBuf {
    home.join("mcp").join(format!("{name}.json"))
}

/// Which lifecycle a server had the last time.
pub(super) fn era(home: &Path, name: &PluginName) -> Option<Era> {
    Some(Remembered::read(home, name)?.era)
}

/// Forgets all that is known of a server.
pub(super) fn forget(home: &Path, name: &PluginName) -> Result<()> {
    Lock::update(home, |lock| {
        lock.remove(name.as_str());
        Ok(())
    })?;
    match std::fs::remove_file(remembered(home, name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::new(
            Code::E3000,
            format!("forgetting how {name} is spoken to"),
        )
        .caused_by(error)),
        _ => Ok(()),
    }
}

/// How a server is started or reached, as it was declared. A program that an interpreter runs is not in the interpreter's
/// file, and that changes with every update of the system: so the file is not looked at.
pub(super) fn identity(server: &McpServerConfig) -> ServerIdentity {
    match &server.place {
        McpPlace::Service { url, .. } => ServerIdentity::http(url),
        McpPlace::Program {
            command,
            run,
            image,
            ..
        } => {
            let mut words = command.iter().cloned();
            let command = words.next().unwrap_or_default();
            let arguments = words.collect();
            match run {
                McpRun::Process => ServerIdentity::Stdio {
                    command,
                    arguments,
                    program: None,
                },
                McpRun::Container => ServerIdentity::Container {
                    image: image_digest(image.as_deref().unwrap_or_default()),
                    command,
                    arguments,
                },
            }
        }
    }
}

/// The digest that an image is named by; of one that is named by a tag, that of its name.
fn image_digest(image: &str) -> Digest {
    let named = ImageRef::parse(image).ok();
    let digest = named.as_ref().and_then(ImageRef::digest);
    digest
        .and_then(|digest| digest.parse().ok())
        .unwrap_or_else(|| Digest::of(image.as_bytes()))
}

/// A server as it shows itself, in the form that is pinned.
pub(super) fn shown(server: &McpServerConfig, seen: &Seen) -> Result<SeenServer> {
    let raw = &seen.identity.raw;
    let info = raw.get("serverInfo").or_else(|| {
        let meta = raw.get("_meta")?;
        meta.get("io.modelcontextprotocol/serverInfo")
    });
    let info = info.cloned().unwrap_or_default();
    let info = ServerInfo::new(&info, raw.get("instructions"))?;
    let tools = seen.listing.tools.iter().map(|tool| tool.raw.clone());
    Ok(SeenServer::new(identity(server), info, tools))
}

/// Writes down what a server shows of itself. What was never seen before is pinned: a person declared the server. What
/// differs from what is pinned waits for a person.
pub(super) fn note(
    home: &Path,
    name: &PluginName,
    shown: &SeenServer,
    seen: &Seen,
) -> Result<Drift> {
    let last = Remembered {
        era: seen.era,
        protocol: seen.identity.protocol.clone(),
    };
    last.write(home, name)?;
    Lock::update(home, |lock| {
        lock.see(name.as_str(), shown, FirstSight::Pin, SystemTime::now())
    })
}

/// Fails where a server would not be started or reached as a person agreed to.
pub(super) fn check_identity(
    home: &Path,
    name: &PluginName,
    server: &McpServerConfig,
) -> Result<()> {
    let identity = identity(server);
    let changed = Lock::update(home, |lock| {
        Ok(lock.see_identity(name.as_str(), &identity, SystemTime::now()))
    })?;
    if changed.is_empty() {
        return Ok(());
    }
    let fields: Vec<&str> = changed.iter().map(|field| field.words()).collect();
    Err(put_aside(
        name,
        &format!(
            "it is not what was agreed to: {} changed",
            fields.join(", ")
        ),
    ))
}

/// Fails where a tool is put aside, or where it is not known what it is.
pub(super) fn check(
    name: &PluginName,
    tool: &str,
    verdicts: &BTreeMap<String, Verdict>,
) -> Result<()> {
    match verdicts.get(tool) {
        Some(Verdict::Usable) => Ok(()),
        None => Err(unknown(name, tool)),
        Some(Verdict::Quarantined(reason)) => {
            Err(put_aside(name, &reason.to_string()).while_doing(format!("calling {name}.{tool}")))
        }
    }
}

/// A tool that was not compared with what was agreed to.
pub(super) fn unknown(name: &PluginName, tool: &str) -> Error {
    put_aside(name, "nobody has agreed to it").while_doing(format!("calling {name}.{tool}"))
}

fn put_aside(name: &PluginName, why: &str) -> Error {
    Error::new(Code::E3109, format!("it is put aside, because {why}")).hint(format!(
        "`toolhatch mcp show {name}` shows the difference, and `toolhatch mcp accept {name}` accepts it."
    ))
}

/// Tells one state of what is pinned from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(Option<(u64, u64, u128)>);

impl Stamp {
    pub(super) fn of(home: &Path) -> Self {
        let found = std::fs::metadata(home.join(FILE)).ok();
        Self(found.map(|found| {
            let changed = found.modified().unwrap_or(UNIX_EPOCH);
            let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
            (found.ino(), found.len(), since.as_nanos())
        }))
    }
}
