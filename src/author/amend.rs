//! Changes of a manifest that keep everything else as its author wrote it.

use similar::TextDiff;
use toml_edit::{
    Array, ArrayOfTables, DocumentMut, Formatted, InlineTable, Item, Table, TableLike, TomlError,
    Value,
};

use crate::error::{Code, Error, Result};
use crate::permission::StateScope;

/// How many unchanged lines are shown around a change.
const CONTEXT: usize = 3;

/// The manifest with these lines of `[permissions]` besides what it asks for already; each is a line as
/// [`crate::permission::Capability::manifest_line`] gives it.
///
/// # Errors
/// E3105 where the text is not TOML, or has something where its permissions belong to which nothing can be added; E3000 where
/// a line cannot be read.
pub fn amend<'a>(manifest: &str, lines: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let mut document: DocumentMut = manifest.parse().map_err(|error: TomlError| {
        Error::new(Code::E3105, "reading the manifest to change it").caused_by(error)
    })?;
    let lines: Vec<&str> = lines.into_iter().collect();
    for line in &lines {
        let one: DocumentMut = line.parse().map_err(|error: TomlError| {
            Error::new(Code::E3000, format!("reading the line {line:?}")).caused_by(error)
        })?;
        let asked = one.iter().next();
        if let Some((key, value)) = asked.and_then(|(key, item)| Some((key, item.as_value()?))) {
            ask(&mut document, key, value).map_err(|error| {
                error.hint(format!(
                    "Write into its `[permissions]` by hand what it does not ask for yet: `{}`.",
                    lines.join("`, `")
                ))
            })?;
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
    match table.get_mut(key) {
        Some(Item::None) | None => {
            table.insert(key, Item::Value(value.clone()));
            Ok(())
        }
        // Nothing that it asks for already may get lost: what is not understood is left to its author.
        Some(there) => widen(there, value).ok_or_else(|| {
            Error::new(
                Code::E3105,
                format!(
                    "the `permissions.{key}` of the manifest has a form to which nothing can be added; it is left as it is"
                ),
            )
        }),
    }
}

/// Has what is asked for there cover the value too; nothing where that has a form of its own.
fn widen(there: &mut Item, value: &Value) -> Option<()> {
    match (there, value) {
        (Item::Value(Value::Array(there)), Value::Array(more)) => add(there, more),
        (Item::ArrayOfTables(there), Value::Array(more)) => {
            // A table each: what is written as a text has no place among them.
            let tables: Option<Vec<_>> = more.iter().map(Value::as_inline_table).collect();
            for table in tables? {
                add_table(there, table);
            }
        }
        (Item::Value(Value::Boolean(there)), Value::Boolean(more)) => {
            if *more.value() && !*there.value() {
                let decor = there.decor().clone();
                *there = Formatted::new(true);
                *there.decor_mut() = decor;
            }
        }
        (there, Value::InlineTable(more)) => {
            let quota = there
                .as_table_like_mut()?
                .get_mut("quota")?
                .as_value_mut()?;
            let more = more.get("quota")?;
            let bytes = |text: &Value| Some(text.as_str()?.parse::<StateScope>().ok()?.quota());
            if bytes(quota)? < bytes(more)? {
                let decor = quota.decor().clone();
                *quota = more.clone();
                *quota.decor_mut() = decor;
            }
        }
        _ => return None,
    }
    Some(())
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
        if there.iter().any(|known| meaning(known) == meaning(value)) {
            continue;
        }
        let has_joined = value.as_inline_table().is_some_and(|value| {
            there
                .iter_mut()
                .filter_map(Value::as_inline_table_mut)
                .any(|known| is_twin(known, value) && join_methods(known, value))
        });
        if !has_joined {
            let blank = if there.is_empty() { "" } else { " " };
            there.push_formatted(value.clone().decorated(blank, ""));
        }
    }
}

/// The same where each is a table of its own.
fn add_table(there: &mut ArrayOfTables, more: &InlineTable) {
    let wanted = meaning(&Value::InlineTable(more.clone()));
    let is_there = there
        .iter()
        .any(|known| meaning(&Value::InlineTable(known.clone().into_inline_table())) == wanted);
    let has_joined = is_there
        || there.iter_mut().any(|known| {
            is_twin(&known.clone().into_inline_table(), more) && join_methods(known, more)
        });
    if !has_joined {
        let mut table = more.clone().into_table();
        table.fmt();
        there.push(table);
    }
}

/// True where both are requests that differ in their methods alone.
fn is_twin(known: &InlineTable, value: &InlineTable) -> bool {
    let rest = |table: &InlineTable| {
        let mut rest = table.clone();
        rest.remove("methods");
        meaning(&Value::InlineTable(rest))
    };
    known.contains_key("host") && value.contains_key("methods") && rest(known) == rest(value)
}

/// Gives a request the methods of another one; false where those of one of them are no list.
fn join_methods(known: &mut dyn TableLike, value: &InlineTable) -> bool {
    let Some(more) = value.get("methods").and_then(Value::as_array) else {
        return false;
    };
    match known.get_mut("methods") {
        // Where it has none it covers all of them already.
        None => true,
        Some(methods) => methods
            .as_array_mut()
            .map(|methods| add(methods, more))
            .is_some(),
    }
}

/// What a value means, however it is written.
fn meaning(value: &Value) -> String {
    let listed = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::String(text) => format!("{:?}", text.value()),
        Value::Integer(number) => number.value().to_string(),
        Value::Boolean(is_so) => is_so.value().to_string(),
        Value::Array(items) => format!("[{}]", listed(items.iter().map(meaning).collect())),
        Value::InlineTable(table) => {
            let mut entries: Vec<_> = table
                .iter()
                .map(|(key, value)| format!("{key:?} = {}", meaning(value)))
                .collect();
            entries.sort();
            format!("{{{}}}", listed(entries))
        }
        Value::Float(_) | Value::Datetime(_) => value.clone().decorated("", "").to_string(),
    }
}

#[cfg(test)]
mod tests;
