//! Components that were built from plain WIT, without our libraries, by the tools of their languages: they list and answer.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::source::root;
use crate::support::toolchains::{Author, Language};

/// The sources, copied to where they are built.
fn sources(author: &Author, language: &str, files: &[&str]) -> PathBuf {
    for file in files {
        let from = root()
            .join("tests/fixtures/foreign")
            .join(language)
            .join(file);
        author
            .env
            .write(file, &std::fs::read(from).expect("a fixture"));
    }
    author.env.path("")
}

/// What `tools list` says of each function.
fn described(author: &Author) -> Vec<(String, String)> {
    let listed = author
        .env
        .run(["tools", "list", "notes.wasm", "--json"])
        .ok()
        .json();
    let tools = listed["tools"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tools
        .map(|tool| (text(&tool["id"]), text(&tool["description"])))
        .collect()
}

/// A record, an option, bytes, an enumeration and a typed error go there and back.
#[track_caller]
fn answers(author: &Author) {
    let call = |tool: &str, arguments: Value| {
        let arguments = arguments.to_string();
        author
            .env
            .run(["call", "notes.wasm", tool, "--json", "--args", &arguments])
            .timeout(std::time::Duration::from_secs(300))
    };
    let note = json!({"title": "für Ada 😀", "tags": ["a", "b"], "due": 3});
    for (tool, arguments, expected) in [
        (
            "summarise",
            json!({"note": note}),
            json!("für Ada 😀 #a #b in 3 days"),
        ),
        (
            "summarise",
            json!({"note": note, "width": 9}),
            json!("für Ada 😀"),
        ),
        (
            "summarise",
            json!({"note": {"title": "x", "tags": []}}),
            json!("x"),
        ),
        ("reverse", json!({"data": "AQL/"}), json!([258, "/wIB"])),
        (
            "rank",
            json!({"note": {"title": "x", "tags": [], "due": 0}}),
            json!("high"),
        ),
    ] {
        let called = call(tool, arguments).ok();
        assert_eq!(called.json()["structured"]["result"], expected, "{called}");
    }
    let parsed = call("parse", json!({"text": "Buy milk #shop"})).ok();
    let structured = &parsed.json()["structured"];
    assert_eq!(structured["title"], "Buy milk #shop", "{parsed}");
    assert_eq!(structured["tags"], json!(["shop"]), "{parsed}");

    for (text, expected) in [
        ("", json!({"tag": "empty"})),
        (&"x".repeat(41), json!({"tag": "too-long", "value": 41})),
    ] {
        let failed = call("parse", json!({"text": text})).fails_with(1, "E3401");
        let details = &failed.json()["error"]["details"]["structured"];
        assert_eq!(details, &expected, "{failed}");
    }
    let refused = call("rank", json!({"note": {"title": 1, "tags": []}})).fails_with(2, "E3301");
    assert!(refused.stdout.contains("title"), "{refused}");
}

#[track_caller]
fn lists_and_answers(author: &Author) {
    let with_wit = described(author);
    let ids: Vec<&str> = with_wit.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "notes.summarise",
            "notes.parse",
            "notes.reverse",
            "notes.rank"
        ]
    );
    let said = &with_wit[3].1;
    assert!(said.contains("Says how much a note matters."), "{said}");
    // Its WIT beside it is where that comes from.
    std::fs::remove_file(author.env.path("notes.wit")).expect("removed");
    let bare = described(author);
    assert_eq!(bare.len(), 4);
    assert!(
        bare[3].1 != with_wit[3].1 && !bare[3].1.is_empty(),
        "{bare:?}"
    );
    answers(author);
}

#[test]
fn of_componentize_js() {
    let Some(author) = Author::of(Language::JavaScript) else {
        return;
    };
    let folder = sources(&author, "js", &["notes.js", "notes.wit"]);
    author.install(&folder, &["@bytecodealliance/componentize-js"]);
    let program = "node_modules/.bin/componentize-js";
    let words = ["notes.js", "--wit", "notes.wit", "--out", "notes.wasm"];
    author.program(&folder, program, &words).ok();
    lists_and_answers(&author);
}

#[test]
fn of_componentize_qjs() {
    let Some(author) = Author::of(Language::JavaScript) else {
        return;
    };
    let folder = sources(&author, "js", &["notes.js", "notes.wit"]);
    author.install(&folder, &["componentize-qjs"]);
    let program = "node_modules/.bin/componentize-qjs";
    let words = [
        "--js",
        "notes.js",
        "--wit",
        "notes.wit",
        "--output",
        "notes.wasm",
    ];
    author.program(&folder, program, &words).ok();
    lists_and_answers(&author);
}

#[test]
fn of_componentize_py() {
    let Some(author) = Author::of(Language::Python) else {
        return;
    };
    let folder = sources(&author, "python", &["notes.py", "notes.wit"]);
    author.install(&folder, &[]);
    let program = ".venv/bin/componentize-py";
    let words = [
        "-q",
        "-d",
        "notes.wit",
        "componentize",
        "notes",
        "-o",
        "notes.wasm",
    ];
    author.program(&folder, program, &words).ok();
    lists_and_answers(&author);
}
