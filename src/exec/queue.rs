//! Places for commands: so many run at once, and who comes first is served first.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{CommandEnd, Job};
use crate::error::{Code, Result};

/// What commands wait in.
#[derive(Debug)]
pub(super) struct Queue {
    slots: Semaphore,
    size: usize,
}

impl Queue {
    /// With so many places.
    pub(super) fn new(size: usize) -> Self {
        Self {
            slots: Semaphore::new(size),
            size,
        }
    }

    /// Waits for a place, which is free again when it is dropped. Nothing, where the call was cancelled meanwhile.
    ///
    /// # Errors
    /// E3408 where there was none in the time of the call.
    pub(super) async fn enter(&self, job: &Job) -> Result<Option<SemaphorePermit<'_>>> {
        let entered = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Ok(None),
            entered = tokio::time::timeout(job.limits.timeout, self.slots.acquire()) => entered,
        };
        if let Ok(Ok(place)) = entered {
            return Ok(Some(place));
        }
        let text = format!("all {} places for commands were taken", self.size);
        Err(CommandEnd::InvalidConfig
            .error(Code::E3408, text)
            .hint("Raise `docker.concurrency`, or wait for running commands to end."))
    }

    /// Waits until no command has a place, and takes all of them.
    pub(super) async fn close(&self) -> Option<SemaphorePermit<'_>> {
        let all = u32::try_from(self.size).unwrap_or(u32::MAX);
        self.slots.acquire_many(all).await.ok()
    }
}
