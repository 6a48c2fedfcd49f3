//! JSON as editors take it: with comments, and with a comma after the last member.

use serde_json::Value;

use crate::manifest::problem::{Position, Problems};

/// Reads a text; places in errors are those of the text as it was written.
pub(super) fn parse(text: &str) -> Result<Value, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_slice(&plain(text)).map_err(|error| {
        let mut problems = Problems::new();
        let at = Position {
            line: error.line(),
            column: error.column(),
        };
        // The message ends with the place, which is told already.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        problems.add(Some(at), "", format!("not valid JSON: {message}"));
        problems
    })
}

/// The text with blanks in the place of comments and of commas that nothing follows.
fn plain(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    // Where the last comma is, as long as nothing but blanks and comments came after it.
    let mut comma: Option<usize> = None;
    // What came last that is neither a blank nor a comment.
    let mut last = b'{';
    let byte = |bytes: &[u8], at: usize| bytes.get(at).copied().unwrap_or_default();
    while at < bytes.len() {
        match (byte(&bytes, at), byte(&bytes, at + 1)) {
            (b'"', _) => {
                comma = None;
                at += 1;
                while at < bytes.len() && byte(&bytes, at) != b'"' {
                    at += if byte(&bytes, at) == b'\\' { 2 } else { 1 };
                }
            }
            (b'/', b'/') => {
                while at < bytes.len() && byte(&bytes, at) != b'\n' {
                    blank(&mut bytes, at);
                    at += 1;
                }
                continue;
            }
            (b'/', b'*') => {
                let rest = bytes.get(at + 2..).unwrap_or_default();
                let length = rest.windows(2).position(|pair| pair == b"*/");
                // One that does not end is left, and told by the parser.
                let Some(length) = length else { return bytes };
                for inside in at..at + length + 4 {
                    blank(&mut bytes, inside);
                }
                at += length + 4;
                continue;
            }
            // One that nothing stands before is left, and told by the parser.
            (b',', _) => comma = (!b"{[,:".contains(&last)).then_some(at),
            (b'}' | b']', _) => {
                if let Some(comma) = comma.take() {
                    blank(&mut bytes, comma);
                }
            }
            (byte, _) if !byte.is_ascii_whitespace() => comma = None,
            _ => {}
        }
        let now = byte(&bytes, at);
        if !now.is_ascii_whitespace() {
            last = now;
        }
        at += 1;
    }
    bytes
}

/// Ends of lines stay, so that places do.
fn blank(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at).filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn comments_and_last_commas_are_passed_over() {
        let text = "\u{feff}{\n  // one\n  \"a\": \"// no, \\\" comment,}\", /* two\n */ \"b\": [1, 2, // three\n ],\n}";
        let expected = json!({"a": "// no, \" comment,}", "b": [1, 2]});
        assert_eq!(parse(text).expect("read"), expected);
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (text, place) in [
            ("{\n  // ü\n  \"a\": nope\n}", "f:3:"),
            ("{\"a\": 1,, \"b\": 2}", "f:1:"),
            ("{ /* never ends", "f:1:"),
            ("", "f:1:"),
        ] {
            let problems = parse(text).expect_err("refused");
            let error = problems.into_error(crate::error::Code::E3004, "f");
            assert!(error.to_string().contains(place), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_json_stays_what_it_is(texts in proptest::collection::vec("[ -~]{0,12}", 0..6)) {
            let value = json!({"texts": texts, "nested": [{"a": [], "b": {}}]});
            let text = serde_json::to_string_pretty(&value).expect("JSON");
            prop_assert_eq!(parse(&text).expect("read"), value);
        }

        #[test]
        fn nothing_makes_it_fail_to_end(text in "[\"\\\\/*,{}\\[\\]a\n ]{0,60}") {
            drop(parse(&text));
        }
    }
}
