//! What keeps one failing tool, one busy caller or one repeated request from becoming everybody's trouble.
//!
//! | module | what it answers |
//! |---|---|
//! | [`breaker`] | is this tool or service failing, so that calling it is pointless for a while? |
//! | [`breakers`] | the same by key, behind the [`breakers::BreakerStore`] that a shared store implements later |
//! | [`rate_limit`] | has this caller had its share for now? |
//! | [`retry`] | may this failure be tried again, and after how long? |
//! | [`permits`] | is there room to run, and whose turn is it? |
//! | [`idempotency`] | was this very request made before? |
//! | [`result_cache`] | is the answer of this pure tool known already? |
//!
//! The decisions are pure state machines that are told the time; [`clock`] is where it comes from. What is wrapped around
//! them holds one mutex, never across an await, and gives out guards whose drop undoes what they stand for.
//!
//! The defaults are those of the public tool-execution-layer specification, in its three parts (P1, P2, P3), its
//! manifest appendix (P3 App. C), its later revision (F) and its Python implementation (I). Where none of them names a
//! number, the comment says that it is ours.

pub mod breaker;
pub mod breakers;
pub mod clock;
pub mod idempotency;
pub mod permits;
pub mod rate_limit;
pub mod result_cache;
pub mod retry;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Result;

/// The answer of a store, which may have to come over a network. The outer error says that the store could not be asked.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Locks. A holder that panicked left nothing half done: what can panic, the clone of a value, comes last.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whole milliseconds, rounded up: whoever waits this long does not come too early.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A wait as people read it, rounded up: `250 ms`, `1.3 s`, `90 s`.
fn shown(wait: Duration) -> String {
    let ms = milliseconds(wait);
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..10_000 => {
            let tenths = ms.div_ceil(100);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => format!("{} s", ms.div_ceil(1_000)),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The output of a future that does not have to wait.
    pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("the future waits"),
        }
    }

    #[test]
    fn waits_are_shown_rounded_up() {
        for (nanos, text) in [
            (0, "0 ms"),
            (1, "1 ms"),
            (250_000_000, "250 ms"),
            (1_201_000_000, "1.3 s"),
            (9_990_000_000, "10.0 s"),
            (60_000_000_000, "60 s"),
            (60_000_000_001, "61 s"),
        ] {
            assert_eq!(shown(Duration::from_nanos(nanos)), text);
        }
    }
}
