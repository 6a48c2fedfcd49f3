//! Grants that are kept: who gives them, to which bytes, and what becomes of them with a new version.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::probe;
use crate::support::process::Output;

/// The probe as a plugin of this version, which asks to read the workspace and for what `more` says.
fn packed(env: &TestEnv, version: &str, more: &str) -> PathBuf {
    let manifest = format!(
        r#"
schema = 1
name = "trier"
version = "{version}"
description = "Tries things"
license = "Apache-2.0"

[[tools]]
name = "read-file"
description = "Reads a file"

[permissions]
file_read = [{{ path = "${{workspace}}", mount = "/workspace" }}]
{more}
"#
    );
    let manifest = env.write(format!("{version}.toml"), manifest.as_bytes());
    let out = env.path(format!("trier-{version}.wasm"));
    env.run([
        "plugin",
        "pack",
        probe::file().to_str().expect("UTF-8"),
        "--manifest",
        manifest.to_str().expect("UTF-8"),
        "-o",
        out.to_str().expect("UTF-8"),
    ])
    .ok();
    out
}

fn install(env: &TestEnv, file: &Path) -> Value {
    env.run(["plugin", "install", file.to_str().expect("UTF-8"), "--json"])
        .ok()
        .json()
}

/// An environment with version 1.0.0 installed and two files in two folders.
fn with_plugin() -> TestEnv {
    let env = TestEnv::new();
    env.write("docs/a.txt", b"in docs");
    env.write("src/b.txt", b"in src");
    install(&env, &packed(&env, "1.0.0", ""));
    env
}

fn read(env: &TestEnv, path: &str) -> Output {
    let argument = format!("path={path}");
    env.run(["call", "trier.read-file", "--arg", &argument, "--json"])
        .output()
}

/// Answers the questions of `grant` at a terminal.
fn grant(env: &TestEnv, words: &[&str], answers: &[&str]) -> Output {
    let start = ["grant", "trier"];
    let mut terminal = env.run(start.iter().chain(words)).on_terminal();
    for (number, answer) in (1..).zip(answers) {
        terminal.expect(&format!("{number} of {}", answers.len()));
        terminal.answer(answer);
    }
    terminal.finish()
}

#[test]
fn a_plugin_does_what_a_person_granted_it_and_a_version_that_wants_more_waits() {
    let env = with_plugin();
    // Nobody has decided, and there is nobody to ask.
    read(&env, "/workspace/docs/a.txt").fails_with(3, "E3213");

    // Narrowed to one folder.
    let granted = grant(&env, &[], &["docs"]).ok();
    assert!(
        granted.stdout.contains("/docs and everything below it"),
        "{granted}"
    );
    let output = read(&env, "/workspace/docs/a.txt").ok();
    assert_eq!(output.json()["structured"]["result"], "in docs", "{output}");
    let output = read(&env, "/workspace/src/b.txt").fails_with(1, "E3401");
    assert!(!output.json()["denials"].is_null(), "{output}");

    // The same requests: the grant goes along.
    let report = install(&env, &packed(&env, "1.0.1", ""));
    assert_eq!(report["grant_carried"], true, "{report}");
    let output = read(&env, "/workspace/docs/a.txt").ok();
    let now = output.json()["digest"].clone();
    assert_eq!(now, report["digest"], "1.0.1 answers: {output}");

    // More: it waits, and 1.0.1 goes on.
    let more = "network_http = [{ host = \"api.example.com\" }]";
    let staged = install(&env, &packed(&env, "1.1.0", more));
    assert_eq!(staged["stage"], "staged", "{staged}");
    assert_eq!(
        read(&env, "/workspace/docs/a.txt").ok().json()["digest"],
        now
    );
    let diff = env.run(["grants", "diff", "trier", "--json"]).ok().json();
    assert_eq!(diff["compared_with"], "1.0.1", "{diff}");
    assert_eq!(diff["added"][0]["permission"], "network_http", "{diff}");
    env.run(["call", "trier@=1.1.0", "read-file", "--arg", "path=x"])
        .fails_with(3, "E3213");

    // A person decides, and it answers.
    grant(&env, &[], &["docs", "y"]).ok();
    let output = read(&env, "/workspace/docs/a.txt").ok();
    assert_eq!(output.json()["digest"], staged["digest"], "{output}");

    // Taking back needs nobody.
    env.run(["revoke", "trier"]).ok();
    read(&env, "/workspace/docs/a.txt").fails_with(3, "E3213");
    let list = env.run(["grants", "list", "--all", "--json"]).ok().json();
    let ended = list["grants"].as_array().expect("a list").iter();
    assert!(
        ended.clone().all(|grant| !grant["ended_at"].is_null()),
        "{list}"
    );
}

#[test]
fn a_narrower_scope_has_to_be_narrower() {
    let env = with_plugin();
    let mut terminal = env.run(["grant", "trier"]).on_terminal();
    terminal.expect("1 of 1");
    terminal.answer("/etc");
    terminal.expect("more than it asks for");
    terminal.answer("no-such-folder");
    terminal.expect("cannot be granted");
    terminal.answer("src");
    terminal.finish().ok();
    read(&env, "/workspace/src/b.txt").ok();
    read(&env, "/workspace/docs/a.txt").fails_with(1, "E3401");
}

#[test]
fn no_is_an_answer_too() {
    let env = with_plugin();
    grant(&env, &[], &["n"]).ok();
    // It is called, and denied: somebody has decided.
    read(&env, "/workspace/docs/a.txt").fails_with(1, "E3401");
}

#[test]
fn decisions_add_up_until_they_are_replaced() {
    let env = with_plugin();
    grant(&env, &[], &["docs"]).ok();
    grant(&env, &[], &["src"]).ok();
    read(&env, "/workspace/docs/a.txt").ok();
    read(&env, "/workspace/src/b.txt").ok();
    grant(&env, &["--replace"], &["src"]).ok();
    read(&env, "/workspace/docs/a.txt").fails_with(1, "E3401");
    read(&env, "/workspace/src/b.txt").ok();
}

#[test]
fn only_a_person_grants() {
    let env = with_plugin();
    let words = ["grant", "trier", "--allow", "file_read=docs"];
    // No terminal: what comes in on standard input is not a person.
    env.run(words).stdin("y\ny\n").fails_with(3, "E3213");
    env.run(words.iter().chain(&["--yes"]))
        .fails_with(3, "E3206");
    env.write("secret", b"guess");
    env.run(words.iter().chain(&["--credential", "secret"]))
        .fails_with(3, "E3206");
    // Neither the project nor the user can let `--yes` decide.
    env.write(".toolhatch/config.toml", b"[permissions]\nyes = true\n");
    env.run(words.iter().chain(&["--yes"]))
        .fails_with(2, "E3004");
    env.write(".toolhatch/config.toml", b"");
    env.write(env.user_config(), b"[permissions]\nyes = true\n");
    env.run(words.iter().chain(&["--yes"]))
        .fails_with(2, "E3004");
    env.write(env.user_config(), b"");

    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Keep this?");
    terminal.answer("n");
    terminal.finish().fails_with(3, "E3214");
    read(&env, "/workspace/docs/a.txt").fails_with(3, "E3213");
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Keep this?");
    terminal.answer("y");
    terminal.finish().ok();
    read(&env, "docs/a.txt").ok();
    // More than is asked for cannot be granted, not even by a person.
    env.run(["grant", "trier", "--allow", "env=HOME"])
        .on_terminal()
        .finish()
        .fails_with(2, "E3004");
}

#[test]
fn grants_go_to_another_machine_for_the_same_bytes() {
    let env = with_plugin();
    grant(&env, &[], &["docs"]).ok();
    let exported = env.run(["grants", "export"]).ok();
    env.write("grants.json", exported.stdout.as_bytes());
    env.run(["revoke", "trier"]).ok();
    env.run(["grants", "import", "grants.json"])
        .fails_with(3, "E3213");
    let mut terminal = env.run(["grants", "import", "grants.json"]).on_terminal();
    terminal.expect("Keep this?");
    terminal.answer("y");
    terminal.finish().ok();
    read(&env, "/workspace/docs/a.txt").ok();
    for broken in [
        "",
        "[]",
        "{\"format\": 2, \"grants\": []}",
        "{\"format\": 1, \"grants\": [{}]}",
    ] {
        env.write("broken.json", broken.as_bytes());
        env.run(["grants", "import", "broken.json"])
            .fails_with(2, "E3004");
    }
}

#[test]
fn a_process_that_runs_already_sees_what_was_revoked() {
    use std::io::{BufRead, BufReader, Write};

    let env = with_plugin();
    grant(&env, &[], &["docs"]).ok();
    let (mut to, from) = std::io::pipe()
        .map(|(from, to)| (to, from))
        .expect("a pipe");
    let (answers, answered) = std::io::pipe().expect("a pipe");
    let mut child = env
        .run(["call", "--jsonl"])
        .spawn_with(from.into(), answered.into());
    let mut answers = BufReader::new(answers);
    let line = json!({"tool": "trier.read-file", "args": {"path": "/workspace/docs/a.txt"}});
    let mut ask = || -> Value {
        writeln!(to, "{line}").expect("written");
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("answered");
        serde_json::from_str(&answer).expect("JSON")
    };
    assert_eq!(ask()["ok"], true);
    env.run(["revoke", "trier"]).ok();
    let refused = ask();
    assert_eq!(refused["error"]["code"], "E3213", "{refused}");
    grant(&env, &[], &["docs"]).ok();
    assert_eq!(ask()["ok"], true);
    drop(to);
    child.wait().expect("ended");
}

#[test]
fn lives_end_with_a_word_on_what_comes_next() {
    let env = with_plugin();
    grant(&env, &[], &["docs"]).ok();
    let deprecate = |words: &[&str]| {
        let start = ["plugin", "deprecate", "trier@1.0.0"];
        env.run(start.iter().chain(words)).ok()
    };
    deprecate(&[
        "--until",
        "2999-01-01",
        "--use",
        "files",
        "--note",
        "it reads too",
    ]);
    let output = read(&env, "/workspace/docs/a.txt").ok();
    let told = output.json()["warnings"].to_string();
    for word in ["deprecated", "2999-01-01", "files", "it reads too"] {
        assert!(told.contains(word), "{word}: {output}");
    }
    deprecate(&["--until", "2026-01-01"]);
    read(&env, "/workspace/docs/a.txt").fails_with(4, "E3104");
    env.run(["plugin", "deprecate", "trier@1.0.0", "--undo"])
        .ok();
    read(&env, "/workspace/docs/a.txt").ok();
}
