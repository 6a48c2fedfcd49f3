//! Asking what was kept of the log.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, Transaction};

use super::pack::{call_of_bytes, call_to_bytes, time_of_bytes, unpack};
use super::{CallEnd, CallRow, CallUsage, Reached, Shape, number, reached};
use crate::error::{Code, Error, Result};
use crate::store::index::Index;

/// The tables as they were at one moment.
#[derive(Debug)]
pub struct HistoryView<'a> {
    index: &'a Index,
    pub(super) snapshot: Transaction<'static, Sqlite>,
}

/// Some records that stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryChunk {
    /// Its number.
    pub number: u64,
    /// The number of the file it is in.
    pub file: u32,
    /// Those of its records that were asked for, in the order of the log.
    pub records: Vec<PlacedRecord>,
}

/// A record, as far as the index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedRecord {
    /// Where its line begins, in bytes.
    pub offset: u64,
    /// The length of its line in bytes, without the line end.
    pub length: u64,
    /// The number of its shape.
    pub shape: i64,
    /// The number of its session.
    pub session: Option<i64>,
    /// A few bits of the id of its call; 0 where it has none.
    pub call: u16,
}

/// Which calls are asked for, the newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunQuery<'a> {
    /// Of this tool.
    pub tool: Option<&'a str>,
    /// Of this plugin.
    pub plugin: Option<&'a str>,
    /// In this session.
    pub session: Option<&'a str>,
    /// Only those that did not end well.
    pub failed: bool,
    /// Only those that began in a chunk with a record of this time or later.
    pub since: Option<&'a str>,
}

impl<'a> HistoryView<'a> {
    pub(super) fn new(index: &'a Index, snapshot: Transaction<'static, Sqlite>) -> Self {
        Self { index, snapshot }
    }

    pub(super) fn failed(&self, error: sqlx::Error) -> Error {
        self.index.failed("reading", error)
    }

    /// How far the log was read.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn reached(&mut self) -> Result<Option<Reached>> {
        let read = reached(&mut self.snapshot).await;
        read.map_err(|error| self.failed(error))
    }

    /// The shapes that have all that `wanted` has; a type that is empty is not asked for.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn shapes(&mut self, wanted: &Shape) -> Result<Vec<(i64, Shape)>> {
        let mut sql = QueryBuilder::new(
            "SELECT number, kind, tool, plugin, outcome, code, decision FROM history_shape WHERE 1",
        );
        for (condition, value) in [
            (
                " AND kind = ",
                Some(&wanted.kind).filter(|it| !it.is_empty()),
            ),
            (" AND tool = ", wanted.tool.as_ref()),
            (" AND plugin = ", wanted.plugin.as_ref()),
            (" AND outcome = ", wanted.outcome.as_ref()),
            (" AND code = ", wanted.code.as_ref()),
            (" AND decision = ", wanted.decision.as_ref()),
        ] {
            if let Some(value) = value {
                sql.push(condition).push_bind(value.clone());
            }
        }
        let rows = sql.build().fetch_all(&mut *self.snapshot).await;
        rows.and_then(|rows| rows.iter().map(shape).collect())
            .map_err(|error| self.failed(error))
    }

    /// The number of a text, such as a session; nothing where it never occurred.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn text(&mut self, text: &str) -> Result<Option<i64>> {
        sqlx::query_scalar("SELECT number FROM history_text WHERE text = ?1")
            .bind(text)
            .fetch_optional(&mut *self.snapshot)
            .await
            .map_err(|error| self.failed(error))
    }

    /// The first and the last chunk with records of a call; nothing where there never was such a call.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn chunks_of_call(&mut self, call: &str) -> Result<Option<(u64, u64)>> {
        let row = sqlx::query("SELECT first_chunk, last_chunk FROM history_call WHERE id = ?1")
            .bind(call_to_bytes(call))
            .fetch_optional(&mut *self.snapshot)
            .await;
        row.and_then(|row| {
            row.map(|row| Ok((number(&row, 0)?, number(&row, 1)?)))
                .transpose()
        })
        .map_err(|error| self.failed(error))
    }

    /// The chunks in which any of these shapes occurs; nothing where it may be more than `most`.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn chunks_with_shapes(
        &mut self,
        shapes: &[i64],
        most: u32,
    ) -> Result<Option<Vec<i64>>> {
        self.chunks_with(
            "SELECT chunk FROM json_each(?1) AS asked CROSS JOIN history_shape_in ON shape = asked.value LIMIT ?2",
            shapes,
            most,
        )
        .await
    }

    /// The chunks in which a session occurs; nothing where it may be more than `most`.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn chunks_with_session(
        &mut self,
        session: i64,
        most: u32,
    ) -> Result<Option<Vec<i64>>> {
        self.chunks_with(
            "SELECT chunk FROM json_each(?1) AS asked CROSS JOIN history_session_in ON session = asked.value LIMIT ?2",
            &[session],
            most,
        )
        .await
    }

    async fn chunks_with(
        &mut self,
        sql: &'static str,
        numbers: &[i64],
        most: u32,
    ) -> Result<Option<Vec<i64>>> {
        let mut chunks: Vec<i64> = sqlx::query_scalar(sql)
            .bind(json_array(numbers))
            .bind(i64::from(most) + 1)
            .fetch_all(&mut *self.snapshot)
            .await
            .map_err(|error| self.failed(error))?;
        if chunks.len() as u64 > u64::from(most) {
            return Ok(None);
        }
        chunks.sort_unstable();
        chunks.dedup();
        Ok(Some(chunks))
    }

    /// Chunks before `before` and from `from` on that have records of these times, the newest first: at most `limit`, and
    /// only of `among`, where that is given. Of their records those for which `is_wanted` says so.
    ///
    /// # Errors
    /// E3109 where a page is damaged; those of reading the database.
    pub async fn chunks(
        &mut self,
        among: Option<&[i64]>,
        from: u64,
        before: u64,
        (since, until): (Option<&str>, Option<&str>),
        limit: u32,
        is_wanted: impl Fn(&PlacedRecord) -> bool,
    ) -> Result<Vec<HistoryChunk>> {
        let mut sql = QueryBuilder::new(
            "SELECT number, file, offset, records FROM history_chunk JOIN history_page ON chunk = number WHERE number >= ",
        );
        sql.push_bind(from.cast_signed());
        sql.push(" AND number < ").push_bind(before.cast_signed());
        if let Some(since) = since {
            sql.push(" AND latest >= ").push_bind(since.to_owned());
        }
        if let Some(until) = until {
            sql.push(" AND earliest <= ").push_bind(until.to_owned());
        }
        if let Some(among) = among {
            sql.push(" AND number IN (SELECT value FROM json_each(")
                .push_bind(json_array(among))
                .push("))");
        }
        sql.push(" ORDER BY number DESC LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&mut *self.snapshot).await;
        rows.and_then(|rows| {
            rows.iter()
                .map(|row| chunk(row, &is_wanted))
                .collect::<sqlx::Result<Vec<_>>>()
        })
        .map_err(|error| self.failed(error))?
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| {
            Error::new(
                Code::E3109,
                format!(
                    "reading {}: a page of the history is damaged",
                    self.index.shown().display()
                ),
            )
        })
    }

    /// Calls whose start has a number before `before`, the newest first, at most `limit`.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn runs(
        &mut self,
        wanted: &RunQuery<'_>,
        before: u64,
        limit: u32,
    ) -> Result<Vec<CallRow>> {
        let mut sql = QueryBuilder::new(
            "SELECT start, id, began, ended, duration, denials, ran, cpu, fuel, memory, host_calls, bytes_in, bytes_out,
             (SELECT text FROM history_text WHERE number = tool), (SELECT text FROM history_text WHERE number = plugin),
             (SELECT text FROM history_text WHERE number = principal), (SELECT text FROM history_text WHERE number = session),
             (SELECT text FROM history_text WHERE number = outcome), (SELECT text FROM history_text WHERE number = code)
             FROM history_run WHERE start < ",
        );
        wanted.push(&mut sql, before);
        sql.push(" ORDER BY start DESC LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&mut *self.snapshot).await;
        rows.and_then(|rows| rows.iter().map(run).collect())
            .map_err(|error| self.failed(error))
    }
}

impl RunQuery<'_> {
    /// Puts what is asked for behind `WHERE start < `.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Sqlite>, before: u64) {
        sql.push_bind(before.cast_signed());
        for (condition, value) in [
            (" AND tool = ", self.tool),
            (" AND plugin = ", self.plugin),
            (" AND session = ", self.session),
        ] {
            if let Some(value) = value {
                sql.push(condition)
                    .push("(SELECT number FROM history_text WHERE text = ")
                    .push_bind(value.to_owned())
                    .push(")");
            }
        }
        if self.failed {
            sql.push(" AND failed = 1");
        }
        if let Some(since) = self.since {
            sql.push(" AND start >= (SELECT ifnull(min(first), 9223372036854775807) FROM history_chunk WHERE latest >= ")
                .push_bind(since.to_owned())
                .push(")");
        }
    }
}

fn shape(row: &SqliteRow) -> sqlx::Result<(i64, Shape)> {
    let shape = Shape {
        kind: row.try_get(1)?,
        tool: row.try_get(2)?,
        plugin: row.try_get(3)?,
        outcome: row.try_get(4)?,
        code: row.try_get(5)?,
        decision: row.try_get(6)?,
    };
    Ok((row.try_get(0)?, shape))
}

/// A chunk with what is wanted of its page; nothing where that is damaged.
fn chunk(
    row: &SqliteRow,
    is_wanted: impl Fn(&PlacedRecord) -> bool,
) -> sqlx::Result<Option<HistoryChunk>> {
    let mut offset = number(row, 2)?;
    let mut records = Vec::new();
    let unpacked = unpack(row.try_get(3)?, |record| {
        let placed = PlacedRecord {
            offset,
            length: record.length,
            shape: record.shape.cast_signed(),
            session: Some(record.session.cast_signed()).filter(|session| *session != 0),
            call: record.call,
        };
        offset = offset.saturating_add(record.length).saturating_add(1);
        if is_wanted(&placed) {
            records.push(placed);
        }
    });
    if unpacked.is_none() {
        return Ok(None);
    }
    Ok(Some(HistoryChunk {
        number: number(row, 0)?,
        file: row.try_get(1)?,
        records,
    }))
}

fn run(row: &SqliteRow) -> sqlx::Result<CallRow> {
    let known = |column: usize| {
        row.try_get::<Option<i64>, _>(column)
            .map(|number| number.map(i64::cast_unsigned))
    };
    let ended: Option<&[u8]> = row.try_get(3)?;
    let end = match ended {
        None => None,
        Some(ended) => Some(CallEnd {
            ended: time_of_bytes(ended),
            outcome: row.try_get(17)?,
            code: row.try_get(18)?,
            duration_us: known(4)?,
            denials: known(5)?.unwrap_or_default(),
            usage: CallUsage {
                duration_us: known(6)?,
                cpu_us: known(7)?,
                fuel: known(8)?,
                peak_memory: known(9)?,
                host_calls: known(10)?,
                bytes_in: known(11)?,
                bytes_out: known(12)?,
            },
        }),
    };
    Ok(CallRow {
        start: number(row, 0)?,
        call: call_of_bytes(row.try_get(1)?)
            .ok_or_else(|| sqlx::Error::Decode("the id of a call is damaged".into()))?,
        tool: row.try_get(13)?,
        plugin: row.try_get(14)?,
        principal: row.try_get(15)?,
        session: row.try_get(16)?,
        began: time_of_bytes(row.try_get(2)?),
        end,
    })
}

fn json_array(numbers: &[i64]) -> String {
    serde_json::Value::from_iter(numbers.iter().copied()).to_string()
}
