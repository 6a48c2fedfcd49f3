//! The log as a service: events go into a bounded queue, one thread writes them in batches.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use super::chain::{Chain, Options};
use super::event::{Event, Prepared};
use super::head::Head;
use super::key::PublicKey;
use super::sink::Sink;
use super::writer::{Item, Shared, State, Writer, unwritten};
use crate::error::{Code, Error, Result};

/// What is told when the writer has trouble.
type OnError = Box<dyn FnMut(&Error) + Send>;

/// Where records and trouble go beside the files.
#[derive(Default)]
pub struct Outlets {
    /// Each gets every line this process writes, after it is in the file.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Told of each failed attempt to write, and of each sink that failed; called on the writer's thread.
    pub on_error: Option<OnError>,
}

impl fmt::Debug for Outlets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlets")
            .field("sinks", &self.sinks.len())
            .field("on_error", &self.on_error.is_some())
            .finish()
    }
}

/// The audit log of a `TOOLHATCH_HOME`, open for writing.
///
/// Any number of processes, and of these in one process, may have the same log open.
pub struct AuditLog {
    shared: Arc<Shared>,
    log: String,
    public_key: PublicKey,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

impl AuditLog {
    /// Opens the log in `folder`, beginning one where there is none, and the keys in `keys`; both folders are made where
    /// they are missing. A torn tail that a crash left is recovered before this returns.
    ///
    /// # Errors
    /// E3801 where the log cannot be read or written, is of a newer format, or does not begin like a log; E3109 where the
    /// key is missing, does not fit or others have access to it; E3004 where a folder is not private.
    pub fn open(folder: &Path, keys: &Path, options: Options, outlets: Outlets) -> Result<Self> {
        let most = options.queue.max(1);
        let interval = options.checkpoint_interval;
        let chain = Chain::open(folder.to_owned(), keys, options)?;
        let public_key = chain.public_key().clone();
        let log = chain.log().to_owned();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                head: chain.head(),
                failing: None,
                closing: false,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            most,
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            chain,
            outlets,
            interval,
            unsigned_since: None,
        };
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| {
                Error::new(Code::E3801, "starting the thread that writes the audit log")
                    .caused_by(error)
            })?;
        Ok(Self {
            shared,
            log,
            public_key,
            writer: Mutex::new(Some(thread)),
        })
    }

    /// Hands an event over to be written soon. Waits while the queue is full; an event that was accepted is not dropped
    /// as long as the process lives.
    ///
    /// # Errors
    /// E3802 where the event is one that only the log itself writes; E3803 where the queue is full and the disk fails; E3801
    /// after [`AuditLog::close`].
    pub fn append(&self, event: Event) -> Result<()> {
        self.push(Item {
            event: Some(event.prepare()?),
            done: None,
            sync: false,
            sign: false,
        })
    }

    /// Writes an event and waits until the disk has it. Blocks the thread; see [`AuditLog::append_durable_then`].
    ///
    /// # Errors
    /// As [`AuditLog::append`], and E3801 where it could not be written; it is then not in the log.
    pub fn append_durable(&self, event: Event) -> Result<()> {
        let event = event.prepare()?;
        self.push_and_wait(Some(event), false)
    }

    /// As [`AuditLog::append_durable`], telling `done` instead of waiting. `done` runs on the writer's thread and must be
    /// quick.
    ///
    /// # Errors
    /// As [`AuditLog::append`]; `done` is then not called. It gets E3801 where the event could not be written.
    pub fn append_durable_then(
        &self,
        event: Event,
        done: impl FnOnce(Result<()>) + Send + 'static,
    ) -> Result<()> {
        self.push(Item {
            event: Some(event.prepare()?),
            done: Some(Box::new(done)),
            sync: true,
            sign: false,
        })
    }

    /// Tells `done` when every event that was handed over before is in the file, though not yet on the disk: from then on
    /// the end of this process cannot lose it, and only that of the machine can. `done` runs on the writer's thread and must
    /// be quick.
    ///
    /// # Errors
    /// E3803 and E3801 as [`AuditLog::append`]; `done` is then not called. It gets E3801 where they could not be written;
    /// they still wait, and are tried again.
    pub fn written_then(&self, done: impl FnOnce(Result<()>) + Send + 'static) -> Result<()> {
        self.push(Item {
            event: None,
            done: Some(Box::new(done)),
            sync: false,
            sign: false,
        })
    }

    /// Waits until the disk has every event that was handed over before.
    ///
    /// # Errors
    /// E3801 where they could not be written; they still wait, and are tried again.
    pub fn flush(&self) -> Result<()> {
        self.push_and_wait(None, false)
    }

    /// As [`AuditLog::flush`], with a checkpoint behind them.
    ///
    /// # Errors
    /// As [`AuditLog::flush`].
    pub fn checkpoint(&self) -> Result<()> {
        self.push_and_wait(None, true)
    }

    /// Writes everything that waits and a checkpoint, and stops the writer. Doing it again does nothing. Dropping the log
    /// does the same but cannot say that it failed.
    ///
    /// # Errors
    /// E3801 where events could not be written: they are lost.
    pub fn close(&self) -> Result<()> {
        self.shared.lock().closing = true;
        self.shared.work.notify_all();
        self.shared.room.notify_all();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = writer.take() else {
            return Ok(());
        };
        if thread.join().is_err() {
            return Err(Error::new(
                Code::E3801,
                "closing the audit log: its writer broke down",
            ));
        }
        let state = self.shared.lock();
        match &state.failing {
            None => Ok(()),
            Some(why) => Err(unwritten(why).detail("lost", state.queue.len())),
        }
    }

    /// The ULID of the log.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The last record this process has written or seen. Keep it elsewhere to show later that nothing was cut off.
    #[must_use]
    pub fn head(&self) -> Head {
        self.shared.lock().head
    }

    /// The key that checkpoints are verified with.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn push_and_wait(&self, event: Option<Prepared>, sign: bool) -> Result<()> {
        let (send, receive) = mpsc::sync_channel(1);
        self.push(Item {
            event,
            done: Some(Box::new(move |result| drop(send.send(result)))),
            sync: true,
            sign,
        })?;
        receive
            .recv()
            .unwrap_or_else(|_| Err(unwritten("its writer has stopped")))
    }

    fn push(&self, item: Item) -> Result<()> {
        let mut state = self.shared.lock();
        while state.queue.len() >= self.shared.most && !state.closing {
            // A caller that waits for the disk hears of its failure; one that does not must not wait for ever.
            if let Some(why) = &state.failing {
                return Err(Error::new(
                    Code::E3803,
                    format!(
                        "recording an event: {} others wait already, and the log cannot be written: {why}",
                        state.queue.len()
                    ),
                )
                .hint("Mend what keeps the log from being written; what waits is then written."));
            }
            state = self
                .shared
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closing {
            return Err(unwritten("it is closed"));
        }
        state.queue.push_back(item);
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.close();
    }
}
