use serde_json::json;

use super::*;
use crate::testing::Folder;

#[test]
fn a_new_file_is_created_and_nothing_is_left_beside_it() {
    let folder = Folder::with(&[]);
    let (result, text) = folder
        .call("write", "f", json!({ "content": "é" }))
        .unwrap();
    assert_eq!(
        (&result["created"], &result["bytes"]),
        (&json!(true), &json!(2))
    );
    assert!(
        text[0].starts_with("created ") && text[0].ends_with("/f (2 bytes)"),
        "{text:?}"
    );
    assert_eq!(folder.read("f"), "é");
    assert_eq!(folder.names(), ["f"]);
}

#[test]
fn an_existing_file_is_left_alone_unless_told() {
    let folder = Folder::with(&[("f", "old content")]);
    let error = folder
        .call("write", "f", json!({ "content": "new" }))
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("if_exists")),
        "{error}"
    );
    assert_eq!(folder.read("f"), "old content");
    let (result, _) = folder
        .call(
            "write",
            "f",
            json!({ "content": "new", "if_exists": "overwrite" }),
        )
        .unwrap();
    assert_eq!(result["created"], false);
    assert_eq!(folder.read("f"), "new");
    folder
        .call(
            "write",
            "f",
            json!({ "content": "er", "if_exists": "append" }),
        )
        .unwrap();
    assert_eq!(folder.read("f"), "newer");
    folder
        .call(
            "write",
            "f",
            json!({ "content": "replaced", "if_exists": "overwrite", "replace": true }),
        )
        .unwrap();
    assert_eq!(folder.read("f"), "replaced");
    assert_eq!(folder.names(), ["f"]);
}

#[cfg(unix)]
#[test]
fn overwriting_keeps_the_mode_and_the_links_of_a_file() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = Folder::with(&[("f", "#!/bin/sh\n")]);
    fs::set_permissions(folder.path("f"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::hard_link(folder.path("f"), folder.path("g")).unwrap();
    folder
        .call(
            "write",
            "f",
            json!({ "content": "x", "if_exists": "overwrite" }),
        )
        .unwrap();
    assert_eq!(
        fs::metadata(folder.path("f")).unwrap().mode() & 0o777,
        0o700
    );
    assert_eq!(folder.read("g"), "x");
    folder
        .call(
            "write",
            "f",
            json!({ "content": "y", "if_exists": "overwrite", "replace": true }),
        )
        .unwrap();
    assert_eq!(folder.read("g"), "x", "another file was put in its place");
}

#[test]
fn base64_is_decoded() {
    let folder = Folder::with(&[]);
    folder
        .call(
            "write",
            "f",
            json!({ "content": "AP8=", "encoding": "base64" }),
        )
        .unwrap();
    assert_eq!(fs::read(folder.path("f")).unwrap(), [0, 255]);
    let error = folder
        .call(
            "write",
            "g",
            json!({ "content": "?", "encoding": "base64" }),
        )
        .unwrap_err();
    assert!(matches!(error, ToolError::InvalidArguments(_)), "{error}");
}

#[test]
fn parents_are_created_only_where_asked_for() {
    let folder = Folder::with(&[]);
    let error = folder
        .call("write", "a/b/f", json!({ "content": "x" }))
        .unwrap_err();
    assert!(matches!(error, ToolError::NotFound(_)), "{error}");
    folder
        .call(
            "write",
            "a/b/f",
            json!({ "content": "x", "create_parents": true }),
        )
        .unwrap();
    assert_eq!(folder.read("a/b/f"), "x");
}

#[test]
fn a_folder_is_not_overwritten() {
    let folder = Folder::with(&[("sub/f", "")]);
    let error = folder
        .call(
            "write",
            "sub",
            json!({ "content": "", "if_exists": "overwrite" }),
        )
        .unwrap_err();
    assert!(matches!(error, ToolError::InvalidArguments(_)), "{error}");
}

#[test]
fn names_of_temporary_files_that_are_taken_are_left_alone() {
    let folder = Folder::with(&[(".f.0.tmp", "mine")]);
    folder
        .call("write", "f", json!({ "content": "x" }))
        .unwrap();
    assert_eq!(folder.read(".f.0.tmp"), "mine");
    assert_eq!(folder.names(), [".f.0.tmp", "f"]);
}
