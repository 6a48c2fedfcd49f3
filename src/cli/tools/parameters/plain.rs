//! Types without others in them, in words.

use serde_json::{Map, Value};

use crate::cli::text::{cut, first_line};

/// The most words or alternatives of one type that are listed.
pub(super) const LISTED: usize = 10;

/// `integer from 0 to 255`, `number, above 0`.
pub(super) fn number(name: &str, schema: &Map<String, Value>) -> String {
    let bound = |keyword: &str| schema.get(keyword).filter(|bound| bound.is_number());
    let least = bound("minimum").map(|bound| format!("at least {bound}"));
    let above = bound("exclusiveMinimum").map(|bound| format!("above {bound}"));
    let most = bound("maximum").map(|bound| format!("at most {bound}"));
    let below = bound("exclusiveMaximum").map(|bound| format!("below {bound}"));
    let mut words = match (bound("minimum"), bound("maximum"), &above, &below) {
        (Some(least), Some(most), None, None) => format!("{name} from {least} to {most}"),
        _ => {
            let bounds: Vec<String> = [least, above, most, below].into_iter().flatten().collect();
            if bounds.is_empty() {
                name.to_owned()
            } else {
                format!("{name}, {}", bounds.join(" and "))
            }
        }
    };
    if let Some(step) = bound("multipleOf") {
        words.push_str(&format!(", a multiple of {step}"));
    }
    words
}

/// `string of at most 9 characters`, `string that matches …`.
pub(super) fn string(schema: &Map<String, Value>) -> String {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str).map(first_line);
    if let Some(encoding) = text("contentEncoding") {
        return format!("string, {encoding}");
    }
    let mut words = "string".to_owned();
    match between(schema, "minLength", "maxLength") {
        Some(length) if length == "1" => words.push_str(" of 1 character"),
        Some(length) => words.push_str(&format!(" of {length} characters")),
        None => {}
    }
    if let Some(format) = text("format") {
        words.push_str(&format!(", {format}"));
    }
    if let Some(pattern) = text("pattern") {
        words.push_str(&format!(" that matches `{}`", cut(pattern, 60)));
    }
    words
}

/// `3`, `1 to 5`, `at least 1`, `at most 5`.
pub(super) fn between(schema: &Map<String, Value>, least: &str, most: &str) -> Option<String> {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    match (bound(least).filter(|least| *least > 0), bound(most)) {
        (Some(least), Some(most)) if least == most => Some(least.to_string()),
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    }
}

/// A JSON value, short enough for a table.
pub(super) fn shown(value: &Value) -> String {
    cut(&value.to_string(), 60)
}

/// `a, b or c`; the ones after the first few are counted.
pub(super) fn joined(words: impl Iterator<Item = String>, count: usize) -> String {
    let mut words: Vec<String> = words.take(LISTED).collect();
    if count > words.len() {
        words.push(format!("{} more", count - words.len()));
    }
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}
