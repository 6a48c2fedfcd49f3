//! JSON Lines: an object in each line.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read};

use rusqlite::types::Value as Cell;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use toolhatch_plugin::{Result, ToolError};

use super::{Affinity, Column, MAX_COLUMNS, usable};

/// Finds out the columns: all names that occur, in the order in which they first do.
///
/// # Errors
/// See [`super::tables`].
pub fn columns(path: &str, reader: impl Read) -> Result<Vec<Column>> {
    let mut names: Vec<String> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut affinities: Vec<Affinity> = Vec::new();
    objects(path, reader, &mut |object| {
        for (name, value) in &object.0 {
            let place = match places.get(name) {
                Some(place) => *place,
                None if names.len() == MAX_COLUMNS => {
                    return Err(ToolError::failed(format!(
                        "`{path}` has more than {MAX_COLUMNS} different names"
                    )));
                }
                None => {
                    places.insert(name.clone(), names.len());
                    names.push(name.clone());
                    affinities.push(Affinity::Unknown);
                    names.len() - 1
                }
            };
            if let Some(affinity) = affinities.get_mut(place) {
                *affinity = (*affinity).max(affinity_of(value));
            }
        }
        Ok(())
    })?;
    // Columns are found again by their place, so the names that were given stay apart here.
    let usable = usable(names.into_iter());
    Ok(usable
        .into_iter()
        .zip(affinities)
        .map(|(name, affinity)| Column { name, affinity })
        .collect())
}

/// Gives all rows. What a line does not have is null; lists and objects are JSON text.
///
/// # Errors
/// See [`super::tables`].
pub fn rows(
    path: &str,
    reader: impl Read,
    columns: &[Column],
    put: &mut dyn FnMut(Vec<Cell>) -> Result<()>,
) -> Result<()> {
    let mut places: HashMap<String, usize> = HashMap::new();
    objects(path, reader, &mut |object| {
        let mut cells = vec![Cell::Null; columns.len()];
        for (name, value) in object.0 {
            let next = places.len();
            let place = *places.entry(name).or_insert(next);
            if let Some(cell) = cells.get_mut(place) {
                *cell = cell_of(value);
            }
        }
        put(cells)
    })
}

fn objects(
    path: &str,
    reader: impl Read,
    visit: &mut dyn FnMut(Object) -> Result<()>,
) -> Result<()> {
    for (index, line) in BufReader::new(reader).split(b'\n').enumerate() {
        let failed =
            |why: String| ToolError::failed(format!("line {} of `{path}` {why}", index + 1));
        let line = line.map_err(|error| failed(format!("cannot be read: {error}")))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let object = serde_json::from_slice(&line)
            .map_err(|error| failed(format!("is no object of JSON: {error}")))?;
        visit(object)?;
    }
    Ok(())
}

/// The members of an object in the order in which they stand there.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

fn affinity_of(value: &Value) -> Affinity {
    match value {
        Value::Null => Affinity::Unknown,
        Value::Bool(_) => Affinity::Integer,
        Value::Number(number) if number.is_i64() => Affinity::Integer,
        Value::Number(number) if number.is_u64() => Affinity::Text,
        Value::Number(_) => Affinity::Real,
        Value::String(_) | Value::Array(_) | Value::Object(_) => Affinity::Text,
    }
}

fn cell_of(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(is_true) => Cell::Integer(is_true.into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            (None, Some(real)) if !number.is_u64() => Cell::Real(real),
            // Larger than the integers of SQLite: exact as a text.
            _ => Cell::Text(number.to_string()),
        },
        Value::String(text) => Cell::Text(text),
        Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
    }
}
