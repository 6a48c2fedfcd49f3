//! What the search is measured against: full text search as one gets it for nothing.

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

/// One FTS5 table in memory with the texts as they are, of one column for each text, and the default tokenizer.
#[derive(Debug)]
pub(crate) struct PlainIndex(SqlitePool);

impl PlainIndex {
    /// Indexes rows of an id and five texts.
    pub(crate) async fn of(rows: &[[String; 6]]) -> Self {
        let pool = super::pool_of(1).connect_lazy_with(SqliteConnectOptions::new().in_memory(true));
        sqlx::raw_sql("CREATE VIRTUAL TABLE plain USING fts5 (id UNINDEXED, a, b, c, d, e)")
            .execute(&pool)
            .await
            .expect("a table");
        for row in rows {
            let mut insert = sqlx::query("INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?)");
            for text in row {
                insert = insert.bind(text);
            }
            insert.execute(&pool).await.expect("a row");
        }
        Self(pool)
    }

    /// The ids of the rows with any word of the query, the best first.
    pub(crate) async fn find(&self, query: &str) -> Vec<String> {
        let words: Vec<String> = query
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(|word| format!("\"{word}\""))
            .collect();
        sqlx::query_scalar("SELECT id FROM plain WHERE plain MATCH ?1 ORDER BY rank LIMIT 100")
            .bind(words.join(" OR "))
            .fetch_all(&self.0)
            .await
            .expect("an answer")
    }
}
