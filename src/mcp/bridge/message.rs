//! Messages of a server, read as raw JSON: what is no message is told apart from what is a broken one, and of a broken one
//! the request it was to answer is looked for, so that this request fails at once and no other does.

use rmcp::model::RequestId;
use serde_json::{Map, Value};

use crate::schema::parse_strict;

/// The most messages in one batch.
const MAX_BATCH: usize = 10_000;
/// How deep the search for the id of a broken message looks.
const SEARCHED: usize = 64 << 10;

/// What came from a server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    /// The answer to a request.
    Answer {
        /// The request.
        id: RequestId,
        /// Its result, or its error as the server wrote it.
        outcome: Result<Value, Value>,
    },
    /// A request of the server's own, or a notification: a message with a method.
    Told(Map<String, Value>),
    /// A message that cannot be read.
    Broken {
        /// The request it was to answer, where that can be told.
        id: Option<RequestId>,
        /// Why.
        why: String,
    },
    /// No message at all, such as a log line.
    Noise,
}

/// Reads one text: a message, a batch of them, or something else.
pub(super) fn read(bytes: &[u8]) -> Vec<Incoming> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return vec![Incoming::Noise];
    }
    let broken = |why: String| {
        // Whatever is neither JSON nor looks like our protocol is a log line that begins with a bracket.
        let is_message = contains(bytes, b"\"jsonrpc\"");
        vec![if is_message {
            Incoming::Broken {
                id: id_in(bytes, bytes),
                why,
            }
        } else {
            Incoming::Noise
        }]
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return broken(format!("it is not UTF-8: {error}")),
    };
    match parse_strict(text) {
        Ok(Value::Array(items)) if items.len() > MAX_BATCH => vec![Incoming::Broken {
            id: None,
            why: format!("it is a batch of more than {MAX_BATCH} messages"),
        }],
        Ok(Value::Array(items)) if items.iter().any(Value::is_object) => {
            items.into_iter().map(classify).collect()
        }
        Ok(value @ Value::Object(_)) => vec![classify(value)],
        Ok(_) => vec![Incoming::Noise],
        Err(error) => broken(error.to_string()),
    }
}

/// What a JSON value is in the protocol.
pub(super) fn classify(value: Value) -> Incoming {
    let Value::Object(mut message) = value else {
        return Incoming::Noise;
    };
    if message.get("method").is_some_and(Value::is_string) {
        return match message.get("id") {
            Some(id) if id_of(id).is_none() => Incoming::Broken {
                id: None,
                why: "it is a request without a usable id".to_owned(),
            },
            _ => Incoming::Told(message),
        };
    }
    let is_answer = message.contains_key("result") || message.contains_key("error");
    let id = message.get("id").and_then(id_of);
    match (is_answer, id) {
        (false, None) => Incoming::Noise,
        (false, id) => Incoming::Broken {
            id,
            why: "it has neither a result nor an error".to_owned(),
        },
        (true, None) => Incoming::Broken {
            id: None,
            why: match message.get("error") {
                Some(error) => format!("it answers nothing: {}", cut(&error.to_string(), 300)),
                None => "it is an answer without a usable id".to_owned(),
            },
        },
        (true, Some(id)) => {
            let result = message.shift_remove("result");
            // Some servers write `"error": null` beside a result.
            match (result, message.shift_remove("error")) {
                (_, Some(error)) if !error.is_null() => Incoming::Answer {
                    id,
                    outcome: Err(error),
                },
                (Some(result), _) => Incoming::Answer {
                    id,
                    outcome: Ok(result),
                },
                (None, _) => Incoming::Broken {
                    id: Some(id),
                    why: "it has neither a result nor an error".to_owned(),
                },
            }
        }
    }
}

/// An id as this side writes it: numbers that servers give back as texts or with a fraction of zero are the same number.
fn id_of(value: &Value) -> Option<RequestId> {
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().or_else(|| {
                let float = number.as_f64()?;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "it is compared right after"
                )]
                let whole = float as i64;
                #[expect(clippy::cast_precision_loss, reason = "that is what is compared")]
                let back = whole as f64;
                (back.to_bits() == float.to_bits()).then_some(whole)
            });
            whole.map(RequestId::Number)
        }
        Value::String(text) => Some(match text.parse::<i64>() {
            Ok(number) => RequestId::Number(number),
            Err(_) => RequestId::String(text.as_str().into()),
        }),
        _ => None,
    }
}

/// The id of a message that cannot be read as a whole, from how it begins and how it ends.
pub(super) fn id_in(head: &[u8], tail: &[u8]) -> Option<RequestId> {
    id_at_beginning(head.get(..SEARCHED).unwrap_or(head)).or_else(|| id_at_end(tail))
}

/// The value of the key `id` of the outermost object, as far as the text is there.
fn id_at_beginning(text: &[u8]) -> Option<RequestId> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let end = end_of_string(text, at)?;
                let is_key = depth == 1 && text.get(at + 1..end) == Some(b"id");
                let rest = text.get(end + 1..)?.trim_ascii_start();
                if is_key && rest.first() == Some(&b':') {
                    return scalar(rest.get(1..)?.trim_ascii_start()).map(|(id, _)| id);
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string that begins at `at` ends.
fn end_of_string(text: &[u8], at: usize) -> Option<usize> {
    let mut next = at + 1;
    loop {
        match text.get(next)? {
            b'"' => return Some(next),
            b'\\' => next += 2,
            _ => next += 1,
        }
    }
}

/// The id where the message ends with it, as some servers write them: `…,"jsonrpc":"2.0","id":7}`.
fn id_at_end(text: &[u8]) -> Option<RequestId> {
    const KEY: &[u8] = b"\"id\"";
    let text = text.trim_ascii_end();
    let near = text.get(text.len().saturating_sub(300)..).unwrap_or(text);
    let at = near.windows(KEY.len()).rposition(|window| window == KEY)?;
    let rest = near.get(at + KEY.len()..)?.trim_ascii_start();
    let (id, rest) = scalar(rest.strip_prefix(b":")?.trim_ascii_start())?;
    let rest: Vec<u8> = rest
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    // Nothing may follow it but the version: else it is the id of something inside.
    (rest == b"}" || rest == b",\"jsonrpc\":\"2.0\"}").then_some(id)
}

/// A number or a text at the beginning, and what follows it.
fn scalar(text: &[u8]) -> Option<(RequestId, &[u8])> {
    if text.first() == Some(&b'"') {
        let end = end_of_string(text, 0)?;
        let inner = std::str::from_utf8(text.get(1..end)?).ok()?;
        let id = id_of(&Value::String(inner.to_owned()))?;
        return Some((id, text.get(end + 1..)?));
    }
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit() && *byte != b'-')?;
    let number = std::str::from_utf8(text.get(..end)?).ok()?.parse().ok()?;
    Some((RequestId::Number(number), text.get(end..)?))
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// The beginning of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Incoming {
        let mut all = read(text.as_bytes());
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0)
    }

    fn number(id: i64) -> RequestId {
        RequestId::Number(id)
    }

    #[test]
    fn answers_are_found_by_their_ids_however_these_are_written() {
        for id in ["7", "7.0", "\"7\""] {
            let text = format!(
                "\u{feff}{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}},\"error\":null}}"
            );
            assert_eq!(
                one(&text),
                Incoming::Answer {
                    id: number(7),
                    outcome: Ok(json!({}))
                },
                "{text}"
            );
        }
    }

    #[test]
    fn logs_are_noise_and_broken_messages_are_not() {
        for text in [
            "Server started",
            "[2026-11-22 10:00:00] listening",
            "{not json}",
            "[1, 2]",
            "{\"level\":\"info\",\"msg\":\"up\"}",
            "42",
        ] {
            assert_eq!(one(text), Incoming::Noise, "{text}");
        }
        for (text, id) in [
            (
                r#"{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}"#,
                Some(7),
            ),
            (r#"{"jsonrpc":"2.0","id":7,"result":{"a":"#, Some(7)),
            (r#"{"jsonrpc":"2.0","id":7}"#, Some(7)),
            (
                r#"{"result":{"id":3,"a":1,"a":2},"jsonrpc":"2.0","id":7}"#,
                Some(7),
            ),
            (r#"{"result":{"a":1,"a":2,"id":3},"jsonrpc":"2.0"}"#, None),
            (r#"{"jsonrpc":"2.0","result":{}}"#, None),
            (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, None),
        ] {
            let Incoming::Broken { id: found, .. } = one(text) else {
                panic!("{text}");
            };
            assert_eq!(found, id.map(number), "{text}");
        }
        let mut latin = br#"{"jsonrpc":"2.0","id":7,"result":{"a":""#.to_vec();
        latin.extend(b"\xe9\"}}");
        assert!(matches!(
            read(&latin).as_slice(),
            [Incoming::Broken { id: Some(RequestId::Number(7)), why }] if why.contains("UTF-8")
        ));
    }

    #[test]
    fn the_id_of_half_a_message_is_its_own() {
        let head = br#"{"jsonrpc":"2.0","result":{"id":1,"text":"\"id\":2"#;
        assert_eq!(id_at_beginning(head), None);
        let head = br#"{"jsonrpc":"2.0","id":"9","result":{"id":1,"text":"..."#;
        assert_eq!(id_at_beginning(head), Some(number(9)));
        assert_eq!(
            id_at_end(br#"..."}]},"jsonrpc":"2.0","id":12}"#),
            Some(number(12))
        );
        assert_eq!(
            id_at_end(br#"...}, "id": 12, "jsonrpc": "2.0"} "#),
            Some(number(12))
        );
        assert_eq!(id_at_end(br#"... "id":5}"}]}}"#), None);
        assert_eq!(id_at_end(br#"...\"id\":5}"#), None);
    }

    #[test]
    fn a_batch_is_each_of_its_messages() {
        let all = read(br#"[{"id":1,"result":1},{"method":"x"},{"id":2,"error":{}},5]"#);
        assert_eq!(all.len(), 4);
        assert!(matches!(all.get(1), Some(Incoming::Told(_))));
        assert_eq!(all.get(3), Some(&Incoming::Noise));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_something(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
            id_in(&bytes, &bytes);
        }

        #[test]
        fn any_beginning_of_a_message_gives_its_own_id_or_none(
            cut in 0_usize..80,
            inner in "[a-z\"\\\\{}:0-9]{0,20}",
        ) {
            let text = json!({"jsonrpc": "2.0", "result": {"id": 3, "text": inner}, "id": 7}).to_string();
            let head = text.as_bytes().get(..cut.min(text.len())).unwrap_or_default();
            prop_assert!(matches!(id_at_beginning(head), None | Some(RequestId::Number(7))));
        }
    }
}
