//! The words of tools: an FTS5 table, and what is needed to bring it up to date cheaply.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, SqlSafeStr};

use super::Index;
use crate::error::Result;
use crate::ids::Digest;

/// How many fields the words of a tool are in: name, source, summary, rest of the description, parameters, what is said of
/// the parameters, tags.
pub const FIELDS: usize = 7;

/// Words come in as they are to be compared, separated by spaces, so that SQLite has nothing to do but to split them.
pub(super) const TABLES: &str = "
CREATE TABLE tool_set (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    digest BLOB NOT NULL,
    documents INTEGER NOT NULL
) STRICT;

CREATE TABLE tool_document (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL
) STRICT;

CREATE VIRTUAL TABLE tool_text USING fts5 (
    name, source, summary, description, parameters, parameter_text, tags,
    tokenize = \"unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'\"
);

CREATE VIRTUAL TABLE tool_term USING fts5vocab (tool_text, 'row');

CREATE TABLE tool_word (
    word TEXT PRIMARY KEY NOT NULL,
    tools INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Candidates are ordered by BM25, with a weight for each field.
const FIND: &str = "
SELECT document.id, text.name, text.source, text.summary, text.description, text.parameters, text.parameter_text, text.tags
FROM (
    SELECT rowid AS number, bm25(tool_text, 2.0, 5.0, 2.0, 0.7, 0.5, 0.3, 2.0) AS distance
    FROM tool_text WHERE tool_text MATCH ?1 ORDER BY distance, rowid LIMIT ?2
) AS best
JOIN tool_document AS document ON document.number = best.number
JOIN tool_text AS text ON text.rowid = best.number
ORDER BY best.distance, document.id";

/// The plus keeps SQLite from looking for each tool by its number, which takes a thousand times as long.
const FIND_AMONG: &str = "
SELECT document.id, text.name, text.source, text.summary, text.description, text.parameters, text.parameter_text, text.tags
FROM (
    SELECT rowid AS number, bm25(tool_text, 2.0, 5.0, 2.0, 0.7, 0.5, 0.3, 2.0) AS distance
    FROM tool_text WHERE tool_text MATCH ?1
    AND +rowid IN (SELECT number FROM tool_document WHERE id IN (SELECT value FROM json_each(?3)))
    ORDER BY distance, rowid LIMIT ?2
) AS best
JOIN tool_document AS document ON document.number = best.number
JOIN tool_text AS text ON text.rowid = best.number
ORDER BY best.distance, document.id";

/// A tool, and the digest of everything its words are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolKey {
    /// `source.tool`.
    pub id: String,
    /// Equal only where the words are.
    pub digest: Digest,
}

/// The words of one tool, by field, each field's separated by spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolText {
    /// `source.tool`.
    pub id: String,
    /// The fields.
    pub fields: [String; FIELDS],
}

/// A word that occurs, and in how many tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The word.
    pub word: String,
    /// The number of tools.
    pub tools: u64,
}

fn term(row: &SqliteRow) -> sqlx::Result<Term> {
    Ok(Term {
        word: row.try_get(0)?,
        tools: row.try_get::<i64, _>(1)?.unsigned_abs(),
    })
}

fn text(row: &SqliteRow) -> sqlx::Result<ToolText> {
    let mut fields = <[String; FIELDS]>::default();
    for (number, field) in fields.iter_mut().enumerate() {
        *field = row.try_get(number + 1)?;
    }
    Ok(ToolText {
        id: row.try_get(0)?,
        fields,
    })
}

impl Index {
    /// Makes the indexed tools exactly these; gives whether anything had to change. The words of a tool are asked for by its
    /// position in `keys`, and only where they are new. Of two keys of one id the first counts.
    ///
    /// # Errors
    /// Those of reading and changing the database.
    pub async fn sync_tools(
        &self,
        keys: &[ToolKey],
        words: impl Fn(usize) -> [String; FIELDS] + Send,
    ) -> Result<bool> {
        let mut wanted: BTreeMap<&str, (usize, &Digest)> = BTreeMap::new();
        for (position, key) in keys.iter().enumerate() {
            wanted.entry(&key.id).or_insert((position, &key.digest));
        }
        let mut hash = Sha256::new();
        for (id, (_, digest)) in &wanted {
            hash.update(id.as_bytes());
            hash.update([0]);
            hash.update(digest.bytes());
        }
        let set: [u8; 32] = hash.finalize().into();
        let there: Option<Vec<u8>> = sqlx::query_scalar("SELECT digest FROM tool_set")
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failed("reading", error))?;
        if there.as_deref() == Some(&set) {
            return Ok(false);
        }
        let mut change = self.begin().await?;
        bring_to(&mut change, wanted, &set, words)
            .await
            .map_err(|error| self.failed("changing", error))?;
        change
            .commit()
            .await
            .map_err(|error| self.failed("changing", error))?;
        Ok(true)
    }

    /// How many tools are indexed.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn tool_count(&self) -> Result<u64> {
        let count: Option<i64> = sqlx::query_scalar("SELECT documents FROM tool_set")
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failed("reading", error))?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    /// Which of these words occur, and in how many tools.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn terms(&self, words: &[String]) -> Result<HashMap<String, u64>> {
        let found = sqlx::query(
            "SELECT word, tools FROM json_each(?1) AS asked CROSS JOIN tool_word ON word = asked.value",
        )
        .bind(json_array(words.iter().map(String::as_str)))
        .fetch_all(&self.pool)
        .await
        .and_then(|rows| rows.iter().map(term).collect::<sqlx::Result<Vec<_>>>())
        .map_err(|error| self.failed("reading", error))?;
        Ok(found
            .into_iter()
            .map(|term| (term.word, term.tools))
            .collect())
    }

    /// The words that begin so, the first of them in the order of the alphabet.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn terms_beginning(&self, beginning: &str, limit: u32) -> Result<Vec<Term>> {
        sqlx::query("SELECT word, tools FROM tool_word WHERE word >= ?1 AND word <= ?2 ORDER BY word LIMIT ?3")
            .bind(beginning)
            .bind(format!("{beginning}{}", char::MAX))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(term).collect())
            .map_err(|error| self.failed("reading", error))
    }

    /// The tools with any of these words, those that fit best first; only those of `among`, where that is given.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn tools_with(
        &self,
        words: &[String],
        among: Option<&[&str]>,
        limit: u32,
    ) -> Result<Vec<ToolText>> {
        let quoted: Vec<String> = words
            .iter()
            // The text of a query ends there.
            .filter(|word| !word.contains('\0'))
            .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
            .collect();
        if quoted.is_empty() {
            return Ok(Vec::new());
        }
        let sql = if among.is_some() { FIND_AMONG } else { FIND };
        let mut query = sqlx::query(sql.into_sql_str())
            .bind(quoted.join(" OR "))
            .bind(limit);
        if let Some(among) = among {
            query = query.bind(json_array(among.iter().copied()));
        }
        query
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(text).collect())
            .map_err(|error| self.failed("searching", error))
    }
}

async fn bring_to(
    change: &mut SqliteConnection,
    mut wanted: BTreeMap<&str, (usize, &Digest)>,
    set: &[u8],
    words: impl Fn(usize) -> [String; FIELDS] + Send,
) -> sqlx::Result<()> {
    let documents = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
    let there = sqlx::query("SELECT number, id, digest FROM tool_document")
        .fetch_all(&mut *change)
        .await?;
    for row in there {
        let id: String = row.try_get("id")?;
        let digest: Vec<u8> = row.try_get("digest")?;
        if wanted
            .get(id.as_str())
            .is_some_and(|(_, new)| new.bytes().as_slice() == digest)
        {
            wanted.remove(id.as_str());
            continue;
        }
        let number: i64 = row.try_get("number")?;
        for sql in [
            "DELETE FROM tool_text WHERE rowid = ?1",
            "DELETE FROM tool_document WHERE number = ?1",
        ] {
            sqlx::query(sql).bind(number).execute(&mut *change).await?;
        }
    }
    for (id, (position, digest)) in wanted {
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO tool_document (id, digest) VALUES (?1, ?2) RETURNING number",
        )
        .bind(id)
        .bind(digest.bytes().as_slice())
        .fetch_one(&mut *change)
        .await?;
        let mut insert = sqlx::query(
            "INSERT INTO tool_text (rowid, name, source, summary, description, parameters, parameter_text, tags)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .bind(number);
        for field in words(position) {
            insert = insert.bind(field);
        }
        insert.execute(&mut *change).await?;
    }
    // Counting where a word occurs means reading all of its places: done once, and not with each query.
    for sql in [
        "DELETE FROM tool_word",
        "INSERT INTO tool_word (word, tools) SELECT term, doc FROM tool_term",
    ] {
        sqlx::query(sql).execute(&mut *change).await?;
    }
    // Vectors of texts that are no more are of no use.
    sqlx::query("DELETE FROM tool_vector WHERE digest NOT IN (SELECT digest FROM tool_document)")
        .execute(&mut *change)
        .await?;
    sqlx::query("INSERT OR REPLACE INTO tool_set (only, digest, documents) VALUES (1, ?1, ?2)")
        .bind(set)
        .bind(documents)
        .execute(&mut *change)
        .await?;
    Ok(())
}

fn json_array<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}
