//! `schema`: what there is to query.

use rusqlite::{Connection, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Call, Content, Reply, Result, tool};

use crate::connection::{self, explain};
use crate::load::quoted;
use crate::source::Source;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"database": "/workspace/app.db"}),
    example = serde_json::json!({"tables": [{"name": "orders", "path": "/workspace/orders.csv"}]})
)]
pub struct Arguments {
    #[serde(flatten)]
    source: Source,
    /// Count the rows of each table, which reads all of them.
    #[serde(default = "yes")]
    row_counts: bool,
    /// How many tables to return at most.
    #[serde(default = "default_tables")]
    #[schemars(range(min = 1, max = 1000))]
    max_tables: usize,
    /// How many tables to leave out first: to go on where an answer ended.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    skip: usize,
}

fn yes() -> bool {
    true
}

fn default_tables() -> usize {
    100
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Described {
    tables: Vec<Table>,
    /// True where there are more.
    truncated: bool,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Table {
    name: String,
    /// table, view, virtual or shadow.
    #[serde(rename = "type")]
    kind: String,
    columns: Vec<Column>,
    indexes: Vec<Index>,
    /// Absent for views, and where counting took too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    row_count: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Column {
    name: String,
    /// As it was declared; may be empty.
    #[serde(rename = "type")]
    kind: String,
    not_null: bool,
    /// Its place in the primary key, counted from 1; 0 where it is not in it.
    primary_key: i64,
    /// An expression of SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Index {
    name: String,
    unique: bool,
    /// Null is an expression.
    columns: Vec<Option<String>>,
}

/// Describes the tables of a SQLite database, or of files that are loaded as tables: columns, indexes and numbers of rows.
///
/// # Errors
/// As those of `query`.
#[tool]
pub fn schema(#[serde(flatten)] arguments: Arguments, call: &Call) -> Result<Reply<Described>> {
    let session = connection::open(&arguments.source, false, call)?;
    let name = arguments.source.name();
    let mut described = arguments
        .describe(&session.connection)
        .map_err(|error| explain(&error, name))?;
    described.note = session.note;
    let text = described.text(arguments.skip);
    Ok(Reply::new(described).block(Content::text(text)))
}

impl Arguments {
    fn describe(&self, connection: &Connection) -> rusqlite::Result<Described> {
        let mut statement = connection.prepare(
            "SELECT schema, name, type FROM pragma_table_list WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY schema, name",
        )?;
        let mut names = statement.query_map((), |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })?;
        let mut described = Described {
            tables: Vec::new(),
            truncated: false,
            note: None,
        };
        let mut is_counting = self.row_counts;
        for found in names.by_ref().skip(self.skip) {
            let (schema, name, kind) = found?;
            if described.tables.len() == self.max_tables {
                described.truncated = true;
                break;
            }
            let row_count = if is_counting && kind != "view" {
                let counted = connection.query_row(
                    &format!("SELECT count(*) FROM {}.{}", quoted(&schema), quoted(&name)),
                    (),
                    |row| row.get(0),
                );
                match counted {
                    Ok(count) => Some(count),
                    Err(error)
                        if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
                    {
                        is_counting = false;
                        None
                    }
                    // A virtual table whose module is not here.
                    Err(_) if kind == "virtual" => None,
                    Err(error) => return Err(error),
                }
            } else {
                None
            };
            described.tables.push(Table {
                columns: columns(connection, &schema, &name)?,
                indexes: indexes(connection, &schema, &name)?,
                name,
                kind,
                row_count,
            });
        }
        Ok(described)
    }
}

fn columns(connection: &Connection, schema: &str, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement =
        connection.prepare("SELECT name, type, \"notnull\", pk, dflt_value FROM pragma_table_xinfo(?1, ?2) WHERE hidden <> 1")?;
    statement
        .query_map((table, schema), |row| {
            Ok(Column {
                name: row.get(0)?,
                kind: row.get(1)?,
                not_null: row.get(2)?,
                primary_key: row.get(3)?,
                default: row.get(4)?,
            })
        })?
        .collect()
}

fn indexes(connection: &Connection, schema: &str, table: &str) -> rusqlite::Result<Vec<Index>> {
    let mut statement = connection
        .prepare("SELECT name, \"unique\" FROM pragma_index_list(?1, ?2) ORDER BY name")?;
    let found: Vec<(String, bool)> = statement
        .query_map((table, schema), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut indexes = Vec::new();
    for (name, unique) in found {
        let mut statement =
            connection.prepare("SELECT name FROM pragma_index_info(?1, ?2) ORDER BY seqno")?;
        let columns = statement
            .query_map((&name, schema), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        indexes.push(Index {
            name,
            unique,
            columns,
        });
    }
    Ok(indexes)
}

impl Described {
    fn text(&self, skipped: usize) -> String {
        let mut lines: Vec<String> = Vec::new();
        for table in &self.tables {
            let columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| {
                    format!("{} {}", column.name, column.kind)
                        .trim_end()
                        .to_owned()
                })
                .collect();
            let count = table
                .row_count
                .map_or_else(String::new, |count| format!(", {count} rows"));
            lines.push(format!(
                "{} {}{count}: {}",
                table.kind,
                table.name,
                columns.join(", ")
            ));
            for index in &table.indexes {
                let columns: Vec<&str> = index
                    .columns
                    .iter()
                    .map(|column| column.as_deref().unwrap_or("(expression)"))
                    .collect();
                let unique = if index.unique { "unique " } else { "" };
                lines.push(format!(
                    "  {unique}index {}: {}",
                    index.name,
                    columns.join(", ")
                ));
            }
        }
        if lines.is_empty() {
            lines.push("there are no tables".to_owned());
        }
        if self.truncated {
            lines.push(format!(
                "[there is more: go on with `skip` {}]",
                skipped + self.tables.len()
            ));
        }
        lines.extend(self.note.iter().map(|note| format!("[{note}]")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
