use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use toolhatch_plugin::testing::{info, run};
use toolhatch_plugin::{Result, ToolError};

use super::analyze_code;

/// Calls the tool as the host does, and holds arguments and result against its schemas.
fn call(arguments: &Value) -> Result<(Value, String)> {
    let info = info::<analyze_code>();
    assert_fits(&info.input_schema, arguments);
    let output = run::<analyze_code>(arguments)?;
    let text = output.text();
    let result = output.structured.unwrap();
    assert_fits(info.output_schema.as_ref().unwrap(), &result);
    Ok((result, text))
}

fn assert_fits(schema: &str, value: &Value) {
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{value}");
}

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, content.as_bytes());
    }
    root
}

fn write(path: &Path, content: &[u8]) {
    use std::io::Write as _;
    fs::File::create(path).unwrap().write_all(content).unwrap();
}

fn names(result: &Value, list: &str) -> Vec<String> {
    let name = |file: &Value| {
        file["file"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    result[list].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn the_examples_of_the_schema_are_valid() {
    let schema = info::<analyze_code>().input_schema;
    let read: Value = serde_json::from_str(&schema).unwrap();
    for example in read["examples"].as_array().unwrap() {
        assert_fits(&schema, example);
    }
}

#[test]
fn code_is_analysed_without_a_file() {
    let code = "def f(a):\n    try:\n        return a\n    except E:\n        pass\n# TODO: g\n";
    let (result, text) = call(&json!({ "code": code, "language": "python" })).unwrap();
    // A warning takes 5 points, a note 1.
    assert_eq!(result["score"], 94.0);
    assert_eq!(result["totals"]["lines"], 6);
    assert_eq!(
        result["issues"][0],
        json!({
            "file": "<code>", "line": 4, "column": 5, "rule": "swallowed-error", "severity": "warning",
            "message": "the error is ignored, and no comment says why"
        })
    );
    assert_eq!(result["hotspots"][0]["function"], "f");
    assert!(
        text.starts_with("Score 94 of 100: 0 errors, 1 warning, 1 note.\n1 file, 6 lines"),
        "{text}"
    );
    assert!(
        text.contains("<code>:4:5 swallowed-error: the error"),
        "{text}"
    );
}

#[test]
fn empty_code_has_nothing_wrong() {
    let (result, _) = call(&json!({ "code": "", "language": "rust" })).unwrap();
    assert_eq!(
        (&result["score"], &result["totals"]["lines"]),
        (&json!(100.0), &json!(0))
    );
}

#[test]
fn the_score_never_falls_below_zero() {
    let (result, _) = call(&json!({ "code": "[\n".repeat(50), "language": "go" })).unwrap();
    assert_eq!(result["score"], 0.0);
}

#[test]
fn a_folder_is_walked() {
    let root = tree(&[
        ("a.rs", "fn a() {}\n"),
        ("sub/b.py", "def b(): pass\n"),
        ("sub/notes.md", "# no code\n"),
        (".git/c.rs", "fn c() {\n"),
        ("target/d.rs", "fn d() {\n"),
    ]);
    let path = root.path().display().to_string();
    let (result, _) = call(&json!({ "path": path })).unwrap();
    assert_eq!(names(&result, "files"), ["a.rs", "b.py"]);
    assert_eq!(result["score"], 100.0);
    let (result, _) = call(&json!({ "path": path, "all": true })).unwrap();
    assert_eq!(names(&result, "files"), ["c.rs", "a.rs", "b.py", "d.rs"]);
    let (result, _) = call(&json!({ "path": path, "language": "py" })).unwrap();
    assert_eq!(names(&result, "files"), ["b.py"]);
    let (result, _) = call(&json!({ "path": path, "glob": "sub/*" })).unwrap();
    assert_eq!(names(&result, "files"), ["b.py"]);
}

#[test]
fn what_cannot_be_analysed_is_told() {
    let root = tree(&[("ok.js", "f()\n"), ("min.js", &"f();".repeat(1_000))]);
    write(&root.path().join("latin.js"), b"// caf\xe9\n");
    write(&root.path().join("huge.js"), &vec![b'\n'; 3 * 1024 * 1024]);
    let (result, text) = call(&json!({ "path": root.path().display().to_string() })).unwrap();
    assert_eq!(names(&result, "files"), ["ok.js"]);
    let reasons: Vec<_> = result["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skipped| &skipped["reason"])
        .collect();
    assert_eq!(reasons, ["too-large", "not-utf8", "minified"]);
    assert!(text.contains("latin.js: not UTF-8 text"), "{text}");
}

#[test]
fn a_folder_without_code_has_no_score() {
    let root = tree(&[("notes.md", "")]);
    let (result, text) = call(&json!({ "path": root.path().display().to_string() })).unwrap();
    assert_eq!(result["score"], Value::Null);
    assert!(text.contains("No source file"), "{text}");
}

#[test]
fn a_file_may_need_its_language_told() {
    let root = tree(&[("script", "def f():\n    pass\n")]);
    let path = root.path().join("script").display().to_string();
    let error = call(&json!({ "path": path })).unwrap_err();
    assert!(
        matches!(&error, ToolError::InvalidArguments(message) if message.contains("python")),
        "{error}"
    );
    let (result, _) = call(&json!({ "path": path, "language": "python" })).unwrap();
    assert_eq!(result["totals"]["functions"], 1);
}

#[test]
fn a_path_that_is_missing_is_not_found() {
    let error = call(&json!({ "path": "/nowhere/at/all" })).unwrap_err();
    assert!(
        matches!(&error, ToolError::NotFound(message) if message.contains("/nowhere/at/all")),
        "{error}"
    );
}

#[test]
fn duplicates_are_found_between_files() {
    let block: String = (0..20)
        .map(|line| format!("    x{line} = call(y, {line})\n"))
        .collect();
    let root = tree(&[
        ("a.py", &format!("def a():\n{block}")),
        ("b.py", &format!("def b():\n{block}")),
    ]);
    let (result, _) = call(&json!({ "path": root.path().display().to_string() })).unwrap();
    let issue = &result["issues"][0];
    assert_eq!(issue["rule"], "duplication");
    assert_eq!(issue["line"], 2);
    let message = issue["message"].as_str().unwrap();
    assert!(
        message.starts_with("20 lines (") && message.ends_with("a.py:2-21"),
        "{message}"
    );
    // 162 tokens are 1.62 times the limit: that many warnings.
    assert_eq!(
        (&result["files"][0]["score"], &result["files"][1]["score"]),
        (&json!(100.0), &json!(91.9))
    );
}

#[test]
fn only_the_worst_issues_are_listed_and_all_are_counted() {
    let code = format!("{}fn f( {{\n", "// TODO\n".repeat(30));
    let (result, text) =
        call(&json!({ "code": code, "language": "rust", "max_issues": 2 })).unwrap();
    assert_eq!(result["issues"].as_array().unwrap().len(), 2);
    assert_eq!(result["issues"][0]["severity"], "error");
    assert_eq!(result["counts"]["rules"]["todo-comment"], 30);
    assert_eq!(result["counts"]["omitted_issues"], 30);
    assert!(text.contains("… and 30 more."), "{text}");
}

#[test]
fn two_calls_say_the_same() {
    let root = tree(&[
        ("a.rs", "fn a( {\n// TODO\n"),
        ("b.go", "func b() {\n"),
        ("c.ts", "let x = 'y\n"),
    ]);
    let arguments = json!({ "path": root.path().display().to_string() });
    assert_eq!(call(&arguments).unwrap(), call(&arguments).unwrap());
}
