//! Stage three: a place among the running calls.
//!
//! A call passes the rate limit, the breaker of its tool and the queue for a place, in this order; each is given back when
//! the call ends, however it does.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Authorised, Recorded};
use crate::error::{Code, Error, Result};
use crate::exec::{BoxFuture, Output, ServiceRequest, Services};
use crate::resilience::breaker::{BreakerConfig, Outcome as Health};
use crate::resilience::breakers::{BreakerGuard, Breakers, MemoryBreakers, Observer, Settings};
use crate::resilience::clock::{Clock, SystemClock};
use crate::resilience::idempotency::{Idempotency, IdempotencyConfig};
use crate::resilience::permits::{Permit, PermitLimits, Permits};
use crate::resilience::rate_limit::{MemoryRates, Rate, RateStore};
use crate::resilience::result_cache::{CacheConfig, CacheKey, ResultCache};
use crate::resilience::retry::RetryPolicy;

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
    pub(super) retry: RetryPolicy,
    /// Results of tools that only compute.
    pub(super) results: ResultCache<Arc<Output>>,
    /// Requests that their callers told apart by a key.
    pub(super) requests: Idempotency<Arc<Recorded>>,
}

/// The place of a call among those that run. It is left while somebody thinks about what the call asks.
pub(super) struct Place<'a> {
    pub(super) admission: &'a Admission,
    pub(super) caller: &'a str,
    pub(super) cancel: &'a CancellationToken,
    /// How long to wait for one.
    pub(super) patience: Duration,
    /// Nothing where it was left, or none was ever needed.
    pub(super) permit: Option<Permit>,
    pub(super) was_left: bool,
}

impl Place<'_> {
    /// Lets another call run.
    pub(super) fn leave(&mut self) {
        self.was_left |= self.permit.take().is_some();
    }

    /// Takes one again where it was left.
    ///
    /// # Errors
    /// Those of [`Admission::place`].
    pub(super) async fn take(&mut self) -> Result<()> {
        if self.was_left {
            let taking = self
                .admission
                .place(self.caller, self.patience, self.cancel);
            self.permit = Some(taking.await?);
            self.was_left = false;
        }
        Ok(())
    }
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

impl Admission {
    /// Waits for a place among the running calls.
    ///
    /// # Errors
    /// E3408 where none comes free in time or too many wait, E3703 where the call is cancelled meanwhile.
    pub(super) async fn place(
        &self,
        caller: &str,
        patience: Duration,
        cancel: &CancellationToken,
    ) -> Result<Permit> {
        let waiting = tokio::time::timeout(patience, self.permits.acquire(caller));
        let permit = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                return Err(Error::new(Code::E3703, "the call was cancelled while it waited for its turn"));
            }
            permit = waiting => permit,
        };
        permit.unwrap_or_else(|_| {
            Err(Error::new(
                Code::E3408,
                format!(
                    "all {} places for running calls were taken",
                    self.sharing.total
                ),
            )
            .detail("concurrency", self.sharing.total))
        })
    }

    /// What asks the breakers of services on behalf of a call.
    pub(super) fn services(&self) -> Option<Arc<dyn Services>> {
        let breakers = self.breakers.clone()?;
        Some(Arc::new(ServiceBreakers(breakers)))
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
    pub(super) authorised: Authorised,
    /// Nothing while somebody is asked: others run meanwhile.
    pub(super) permit: Option<Permit>,
    pub(super) breaker: Option<BreakerGuard>,
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
        // A call inside another one runs in its place: were it to wait for one of its own, those that are taken could all wait
        // for each other.
        let permit = if self.request.caller.chain.is_some() {
            None
        } else {
            let patience = self.plan.limits.timeout;
            let waiting = admission.place(&caller, patience, &self.request.cancel);
            Some(waiting.await?)
        };
        Ok(Admitted {
            permit,
            authorised: self,
            breaker,
        })
    }

    /// What the result of the call can be found under, where its tool only computes.
    pub(super) fn cache_key(&self) -> Option<CacheKey> {
        let plan = &self.plan;
        // Whatever a tool says of itself: a file, a variable or an answer from elsewhere is another one next time.
        let sees_nothing = plan.effective.is_empty()
            && plan.environment.is_empty()
            && plan.mounts.is_empty()
            && self.request.resumed.is_none();
        // What policy leaves out of a result may differ from call to call.
        let may_be_known = self.tool.pure && sees_nothing && plan.redact.is_empty();
        may_be_known.then(|| {
            CacheKey::new(
                &self.source.artifact.digest,
                &self.tool.id.to_string(),
                &crate::schema::canonical(&self.request.arguments),
            )
        })
    }
}
