//! `state.db`: what was installed, granted and approved. The only code that names sqlx.
//!
//! The database is small and authoritative: every change is one transaction that takes the lock at its beginning, and is on
//! the disk when it is acknowledged. Everybody else sees rows as plain data; what they mean is decided in `registry`.
//!
//! ```text
//! TOOLHATCH_HOME/state.db      SQLite in WAL mode, 0600; its version is the pragma `user_version`
//! TOOLHATCH_HOME/plugin-state/ one file for each plugin that keeps state between its calls, see `plugin_state`
//! TOOLHATCH_HOME/index.db      the search index and the history: derived, and made anew where it is damaged or older
//! TOOLHATCH_HOME/generation    a number that changes with every change that calls have to notice
//! ```

mod approvals;
mod fault;
mod generation;
mod grants;
mod heads;
mod index;
mod plugin_state;
mod plugins;
mod schema;
mod sessions;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

pub use approvals::{ApprovalRow, Settled};
pub use generation::Generation;
pub use grants::GrantRow;
pub use heads::HeadRow;
#[cfg(test)]
pub(crate) use index::PlainIndex;
pub use index::{
    CHUNK, CallEnd, CallPlace, CallRow, CallUsage, FIELDS, HistoryBatch, HistoryChunk, HistoryFile,
    HistoryLine, HistoryNames, HistoryPiece, HistoryView, Index, PlacedRecord, Reached, RunQuery,
    Shape, Term, ToolKey, ToolText,
};
pub use plugin_state::{KeySize, PluginState, StateOwner};
pub use plugins::{LockRow, PluginRow, ToolRow};
pub use sessions::SessionRow;

use crate::error::{Code, Error, Result};
use crate::fsx;
use fault::fault;

/// How long a process waits for another one's change. Changes take milliseconds; whoever waits this long is told.
const BUSY: Duration = Duration::from_secs(5);
/// How long opening waits before it is tried again while somebody else opens it.
const AGAIN: Duration = Duration::from_millis(50);
/// Readers of one process; there is one writer at a time whatever this is.
const CONNECTIONS: u32 = 4;

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    home: PathBuf,
    path: PathBuf,
}

impl Store {
    /// Opens the database below `home`, and makes it where there is none.
    ///
    /// # Errors
    /// E3109 where it is damaged, written by a newer version, or open to others; E3001 where it cannot be opened, is locked for
    /// longer than one waits, or lies on a network file system.
    pub async fn open(home: &Path) -> Result<Self> {
        fsx::create_private_dir(home)?;
        let path = home.join("state.db");
        refuse_network_file_system(home)?;
        make_private(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a loss of power.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .min_connections(0)
            // Nothing works in the background: a process may have several runtimes, one after the other.
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(BUSY * 2)
            .connect_lazy_with(options);
        let store = Self {
            pool,
            home: home.to_owned(),
            path,
        };
        // Changing to WAL does not wait for others who do the same at the same moment, as two first calls would.
        let started = Instant::now();
        while let Err(error) = schema::migrate(&store).await {
            if !fault::is_locked(&error) || started.elapsed() >= BUSY {
                return Err(error);
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(store)
    }

    /// Where the database lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes it, and ends the threads that worked on it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Looks whether the database is whole.
    ///
    /// # Errors
    /// E3109 with what SQLite found.
    pub async fn check(&self) -> Result<()> {
        let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(5)")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed("checking", error))?;
        if found.iter().all(|line| line == "ok") {
            return Ok(());
        }
        Err(Error::new(
            Code::E3109,
            format!("{} is damaged: {}", self.path.display(), found.join("; ")),
        ))
    }

    /// A change, which takes the lock at its beginning.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| self.failed("changing", error))
    }

    /// Ends a change. Whoever caches what was read is told before and after, so that what is cached in between is dropped.
    async fn commit(&self, change: Transaction<'static, Sqlite>) -> Result<()> {
        generation::advance(&self.home)?;
        change
            .commit()
            .await
            .map_err(|error| self.failed("changing", error))?;
        // The change is made, whatever happens now: where there is no room for another state of the file, none is one too.
        if generation::advance(&self.home).is_err() {
            generation::forget(&self.home)?;
        }
        Ok(())
    }

    /// Which state of the database one would read now.
    #[must_use]
    pub fn generation(&self) -> Generation {
        generation::current(&self.home)
    }

    fn failed(&self, doing: &str, error: sqlx::Error) -> Error {
        fault(doing, &self.path, error)
    }
}

/// The file is made here, because SQLite would make it readable to others.
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    let made = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = std::fs::symlink_metadata(path)
                .map_err(|error| fsx::io_error("looking at", path, error))?;
            let own = rustix::process::geteuid().as_raw();
            if !found.is_file() || found.uid() != own || found.mode() & 0o022 != 0 {
                return Err(Error::new(
                    Code::E3109,
                    format!(
                        "refusing to use {}: it is not a file of this user's alone",
                        path.display()
                    ),
                )
                .hint(format!(
                    "Look who could change it; then `chmod 600 {}`.",
                    path.display()
                )));
            }
            Ok(())
        }
        Err(error) => Err(fsx::io_error("making", path, error)),
    }
}

/// SQLite's locks do not hold between machines, and its shared memory does not exist there.
#[cfg(target_os = "linux")]
fn refuse_network_file_system(home: &Path) -> Result<()> {
    /// The numbers are those of `statfs(2)`.
    const REMOTE: [(u32, &str); 8] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFF53_4D42, "CIFS"),
        (0xFE53_4D42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x5346_414F, "AFS"),
        (0x7375_7245, "Coda"),
        (0x00C3_6400, "Ceph"),
    ];
    let found = rustix::fs::statfs(home)
        .map_err(|error| fsx::io_error("looking at the file system of", home, error.into()))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the numbers have 32 bits; the field's width and sign differ between systems"
    )]
    let kind = found.f_type as u32;
    match REMOTE.iter().find(|(number, _)| *number == kind) {
        Some((_, name)) => Err(Error::new(
            Code::E3001,
            format!(
                "refusing to keep state in {}: it is on a network file system ({name}), where locks do not hold",
                home.display()
            ),
        )
        .hint("Set TOOLHATCH_HOME to a folder on a local disk.")),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the other system's can fail")]
fn refuse_network_file_system(_home: &Path) -> Result<()> {
    Ok(())
}

/// Milliseconds since 1970, as all times in the database are.
#[must_use]
pub fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|passed| i64::try_from(passed.as_millis()).ok())
        .unwrap_or_default()
}
