use serde_json::{Value, json};

use super::*;
use crate::testing::Folder;

/// Path, line and column of each match.
fn places(folder: &Folder, result: &Value) -> Vec<(String, u64, u64)> {
    let place = |found: &Value| {
        (
            folder.relative(&found["path"]),
            found["line"].as_u64().unwrap(),
            found["column"].as_u64().unwrap(),
        )
    };
    result["matches"]
        .as_array()
        .unwrap()
        .iter()
        .map(place)
        .collect()
}

fn tree() -> Folder {
    Folder::with(&[
        ("a.rs", "fn one() {}\nfn two() {}\n"),
        ("sub/b.rs", "// é fn three\n"),
        ("sub/c.txt", "fn four.\n"),
        (".git/d.rs", "fn five\n"),
    ])
}

#[test]
fn lines_are_found_below_a_folder() {
    let folder = tree();
    let (result, text) = folder
        .call("search", "", json!({ "pattern": r"fn \w+" }))
        .unwrap();
    let expected = [
        ("a.rs", 1, 1),
        ("a.rs", 2, 1),
        ("sub/b.rs", 1, 6),
        ("sub/c.txt", 1, 1),
    ];
    let expected = expected.map(|(path, line, column)| (path.to_owned(), line, column));
    assert_eq!(places(&folder, &result), expected);
    assert_eq!(
        (&result["files_searched"], &result["files_with_matches"]),
        (&json!(3), &json!(3))
    );
    assert!(text[0].contains("/a.rs:2:1: fn two() {}"), "{text:?}");
}

#[test]
fn globs_and_options_narrow_and_widen() {
    let folder = tree();
    let count = |more: Value| {
        let (result, _) = folder.call("search", "", more).unwrap();
        result["matches"].as_array().unwrap().len()
    };
    assert_eq!(count(json!({ "pattern": "fn", "glob": "*.rs" })), 3);
    assert_eq!(
        count(json!({ "pattern": "fn", "glob": "*.rs", "all": true })),
        4
    );
    assert_eq!(count(json!({ "pattern": "FN" })), 0);
    assert_eq!(count(json!({ "pattern": "FN", "ignore_case": true })), 4);
    assert_eq!(count(json!({ "pattern": "o." })), 3);
    assert_eq!(count(json!({ "pattern": "r.", "literal": true })), 1);
}

#[test]
fn a_single_file_is_searched_whatever_its_name() {
    let folder = tree();
    let (result, _) = folder
        .call("search", "sub/c.txt", json!({ "pattern": "^fn" }))
        .unwrap();
    assert_eq!(places(&folder, &result), [("sub/c.txt".to_owned(), 1, 1)]);
}

#[test]
fn context_comes_with_each_match() {
    let folder = Folder::with(&[("f", "1\n2\nx\n4\n")]);
    let (result, text) = folder
        .call("search", "f", json!({ "pattern": "x", "context": 2 }))
        .unwrap();
    assert_eq!(result["matches"][0]["before"], json!(["1", "2"]));
    assert_eq!(result["matches"][0]["after"], json!(["4"]));
    let lines: Vec<_> = text[0]
        .lines()
        .map(|line| line.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(lines, ["f-1- 1", "f-2- 2", "f:3:1: x", "f-4- 4"]);
}

#[test]
fn the_search_ends_at_the_limit() {
    let folder = Folder::with(&[("a", "x\nx\n"), ("b", "x\n")]);
    for (limit, found, truncated) in [(1, 1, true), (2, 2, true), (3, 3, false)] {
        let (result, _) = folder
            .call(
                "search",
                "",
                json!({ "pattern": "x", "max_matches": limit }),
            )
            .unwrap();
        assert_eq!(result["matches"].as_array().unwrap().len(), found);
        assert_eq!(result["truncated"], truncated, "{limit}");
    }
}

#[test]
fn what_is_no_text_is_counted_and_left_out() {
    let folder = Folder::with(&[("ok", "x")]);
    folder.write("nul", b"x\0");
    folder.write("latin", b"x \xe9");
    folder.write("huge", &vec![b'x'; 9 * 1024 * 1024]);
    let (result, _) = folder
        .call("search", "", json!({ "pattern": "x" }))
        .unwrap();
    assert_eq!(result["skipped"], json!({ "binary": 2, "too_large": 1 }));
    assert_eq!(result["matches"].as_array().unwrap().len(), 1);
}

#[test]
fn of_a_long_line_the_part_around_the_match_is_returned() {
    let folder = Folder::with(&[(
        "f",
        &format!("{}needle{}", "é".repeat(2_000), "b".repeat(2_000)),
    )]);
    let (result, _) = folder
        .call("search", "f", json!({ "pattern": "needle" }))
        .unwrap();
    let found = &result["matches"][0];
    assert_eq!(found["column"], 2_001);
    let text = found["text"].as_str().unwrap();
    assert!(
        text.starts_with("…é") && text.ends_with("b…") && text.contains("needle"),
        "{text}"
    );
    assert_eq!(text.chars().count(), 502);
}

#[test]
fn a_broken_pattern_is_explained() {
    let error = tree()
        .call("search", "", json!({ "pattern": "(" }))
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::InvalidArguments(message) if message.contains("`literal`")),
        "{error}"
    );
    let error = tree()
        .call("search", "none", json!({ "pattern": "x" }))
        .unwrap_err();
    assert!(matches!(error, ToolError::NotFound(_)), "{error}");
}

#[test]
fn nothing_found_is_said() {
    let (result, text) = tree()
        .call("search", "", json!({ "pattern": "zzz" }))
        .unwrap();
    assert_eq!(result["matches"], json!([]));
    assert_eq!(text, ["no match in 3 files"]);
}
