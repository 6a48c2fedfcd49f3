//! Putting untrusted text where a person, a shell or a TOML file reads it, and the escapes of scope options.

use std::fmt::Write as _;

/// The most characters of one untrusted text that a sentence shows.
const SHOWN: usize = 200;

/// The text as a person may see it: control, direction-changing and invisible characters escaped, long ones cut.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        if c.is_control() || is_deceptive(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// True for characters that take no room or reorder what is around them.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// True where [`shown`] would change the text: it cannot be suggested for copying.
pub(crate) fn is_plain(text: &str) -> bool {
    text.len() <= 1024 && !text.chars().any(|c| c.is_control() || is_deceptive(c))
}

/// The text as one word of a POSIX shell command.
pub(crate) fn shell_word(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The text as a TOML basic string, quotes included.
pub(crate) fn toml_string(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The texts as a TOML array of strings.
pub(crate) fn toml_array<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let strings: Vec<_> = texts.into_iter().map(toml_string).collect();
    format!("[{}]", strings.join(", "))
}

/// Escapes what separates options from one another: `%` and `;`.
pub(crate) fn escape_option(text: &str) -> String {
    text.replace('%', "%25").replace(';', "%3B")
}

/// The bytes of a percent-encoded text, or nothing where a `%` is not followed by two hexadecimal digits.
pub(crate) fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = hex_digit(bytes.next()?)?;
            let low = hex_digit(bytes.next()?)?;
            out.push(high * 16 + low);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// Reverses [`escape_option`]; nothing where the text is not valid percent-encoded UTF-8 or decodes to control characters.
pub(crate) fn unescape_option(text: &str) -> Option<String> {
    let decoded = String::from_utf8(percent_decode(text)?).ok()?;
    (!decoded.chars().any(char::is_control)).then_some(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The word that a mistyped one was probably meant to be.
pub(crate) fn nearest<'a>(typed: &str, words: &[&'a str]) -> Option<&'a str> {
    if typed.len() > 64 {
        return None;
    }
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    words
        .iter()
        .map(|word| (strsim::jaro_winkler(&typed, word), *word))
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

/// `a, b and c`, with at most `most` of the items and a count of the others.
pub(crate) fn listed(items: &[String], most: usize) -> String {
    let mut parts: Vec<String> = items.iter().take(most).cloned().collect();
    let others = items.len().saturating_sub(most);
    if others > 0 {
        parts.push(format!("{others} more"));
    }
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
