//! Stage four: the executor runs the call, again where that may help, and again with the answers where the tool asks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admit::{Admission, Admitted, Place};
use super::ask::{Attended, Conversation, Line};
use super::chain::{CallInvoker, Chain, Sum};
use super::commands::CallCommands;
use super::record::CallRecord;
use super::{Authorised, Parts, Request};
use crate::error::{Code, Error};
use crate::exec::{
    Arguments, Commands, Ended, EventSink, Executor, InputNeeded, InstanceOwner, Job, Outcome,
    ToolErrorKind, Usage,
};
use crate::permission::Kind;
use crate::registry::{Source, Tool};
use crate::resilience::breaker::Outcome as Health;
use crate::resilience::breakers::BreakerGuard;
use crate::resilience::retry::Attempt;

/// A call that ended.
#[derive(Debug)]
pub struct Ran {
    pub(super) tool: Arc<Tool>,
    pub(super) outcome: Outcome,
    pub(super) events: Arc<EventSink>,
    pub(super) redact: BTreeSet<String>,
    /// Its result follows from its arguments alone.
    pub(super) is_repeatable: bool,
    /// Questions that nobody answered, or not as they were asked.
    pub(super) open: Option<InputNeeded>,
    /// What calls that its tool made came to.
    sum: Sum,
    breaker: Option<BreakerGuard>,
}

impl Admitted {
    /// Runs the call; again where it failed, its tool says that it may work later, and calling it twice does no harm; and
    /// with the answers where it asks something.
    pub(super) async fn run(self, parts: &Arc<Parts>, record: &CallRecord) -> Ran {
        let Parts {
            executor,
            admission,
            ..
        } = &**parts;
        let Authorised {
            mut request,
            source,
            tool,
            arguments,
            plan,
            was_kept: _,
        } = self.authorised;
        let may_run_commands = plan.effective.kinds().contains(&Kind::Subprocess)
            && !matches!(arguments, Arguments::Command(_));
        let services = admission.services();
        let may_invoke = plan.effective.kinds().contains(&Kind::ToolInvoke)
            && !matches!(arguments, Arguments::Command(_));
        let plan_of_chain = may_invoke.then(|| plan.clone());
        let sum = plan.sum.clone();
        let state_quota = plan.effective.state_quota();
        let plan_of_commands = may_run_commands.then(|| plan.clone());
        let events = Arc::clone(&request.events);
        let config = source
            .manifest
            .as_ref()
            .map(|manifest| {
                let pairs = manifest.config.iter();
                pairs
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            })
            .unwrap_or_default();
        let resumed = request.resumed.take();
        let mut talk = Conversation::new(&request, &tool.id, record);
        let (asking, line) = Line::new();
        let mut round = Round {
            executor,
            admission,
            place: Place {
                admission,
                caller: &request.caller.principal,
                cancel: &request.cancel,
                patience: plan.limits.timeout,
                permit: self.permit,
                was_left: false,
            },
            line,
            timeout: plan.limits.timeout,
            left: plan.limits.timeout,
            usage: Usage::default(),
            is_idempotent: tool.idempotent,
        };
        let mut job = Job {
            call: request.call,
            artifact: source.artifact.clone(),
            entry: tool.entry.clone(),
            arguments,
            input: talk.input.clone(),
            scope: plan.effective,
            sensitive: plan.sensitive,
            mounts: plan.mounts,
            wanted: plan.wanted,
            env: plan.environment,
            config,
            deterministic: plan.deterministic,
            is_inner: request.caller.chain.is_some(),
            kept: kept_for(&request, &source, plan.deterministic),
            limits: plan.limits,
            cancel: request.cancel.clone(),
            events: Arc::clone(&request.events),
            veto: plan.veto,
            services: services.clone(),
            commands: None,
            key_value: None,
            invoker: None,
            asking: Some(Arc::new(asking)),
        };
        let is_kept = job.kept.is_some();
        let commands = |left: Duration| {
            let mut plan = plan_of_commands.clone()?;
            plan.limits.timeout = left;
            Some(Arc::new(CallCommands::new(
                &request,
                Arc::new(plan),
                parts.rules.commands.clone(),
                Arc::clone(executor),
                source.artifact.clone(),
                services.clone(),
            )) as Arc<dyn Commands>)
        };
        let chain = request.caller.chain.as_deref();
        let waits_for_itself =
            is_kept && chain.is_some_and(|chain| chain.holds(&source.artifact.digest));
        let resuming = match resumed {
            _ if waits_for_itself => Err(Ended::NotRun(Error::new(
                Code::E3408,
                format!(
                    "the instance of {} that is kept for the session waits for this very call",
                    source.name
                ),
            ))),
            Some(resumed) => talk.resume(resumed).await,
            None => Ok(()),
        };
        let ended = match resuming {
            Err(ended) => ended,
            Ok(()) => loop {
                job.input = talk.input.clone();
                job.limits.timeout = round.left;
                job.commands = commands(round.left);
                if let Some(plan) = &plan_of_chain {
                    let link =
                        Chain::link(&request, &source, &tool.id, plan, &sum, round.left, is_kept);
                    job.invoker = Some(Arc::new(CallInvoker {
                        parts: Arc::clone(parts),
                        chain: link,
                        source: Arc::clone(&source),
                        caller: Arc::clone(&request.caller),
                        cancel: request.cancel.clone(),
                        events: Arc::clone(&request.events),
                    }));
                }
                job.key_value =
                    parts
                        .states
                        .as_ref()
                        .filter(|_| state_quota > 0)
                        .and_then(|states| {
                            states.open(&source, state_quota, Instant::now() + round.left)
                        });
                // Nothing of a job has to be kept for later where it is run once in any case.
                let next = talk.has_respondent().then(|| job.clone());
                let ended = round.run(job, &mut talk).await;
                let Ended::NeedsInput(needed) = ended else {
                    break ended;
                };
                if next.is_some() {
                    round.place.leave();
                }
                if let Err(ended) = talk.ask(needed).await {
                    break ended;
                }
                let Some(next) = next else {
                    break Ended::NotRun(Error::new(Code::E3000, "nobody can have answered"));
                };
                job = next;
                round.place.patience = round.left;
                if let Err(error) = round.place.take().await {
                    break Ended::NotRun(error);
                }
            },
        };
        // What follows from what others said or from what was kept does not follow from the arguments.
        let is_repeatable = !talk.was_told && !is_kept && !events.has_memory();
        let usage = round.usage;
        drop(round);
        Ran {
            outcome: Outcome { ended, usage },
            tool,
            events,
            redact: plan.redact,
            is_repeatable,
            open: talk.open,
            sum,
            breaker: self.breaker,
        }
    }
}

/// Whose instance the call uses, where its source wants to be kept between the calls of a session. Its results follow from
/// more than arguments then, so a deterministic call has one of its own.
fn kept_for(request: &Request, source: &Source, is_deterministic: bool) -> Option<InstanceOwner> {
    let idle = source.manifest.as_deref()?.lifecycle.idle()?;
    let session = request.caller.session.clone()?;
    (!is_deterministic).then(|| InstanceOwner {
        session,
        principal: request.caller.principal.clone(),
        idle,
    })
}

/// The runs of one call, and what they have left.
struct Round<'a> {
    executor: &'a Arc<dyn Executor>,
    admission: &'a Admission,
    /// The place among the running calls.
    place: Place<'a>,
    /// What they ask while they run.
    line: Line,
    /// The time that all of them may take.
    timeout: Duration,
    left: Duration,
    usage: Usage,
    is_idempotent: bool,
}

impl Round<'_> {
    /// Runs the job to its end, with all of its repetitions. The time in which somebody thinks is not the tool's.
    async fn run(&mut self, job: Job, talk: &mut Conversation<'_>) -> Ended {
        if self.left.is_zero() {
            return Ended::TimedOut(self.timeout);
        }
        let started = Instant::now();
        let Attended { outcome, waited } = self.attempts(job, talk).await;
        self.left = self
            .left
            .saturating_sub(started.elapsed().saturating_sub(waited));
        self.usage = self.usage.and(outcome.usage);
        match outcome.ended {
            Ended::TimedOut(_) => Ended::TimedOut(self.timeout),
            ended => ended,
        }
    }

    async fn once(&mut self, job: Job, talk: &mut Conversation<'_>) -> Attended {
        self.place.patience = self.left;
        let running = self.executor.run(job);
        let mut ran = self.line.attend(running, talk, &mut self.place).await;
        let usage = &mut ran.outcome.usage;
        usage.duration = usage.duration.saturating_sub(ran.waited);
        ran
    }

    async fn attempts(&mut self, mut job: Job, talk: &mut Conversation<'_>) -> Attended {
        if !self.is_idempotent {
            return self.once(job, talk).await;
        }
        let mut deadline = Instant::now() + self.left;
        let mut in_all = Duration::ZERO;
        let mut number = 1;
        loop {
            let Attended { outcome, waited } = self.once(job.clone(), talk).await;
            deadline += waited;
            in_all += waited;
            let ran = Attended {
                outcome,
                waited: in_all,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(failed) = attempt(&ran.outcome.ended, number) else {
                return ran;
            };
            let delay =
                self.admission
                    .retry
                    .next_delay(&failed, true, Some(left), &mut rand::rng());
            let Some(delay) = delay else {
                return ran;
            };
            tokio::select! {
                () = job.cancel.cancelled() => return ran,
                () = tokio::time::sleep(delay) => {}
            }
            number += 1;
            job.limits.timeout = deadline.saturating_duration_since(Instant::now());
        }
    }
}

/// A failure that may be repeated: only where the tool itself says so, or where it was never started.
fn attempt(ended: &Ended, number: u32) -> Option<Attempt> {
    match ended {
        Ended::Failed(error) => match error.kind {
            ToolErrorKind::Retryable(after) => Some(Attempt {
                number,
                code: Code::E3401,
                started: true,
                retry_after: after.map(Duration::from_millis),
            }),
            _ => None,
        },
        Ended::NotRun(error) => Some(Attempt {
            number,
            code: error.code(),
            started: false,
            retry_after: None,
        }),
        _ => None,
    }
}

impl Ran {
    /// What the call used.
    pub(super) fn usage(&self) -> Usage {
        self.outcome.usage
    }

    /// True where content that nobody vouches for may be in the result, because another tool gave it.
    pub(super) fn is_tainted(&self) -> bool {
        self.sum.is_tainted()
    }

    /// Tells the breaker how it went with the tool.
    pub(super) fn settle(&mut self, code: Option<Code>) {
        if let Some(breaker) = self.breaker.take() {
            breaker.settle(Health::of(code));
        }
    }
}
