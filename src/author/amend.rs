//! Changes of a manifest that keep everything else as its author wrote it.

use similar::TextDiff;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TomlError, Value};

use crate::error::{Code, Error, Result};

/// How many unchanged lines are shown around a change.
const CONTEXT: usize = 3;

/// The manifest with these lines of `[permissions]` besides what it asks for already; each is a line as
/// [`crate::permission::Capability::manifest_line`] gives it.
///
/// # Errors
/// E3105 where the text is not TOML, or has something else where its permissions belong; E3000 where a line cannot be read.
pub fn amend<'a>(manifest: &str, lines: impl Iterator<Item = &'a str>) -> Result<String> {
    let mut document: DocumentMut = manifest.parse().map_err(|error: TomlError| {
        Error::new(Code::E3105, "reading the manifest to change it").caused_by(error)
    })?;
    for line in lines {
        let one: DocumentMut = line.parse().map_err(|error: TomlError| {
            Error::new(Code::E3000, format!("reading the line {line:?}")).caused_by(error)
        })?;
        let asked = one.iter().next();
        if let Some((key, value)) = asked.and_then(|(key, item)| Some((key, item.as_value()?))) {
            ask(&mut document, key, value)?;
        }
    }
    Ok(document.to_string())
}

fn ask(document: &mut DocumentMut, key: &str, value: &Value) -> Result<()> {
    let table = document
        .entry("permissions")
        .or_insert_with(|| Item::Table(Table::new()));
    let table = table.as_table_like_mut().ok_or_else(|| {
        Error::new(
            Code::E3105,
            "the `permissions` of the manifest are no table",
        )
    })?;
    match (table.get_mut(key).and_then(Item::as_array_mut), value) {
        (Some(there), Value::Array(more)) => add(there, more),
        _ => {
            table.insert(key, Item::Value(value.clone()));
        }
    }
    Ok(())
}

/// The difference between two texts of a file, as `patch` and `git apply` read it; empty where there is none.
#[must_use]
pub fn difference(file: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("a/{file}"), &format!("b/{file}"))
        .to_string()
}

/// Adds what is not there yet. Requests that differ in their methods alone become one.
fn add(there: &mut Array, more: &Array) {
    for value in more {
        if there.iter().any(|known| plain(known) == plain(value)) {
            continue;
        }
        let twin = there.iter_mut().find_map(|known| {
            let known = known.as_inline_table_mut()?;
            (without_methods(known) == without_methods(value.as_inline_table()?)).then_some(known)
        });
        let methods = value
            .as_inline_table()
            .and_then(|table| table.get("methods"));
        match (twin, methods.and_then(Value::as_array)) {
            (Some(twin), Some(methods)) => {
                // Where the other has none it covers all of them already.
                if let Some(known) = twin.get_mut("methods").and_then(Value::as_array_mut) {
                    add(known, methods);
                }
            }
            _ => {
                let blank = if there.is_empty() { "" } else { " " };
                there.push_formatted(value.clone().decorated(blank, ""));
            }
        }
    }
}

/// A value without the blanks around it.
fn plain(value: &Value) -> String {
    value.clone().decorated("", "").to_string().replace(' ', "")
}

/// A table without its methods; nothing where it is about something else than requests.
fn without_methods(table: &InlineTable) -> Option<Vec<(String, String)>> {
    table.contains_key("host").then(|| {
        let mut rest: Vec<_> = table
            .iter()
            .filter(|(key, _)| *key != "methods")
            .map(|(key, value)| (key.to_owned(), plain(value)))
            .collect();
        rest.sort();
        rest
    })
}
