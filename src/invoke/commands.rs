//! Commands that a guest has run: put through the same checks as a call of a command, and run with no more than its call.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::contain::{CommandRules, Wish};
use super::question::Circumstances;
use super::{Plan, Request};
use crate::error::{Code, Error};
use crate::exec::{
    Arguments, Artifact, BoxFuture, CommandFailure, Commands, Ended, Entry, EventLimits, EventSink,
    Executor, FinishedCommand, GuestCommand, Input, Job, LimitKind, Outcome, Services,
};
use crate::ids::CallId;
use crate::permission::{Action, Denial};
use crate::policy::Policies;

/// What a call needs to have commands run on its behalf.
#[derive(Clone)]
pub(super) struct CallCommands {
    call: CallId,
    plan: Arc<Plan>,
    rules: CommandRules,
    policies: Option<(Arc<Policies>, Circumstances)>,
    executor: Arc<dyn Executor>,
    artifact: Artifact,
    events: Arc<EventSink>,
    cancel: CancellationToken,
    deadline: Instant,
    services: Option<Arc<dyn Services>>,
}

impl std::fmt::Debug for CallCommands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallCommands")
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

impl CallCommands {
    pub(super) fn new(
        request: &Request,
        plan: Arc<Plan>,
        rules: CommandRules,
        executor: Arc<dyn Executor>,
        artifact: Artifact,
        services: Option<Arc<dyn Services>>,
    ) -> Self {
        Self {
            call: request.call,
            deadline: Instant::now() + plan.limits.timeout,
            policies: plan.judge.clone(),
            plan,
            rules,
            executor,
            artifact,
            events: Arc::clone(&request.events),
            cancel: request.cancel.clone(),
            services,
        }
    }

    /// Policy is asked about each command, by its image.
    async fn ask(&self, command: &GuestCommand) -> Result<(), CommandFailure> {
        let Some((policies, circumstances)) = self.policies.clone() else {
            return Ok(());
        };
        let place = self.rules.place.reference(&command.image);
        let question = circumstances.container(&place);
        let decided = tokio::task::spawn_blocking(move || policies.decide(&question)).await;
        let decision = decided.map_err(|_| {
            CommandFailure::Unavailable("the policies could not be asked".to_owned())
        })?;
        // A command in the middle of a call cannot wait for a person.
        if decision.allow && decision.obligations.approval.is_empty() {
            return Ok(());
        }
        let action = Action::Subprocess {
            image: place,
            command: command.argv.first().cloned().unwrap_or_default(),
        };
        self.events
            .denied(Denial::policy(&action, decision.reason.clone()));
        Err(CommandFailure::NotPermitted(decision.reason))
    }

    async fn run_to_end(&self, command: GuestCommand) -> Result<FinishedCommand, CommandFailure> {
        let wish = Wish::of_guest(&command).map_err(|error| refusal(&error))?;
        let spec = self
            .plan
            .contain(wish, "", &self.events, None, None, &self.rules)
            .map_err(|error| refusal(&error))?;
        self.ask(&command).await?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let mut limits = self.plan.limits.clone();
        limits.timeout = command.timeout.map_or(left, |timeout| timeout.min(left));
        if limits.timeout.is_zero() {
            return Err(CommandFailure::TimedOut);
        }
        let events = Arc::new(EventSink::new(EventLimits::default()));
        let outcome = self
            .executor
            .run(Job {
                call: self.call,
                artifact: self.artifact.clone(),
                entry: Entry::Sandbox,
                arguments: Arguments::Command(Arc::new(spec)),
                input: Input::default(),
                scope: Arc::clone(&self.plan.effective),
                sensitive: Arc::clone(&self.plan.sensitive),
                mounts: Vec::new(),
                wanted: Vec::new(),
                env: Vec::new(),
                config: Vec::new(),
                deterministic: false,
                is_inner: true,
                kept: None,
                limits,
                cancel: self.cancel.child_token(),
                events: Arc::clone(&events),
                veto: self.plan.veto.clone(),
                services: self.services.clone(),
                commands: None,
                key_value: None,
                invoker: None,
                asking: None,
            })
            .await;
        let told = events.take();
        for effect in told.effects {
            self.events.effect(effect);
        }
        for denial in told.denials {
            self.events.denied(denial);
        }
        for (level, message) in told.logs {
            self.events.log(level, &message);
        }
        let finished = |exit_code| FinishedCommand {
            exit_code,
            stdout: told.stdout,
            stderr: told.stderr,
            stdout_dropped: told.stdout_dropped,
            stderr_dropped: told.stderr_dropped,
        };
        ended(outcome, finished)
    }
}

fn ended(
    outcome: Outcome,
    finished: impl FnOnce(u8) -> FinishedCommand,
) -> Result<FinishedCommand, CommandFailure> {
    match outcome.ended {
        Ended::Complete(_) => Ok(finished(0)),
        Ended::Exited { code, .. } => Ok(finished(u8::try_from(code).unwrap_or(u8::MAX))),
        Ended::Signalled(signal) => Err(CommandFailure::Signalled(
            u8::try_from(signal).unwrap_or_default(),
        )),
        Ended::TimedOut(_) | Ended::Cancelled => Err(CommandFailure::TimedOut),
        Ended::LimitReached {
            limit: LimitKind::Memory,
            ..
        } => Err(CommandFailure::OutOfMemory),
        Ended::NotRun(error) => Err(refusal(&error)),
        Ended::LimitReached { .. }
        | Ended::NeedsInput(_)
        | Ended::Failed(_)
        | Ended::Crashed { .. } => Err(CommandFailure::Unavailable(
            "the command could not be followed to its end".to_owned(),
        )),
    }
}

/// What a guest is told: the sentence without its causes, which are the host's own.
fn refusal(error: &Error) -> CommandFailure {
    let text = error.to_string();
    match error.code() {
        Code::E3206 | Code::E3210 | Code::E3211 => CommandFailure::NotPermitted(text),
        Code::E3101 => CommandFailure::NotFound(text),
        Code::E3301 | Code::E3004 => CommandFailure::Invalid(text),
        Code::E3402 => CommandFailure::TimedOut,
        _ => CommandFailure::Unavailable(text),
    }
}

impl Commands for CallCommands {
    fn reference(&self, image: &str) -> String {
        self.rules.place.reference(image)
    }

    fn run(&self, command: GuestCommand) -> BoxFuture<'_, Result<FinishedCommand, CommandFailure>> {
        Box::pin(self.run_to_end(command))
    }
}
