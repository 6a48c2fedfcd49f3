//! Stages three and four: a place among the running calls, then the executor.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Authorised;
use crate::error::{Code, Error, Result};
use crate::exec::{EventSink, Executor, Job, Outcome, Usage};
use crate::registry::Tool;

/// How many calls may run at once; callers beyond that wait their turn.
#[derive(Debug, Clone)]
pub struct Permits {
    global: Arc<Semaphore>,
    most: usize,
}

impl Permits {
    /// Room for `most` calls.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            global: Arc::new(Semaphore::new(most)),
            most,
        }
    }
}

/// A call that has its place; dropping it gives the place to the next.
#[derive(Debug)]
pub struct Admitted {
    authorised: Authorised,
    permit: OwnedSemaphorePermit,
}

/// A call that ended.
#[derive(Debug)]
pub struct Ran {
    pub(super) tool: Arc<Tool>,
    pub(super) outcome: Outcome,
    pub(super) events: Arc<EventSink>,
    pub(super) redact: BTreeSet<String>,
}

impl Authorised {
    /// Waits for a place among the running calls, at most as long as the call may take.
    ///
    /// # Errors
    /// E3408 where none comes free in time, E3703 where the call is cancelled meanwhile.
    pub(super) async fn admit(self, permits: &Permits) -> Result<Admitted> {
        let waiting = tokio::time::timeout(
            self.plan.limits.timeout,
            Arc::clone(&permits.global).acquire_owned(),
        );
        let permit = tokio::select! {
            biased;
            () = self.request.cancel.cancelled() => {
                return Err(Error::new(Code::E3703, "the call was cancelled while it waited for its turn"));
            }
            permit = waiting => permit,
        };
        match permit {
            Ok(Ok(permit)) => Ok(Admitted {
                authorised: self,
                permit,
            }),
            Ok(Err(_)) | Err(_) => Err(Error::new(
                Code::E3408,
                format!("all {} places for running calls were taken", permits.most),
            )
            .detail("concurrency", permits.most)),
        }
    }
}

impl Admitted {
    /// Runs the call.
    pub(super) async fn run(self, executor: &dyn Executor) -> Ran {
        let Authorised {
            request,
            source,
            tool,
            arguments,
            plan,
            was_kept: _,
        } = self.authorised;
        let redact = plan.redact;
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
        let outcome = executor
            .run(Job {
                call: request.call,
                artifact: source.artifact.clone(),
                entry: tool.entry.clone(),
                arguments,
                scope: plan.effective,
                sensitive: plan.sensitive,
                mounts: plan.mounts,
                wanted: plan.wanted,
                env: plan.environment,
                config,
                deterministic: plan.deterministic,
                limits: plan.limits,
                cancel: request.cancel,
                events: request.events,
                veto: plan.veto,
            })
            .await;
        drop(self.permit);
        Ran {
            tool,
            outcome,
            events,
            redact,
        }
    }
}

impl Ran {
    /// What the call used.
    pub(super) fn usage(&self) -> Usage {
        self.outcome.usage
    }
}
