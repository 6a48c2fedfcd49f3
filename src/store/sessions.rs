//! Sessions: what calls that belong together have done so far.

use sqlx::Row;

use super::Store;
use crate::error::Result;

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The name a caller gave it.
    pub id: String,
    /// When its first call came.
    pub started_at: i64,
    /// When its last call came.
    pub last_at: i64,
    /// How many calls it had.
    pub calls: i64,
    /// Whether a tool returned content from strangers.
    pub tainted: bool,
    /// Its labels, as a JSON array.
    pub labels: String,
}

impl Store {
    /// The session of this name, if there is one.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn session(&self, id: &str) -> Result<Option<SessionRow>> {
        sqlx::query("SELECT * FROM session WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .and_then(|row| {
                row.map(|row| {
                    Ok(SessionRow {
                        id: row.try_get("id")?,
                        started_at: row.try_get("started_at")?,
                        last_at: row.try_get("last_at")?,
                        calls: row.try_get("calls")?,
                        tainted: row.try_get("tainted")?,
                        labels: row.try_get("labels")?,
                    })
                })
                .transpose()
            })
            .map_err(|error| self.failed("reading", error))
    }

    /// Counts a call of a session. A taint stays.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn count_call(&self, id: &str, tainted: bool, at: i64) -> Result<()> {
        let mut change = self.begin().await?;
        sqlx::query(
            "INSERT INTO session (id, started_at, last_at, calls, tainted, labels) VALUES (?1, ?2, ?2, 1, ?3, '[]')
             ON CONFLICT (id) DO UPDATE SET last_at = ?2, calls = calls + 1, tainted = max(tainted, ?3)",
        )
        .bind(id)
        .bind(at)
        .bind(tainted)
        .execute(&mut *change)
        .await
        .map_err(|error| self.failed("changing", error))?;
        change
            .commit()
            .await
            .map_err(|error| self.failed("changing", error))
    }

    /// Forgets the sessions whose names begin so.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn forget_sessions(&self, beginning: &str) -> Result<()> {
        let mut change = self.begin().await?;
        sqlx::query("DELETE FROM session WHERE substr(id, 1, length(?1)) = ?1")
            .bind(beginning)
            .execute(&mut *change)
            .await
            .map_err(|error| self.failed("changing", error))?;
        change
            .commit()
            .await
            .map_err(|error| self.failed("changing", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_sessions_that_begin_so_are_forgotten() {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::open(home.path()).await.expect("opened");
        for id in ["run/a", "run/%", "run", "other/run/a", "RUN/a"] {
            store.count_call(id, true, 1).await.expect("counted");
        }
        store.forget_sessions("run/").await.expect("forgotten");
        for (id, is_there) in [
            ("run/a", false),
            ("run/%", false),
            ("run", true),
            ("other/run/a", true),
            ("RUN/a", true),
        ] {
            let row = store.session(id).await.expect("read");
            assert_eq!(row.is_some(), is_there, "{id}");
        }
    }
}
