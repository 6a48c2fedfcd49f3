//! Writes records of calls down, off the path of the calls.
//!
//! Making a record costs more than many a call: digests, texts, JSON. A call hands over what it knows, and one thread makes
//! the records and gives them to the log, in the order in which they came. Nothing is dropped: where the thread cannot keep
//! up, callers wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::audit::{AuditLog, Event};
use crate::error::{Code, Error, Result};

/// How many calls may wait to be written down.
const WAITING: usize = 4096;
/// How long records may wait for others to be written with.
const MOMENT: Duration = Duration::from_millis(1);

/// How long a call that is dropped may take to write how it ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How many moments without a call pass before the next one has to wake the thread, which costs it more than all else that
/// is done here for it.
const LINGER: u32 = 50;

/// Makes the records of one moment of a call.
type Make = Box<dyn FnOnce() -> Vec<Event> + Send>;

/// The thread that writes.
#[derive(Debug)]
pub struct Scribe {
    queue: Mutex<Option<SyncSender<Make>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failed: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    /// Held by every call that has begun and not ended.
    open: Arc<()>,
}

impl Scribe {
    /// Starts the thread.
    ///
    /// # Errors
    /// E3801 where it cannot be started.
    pub fn start(log: Arc<AuditLog>) -> Result<Self> {
        let (queue, waiting) = sync_channel::<Make>(WAITING);
        let failed = Arc::new(AtomicBool::new(false));
        let fails = Arc::clone(&failed);
        let closing = Arc::new(AtomicBool::new(false));
        let closes = Arc::clone(&closing);
        let thread = std::thread::Builder::new()
            .name("scribe".to_owned())
            .spawn(move || {
                while let Some(first) = next(&waiting, &closes) {
                    let mut next = Some(first);
                    while let Some(make) = next {
                        for event in make() {
                            if let Err(error) = log.append(event) {
                                tracing::error!(%error, "a record is lost");
                                fails.store(true, Ordering::Relaxed);
                            }
                        }
                        next = waiting.try_recv().ok();
                    }
                }
            })
            .map_err(|error| {
                Error::new(Code::E3801, "starting the thread that makes records").caused_by(error)
            })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            failed,
            closing,
            open: Arc::default(),
        })
    }

    /// Hands over what makes records.
    ///
    /// # Errors
    /// E3801 where an earlier record was lost: from then on nothing runs unrecorded.
    pub(super) fn write(&self, make: impl FnOnce() -> Vec<Event> + Send + 'static) -> Result<()> {
        let gone = || Error::new(Code::E3801, "recording a call: the log cannot be written");
        if self.failed.load(Ordering::Relaxed) {
            return Err(gone().hint("`toolhatch doctor` says what keeps it from being written."));
        }
        let queue = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.clone().ok_or_else(gone)?
        };
        queue.send(Box::new(make)).map_err(|_| gone())
    }

    /// Waits until everything that was handed over is in the file of the log, though not yet on the disk.
    ///
    /// # Errors
    /// E3801 where it could not be written.
    pub async fn written(&self, log: Arc<AuditLog>) -> Result<()> {
        let (send, receive) = tokio::sync::oneshot::channel();
        self.write(move || {
            // Where it is refused, the sender goes away, which says as much.
            drop(log.written_then(move |written| drop(send.send(written))));
            Vec::new()
        })?;
        self.hurry();
        receive.await.unwrap_or_else(|_| {
            Err(Error::new(
                Code::E3801,
                "recording a call: the log cannot be written",
            ))
        })
    }

    /// What a call holds from its first record to its last.
    pub(super) fn hold(&self) -> Arc<()> {
        Arc::clone(&self.open)
    }

    /// Somebody waits: nothing else is waited for.
    fn hurry(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = &*thread {
            thread.thread().unpark();
        }
    }

    /// Waits until everything that was handed over is with the log, and ends the thread. Calls that are being dropped have a
    /// moment to write how they ended.
    pub fn close(&self) {
        let until = Instant::now() + LAST_WORDS;
        while Arc::strong_count(&self.open) > 1 && Instant::now() < until {
            std::thread::sleep(MOMENT);
        }
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            self.closing.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

/// What comes first, a moment after it came: calls are not woken for, and what comes within a moment is written down
/// together. `None` when nothing more will come.
fn next(waiting: &Receiver<Make>, closes: &AtomicBool) -> Option<Make> {
    for _ in 0..LINGER {
        if !closes.load(Ordering::Relaxed) {
            std::thread::park_timeout(MOMENT);
        }
        match waiting.try_recv() {
            Ok(first) => return Some(first),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
    }
    let first = waiting.recv().ok();
    if !closes.load(Ordering::Relaxed) {
        std::thread::park_timeout(MOMENT);
    }
    first
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.close();
    }
}
