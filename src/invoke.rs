//! The pipeline: the only way to run a tool.
//!
//! `Request → Resolved → Authorised → Admitted → Ran → Checked → Report`, one type a stage, so that no step can be left out
//! or swapped. A call record goes along and is finished on every exit: refusal, error, cancellation, drop.

mod admit;
mod approve;
mod ask;
mod authorise;
mod caller;
mod chain;
mod check;
mod commands;
mod contain;
mod ledger;
mod question;
mod record;
mod resolve;
mod run;
mod scribe;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::ApprovalMode;
use crate::error::{Code, Error, Result};
use crate::exec::{
    BoxFuture, EventSink, Events, Executor, InputAnswer, InputNeeded, KeyValue, Output, Usage,
};
use crate::ids::{CallId, Digest, PluginName, ToolId};
use crate::manifest::{LimitRequest, Limits, Variables};
use crate::permission::{Grants, Scope, Sensitive};
use crate::policy::Policies;
use crate::policy::question::SessionState;
use crate::registry::{Locked, Source, Tool};
use crate::resilience::idempotency::{Begun, RequestKey};
use crate::schema::canonical;

pub use admit::{Admission, SERVICE, Sharing};
pub use authorise::{Authorised, Plan, PolicyAnswer};
pub use caller::Caller;
pub use chain::{Chain, MAX_CALLS, MAX_DEPTH};
pub use contain::{CommandPlace, CommandRules, WORKSPACE};
pub use ledger::{Approval, Asked, Ledger};
pub use question::{Provenance, listing, registering};
pub use record::{Recording, outside_calls};
pub use resolve::{Resolved, ToolRef};
pub use scribe::Scribe;

/// Finds tools. The front doors do not care where they come from.
pub trait Catalog: Send + Sync {
    /// Resolves a reference to pinned bytes, a descriptor and what was granted to them.
    fn resolve<'a>(&'a self, reference: &'a ToolRef) -> BoxFuture<'a, Result<Known>>;

    /// What a dependency of an installed source was locked to, where it was.
    fn locked<'a>(
        &'a self,
        source: &'a Source,
        needs: &'a PluginName,
    ) -> BoxFuture<'a, Result<Option<Locked>>>;

    /// The policies in force, checked against the tools of this source among others. Nothing where calls are not subject
    /// to policy at all, as in a self-test.
    fn policies<'a>(
        &'a self,
        source: &'a Arc<Source>,
    ) -> BoxFuture<'a, Result<Option<Arc<Policies>>>>;
}

/// Keeps state between the calls of a plugin.
pub trait States: Send + Sync {
    /// The state of a source, for a call that may keep `quota` bytes of it and ends at `deadline`; nothing where such a source
    /// has none. Nothing is opened before it is used.
    fn open(&self, source: &Source, quota: u64, deadline: Instant) -> Option<Arc<dyn KeyValue>>;
}

/// What is known of a tool that somebody named.
#[derive(Debug, Clone)]
pub struct Known {
    /// Where it comes from.
    pub source: Arc<Source>,
    /// The tool.
    pub tool: Arc<Tool>,
    /// What a person granted its source for good; nothing where nobody ever did.
    pub kept: Option<Arc<Grants>>,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The id of the call.
    pub call: CallId,
    /// Which tool.
    pub tool: ToolRef,
    /// The arguments as they came.
    pub arguments: Arc<Value>,
    /// Answers to what an earlier call of the same ended with.
    pub resumed: Option<Resumed>,
    /// Who makes the call.
    pub caller: Arc<Caller>,
    /// What a person allows this call.
    pub grants: Arc<Grants>,
    /// Limits for this call; they take the place of the manifest's, and stay below the ceiling.
    pub limits: LimitRequest,
    /// Tells this request apart from others of the same caller: made again with the same key, it is not run again.
    pub idempotency: Option<String>,
    /// Freezes clocks and random numbers, also where the manifest does not.
    pub deterministic: bool,
    /// Cancels the call.
    pub cancel: CancellationToken,
    /// Where what it tells goes.
    pub events: Arc<EventSink>,
}

/// What an earlier call ended with, and the answers to it.
///
/// It is the front door that keeps this between the two calls, and that vouches for it: what comes back from a client has to
/// be what was handed out.
#[derive(Debug, Clone, PartialEq)]
pub struct Resumed {
    /// What the earlier call ended with.
    pub needed: InputNeeded,
    /// One answer for each question, in order. They are checked here.
    pub answers: Vec<InputAnswer>,
}

impl Resumed {
    /// What tells it apart from others.
    fn digest(&self) -> Digest {
        Digest::of(format!("{self:?}").as_bytes())
    }
}

/// What holds for every call of this process.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Limits where neither manifest nor caller says anything.
    pub default_limits: Limits,
    /// What no call gets more of.
    pub most_limits: Limits,
    /// What holds for commands besides.
    pub commands: CommandRules,
    /// What no grant goes beyond.
    pub ceiling: Scope,
    /// What is refused inside every grant.
    pub sensitive: Sensitive,
    /// What `${workspace}` and the like stand for.
    pub variables: Variables,
    /// The caller's environment variables, for those that are granted by name alone.
    pub environment: Vec<(String, String)>,
    /// Which calls a person is asked about.
    pub approvals: ApprovalRules,
}

/// Which calls a person is asked about, besides those that policy asks about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalRules {
    /// Where nothing is said about a tool.
    pub default: ApprovalMode,
    /// By tool.
    pub tools: BTreeMap<String, ApprovalMode>,
    /// How long a question and its answer hold, in milliseconds.
    pub ttl_ms: i64,
}

impl ApprovalRules {
    fn mode(&self, tool: &ToolId) -> ApprovalMode {
        self.tools
            .get(&tool.to_string())
            .copied()
            .unwrap_or(self.default)
    }
}

/// What a pipeline is made of.
pub struct Parts {
    /// Finds tools.
    pub catalog: Arc<dyn Catalog>,
    /// Runs them.
    pub executor: Arc<dyn Executor>,
    /// Keeps sessions and approvals.
    pub ledger: Arc<dyn Ledger>,
    /// Keeps state between the calls of a plugin; nothing where none is kept.
    pub states: Option<Arc<dyn States>>,
    /// What calls have to pass before they run.
    pub admission: Admission,
    /// What holds for every call.
    pub rules: Rules,
    /// Where calls are recorded; nothing where the operator switched it off.
    pub recording: Option<Recording>,
}

/// Runs calls.
#[derive(Clone)]
pub struct Pipeline {
    parts: Arc<Parts>,
}

/// The end of a request that a caller may make again.
#[derive(Debug)]
pub struct Recorded {
    result: std::result::Result<Arc<Output>, (Code, String)>,
    needs_input: Option<InputNeeded>,
    /// The result holds content that nobody vouches for, whoever is told it.
    untrusted: bool,
}

impl Recorded {
    fn of(result: &Result<Arc<Output>>, report: &Report) -> Self {
        let result = match result {
            Ok(output) => Ok(Arc::clone(output)),
            Err(error) => Err((error.code(), error.to_string())),
        };
        Self {
            result,
            needs_input: report.needs_input.clone(),
            untrusted: report.untrusted,
        }
    }

    fn result(&self) -> Result<Arc<Output>> {
        match &self.result {
            Ok(output) => Ok(Arc::clone(output)),
            Err((code, message)) => Err(Error::new(*code, message.clone())),
        }
    }

    fn bytes(&self) -> usize {
        match &self.result {
            Ok(output) => output.to_json().to_string().len(),
            Err((_, message)) => message.len(),
        }
    }
}

/// How a call ended, with everything that is told about it.
#[derive(Debug)]
pub struct Report {
    /// The id of the call.
    pub call: CallId,
    /// The tool, where it was found.
    pub tool: Option<ToolId>,
    /// The artifact that ran, where one was found.
    pub digest: Option<Digest>,
    /// The result holds content that nobody here vouches for.
    pub untrusted: bool,
    /// The tool did not run again: the result is that of the same request, or of the same computation, before.
    pub repeated: bool,
    /// The result, or why there is none.
    pub result: Result<Arc<Output>>,
    /// What the tool asks, where that is why there is no result: a later call can go on with the answers.
    pub needs_input: Option<InputNeeded>,
    /// What the call used, where it ran.
    pub usage: Option<Usage>,
    /// What the call told while it ran.
    pub events: Events,
    /// What the caller should know besides the result.
    pub warnings: Vec<String>,
}

impl Pipeline {
    /// Wires the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The rules of this process.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.parts.rules
    }

    /// Runs one call to its end.
    pub async fn invoke(&self, request: Request) -> Report {
        self.invoke_pinned(request, None).await
    }

    /// The same, where the artifact has to be this one.
    async fn invoke_pinned(&self, request: Request, pinned: Option<Digest>) -> Report {
        let mut record = record::CallRecord::open(&request, self.parts.recording.clone());
        let mut report = Report::of(request.call, Ok(Arc::default()));
        let events = Arc::clone(&request.events);
        let stages = self.stages(request, pinned, &mut record, &mut report);
        report.result = stages.await;
        report.events = events.take();
        if report.result.is_ok() {
            report
                .warnings
                .extend(report.events.notices.iter().cloned());
        }
        record.finish(&mut report).await;
        report
    }

    async fn stages(
        &self,
        request: Request,
        pinned: Option<Digest>,
        record: &mut record::CallRecord,
        report: &mut Report,
    ) -> Result<Arc<Output>> {
        let parts = &self.parts;
        let session = request.caller.session.clone();
        let resolved = request.resolve(&*parts.catalog).await?;
        resolved.check_pinned(pinned)?;
        record.resolved(&resolved);
        report.tool = Some(resolved.tool.id.clone());
        report.digest = Some(resolved.source.artifact.digest);
        report.untrusted = resolved.tool.untrusted_output;
        let authorised = self.authorise(resolved, record).await?;
        let authorised = authorised
            .approve(&*parts.ledger, &parts.rules, record)
            .await?;
        record.authorised(&authorised).await?;
        report.warnings.clone_from(&authorised.plan.warnings);
        let result = self.once(authorised, record, report).await;
        if let Some(session) = session {
            parts.ledger.count(&session, report.untrusted).await?;
        }
        result
    }

    /// Runs the call, unless the same request ran before or runs now, or its result is known.
    async fn once(
        &self,
        authorised: Authorised,
        record: &record::CallRecord,
        report: &mut Report,
    ) -> Result<Arc<Output>> {
        let admission = &self.parts.admission;
        let Some(mut key) = authorised.request.idempotency.clone() else {
            return self.run(authorised, record, report).await;
        };
        // Going on with answers is another request than the one that was left open.
        if let Some(resumed) = &authorised.request.resumed {
            key = format!("{key}\n{}", resumed.digest());
        }
        // A result that was told in full is not told again where a policy has come to leave something out of it.
        let redact = &authorised.plan.redact;
        let request = format!("{}\n{redact:?}", canonical(&authorised.request.arguments));
        let key = RequestKey {
            principal: authorised.request.caller.principal.clone(),
            tool: authorised.tool.id.to_string(),
            key,
        };
        match admission
            .requests
            .begin(key, Digest::of(request.as_bytes()))
            .await?
        {
            Begun::Known(recorded) => {
                report.repeated = true;
                report.untrusted |= recorded.untrusted;
                report.needs_input.clone_from(&recorded.needs_input);
                recorded.result()
            }
            Begun::Run(runner) => {
                let result = self.run(authorised, record, report).await;
                let recorded = Recorded::of(&result, report);
                let bytes = recorded.bytes();
                runner.finish(Arc::new(recorded), bytes);
                result
            }
        }
    }

    async fn run(
        &self,
        authorised: Authorised,
        record: &record::CallRecord,
        report: &mut Report,
    ) -> Result<Arc<Output>> {
        let parts = &self.parts;
        let known = authorised.cache_key();
        if let Some(output) = known
            .as_ref()
            .and_then(|key| parts.admission.results.get(key))
        {
            report.repeated = true;
            return Ok(output);
        }
        let admitted = authorised.admit(&parts.admission).await?;
        let mut ran = admitted.run(parts, record).await;
        // What a tool was told by another one is in its own words from there on.
        report.untrusted |= ran.is_tainted();
        report.usage = Some(ran.usage());
        let code = ran.code();
        ran.settle(code);
        report.needs_input = ran.open.take();
        // What somebody answered is no part of what a result is found by.
        let known = known.filter(|_| ran.is_repeatable);
        let checked = ran.check().map(Arc::new);
        if let (Some(key), Ok(output)) = (known, &checked) {
            let bytes = output.to_json().to_string().len();
            let results = &parts.admission.results;
            results.put(key, Arc::clone(output), bytes, None);
        }
        checked
    }

    async fn authorise(
        &self,
        resolved: Resolved,
        record: &record::CallRecord,
    ) -> Result<Authorised> {
        let parts = &self.parts;
        let policies = parts.catalog.policies(&resolved.source).await?;
        let session = match &resolved.request.caller.session {
            Some(id) => parts.ledger.session(id).await?,
            None => SessionState::default(),
        };
        resolved.authorise(&parts.rules, policies, session, |question, decision| {
            record.refused(question, decision)
        })
    }

    /// Goes as far as one can without running anything: what would the call be allowed?
    ///
    /// # Errors
    /// Those of resolving and authorising.
    pub async fn plan(&self, request: Request) -> Result<Authorised> {
        let record = record::CallRecord::open(&request, None);
        let resolved = request.resolve(&*self.parts.catalog).await?;
        self.authorise(resolved, &record).await
    }
}

impl Report {
    /// Of a call that ended so, before anything else is known of it.
    fn of(call: CallId, result: Result<Arc<Output>>) -> Self {
        Self {
            call,
            tool: None,
            digest: None,
            untrusted: false,
            repeated: false,
            result,
            needs_input: None,
            usage: None,
            events: Events::default(),
            warnings: Vec::new(),
        }
    }

    /// The JSON form of `call --json` and of each `--jsonl` line.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("call".into(), self.call.to_string().into());
        if let Some(tool) = &self.tool {
            object.insert("tool".into(), tool.to_string().into());
        }
        if let Some(digest) = &self.digest {
            object.insert("digest".into(), digest.to_string().into());
        }
        object.insert("ok".into(), self.result.is_ok().into());
        match &self.result {
            Ok(output) => {
                if let Value::Object(output) = output.to_json() {
                    object.extend(output);
                }
                object.insert("untrusted".into(), self.untrusted.into());
                if self.repeated {
                    object.insert("repeated".into(), true.into());
                }
            }
            Err(error) => {
                object.insert("error".into(), error.to_json());
            }
        }
        if let Some(usage) = &self.usage {
            object.insert("usage".into(), usage.to_json());
        }
        let events = &self.events;
        if !events.denials.is_empty() {
            let denials = events.denials.iter().map(denial_json);
            object.insert("denials".into(), denials.collect());
        }
        if !events.effects.is_empty() {
            let effects = events.effects.iter().map(crate::exec::Effect::to_json);
            object.insert("effects".into(), effects.collect());
        }
        if !events.logs.is_empty() {
            let logs = events
                .logs
                .iter()
                .map(|(level, message)| json!({"level": level.word(), "message": message}));
            object.insert("logs".into(), logs.collect());
        }
        for (name, bytes) in [("stdout", &events.stdout), ("stderr", &events.stderr)] {
            if !bytes.is_empty() {
                object.insert(name.into(), String::from_utf8_lossy(bytes).into());
            }
        }
        let dropped = [
            ("logs", events.logs_dropped),
            ("stdout_bytes", events.stdout_dropped),
            ("stderr_bytes", events.stderr_dropped),
            ("effects", events.effects_dropped),
            ("denials", events.denials_dropped),
        ];
        let dropped: Map<String, Value> = dropped
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name.to_owned(), count.into()))
            .collect();
        if !dropped.is_empty() {
            object.insert("dropped".into(), dropped.into());
        }
        if !self.warnings.is_empty() {
            object.insert("warnings".into(), self.warnings.clone().into());
        }
        Value::Object(object)
    }

    /// The error, where the call has one.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.result.as_ref().err()
    }
}

fn denial_json(denial: &crate::permission::Denial) -> Value {
    let mut object = Map::new();
    object.insert("code".into(), denial.code().name().into());
    object.insert("permission".into(), denial.kind().name().into());
    object.insert("message".into(), denial.to_string().into());
    if let Some(flag) = denial.flag() {
        object.insert("flag".into(), flag.into());
    }
    if let Some(line) = denial.manifest_line() {
        object.insert("manifest_line".into(), line.into());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests;
