//! Appending to the log: one batch at a time, under the lock, each record bound to the one before.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::checkpoint::{CHECKPOINT_AT_LEAST_EVERY, checkpoint};
use super::event::{Event, EventType, Prepared};
use super::folder::{self, Lock, file_name, path_of, unavailable};
use super::head::{Head, hex, sha256};
use super::key::{PrivateKey, PublicKey};
use super::tail::{self, FORMAT, Tail};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// When files end and signatures are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// A file that has reached this size is followed by the next one, in bytes.
    pub max_file_bytes: u64,
    /// A file that is older than this is followed by the next one when something is written.
    pub max_age: Option<Duration>,
    /// How many files are kept, the one being written included; at least one. `None` keeps all.
    pub keep_files: Option<u32>,
    /// Records whose number is a multiple of this are checkpoints too; 2 to [`CHECKPOINT_AT_LEAST_EVERY`].
    pub checkpoint_every: u64,
    /// A record waits no longer than this for a checkpoint after it, as long as its writer lives.
    pub checkpoint_interval: Duration,
    /// How many events may wait to be written before `append` waits, or is refused while the disk fails.
    pub queue: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_file_bytes: 64 << 20,
            max_age: Some(Duration::from_secs(7 * 24 * 3600)),
            keep_files: None,
            checkpoint_every: CHECKPOINT_AT_LEAST_EVERY,
            checkpoint_interval: Duration::from_secs(60),
            queue: 8192,
        }
    }
}

/// What one batch did.
#[derive(Default)]
pub(super) struct Appended {
    /// How many of the events, from the first, are in the log.
    pub(super) events: usize,
    /// Every line that was written, with its line end.
    pub(super) lines: Vec<u8>,
}

/// The writing end of a log in one process.
pub(super) struct Chain {
    folder: PathBuf,
    key: PrivateKey,
    options: Options,
    /// The end of the log as this process left it.
    tail: Option<Tail>,
    /// The newest head this process has seen, and of which log.
    seen: Option<(String, Head)>,
}

impl Chain {
    /// Opens the log, beginning one where there is none, and mends what a crash left.
    pub(super) fn open(folder: PathBuf, keys: &std::path::Path, options: Options) -> Result<Self> {
        fsx::create_private_dir(&folder)?;
        let key = {
            let _lock = Lock::exclusive(&folder)?;
            let numbers =
                folder::numbers(&folder).map_err(|error| unavailable(&folder, "listing", error))?;
            PrivateKey::open(keys, numbers.is_empty())?
        };
        let mut chain = Self {
            folder,
            key,
            options,
            tail: None,
            seen: None,
        };
        chain.append(&[], false, false, &mut Appended::default())?;
        Ok(chain)
    }

    /// The key whose signatures the checkpoints carry.
    pub(super) fn public_key(&self) -> &PublicKey {
        self.key.public()
    }

    /// The last record this process has seen.
    pub(super) fn head(&self) -> Head {
        let seen = self.seen.as_ref().map(|(_, head)| *head);
        seen.unwrap_or(Head {
            seq: 0,
            hash: [0; 32],
        })
    }

    /// The ULID of the log.
    pub(super) fn log(&self) -> &str {
        self.seen.as_ref().map_or("", |(log, _)| log)
    }

    /// True where the last record this process has seen is a checkpoint.
    pub(super) fn is_signed(&self) -> bool {
        self.tail
            .as_ref()
            .is_some_and(|tail| tail.last == Some(EventType::Checkpoint))
    }

    /// Appends the events. `sign` ends the batch with a checkpoint, `durable` waits until the disk has it.
    ///
    /// What got into the log before an error is in `appended`.
    pub(super) fn append(
        &mut self,
        events: &[&Prepared],
        durable: bool,
        sign: bool,
        appended: &mut Appended,
    ) -> Result<()> {
        let _lock = Lock::exclusive(&self.folder)?;
        // Taken out, so that after an error the tail is read again.
        let tail = self.tail.take();
        let (tail, torn) = match tail.filter(|tail| tail.is_current(&self.folder)) {
            Some(tail) => (Some(tail), None),
            None => {
                let found = tail::find(&self.folder)?;
                (found.tail, found.torn)
            }
        };
        self.check_against_seen(tail.as_ref())?;
        let mut batch = Batch::new(self, tail, appended)?;
        if let Some(Value::Object(data)) = torn {
            batch.push(Event::new(EventType::LogRecovered).data(data).write_down());
        }
        for event in events {
            if batch.is_file_full() {
                batch.rotate()?;
            }
            batch.push_event(event);
        }
        if sign && batch.tail.last != Some(EventType::Checkpoint) {
            batch.push_checkpoint();
        }
        batch.commit(durable)?;
        let tail = batch.tail;
        self.seen = Some((tail.log.clone(), tail.head));
        self.tail = Some(tail);
        Ok(())
    }

    /// Refuses to write on where records that this process has seen are gone.
    fn check_against_seen(&self, tail: Option<&Tail>) -> Result<()> {
        let Some((log, head)) = &self.seen else {
            return Ok(());
        };
        let why = match tail {
            None => "its files are gone".to_owned(),
            Some(tail) if tail.log != *log => "another log is in its place".to_owned(),
            Some(tail) if tail.head.seq < head.seq => format!(
                "it ends at record {}, and record {} was there before",
                tail.head.seq, head.seq
            ),
            Some(tail) if tail.head.seq == head.seq && tail.head.hash != head.hash => {
                format!("record {} is not the one that was there before", head.seq)
            }
            Some(_) => return Ok(()),
        };
        Err(Error::new(
            Code::E3801,
            format!("writing the audit log in {}: {why}", self.folder.display()),
        )
        .hint("Somebody changed the log while it was in use. Put it back, or look at it with `toolhatch audit verify` and start again to go on from what is there.")
        .detail("head", head.to_string()))
    }
}

/// Records that have their place in the log but are not yet written.
struct Batch<'a> {
    folder: &'a std::path::Path,
    key: &'a PrivateKey,
    options: &'a Options,
    /// The end of the log as it will be.
    tail: Tail,
    buffer: Vec<u8>,
    /// Events in the buffer.
    events: usize,
    must_sync: bool,
    appended: &'a mut Appended,
}

impl<'a> Batch<'a> {
    /// Begins a batch, and the log or its next file where that is due.
    fn new(chain: &'a Chain, tail: Option<Tail>, appended: &'a mut Appended) -> Result<Self> {
        let is_new = tail.is_none();
        let tail = match tail {
            Some(tail) => tail,
            None => {
                let nothing = Head {
                    seq: 0,
                    hash: [0; 32],
                };
                let log = Ulid::generate().to_string();
                Tail::of_new_file(&chain.folder, 1, log, 1, nothing)
                    .map_err(|error| unavailable(&chain.folder, "beginning", error))?
            }
        };
        let mut batch = Self {
            folder: &chain.folder,
            key: &chain.key,
            options: &chain.options,
            tail,
            buffer: Vec::new(),
            events: 0,
            must_sync: false,
            appended,
        };
        match batch.tail.last {
            None if is_new => {
                let mut data = Map::new();
                data.insert("format".to_owned(), FORMAT.into());
                data.insert("first".to_owned(), file_name(1).into());
                batch.open_file(data);
            }
            // Crashes came between these records and what has to follow them.
            Some(EventType::LogOpened) => batch.push_checkpoint(),
            Some(EventType::LogRotated) => batch.begin_next_file()?,
            _ => {}
        }
        Ok(batch)
    }

    /// Puts a record at the end.
    fn place(&mut self, record: &Prepared) {
        let start = self.buffer.len();
        let tail = &mut self.tail;
        let (seq, prev) = (tail.head.seq + 1, hex(&tail.head.hash));
        record.write_line(seq, &prev, &tail.log, &mut self.buffer);
        let hash = sha256(self.buffer.get(start..).unwrap_or_default());
        self.buffer.push(b'\n');
        tail.head = Head { seq, hash };
        tail.last = Some(record.kind);
    }

    fn push_checkpoint(&mut self) {
        let head = self.tail.head;
        let record = checkpoint(self.key, &self.tail.log, head.seq + 1, &hex(&head.hash));
        self.place(&record);
        self.must_sync = true;
    }

    /// Puts a record at the end, after a checkpoint where one is due.
    fn push(&mut self, record: impl std::borrow::Borrow<Prepared>) {
        let most = CHECKPOINT_AT_LEAST_EVERY;
        let every = self.options.checkpoint_every.clamp(2, most);
        let next = self.tail.head.seq + 1;
        if next.is_multiple_of(most) || next.is_multiple_of(every) {
            self.push_checkpoint();
        }
        self.place(record.borrow());
    }

    fn push_event(&mut self, event: &Prepared) {
        self.push(event);
        self.events += 1;
    }

    fn is_file_full(&self) -> bool {
        let now = Ulid::generate().timestamp_ms();
        let age = Duration::from_millis(now.saturating_sub(self.tail.begun_ms));
        self.tail.length + self.buffer.len() as u64 >= self.options.max_file_bytes
            || self.options.max_age.is_some_and(|most| age >= most)
    }

    /// Ends the file and begins the next.
    fn rotate(&mut self) -> Result<()> {
        // Neither the last record of this file nor the first of the next may stand where a checkpoint must.
        while (1..=2).any(|on| (self.tail.head.seq + on).is_multiple_of(CHECKPOINT_AT_LEAST_EVERY))
        {
            self.push_checkpoint();
        }
        let next = self.tail.number + 1;
        // The next file is there before its name is in the log: whoever finds the name and no file knows that it was
        // taken away.
        folder::create_file(self.folder, next)
            .map_err(|error| unavailable(&path_of(self.folder, next), "creating", error))?;
        let rotated = Event::new(EventType::LogRotated).with("next", file_name(next));
        self.place(&rotated.write_down());
        self.commit(true)?;
        self.begin_next_file()
    }

    /// Begins the file after the one whose last record says that it is full.
    fn begin_next_file(&mut self) -> Result<()> {
        let (number, old) = (self.tail.number + 1, self.tail.number);
        let keep = self.options.keep_files.unwrap_or(u32::MAX).max(1);
        let first = self.tail.first.max((number + 1).saturating_sub(keep));
        let removed: Vec<u32> = (self.tail.first..first).collect();
        let head = self.tail.head;
        self.tail = Tail::of_new_file(self.folder, number, self.tail.log.clone(), first, head)
            .map_err(|error| unavailable(&path_of(self.folder, number), "creating", error))?;
        let mut data = Map::new();
        data.insert("format".to_owned(), FORMAT.into());
        data.insert("previous".to_owned(), file_name(old).into());
        data.insert("previous_head".to_owned(), hex(&head.hash).into());
        data.insert("first".to_owned(), file_name(first).into());
        if !removed.is_empty() {
            let names: Vec<String> = removed.iter().map(|number| file_name(*number)).collect();
            data.insert("removed".to_owned(), json!(names));
        }
        self.open_file(data);
        if first > 1 {
            // Only what a signed record says is removed may be missing; that record is on the disk first.
            self.commit(true)?;
            self.remove_files_before(first)?;
        }
        Ok(())
    }

    fn open_file(&mut self, data: Map<String, Value>) {
        self.place(&Event::new(EventType::LogOpened).data(data).write_down());
        self.push_checkpoint();
    }

    fn remove_files_before(&self, first: u32) -> Result<()> {
        let numbers = folder::numbers(self.folder)
            .map_err(|error| unavailable(self.folder, "listing", error))?;
        for number in numbers.into_iter().filter(|number| *number < first) {
            let path = path_of(self.folder, number);
            std::fs::remove_file(&path).map_err(|error| unavailable(&path, "removing", error))?;
        }
        Ok(())
    }

    /// Writes what is in the buffer, or leaves the file as it was.
    fn commit(&mut self, durable: bool) -> Result<()> {
        if !self.buffer.is_empty() {
            let written = self.tail.file.write_all(&self.buffer);
            let synced = match (&written, durable || self.must_sync) {
                (Ok(()), true) => self.tail.file.sync_data(),
                _ => Ok(()),
            };
            if let Err(error) = written.and(synced) {
                // Where even this fails, the next writer finds a torn tail and says so in the log.
                let _ = self.tail.file.set_len(self.tail.length);
                let path = path_of(self.folder, self.tail.number);
                return Err(unavailable(&path, "appending to", error));
            }
            self.tail.length += self.buffer.len() as u64;
            self.appended.lines.append(&mut self.buffer);
        } else if durable {
            // What others wrote before and did not sync becomes durable too.
            self.tail.file.sync_data().map_err(|error| {
                unavailable(&path_of(self.folder, self.tail.number), "syncing", error)
            })?;
        }
        self.appended.events += std::mem::take(&mut self.events);
        self.must_sync = false;
        Ok(())
    }
}
