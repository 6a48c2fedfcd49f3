//! Which records and calls are asked for.

use serde::Deserialize;
use serde_json::Value;

use crate::audit::{EventType, Record};
use crate::store::{CallRow, Shape};

/// Which records are asked for. What is not named is no matter; records that only hold the log together are given only where
/// their type is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// The id of the call.
    pub call: Option<String>,
    /// The id of the tool, or the beginning of it before a `*`.
    pub tool: Option<String>,
    /// The name of the plugin.
    pub plugin: Option<String>,
    /// The name of the type, without `toolhatch.`.
    pub kind: Option<String>,
    /// How a call ended.
    pub outcome: Option<String>,
    /// The code of an error.
    pub code: Option<String>,
    /// What policy decided.
    pub decision: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// This time or later, in the form of the log or the beginning of it. Times of one form compare as texts.
    pub since: Option<String>,
    /// This time or earlier.
    pub until: Option<String>,
    /// At most this many, the newest.
    pub limit: usize,
}

fn is(wanted: Option<&String>, found: Option<&String>) -> bool {
    wanted.is_none() || wanted == found
}

impl RecordFilter {
    /// Whether a record is asked for.
    #[must_use]
    pub fn fits(&self, record: &Record) -> bool {
        let plain = self
            .since
            .as_ref()
            .is_none_or(|since| record.time >= *since)
            && self
                .until
                .as_ref()
                .is_none_or(|until| record.time <= *until)
            && is(self.call.as_ref(), record.call.as_ref())
            && is(self.session.as_ref(), record.session.as_ref())
            && self.fits_about(
                &record.kind,
                record.subject.as_ref(),
                record.plugin.as_ref(),
            );
        if !plain || (self.outcome.is_none() && self.code.is_none() && self.decision.is_none()) {
            return plain;
        }
        self.fits_told(&Told::of(record))
    }

    /// Whether records of this shape may be asked for.
    pub(super) fn fits_shape(&self, shape: &Shape) -> bool {
        let about = self.fits_about(&shape.kind, shape.tool.as_ref(), shape.plugin.as_ref());
        about
            && is(self.outcome.as_ref(), shape.outcome.as_ref())
            && is(self.code.as_ref(), shape.code.as_ref())
            && is(self.decision.as_ref(), shape.decision.as_ref())
    }

    /// What all the shapes have that fit: whatever has to be the same and not only to begin so.
    pub(super) fn shape(&self) -> Shape {
        let whole = |tool: &&String| !tool.is_empty() && !tool.ends_with('*');
        Shape {
            kind: self.kind.clone().unwrap_or_default(),
            tool: self.tool.as_ref().filter(whole).cloned(),
            plugin: self.plugin.clone(),
            outcome: self.outcome.clone(),
            code: self.code.clone(),
            decision: self.decision.clone(),
        }
    }

    fn fits_about(&self, kind: &str, tool: Option<&String>, plugin: Option<&String>) -> bool {
        let kind_fits = match &self.kind {
            Some(wanted) => wanted == kind,
            None => !EventType::from_name(kind).is_some_and(EventType::is_of_the_log),
        };
        let tool_fits = self.tool.as_deref().is_none_or(|wanted| {
            let found = tool.map_or("", String::as_str);
            match wanted.strip_suffix('*') {
                Some(beginning) => found.starts_with(beginning),
                None => found == wanted,
            }
        });
        kind_fits && tool_fits && is(self.plugin.as_ref(), plugin)
    }

    fn fits_told(&self, told: &Told) -> bool {
        is(self.outcome.as_ref(), told.outcome.as_ref())
            && is(self.code.as_ref(), told.code.as_ref())
            && is(self.decision.as_ref(), told.decision.as_ref())
    }
}

/// Which calls are asked for. What is not named is no matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// The id of the tool.
    pub tool: Option<String>,
    /// The name of the plugin.
    pub plugin: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// Those that began at this time or later, in the form of the log or the beginning of it.
    pub since: Option<String>,
    /// Only those that did not end well.
    pub failed: bool,
    /// At most this many, the newest; all where there is none.
    pub limit: Option<usize>,
}

impl CallFilter {
    /// Whether a call is asked for.
    #[must_use]
    pub fn fits(&self, call: &CallRow) -> bool {
        self.tool.as_ref().is_none_or(|tool| call.tool == *tool)
            && is(self.plugin.as_ref(), call.plugin.as_ref())
            && is(self.session.as_ref(), call.session.as_ref())
            && (!self.failed || call.is_failed())
            && self.fits_time(call)
    }

    /// Whether a call began at a time that is asked for.
    pub(super) fn fits_time(&self, call: &CallRow) -> bool {
        self.since.as_ref().is_none_or(|since| call.began >= *since)
    }
}

/// What the data of a record says that can be asked for.
#[derive(Debug, Default)]
struct Told {
    outcome: Option<String>,
    code: Option<String>,
    decision: Option<String>,
}

/// The same, as it stands in most records.
#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    outcome: Option<String>,
}

impl Told {
    fn of(record: &Record) -> Self {
        if let Ok(data) = serde_json::from_str::<Data>(&record.data) {
            return Self {
                outcome: data.outcome,
                code: data.code,
                decision: data.policy.and_then(|policy| policy.outcome),
            };
        }
        // Something of the same name that is no text, as in data of a type that this version does not know.
        let data = record.data_value();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        Self {
            outcome: text(data.get("outcome")),
            code: text(data.get("code")),
            decision: text(data.get("policy").and_then(|policy| policy.get("outcome"))),
        }
    }
}

/// The shape of a record.
pub(super) fn shape_of(record: &Record) -> Shape {
    let told = Told::of(record);
    Shape {
        kind: record.kind.clone(),
        tool: record.subject.clone(),
        plugin: record.plugin.clone(),
        outcome: told.outcome,
        code: told.code,
        decision: told.decision,
    }
}
