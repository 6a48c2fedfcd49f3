//! Short descriptions of JSON values for error messages.

use serde_json::Value as Json;

/// How many characters of a string are shown.
const SHOWN: usize = 40;
/// How many keys or names are listed.
const LISTED: usize = 8;

/// What the value is, short enough for a sentence: never more than a few dozen characters of its content.
pub(super) fn preview(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => quote(text),
        Json::Array(items) => match items.len() {
            0 => "an empty array".to_owned(),
            1 => "an array of 1 item".to_owned(),
            count => format!("an array of {count} items"),
        },
        Json::Object(members) => match members.len() {
            0 => "an empty object".to_owned(),
            1 => format!("an object with the key {}", list(members.keys())),
            _ => format!("an object with the keys {}", list(members.keys())),
        },
    }
}

/// The text in double quotes, escaped and cut short; says how long it is where it was cut.
pub(super) fn quote(text: &str) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(SHOWN).collect();
    match chars.count() {
        0 => format!("{shown:?}"),
        rest => format!(
            "a string of {} characters that begins {shown:?}",
            rest + SHOWN
        ),
    }
}

/// The names in backticks, separated by commas, with the number of those left out.
pub(super) fn list<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let count = names.len();
    let mut shown: Vec<String> = names.take(LISTED).map(|name| tick(name)).collect();
    if count > LISTED {
        shown.push(format!("and {} more", count - LISTED));
    }
    shown.join(", ")
}

/// A name in backticks, cut short and without control characters.
pub(super) fn tick(name: &str) -> String {
    let mut chars = name.chars();
    let shown: String = chars
        .by_ref()
        .take(SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    let cut = if chars.next().is_some() { "…" } else { "" };
    format!("`{shown}{cut}`")
}

/// The candidate that `name` was probably meant to be.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // Comparing costs the product of the lengths, and nobody mistypes a name of this length into another.
    if name.len() > 100 {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .take(500)
        .filter(|candidate| candidate.len() <= 100)
        .map(|candidate| {
            (
                strsim::jaro_winkler(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_preview_never_shows_a_long_text_whole() {
        let long = "s3cret".repeat(1000);
        let shown = preview(&json!(long));
        assert!(shown.starts_with("a string of 6000 characters that begins \"s3crets3cret"));
        assert!(shown.len() < 120, "{shown}");
        let keys: serde_json::Map<_, _> = (0..100).map(|n| (format!("k{n}"), json!(n))).collect();
        assert!(preview(&Json::Object(keys)).ends_with("`k7`, and 92 more"));
    }

    #[test]
    fn a_preview_cannot_move_the_cursor() {
        assert!(!preview(&json!("a\u{1b}[2Jb")).contains('\u{1b}'));
        assert!(!preview(&json!({"a\u{1b}[2J": 1})).contains('\u{1b}'));
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["language", "code", "path"];
        assert_eq!(nearest("langauge", names.into_iter()), Some("language"));
        assert_eq!(nearest("Code", names.into_iter()), Some("code"));
        assert_eq!(nearest("zzz", names.into_iter()), None);
    }
}
