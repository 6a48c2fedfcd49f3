//! What people granted.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, now_ms};
use crate::error::Result;

/// One grant, as long as it holds and afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its id.
    pub id: String,
    /// The plugin it is for.
    pub plugin: String,
    /// The digest of the artifact it is bound to.
    pub digest: String,
    /// Who signed that, where it was signed.
    pub signer: Option<String>,
    /// What is allowed, as JSON.
    pub terms: String,
    /// What the artifact asked for when it was given, as JSON.
    pub requested: String,
    /// When it was given.
    pub given_at: i64,
    /// By whom.
    pub given_by: String,
    /// In which way.
    pub how: String,
    /// When it ended, if it did.
    pub ended_at: Option<i64>,
    /// By whom, or through what.
    pub ended_by: Option<String>,
}

fn grant(row: &SqliteRow) -> sqlx::Result<GrantRow> {
    Ok(GrantRow {
        id: row.try_get("id")?,
        plugin: row.try_get("plugin")?,
        digest: row.try_get("digest")?,
        signer: row.try_get("signer")?,
        terms: row.try_get("terms")?,
        requested: row.try_get("requested")?,
        given_at: row.try_get("given_at")?,
        given_by: row.try_get("given_by")?,
        how: row.try_get("how")?,
        ended_at: row.try_get("ended_at")?,
        ended_by: row.try_get("ended_by")?,
    })
}

impl Store {
    /// Gives a grant, in place of the one that held for the same artifact; moves the artifact's version from `staged` to
    /// `active` in the same change. `recorded` runs before anything changes.
    ///
    /// # Errors
    /// Those of changing the database and of `recorded`; nothing is then changed.
    pub async fn give(
        &self,
        row: &GrantRow,
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        let mut change = self.begin().await?;
        let failed = |error| self.failed("changing", error);
        sqlx::query(
            "UPDATE given SET ended_at = ?3, ended_by = ?4
             WHERE plugin = ?1 AND digest = ?2 AND ended_at IS NULL",
        )
        .bind(&row.plugin)
        .bind(&row.digest)
        .bind(row.given_at)
        .bind(&row.id)
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        sqlx::query(
            "INSERT INTO given (id, plugin, digest, signer, terms, requested, given_at, given_by, how)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .bind(&row.id)
        .bind(&row.plugin)
        .bind(&row.digest)
        .bind(&row.signer)
        .bind(&row.terms)
        .bind(&row.requested)
        .bind(row.given_at)
        .bind(&row.given_by)
        .bind(&row.how)
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        sqlx::query(
            "UPDATE plugin SET stage = 'active' WHERE name = ?1 AND digest = ?2 AND stage = 'staged'",
        )
        .bind(&row.plugin)
        .bind(&row.digest)
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        recorded()?;
        self.commit(change).await
    }

    /// Ends what was granted to a plugin, or to one artifact of it; says what ended. `recorded` is told of it before it does.
    ///
    /// # Errors
    /// Those of changing the database and of `recorded`; nothing is then changed.
    pub async fn end_grants(
        &self,
        plugin: &str,
        digest: Option<&str>,
        by: &str,
        recorded: impl FnOnce(&[GrantRow]) -> Result<()> + Send,
    ) -> Result<Vec<GrantRow>> {
        let mut change = self.begin().await?;
        let ended = sqlx::query(
            "UPDATE given SET ended_at = ?3, ended_by = ?4
             WHERE plugin = ?1 AND (?2 IS NULL OR digest = ?2) AND ended_at IS NULL RETURNING *",
        )
        .bind(plugin)
        .bind(digest)
        .bind(now_ms())
        .bind(by)
        .fetch_all(&mut *change)
        .await
        .and_then(|rows| rows.iter().map(grant).collect::<sqlx::Result<Vec<_>>>())
        .map_err(|error| self.failed("changing", error))?;
        recorded(&ended)?;
        self.commit(change).await?;
        Ok(ended)
    }

    /// The grant that holds for an artifact.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn grant_for(&self, plugin: &str, digest: &str) -> Result<Option<GrantRow>> {
        sqlx::query("SELECT * FROM given WHERE plugin = ?1 AND digest = ?2 AND ended_at IS NULL")
            .bind(plugin)
            .bind(digest)
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| row.as_ref().map(grant).transpose())
            .map_err(|error| self.failed("reading", error))
    }

    /// The grants that hold, or all there ever were; of one plugin or of all; the newest first.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn grants(&self, plugin: Option<&str>, ended_too: bool) -> Result<Vec<GrantRow>> {
        sqlx::query(
            "SELECT * FROM given WHERE (?1 IS NULL OR plugin = ?1) AND (?2 OR ended_at IS NULL)
             ORDER BY given_at DESC, id DESC",
        )
        .bind(plugin)
        .bind(ended_too)
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(grant).collect())
        .map_err(|error| self.failed("reading", error))
    }
}
