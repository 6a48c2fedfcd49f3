use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::testing::call;

fn of_text(text: &str) -> Value {
    call("stats", &json!({"text": text})).unwrap().0
}

fn of_bytes(bytes: &[u8]) -> Value {
    call("stats", &json!({"data": STANDARD.encode(bytes)}))
        .unwrap()
        .0
}

#[test]
fn everything_is_counted() {
    assert_eq!(
        of_text("für alle\r\n\n    if x\n\ty \n  \r  \tz"),
        json!({
            "lines": 6, "blank_lines": 2, "words": 6, "characters": 31, "bytes": 32,
            "longest_line": {"line": 1, "characters": 8}, "encoding": "utf-8",
            "line_endings": {"lf": 3, "crlf": 1, "cr": 1}, "final_newline": false,
            "indentation": {"tabs": 1, "spaces": 1, "mixed": 1, "width": 4}, "trailing_whitespace": 2
        })
    );
    let empty = of_text("");
    assert_eq!(
        (&empty["lines"], &empty["final_newline"], &empty["encoding"]),
        (&json!(0), &json!(false), &json!("ascii"))
    );
    assert_eq!(empty.get("longest_line"), None);
}

#[test]
fn the_step_of_the_indentation_is_the_most_frequent_one() {
    assert_eq!(
        of_text("a\n  b\n    c\n      d\ne\n  f\n")["indentation"]["width"],
        2
    );
    assert_eq!(
        of_text("a\n    b\n        c\n  d\n")["indentation"]["width"],
        4
    );
    assert_eq!(of_text("a\n\tb\n")["indentation"].get("width"), None);
}

#[test]
fn the_encoding_of_bytes_is_guessed() {
    let wide = |text: &str, unit: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()
    };
    for (bytes, encoding, characters) in [
        (b"abc".to_vec(), "ascii", 3),
        ("für".as_bytes().to_vec(), "utf-8", 3),
        ("\u{feff}für".as_bytes().to_vec(), "utf-8-bom", 4),
        (b"f\xfcr".to_vec(), "windows-1252", 3),
        (wide("\u{feff}für 😀", u16::to_le_bytes), "utf-16le", 5),
        (wide("\u{feff}für", u16::to_be_bytes), "utf-16be", 3),
        (wide("plain text", u16::to_le_bytes), "utf-16le", 10),
        (wide("plain text", u16::to_be_bytes), "utf-16be", 10),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "binary", 16),
        (b"\x01\x02\x03\xff".to_vec(), "binary", 4),
    ] {
        let stats = of_bytes(&bytes);
        assert_eq!(
            (&stats["encoding"], &stats["characters"], &stats["bytes"]),
            (&json!(encoding), &json!(characters), &json!(bytes.len())),
            "{bytes:?}"
        );
    }
}

#[test]
fn there_is_one_text_and_it_can_be_read() {
    for arguments in [
        json!({}),
        json!({"text": "a", "data": "YQ=="}),
        json!({"data": "no base64!"}),
    ] {
        assert!(call("stats", &arguments).is_err(), "{arguments}");
    }
}

proptest! {
    #[test]
    fn counts_add_up(text in "[a \t\r\né]{0,60}") {
        let stats = of_text(&text);
        let ends = &stats["line_endings"];
        let number = |value: &Value| value.as_u64().unwrap();
        let ended = number(&ends["lf"]) + number(&ends["crlf"]) + number(&ends["cr"]);
        let open = u64::from(!text.is_empty() && !text.ends_with(['\n', '\r']));
        prop_assert_eq!(number(&stats["lines"]), ended + open);
        prop_assert!(stats["blank_lines"].as_u64() <= stats["lines"].as_u64());
        let same = of_bytes(text.as_bytes());
        prop_assert_eq!(stats, same);
    }
}
