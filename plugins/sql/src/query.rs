//! `query`: statements, and the rows of the last of them.

use std::collections::HashSet;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, Statement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toolhatch_plugin::{Call, Content, Reply, Result, ToolError, tool};

use crate::cell;
use crate::connection::{self, explain};
use crate::source::Source;

/// How many bytes of rows are returned at most.
const MAX_BYTES: usize = 2 << 20;
/// How many characters of a value stand in the text to read.
const MAX_SHOWN: usize = 200;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"database": "/workspace/app.db", "sql": "SELECT * FROM users WHERE id = ?", "parameters": [7]}),
    example = serde_json::json!({
        "tables": [{"name": "orders", "path": "/workspace/orders.csv"}],
        "sql": "SELECT country, sum(amount) AS total FROM orders GROUP BY country ORDER BY total DESC"
    })
)]
pub struct Arguments {
    #[serde(flatten)]
    source: Source,
    /// One or more statements of SQLite. All of them are run, and the rows of the last one are returned.
    #[schemars(length(min = 1, max = 200_000), example = &"SELECT count(*) FROM users")]
    sql: String,
    /// Values for `?` in their order, or for `:name`, `@name` and `$name` by name. `{"base64": "…"}` is bytes.
    #[serde(default)]
    parameters: Parameters,
    /// How many rows to return at most.
    #[serde(default = "default_rows")]
    #[schemars(range(min = 1, max = 10_000))]
    max_rows: usize,
    /// How many rows to leave out first: to go on where an answer ended.
    #[serde(default)]
    #[schemars(range(max = 1_000_000_000))]
    offset: usize,
    /// Change the database, in one transaction. Else it is only read.
    #[serde(default)]
    write: bool,
}

fn default_rows() -> usize {
    100
}

/// Values for the parameters of a statement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Parameters {
    /// In their order.
    List(#[schemars(length(max = 1000))] Vec<Value>),
    /// By their names, without the mark before them.
    Named(#[schemars(extend("maxProperties" = 1000))] Map<String, Value>),
}

impl Default for Parameters {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rows {
    columns: Vec<Column>,
    /// The rows: integers are exact, bytes are `{"base64": "…"}`, infinite numbers are texts.
    rows: Vec<Vec<Value>>,
    /// How many rows this answer has.
    row_count: usize,
    /// True where there are more.
    truncated: bool,
    /// With `write`, how many rows were inserted, changed and deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<u64>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Column {
    name: String,
    /// What its first value that is not null is: integer, real, text or blob; null where there is none.
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Runs SQL over a SQLite database, or over CSV, TSV and JSON Lines files that are loaded as tables. A database is only read
/// unless `write` is true.
///
/// # Errors
/// `invalid-arguments` with what SQLite says of a statement; `failed` for statements that reach beyond the tables,
/// where a statement takes too long or too much memory, and for what is no database; `retryable` where another call
/// writes.
#[tool]
pub fn query(#[serde(flatten)] arguments: Arguments, call: &Call) -> Result<Reply<Rows>> {
    let mut session = connection::open(&arguments.source, arguments.write, call)?;
    let before = session.connection.total_changes();
    let mut rows = arguments.run(&session.connection)?;
    rows.note = session.note.take();
    if arguments.write {
        rows.changes = Some(session.connection.total_changes() - before);
        session.commit(arguments.source.name())?;
    }
    let text = rows.text(arguments.offset);
    Ok(Reply::new(rows).block(Content::text(text)))
}

impl Arguments {
    /// Runs all statements, one after the other: each may need what the one before it made.
    fn run(&self, connection: &Connection) -> Result<Rows> {
        let failed = |error: rusqlite::Error| explain(&error, self.source.name());
        let mut given = Given::new(&self.parameters);
        let mut batch = Batch::new(connection, &self.sql);
        let mut last = None;
        while let Some(mut statement) = batch.next().map_err(failed)? {
            given.bind(&mut statement)?;
            last = Some(self.collect(&mut statement)?);
        }
        given.finish()?;
        last.ok_or_else(|| ToolError::invalid_arguments("`sql` has no statement"))
    }

    /// Runs a statement, and keeps of its rows what was asked for.
    fn collect(&self, statement: &mut Statement<'_>) -> Result<Rows> {
        let failed = |error: rusqlite::Error| explain(&error, self.source.name());
        let names = statement.column_names();
        let mut columns: Vec<Column> = names
            .map(|name| Column {
                name: name.to_owned(),
                kind: "null",
            })
            .collect();
        let is_reading = statement.readonly();
        let mut found = statement.raw_query();
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let mut skipped = 0;
        let mut size = 0;
        let mut truncated = false;
        while let Some(row) = found.next().map_err(failed)? {
            if skipped < self.offset {
                skipped += 1;
                continue;
            }
            let mut of_row = 0;
            for index in 0..columns.len() {
                of_row += cell::size(row.get_ref(index).map_err(failed)?);
            }
            truncated |= rows.len() == self.max_rows || size + of_row > MAX_BYTES;
            if truncated && is_reading && (!rows.is_empty() || self.max_rows == 0) {
                break;
            }
            if truncated && rows.is_empty() {
                return Err(ToolError::failed(format!(
                    "a row has more than {MAX_BYTES} bytes: select less of it, such as substr(column, 1, 1000)"
                )));
            }
            if truncated {
                // What changes something is run to its end.
                continue;
            }
            size += of_row;
            let mut cells = Vec::with_capacity(columns.len());
            for (index, column) in columns.iter_mut().enumerate() {
                let value = row.get_ref(index).map_err(failed)?;
                if column.kind == "null" {
                    column.kind = cell::type_name(value);
                }
                cells.push(cell::to_json(value));
            }
            rows.push(cells);
        }
        Ok(Rows {
            columns,
            row_count: rows.len(),
            rows,
            truncated,
            changes: None,
            note: None,
        })
    }
}

/// The parameters that were given, and which of them were used.
struct Given<'a> {
    parameters: &'a Parameters,
    /// How many of a list.
    used: usize,
    /// Which of those with names.
    names: HashSet<&'a str>,
}

impl<'a> Given<'a> {
    fn new(parameters: &'a Parameters) -> Self {
        Self {
            parameters,
            used: 0,
            names: HashSet::new(),
        }
    }

    /// Binds the parameters of a statement: the next ones of a list, or those of its names.
    fn bind(&mut self, statement: &mut Statement<'_>) -> Result<()> {
        for index in 1..=statement.parameter_count() {
            let name = statement.parameter_name(index).map(str::to_owned);
            let (value, what) = match self.parameters {
                Parameters::List(values) => {
                    self.used += 1;
                    (
                        values.get(self.used - 1),
                        format!("parameter {}", self.used),
                    )
                }
                Parameters::Named(values) => {
                    let Some(name) = name else {
                        return Err(ToolError::invalid_arguments(
                            "`parameters` has names, and the statement has a `?` without one; give a list",
                        ));
                    };
                    let plain = name.trim_start_matches([':', '@', '$', '?']);
                    let found = values.get_key_value(plain);
                    self.names.extend(found.map(|(name, _)| name.as_str()));
                    (
                        found.map(|(_, value)| value),
                        format!("the parameter `{name}`"),
                    )
                }
            };
            let Some(value) = value else {
                return Err(ToolError::invalid_arguments(format!(
                    "{what} of the statement has no value in `parameters`"
                )));
            };
            let value = cell::from_json(value)
                .map_err(|why| ToolError::invalid_arguments(format!("{what}: {why}")))?;
            statement.raw_bind_parameter(index, value)?;
        }
        Ok(())
    }

    /// Makes sure that all were used: one too many is a mistake somewhere.
    fn finish(&self) -> Result<()> {
        match self.parameters {
            Parameters::List(values) if self.used < values.len() => {
                Err(ToolError::invalid_arguments(format!(
                    "`parameters` has {} values, and the statements take {}",
                    values.len(),
                    self.used
                )))
            }
            Parameters::Named(values) => match values
                .keys()
                .find(|name| !self.names.contains(name.as_str()))
            {
                Some(name) => Err(ToolError::invalid_arguments(format!(
                    "no statement has a parameter `{name}`"
                ))),
                None => Ok(()),
            },
            Parameters::List(_) => Ok(()),
        }
    }
}

impl Rows {
    /// Columns with tabs between them.
    fn text(&self, skipped: usize) -> String {
        let mut lines = Vec::new();
        if !self.columns.is_empty() {
            let names: Vec<&str> = self
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            lines.push(names.join("\t"));
        }
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(shown).collect();
            lines.push(cells.join("\t"));
        }
        if let Some(changes) = self.changes {
            lines.push(format!("[{changes} rows changed]"));
        }
        if self.truncated {
            lines.push(format!(
                "[there is more: go on with `offset` {}]",
                skipped + self.row_count
            ));
        }
        lines.extend(self.note.iter().map(|note| format!("[{note}]")));
        lines.join("\n")
    }
}

/// A value on a line, without tabs and line breaks.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    };
    let mut shown = String::new();
    for character in text.chars().take(MAX_SHOWN) {
        match character {
            '\t' => shown.push_str("\\t"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            other => shown.push(other),
        }
    }
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
