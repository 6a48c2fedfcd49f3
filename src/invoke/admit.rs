//! Stages three and four: a place among the running calls, then the executor.
//!
//! A call passes the rate limit, the breaker of its tool and the queue for a place, in this order; each is given back when
//! the call ends, however it does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commands::CallCommands;
use super::{Authorised, CommandRules, Recorded};
use crate::error::{Code, Error, Result};
use crate::exec::{
    Arguments, BoxFuture, Commands, Ended, EventSink, Executor, Job, Outcome, Output,
    ServiceRequest, Services, ToolErrorKind, Usage,
};
use crate::permission::Kind;
use crate::registry::Tool;
use crate::resilience::breaker::{BreakerConfig, Outcome as Health};
use crate::resilience::breakers::{BreakerGuard, Breakers, MemoryBreakers, Observer, Settings};
use crate::resilience::clock::{Clock, SystemClock};
use crate::resilience::idempotency::{Idempotency, IdempotencyConfig};
use crate::resilience::permits::{Permit, PermitLimits, Permits};
use crate::resilience::rate_limit::{MemoryRates, Rate, RateStore};
use crate::resilience::result_cache::{CacheConfig, CacheKey, ResultCache};
use crate::resilience::retry::{Attempt, RetryPolicy};

/// What stands before the host and port of a service in the key of its breaker. No tool is called so.
pub const SERVICE: &str = "service:";

/// How calls share the machine, as it was configured.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    /// How many calls run at once.
    pub total: usize,
    /// How many of these one caller may have.
    pub per_caller: usize,
    /// How many may wait for their turn.
    pub queue: usize,
    /// How many calls of one tool a caller may begin a minute; nothing where there is no limit.
    pub rate: Option<u32>,
    /// How often a call that failed and may be repeated is tried.
    pub attempts: u32,
    /// A tool that keeps crashing or running out of time is left alone for a while.
    pub breaker: bool,
}

/// What a call has to pass before it runs, and what spares it from running.
pub struct Admission {
    sharing: Sharing,
    permits: Permits,
    rates: MemoryRates,
    breakers: Option<Breakers>,
    retry: RetryPolicy,
    /// Results of tools that only compute.
    pub(super) results: ResultCache<Arc<Output>>,
    /// Requests that their callers told apart by a key.
    pub(super) requests: Idempotency<Arc<Recorded>>,
}

impl Admission {
    /// Begins with nothing running; `observer` is told of every breaker that opens or closes.
    #[must_use]
    pub fn new(sharing: Sharing, observer: Observer) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let breakers = sharing.breaker.then(|| {
            let settings = Settings {
                default: BreakerConfig::default(),
                ..Settings::default()
            };
            Breakers::new(Arc::new(MemoryBreakers::new(
                settings,
                Arc::clone(&clock),
                observer,
            )))
        });
        Self {
            permits: Permits::new(PermitLimits {
                total: sharing.total,
                per_key: sharing.per_caller,
                queue: sharing.queue,
                queue_per_key: sharing.queue,
            }),
            rates: MemoryRates::new(Arc::clone(&clock), MemoryRates::MAX_KEYS),
            breakers,
            retry: RetryPolicy {
                max_attempts: sharing.attempts,
                ..RetryPolicy::default()
            },
            results: ResultCache::new(CacheConfig::default(), Arc::clone(&clock)),
            requests: Idempotency::new(IdempotencyConfig::default(), clock),
            sharing,
        }
    }

    async fn check_rate(&self, caller: &str, tool: &str) -> Result<()> {
        let Some(cells) = self.sharing.rate else {
            return Ok(());
        };
        let rate = Rate {
            cells,
            period: Duration::from_secs(60),
            burst: cells.div_ceil(6).max(1),
        };
        let key = format!("{caller} {tool}");
        match self.rates.take(&key, &rate).await? {
            Ok(_) => Ok(()),
            Err(limited) => Err(limited.error(tool, &rate)),
        }
    }
}

/// Breakers of the services that tools send requests to.
#[derive(Debug)]
struct ServiceBreakers(Breakers);

/// A request that a breaker let through.
struct Through(BreakerGuard);

impl Services for ServiceBreakers {
    fn begin<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<Box<dyn ServiceRequest>>> {
        Box::pin(async move {
            let guard = self.0.acquire(&format!("{SERVICE}{service}")).await?;
            Ok(Box::new(Through(guard)) as Box<dyn ServiceRequest>)
        })
    }
}

impl ServiceRequest for Through {
    fn end(self: Box<Self>, works: bool) {
        self.0.settle(if works {
            Health::Success
        } else {
            Health::Failure
        });
    }
}

/// A call that has its place; dropping it gives the place to the next.
#[derive(Debug)]
pub struct Admitted {
    authorised: Authorised,
    permit: Permit,
    breaker: Option<BreakerGuard>,
}

/// A call that ended.
#[derive(Debug)]
pub struct Ran {
    pub(super) tool: Arc<Tool>,
    pub(super) outcome: Outcome,
    pub(super) events: Arc<EventSink>,
    pub(super) redact: BTreeSet<String>,
    breaker: Option<BreakerGuard>,
}

impl Authorised {
    /// Passes the rate limit and the breaker, and waits for a place among the running calls, at most as long as the call
    /// may take.
    ///
    /// # Errors
    /// E3003 where there were too many calls, E3501 where the tool is left alone for now, E3408 where no place comes free in
    /// time or too many wait, E3703 where the call is cancelled meanwhile.
    pub(super) async fn admit(self, admission: &Admission) -> Result<Admitted> {
        let caller = self.request.caller.principal.clone();
        let tool = self.tool.id.to_string();
        admission.check_rate(&caller, &tool).await?;
        let breaker = match &admission.breakers {
            Some(breakers) => Some(breakers.acquire(&tool).await?),
            None => None,
        };
        let waiting =
            tokio::time::timeout(self.plan.limits.timeout, admission.permits.acquire(&caller));
        let permit = tokio::select! {
            biased;
            () = self.request.cancel.cancelled() => {
                return Err(Error::new(Code::E3703, "the call was cancelled while it waited for its turn"));
            }
            permit = waiting => permit,
        };
        match permit {
            Ok(permit) => Ok(Admitted {
                permit: permit?,
                authorised: self,
                breaker,
            }),
            Err(_) => Err(Error::new(
                Code::E3408,
                format!(
                    "all {} places for running calls were taken",
                    admission.sharing.total
                ),
            )
            .detail("concurrency", admission.sharing.total)),
        }
    }

    /// What the result of the call can be found under, where its tool only computes.
    pub(super) fn cache_key(&self) -> Option<CacheKey> {
        // What policy leaves out of a result may differ from call to call.
        (self.tool.pure && self.plan.redact.is_empty()).then(|| {
            CacheKey::new(
                &self.source.artifact.digest,
                &self.tool.id.to_string(),
                &crate::schema::canonical(&self.request.arguments),
                &self.plan.effective.to_string(),
            )
        })
    }
}

impl Admitted {
    /// Runs the call; again where it failed, its tool says that it may work later, and calling it twice does no harm.
    pub(super) async fn run(
        self,
        executor: &Arc<dyn Executor>,
        admission: &Admission,
        rules: &CommandRules,
    ) -> Ran {
        let Authorised {
            request,
            source,
            tool,
            arguments,
            plan,
            was_kept: _,
        } = self.authorised;
        let may_run_commands = plan.effective.kinds().contains(&Kind::Subprocess)
            && !matches!(arguments, Arguments::Command(_));
        let services = admission
            .breakers
            .clone()
            .map(|breakers| Arc::new(ServiceBreakers(breakers)) as Arc<dyn Services>);
        let commands = may_run_commands.then(|| {
            Arc::new(CallCommands::new(
                &request,
                Arc::new(plan.clone()),
                rules.clone(),
                Arc::clone(executor),
                source.artifact.clone(),
                services.clone(),
            )) as Arc<dyn Commands>
        });
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
        let mut job = Job {
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
            services,
            commands,
        };
        let deadline = Instant::now() + job.limits.timeout;
        let mut number = 1;
        let outcome = loop {
            // A tool that may not be repeated is run once, and nothing of its job has to be kept for later.
            if !tool.idempotent {
                break executor.run(job).await;
            }
            let outcome = executor.run(job.clone()).await;
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(failed) = attempt(&outcome.ended, number) else {
                break outcome;
            };
            let delay = admission
                .retry
                .next_delay(&failed, true, Some(left), &mut rand::rng());
            let Some(delay) = delay else {
                break outcome;
            };
            tokio::select! {
                () = job.cancel.cancelled() => break outcome,
                () = tokio::time::sleep(delay) => {}
            }
            number += 1;
            job.limits.timeout = deadline.saturating_duration_since(Instant::now());
        };
        drop(self.permit);
        Ran {
            tool,
            outcome,
            events,
            redact,
            breaker: self.breaker,
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
