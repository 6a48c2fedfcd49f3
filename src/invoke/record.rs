//! The record of a call: opened with the request, finished on every exit, written to the audit log.
//!
//! A call that is authorised writes its start and what it may do before it runs, and at its end one record for each thing
//! it touched or was denied, one for its output, and one for how it ended. A call that is refused writes a start and an
//! end too. Dropping a record unfinished, as a cancelled future does, writes that the call was abandoned.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::authorise::Authorised;
use super::ledger::Asked;
use super::{Caller, Report, Request, Resolved};
use crate::audit::{AuditLog, Event, EventType};
use crate::error::{Code, Error, Result};
use crate::exec::Effect;
use crate::ids::{CallId, Digest, ToolId};
use crate::policy::{Decision, Question};
use crate::schema::canonical;

/// How much of arguments and output is recorded where that is asked for.
const TEXT: usize = 64 << 10;

/// Where calls are recorded, and how much of them.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The log.
    pub log: Arc<AuditLog>,
    /// No record, no run: the start is on the disk before the call runs, the end before its result is told.
    pub strict: bool,
    /// The text of arguments is recorded, not only its digest.
    pub arguments: bool,
    /// The text of output is recorded, not only its digest.
    pub output: bool,
}

/// What is known of a call so far.
#[derive(Debug)]
pub(super) struct CallRecord {
    recording: Option<Recording>,
    call: CallId,
    caller: Arc<Caller>,
    named: String,
    tool: Option<ToolId>,
    plugin: Option<String>,
    digest: Option<Digest>,
    started: Instant,
    is_open: bool,
    finished: bool,
}

impl CallRecord {
    pub(super) fn open(request: &Request, recording: Option<Recording>) -> Self {
        tracing::debug!(call = %request.call, tool = %request.tool, "call requested");
        Self {
            recording,
            call: request.call,
            caller: Arc::clone(&request.caller),
            named: request.tool.to_string(),
            tool: None,
            plugin: None,
            digest: None,
            started: Instant::now(),
            is_open: false,
            finished: false,
        }
    }

    pub(super) fn resolved(&mut self, resolved: &Resolved) {
        let digest = resolved.source.artifact.digest;
        tracing::debug!(call = %self.call, tool = %resolved.tool.id, %digest, "call resolved");
        self.tool = Some(resolved.tool.id.clone());
        self.plugin = Some(resolved.source.name.clone());
        self.digest = Some(digest);
    }

    /// Writes that the call begins, and what it may do. In strict mode it waits until the disk has both.
    pub(super) async fn authorised(&mut self, authorised: &Authorised) -> Result<()> {
        let plan = &authorised.plan;
        tracing::debug!(call = %self.call, scope = %plan.effective, "call authorised");
        let Some(recording) = &self.recording else {
            return Ok(());
        };
        let arguments = canonical(&authorised.request.arguments);
        let mut start = self
            .event(EventType::ExecutionStart)
            .with("tool", self.named.as_str())
            .with("arguments_sha256", sha256(arguments.as_bytes()))
            .with("timeout_ms", milliseconds(plan.limits.timeout))
            .with("memory_bytes", plan.limits.memory);
        if recording.arguments {
            start = start.with("arguments", cut(&arguments));
        }
        let scopes: Vec<String> = plan
            .effective
            .entries()
            .into_iter()
            .map(|(kind, scope)| format!("{kind}={scope}"))
            .collect();
        let mut decided = self
            .event(EventType::PermissionDecided)
            .with("effective", scopes)
            .with("granted_for_good", authorised.was_kept);
        if let Some(policy) = &plan.policy {
            decided = with_policy(
                decided,
                &policy.question,
                &policy.decision,
                recording.arguments,
            );
        }
        recording.log.append(start)?;
        if recording.strict {
            durable(&recording.log, decided).await?;
        } else {
            recording.log.append(decided)?;
        }
        self.is_open = true;
        Ok(())
    }

    pub(super) fn approval_requested(&self, id: &str, asked: &Asked) -> Result<()> {
        self.append(
            self.event(EventType::ApprovalRequested)
                .with("approval", id)
                .with("binding", asked.binding.as_str())
                .with("once", asked.once)
                .with("why", asked.subject.why.clone()),
        )
    }

    pub(super) fn approval_decided(&self, id: &str, yes: bool, by: &str) -> Result<()> {
        self.append(
            self.event(EventType::ApprovalDecided)
                .with("approval", id)
                .with("decision", if yes { "allowed" } else { "denied" })
                .with("by", by),
        )
    }

    /// The call uses an answer that was given before.
    pub(super) fn approved(&self, id: &str, by: &str) -> Result<()> {
        self.append(
            self.event(EventType::ApprovalDecided)
                .with("approval", id)
                .with("decision", "used")
                .with("by", by),
        )
    }

    /// Policy said no: what it was asked and which rule decided. One that could not be evaluated says no as well.
    pub(super) fn refused(&self, question: &Question, decision: &Decision) -> Result<()> {
        let Some(recording) = &self.recording else {
            return Ok(());
        };
        for error in &decision.errors {
            let mut event = self
                .event(EventType::PolicyError)
                .with("message", error.message.as_str());
            if let Some(policy) = &error.policy {
                event = event.with("policy", policy.as_str());
            }
            self.append(event)?;
        }
        let event = self.event(EventType::PermissionDecided);
        self.append(with_policy(event, question, decision, recording.arguments))
    }

    /// Writes everything that is known at the end. In strict mode it waits until the disk has it.
    pub(super) async fn finish(mut self, report: &mut Report) {
        self.finished = true;
        let duration = self.started.elapsed();
        match report.error() {
            None => tracing::debug!(call = %self.call, ?duration, "call complete"),
            Some(error) => {
                tracing::debug!(call = %self.call, ?duration, code = %error.code(), %error, "call failed");
            }
        }
        for denial in &report.events.denials {
            tracing::debug!(call = %self.call, code = %denial.code(), %denial, "denied");
        }
        let Some(recording) = &self.recording else {
            return;
        };
        let written = self.write_end(recording, report, duration).await;
        if let Err(error) = written {
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

    async fn write_end(
        &self,
        recording: &Recording,
        report: &Report,
        duration: Duration,
    ) -> Result<()> {
        let log = &recording.log;
        if !self.is_open {
            log.append(
                self.event(EventType::ExecutionStart)
                    .with("tool", self.named.as_str())
                    .with("refused", true),
            )?;
        }
        for denial in &report.events.denials {
            log.append(
                self.event(EventType::PermissionDenied)
                    .with("permission", denial.kind().name())
                    .with("code", denial.code().name())
                    .with("message", denial.to_string()),
            )?;
        }
        for effect in &report.events.effects {
            let kind = match effect {
                Effect::File { .. } => EventType::FileTouched,
                Effect::Http { .. } | Effect::Connect { .. } | Effect::Lookup(_) => {
                    EventType::NetworkTouched
                }
            };
            let mut event = self.event(kind);
            if let Value::Object(data) = effect.to_json() {
                event = event.data(data);
            }
            log.append(event)?;
        }
        if let Ok(output) = &report.result {
            let text = output.to_json().to_string();
            let mut captured = self
                .event(EventType::OutputCaptured)
                .with("sha256", sha256(text.as_bytes()))
                .with("bytes", text.len());
            if recording.output {
                captured = captured.with("text", cut(&text));
            }
            log.append(captured)?;
        }
        let mut end = self
            .event(EventType::ExecutionEnd)
            .with("duration_ms", milliseconds(duration))
            .with("denials", report.events.denials.len())
            .with("effects", report.events.effects.len());
        if let Some(usage) = &report.usage {
            end = end.with("usage", usage.to_json());
        }
        for (name, count) in [
            ("denials_dropped", report.events.denials_dropped),
            ("effects_dropped", report.events.effects_dropped),
        ] {
            if count > 0 {
                end = end.with(name, count);
            }
        }
        end = match report.error() {
            None => end.with("outcome", "ok"),
            Some(error) => {
                log.append(
                    self.event(EventType::ErrorOccurred)
                        .with("code", error.code().name())
                        .with("message", error.to_string()),
                )?;
                end.with("outcome", "error")
                    .with("code", error.code().name())
                    .with("exit", error.exit().number())
            }
        };
        if recording.strict {
            durable(log, end).await
        } else {
            log.append(end)
        }
    }

    fn append(&self, event: Event) -> Result<()> {
        match &self.recording {
            Some(recording) => recording.log.append(event),
            None => Ok(()),
        }
    }

    fn event(&self, kind: EventType) -> Event {
        let caller = &self.caller;
        let mut event = Event::new(kind)
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

impl Drop for CallRecord {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let duration = self.started.elapsed();
        tracing::debug!(call = %self.call, ?duration, "call abandoned");
        if !self.is_open {
            return;
        }
        let end = self
            .event(EventType::ExecutionEnd)
            .with("outcome", "abandoned")
            .with("duration_ms", milliseconds(duration));
        if let Err(error) = self.append(end) {
            tracing::warn!(%error, "could not record that a call was abandoned");
        }
    }
}

/// Adds what policy was asked and what it said. The question is kept whole, so that other policies can be asked it later;
/// without the arguments, where these are not recorded.
fn with_policy(event: Event, question: &Question, decision: &Decision, arguments: bool) -> Event {
    let by: Vec<&str> = decision
        .determining
        .iter()
        .map(|policy| policy.id.as_str())
        .collect();
    let mut question = question.to_json();
    if !arguments && let Some(ask) = question.get_mut("ask").and_then(Value::as_object_mut) {
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
