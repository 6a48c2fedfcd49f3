//! Stage four: the executor runs the call, again where that may help, and again with the answers where the tool asks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admit::{Admission, Admitted};
use super::ask::Conversation;
use super::commands::CallCommands;
use super::record::CallRecord;
use super::{Authorised, CommandRules};
use crate::error::{Code, Error};
use crate::exec::{
    Arguments, Commands, Ended, EventSink, Executor, InputNeeded, Job, Outcome, ToolErrorKind,
    Usage,
};
use crate::permission::Kind;
use crate::registry::Tool;
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
    breaker: Option<BreakerGuard>,
}

impl Admitted {
    /// Runs the call; again where it failed, its tool says that it may work later, and calling it twice does no harm; and
    /// with the answers where it asks something.
    pub(super) async fn run(
        self,
        executor: &Arc<dyn Executor>,
        admission: &Admission,
        rules: &CommandRules,
        record: &CallRecord,
    ) -> Ran {
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
        let mut round = Round {
            executor,
            admission,
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
            limits: plan.limits,
            cancel: request.cancel.clone(),
            events: Arc::clone(&request.events),
            veto: plan.veto,
            services: services.clone(),
            commands: None,
        };
        let commands = |left: Duration| {
            let mut plan = plan_of_commands.clone()?;
            plan.limits.timeout = left;
            Some(Arc::new(CallCommands::new(
                &request,
                Arc::new(plan),
                rules.clone(),
                Arc::clone(executor),
                source.artifact.clone(),
                services.clone(),
            )) as Arc<dyn Commands>)
        };
        let mut permit = self.permit;
        let resuming = match resumed {
            Some(resumed) => talk.resume(resumed).await,
            None => Ok(()),
        };
        let ended = match resuming {
            Err(ended) => ended,
            Ok(()) => loop {
                job.input = talk.input.clone();
                job.limits.timeout = round.left;
                job.commands = commands(round.left);
                // Nothing of a job has to be kept for later where it is run once in any case.
                let next = talk.has_respondent().then(|| job.clone());
                let ended = round.run(job).await;
                let Ended::NeedsInput(needed) = ended else {
                    break ended;
                };
                if next.is_some() {
                    drop(permit.take());
                }
                if let Err(ended) = talk.ask(needed).await {
                    break ended;
                }
                let Some(next) = next else {
                    break Ended::NotRun(Error::new(Code::E3000, "nobody can have answered"));
                };
                job = next;
                let caller = &request.caller.principal;
                let waiting = admission.place(caller, round.left, &request.cancel);
                match waiting.await {
                    Ok(place) => permit = Some(place),
                    Err(error) => break Ended::NotRun(error),
                }
            },
        };
        drop(permit);
        Ran {
            outcome: Outcome {
                ended,
                usage: round.usage,
            },
            tool,
            events,
            redact: plan.redact,
            is_repeatable: !talk.was_told,
            open: talk.open,
            breaker: self.breaker,
        }
    }
}

/// The runs of one call, and what they have left.
struct Round<'a> {
    executor: &'a Arc<dyn Executor>,
    admission: &'a Admission,
    /// The time that all of them may take.
    timeout: Duration,
    left: Duration,
    usage: Usage,
    is_idempotent: bool,
}

impl Round<'_> {
    /// Runs the job to its end, with all of its repetitions.
    async fn run(&mut self, job: Job) -> Ended {
        if self.left.is_zero() {
            return Ended::TimedOut(self.timeout);
        }
        let started = Instant::now();
        let outcome = self.attempts(job).await;
        self.left = self.left.saturating_sub(started.elapsed());
        self.usage = self.usage.and(outcome.usage);
        match outcome.ended {
            Ended::TimedOut(_) => Ended::TimedOut(self.timeout),
            ended => ended,
        }
    }

    async fn attempts(&self, mut job: Job) -> Outcome {
        if !self.is_idempotent {
            return self.executor.run(job).await;
        }
        let deadline = Instant::now() + self.left;
        let mut number = 1;
        loop {
            let outcome = self.executor.run(job.clone()).await;
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(failed) = attempt(&outcome.ended, number) else {
                return outcome;
            };
            let delay =
                self.admission
                    .retry
                    .next_delay(&failed, true, Some(left), &mut rand::rng());
            let Some(delay) = delay else {
                return outcome;
            };
            tokio::select! {
                () = job.cancel.cancelled() => return outcome,
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

    /// Tells the breaker how it went with the tool.
    pub(super) fn settle(&mut self, code: Option<Code>) {
        if let Some(breaker) = self.breaker.take() {
            breaker.settle(Health::of(code));
        }
    }
}
