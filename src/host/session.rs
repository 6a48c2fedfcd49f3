//! Instances that are kept between the calls of a session.
//!
//! Between calls an instance belongs to its [`Slot`]; the call that goes on takes it out and puts it back when it ended well.
//! However else the call ends, the instance goes with it: a future that is dropped in the middle leaves nothing behind that
//! could be called again. Calls of one session wait for each other in the order they came.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::component::Loaded;
use super::meter::Meter;
use super::state::State;
use super::{Host, call, outcome};
use crate::error::{Code, Error};
use crate::exec::{Ended, EventLimits, EventSink, InstanceOwner, Job, Mount};
use crate::ids::Digest;
use crate::permission::{Scope, Sensitive};

/// How many instances a process keeps; of those that nobody uses, the one that waited longest goes first.
const MAX_KEPT: usize = 64;

/// Whose instance, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    session: String,
    principal: String,
    digest: Digest,
}

/// The instances of a process.
#[derive(Default)]
pub(super) struct Sessions {
    slots: Mutex<Slots>,
    /// There is one more to look after.
    added: Arc<Notify>,
}

#[derive(Default)]
struct Slots {
    of: HashMap<Key, Arc<Slot>>,
    /// Somebody looks after those that nobody uses.
    is_watched: bool,
}

/// The place of one instance.
struct Slot {
    /// Taken out while a call uses it; calls wait here for their turn.
    instance: tokio::sync::Mutex<Option<Kept>>,
    waiting: Mutex<Waiting>,
    idle: Duration,
}

/// How an instance waits for its next call.
struct Waiting {
    /// How many calls use it or wait for it.
    calls: usize,
    since: Instant,
}

/// An instance, and what it was made with.
struct Kept {
    store: Store<State>,
    instance: Instance,
    made: Made,
}

/// What an instance got when it was made. What it opened then stays open, so a call that gets anything else has another one.
struct Made {
    scope: Arc<Scope>,
    sensitive: Arc<Sensitive>,
    mounts: Vec<Mount>,
    wanted: Vec<Mount>,
    env: Vec<(String, String)>,
    config: Vec<(String, String)>,
}

impl Made {
    fn of(job: &Job) -> Self {
        Self {
            scope: Arc::clone(&job.scope),
            sensitive: Arc::clone(&job.sensitive),
            mounts: job.mounts.clone(),
            wanted: job.wanted.clone(),
            env: job.env.clone(),
            config: job.config.clone(),
        }
    }

    /// True where the job gets the same.
    fn is_for(&self, job: &Job) -> bool {
        self.scope == job.scope
            && self.sensitive == job.sensitive
            && self.mounts == job.mounts
            && self.wanted == job.wanted
            && self.env == job.env
            && self.config == job.config
    }
}

impl Slot {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it ends, where nobody uses it before.
    fn ends(&self) -> Option<Instant> {
        let waiting = self.waiting();
        (waiting.calls == 0).then(|| waiting.since + self.idle)
    }
}

/// A call that uses a slot or waits for it; dropping it says that it does no more.
struct Using(Arc<Slot>);

impl Drop for Using {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.calls -= 1;
        waiting.since = Instant::now();
    }
}

impl Sessions {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of this key, in use from now on.
    fn slot(self: &Arc<Self>, key: Key, idle: Duration) -> Using {
        let (using, removed, is_new, watch) = {
            let mut slots = self.slots();
            let mut removed = Vec::new();
            while !slots.of.contains_key(&key) && slots.of.len() >= MAX_KEPT {
                let waiting = slots.of.iter().filter_map(|(key, slot)| {
                    let slot = slot.waiting();
                    (slot.calls == 0).then(|| (slot.since, key.clone()))
                });
                // Where every one is in use, there are more for a while.
                let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) else {
                    break;
                };
                removed.extend(slots.of.remove(&longest));
            }
            let is_new = !slots.of.contains_key(&key);
            let slot = slots.of.entry(key).or_insert_with(|| {
                Arc::new(Slot {
                    instance: tokio::sync::Mutex::default(),
                    waiting: Mutex::new(Waiting {
                        calls: 0,
                        since: Instant::now(),
                    }),
                    idle,
                })
            });
            slot.waiting().calls += 1;
            let using = Using(Arc::clone(slot));
            (
                using,
                removed,
                is_new,
                !std::mem::replace(&mut slots.is_watched, true),
            )
        };
        // Freeing the memory of an instance takes a moment; others need not wait for it.
        drop(removed);
        if watch {
            let watch = Watch {
                sessions: Arc::downgrade(self),
                added: Arc::clone(&self.added),
            };
            tokio::spawn(watch.run());
        } else if is_new {
            self.added.notify_one();
        }
        using
    }

    /// Removes what nobody uses and nobody used for long enough; gives when to look again, and nothing where nothing is left.
    fn sweep(&self) -> Option<Instant> {
        let now = Instant::now();
        let (next, removed) = {
            let mut slots = self.slots();
            let over: Vec<Key> = slots
                .of
                .iter()
                .filter(|(_, slot)| slot.ends().is_some_and(|end| end <= now))
                .map(|(key, _)| key.clone())
                .collect();
            let removed: Vec<_> = over.iter().filter_map(|key| slots.of.remove(key)).collect();
            let ends = slots.of.values();
            // One that is in use now ends no sooner than it may be idle.
            let next = ends
                .map(|slot| slot.ends().unwrap_or(now + slot.idle))
                .min();
            slots.is_watched = next.is_some();
            (next, removed)
        };
        drop(removed);
        next
    }
}

/// Whoever ends instances that nobody uses. It ends with the last of them, and with its runtime.
struct Watch {
    sessions: Weak<Sessions>,
    added: Arc<Notify>,
}

impl Watch {
    async fn run(self) {
        while let Some(next) = self.sessions.upgrade().and_then(|it| it.sweep()) {
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = self.added.notified() => {}
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A process can have one runtime after the other: the next call starts another one.
        if let Some(sessions) = self.sessions.upgrade() {
            sessions.slots().is_watched = false;
        }
    }
}

/// Says that what a session kept is gone, unless it is told otherwise: the future of the call may be dropped at any time.
struct Loss {
    events: Arc<EventSink>,
    is_one: bool,
}

impl Drop for Loss {
    fn drop(&mut self) {
        if self.is_one {
            self.events.notice(
                "what the tool kept in memory for this session is lost with this call; the next one begins anew"
                    .to_owned(),
            );
        }
    }
}

/// The end of a call that never had the instance of its session.
pub(super) fn taken() -> Ended {
    Ended::NotRun(
        Error::new(
            Code::E3408,
            "another call of the session uses the instance of the tool",
        )
        .hint("Calls of one session wait for each other; give the call more time, or another session."),
    )
}

/// Runs the job in the instance that is kept for its session, or in a new one that is kept from now on. While it waits for
/// that instance, `waits` is true.
pub(super) async fn run(
    host: &Host,
    loaded: &Loaded,
    job: Job,
    owner: &InstanceOwner,
    meter: &Arc<Meter>,
    waits: &AtomicBool,
) -> Ended {
    let key = Key {
        session: owner.session.clone(),
        principal: owner.principal.clone(),
        digest: job.artifact.digest,
    };
    let using = host.sessions.slot(key, owner.idle);
    let waiting = using.0.instance.lock();
    let mut place = if job.is_inner {
        // Calls that wait for each other's instances would wait until their time is over; this one's caller can still go on.
        match tokio::time::timeout(job.limits.timeout / 2, waiting).await {
            Ok(place) => place,
            Err(_) => return taken(),
        }
    } else {
        waits.store(true, Ordering::Relaxed);
        let place = waiting.await;
        waits.store(false, Ordering::Relaxed);
        place
    };
    let before = place.take();
    let mut loss = Loss {
        events: Arc::clone(&job.events),
        is_one: before.is_some(),
    };
    let _running = host.loader.engines().guest_running();
    // What is asked holds no store: a future that does cannot go from one thread to another.
    let there = before
        .as_ref()
        .map(|kept| (kept.made.is_for(&job), Arc::clone(&kept.store.data().guard)));
    let changed = match there {
        Some((false, _)) => Some("this call may do something else than the one before"),
        Some((true, guard)) => guard.stays_behind(job.veto.as_ref()).await,
        None => None,
    };
    let kept = match (before, changed) {
        (Some(kept), None) => Ok(begin(kept, &job, meter)),
        (before, changed) => {
            drop(before);
            loss.is_one = false;
            if let Some(why) = changed {
                job.events.notice(format!(
                    "what the tool kept in memory for this session is lost: {why}, so that the tool begins anew"
                ));
            }
            make(host, loaded, &job, meter).await
        }
    };
    let mut kept = match kept {
        Ok(kept) => kept,
        Err(ended) => return ended,
    };
    loss.is_one = true;
    let ended = call::enter(loaded, &kept.instance, &mut kept.store, job).await;
    let goes_on = matches!(
        ended,
        Ended::Complete(_) | Ended::NeedsInput(_) | Ended::Failed(_)
    );
    if goes_on {
        loss.is_one = false;
        rest(&mut kept);
        *place = Some(kept);
    }
    ended
}

async fn make(host: &Host, loaded: &Loaded, job: &Job, meter: &Arc<Meter>) -> Result<Kept, Ended> {
    let mut store = call::store(host, loaded, job, Arc::clone(meter)).map_err(Ended::NotRun)?;
    match loaded.pre.instantiate_async(&mut store).await {
        Ok(instance) => Ok(Kept {
            store,
            instance,
            made: Made::of(job),
        }),
        Err(error) => Err(outcome::of_error(&error, &store, &job.limits)),
    }
}

/// Gives an instance what belongs to this call alone.
fn begin(mut kept: Kept, job: &Job, meter: &Arc<Meter>) -> Kept {
    let limits = &job.limits;
    call::undisturbed(&mut kept.store);
    let state = kept.store.data_mut();
    state.guard.begin(
        Arc::clone(&job.events),
        job.veto.clone(),
        job.services.clone(),
    );
    state.limiter.begin(
        limits.memory,
        limits.table_elements,
        limits.instances,
        Arc::clone(meter),
    );
    state.outgoing.begin(limits.http_bytes, Arc::clone(meter));
    state.meter = Arc::clone(meter);
    state.host_calls_allowed = limits.host_calls;
    state.in_host = false;
    state.commands.clone_from(&job.commands);
    state.key_value.clone_from(&job.key_value);
    state.invoker.clone_from(&job.invoker);
    state.events = Arc::clone(&job.events);
    state.progress = super::imports::progress::Progress::default();
    kept
}

/// Takes away what belongs to the call that ended, so that nothing of it lives on with the instance.
fn rest(kept: &mut Kept) {
    let state = kept.store.data_mut();
    state.commands = None;
    state.key_value = None;
    state.invoker = None;
    state.events = Arc::new(EventSink::new(EventLimits::default()));
    state.guard.end();
}
