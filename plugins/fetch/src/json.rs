//! JSON with a line for each member. Only the white space changes: numbers and the order of members stay as they were sent.

use serde::de::IgnoredAny;

/// Indents a document; nothing where it is none, or would become longer than `most` bytes.
pub fn pretty(text: &str, most: usize) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut whole = String::with_capacity(text.len());
    let mut depth = 0_usize;
    let mut is_text = false;
    let mut is_escaped = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if whole.len() > most {
            return None;
        }
        if is_text {
            whole.push(character);
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => is_text = false,
                _ => {}
            }
            continue;
        }
        match character {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                is_text = true;
                whole.push(character);
            }
            '{' | '[' => {
                whole.push(character);
                while characters
                    .next_if(|next| next.is_ascii_whitespace())
                    .is_some()
                {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    whole.push(end);
                } else {
                    depth += 1;
                    begin_line(&mut whole, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                begin_line(&mut whole, depth);
                whole.push(character);
            }
            ',' => {
                whole.push(character);
                begin_line(&mut whole, depth);
            }
            ':' => whole.push_str(": "),
            other => whole.push(other),
        }
    }
    Some(whole)
}

fn begin_line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests;
