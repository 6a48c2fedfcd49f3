//! What happened, as tables that answer questions about the audit log without reading it.
//!
//! ```text
//! state, files      how far the log was read, and what its files looked like then
//! chunk, page       1,024 records or fewer that stand one after the other in one file; a few bytes of each in a page
//! shape             what records have in common: type, tool, plugin, outcome, code, decision
//! shape_in, session_in   the chunks in which a shape or a session occurs
//! call              the chunks with the records of a call, and the number of its start
//! run               one row for each start of a call, with its end and what it cost
//! ```
//!
//! Records are numbered as they are read. Who reads the log, and what is done where it is another one than the one that was
//! read, is decided in `app`.

mod find;
mod keep;
mod names;
mod pack;
mod rows;
mod tally;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

pub use find::{HistoryChunk, HistoryView, PlacedRecord, RunQuery};
pub use names::HistoryNames;
pub use rows::{
    CallEnd, CallPlace, CallRow, CallUsage, HistoryBatch, HistoryFile, HistoryLine, HistoryPiece,
    Reached, Shape,
};

use super::Index;
use crate::error::Result;

/// The most records of a chunk. In tests it is small, so that they have many.
pub const CHUNK: u32 = if cfg!(test) { 8 } else { 1024 };

pub(super) const TABLES: &str = "
CREATE TABLE history_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    generation BLOB NOT NULL,
    log TEXT NOT NULL,
    records INTEGER NOT NULL,
    file INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    digest BLOB NOT NULL,
    chunk INTEGER NOT NULL,
    chunk_records INTEGER NOT NULL
) STRICT;

CREATE TABLE history_file (
    number INTEGER PRIMARY KEY,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

CREATE TABLE history_text (
    number INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE history_shape (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    tool TEXT,
    plugin TEXT,
    outcome TEXT,
    code TEXT,
    decision TEXT
) STRICT;
CREATE INDEX history_shape_tool ON history_shape (tool, kind);

CREATE TABLE history_chunk (
    number INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    file INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    earliest TEXT NOT NULL,
    latest TEXT NOT NULL
) STRICT;

-- Apart from the chunks, so that these can be gone through quickly.
CREATE TABLE history_page (
    chunk INTEGER PRIMARY KEY,
    records BLOB NOT NULL
) STRICT;

CREATE TABLE history_shape_in (
    shape INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    PRIMARY KEY (shape, chunk)
) STRICT, WITHOUT ROWID;

CREATE TABLE history_session_in (
    session INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    PRIMARY KEY (session, chunk)
) STRICT, WITHOUT ROWID;

CREATE TABLE history_call (
    id BLOB PRIMARY KEY NOT NULL,
    first_chunk INTEGER NOT NULL,
    last_chunk INTEGER NOT NULL,
    start INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE history_run (
    start INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    tool INTEGER NOT NULL,
    plugin INTEGER,
    principal INTEGER NOT NULL,
    session INTEGER,
    began BLOB NOT NULL,
    failed INTEGER NOT NULL,
    ended BLOB,
    outcome INTEGER,
    code INTEGER,
    duration INTEGER,
    denials INTEGER,
    ran INTEGER,
    cpu INTEGER,
    fuel INTEGER,
    memory INTEGER,
    host_calls INTEGER,
    bytes_in INTEGER,
    bytes_out INTEGER
) STRICT;
CREATE INDEX history_run_tool ON history_run (tool);
CREATE INDEX history_run_plugin ON history_run (plugin) WHERE plugin IS NOT NULL;
CREATE INDEX history_run_session ON history_run (session) WHERE session IS NOT NULL;
CREATE INDEX history_run_failed ON history_run (failed) WHERE failed = 1;
";

/// Emptied together; a new generation begins then.
const EMPTIED: [&str; 10] = [
    "DELETE FROM history_state",
    "DELETE FROM history_file",
    "DELETE FROM history_text",
    "DELETE FROM history_shape",
    "DELETE FROM history_chunk",
    "DELETE FROM history_page",
    "DELETE FROM history_shape_in",
    "DELETE FROM history_session_in",
    "DELETE FROM history_call",
    "DELETE FROM history_run",
];

impl Index {
    /// How far the log was read, and what its files looked like then; nothing where it was not read yet.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn history(&self) -> Result<Option<(Reached, Vec<HistoryFile>)>> {
        let read = async {
            let mut snapshot = self.pool.begin().await?;
            let Some(reached) = reached(&mut snapshot).await? else {
                return Ok(None);
            };
            let files = sqlx::query(
                "SELECT number, inode, size, modified, changed FROM history_file ORDER BY number",
            )
            .fetch_all(&mut *snapshot)
            .await?;
            let files: sqlx::Result<_> = files.iter().map(file).collect();
            Ok(Some((reached, files?)))
        };
        read.await.map_err(|error| self.failed("reading", error))
    }

    /// Forgets everything, unless somebody else came in between since `seen` was read.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn clear_history(&self, seen: &Reached) -> Result<()> {
        let mut change = self.begin().await?;
        let cleared = async {
            if reached(&mut change).await?.as_ref() == Some(seen) {
                for sql in EMPTIED {
                    sqlx::query(sql).execute(&mut *change).await?;
                }
            }
            change.commit().await
        };
        cleared
            .await
            .map_err(|error| self.failed("changing", error))
    }

    /// Makes the index say of every record that it stands a byte further on.
    #[cfg(test)]
    pub(crate) async fn confuse_history(&self) {
        sqlx::query("UPDATE history_chunk SET offset = offset + 1")
            .execute(&self.pool)
            .await
            .expect("confused");
    }

    /// What there is now, to be asked several questions.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn view_history(&self) -> Result<HistoryView<'_>> {
        let snapshot = self
            .pool
            .begin()
            .await
            .map_err(|error| self.failed("reading", error))?;
        Ok(HistoryView::new(self, snapshot))
    }
}

async fn reached(connection: &mut SqliteConnection) -> sqlx::Result<Option<Reached>> {
    let row = sqlx::query(
        "SELECT generation, log, records, file, offset, length, digest, chunk, chunk_records FROM history_state",
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Reached {
        generation: bytes(&row, 0)?,
        log: row.try_get(1)?,
        records: number(&row, 2)?,
        file: row.try_get(3)?,
        offset: number(&row, 4)?,
        length: number(&row, 5)?,
        digest: bytes(&row, 6)?,
        chunk: number(&row, 7)?,
        chunk_records: row.try_get(8)?,
    }))
}

fn file(row: &SqliteRow) -> sqlx::Result<HistoryFile> {
    Ok(HistoryFile {
        number: row.try_get(0)?,
        inode: number(row, 1)?,
        size: number(row, 2)?,
        modified: row.try_get(3)?,
        changed: row.try_get(4)?,
    })
}

fn number(row: &SqliteRow, column: usize) -> sqlx::Result<u64> {
    Ok(row.try_get::<i64, _>(column)?.cast_unsigned())
}

fn bytes<const N: usize>(row: &SqliteRow, column: usize) -> sqlx::Result<[u8; N]> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes
        .try_into()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
