//! Files of rows, as tables that are gone with the call.
//!
//! A file is read twice: first for the columns and what they hold, then for the rows.

mod delimited;
mod lines;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};

use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use toolhatch_plugin::{Context as _, Result, ToolError};

use crate::connection::explain;
use crate::source::{Format, Table};

/// How many bytes a file may have.
const MAX_BYTES: u64 = 64 << 20;
/// How many columns a table may have.
pub const MAX_COLUMNS: usize = 1000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affinity {
    /// Nothing but empty values so far.
    Unknown,
    Integer,
    Real,
    Text,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub affinity: Affinity,
}

/// Loads files as tables.
///
/// # Errors
/// `not-found`, `not-permitted`; `invalid-arguments` for names that cannot be used; `failed` for a file that cannot be read as
/// what it is, with the line.
pub fn tables(connection: &Connection, tables: &[Table]) -> Result<()> {
    let mut names = HashSet::new();
    for table in tables {
        let lower = table.name.to_lowercase();
        let is_name = !table.name.chars().any(char::is_control)
            && !lower.starts_with("sqlite_")
            && !lower.is_empty();
        if !is_name {
            return Err(ToolError::invalid_arguments(format!(
                "`{}` is no name of a table",
                table.name
            )));
        }
        if !names.insert(lower) {
            return Err(ToolError::invalid_arguments(format!(
                "two tables are called `{}`",
                table.name
            )));
        }
        load(connection, table)?;
    }
    Ok(())
}

fn load(connection: &Connection, table: &Table) -> Result<()> {
    let path = &table.path;
    let format = format(table)?;
    let failed =
        |error: rusqlite::Error| explain(&error, path).context(format!("cannot load `{path}`"));
    let columns = match format {
        Format::Jsonl => lines::columns(path, open(path)?)?,
        _ => delimited::columns(path, open(path)?, delimiter(format), table.header)?,
    };
    if columns.is_empty() {
        return Err(ToolError::failed(format!("`{path}` has no columns")));
    }
    let declared: Vec<String> = columns
        .iter()
        .map(|column| {
            let kind = match column.affinity {
                Affinity::Integer => " INTEGER",
                Affinity::Real => " REAL",
                Affinity::Text => " TEXT",
                Affinity::Unknown => "",
            };
            format!("{}{kind}", quoted(&column.name))
        })
        .collect();
    let name = quoted(&table.name);
    connection
        .execute_batch(&format!(
            "CREATE TEMP TABLE {name} ({}); BEGIN",
            declared.join(", ")
        ))
        .map_err(failed)?;
    let places = vec!["?"; columns.len()].join(", ");
    let mut insert = connection
        .prepare(&format!("INSERT INTO temp.{name} VALUES ({places})"))
        .map_err(failed)?;
    let mut put = |cells: Vec<Cell>| -> Result<()> {
        insert
            .execute(rusqlite::params_from_iter(cells))
            .map(|_| ())
            .map_err(failed)
    };
    match format {
        Format::Jsonl => lines::rows(path, open(path)?, &columns, &mut put)?,
        _ => delimited::rows(
            path,
            open(path)?,
            delimiter(format),
            table.header,
            &columns,
            &mut put,
        )?,
    }
    drop(insert);
    connection.execute_batch("COMMIT").map_err(failed)
}

fn format(table: &Table) -> Result<Format> {
    if table.format != Format::Auto {
        return Ok(table.format);
    }
    let ending = table
        .path
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match ending.as_str() {
        "csv" => Ok(Format::Csv),
        "tsv" | "tab" => Ok(Format::Tsv),
        "jsonl" | "ndjson" => Ok(Format::Jsonl),
        _ => Err(ToolError::invalid_arguments(format!(
            "the name of `{}` does not tell what it is; say it with `format`: csv, tsv or jsonl",
            table.path
        ))),
    }
}

fn delimiter(format: Format) -> u8 {
    if format == Format::Tsv { b'\t' } else { b',' }
}

/// A name in SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Opens a file of rows.
fn open(path: &str) -> Result<impl Read + use<>> {
    let doing = || format!("cannot load `{path}`");
    // A device or pipe may block when it is opened, so it is looked at first.
    let metadata = fs::metadata(path).with_context(doing)?;
    if !metadata.is_file() {
        return Err(ToolError::invalid_arguments(format!(
            "cannot load `{path}`: it is no regular file"
        )));
    }
    if metadata.len() > MAX_BYTES {
        return Err(ToolError::failed(format!(
            "cannot load `{path}`: it has {} bytes, and the limit is {MAX_BYTES}",
            metadata.len()
        )));
    }
    let mut file = io::BufReader::new(File::open(path).with_context(doing)?.take(MAX_BYTES));
    // A byte order mark is no part of the first name.
    let start = io::BufRead::fill_buf(&mut file).with_context(doing)?;
    if start.starts_with(b"\xef\xbb\xbf") {
        io::BufRead::consume(&mut file, 3);
    }
    Ok(file)
}

/// Names that a table can have: none is empty, and none is there twice.
pub fn usable(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut known = HashSet::new();
    let mut usable = Vec::new();
    for (index, name) in names.enumerate() {
        let name: String = name
            .trim()
            .chars()
            .filter(|character| !character.is_control())
            .take(200)
            .collect();
        let name = if name.is_empty() {
            format!("column{}", index + 1)
        } else {
            name
        };
        let mut unique = name.clone();
        let mut number = 1;
        while !known.insert(unique.to_lowercase()) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        usable.push(unique);
    }
    usable
}

/// What a text of a file is, if anything but text.
pub fn affinity(text: &str) -> Affinity {
    if text.is_empty() {
        return Affinity::Unknown;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    // A telephone number or a postal code keeps its zeros.
    let is_code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if is_code || !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return Affinity::Text;
    }
    if text.parse::<i64>().is_ok() {
        return Affinity::Integer;
    }
    let is_number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    // More digits than a number keeps are no number.
    let has_digits = digits.bytes().filter(u8::is_ascii_digit).count() <= 17;
    match text.parse::<f64>() {
        Ok(number) if is_number && has_digits && number.is_finite() => Affinity::Real,
        _ => Affinity::Text,
    }
}

#[cfg(test)]
mod tests;
