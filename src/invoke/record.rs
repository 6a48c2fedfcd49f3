//! The record of a call: opened with the request, finished on every exit, written to the audit log.
//!
//! A call that is authorised writes its start and what it may do before it runs, and at its end one record for each thing
//! it touched or was denied, one for its output, and one for how it ended. A call that is refused writes a start and an
//! end too. Dropping a record unfinished, as a cancelled future does, writes the same with the outcome that it was abandoned.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::authorise::Authorised;
use super::ledger::Asked;
use super::scribe::Scribe;
use super::{Caller, PolicyAnswer, Report, Request, Resolved};
use crate::audit::{AuditLog, Event, EventType, MAX_DEPTH, Webhook, nests_within};
use crate::error::{Code, Error, Result};
use crate::exec::{self, Effect, EventSink, InputAnswer, InputRequest, Output, Usage};
use crate::ids::{CallId, Digest, ToolId};
use crate::permission::{Denial, Scope};
use crate::policy::{Decision, Question};
use crate::schema::canonical;

/// How much of arguments and output is recorded where that is asked for.
const TEXT: usize = 64 << 10;
/// The largest arguments that are recorded with what policy was asked, in bytes of JSON.
const QUESTION: usize = 1 << 20;

/// Where calls are recorded, and how much of them.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The log.
    pub log: Arc<AuditLog>,
    /// The thread that makes records off the path of the calls.
    pub scribe: Arc<Scribe>,
    /// What brings records to another machine, where one is configured.
    pub webhook: Option<Arc<Webhook>>,
    /// No record, no run: the start is on the disk before the call runs, the end before its result is told.
    pub strict: bool,
    /// The text of arguments is recorded, not only its digest.
    pub arguments: bool,
    /// The text of output is recorded, not only its digest.
    pub output: bool,
}

/// What every record of a call says.
#[derive(Debug, Clone)]
struct Facts {
    call: CallId,
    caller: Arc<Caller>,
    tool: Option<ToolId>,
    plugin: Option<String>,
    digest: Option<Digest>,
}

impl Facts {
    fn event(&self, kind: EventType, at: SystemTime) -> Event {
        let caller = &self.caller;
        let mut event = Event::new(kind)
            .at(at)
            .call(self.call)
            .principal(&caller.principal);
        if let Some(tool) = &self.tool {
            event = event.subject(tool);
        }
        if let Some(plugin) = &self.plugin {
            event = event.plugin(plugin);
        }
        if let Some(digest) = &self.digest {
            event = event.digest(digest);
        }
        if let Some(agent) = &caller.agent {
            event = event.agent(agent);
        }
        if let Some(session) = &caller.session {
            event = event.session(session);
        }
        event
    }
}

/// What is known of a call so far.
#[derive(Debug)]
pub(super) struct CallRecord {
    recording: Option<Recording>,
    facts: Facts,
    named: String,
    /// The call whose tool made this one.
    parent: Option<CallId>,
    /// What it tells while it runs.
    events: Arc<EventSink>,
    started: Instant,
    is_open: bool,
    /// Keeps the log from being closed before the end is written.
    held: Option<Arc<()>>,
    finished: bool,
}

impl CallRecord {
    pub(super) fn open(request: &Request, recording: Option<Recording>) -> Self {
        tracing::debug!(call = %request.call, tool = %request.tool, "call requested");
        Self {
            recording,
            facts: Facts {
                call: request.call,
                caller: Arc::clone(&request.caller),
                tool: None,
                plugin: None,
                digest: None,
            },
            named: request.tool.to_string(),
            parent: request.caller.chain.as_ref().map(|chain| chain.call),
            events: Arc::clone(&request.events),
            started: Instant::now(),
            is_open: false,
            held: None,
            finished: false,
        }
    }

    pub(super) fn resolved(&mut self, resolved: &Resolved) {
        let digest = resolved.source.artifact.digest;
        tracing::debug!(call = %self.facts.call, tool = %resolved.tool.id, %digest, "call resolved");
        self.facts.tool = Some(resolved.tool.id.clone());
        self.facts.plugin = Some(resolved.source.name.clone());
        self.facts.digest = Some(digest);
    }

    /// Writes that the call begins, and what it may do. In strict mode it waits until the disk has both.
    pub(super) async fn authorised(&mut self, authorised: &Authorised) -> Result<()> {
        let plan = &authorised.plan;
        tracing::debug!(call = %self.facts.call, scope = %plan.effective, "call authorised");
        let Some(recording) = self.recording.clone() else {
            return Ok(());
        };
        if recording.strict
            && let Some(webhook) = &recording.webhook
        {
            webhook.admit()?;
        }
        let beginning = Beginning {
            facts: self.facts.clone(),
            at: SystemTime::now(),
            named: self.named.clone(),
            parent: self.parent,
            arguments: Arc::clone(&authorised.request.arguments),
            with_arguments: recording.arguments,
            timeout: plan.limits.timeout,
            memory: plan.limits.memory,
            effective: Arc::clone(&plan.effective),
            was_kept: authorised.was_kept,
            policy: plan.policy.clone(),
        };
        self.write(&recording, move || beginning.events()).await?;
        self.is_open = true;
        self.held = Some(recording.scribe.hold());
        Ok(())
    }

    /// Hands records over; in strict mode makes them now, and waits until the disk has them.
    async fn write(
        &self,
        recording: &Recording,
        make: impl FnOnce() -> Vec<Event> + Send + 'static,
    ) -> Result<()> {
        if !recording.strict {
            return recording.scribe.write(make);
        }
        let mut events = make();
        let Some(last) = events.pop() else {
            return Ok(());
        };
        for event in events {
            recording.log.append(event)?;
        }
        durable(&recording.log, last).await
    }

    pub(super) fn approval_requested(&self, id: &str, asked: &Asked) -> Result<()> {
        self.append(|event| {
            event(EventType::ApprovalRequested)
                .with("approval", id)
                .with("binding", asked.binding.as_str())
                .with("once", asked.once)
                .with("why", asked.subject.why.clone())
        })
    }

    pub(super) fn approval_decided(&self, id: &str, yes: bool, by: &str) -> Result<()> {
        self.append(|event| {
            event(EventType::ApprovalDecided)
                .with("approval", id)
                .with("decision", if yes { "allowed" } else { "denied" })
                .with("by", by)
        })
    }

    /// The call uses an answer that was given before.
    pub(super) fn approved(&self, id: &str, by: &str) -> Result<()> {
        self.append(|event| {
            event(EventType::ApprovalDecided)
                .with("approval", id)
                .with("decision", "used")
                .with("by", by)
        })
    }

    /// The tool asked something: which kinds of questions, and what became of each. Neither questions nor answers are
    /// recorded; without answers nobody answered.
    pub(super) fn asked(
        &self,
        requests: &[InputRequest],
        answers: &[InputAnswer],
        by: &str,
    ) -> Result<()> {
        let answered = |index: usize| answers.get(index).map_or("unanswered", InputAnswer::word);
        let requests: Vec<Value> = requests
            .iter()
            .enumerate()
            .map(|(index, request)| {
                json!({"name": request.name, "kind": request.ask.kind(), "answer": answered(index)})
            })
            .collect();
        self.append(|event| {
            event(EventType::InputAnswered)
                .with("requests", requests)
                .with("by", by)
        })
    }

    /// Policy said no: what it was asked and which rule decided. One that could not be evaluated says no as well.
    pub(super) fn refused(&self, question: &Question, decision: &Decision) -> Result<()> {
        for error in &decision.errors {
            self.append(|event| {
                let event = event(EventType::PolicyError).with("message", error.message.as_str());
                match &error.policy {
                    Some(policy) => event.with("policy", policy.as_str()),
                    None => event,
                }
            })?;
        }
        let arguments = self.recording.as_ref().is_some_and(|it| it.arguments);
        self.append(|event| {
            with_policy(
                event(EventType::PermissionDecided),
                question,
                decision,
                arguments,
            )
        })
    }

    /// Writes a record now, in its place among those that were handed over.
    fn append(&self, make: impl FnOnce(&dyn Fn(EventType) -> Event) -> Event) -> Result<()> {
        let Some(recording) = &self.recording else {
            return Ok(());
        };
        let now = SystemTime::now();
        let event = make(&|kind| self.facts.event(kind, now));
        if recording.strict {
            recording.log.append(event)
        } else {
            recording.scribe.write(move || vec![event])
        }
    }

    /// Writes everything that is known at the end. In strict mode it waits until the disk has it.
    pub(super) async fn finish(mut self, report: &mut Report) {
        self.finished = true;
        let duration = self.started.elapsed();
        match report.error() {
            None => tracing::debug!(call = %self.facts.call, ?duration, "call complete"),
            Some(error) => {
                tracing::debug!(call = %self.facts.call, ?duration, code = %error.code(), %error, "call failed");
            }
        }
        for denial in &report.events.denials {
            tracing::debug!(call = %self.facts.call, code = %denial.code(), %denial, "denied");
        }
        let Some(recording) = self.recording.clone() else {
            return;
        };
        let ending = Ending {
            facts: self.facts.clone(),
            at: SystemTime::now(),
            refused: (!self.is_open).then(|| self.named.clone()),
            parent: self.parent,
            denials: report.events.denials.clone(),
            denials_dropped: report.events.denials_dropped,
            effects: report.events.effects.clone(),
            effects_dropped: report.events.effects_dropped,
            end: match &report.result {
                Ok(output) => End::Gave(Arc::clone(output)),
                Err(error) => End::Failed(error.code(), error.to_string()),
            },
            with_output: recording.output,
            usage: report.usage,
            duration,
            repeated: report.repeated,
        };
        if let Err(error) = self.write(&recording, move || ending.events()).await {
            if recording.strict {
                // The call ran, and nobody can show how it ended: its result is not told.
                report.result = Err(error.while_doing("recording how the call ended"));
            } else {
                report
                    .warnings
                    .push(format!("how the call ended was not recorded: {error}"));
            }
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let duration = self.started.elapsed();
        tracing::debug!(call = %self.facts.call, ?duration, "call abandoned");
        let Some(recording) = self.recording.as_ref().filter(|_| self.is_open) else {
            return;
        };
        // It did what it did, whoever waits for it no more.
        let told = self.events.take();
        let ending = Ending {
            facts: self.facts.clone(),
            at: SystemTime::now(),
            refused: None,
            parent: self.parent,
            denials: told.denials,
            denials_dropped: told.denials_dropped,
            effects: told.effects,
            effects_dropped: told.effects_dropped,
            end: End::Abandoned,
            with_output: false,
            usage: None,
            duration,
            repeated: false,
        };
        let written = if recording.strict {
            let mut events = ending.events().into_iter();
            events.try_for_each(|event| recording.log.append(event))
        } else {
            recording.scribe.write(move || ending.events())
        };
        if let Err(error) = written {
            tracing::warn!(%error, "could not record that a call was abandoned");
        }
    }
}

/// What is recorded when a call begins.
struct Beginning {
    facts: Facts,
    at: SystemTime,
    named: String,
    parent: Option<CallId>,
    arguments: Arc<Value>,
    with_arguments: bool,
    timeout: Duration,
    memory: u64,
    effective: Arc<Scope>,
    was_kept: bool,
    policy: Option<Arc<PolicyAnswer>>,
}

impl Beginning {
    fn events(self) -> Vec<Event> {
        let arguments = canonical(&self.arguments);
        let mut start = self
            .facts
            .event(EventType::ExecutionStart, self.at)
            .with("tool", self.named.as_str())
            .with("arguments_sha256", sha256(arguments.as_bytes()))
            .with("timeout_ms", milliseconds(self.timeout))
            .with("memory_bytes", self.memory);
        if self.with_arguments {
            start = start.with("arguments", cut(&arguments));
        }
        if let Some(parent) = self.parent {
            start = start.with("parent", parent.to_string());
        }
        let scopes: Vec<String> = self
            .effective
            .entries()
            .into_iter()
            .map(|(kind, scope)| format!("{kind}={scope}"))
            .collect();
        let mut decided = self
            .facts
            .event(EventType::PermissionDecided, self.at)
            .with("effective", scopes)
            .with("granted_for_good", self.was_kept);
        if let Some(policy) = &self.policy {
            decided = with_policy(
                decided,
                &policy.question,
                &policy.decision,
                self.with_arguments,
            );
        }
        vec![start, decided]
    }
}

/// What is recorded of something that a program touched which outlives calls; nothing of other things it tells.
#[must_use]
pub fn outside_calls(told: &exec::Event<'_>) -> Option<Event> {
    match told {
        exec::Event::Denied(denial) => {
            Some(denied(Event::new(EventType::PermissionDenied), denial))
        }
        exec::Event::Touched(effect) => Some(touched(Event::new(kind_of(effect)), effect)),
        exec::Event::Progress { .. } | exec::Event::Log(..) | exec::Event::Output(..) => None,
    }
}

fn denied(event: Event, denial: &Denial) -> Event {
    event
        .with("permission", denial.kind().name())
        .with("code", denial.code().name())
        .with("message", denial.to_string())
}

fn touched(event: Event, effect: &Effect) -> Event {
    match effect.to_json() {
        Value::Object(data) => event.data(data),
        _ => event,
    }
}

fn kind_of(effect: &Effect) -> EventType {
    match effect {
        Effect::File { .. } => EventType::FileTouched,
        Effect::Container { .. } => EventType::CommandExecuted,
        Effect::State { .. } => EventType::StateTouched,
        Effect::Invoked { .. } => EventType::ToolInvoked,
        Effect::Http { .. } | Effect::Connect { .. } | Effect::Lookup(_) => {
            EventType::NetworkTouched
        }
    }
}

/// How a call ended, as its records say it.
enum End {
    Gave(Arc<Output>),
    Failed(Code, String),
    /// Nobody waited for it any more.
    Abandoned,
}

/// What is recorded when a call has ended.
struct Ending {
    facts: Facts,
    at: SystemTime,
    /// What was asked for, where the call was refused before it began.
    refused: Option<String>,
    parent: Option<CallId>,
    denials: Vec<Denial>,
    denials_dropped: u64,
    effects: Vec<Effect>,
    effects_dropped: u64,
    end: End,
    with_output: bool,
    usage: Option<Usage>,
    duration: Duration,
    repeated: bool,
}

impl Ending {
    fn events(self) -> Vec<Event> {
        let event = |kind| self.facts.event(kind, self.at);
        let mut events = Vec::new();
        if let Some(named) = &self.refused {
            let start = event(EventType::ExecutionStart)
                .with("tool", named.as_str())
                .with("refused", true);
            events.push(match self.parent {
                Some(parent) => start.with("parent", parent.to_string()),
                None => start,
            });
        }
        let denials = self.denials.iter();
        events.extend(denials.map(|denial| denied(event(EventType::PermissionDenied), denial)));
        let effects = self.effects.iter();
        events.extend(effects.map(|effect| touched(event(kind_of(effect)), effect)));
        let mut end = event(EventType::ExecutionEnd)
            .with("duration_ms", milliseconds(self.duration))
            .with("denials", self.denials.len())
            .with("effects", self.effects.len());
        if let Some(usage) = &self.usage {
            end = end.with("usage", usage.to_json());
        }
        if self.repeated {
            end = end.with("repeated", true);
        }
        for (name, count) in [
            ("denials_dropped", self.denials_dropped),
            ("effects_dropped", self.effects_dropped),
        ] {
            if count > 0 {
                end = end.with(name, count);
            }
        }
        match &self.end {
            End::Gave(output) => {
                let text = output.to_json().to_string();
                let mut captured = event(EventType::OutputCaptured)
                    .with("sha256", sha256(text.as_bytes()))
                    .with("bytes", text.len());
                if self.with_output {
                    captured = captured.with("text", cut(&text));
                }
                events.push(captured);
                end = end.with("outcome", "ok");
            }
            End::Failed(code, message) => {
                events.push(
                    event(EventType::ErrorOccurred)
                        .with("code", code.name())
                        .with("message", cut(message)),
                );
                end = end
                    .with("outcome", "error")
                    .with("code", code.name())
                    .with("exit", code.exit().number());
            }
            End::Abandoned => end = end.with("outcome", "abandoned"),
        }
        events.push(end);
        events
    }
}

/// Adds what policy was asked and what it said. The question is kept whole, so that other policies can be asked it later;
/// without the arguments, where these are not recorded or are too large.
fn with_policy(event: Event, question: &Question, decision: &Decision, arguments: bool) -> Event {
    let by: Vec<&str> = decision
        .determining
        .iter()
        .map(|policy| policy.id.as_str())
        .collect();
    let mut question = question.to_json();
    if let Some(ask) = question.get_mut("ask").and_then(Value::as_object_mut)
        && !(arguments && ask.get("args").is_none_or(is_bearable))
    {
        // A part of them would be another question.
        ask.remove("args");
    }
    event
        .with("policy", json!({"outcome": decision.outcome(), "by": by}))
        .with("question", question)
}

/// Waits until the disk has the event, without holding up this thread.
async fn durable(log: &AuditLog, event: Event) -> Result<()> {
    let (done, written) = tokio::sync::oneshot::channel();
    log.append_durable_then(event, move |result| {
        // Nobody waits any more where the call was dropped.
        drop(done.send(result));
    })?;
    written.await.unwrap_or_else(|_| {
        Err(Error::new(
            Code::E3801,
            "the writer of the audit log is gone",
        ))
    })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn milliseconds(duration: Duration) -> Value {
    let thousandths = duration.as_micros() as f64 / 1000.0;
    thousandths.into()
}

/// True for arguments that are recorded whole as part of a question.
fn is_bearable(arguments: &Value) -> bool {
    nests_within(arguments, MAX_DEPTH / 2) && arguments.to_string().len() <= QUESTION
}

/// A text of bearable length; whoever needs all of it has the digest.
fn cut(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let mut end = TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    cut.push('…');
    cut
}
