//! Small pieces of text that several commands print.

use std::time::{Duration, SystemTime};

use indicatif::HumanBytes;

use crate::error::Error;
use serde_json::Value;

use crate::registry::Day;

/// The first line, without the blanks around it.
pub(in crate::cli) fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default().trim_end()
}

/// An error with its causes, as one line.
pub(in crate::cli) fn one_line(error: &Error) -> String {
    let whole = std::iter::once(error.to_string())
        .chain(error.causes())
        .collect::<Vec<_>>()
        .join(": ");
    let lines: Vec<&str> = whole.lines().map(str::trim).collect();
    lines.join("; ")
}

/// At most `most` characters of a text, on one line and without control characters.
pub(in crate::cli) fn cut(text: &str, most: usize) -> String {
    let mut chars = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .peekable();
    let mut shown: String = chars.by_ref().take(most).collect();
    if chars.peek().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// An amount of bytes as people read it: `1.25 MiB`.
pub(in crate::cli) fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// A count with its noun: `1 tool`, `2 tools`.
pub(in crate::cli) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// How long ago a moment was: `just now`, `5 minutes ago`, `12 days ago`.
pub(in crate::cli) fn ago(moment: SystemTime, now: SystemTime) -> String {
    let passed = now
        .duration_since(moment)
        .unwrap_or(Duration::ZERO)
        .as_secs();
    let (number, noun) = match passed {
        ..60 => return "just now".to_owned(),
        60..3_600 => (passed / 60, "minute"),
        3_600..86_400 => (passed / 3_600, "hour"),
        _ => (passed / 86_400, "day"),
    };
    format!(
        "{} ago",
        count(usize::try_from(number).unwrap_or(usize::MAX), noun)
    )
}

/// The name that was probably meant.
pub(in crate::cli) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|other| (strsim::jaro_winkler(other, name), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, near)| near)
}

/// Lines below a heading, each indented; nothing where there are no lines.
pub(in crate::cli) fn section(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let indented: Vec<String> = lines
        .iter()
        .flat_map(|line| line.lines())
        .map(|line| format!("  {line}"))
        .collect();
    format!("\n{heading}\n{}\n", indented.join("\n"))
}

/// A moment in milliseconds since 1970, to the minute: `2026-11-21 10:15`, in UTC.
pub(in crate::cli) fn moment(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000).rem_euclid(24 * 60);
    format!("{} {:02}:{:02}", Day::of_ms(ms), minutes / 60, minutes % 60)
}

/// A field of a JSON object; null where there is none.
pub(in crate::cli) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_long_text_is_cut_and_stays_on_its_line() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("a\n\u{1b}b", 9), "a  b");
        assert_eq!(first_line("\n one \n two"), "one");
        assert_eq!(first_line(""), "");
    }

    #[test]
    fn the_past_is_told_in_its_largest_unit() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000);
        for (seconds, expected) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (7_200, "2 hours ago"),
            (86_400, "1 day ago"),
            (9_000_000, "104 days ago"),
        ] {
            assert_eq!(ago(now - Duration::from_secs(seconds), now), expected);
        }
        assert_eq!(ago(now + Duration::from_secs(99), now), "just now");
    }

    #[test]
    fn an_error_with_its_causes_stays_on_one_line() {
        let error =
            Error::new(Code::E3105, "reading\n  it").caused_by(std::io::Error::other("gone"));
        assert_eq!(one_line(&error), "reading; it: gone");
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let names = ["analyze-code", "files"];
        assert_eq!(nearest("analyse-code", names), Some("analyze-code"));
        assert_eq!(nearest("zzz", names), None);
    }
}
