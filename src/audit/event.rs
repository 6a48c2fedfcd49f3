//! What can be recorded: the types of events, and one event before it has its place in the log.

use std::fmt;
use std::time::SystemTime;

use serde_json::{Map, Value};
use ulid::Ulid;

use super::timestamp;
use crate::error::{Code, Error, Result};
use crate::ids::CallId;

/// The longest line there may be, in bytes without its line end. Readers need not hold more than that.
pub const MAX_LINE: usize = 16 << 20;
/// How deep the data of an event may nest, so that every JSON reader can read it.
pub const MAX_DEPTH: usize = 100;
/// Room for everything in a line that stands before the fields of the event.
const MAX_PREFIX: usize = 512;
/// What is kept of each part of an event that does not fit as a whole, in bytes.
const SMALL: usize = 1 << 10;
/// How deep such a part may nest.
const SMALL_DEPTH: usize = 8;

macro_rules! event_types {
    ($($variant:ident $name:literal $meaning:literal,)*) => {
        /// What happened; the `type` of a record is `toolhatch.` and the name of one of these.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType {
            $(#[doc = $meaning] $variant,)*
        }

        impl EventType {
            /// Every type, in the order of the reference page.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name behind `toolhatch.`, such as `execution_start`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// One sentence for the reference page.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }

            /// The type of this name (without `toolhatch.`); `None` for a name this version does not know.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    ExecutionStart "execution_start" "A call began.",
    CommandExecuted "command_executed" "A command ran on behalf of a call.",
    OutputCaptured "output_captured" "Output of a call was captured: its digest, and its text where that is configured.",
    ErrorOccurred "error_occurred" "Something failed.",
    ExecutionEnd "execution_end" "A call ended, with its outcome and what it used.",
    CredentialAccess "credential_access" "A secret was used; its name is recorded and never its value.",
    PermissionDecided "permission_decided" "The effective permissions of a call were computed.",
    PermissionDenied "permission_denied" "Something was refused, by a scope or by policy.",
    FileTouched "file_touched" "A call opened, wrote, renamed or removed a file.",
    NetworkTouched "network_touched" "A call connected to, or asked something of, another machine.",
    StateTouched "state_touched" "A call read or wrote a value of its plugin's own state: its key, and never the value.",
    ToolInvoked "tool_invoked" "A call had another tool called, which has records of its own.",
    ApprovalRequested "approval_requested" "A call waits for a person's answer.",
    ApprovalDecided "approval_decided" "A person allowed or denied a call, or the request expired.",
    InputAnswered "input_answered" "A tool asked a person, or the caller's client: what kind of question, and what became of it.",
    GrantGiven "grant_given" "A person granted permissions.",
    GrantRevoked "grant_revoked" "A person took a grant back.",
    PluginInstalled "plugin_installed" "A plugin was installed and is active.",
    PluginRemoved "plugin_removed" "A plugin was removed.",
    PluginChanged "plugin_changed" "An installed version was deprecated, given a last day, or made active again.",
    PluginStaged "plugin_staged" "A new version waits for a grant while the old one goes on.",
    ServerAdded "server_added" "A person added a server that somebody else wrote.",
    ServerAccepted "server_accepted" "A person accepted what a server says differently of itself.",
    ServerRemoved "server_removed" "A server that somebody else wrote was removed.",
    ServerLogin "server_login" "A person logged in to a server; what for is recorded, and no token.",
    ServerLogout "server_logout" "A login to a server was forgotten.",
    PolicyChanged "policy_changed" "Another set of policies came into force.",
    PolicyError "policy_error" "A policy could not be evaluated, which denies.",
    ConfigChanged "config_changed" "The configuration changed.",
    BreakerChanged "breaker_changed" "A circuit breaker opened, half-opened or closed.",
    ChangesApplied "changes_applied" "A person put changes of a command into the workspace.",
    ChangesDiscarded "changes_discarded" "A person removed changes of a command that waited.",
    LogOpened "log_opened" "The first record of every file; written by the log itself.",
    LogRotated "log_rotated" "The last record of a full file; written by the log itself.",
    LogRecovered "log_recovered" "A torn tail was cut off; written by the log itself.",
    Checkpoint "checkpoint" "A signature over everything before it; written by the log itself.",
}

impl EventType {
    /// True for the four types that hold the log together, which nobody but the log may write.
    #[must_use]
    pub const fn is_of_the_log(self) -> bool {
        matches!(
            self,
            Self::LogOpened | Self::LogRotated | Self::LogRecovered | Self::Checkpoint
        )
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that happened, to be recorded. The caller has taken every secret out.
#[derive(Debug, Clone)]
pub struct Event {
    kind: EventType,
    time: SystemTime,
    call: Option<CallId>,
    subject: Option<String>,
    plugin: Option<String>,
    digest: Option<String>,
    principal: Option<String>,
    agent: Option<String>,
    session: Option<String>,
    masked: bool,
    data: Map<String, Value>,
}

impl Event {
    /// An event of this type that happened just now.
    #[must_use]
    pub fn new(kind: EventType) -> Self {
        Self {
            kind,
            time: SystemTime::now(),
            call: None,
            subject: None,
            plugin: None,
            digest: None,
            principal: None,
            agent: None,
            session: None,
            masked: false,
            data: Map::new(),
        }
    }

    /// When it happened, where that is not now.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.time = time;
        self
    }

    /// The call it belongs to (`executionid`).
    #[must_use]
    pub fn call(mut self, call: CallId) -> Self {
        self.call = Some(call);
        self
    }

    /// The tool it is about (`subject`): a tool id.
    #[must_use]
    pub fn subject(mut self, tool: impl fmt::Display) -> Self {
        self.subject = Some(tool.to_string());
        self
    }

    /// The plugin it is about: its name.
    #[must_use]
    pub fn plugin(mut self, plugin: impl fmt::Display) -> Self {
        self.plugin = Some(plugin.to_string());
        self
    }

    /// The digest of the artifact it is about, `sha256:` and hexadecimal digits.
    #[must_use]
    pub fn digest(mut self, digest: impl fmt::Display) -> Self {
        self.digest = Some(digest.to_string());
        self
    }

    /// Who asked for it: a user, or the caller of a server.
    #[must_use]
    pub fn principal(mut self, principal: impl fmt::Display) -> Self {
        self.principal = Some(principal.to_string());
        self
    }

    /// The agent that asked for it (`agentname`).
    #[must_use]
    pub fn agent(mut self, agent: impl fmt::Display) -> Self {
        self.agent = Some(agent.to_string());
        self
    }

    /// The session it happened in.
    #[must_use]
    pub fn session(mut self, session: impl fmt::Display) -> Self {
        self.session = Some(session.to_string());
        self
    }

    /// Says that a secret was replaced in the data.
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.masked = true;
        self
    }

    /// Adds one field to the data; an earlier one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// Puts these fields in the place of all data.
    #[must_use]
    pub fn data(mut self, data: Map<String, Value>) -> Self {
        self.data = data;
        self
    }

    /// The type of the event.
    #[must_use]
    pub fn kind(&self) -> EventType {
        self.kind
    }

    /// Writes everything down that does not depend on the place in the log. Of what is too large or too deep for readers only
    /// the small parts are written, and which are missing: a call that is recorded in part is better than one that is not.
    pub(super) fn prepare(mut self) -> Result<Prepared> {
        let kind = self.kind;
        let refused = |why: &str| {
            Error::new(Code::E3802, format!("recording a {kind} event: {why}"))
                .hint("Record less of it, for example a digest instead of a text.")
        };
        if self.kind.is_of_the_log() {
            return Err(refused("only the log itself writes this type"));
        }
        let mut fields = self.data.values();
        if fields.all(|value| nests_within(value, MAX_DEPTH - 1)) {
            let prepared = self.write_fields();
            if prepared.fits() {
                return Ok(prepared);
            }
        }
        let prepared = self.reduced().write_down();
        if prepared.fits() {
            Ok(prepared)
        } else {
            Err(refused("there is too much of it"))
        }
    }

    /// The same with its small parts alone.
    fn reduced(mut self) -> Self {
        let attributes = [
            &mut self.subject,
            &mut self.plugin,
            &mut self.digest,
            &mut self.principal,
            &mut self.agent,
            &mut self.session,
        ];
        for value in attributes.into_iter().flatten() {
            value.truncate(value.floor_char_boundary(SMALL));
        }
        let (small, large): (Map<_, _>, Map<_, _>) =
            self.data.into_iter().partition(|(_, value)| {
                nests_within(value, SMALL_DEPTH) && value.to_string().len() <= SMALL
            });
        let names: Vec<String> = large.into_iter().map(|(name, _)| name).collect();
        self.data = small;
        self.with("left_out", names)
    }

    /// Writes it down whatever its size, as the records of the log itself are.
    pub(super) fn write_down(mut self) -> Prepared {
        self.write_fields()
    }

    fn write_fields(&mut self) -> Prepared {
        let mut fields = String::with_capacity(256);
        let call = self.call.map(|call| call.to_string());
        let attributes = [
            &call,
            &self.subject,
            &self.plugin,
            &self.digest,
            &self.principal,
            &self.agent,
            &self.session,
        ];
        for (name, value) in ATTRIBUTES.iter().zip(attributes) {
            if let Some(value) = value {
                fields.push_str(",\"");
                fields.push_str(name);
                fields.push_str("\":");
                fields.push_str(&Value::from(value.as_str()).to_string());
            }
        }
        if self.masked {
            fields.push_str(",\"masked\":true");
        }
        fields.push_str(",\"datacontenttype\":\"application/json\",\"data\":");
        // serde_json can always write a `Value`; `Display` leaves no way for an error but the formatter's own.
        let data = Value::Object(std::mem::take(&mut self.data));
        fields.push_str(&data.to_string());
        if let Value::Object(data) = data {
            self.data = data;
        }
        fields.push('}');
        Prepared {
            id: Ulid::generate().to_string(),
            kind: self.kind,
            time: timestamp::rfc3339(self.time),
            fields,
        }
    }
}

/// The optional attributes of a record, in the order in which they stand in a line.
pub(super) const ATTRIBUTES: [&str; 7] = [
    "executionid",
    "subject",
    "plugin",
    "digest",
    "principal",
    "agentname",
    "session",
];

/// An event as text, lacking only its place in the chain.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) id: String,
    pub(super) kind: EventType,
    pub(super) time: String,
    /// From the comma behind `log` to the closing brace.
    pub(super) fields: String,
}

impl Prepared {
    /// True where readers take the line.
    fn fits(&self) -> bool {
        self.fields.len() + MAX_PREFIX <= MAX_LINE
    }

    /// Appends the whole line, without its line end.
    pub(super) fn write_line(&self, seq: u64, prev: &str, log: &str, line: &mut Vec<u8>) {
        let Self {
            id,
            kind,
            time,
            fields,
        } = self;
        let prefix = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"toolhatch\",\"type\":\"toolhatch.{kind}\",\
             \"time\":\"{time}\",\"seq\":{seq},\"prev\":\"{prev}\",\"log\":\"{log}\""
        );
        line.extend_from_slice(prefix.as_bytes());
        line.extend_from_slice(fields.as_bytes());
    }
}

/// True where no path from here passes more than `levels` objects and arrays.
pub(crate) fn nests_within(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else {
        return !matches!(value, Value::Array(_) | Value::Object(_));
    };
    match value {
        Value::Array(items) => items.iter().all(|item| nests_within(item, below)),
        Value::Object(fields) => fields.values().all(|field| nests_within(field, below)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_name() {
        for kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(EventType::from_name("nothing"), None);
    }

    #[test]
    fn of_what_readers_could_not_read_the_small_parts_are_written() {
        let nested = |levels: usize| {
            (1..levels).fold(Value::Array(Vec::new()), |value, _| {
                Value::Array(vec![value])
            })
        };
        let event = |levels| Event::new(EventType::ErrorOccurred).with("x", nested(levels));
        assert!(event(MAX_DEPTH - 1).prepare().is_ok());
        let deep = event(MAX_DEPTH).with("code", "E3401");
        let written = deep.prepare().expect("in part");
        let data = r#""data":{"code":"E3401","left_out":["x"]}"#;
        assert!(written.fields.contains(data), "{}", written.fields);
        let long = "ä".repeat(MAX_LINE / 2);
        let large = Event::new(EventType::OutputCaptured).with("bytes", 7);
        let large = large.session(&long).with("text", long.as_str());
        let written = large.prepare().expect("in part");
        assert!(written.fields.len() < 2 * SMALL, "{}", written.fields.len());
        let data = r#""data":{"bytes":7,"left_out":["text"]}"#;
        assert!(written.fields.contains(data), "{}", written.fields);
        let error = Event::new(EventType::Checkpoint)
            .prepare()
            .expect_err("of the log");
        assert_eq!(error.code(), Code::E3802);
    }
}
