//! What a new user does, in each language, from an empty folder: `plugin new`, `build`, `check`, `test`, `call`, and the
//! tests of the language itself.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::toolchains::{Author, Language};

/// Builds, checks, tests and installs a new project, and gives it and its component.
#[track_caller]
fn make(author: &Author, name: &str) -> (PathBuf, Vec<u8>) {
    let project = author.project(name);
    let built = author
        .run(&project, ["plugin", "build", "--json"])
        .ok()
        .json();
    let file = project.join("dist").join(name).with_extension("wasm");
    assert_eq!(built["file"], file.to_str().expect("UTF-8"), "{built}");
    assert_eq!(built["warnings"], json!([]), "{built}");
    let component = std::fs::read(&file).expect("it was built");
    assert_eq!(built["size"], component.len(), "{built}");

    let checked = author.run(&project, ["plugin", "check", "--strict"]).ok();
    assert!(
        checked.stdout.starts_with(".: 0 errors, 0 warnings, "),
        "{checked}"
    );
    // Twice: with the snapshots that the first run wrote, too.
    for _ in 0..2 {
        let tested = author
            .run(&project, ["plugin", "test", "--json"])
            .ok()
            .json();
        assert_eq!(tested["failed"], 0, "{tested}");
        let calls = tested["calls"].as_array().map_or(0, Vec::len);
        assert!(calls >= 3, "{tested}");
    }
    nothing_private(author, &component);
    let dist = format!("dist/{name}.wasm");
    author.run(&project, ["plugin", "install", &dist]).ok();
    (project, component)
}

#[track_caller]
fn nothing_private(author: &Author, component: &[u8]) {
    let text = String::from_utf8_lossy(component);
    for path in author.private_paths() {
        if let Some(at) = text.find(&path) {
            let around: String = text
                .get(at..)
                .unwrap_or_default()
                .chars()
                .take(200)
                .collect();
            panic!("the component knows of {path}: {around:?}");
        }
    }
}

/// What the README of a project says that its last call prints.
fn promised(project: &Path) -> String {
    let readme = std::fs::read_to_string(project.join("README.md")).expect("it has one");
    let (_, rest) = readme.split_once("\n$ toolhatch call . ").expect("a call");
    let (_, printed) = rest.split_once('\n').expect("what it prints");
    let (printed, _) = printed.split_once("```").expect("its end");
    printed.to_owned()
}

const TEXT: &str = "text=Well begun is half done.";

/// The call of the README, in the project and by the name of the installed plugin.
#[track_caller]
fn call_as_promised(author: &Author, project: &Path) {
    let promised = promised(project);
    for tool in [".", "word-counter.word-count"] {
        let called = author.run(project, ["call", tool, "--arg", TEXT]).ok();
        assert_eq!(called.stdout, promised, "{called}");
    }
}

#[test]
fn rust() {
    let Some(author) = Author::of(Language::Rust) else {
        return;
    };
    let (project, _) = make(&author, "word-counter");
    let tested = author.program(&project, "cargo", &["test", "--quiet"]).ok();
    assert!(tested.stdout.contains("2 passed"), "{tested}");
    let arguments = [
        "--json",
        "--arg",
        "text=The cat and the dog",
        "--arg",
        "top=1",
    ];
    for tool in [".", "word-counter.count-words"] {
        let called = author
            .run(&project, ["call", tool].iter().chain(&arguments))
            .ok();
        assert_eq!(
            called.json()["structured"],
            json!({"words": 5, "top": [{"word": "the", "count": 2}]}),
            "{called}"
        );
    }
}

#[test]
fn javascript() {
    let Some(author) = Author::of(Language::JavaScript) else {
        return;
    };
    let (project, _) = make(&author, "word-counter");
    let tested = author.program(&project, "node", &["--test"]).ok();
    assert!(tested.stdout.contains("pass 4"), "{tested}");
    call_as_promised(&author, &project);
}

#[test]
fn python() {
    let Some(author) = Author::of(Language::Python) else {
        return;
    };
    let (project, _) = make(&author, "word-counter");
    let words = ["-m", "unittest", "discover", "tests"];
    let tested = author.program(&project, ".venv/bin/python", &words).ok();
    assert!(tested.stderr.contains("Ran 3 tests"), "{tested}");
    call_as_promised(&author, &project);
}

#[test]
fn c() {
    let Some(author) = Author::of(Language::C) else {
        return;
    };
    let (project, component) = make(&author, "word-counter");
    let tested = author.program(&project, "make", &["test"]).ok();
    assert!(tested.stdout.ends_with("ok\n"), "{tested}");
    call_as_promised(&author, &project);

    // The same sources are the same plugin, wherever they lie.
    let other = author.env.path("anderswo");
    author
        .run(
            &author.env.path(""),
            ["plugin", "new", "c", "anderswo", "--name", "word-counter"],
        )
        .ok();
    author.run(&other, ["plugin", "build"]).ok();
    let again = std::fs::read(other.join("dist/word-counter.wasm")).expect("it was built");
    assert!(
        again == component,
        "the path of the project makes a difference"
    );
}
