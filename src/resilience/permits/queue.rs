//! Whose turn it is: a pure queue, with a turn for each key that has somebody waiting.
//!
//! Nobody who could run is ever left waiting: after every change the owner takes [`FairQueue::next`] until there is none.
//! So where there is room for whoever comes, in all and under the key, nobody who waits could use it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Load, PermitLimits};

/// Those who run and those who wait, by key. `W` is how a waiter is told.
pub(super) struct FairQueue<W> {
    limits: PermitLimits,
    running: usize,
    waiting: usize,
    entered: u64,
    keys: HashMap<Arc<str>, Lane<W>>,
    /// The keys that have somebody waiting, each once; the next turn first.
    turns: VecDeque<Arc<str>>,
}

/// One key.
struct Lane<W> {
    running: usize,
    waiting: VecDeque<(u64, W)>,
}

/// What one who comes has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Run now.
    Runs,
    /// Wait, under this number.
    Waits(u64),
    /// There is no room in the queue.
    Full(Full),
}

/// How full it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Of the same key.
    pub(super) key_running: usize,
    /// Of the same key.
    pub(super) key_waiting: usize,
    pub(super) load: Load,
}

impl<W> FairQueue<W> {
    pub(super) fn new(limits: PermitLimits) -> Self {
        Self {
            limits: PermitLimits {
                total: limits.total.max(1),
                per_key: limits.per_key.max(1),
                ..limits
            },
            running: 0,
            waiting: 0,
            entered: 0,
            keys: HashMap::new(),
            turns: VecDeque::new(),
        }
    }

    pub(super) fn load(&self) -> Load {
        Load {
            running: self.running,
            waiting: self.waiting,
            keys: self.keys.len(),
        }
    }

    /// One more comes.
    pub(super) fn enter(&mut self, key: &Arc<str>, waiter: W) -> Place {
        let load = self.load();
        let (key_running, key_waiting) = self
            .keys
            .get(key)
            .map_or((0, 0), |lane| (lane.running, lane.waiting.len()));
        let runs = self.running < self.limits.total && key_running < self.limits.per_key;
        if !runs && (self.waiting >= self.limits.queue || key_waiting >= self.limits.queue_per_key)
        {
            return Place::Full(Full {
                key_running,
                key_waiting,
                load,
            });
        }
        let lane = self.keys.entry(Arc::clone(key)).or_insert_with(|| Lane {
            running: 0,
            waiting: VecDeque::new(),
        });
        if runs {
            lane.running += 1;
            self.running += 1;
            return Place::Runs;
        }
        if lane.waiting.is_empty() {
            self.turns.push_back(Arc::clone(key));
        }
        self.entered += 1;
        lane.waiting.push_back((self.entered, waiter));
        self.waiting += 1;
        Place::Waits(self.entered)
    }

    /// Takes the next one who can run, who counts as running from now on.
    ///
    /// A key at its own cap keeps its turn while others go past it.
    pub(super) fn next(&mut self) -> Option<(Arc<str>, W)> {
        if self.running >= self.limits.total {
            return None;
        }
        let turn = self.turns.iter().position(|key| {
            self.keys
                .get(key)
                .is_some_and(|lane| lane.running < self.limits.per_key)
        })?;
        let key = self.turns.remove(turn)?;
        let lane = self.keys.get_mut(&key)?;
        let (_, waiter) = lane.waiting.pop_front()?;
        lane.running += 1;
        self.running += 1;
        self.waiting -= 1;
        if !lane.waiting.is_empty() {
            self.turns.push_back(Arc::clone(&key));
        }
        Some((key, waiter))
    }

    /// One of this key who ran has ended.
    pub(super) fn leave(&mut self, key: &Arc<str>) {
        if let Some(lane) = self.keys.get_mut(key) {
            lane.running -= 1;
            self.running -= 1;
        }
        self.tidy(key);
    }

    /// Takes one who waits out of the queue, if still there.
    pub(super) fn cancel(&mut self, key: &Arc<str>, number: u64) -> Option<W> {
        let lane = self.keys.get_mut(key)?;
        let at = lane.waiting.iter().position(|(n, _)| *n == number)?;
        let (_, waiter) = lane.waiting.remove(at)?;
        self.waiting -= 1;
        if lane.waiting.is_empty() {
            self.turns.retain(|turn| turn != key);
        }
        self.tidy(key);
        Some(waiter)
    }

    /// Forgets a key that nobody uses.
    fn tidy(&mut self, key: &Arc<str>) {
        let unused = |lane: &Lane<W>| lane.running == 0 && lane.waiting.is_empty();
        if self.keys.get(key).is_some_and(unused) {
            self.keys.remove(key);
        }
    }
}
