//! What a call uses, readable from outside the store while the guest runs and after it was dropped.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one call.
#[derive(Debug, Default)]
pub(super) struct Meter {
    peak_memory: AtomicU64,
    host_calls: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    fuel: AtomicU64,
}

impl Meter {
    /// The guest now holds this much linear memory, in bytes.
    pub(super) fn memory(&self, bytes: u64) {
        self.peak_memory.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Counts one call into the host; returns how many there were.
    pub(super) fn host_call(&self) -> u64 {
        self.host_calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts received body bytes; returns how many there were.
    pub(super) fn received(&self, bytes: u64) -> u64 {
        self.bytes_in
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
    }

    /// Counts sent body bytes; returns how many there were.
    pub(super) fn sent(&self, bytes: u64) -> u64 {
        self.bytes_out
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
    }

    /// The guest has used this much fuel.
    pub(super) fn spent_fuel(&self, fuel: u64) {
        self.fuel.store(fuel, Ordering::Relaxed);
    }

    pub(super) fn peak_memory(&self) -> u64 {
        self.peak_memory.load(Ordering::Relaxed)
    }

    pub(super) fn host_calls(&self) -> u64 {
        self.host_calls.load(Ordering::Relaxed)
    }

    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    pub(super) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    pub(super) fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }
}
