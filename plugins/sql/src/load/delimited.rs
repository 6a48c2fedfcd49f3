//! CSV and TSV.

use std::io::Read;

use csv::{ByteRecord, Reader, ReaderBuilder};
use rusqlite::types::Value as Cell;
use toolhatch_plugin::{Result, ToolError};

use super::{Affinity, Column, MAX_COLUMNS, affinity, usable};

/// Finds out the columns and what they hold.
///
/// # Errors
/// See [`super::tables`].
pub fn columns(
    path: &str,
    reader: impl Read,
    delimiter: u8,
    has_header: bool,
) -> Result<Vec<Column>> {
    let mut reader = start(reader, delimiter);
    let mut record = ByteRecord::new();
    let mut columns: Vec<Column> = Vec::new();
    let mut is_first = true;
    while next(path, &mut reader, &mut record)? {
        if is_first {
            if record.len() > MAX_COLUMNS {
                return Err(ToolError::failed(format!(
                    "`{path}` has {} columns, and the limit is {MAX_COLUMNS}",
                    record.len()
                )));
            }
            let names = if has_header {
                texts(path, &record)?
                    .into_iter()
                    .map(str::to_owned)
                    .collect()
            } else {
                vec![String::new(); record.len()]
            };
            columns = usable(names.into_iter())
                .into_iter()
                .map(|name| Column {
                    name,
                    affinity: Affinity::Unknown,
                })
                .collect();
        }
        if !(is_first && has_header) {
            if record.len() > columns.len() {
                return Err(too_many(path, &record, columns.len()));
            }
            for (column, text) in columns.iter_mut().zip(texts(path, &record)?) {
                column.affinity = column.affinity.max(affinity(text));
            }
        }
        is_first = false;
    }
    Ok(columns)
}

/// Gives all rows. An empty value is a text where others of its column are, and else null; so is one that is missing.
///
/// # Errors
/// See [`super::tables`].
pub fn rows(
    path: &str,
    reader: impl Read,
    delimiter: u8,
    has_header: bool,
    columns: &[Column],
    put: &mut dyn FnMut(Vec<Cell>) -> Result<()>,
) -> Result<()> {
    let mut reader = start(reader, delimiter);
    let mut record = ByteRecord::new();
    let mut is_header = has_header;
    while next(path, &mut reader, &mut record)? {
        if std::mem::take(&mut is_header) {
            continue;
        }
        let texts = texts(path, &record)?;
        let cells = columns.iter().enumerate().map(|(index, column)| {
            let Some(text) = texts.get(index) else {
                return Cell::Null;
            };
            match column.affinity {
                Affinity::Text => Cell::Text((*text).to_owned()),
                _ if text.is_empty() => Cell::Null,
                Affinity::Real => text
                    .parse()
                    .map_or_else(|_| Cell::Text((*text).to_owned()), Cell::Real),
                _ => text
                    .parse()
                    .map_or_else(|_| Cell::Text((*text).to_owned()), Cell::Integer),
            }
        });
        put(cells.collect())?;
    }
    Ok(())
}

fn start<R: Read>(reader: R, delimiter: u8) -> Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(reader)
}

/// Reads the next record. One with nothing in it is an empty line at the end, and left out by the library.
fn next(path: &str, reader: &mut Reader<impl Read>, record: &mut ByteRecord) -> Result<bool> {
    reader
        .read_byte_record(record)
        .map_err(|error| ToolError::failed(format!("cannot load `{path}`: {error}")))
}

fn texts<'a>(path: &str, record: &'a ByteRecord) -> Result<Vec<&'a str>> {
    let texts = record.iter().map(std::str::from_utf8);
    texts
        .collect::<Result<_, _>>()
        .map_err(|_| ToolError::failed(format!("line {} of `{path}` is not UTF-8", line(record))))
}

fn too_many(path: &str, record: &ByteRecord, columns: usize) -> ToolError {
    ToolError::failed(format!(
        "line {} of `{path}` has {} values for {columns} columns; is it in another format?",
        line(record),
        record.len()
    ))
}

fn line(record: &ByteRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}
