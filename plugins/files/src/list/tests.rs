use serde_json::{Value, json};

use super::*;
use crate::testing::Folder;

fn names(folder: &Folder, result: &Value) -> Vec<String> {
    let entries = result["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| folder.relative(&entry["path"]))
        .collect()
}

fn tree() -> Folder {
    Folder::with(&[
        ("b/c/d.rs", "12345"),
        ("b/e.txt", ""),
        ("a.rs", ""),
        (".git/x", ""),
        ("target/y", ""),
    ])
}

#[test]
fn a_folder_is_listed_with_types_and_sizes() {
    let folder = tree();
    let (result, text) = folder.call("list", "b", json!({})).unwrap();
    assert_eq!(names(&folder, &result), ["b/c", "b/e.txt"]);
    let entry = &result["entries"][0];
    assert_eq!(
        (&entry["type"], &entry["size"]),
        (&json!("folder"), &Value::Null)
    );
    let entry = &result["entries"][1];
    assert_eq!(
        (&entry["type"], &entry["size"]),
        (&json!("file"), &json!(0))
    );
    assert!(entry["modified"].as_str().unwrap().starts_with("20"));
    assert!(text[0].contains("/b/c/\n"), "{text:?}");
}

#[test]
fn recursion_shows_hidden_and_generated_folders_and_does_not_enter_them() {
    let folder = tree();
    let (result, _) = folder
        .call("list", "", json!({ "recursive": true }))
        .unwrap();
    assert_eq!(
        names(&folder, &result),
        [".git", "a.rs", "b", "b/c", "b/c/d.rs", "b/e.txt", "target"]
    );
    let (result, _) = folder
        .call("list", "", json!({ "recursive": true, "all": true }))
        .unwrap();
    assert_eq!(names(&folder, &result).len(), 9);
    let (result, _) = folder.call("list", "", json!({ "depth": 2 })).unwrap();
    assert_eq!(
        names(&folder, &result),
        [".git", "a.rs", "b", "b/c", "b/e.txt", "target"]
    );
}

#[test]
fn a_glob_filters_and_a_limit_cuts() {
    let folder = tree();
    let (result, _) = folder
        .call("list", "", json!({ "recursive": true, "glob": "*.rs" }))
        .unwrap();
    assert_eq!(names(&folder, &result), ["a.rs", "b/c/d.rs"]);
    assert_eq!(result["truncated"], false);
    let (result, text) = folder
        .call(
            "list",
            "",
            json!({ "recursive": true, "glob": "*.rs", "limit": 1 }),
        )
        .unwrap();
    assert_eq!(names(&folder, &result), ["a.rs"]);
    assert_eq!(result["truncated"], true);
    assert!(text[0].contains("raise `limit`"), "{text:?}");
}

#[cfg(unix)]
#[test]
fn links_are_listed_and_not_followed() {
    let folder = Folder::with(&[("real/x", "")]);
    std::os::unix::fs::symlink(folder.path("real"), folder.path("link")).unwrap();
    let (result, _) = folder
        .call("list", "", json!({ "recursive": true }))
        .unwrap();
    assert_eq!(names(&folder, &result), ["link", "real", "real/x"]);
    assert_eq!(result["entries"][0]["type"], "link");
}

#[test]
fn only_folders_can_be_listed() {
    let folder = tree();
    let error = folder.call("list", "a.rs", json!({})).unwrap_err();
    assert!(matches!(error, ToolError::InvalidArguments(_)), "{error}");
    let error = folder.call("list", "none", json!({})).unwrap_err();
    assert!(matches!(error, ToolError::NotFound(_)), "{error}");
    let error = folder
        .call("list", "", json!({ "glob": "{a" }))
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::InvalidArguments(message) if message.contains("never closed"))
    );
}

#[test]
fn an_empty_folder_is_said_to_be_empty() {
    let (result, text) = Folder::with(&[]).call("list", "", json!({})).unwrap();
    assert_eq!(result["entries"], json!([]));
    assert_eq!(text, ["nothing"]);
}
