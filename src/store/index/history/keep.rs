//! Keeping what was read of the log.

use std::collections::BTreeSet;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{QueryBuilder, Sqlite};

use super::names::HistoryNames;
use super::pack::{Packed, call_to_bytes, time_to_bytes};
use super::{CallEnd, CallRow, HistoryBatch, HistoryFile, HistoryPiece, Reached, number, reached};
use crate::error::Result;
use crate::store::index::Index;

/// How many rows go into the database at once; the same number each time, so that SQLite knows the statement.
const ROWS: usize = 200;

impl Index {
    /// Keeps a batch. `names` are those of the batches before it that this process kept, or none; after an error they are of
    /// no use any more.
    ///
    /// False where the tables are not as they were when the batch was begun, so that nothing was kept: another process did
    /// it, or forgot everything.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn keep_history(
        &self,
        batch: &HistoryBatch,
        names: &mut HistoryNames,
    ) -> Result<bool> {
        let mut change = self.begin().await?;
        let kept = async {
            if reached(&mut change).await? != batch.from {
                return Ok(false);
            }
            keep(&mut change, batch, names).await?;
            change.commit().await?;
            Ok(true)
        };
        kept.await.map_err(|error| self.failed("changing", error))
    }

    /// Drops what was read of files before this one, which were removed; nothing where somebody else came in between since
    /// `seen` was read.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn drop_history_before(&self, file: u32, seen: &Reached) -> Result<()> {
        let mut change = self.begin().await?;
        let dropped = async {
            if reached(&mut change).await?.as_ref() == Some(seen) {
                drop_before(&mut change, file).await?;
            }
            change.commit().await
        };
        dropped
            .await
            .map_err(|error| self.failed("changing", error))
    }
}

async fn keep(
    change: &mut SqliteConnection,
    batch: &HistoryBatch,
    names: &mut HistoryNames,
) -> sqlx::Result<()> {
    names.forget_many();
    let mut shapes = Vec::with_capacity(batch.shapes.len());
    for shape in &batch.shapes {
        shapes.push(names.shape(change, shape).await?);
    }
    let mut sessions = Vec::with_capacity(batch.sessions.len());
    for session in &batch.sessions {
        sessions.push(names.text(change, session).await?);
    }
    for piece in &batch.pieces {
        keep_piece(change, piece, &shapes, &sessions).await?;
    }
    // Ends of calls that began before, so before their ids may be those of newer ones.
    for (call, end) in &batch.ends {
        keep_end(change, call, end, names).await?;
    }
    for calls in batch.calls.chunks(ROWS) {
        let mut sql =
            QueryBuilder::new("INSERT INTO history_call (id, first_chunk, last_chunk, start) ");
        sql.push_values(calls, |mut row, (call, place)| {
            row.push_bind(call_to_bytes(call))
                .push_bind(place.first_chunk.cast_signed())
                .push_bind(place.last_chunk.cast_signed())
                .push_bind(place.start.map(u64::cast_signed));
        });
        sql.push(
            " ON CONFLICT (id) DO UPDATE SET last_chunk = excluded.last_chunk, start = ifnull(excluded.start, start)",
        );
        sql.build().execute(&mut *change).await?;
    }
    keep_runs(change, &batch.runs, names).await?;
    keep_files(change, &batch.files).await?;
    keep_reached(change, &batch.to).await
}

/// Puts records into a new chunk, or into the last one.
async fn keep_piece(
    change: &mut SqliteConnection,
    piece: &HistoryPiece,
    shapes: &[i64],
    sessions: &[i64],
) -> sqlx::Result<()> {
    let chunk = piece.chunk.cast_signed();
    let page: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT records FROM history_page WHERE chunk = ?1")
            .bind(chunk)
            .fetch_optional(&mut *change)
            .await?;
    let mut page = page.unwrap_or_default();
    let (mut with_shapes, mut with_sessions) = (BTreeSet::new(), BTreeSet::new());
    for line in &piece.lines {
        let shape = shapes.get(line.shape).copied().unwrap_or_default();
        let session = line.session.and_then(|at| sessions.get(at).copied());
        with_shapes.insert(shape);
        with_sessions.extend(session);
        let packed = Packed {
            length: line.length,
            shape: shape.cast_unsigned(),
            session: session.unwrap_or_default().cast_unsigned(),
            call: line.call,
        };
        packed.write(&mut page);
    }
    sqlx::query(
        "INSERT INTO history_chunk (number, first, file, offset, earliest, latest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (number) DO UPDATE SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)",
    )
    .bind(chunk)
    .bind(piece.first.cast_signed())
    .bind(piece.file)
    .bind(piece.offset.cast_signed())
    .bind(&piece.earliest)
    .bind(&piece.latest)
    .execute(&mut *change)
    .await?;
    sqlx::query("INSERT OR REPLACE INTO history_page (chunk, records) VALUES (?1, ?2)")
        .bind(chunk)
        .bind(page)
        .execute(&mut *change)
        .await?;
    for (sql, numbers) in [
        (
            "INSERT OR IGNORE INTO history_shape_in (shape, chunk) SELECT value, ?2 FROM json_each(?1)",
            with_shapes,
        ),
        (
            "INSERT OR IGNORE INTO history_session_in (session, chunk) SELECT value, ?2 FROM json_each(?1)",
            with_sessions,
        ),
    ] {
        if numbers.is_empty() {
            continue;
        }
        sqlx::query(sql)
            .bind(serde_json::Value::from_iter(numbers).to_string())
            .bind(chunk)
            .execute(&mut *change)
            .await?;
    }
    Ok(())
}

async fn keep_end(
    change: &mut SqliteConnection,
    call: &str,
    end: &CallEnd,
    names: &mut HistoryNames,
) -> sqlx::Result<()> {
    let end = Ended::of(change, Some(end), names).await?;
    let query = sqlx::query(
        "UPDATE history_run SET failed = ?2, ended = ?3, outcome = ?4, code = ?5, duration = ?6, denials = ?7, ran = ?8,
         cpu = ?9, fuel = ?10, memory = ?11, host_calls = ?12, bytes_in = ?13, bytes_out = ?14
         WHERE start = (SELECT start FROM history_call WHERE id = ?1)",
    )
    .bind(call_to_bytes(call))
    .bind(end.failed)
    .bind(end.ended)
    .bind(end.outcome)
    .bind(end.code);
    end.numbers
        .into_iter()
        .fold(
            query,
            sqlx::query::Query::<'_, Sqlite, SqliteArguments>::bind,
        )
        .execute(change)
        .await?;
    Ok(())
}

async fn keep_runs(
    change: &mut SqliteConnection,
    runs: &[CallRow],
    names: &mut HistoryNames,
) -> sqlx::Result<()> {
    for runs in runs.chunks(ROWS) {
        let mut rows = Vec::with_capacity(runs.len());
        for run in runs {
            let tool = names.text(change, &run.tool).await?;
            let plugin = names.optional(change, run.plugin.as_deref()).await?;
            let principal = names.text(change, &run.principal).await?;
            let session = names.optional(change, run.session.as_deref()).await?;
            let end = Ended::of(change, run.end.as_ref(), names).await?;
            rows.push((run, [Some(tool), plugin, Some(principal), session], end));
        }
        let mut sql = QueryBuilder::new(
            "INSERT INTO history_run (start, id, tool, plugin, principal, session, began, failed, ended, outcome, code,
             duration, denials, ran, cpu, fuel, memory, host_calls, bytes_in, bytes_out) ",
        );
        sql.push_values(rows, |mut row, (run, names, end)| {
            row.push_bind(run.start.cast_signed())
                .push_bind(call_to_bytes(&run.call));
            for name in names {
                row.push_bind(name);
            }
            row.push_bind(time_to_bytes(&run.began))
                .push_bind(end.failed)
                .push_bind(end.ended)
                .push_bind(end.outcome)
                .push_bind(end.code);
            for number in end.numbers {
                row.push_bind(number);
            }
        });
        sql.build().execute(&mut *change).await?;
    }
    Ok(())
}

/// The end of a call as columns.
struct Ended {
    failed: bool,
    ended: Option<Vec<u8>>,
    outcome: Option<i64>,
    code: Option<i64>,
    /// From `duration` on.
    numbers: [Option<i64>; 9],
}

impl Ended {
    async fn of(
        change: &mut SqliteConnection,
        end: Option<&CallEnd>,
        names: &mut HistoryNames,
    ) -> sqlx::Result<Self> {
        let Some(end) = end else {
            return Ok(Self {
                failed: true,
                ended: None,
                outcome: None,
                code: None,
                numbers: [None; 9],
            });
        };
        let used = &end.usage;
        Ok(Self {
            failed: end.outcome.as_deref() != Some("ok"),
            ended: Some(time_to_bytes(&end.ended)),
            outcome: names.optional(change, end.outcome.as_deref()).await?,
            code: names.optional(change, end.code.as_deref()).await?,
            numbers: [
                end.duration_us,
                Some(end.denials),
                used.duration_us,
                used.cpu_us,
                used.fuel,
                used.peak_memory,
                used.host_calls,
                used.bytes_in,
                used.bytes_out,
            ]
            .map(|number| number.map(u64::cast_signed)),
        })
    }
}

async fn keep_files(change: &mut SqliteConnection, files: &[HistoryFile]) -> sqlx::Result<()> {
    for file in files {
        sqlx::query(
            "INSERT OR REPLACE INTO history_file (number, inode, size, modified, changed) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(file.number)
        .bind(file.inode.cast_signed())
        .bind(file.size.cast_signed())
        .bind(file.modified)
        .bind(file.changed)
        .execute(&mut *change)
        .await?;
    }
    Ok(())
}

async fn keep_reached(change: &mut SqliteConnection, to: &Reached) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO history_state
         (only, generation, log, records, file, offset, length, digest, chunk, chunk_records)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(to.generation.as_slice())
    .bind(&to.log)
    .bind(to.records.cast_signed())
    .bind(to.file)
    .bind(to.offset.cast_signed())
    .bind(to.length.cast_signed())
    .bind(to.digest.as_slice())
    .bind(to.chunk.cast_signed())
    .bind(to.chunk_records)
    .execute(change)
    .await?;
    Ok(())
}

async fn drop_before(change: &mut SqliteConnection, file: u32) -> sqlx::Result<()> {
    let row = sqlx::query("SELECT number, first FROM history_chunk WHERE file >= ?1 LIMIT 1")
        .bind(file)
        .fetch_optional(&mut *change)
        .await?;
    let (chunk, record) = match &row {
        Some(row) => (number(row, 0)?, number(row, 1)?),
        None => (u64::MAX >> 1, u64::MAX >> 1),
    };
    for (sql, before) in [
        (
            // The calls that began there, unless they went on.
            "DELETE FROM history_call WHERE id IN (SELECT id FROM history_run WHERE start < ?1) AND last_chunk < \
             (SELECT ifnull(min(number), 9223372036854775807) FROM history_chunk WHERE first >= ?1)",
            record,
        ),
        ("DELETE FROM history_run WHERE start < ?1", record),
        ("DELETE FROM history_page WHERE chunk < ?1", chunk),
        ("DELETE FROM history_shape_in WHERE chunk < ?1", chunk),
        ("DELETE FROM history_session_in WHERE chunk < ?1", chunk),
        ("DELETE FROM history_chunk WHERE number < ?1", chunk),
        ("DELETE FROM history_file WHERE number < ?1", file.into()),
    ] {
        sqlx::query(sql)
            .bind(before.cast_signed())
            .execute(&mut *change)
            .await?;
    }
    Ok(())
}
