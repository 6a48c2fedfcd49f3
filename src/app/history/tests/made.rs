//! Events, questions and attacks, made at random.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::json;

use crate::app::{CallFilter, RecordFilter};
use crate::audit::{Event, EventType};
use crate::ids::CallId;

const TOOLS: [&str; 4] = ["files.read", "files.write", "web.get", "files"];
const PLUGINS: [&str; 2] = ["files", "web"];
const SESSIONS: [&str; 3] = ["s1", "s2", "söme\u{0}thing"];
const KINDS: [EventType; 7] = [
    EventType::ExecutionStart,
    EventType::ExecutionEnd,
    EventType::PermissionDecided,
    EventType::PermissionDenied,
    EventType::ErrorOccurred,
    EventType::NetworkTouched,
    EventType::GrantGiven,
];
const OUTCOMES: [&str; 3] = ["ok", "error", "abandoned"];
const CODES: [&str; 2] = ["E3210", "E3402"];
const DECISIONS: [&str; 3] = ["allow", "deny", "approval"];

/// An event to be recorded, as numbers that choose.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) kind: usize,
    pub(super) call: Option<u8>,
    pub(super) tool: Option<usize>,
    pub(super) plugin: Option<usize>,
    pub(super) session: Option<usize>,
    pub(super) outcome: Option<usize>,
    pub(super) code: Option<usize>,
    pub(super) decision: Option<usize>,
    pub(super) odd: bool,
    pub(super) seconds: u64,
    pub(super) duration: f64,
}

pub(super) fn call_id(number: u8) -> CallId {
    format!("01K9XJ5C8TA0F9W2V7SZ7T3Q{number:02}")
        .parse()
        .expect("a call id")
}

impl Made {
    pub(super) fn event(&self) -> Event {
        let mut event = Event::new(KINDS[self.kind])
            .at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + self.seconds))
            .principal("uid 7");
        if let Some(call) = self.call {
            event = event.call(call_id(call));
        }
        if let Some(tool) = self.tool {
            event = event.subject(TOOLS[tool]);
        }
        if let Some(plugin) = self.plugin {
            event = event.plugin(PLUGINS[plugin]);
        }
        if let Some(session) = self.session {
            event = event.session(SESSIONS[session]);
        }
        if let Some(outcome) = self.outcome {
            event = event.with("outcome", OUTCOMES[outcome]);
        }
        if let Some(code) = self.code {
            event = event.with("code", CODES[code]);
        }
        if let Some(decision) = self.decision {
            event = event.with(
                "policy",
                json!({"outcome": DECISIONS[decision], "by": ["p"]}),
            );
        }
        if self.odd {
            // Data of another type of event may have the same names for other things.
            event = event.with("outcome", 7).with("denials", "many");
        } else {
            event = event.with("denials", 2);
        }
        event
            .with("tool", "asked.for")
            .with("duration_ms", self.duration)
            .with(
                "usage",
                json!({"duration_ms": self.duration, "cpu_ms": 0.25, "peak_memory_bytes": 65536,
                       "fuel": 12, "host_calls": 3, "bytes_in": 10, "bytes_out": 20}),
            )
    }
}

pub(super) fn made() -> impl Strategy<Value = Made> {
    use proptest::option::of;
    (
        (0..KINDS.len(), of(0_u8..6), of(0..TOOLS.len())),
        (of(0..PLUGINS.len()), of(0..SESSIONS.len())),
        (
            of(0..OUTCOMES.len()),
            of(0..CODES.len()),
            of(0..DECISIONS.len()),
        ),
        (proptest::bool::weighted(0.1), 0_u64..100, -1_i32..100_000),
    )
        .prop_map(
            |(
                (kind, call, tool),
                (plugin, session),
                (outcome, code, decision),
                (odd, seconds, micros),
            )| {
                Made {
                    kind,
                    call,
                    tool,
                    plugin,
                    session,
                    outcome,
                    code,
                    decision,
                    odd,
                    seconds,
                    duration: f64::from(micros) / 1000.0,
                }
            },
        )
}

pub(super) fn maybe(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    let some = proptest::sample::select(texts).prop_map(|text| Some(text.to_owned()));
    prop_oneof![4 => Just(None), 1 => some]
}

pub(super) fn time() -> impl Strategy<Value = Option<String>> {
    // The events are of 22:13:20 to 22:14:59.
    let time = (13_u8..15, 0_u8..60)
        .prop_map(|(minute, second)| Some(format!("2023-11-14T22:{minute:02}:{second:02}")));
    prop_oneof![3 => Just(None), 1 => time]
}

pub(super) fn record_filter() -> impl Strategy<Value = RecordFilter> {
    let call = prop_oneof![
        3 => Just(None),
        1 => (0_u8..7).prop_map(|number| Some(call_id(number).to_string()))
    ];
    (
        (
            call,
            maybe(&["files.read", "files*", "*", "", "files", "none"]),
            maybe(&PLUGINS),
        ),
        (
            maybe(&[
                "execution_start",
                "execution_end",
                "log_opened",
                "checkpoint",
                "grant_given",
            ]),
            maybe(&OUTCOMES),
            maybe(&CODES),
            maybe(&DECISIONS),
            maybe(&SESSIONS),
        ),
        (
            time(),
            time(),
            prop_oneof![Just(0_usize), 1_usize..12, Just(usize::MAX)],
        ),
    )
        .prop_map(
            |(
                (call, tool, plugin),
                (kind, outcome, code, decision, session),
                (since, until, limit),
            )| {
                RecordFilter {
                    call,
                    tool,
                    plugin,
                    kind,
                    outcome,
                    code,
                    decision,
                    session,
                    since,
                    until,
                    limit,
                }
            },
        )
}

pub(super) fn call_filter() -> impl Strategy<Value = CallFilter> {
    (
        maybe(&["files.read", "asked.for", "none"]),
        maybe(&PLUGINS),
        maybe(&SESSIONS),
        time(),
        any::<bool>(),
        proptest::option::of(0_usize..6),
    )
        .prop_map(|(tool, plugin, session, since, failed, limit)| CallFilter {
            tool,
            plugin,
            session,
            since,
            failed,
            limit,
        })
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Append(Vec<Made>),
    Ask(Box<RecordFilter>, CallFilter),
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let append = proptest::collection::vec(made(), 0..30).prop_map(Step::Append);
    let ask = (record_filter(), call_filter())
        .prop_map(|(records, calls)| Step::Ask(Box::new(records), calls));
    proptest::collection::vec(prop_oneof![2 => append, 5 => ask], 1..16)
}

/// What somebody does to a log.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attack {
    /// Writes another tool into one of the files, in its place.
    Edit(usize),
    /// Cuts one of the files in the middle of a line or between two.
    Truncate(usize, usize),
    Remove(usize),
    /// Puts a copy from before the last step in its place.
    Restore,
    /// Puts bytes that are no record at the end of one.
    Rubbish(usize),
}

pub(super) fn attack() -> impl Strategy<Value = Attack> {
    prop_oneof![
        (0_usize..9).prop_map(Attack::Edit),
        (0_usize..9, 0_usize..6000).prop_map(|(file, at)| Attack::Truncate(file, at)),
        (0_usize..9).prop_map(Attack::Remove),
        Just(Attack::Restore),
        (0_usize..9).prop_map(Attack::Rubbish),
    ]
}
