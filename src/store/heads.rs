//! How far the audit log had come when its last checkpoint was written: what shows that a log was cut off or put back.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, now_ms};
use crate::error::Result;

/// The newest checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// The log.
    pub log: String,
    /// The number of its last record.
    pub seq: i64,
    /// The hash of that record.
    pub hash: String,
}

impl Store {
    /// Keeps how far a log has come, unless `allow` has something against taking the place of the one that was kept; an older
    /// head never takes the place of a newer one.
    ///
    /// # Errors
    /// Those of `allow`, and of changing the database.
    pub async fn keep_head(
        &self,
        head: &HeadRow,
        allow: impl FnOnce(&HeadRow) -> Result<()>,
    ) -> Result<()> {
        let mut change = self.begin().await?;
        let kept = sqlx::query("SELECT log, seq, hash FROM audit_head WHERE log = ?1")
            .bind(&head.log)
            .fetch_optional(&mut *change)
            .await
            .and_then(|kept| kept.as_ref().map(row).transpose())
            .map_err(|error| self.failed("reading", error))?;
        if let Some(kept) = kept {
            allow(&kept)?;
        }
        sqlx::query(
            "INSERT INTO audit_head (log, seq, hash, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (log) DO UPDATE SET seq = ?2, hash = ?3, at = ?4 WHERE seq < ?2",
        )
        .bind(&head.log)
        .bind(head.seq)
        .bind(&head.hash)
        .bind(now_ms())
        .execute(&mut *change)
        .await
        .map_err(|error| self.failed("changing", error))?;
        change
            .commit()
            .await
            .map_err(|error| self.failed("changing", error))
    }

    /// How far each log had come, the one that was written last first.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn heads(&self) -> Result<Vec<HeadRow>> {
        sqlx::query("SELECT * FROM audit_head ORDER BY at DESC, seq DESC")
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(row).collect())
            .map_err(|error| self.failed("reading", error))
    }
}

fn row(row: &SqliteRow) -> sqlx::Result<HeadRow> {
    Ok(HeadRow {
        log: row.try_get("log")?,
        seq: row.try_get("seq")?,
        hash: row.try_get("hash")?,
    })
}
