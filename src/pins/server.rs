//! A server as it was seen, and as it is pinned.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::descriptor::ToolDescriptor;
use super::drift::{Drift, ServerField, ToolDrift, compare};
use super::identity::{ServerIdentity, ServerInfo, ServerRecord};
use super::visible::visible;
use crate::audit::rfc3339;
use crate::error::{Code, Error, Result};
use crate::ids::Digest;
use crate::schema::canonical;

/// The most tools of one server.
pub const MAX_TOOLS: usize = 4096;
/// The longest descriptions of all tools of a server together, in bytes.
pub const MAX_SERVER: usize = 4 << 20;

/// A tool that is not taken as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name, where it has one that can be shown.
    pub name: Option<String>,
    /// Why.
    pub why: String,
}

/// A server as it shows itself now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenServer {
    /// What it is, and what it says of itself.
    pub record: ServerRecord,
    /// Its tools, by name.
    pub tools: BTreeMap<String, ToolDescriptor>,
    /// The tools that nothing can be done with. One of them does not spoil the others.
    pub refused: Vec<Refused>,
}

impl SeenServer {
    /// Takes what the server listed, object by object. What is listed twice in two forms is taken in neither: nobody
    /// knows which of them would be called. No more is taken than [`MAX_TOOLS`] and [`MAX_SERVER`].
    #[must_use]
    pub fn new(
        identity: ServerIdentity,
        info: ServerInfo,
        listed: impl IntoIterator<Item = Value>,
    ) -> Self {
        let mut tools: BTreeMap<String, ToolDescriptor> = BTreeMap::new();
        let mut refused = Vec::new();
        let mut twice = BTreeSet::new();
        let mut size = 0;
        for value in listed {
            let name = value.get("name").and_then(Value::as_str);
            let name = name.map(|name| visible(&name.chars().take(80).collect::<String>()));
            let tool = match ToolDescriptor::new(value) {
                Ok(tool) => tool,
                Err(error) => {
                    let why = error.to_string();
                    refused.push(Refused { name, why });
                    continue;
                }
            };
            if let Some(other) = tools.get(tool.name()) {
                if *other != tool {
                    twice.insert(tool.name().to_owned());
                }
                continue;
            }
            size += tool.size();
            if tools.len() == MAX_TOOLS || size > MAX_SERVER {
                let why = format!(
                    "the server lists more than {MAX_TOOLS} tools, or more than {MAX_SERVER} bytes of them"
                );
                refused.push(Refused { name, why });
                break;
            }
            tools.insert(tool.name().to_owned(), tool);
        }
        for name in twice {
            tools.remove(&name);
            let why = "the server lists it twice, with two descriptions".to_owned();
            let name = Some(visible(&name));
            refused.push(Refused { name, why });
        }
        Self {
            record: ServerRecord { identity, info },
            tools,
            refused,
        }
    }
}

/// What became of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// When it was last seen it was what a person agreed to.
    Accepted,
    /// When it was last seen it was something else.
    Quarantined,
    /// It was seen, and nobody has agreed to it.
    New,
    /// A person agreed to it, and when it was last looked for it was not there.
    Removed,
}

/// Something that differed from what is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting<T> {
    /// What it was.
    pub what: T,
    /// When it was first seen so, in RFC 3339.
    pub at: String,
}

/// A tool as it is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedTool {
    /// What a person agreed to; of a new one, what it was when it was last seen.
    pub descriptor: ToolDescriptor,
    /// When that was, in RFC 3339.
    pub since: String,
    /// What became of it.
    pub state: State,
    /// The last difference. It stays when the tool is again what it was, until a person accepts that.
    pub seen: Option<Sighting<ToolDescriptor>>,
}

/// A server as it is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedServer {
    /// What a person agreed to; of a new one, what it was when it was last seen. The version is that of the last look.
    pub record: ServerRecord,
    /// When that was, in RFC 3339.
    pub since: String,
    /// What became of it; never [`State::Removed`].
    pub state: State,
    /// The last difference. It stays when the server is again what it was, until a person accepts that.
    pub seen: Option<Sighting<ServerRecord>>,
    /// Its tools, by name.
    pub tools: BTreeMap<String, PinnedTool>,
}

/// What of a drift a person accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// All of it.
    All,
    /// Some of it.
    Some {
        /// The server itself.
        server: bool,
        /// These tools; of a renamed one, either name.
        tools: BTreeSet<String>,
    },
}

impl Choice {
    fn has_server(&self) -> bool {
        matches!(self, Self::All | Self::Some { server: true, .. })
    }

    fn has_tool(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some { tools, .. } => tools.contains(name),
        }
    }

    fn has_drift(&self, drift: &ToolDrift) -> bool {
        match self {
            Self::All => true,
            Self::Some { tools, .. } => tools.iter().any(|name| drift.is_of(name)),
        }
    }
}

impl PinnedServer {
    /// A server that a person adds, as it is now. What could not be taken of it is not pinned, and is new when it comes.
    #[must_use]
    pub fn pin(seen: &SeenServer, now: SystemTime) -> Self {
        Self::first(seen, State::Accepted, now)
    }

    /// A server that nobody has agreed to yet.
    #[must_use]
    pub fn unknown(seen: &SeenServer, now: SystemTime) -> Self {
        Self::first(seen, State::New, now)
    }

    fn first(seen: &SeenServer, state: State, now: SystemTime) -> Self {
        let since = rfc3339(now);
        let tools = seen.tools.iter().map(|(name, descriptor)| {
            let tool = PinnedTool {
                descriptor: descriptor.clone(),
                since: since.clone(),
                state,
                seen: None,
            };
            (name.clone(), tool)
        });
        Self {
            tools: tools.collect(),
            record: seen.record.clone(),
            since,
            state,
            seen: None,
        }
    }

    /// What it was when it was last seen, for listing its tools while it does not run. Whoever knows how it would be
    /// started now writes that into the record.
    #[must_use]
    pub fn last_seen(&self) -> SeenServer {
        let tools = self.tools.iter().filter_map(|(name, tool)| {
            let descriptor = match (tool.state, &tool.seen) {
                (State::Removed, _) => return None,
                (State::Quarantined, Some(seen)) => &seen.what,
                _ => &tool.descriptor,
            };
            Some((name.clone(), descriptor.clone()))
        });
        let record = match (self.state, &self.seen) {
            (State::Quarantined, Some(seen)) => &seen.what,
            _ => &self.record,
        };
        SeenServer {
            record: record.clone(),
            tools: tools.collect(),
            refused: Vec::new(),
        }
    }

    /// What waits for a person: how it differed from what is pinned when it was last seen.
    #[must_use]
    pub fn pending(&self) -> Drift {
        compare(self, &self.last_seen())
    }

    /// Writes down what was seen, and gives what of it differs. What is pinned stays what it is.
    pub fn see(&mut self, seen: &SeenServer, now: SystemTime) -> Drift {
        let drift = compare(self, seen);
        let at = rfc3339(now);
        self.see_record(&seen.record, &at);
        for (name, tool) in &mut self.tools {
            let Some(descriptor) = seen.tools.get(name) else {
                tool.state = match tool.state {
                    State::New => State::New,
                    _ => State::Removed,
                };
                continue;
            };
            if tool.state == State::New {
                tool.descriptor = descriptor.clone();
            } else if tool.descriptor == *descriptor {
                tool.state = State::Accepted;
            } else {
                tool.state = State::Quarantined;
                note(&mut tool.seen, descriptor, &at);
            }
        }
        // What nobody agreed to and is gone was never there: a server cannot fill the file with names.
        self.tools
            .retain(|name, tool| tool.state != State::New || seen.tools.contains_key(name));
        for (name, descriptor) in &seen.tools {
            self.tools
                .entry(name.clone())
                .or_insert_with(|| PinnedTool {
                    descriptor: descriptor.clone(),
                    since: at.clone(),
                    state: State::New,
                    seen: None,
                });
        }
        drift
    }

    /// Writes down how it would be started or reached, before that is done, and gives what of it differs: a program that
    /// is not the one a person agreed to need not be started to be put aside.
    pub fn see_identity(&mut self, identity: &ServerIdentity, now: SystemTime) -> Vec<ServerField> {
        let mut record = self.last_seen().record;
        record.identity.clone_from(identity);
        let fields = if self.state == State::New {
            Vec::new()
        } else {
            ServerField::of_identities(&self.record.identity, identity)
        };
        self.see_record(&record, &rfc3339(now));
        fields
    }

    fn see_record(&mut self, record: &ServerRecord, at: &str) {
        if self.state == State::New {
            self.record = record.clone();
        } else if self.record.digest() == record.digest() {
            self.state = State::Accepted;
            self.record.info.version.clone_from(&record.info.version);
        } else {
            self.state = State::Quarantined;
            // With another version alone, it is the same difference.
            match &mut self.seen {
                Some(seen) if seen.what.digest() == record.digest() => {
                    seen.what.info.version.clone_from(&record.info.version);
                }
                _ => note(&mut self.seen, record, at),
            }
        }
    }

    /// Pins what waits, as far as it was chosen, and forgets the differences of what is again as it was. `shown` is what
    /// the person was shown: [`PinnedServer::pending`] at that time.
    ///
    /// # Errors
    /// E3908 where something that was chosen is not what was shown any more; E3101 where nothing is known of a tool of that
    /// name. Then nothing is pinned.
    pub fn accept(&mut self, choice: &Choice, shown: &Drift, now: SystemTime) -> Result<()> {
        let waits = self.pending();
        let chosen_of = |drift: &Drift| -> Vec<ToolDrift> {
            let tools = drift.tools.iter();
            tools
                .filter(|tool| choice.has_drift(tool))
                .cloned()
                .collect()
        };
        let chosen = chosen_of(&waits);
        let is_same = (!choice.has_server() || waits.server == shown.server)
            && chosen == chosen_of(shown)
            && (*choice != Choice::All || waits == *shown);
        if !is_same {
            return Err(Error::new(
                Code::E3908,
                "accepting changes of a server: it has changed again since they were shown",
            )
            .hint("Look at the changes again."));
        }
        if let Choice::Some { tools, .. } = choice {
            let is_known = |name: &&String| {
                self.tools.contains_key(*name) || chosen.iter().any(|tool| tool.is_of(name))
            };
            if let Some(name) = tools.iter().find(|name| !is_known(name)) {
                return Err(Error::new(
                    Code::E3101,
                    format!(
                        "accepting changes of a server: it has no tool `{}`",
                        visible(name)
                    ),
                ));
            }
        }
        let at = rfc3339(now);
        if choice.has_server() {
            if let Some(drift) = &waits.server {
                self.record = drift.seen().clone();
                self.since.clone_from(&at);
            }
            self.state = State::Accepted;
            self.seen = None;
        }
        for drift in &chosen {
            if let Some(pinned) = drift.pinned() {
                self.tools.remove(pinned.name());
            }
            if let Some(seen) = drift.seen() {
                let tool = PinnedTool {
                    descriptor: seen.clone(),
                    since: at.clone(),
                    state: State::Accepted,
                    seen: None,
                };
                self.tools.insert(seen.name().to_owned(), tool);
            }
        }
        for (name, tool) in &mut self.tools {
            if tool.state == State::Accepted && choice.has_tool(name) {
                tool.seen = None;
            }
        }
        Ok(())
    }

    /// All that a person agreed to, as one text: what stands for the bytes of an artifact. It stays the same until a person
    /// accepts something, whatever the server says meanwhile.
    #[must_use]
    pub fn canonical(&self) -> String {
        let agreed = self.tools.iter();
        let agreed = agreed.filter(|(_, tool)| tool.state != State::New);
        let tools: Map<String, Value> = agreed
            .map(|(name, tool)| (name.clone(), tool.descriptor.value().clone()))
            .collect();
        let server = (self.state != State::New).then(|| self.record.pinned_form());
        canonical(&json!({"toolhatch": "mcp pins v1", "server": server, "tools": tools}))
    }

    /// The SHA-256 of [`PinnedServer::canonical`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }
}

/// Keeps the moment that a difference was first seen.
fn note<T: Clone + PartialEq>(seen: &mut Option<Sighting<T>>, what: &T, at: &str) {
    if seen.as_ref().is_none_or(|seen| seen.what != *what) {
        *seen = Some(Sighting {
            what: what.clone(),
            at: at.to_owned(),
        });
    }
}
