//! Checking many signatures beside the work that finds them: each costs as much as hashing a hundred kilobytes.

use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::checkpoint::Signed;
use super::fault::Fault;

/// A signature to be checked, and the fault it is if it is wrong.
pub(super) type Claim = (Signed, Fault);

/// Runs `work` with a channel for signatures; returns its result, and the fault of the first record whose signature is
/// wrong.
pub(super) fn check_beside<R>(work: impl FnOnce(&SyncSender<Claim>) -> R) -> (R, Option<Fault>) {
    let (send, receive) = mpsc::sync_channel::<Claim>(1024);
    let receive = Mutex::new(receive);
    let first: Mutex<Option<Fault>> = Mutex::new(None);
    let check = || {
        loop {
            let claim = receive
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok((signed, fault)) = claim else { break };
            if signed.is_genuine() {
                continue;
            }
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|other| fault.seq < other.seq) {
                *first = Some(fault);
            }
        }
    };
    let result = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            scope.spawn(check);
        }
        let result = work(&send);
        drop(send);
        result
    });
    (
        result,
        first.into_inner().unwrap_or_else(PoisonError::into_inner),
    )
}
