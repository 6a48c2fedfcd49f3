//! Time on a CPU, by timing every poll of a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use rustix::time::{ClockId, clock_gettime};

/// Adds up what a future uses of a CPU, in nanoseconds, readable from outside while it runs and after it was dropped.
pub(super) struct CpuTimed<F> {
    future: Pin<Box<F>>,
    used: Arc<AtomicU64>,
}

impl<F> CpuTimed<F> {
    pub(super) fn new(future: F, used: Arc<AtomicU64>) -> Self {
        Self {
            future: Box::pin(future),
            used,
        }
    }
}

/// Time this thread has spent on a CPU, in nanoseconds.
fn thread_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds * 1_000_000_000 + nanoseconds
}

impl<F: Future> Future for CpuTimed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = thread_time();
        let result = self.future.as_mut().poll(context);
        let spent = thread_time().saturating_sub(before);
        self.used.fetch_add(spent, Ordering::Relaxed);
        result
    }
}
