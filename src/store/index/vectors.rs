//! The vectors of tools, by the digest of what they were made from and the model that made them.

use sqlx::Row;

use super::Index;
use crate::error::Result;
use crate::ids::Digest;

pub(super) const TABLES: &str = "
CREATE TABLE tool_vector (
    digest BLOB NOT NULL,
    model TEXT NOT NULL,
    numbers BLOB NOT NULL,
    PRIMARY KEY (digest, model)
) STRICT;
";

impl Index {
    /// The vectors that `model` made of the indexed tools, by id; tools that have none yet are left out.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn tool_vectors(&self, model: &str) -> Result<Vec<(String, Vec<f32>)>> {
        let rows = sqlx::query(
            "SELECT document.id, vector.numbers FROM tool_document AS document
             JOIN tool_vector AS vector ON vector.digest = document.digest AND vector.model = ?1 ORDER BY document.id",
        )
        .bind(model)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed("reading", error))?;
        rows.iter()
            .map(|row| {
                let blob: &[u8] = row.try_get(1)?;
                let numbers = blob
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect();
                Ok((row.try_get(0)?, numbers))
            })
            .collect::<sqlx::Result<_>>()
            .map_err(|error| self.failed("reading", error))
    }

    /// The ids of the indexed tools of which `model` has made no vector yet.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn tools_without_vector(&self, model: &str) -> Result<Vec<String>> {
        sqlx::query_scalar(
            "SELECT id FROM tool_document AS document WHERE NOT EXISTS
             (SELECT 1 FROM tool_vector WHERE digest = document.digest AND model = ?1) ORDER BY id",
        )
        .bind(model)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed("reading", error))
    }

    /// Keeps the vectors that `model` made of texts of these digests, in the place of those it made before.
    ///
    /// # Errors
    /// Those of changing the database.
    pub async fn keep_tool_vectors(
        &self,
        model: &str,
        vectors: &[(Digest, Vec<f32>)],
    ) -> Result<()> {
        let mut change = self.begin().await?;
        let failed = |error| self.failed("changing", error);
        for (digest, numbers) in vectors {
            let blob: Vec<u8> = numbers
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect();
            sqlx::query(
                "INSERT OR REPLACE INTO tool_vector (digest, model, numbers) VALUES (?1, ?2, ?3)",
            )
            .bind(digest.bytes().as_slice())
            .bind(model)
            .bind(blob)
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        }
        change.commit().await.map_err(failed)
    }
}
