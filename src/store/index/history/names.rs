//! Numbers in the place of texts that occur again and again.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::Shape;

/// How many names are remembered before one asks the database again.
const NAMES: usize = 200_000;

/// The numbers of texts and shapes of one generation, so that they need not be asked for with each batch.
#[derive(Debug, Default)]
pub struct HistoryNames {
    texts: HashMap<String, i64>,
    shapes: HashMap<Shape, i64>,
}

impl HistoryNames {
    /// Begins anew where they have become too many to be held.
    pub(super) fn forget_many(&mut self) {
        if self.texts.len() + self.shapes.len() > NAMES {
            *self = Self::default();
        }
    }

    pub(super) async fn optional(
        &mut self,
        change: &mut SqliteConnection,
        text: Option<&str>,
    ) -> sqlx::Result<Option<i64>> {
        match text {
            Some(text) => self.text(change, text).await.map(Some),
            None => Ok(None),
        }
    }

    /// The number of a text, which it gets where it has none.
    pub(super) async fn text(
        &mut self,
        change: &mut SqliteConnection,
        text: &str,
    ) -> sqlx::Result<i64> {
        if let Some(number) = self.texts.get(text) {
            return Ok(*number);
        }
        let known = sqlx::query_scalar("SELECT number FROM history_text WHERE text = ?1")
            .bind(text)
            .fetch_optional(&mut *change)
            .await?;
        let number = match known {
            Some(number) => number,
            None => {
                sqlx::query_scalar("INSERT INTO history_text (text) VALUES (?1) RETURNING number")
                    .bind(text)
                    .fetch_one(change)
                    .await?
            }
        };
        self.texts.insert(text.to_owned(), number);
        Ok(number)
    }

    /// The number of a shape, which it gets where it has none.
    pub(super) async fn shape(
        &mut self,
        change: &mut SqliteConnection,
        shape: &Shape,
    ) -> sqlx::Result<i64> {
        const FIND: &str =
            "SELECT number FROM history_shape WHERE kind = ?1 AND tool IS ?2 AND plugin IS ?3
             AND outcome IS ?4 AND code IS ?5 AND decision IS ?6";
        const ADD: &str = "INSERT INTO history_shape (kind, tool, plugin, outcome, code, decision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING number";
        if let Some(number) = self.shapes.get(shape) {
            return Ok(*number);
        }
        let mut number: Option<i64> = None;
        for sql in [FIND, ADD] {
            if number.is_none() {
                number = sqlx::query_scalar(sql)
                    .bind(&shape.kind)
                    .bind(&shape.tool)
                    .bind(&shape.plugin)
                    .bind(&shape.outcome)
                    .bind(&shape.code)
                    .bind(&shape.decision)
                    .fetch_optional(&mut *change)
                    .await?;
            }
        }
        let number = number.ok_or(sqlx::Error::RowNotFound)?;
        self.shapes.insert(shape.clone(), number);
        Ok(number)
    }
}
