//! `index.db`: what is derived from other files and only there to find things quickly.
//!
//! It may be deleted at any time. A damaged one, or one of an older version, is made anew; one of a newer version is left
//! alone. Where it cannot be used, the same tables are kept in memory, so that whoever asks gets the same answers, only later.
//!
//! ```text
//! TOOLHATCH_HOME/index.db      SQLite in WAL mode, 0600; its version is the pragma `user_version`
//! TOOLHATCH_HOME/index.lock    held shared while it is opened, and alone while it is deleted
//! ```

mod history;
#[cfg(test)]
mod plain;
mod tools;
mod vectors;

use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

pub use history::{
    CHUNK, CallEnd, CallPlace, CallRow, CallUsage, HistoryBatch, HistoryChunk, HistoryFile,
    HistoryLine, HistoryNames, HistoryPiece, HistoryView, PlacedRecord, Reached, RunQuery, Shape,
};
#[cfg(test)]
pub(crate) use plain::PlainIndex;
pub use tools::{FIELDS, Term, ToolKey, ToolText};

use super::fault::fault;
use super::{make_private, refuse_network_file_system};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// The version of the tables. There are no steps between versions: an older index is made anew.
const VERSION: i64 = 2;

/// How long one waits for another process; what is derived is not worth waiting longer for.
const BUSY: Duration = Duration::from_secs(2);
/// How often the lock is asked for in that time.
const ATTEMPTS: u32 = 100;

/// How many pages SQLite keeps in memory: that many kibibytes, which it wants as a negative number.
const CACHE_KIB: &str = "-49152";
/// How many rows the thread that reads may be ahead of the one that asked: whatever an answer has, at a time.
const ROWS: usize = 256;
/// How many pages SQLite writes before it moves them from its log to the file, which waits for the disk: 32 MiB.
const LOG_PAGES: &str = "8192";

const TABLES: [&str; 3] = [tools::TABLES, vectors::TABLES, history::TABLES];

/// The open index.
#[derive(Debug)]
pub struct Index {
    pool: SqlitePool,
    /// Where it lies; nothing for one in memory.
    path: Option<PathBuf>,
    /// Why it is in memory, where it should not be.
    unkept: Option<Error>,
}

/// What was found where the index should be.
enum State {
    Ready,
    Empty,
    /// It is older, or not what it should be.
    Unusable,
}

impl Index {
    /// Opens the index below `home`, and makes it where there is none or none that can be used. Where that does not work either,
    /// it is kept in memory, and [`Index::why_in_memory`] tells the reason.
    ///
    /// # Errors
    /// E3000 where not even memory can be had.
    pub async fn open(home: &Path) -> Result<Self> {
        match Self::open_file(home).await {
            Ok(index) => Ok(index),
            Err(error) => Self::in_place_of(error).await,
        }
    }

    /// An empty index in memory, for a set of tools that is not kept.
    ///
    /// # Errors
    /// E3000 where memory cannot be had.
    pub async fn in_memory() -> Result<Self> {
        let pool = pool_of(1).connect_lazy_with(
            SqliteConnectOptions::new()
                .in_memory(true)
                .row_buffer_size(ROWS),
        );
        let index = Self {
            pool,
            path: None,
            unkept: None,
        };
        index.create().await?;
        Ok(index)
    }

    /// One in memory, in the place of a kept one that could not be used.
    ///
    /// # Errors
    /// Those of [`Index::in_memory`].
    pub async fn in_place_of(error: Error) -> Result<Self> {
        Ok(Self {
            unkept: Some(error),
            ..Self::in_memory().await?
        })
    }

    /// Deletes a kept index that turned out to be damaged, and makes it anew, empty; in memory where that does not work.
    ///
    /// # Errors
    /// Those of [`Index::in_memory`].
    pub async fn rebuilt(self) -> Result<Self> {
        let Some(home) = self.path.as_deref().and_then(Path::parent) else {
            return Self::in_memory().await;
        };
        let made = match self.remove(inode(self.path.as_deref())).await {
            Ok(()) => Self::open_file(home).await,
            Err(error) => Err(error),
        };
        match made {
            Ok(index) => Ok(index),
            Err(error) => Self::in_place_of(error).await,
        }
    }

    /// Whether it lies in a file.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.path.is_some()
    }

    /// Why it is in memory, where it should lie in a file.
    #[must_use]
    pub fn why_in_memory(&self) -> Option<&Error> {
        self.unkept.as_ref()
    }

    /// Closes it, and ends the threads that worked on it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Changing to WAL does not wait for others who do the same at the same moment, so it is tried again.
    async fn open_file(home: &Path) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            match Self::try_open_file(home).await {
                Err(error) if error.code() == Code::E3001 => {
                    tokio::time::sleep(BUSY / ATTEMPTS).await;
                }
                opened => return opened,
            }
        }
        Self::try_open_file(home).await
    }

    async fn try_open_file(home: &Path) -> Result<Self> {
        fsx::create_private_dir(home)?;
        refuse_network_file_system(home)?;
        let path = home.join("index.db");
        // The second time it is new; the third is for another process that did the same in between.
        for _ in 0..3 {
            let lock = lock(home, FlockOperation::NonBlockingLockShared).await?;
            make_private(&path)?;
            let seen = inode(Some(&path));
            let options = SqliteConnectOptions::new()
                .filename(&path)
                .journal_mode(SqliteJournalMode::Wal)
                // What a loss of power takes is derived again.
                .synchronous(SqliteSynchronous::Normal)
                // Taken only as far as it is used: who fills the history changes the same pages again and again.
                .pragma("cache_size", CACHE_KIB)
                .pragma("wal_autocheckpoint", LOG_PAGES)
                .row_buffer_size(ROWS)
                .busy_timeout(BUSY);
            let index = Self {
                pool: pool_of(2).connect_lazy_with(options),
                path: Some(path.clone()),
                unkept: None,
            };
            match index.state().await? {
                State::Ready => return Ok(index),
                State::Empty => {
                    index.create().await?;
                    return Ok(index);
                }
                State::Unusable => {
                    drop(lock);
                    index.remove(seen).await?;
                }
            }
        }
        Err(Error::new(
            Code::E3109,
            format!("making {} anew: it is damaged each time", path.display()),
        ))
    }

    async fn state(&self) -> Result<State> {
        let version: sqlx::Result<i64> = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&self.pool)
            .await;
        let version = match version.map_err(|error| self.failed("opening", error)) {
            Ok(version) => version,
            Err(error) if error.code() == Code::E3109 => return Ok(State::Unusable),
            Err(error) => return Err(error),
        };
        if version > VERSION {
            return Err(Error::new(
                Code::E3109,
                format!(
                    "{} was written by a newer version of Toolhatch (version {version}; this program knows {VERSION})",
                    self.shown().display()
                ),
            ));
        }
        if version == VERSION {
            return Ok(State::Ready);
        }
        let tables: sqlx::Result<i64> = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
            .fetch_one(&self.pool)
            .await;
        match tables.map_err(|error| self.failed("opening", error)) {
            Ok(0) => Ok(State::Empty),
            Err(error) if error.code() != Code::E3109 => Err(error),
            _ => Ok(State::Unusable),
        }
    }

    async fn create(&self) -> Result<()> {
        let failed = |error| self.failed("making the tables of", error);
        let mut change = self.begin().await?;
        // Another process may have done it while this one waited.
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *change)
            .await
            .map_err(failed)?;
        if version == VERSION {
            return Ok(());
        }
        for tables in TABLES {
            sqlx::raw_sql(tables)
                .execute(&mut *change)
                .await
                .map_err(failed)?;
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "PRAGMA user_version = {VERSION}"
        )))
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        change.commit().await.map_err(failed)
    }

    /// Deletes the files, unless another process did so already: then there is another file than the one that was seen.
    async fn remove(&self, seen: Option<u64>) -> Result<()> {
        self.pool.close().await;
        let (Some(path), Some(home)) = (&self.path, self.path.as_deref().and_then(Path::parent))
        else {
            return Ok(());
        };
        let _alone = lock(home, FlockOperation::NonBlockingLockExclusive).await?;
        if inode(Some(path)) != seen {
            return Ok(());
        }
        for ending in ["", "-wal", "-shm"] {
            let file = home.join(format!("index.db{ending}"));
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(fsx::io_error("deleting", &file, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| self.failed("changing", error))
    }

    fn failed(&self, doing: &str, error: sqlx::Error) -> Error {
        fault(doing, self.shown(), error)
    }

    fn shown(&self) -> &Path {
        self.path
            .as_deref()
            .unwrap_or_else(|| Path::new("the index in memory"))
    }
}

fn pool_of(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        // One in memory lives as long as its connection does.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(BUSY * 2)
}

fn inode(path: Option<&Path>) -> Option<u64> {
    std::fs::symlink_metadata(path?)
        .ok()
        .map(|found| found.ino())
}

async fn lock(home: &Path, operation: FlockOperation) -> Result<File> {
    let path = home.join("index.lock");
    let failed = |error| fsx::io_error("locking", &path, error);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)
        .map_err(failed)?;
    for _ in 0..ATTEMPTS {
        match rustix::fs::flock(&file, operation) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                tokio::time::sleep(BUSY / ATTEMPTS).await;
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
    Err(Error::new(
        Code::E3001,
        format!("locking {}: another process keeps it", path.display()),
    ))
}

#[cfg(test)]
mod tests;
