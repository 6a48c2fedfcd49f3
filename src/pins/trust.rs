//! What of a server may be used.

use std::collections::BTreeMap;
use std::fmt;

use super::drift::{Drift, ServerDrift, ServerField, ToolDrift, ToolField, compare};
use super::server::{PinnedServer, SeenServer};
use super::visible::visible;

/// Whether a tool may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what a person agreed to.
    Usable,
    /// It waits for a person.
    Quarantined(Reason),
}

impl Verdict {
    /// True where it may be used.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::Usable)
    }
}

/// Why a tool may not be used. Its text form is a clause about the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nobody has agreed to the server.
    UnknownServer,
    /// The server is not what it was.
    ServerChanged(Vec<ServerField>),
    /// Nobody has agreed to the tool.
    New,
    /// Nobody has agreed to the tool under this name; it had another one.
    Renamed {
        /// The name it had.
        from: String,
    },
    /// The tool is not what it was.
    Changed(Vec<ToolField>),
    /// The server does not list it any more, or not in a form that can be taken.
    Gone,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownServer => f.write_str("nobody has agreed to its server yet"),
            Self::ServerChanged(fields) => {
                let fields: Vec<&str> = fields.iter().map(|field| field.words()).collect();
                write!(
                    f,
                    "its server is not what was agreed to: {} changed",
                    fields.join(", ")
                )
            }
            Self::New => f.write_str("nobody has agreed to it yet"),
            Self::Renamed { from } => {
                write!(f, "it was called `{}` when it was agreed to", visible(from))
            }
            Self::Changed(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|field| visible(field.name())).collect();
                write!(
                    f,
                    "it is not what was agreed to: {} changed",
                    fields.join(", ")
                )
            }
            Self::Gone => f.write_str("its server does not offer it any more"),
        }
    }
}

impl Drift {
    /// The verdict on a tool, of which this is all that differs.
    #[must_use]
    pub fn verdict(&self, name: &str) -> Verdict {
        let reason = match &self.server {
            Some(ServerDrift::New { .. }) => Reason::UnknownServer,
            Some(ServerDrift::Changed { fields, .. }) => Reason::ServerChanged(fields.clone()),
            None => match self.tools.iter().find(|tool| tool.is_of(name)) {
                None => return Verdict::Usable,
                Some(ToolDrift::Added { .. }) => Reason::New,
                Some(ToolDrift::Removed { .. }) => Reason::Gone,
                Some(ToolDrift::Renamed { pinned, .. }) if pinned.name() == name => Reason::Gone,
                Some(ToolDrift::Renamed { pinned, .. }) => Reason::Renamed {
                    from: pinned.name().to_owned(),
                },
                Some(ToolDrift::Changed { fields, .. }) => Reason::Changed(fields.clone()),
            },
        };
        Verdict::Quarantined(reason)
    }
}

/// What of a server may be used, by the name of each tool that it offers or that is pinned. A server of which nothing is
/// pinned is unknown.
#[must_use]
pub fn verdicts(pinned: Option<&PinnedServer>, seen: &SeenServer) -> BTreeMap<String, Verdict> {
    let Some(pinned) = pinned else {
        let unknown = Verdict::Quarantined(Reason::UnknownServer);
        let names = seen.tools.keys();
        return names.map(|name| (name.clone(), unknown.clone())).collect();
    };
    let drift = compare(pinned, seen);
    let names = seen.tools.keys().chain(pinned.tools.keys());
    let judged = names.map(|name| {
        let is_there = seen.tools.contains_key(name) || drift.server.is_some();
        let verdict = match drift.verdict(name) {
            // Nobody had agreed to it either.
            Verdict::Usable if !is_there => Verdict::Quarantined(Reason::Gone),
            verdict => verdict,
        };
        (name.clone(), verdict)
    });
    judged.collect()
}
