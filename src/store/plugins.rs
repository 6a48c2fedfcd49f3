//! Installed plugins, their tools and their locked dependencies.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use super::{Store, now_ms};
use crate::error::Result;

/// One installed version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its artifact.
    pub digest: String,
    /// The size of its artifact in bytes.
    pub size: i64,
    /// What it is for.
    pub description: String,
    /// Its tags, as a JSON array.
    pub tags: String,
    /// What it has besides tools, as JSON.
    pub offers: String,
    /// The word for its stage of life.
    pub stage: String,
    /// The day it was deprecated, as `2026-11-21`.
    pub deprecated_on: Option<String>,
    /// The day from which it does not run any more.
    pub sunset_on: Option<String>,
    /// The plugin to use in its place.
    pub replacement: Option<String>,
    /// How to move to that.
    pub note: Option<String>,
    /// When it was installed.
    pub installed_at: i64,
}

/// One tool of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRow {
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The name of the tool in it.
    pub name: String,
    /// What is known of it, as JSON.
    pub descriptor: String,
}

/// One dependency of a plugin, with what it was resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRow {
    /// The plugin that is needed.
    pub needs: String,
    /// The versions that would do.
    pub range: String,
    /// The version that was found.
    pub locked: String,
    /// Its digest.
    pub digest: String,
}

fn plugin(row: &SqliteRow) -> sqlx::Result<PluginRow> {
    Ok(PluginRow {
        name: row.try_get("name")?,
        version: row.try_get("version")?,
        digest: row.try_get("digest")?,
        size: row.try_get("size")?,
        description: row.try_get("description")?,
        tags: row.try_get("tags")?,
        offers: row.try_get("offers")?,
        stage: row.try_get("stage")?,
        deprecated_on: row.try_get("deprecated_on")?,
        sunset_on: row.try_get("sunset_on")?,
        replacement: row.try_get("replacement")?,
        note: row.try_get("note")?,
        installed_at: row.try_get("installed_at")?,
    })
}

fn tool(row: &SqliteRow) -> sqlx::Result<ToolRow> {
    Ok(ToolRow {
        plugin: row.try_get("plugin")?,
        version: row.try_get("version")?,
        name: row.try_get("name")?,
        descriptor: row.try_get("descriptor")?,
    })
}

async fn insert_locks(
    change: &mut Transaction<'static, Sqlite>,
    row: &PluginRow,
    locked: &[LockRow],
) -> sqlx::Result<()> {
    for lock in locked {
        sqlx::query(
            "INSERT INTO dependency_lock (plugin, version, needs, range, locked, digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(&row.name)
        .bind(&row.version)
        .bind(&lock.needs)
        .bind(&lock.range)
        .bind(&lock.locked)
        .bind(&lock.digest)
        .execute(&mut **change)
        .await?;
    }
    Ok(())
}

impl Store {
    /// Every version of every plugin, or of one.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn plugins(&self, name: Option<&str>) -> Result<Vec<PluginRow>> {
        sqlx::query("SELECT * FROM plugin WHERE ?1 IS NULL OR name = ?1")
            .bind(name)
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(plugin).collect())
            .map_err(|error| self.failed("reading", error))
    }

    /// The tools of every plugin, or of every version of one, in the order their authors gave them.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn tools(&self, plugin: Option<&str>) -> Result<Vec<ToolRow>> {
        sqlx::query(
            "SELECT * FROM tool WHERE ?1 IS NULL OR plugin = ?1 ORDER BY plugin, version, position",
        )
        .bind(plugin)
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(tool).collect())
        .map_err(|error| self.failed("reading", error))
    }

    /// Adds a version with its tools and locked dependencies; gives the one of that name and version that is there already,
    /// as it was before. Of that nothing is changed but that it is no longer removed. Where something changes, `recorded` runs
    /// before it does.
    ///
    /// # Errors
    /// Those of changing the database and of `recorded`; nothing is then changed.
    pub async fn add_plugin(
        &self,
        row: &PluginRow,
        tools: &[ToolRow],
        locked: &[LockRow],
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<Option<PluginRow>> {
        let mut change = self.begin().await?;
        let there = sqlx::query("SELECT * FROM plugin WHERE name = ?1 AND version = ?2")
            .bind(&row.name)
            .bind(&row.version)
            .fetch_optional(&mut *change)
            .await
            .and_then(|found| found.as_ref().map(plugin).transpose())
            .map_err(|error| self.failed("reading", error))?;
        if let Some(there) = there {
            if there.digest == row.digest && there.stage == "removed" {
                sqlx::query("UPDATE plugin SET stage = ?3, installed_at = ?4 WHERE name = ?1 AND version = ?2")
                    .bind(&row.name)
                    .bind(&row.version)
                    .bind(&row.stage)
                    .bind(row.installed_at)
                    .execute(&mut *change)
                    .await
                    .map_err(|error| self.failed("changing", error))?;
                recorded()?;
                self.commit(change).await?;
            }
            return Ok(Some(there));
        }
        self.insert_plugin(&mut change, row, tools, locked)
            .await
            .map_err(|error| self.failed("changing", error))?;
        recorded()?;
        self.commit(change).await?;
        Ok(None)
    }

    async fn insert_plugin(
        &self,
        change: &mut Transaction<'static, Sqlite>,
        row: &PluginRow,
        tools: &[ToolRow],
        locked: &[LockRow],
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO plugin (name, version, digest, size, description, tags, offers, stage, installed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .bind(&row.name)
        .bind(&row.version)
        .bind(&row.digest)
        .bind(row.size)
        .bind(&row.description)
        .bind(&row.tags)
        .bind(&row.offers)
        .bind(&row.stage)
        .bind(row.installed_at)
        .execute(&mut **change)
        .await?;
        for (position, tool) in (0_i64..).zip(tools) {
            sqlx::query(
                "INSERT INTO tool (plugin, version, position, name, descriptor) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .bind(&row.name)
            .bind(&row.version)
            .bind(position)
            .bind(&tool.name)
            .bind(&tool.descriptor)
            .execute(&mut **change)
            .await?;
        }
        insert_locks(change, row, locked).await
    }

    /// Puts locked dependencies of a version in the place of those it had. `recorded` runs before they change.
    ///
    /// # Errors
    /// Those of changing the database and of `recorded`; nothing is then changed.
    pub async fn set_locked(
        &self,
        row: &PluginRow,
        locked: &[LockRow],
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        let mut change = self.begin().await?;
        sqlx::query("DELETE FROM dependency_lock WHERE plugin = ?1 AND version = ?2")
            .bind(&row.name)
            .bind(&row.version)
            .execute(&mut *change)
            .await
            .map_err(|error| self.failed("changing", error))?;
        insert_locks(&mut change, row, locked)
            .await
            .map_err(|error| self.failed("changing", error))?;
        recorded()?;
        self.commit(change).await
    }

    /// What the dependencies of a version were resolved to.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn locked(&self, plugin: &str, version: &str) -> Result<Vec<LockRow>> {
        let rows = sqlx::query(
            "SELECT * FROM dependency_lock WHERE plugin = ?1 AND version = ?2 ORDER BY needs",
        )
        .bind(plugin)
        .bind(version)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed("reading", error))?;
        rows.iter()
            .map(|row| {
                Ok(LockRow {
                    needs: row.try_get("needs")?,
                    range: row.try_get("range")?,
                    locked: row.try_get("locked")?,
                    digest: row.try_get("digest")?,
                })
            })
            .collect::<sqlx::Result<_>>()
            .map_err(|error| self.failed("reading", error))
    }

    /// Changes the tags of a version. `recorded` runs before they change.
    ///
    /// # Errors
    /// Those of changing the database and of `recorded`; nothing is then changed.
    pub async fn set_tags(
        &self,
        row: &PluginRow,
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        let mut change = self.begin().await?;
        sqlx::query("UPDATE plugin SET tags = ?3 WHERE name = ?1 AND version = ?2")
            .bind(&row.name)
            .bind(&row.version)
            .bind(&row.tags)
            .execute(&mut *change)
            .await
            .map_err(|error| self.failed("changing", error))?;
        recorded()?;
        self.commit(change).await
    }

    /// Moves a version to another stage of life, with what is known about that. The grants of a removed one end. `recorded`
    /// runs before anything changes.
    ///
    /// # Errors
    /// Those of changing the database and of `recorded`; nothing is then changed.
    pub async fn set_stage(
        &self,
        row: &PluginRow,
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        let mut change = self.begin().await?;
        sqlx::query(
            "UPDATE plugin SET stage = ?3, deprecated_on = ?4, sunset_on = ?5, replacement = ?6, note = ?7
             WHERE name = ?1 AND version = ?2",
        )
        .bind(&row.name)
        .bind(&row.version)
        .bind(&row.stage)
        .bind(&row.deprecated_on)
        .bind(&row.sunset_on)
        .bind(&row.replacement)
        .bind(&row.note)
        .execute(&mut *change)
        .await
        .map_err(|error| self.failed("changing", error))?;
        if row.stage == "removed" {
            // Whoever installs it again decides again.
            sqlx::query(
                "UPDATE given SET ended_at = ?3, ended_by = 'removed'
                 WHERE plugin = ?1 AND digest = ?2 AND ended_at IS NULL",
            )
            .bind(&row.name)
            .bind(&row.digest)
            .bind(now_ms())
            .execute(&mut *change)
            .await
            .map_err(|error| self.failed("changing", error))?;
        }
        recorded()?;
        self.commit(change).await
    }
}
