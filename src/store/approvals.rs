//! Calls that wait for a person, and what the person said.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, now_ms};
use crate::error::Result;

/// One question to a person, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Its id.
    pub id: String,
    /// What it is bound to: a digest over the tool, the arguments and the grants.
    pub binding: String,
    /// The tool.
    pub tool: String,
    /// What the person is shown, as JSON.
    pub subject: String,
    /// Who asked for the call.
    pub requester: String,
    /// Whether it is for one call; else for every call of the same binding until it expires.
    pub once: bool,
    /// When it was asked.
    pub asked_at: i64,
    /// When the question, and an answer that was not used, end.
    pub expires_at: i64,
    /// `allowed` or `denied`, if it was decided.
    pub decision: Option<String>,
    /// When it was decided.
    pub decided_at: Option<i64>,
    /// By whom.
    pub decided_by: Option<String>,
    /// When it was used.
    pub used_at: Option<i64>,
    /// By which call.
    pub used_by: Option<String>,
}

/// How a question stands when a call comes to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// A person allowed it, and this call may go on. What was for one call is used up by now.
    Allowed(Box<ApprovalRow>),
    /// A person said no.
    Denied(Box<ApprovalRow>),
    /// Somebody was asked and has not answered.
    Waiting(Box<ApprovalRow>),
    /// Nobody was asked.
    Unasked,
}

fn approval(row: &SqliteRow) -> sqlx::Result<ApprovalRow> {
    Ok(ApprovalRow {
        id: row.try_get("id")?,
        binding: row.try_get("binding")?,
        tool: row.try_get("tool")?,
        subject: row.try_get("subject")?,
        requester: row.try_get("requester")?,
        once: row.try_get("once")?,
        asked_at: row.try_get("asked_at")?,
        expires_at: row.try_get("expires_at")?,
        decision: row.try_get("decision")?,
        decided_at: row.try_get("decided_at")?,
        decided_by: row.try_get("decided_by")?,
        used_at: row.try_get("used_at")?,
        used_by: row.try_get("used_by")?,
    })
}

impl Store {
    /// Keeps a question, unless the same one waits already; gives the one that waits.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn ask_approval(&self, row: &ApprovalRow) -> Result<ApprovalRow> {
        let mut change = self.begin().await?;
        let failed = |error| self.failed("changing", error);
        let waiting = sqlx::query(
            "SELECT * FROM approval WHERE binding = ?1 AND requester = ?2 AND decision IS NULL AND expires_at > ?3",
        )
        .bind(&row.binding)
        .bind(&row.requester)
        .bind(row.asked_at)
        .fetch_optional(&mut *change)
        .await
        .and_then(|row| row.as_ref().map(approval).transpose())
        .map_err(failed)?;
        if let Some(waiting) = waiting {
            return Ok(waiting);
        }
        sqlx::query(
            "INSERT INTO approval (id, binding, tool, subject, requester, once, asked_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .bind(&row.id)
        .bind(&row.binding)
        .bind(&row.tool)
        .bind(&row.subject)
        .bind(&row.requester)
        .bind(row.once)
        .bind(row.asked_at)
        .bind(row.expires_at)
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        change.commit().await.map_err(failed)?;
        Ok(row.clone())
    }

    /// Looks for an answer to what a call is bound to, and uses it up where it is for one call. Two calls never use the same.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn settle_approval(&self, binding: &str, call: &str) -> Result<Settled> {
        let mut change = self.begin().await?;
        let failed = |error| self.failed("changing", error);
        let now = now_ms();
        let rows = sqlx::query(
            "SELECT * FROM approval WHERE binding = ?1 AND expires_at > ?2 AND (NOT once OR used_at IS NULL)
             ORDER BY asked_at DESC",
        )
        .bind(binding)
        .bind(now)
        .fetch_all(&mut *change)
        .await
        .and_then(|rows| rows.iter().map(approval).collect::<sqlx::Result<Vec<_>>>())
        .map_err(failed)?;
        let of = |word: Option<&str>| {
            rows.iter()
                .find(|row| row.decision.as_deref() == word)
                .cloned()
                .map(Box::new)
        };
        if let Some(allowed) = of(Some("allowed")) {
            sqlx::query("UPDATE approval SET used_at = ?2, used_by = ?3 WHERE id = ?1")
                .bind(&allowed.id)
                .bind(now)
                .bind(call)
                .execute(&mut *change)
                .await
                .map_err(failed)?;
            change.commit().await.map_err(failed)?;
            return Ok(Settled::Allowed(allowed));
        }
        Ok(match (of(Some("denied")), of(None)) {
            (Some(denied), _) => Settled::Denied(denied),
            (None, Some(waiting)) => Settled::Waiting(waiting),
            (None, None) => Settled::Unasked,
        })
    }

    /// Answers a question; nothing where it was answered already, has expired or does not exist. `recorded` is told of the
    /// answer before it counts.
    ///
    /// # Errors
    /// Those of changing the database and of `recorded`; nothing is then answered.
    pub async fn decide_approval(
        &self,
        id: &str,
        allowed: bool,
        by: &str,
        recorded: impl FnOnce(&ApprovalRow) -> Result<()> + Send,
    ) -> Result<Option<ApprovalRow>> {
        let mut change = self.begin().await?;
        let decided = sqlx::query(
            "UPDATE approval SET decision = ?2, decided_at = ?3, decided_by = ?4
             WHERE id = ?1 AND decision IS NULL AND expires_at > ?3 RETURNING *",
        )
        .bind(id)
        .bind(if allowed { "allowed" } else { "denied" })
        .bind(now_ms())
        .bind(by)
        .fetch_optional(&mut *change)
        .await
        .and_then(|row| row.as_ref().map(approval).transpose())
        .map_err(|error| self.failed("changing", error))?;
        if let Some(decided) = &decided {
            recorded(decided)?;
        }
        change
            .commit()
            .await
            .map_err(|error| self.failed("changing", error))?;
        Ok(decided)
    }

    /// The question of this id, whatever became of it.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn approval(&self, id: &str) -> Result<Option<ApprovalRow>> {
        sqlx::query("SELECT * FROM approval WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| row.as_ref().map(approval).transpose())
            .map_err(|error| self.failed("reading", error))
    }

    /// The questions that wait, or the newest thousand of all; the newest first.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn approvals(&self, waiting_only: bool) -> Result<Vec<ApprovalRow>> {
        sqlx::query(
            "SELECT * FROM approval WHERE NOT ?1 OR (decision IS NULL AND expires_at > ?2)
             ORDER BY asked_at DESC LIMIT 1000",
        )
        .bind(waiting_only)
        .bind(now_ms())
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(approval).collect())
        .map_err(|error| self.failed("reading", error))
    }
}
