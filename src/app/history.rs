//! What happened, asked of the index of the audit log.
//!
//! Before each question the index reads what was added to the log. It is only a convenience, and the log is the truth: where
//! the index is damaged, or was made from another log, it is made anew; where it cannot be used at all the log is read from
//! its beginning, with the same filters. So the answers are always those of the log, only sooner or later.

mod call;
mod catch_up;
mod cost;
mod filter;
mod find;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

pub use cost::ToolCost;
pub use filter::{CallFilter, RecordFilter};

use super::App;
use crate::audit::{self, EventType, Position, Record};
use crate::error::{Code, Error, Result};
use crate::store::{CallRow, Index};
use cost::Costs;

/// How often a question is asked of the index before the log itself is read.
const ATTEMPTS: u32 = 3;

/// Told how many bytes of the log were read, and how many there are to be read.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// What was recorded, to be asked questions.
pub struct History<'a> {
    folder: PathBuf,
    /// Nothing where it cannot be used.
    index: Option<Index>,
    progress: Progress<'a>,
}

/// Why the index has no answer.
#[derive(Debug)]
enum Trouble {
    /// The index is not of this log.
    Stale,
    /// Others change it all the time.
    Contended,
    /// The index cannot be used.
    Index(Error),
    /// The log cannot be read. Whoever reads it from its beginning finds out what is wrong with it.
    Log,
}

impl App {
    /// What was recorded; reads nothing yet.
    pub async fn history(&self) -> History<'static> {
        History::open(&self.paths.home, &self.audit_folder()).await
    }
}

impl History<'static> {
    /// The history of the log in `folder`, with its index below `home`.
    pub async fn open(home: &Path, folder: &Path) -> Self {
        let index = match Index::open(home).await {
            Ok(index) => usable(index).await,
            Err(error) => {
                told_lost(&error);
                None
            }
        };
        Self {
            folder: folder.to_owned(),
            index,
            progress: &|_, _| {},
        }
    }
}

impl<'a> History<'a> {
    /// Tells how far reading has come.
    #[must_use]
    pub fn telling(self, progress: Progress<'a>) -> Self {
        Self { progress, ..self }
    }

    /// Whether the index is used; where it is not, answers take as long as reading the log does.
    #[cfg(test)]
    fn is_indexed(&self) -> bool {
        self.index.is_some()
    }

    /// Ends the threads of the index.
    pub async fn close(self) {
        if let Some(index) = self.index {
            index.close().await;
        }
    }

    /// Brings the index up to the end of the log, so that the next question is answered at once. Every question does it
    /// too, and says what is wrong where the log cannot be read.
    pub async fn catch_up(&mut self) {
        for _ in 0..ATTEMPTS {
            let Some(index) = &self.index else { return };
            match catch_up::catch_up(index, &self.folder, self.progress).await {
                Ok(_) | Err(Trouble::Log) => return,
                Err(trouble) => self.mend(trouble).await,
            }
        }
    }

    /// The newest records that fit, in the order of the log.
    ///
    /// # Errors
    /// E3109 where a line of the log is no record; E3101 and E3001 where it cannot be read.
    pub async fn query(&mut self, filter: &RecordFilter) -> Result<Vec<Record>> {
        for _ in 0..ATTEMPTS {
            let Some(index) = &self.index else { break };
            match find::records(index, &self.folder, filter, self.progress).await {
                Ok(found) => return Ok(found),
                Err(Trouble::Log) => break,
                Err(trouble) => self.mend(trouble).await,
            }
        }
        let mut found = VecDeque::new();
        self.scan(|record| {
            if filter.fits(&record) {
                found.push_back(record);
                if found.len() > filter.limit {
                    found.pop_front();
                }
            }
        })?;
        Ok(found.into())
    }

    /// The newest calls that fit, the newest first.
    ///
    /// # Errors
    /// As those of [`History::query`].
    pub async fn calls(&mut self, filter: &CallFilter) -> Result<Vec<CallRow>> {
        for _ in 0..ATTEMPTS {
            let Some(index) = &self.index else { break };
            let mut found = Vec::new();
            let all = find::Wanted::All;
            let asked = find::calls(index, &self.folder, filter, all, self.progress, |call| {
                found.push(call);
            });
            match asked.await {
                Ok(()) => return Ok(found),
                Err(Trouble::Log) => break,
                Err(trouble) => self.mend(trouble).await,
            }
        }
        self.scanned_calls(filter)
    }

    /// What the calls that fit cost, by tool, the one that took most time first.
    ///
    /// # Errors
    /// As those of [`History::query`].
    pub async fn costs(&mut self, filter: &CallFilter) -> Result<Vec<ToolCost>> {
        for _ in 0..ATTEMPTS {
            let Some(index) = &self.index else { break };
            let mut costs = Costs::default();
            let cost = find::Wanted::Cost;
            let asked = find::calls(index, &self.folder, filter, cost, self.progress, |call| {
                costs.add(&call);
            });
            match asked.await {
                Ok(()) => return Ok(costs.finish()),
                Err(Trouble::Log) => break,
                Err(trouble) => self.mend(trouble).await,
            }
        }
        let mut costs = Costs::default();
        for call in self.scanned_calls(filter)? {
            costs.add(&call);
        }
        Ok(costs.finish())
    }

    /// Does what can be done about trouble with the index; gives it up where nothing can.
    async fn mend(&mut self, trouble: Trouble) {
        let Some(index) = self.index.take() else {
            return;
        };
        self.index = match trouble {
            Trouble::Stale => {
                let cleared = async {
                    if let Some((seen, _)) = index.history().await? {
                        index.clear_history(&seen).await?;
                    }
                    Ok::<_, Error>(())
                };
                match cleared.await {
                    Ok(()) => Some(index),
                    Err(error) => rebuilt(index, &error).await,
                }
            }
            Trouble::Index(error) => rebuilt(index, &error).await,
            Trouble::Contended | Trouble::Log => Some(index),
        };
    }

    /// Reads the log from its beginning.
    fn scan(&self, mut each: impl FnMut(Record)) -> Result<()> {
        let total = read::bytes_from(&self.folder, Position::START);
        let mut done = 0;
        for (count, record) in (0_u64..).zip(audit::scan(&self.folder, Position::START)) {
            let (position, record) = record?;
            done += position.len + 1;
            if count.is_multiple_of(4096) {
                (self.progress)(done, total);
            }
            each(record);
        }
        Ok(())
    }

    fn scanned_calls(&self, filter: &CallFilter) -> Result<Vec<CallRow>> {
        let mut calls: Vec<CallRow> = Vec::new();
        let mut newest: HashMap<String, usize> = HashMap::new();
        let mut number = 0;
        self.scan(|record| {
            number += 1;
            let Some(id) = &record.call else { return };
            match EventType::from_name(&record.kind) {
                Some(EventType::ExecutionStart) => {
                    newest.insert(id.clone(), calls.len());
                    calls.push(call::begun(&record, number));
                }
                Some(EventType::ExecutionEnd) => {
                    if let Some(call) = newest.get(id).and_then(|at| calls.get_mut(*at)) {
                        call.end = Some(call::ended(&record));
                    }
                }
                _ => {}
            }
        })?;
        let fitting = calls.into_iter().rev().filter(|call| filter.fits(call));
        Ok(match filter.limit {
            Some(limit) => fitting.take(limit).collect(),
            None => fitting.collect(),
        })
    }
}

/// An index that is worth being filled: one in memory would be gone with this process.
async fn usable(index: Index) -> Option<Index> {
    if index.is_kept() {
        return Some(index);
    }
    if let Some(error) = index.why_in_memory() {
        told_lost(error);
    }
    index.close().await;
    None
}

/// An index that is damaged is made anew; one that others lock, or that cannot be written to, is of no use now.
async fn rebuilt(index: Index, error: &Error) -> Option<Index> {
    if error.code() == Code::E3001 {
        told_lost(error);
        index.close().await;
        return None;
    }
    match index.rebuilt().await {
        Ok(index) => usable(index).await,
        Err(error) => {
            told_lost(&error);
            None
        }
    }
}

fn told_lost(error: &Error) {
    tracing::debug!(%error, "the index of the audit log is not used");
}
