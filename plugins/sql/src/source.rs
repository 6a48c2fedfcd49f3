//! What is queried: a database, files, or both.

use schemars::JsonSchema;
use serde::Deserialize;

/// A database and files.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Source {
    /// A SQLite database, under the name it was granted: usually below /workspace. May be left out where there are `tables`.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/app.db")]
    pub database: Option<String>,
    /// Files to load as tables, beside those of the database.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub tables: Vec<Table>,
}

/// A file that becomes a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What the table is called.
    #[schemars(length(min = 1, max = 64), example = &"orders")]
    pub name: String,
    /// The file, UTF-8, at most 64 MiB, under the name it was granted.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/orders.csv")]
    pub path: String,
    /// What it is, where its name does not tell.
    #[serde(default)]
    pub format: Format,
    /// The first line has the names of the columns. Else they are `column1`, `column2` and so on.
    #[serde(default = "yes")]
    pub header: bool,
}

fn yes() -> bool {
    true
}

/// How rows are written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// By the ending of the name: .csv, .tsv, .tab, .jsonl, .ndjson.
    #[default]
    Auto,
    /// Values with commas between them.
    Csv,
    /// Values with tabs between them.
    Tsv,
    /// An object of JSON in each line.
    Jsonl,
}
