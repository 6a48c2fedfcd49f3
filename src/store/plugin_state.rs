//! What plugins keep between their calls: one database for each plugin, so that none can reach, fill or damage another's.
//!
//! ```text
//! TOOLHATCH_HOME/plugin-state/installed/NAME.db    of an installed plugin, whichever version
//! TOOLHATCH_HOME/plugin-state/files/SHA256.db      of one that was called from a file: the digest of its canonical path
//! ```
//!
//! Each is SQLite in WAL mode, 0600; its version is the pragma `user_version`. What was acknowledged survives a loss of power.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, Transaction};

use super::fault::{fault_with, is_locked};
use super::{make_private, refuse_network_file_system};
use crate::error::{Code, Error, Result};
use crate::exec::{KeyWrite, MAX_KEYS, StateWritten, Written};
use crate::fsx;
use crate::ids::{Digest, PluginName};

/// The folder below the home.
const FOLDER: &str = "plugin-state";
/// The version of the tables.
const VERSION: i64 = 1;
/// How long SQLite itself waits for a lock; whoever has the patience tries again.
const AGAIN: Duration = Duration::from_millis(20);
/// Readers and the writer of one file in this process.
const CONNECTIONS: u32 = 2;

/// The triggers count, so that no way of writing can forget to.
const TABLES: &str = "
CREATE TABLE owner (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE entry (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT;

CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
    UPDATE owner SET bytes = bytes + octet_length(NEW.key) + octet_length(NEW.value);
END;
CREATE TRIGGER entry_changed AFTER UPDATE ON entry BEGIN
    UPDATE owner SET bytes = bytes + octet_length(NEW.value) - octet_length(OLD.value);
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
    UPDATE owner SET bytes = bytes - octet_length(OLD.key) - octet_length(OLD.value);
END;
";

/// Whose state it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StateOwner {
    /// An installed plugin; every version of it.
    Installed(PluginName),
    /// A plugin that is called from a file or folder, by its canonical path.
    File(PathBuf),
}

impl StateOwner {
    /// Where its state is.
    #[must_use]
    pub fn path(&self, home: &Path) -> PathBuf {
        let folder = home.join(FOLDER);
        match self {
            Self::Installed(name) => folder.join("installed").join(format!("{name}.db")),
            Self::File(path) => {
                let digest = Digest::of(path.as_os_str().as_encoded_bytes());
                folder.join("files").join(format!("{}.db", digest.hex()))
            }
        }
    }

    /// As people know it: the name or the path.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Installed(name) => name.to_string(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// A key, and how much it takes together with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySize {
    /// The key.
    pub key: String,
    /// Both together, in bytes.
    pub bytes: u64,
}

/// The state of one plugin.
#[derive(Debug, Clone)]
pub struct PluginState {
    pool: SqlitePool,
    path: PathBuf,
}

impl PluginState {
    /// Opens the state of a plugin and makes it where there is none; waits at most so long for another process.
    ///
    /// # Errors
    /// E3109 where it is damaged, written by a newer version, or open to others; E3001 where it is locked for longer, cannot
    /// be opened, or lies on a network file system.
    pub async fn open(home: &Path, owner: &StateOwner, patience: Duration) -> Result<Self> {
        let path = owner.path(home);
        let folder = path.parent().unwrap_or(home);
        for folder in [&home.join(FOLDER), folder] {
            fsx::create_private_dir(folder)?;
        }
        refuse_network_file_system(folder)?;
        make_private(&path)?;
        let state = Self::at(path);
        let patience = Patience::of(patience);
        while let Err(error) = state.make(&owner.shown()).await {
            patience.wait(error).await?;
        }
        Ok(state)
    }

    /// The same; nothing where the plugin never kept anything.
    ///
    /// # Errors
    /// Those of [`PluginState::open`].
    pub async fn open_existing(
        home: &Path,
        owner: &StateOwner,
        patience: Duration,
    ) -> Result<Option<Self>> {
        match std::fs::symlink_metadata(owner.path(home)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // What else is wrong is told by opening it.
            _ => Self::open(home, owner, patience).await.map(Some),
        }
    }

    fn at(path: PathBuf) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a loss of power.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(AGAIN);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .min_connections(0)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(1))
            .connect_lazy_with(options);
        Self { pool, path }
    }

    async fn make(&self, owner: &str) -> Result<()> {
        let failed = |error| self.failed("opening", error);
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&self.pool)
            .await
            .map_err(failed)?;
        let newer = |found| {
            Error::new(
                Code::E3109,
                format!(
                    "{} was written by a newer version of Toolhatch (version {found}; this program knows {VERSION})",
                    self.path.display()
                ),
            )
            .hint("Use that version, or another TOOLHATCH_HOME.")
        };
        match found {
            VERSION => return Ok(()),
            found if found > VERSION => return Err(newer(found)),
            _ => {}
        }
        let mut change = self.begin().await?;
        // Another process may have done it while this one waited for the lock.
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *change)
            .await
            .map_err(failed)?;
        if found > VERSION {
            return Err(newer(found));
        }
        if found == VERSION {
            return Ok(());
        }
        sqlx::raw_sql(TABLES)
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO owner (one, name, bytes) VALUES (1, ?1, 0)")
            .bind(owner)
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "PRAGMA user_version = {VERSION}"
        )))
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        change.commit().await.map_err(failed)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes it, and ends the threads that worked on it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Reads a value; waits at most so long for another process.
    ///
    /// # Errors
    /// E3001 where it is locked for longer or cannot be read, E3109 where it is damaged.
    pub async fn get(&self, key: &str, patience: Duration) -> Result<Option<Vec<u8>>> {
        let patience = Patience::of(patience);
        loop {
            let read = sqlx::query_scalar("SELECT value FROM entry WHERE key = ?1")
                .bind(key)
                .fetch_optional(&self.pool)
                .await;
            match read {
                Ok(value) => return Ok(value),
                Err(error) => patience.wait(self.failed("reading", error)).await?,
            }
        }
    }

    /// Makes a change, unless there would be more than `quota` bytes of keys and values afterwards; what makes it less is
    /// always allowed. It is on the disk when this returns.
    ///
    /// # Errors
    /// Those of [`PluginState::get`]; nothing is then changed.
    pub async fn write(
        &self,
        write: &KeyWrite,
        quota: u64,
        patience: Duration,
    ) -> Result<StateWritten> {
        let mut change = self.begin_patiently(patience).await?;
        let failed = |error| self.failed("changing", error);
        let before: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM entry WHERE key = ?1")
            .bind(&write.key)
            .fetch_optional(&mut *change)
            .await
            .map_err(failed)?;
        if write
            .expected
            .as_ref()
            .is_some_and(|expected| *expected != before)
        {
            return Ok(StateWritten::Done(Written::Other));
        }
        let made = StateWritten::Done(Written::Made {
            was_there: before.is_some(),
        });
        let Some(value) = &write.value else {
            sqlx::query("DELETE FROM entry WHERE key = ?1")
                .bind(&write.key)
                .execute(&mut *change)
                .await
                .map_err(failed)?;
            change.commit().await.map_err(failed)?;
            return Ok(made);
        };
        let held: i64 = sqlx::query_scalar("SELECT bytes FROM owner")
            .fetch_one(&mut *change)
            .await
            .map_err(failed)?;
        let held = u64::try_from(held).unwrap_or_default();
        let replaced = before.map_or(0, |before| write.key.len() + before.len()) as u64;
        let added = (write.key.len() + value.len()) as u64;
        let needed = held.saturating_sub(replaced).saturating_add(added);
        if needed > quota && added > replaced {
            return Ok(StateWritten::Full { needed });
        }
        sqlx::query(
            "INSERT INTO entry (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
        )
        .bind(&write.key)
        .bind(value)
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        change.commit().await.map_err(failed)?;
        Ok(made)
    }

    /// The keys that begin so, sorted by their bytes; at most one more than may be listed.
    ///
    /// # Errors
    /// Those of [`PluginState::get`].
    pub async fn keys(&self, prefix: &str, patience: Duration) -> Result<Vec<String>> {
        let patience = Patience::of(patience);
        loop {
            let read = sqlx::query_scalar(
                "SELECT key FROM entry WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) ORDER BY key LIMIT ?3",
            )
            .bind(prefix)
            .bind(behind(prefix))
            .bind(MAX_KEYS as i64 + 1)
            .fetch_all(&self.pool)
            .await;
            match read {
                Ok(keys) => return Ok(keys),
                Err(error) => patience.wait(self.failed("reading", error)).await?,
            }
        }
    }

    /// Every key with what it takes, sorted by their bytes.
    ///
    /// # Errors
    /// Those of [`PluginState::get`].
    pub async fn sizes(&self) -> Result<Vec<KeySize>> {
        let rows = sqlx::query(
            "SELECT key, octet_length(key) + octet_length(value) AS bytes FROM entry ORDER BY key",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed("reading", error))?;
        rows.iter()
            .map(|row| {
                let bytes: i64 = row.try_get("bytes")?;
                Ok(KeySize {
                    key: row.try_get("key")?,
                    bytes: u64::try_from(bytes).unwrap_or_default(),
                })
            })
            .collect::<sqlx::Result<_>>()
            .map_err(|error| self.failed("reading", error))
    }

    /// Whose it is, as it was written down when it was made: the name or the path.
    ///
    /// # Errors
    /// Those of [`PluginState::get`].
    pub async fn owner(&self) -> Result<String> {
        sqlx::query_scalar("SELECT name FROM owner")
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.failed("reading", error))
    }

    /// Removes everything, and gives the room back.
    ///
    /// # Errors
    /// Those of [`PluginState::get`].
    pub async fn clear(&self, patience: Duration) -> Result<()> {
        let mut change = self.begin_patiently(patience).await?;
        let failed = |error| self.failed("changing", error);
        sqlx::query("DELETE FROM entry")
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        change.commit().await.map_err(failed)?;
        // Without it the bytes would go on lying in the file. Another process that reads is in its way, and in no other one's.
        if let Err(error) = sqlx::query("VACUUM").execute(&self.pool).await {
            let error = self.failed("shrinking", error);
            if !is_locked(&error) {
                return Err(error);
            }
        }
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.pool)
            .await
            .map_err(|error| self.failed("shrinking", error))
            .map(drop)
    }

    /// Removes everything, and the file too where no other process uses it.
    ///
    /// # Errors
    /// Those of [`PluginState::clear`], and of removing the file.
    pub async fn remove(self, patience: Duration) -> Result<()> {
        self.clear(patience).await?;
        self.close().await;
        if self.is_unused().await {
            std::fs::remove_file(&self.path)
                .map_err(|error| fsx::io_error("removing", &self.path, error))?;
        }
        Ok(())
    }

    /// Only the last one who uses it can leave the WAL mode: after that, the file is all there is.
    async fn is_unused(&self) -> bool {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(AGAIN);
        let Ok(mut connection) = options.connect().await else {
            return false;
        };
        let mode: sqlx::Result<String> = sqlx::query_scalar("PRAGMA journal_mode = DELETE")
            .fetch_one(&mut connection)
            .await;
        let closed = connection.close().await;
        mode.is_ok_and(|mode| mode == "delete") && closed.is_ok()
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| self.failed("changing", error))
    }

    async fn begin_patiently(&self, patience: Duration) -> Result<Transaction<'static, Sqlite>> {
        let patience = Patience::of(patience);
        loop {
            match self.begin().await {
                Ok(change) => return Ok(change),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    fn failed(&self, doing: &str, error: sqlx::Error) -> Error {
        let shown = self.path.display();
        let remedy = format!(
            "Move {shown} and its -wal and -shm away and restore a copy; without one, the plugin begins anew. Nothing else \
             depends on it."
        );
        fault_with(doing, &self.path, &remedy, error)
    }
}

/// The files of all plugins that ever kept anything.
///
/// # Errors
/// E3001 where the folder cannot be read.
pub(crate) fn files(home: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in ["installed", "files"] {
        let folder = home.join(FOLDER).join(folder);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(fsx::io_error("reading", &folder, error)),
        };
        let found = entries.flatten().map(|entry| entry.path());
        files.extend(found.filter(|path| path.extension().is_some_and(|it| it == "db")));
    }
    files.sort();
    Ok(files)
}

impl PluginState {
    /// The state of every plugin that ever kept any, not looked at yet.
    ///
    /// # Errors
    /// E3001 where the folder cannot be read.
    pub fn all(home: &Path) -> Result<Vec<Self>> {
        Ok(files(home)?.into_iter().map(Self::at).collect())
    }
}

/// The first text that comes after all that begin so; nothing where every later one does.
fn behind(prefix: &str) -> Option<String> {
    let mut before = prefix.to_owned();
    while let Some(last) = before.pop() {
        // What are no characters are passed over; after the last one there is none.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            before.push(next);
            return Some(before);
        }
    }
    None
}

/// How long somebody waits for another process.
struct Patience {
    begun: Instant,
    most: Duration,
}

impl Patience {
    fn of(most: Duration) -> Self {
        Self {
            begun: Instant::now(),
            most,
        }
    }

    /// Waits a little where another process keeps the file locked, so that one tries again.
    ///
    /// # Errors
    /// That error where it is another one, or the patience is over.
    async fn wait(&self, error: Error) -> Result<()> {
        if !is_locked(&error) || self.begun.elapsed() >= self.most {
            return Err(error);
        }
        tokio::time::sleep(AGAIN / 4).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
