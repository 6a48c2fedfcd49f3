//! The audit log through the binary: what it holds, and what it shows of somebody who changed it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::source::root;

fn add(env: &TestEnv) -> String {
    env.write("adder.wasm", &guests::component(guests::ADDER));
    let output = env.run(guests::ADD).ok();
    output.json()["call"].as_str().expect("an id").to_owned()
}

fn verify(env: &TestEnv) -> (Option<i32>, Value) {
    let output = env.run(["audit", "verify", "--json"]).output();
    let json = output.json();
    (output.code, json)
}

fn files(env: &TestEnv) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(env.toolhatch_home().join("audit"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort();
    files
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

fn put(path: &Path, lines: &[String]) {
    let text = lines.join("\n") + "\n";
    toolhatch::fsx::write_atomic(path, text.as_bytes(), 0o600).expect("written");
}

/// A log of several files, by calls that were all answered.
fn with_log() -> TestEnv {
    let env = TestEnv::new();
    env.write(env.user_config(), b"[audit]\nmax_file_size = \"6KiB\"\n");
    for _ in 0..8 {
        add(&env);
    }
    assert!(files(&env).len() >= 3, "the log has several files");
    let (code, report) = verify(&env);
    assert_eq!(
        (code, &report["whole"]),
        (Some(0), &Value::Bool(true)),
        "{report}"
    );
    env
}

/// What the verifier in another language says: true where the log is whole. Nothing where there is no Python;
/// `scripts/test` lists that.
fn python(env: &TestEnv, head: &str) -> Option<bool> {
    let output = Command::new("python3")
        .arg(root().join("examples/verify-audit/verify.py"))
        .arg(env.toolhatch_home().join("audit"))
        .args(["--head", head])
        .output();
    match output {
        Ok(output) => Some(output.status.success()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("starting python3: {error}"),
    }
}

#[test]
fn whatever_is_done_to_a_log_is_found_and_named() {
    type Attack = fn(&TestEnv);
    let attacks: [(&str, Attack); 7] = [
        ("edit", |env| {
            let file = &files(env)[1];
            let mut text = lines(file);
            let place = text
                .iter()
                .position(|line| line.contains("execution_end"))
                .expect("a call ended");
            text[place] = text[place].replace("\"outcome\":\"ok\"", "\"outcome\":\"no\"");
            put(file, &text);
        }),
        ("delete", |env| {
            let file = &files(env)[1];
            let mut text = lines(file);
            text.remove(3);
            put(file, &text);
        }),
        ("insert", |env| {
            let file = &files(env)[1];
            let mut text = lines(file);
            text.insert(3, text[2].clone());
            put(file, &text);
        }),
        ("reorder", |env| {
            let file = &files(env)[1];
            let mut text = lines(file);
            text.swap(2, 3);
            put(file, &text);
        }),
        ("truncate", |env| {
            let file = files(env).pop().expect("a file");
            let mut text = lines(&file);
            text.pop();
            text.pop();
            put(&file, &text);
        }),
        ("swap a rotated file", |env| {
            let all = files(env);
            let (one, other) = (lines(&all[0]), lines(&all[1]));
            put(&all[0], &other);
            put(&all[1], &one);
        }),
        ("strip a signature", |env| {
            let file = files(env).pop().expect("a file");
            let text: Vec<String> = lines(&file)
                .into_iter()
                .map(|line| match line.find("\"signature\":\"") {
                    Some(at) => {
                        let (before, after) = line.split_at(at + 13);
                        format!("{before}{}{}", "0".repeat(128), &after[128..])
                    }
                    None => line,
                })
                .collect();
            put(&file, &text);
        }),
    ];
    for (name, attack) in attacks {
        let env = with_log();
        let head = verify(&env).1["head"].as_str().expect("a head").to_owned();
        assert_ne!(
            python(&env, &head),
            Some(false),
            "{name}: the log is whole before"
        );
        attack(&env);
        let (code, report) = verify(&env);
        assert_eq!(code, Some(5), "{name}: {report}");
        assert_eq!(report["whole"], false, "{name}: {report}");
        assert!(!report["message"].is_null(), "{name}: {report}");
        assert_ne!(python(&env, &head), Some(true), "{name}");
    }
}

#[test]
fn yesterdays_copy_and_a_new_log_are_no_substitutes() {
    let env = with_log();
    let folder = env.toolhatch_home().join("audit");
    let copy = env.path("copy");
    let copied = |from: &Path, to: &Path| {
        let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
        assert!(status.expect("started").success());
    };
    copied(&folder, &copy);
    add(&env);
    let head = verify(&env).1["head"].as_str().expect("a head").to_owned();
    std::fs::remove_dir_all(&folder).expect("removed");
    copied(&copy, &folder);
    let (code, report) = verify(&env);
    assert_eq!(
        (code, report["fault"].as_str()),
        (Some(5), Some("behind")),
        "{report}"
    );
    assert_ne!(python(&env, &head), Some(true));
    // Nothing at all, and a new log that the next call begins.
    std::fs::remove_dir_all(&folder).expect("removed");
    let words = ["call", "adder.wasm", "--arg", "a=1", "--arg", "b=2"];
    let _ = env.run(words).output();
    env.run(["audit", "verify"]).fails_with(5, "E3109");
}

#[test]
fn one_call_tells_its_story() {
    let env = TestEnv::new();
    let call = add(&env);
    let story = env.run(["audit", "why", &call]).ok();
    for word in [
        "adder.add",
        "uid ",
        "policy said allow",
        "granted-is-allowed",
        "ok after",
    ] {
        assert!(story.stdout.contains(word), "{word}: {story}");
    }
    let calls = env.run(["calls", "list", "--json"]).ok().json();
    assert_eq!(calls["calls"][0]["call"], call.as_str(), "{calls}");
    assert_eq!(calls["calls"][0]["outcome"], "ok", "{calls}");
    let records = env
        .run(["audit", "query", "--call", &call, "--json"])
        .ok()
        .json();
    let kinds: Vec<&str> = records["records"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|record| record["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(
        kinds,
        [
            "execution_start",
            "permission_decided",
            "output_captured",
            "execution_end"
        ],
        "{records}"
    );
    let refused = env.run(["call", "none.wasm", "--json"]).output();
    let id = refused.json()["call"].as_str().map(str::to_owned);
    if let Some(id) = id {
        env.run(["audit", "why", &id]).ok();
    }
    env.run(["audit", "why", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
        .fails_with(4, "E3101");
}

#[test]
fn a_proof_can_be_checked_with_the_public_key_alone() {
    let env = TestEnv::new();
    let call = add(&env);
    let proof = env.run(["audit", "prove", &call]).ok();
    env.write("proof.json", proof.stdout.as_bytes());
    let checked = env
        .run(["audit", "check-proof", "proof.json", "--json"])
        .ok()
        .json();
    assert_eq!(checked["proved"], true, "{checked}");
    let forged = proof
        .stdout
        .replace("\\\"outcome\\\":\\\"ok\\\"", "\\\"outcome\\\":\\\"no\\\"");
    assert_ne!(forged, proof.stdout);
    env.write("forged.json", forged.as_bytes());
    let output = env.run(["audit", "check-proof", "forged.json"]).output();
    assert_eq!(output.code, Some(5), "{output}");
    // With another machine's key it proves nothing.
    let other = TestEnv::new();
    add(&other);
    other.write("proof.json", proof.stdout.as_bytes());
    let output = other.run(["audit", "check-proof", "proof.json"]).output();
    assert_eq!(output.code, Some(5), "{output}");
}

#[test]
fn without_a_record_nothing_runs() {
    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    std::fs::create_dir_all(env.toolhatch_home()).expect("created");
    // A file where the folder of the log should be.
    env.write(env.toolhatch_home().join("audit"), b"");
    let words = ["call", "adder.wasm", "--arg", "a=1", "--arg", "b=2"];
    let output = env.run(words).output();
    assert_ne!(output.code, Some(0), "{output}");
    assert!(!output.stdout.contains('3'), "{output}");
    // A project cannot switch it off.
    env.write(".toolhatch/config.toml", b"[audit]\nenabled = false\n");
    env.run(words).fails_with(2, "E3004");
}

#[test]
fn strict_calls_are_on_the_disk_when_they_are_answered() {
    use std::io::{BufRead, BufReader, Write};

    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.write(env.user_config(), b"[audit]\nstrict = true\n");
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        let (from, mut to) = std::io::pipe().expect("a pipe");
        let (answers, answered) = std::io::pipe().expect("a pipe");
        let mut child = env
            .run(["call", "--jsonl", "--unordered"])
            .spawn_with(from.into(), answered.into());
        let line = r#"{"tool": "adder.wasm", "args": {"a": 1, "b": 2}}"#;
        let text = format!("{line}\n").repeat(100);
        let writer = std::thread::spawn(move || {
            // It is killed before it has read everything.
            drop(to.write_all(text.as_bytes()));
            to
        });
        let mut answers = BufReader::new(answers);
        for _ in 0..40 {
            let mut answer = String::new();
            if answers.read_line(&mut answer).expect("readable") == 0 {
                break;
            }
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(answer["ok"], true, "{answer}");
            acknowledged.push(answer["call"].as_str().expect("an id").to_owned());
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        drop(writer.join());
    }
    // The next call finds the log as the kill left it, and goes on.
    add(&env);
    let (code, report) = verify(&env);
    assert_eq!(code, Some(0), "{report}");
    let log = env.run(["audit", "export"]).ok().stdout;
    for call in &acknowledged {
        let ended = log
            .lines()
            .any(|line| line.contains(call.as_str()) && line.contains("execution_end"));
        assert!(ended, "{call} was acknowledged and is not in the log");
    }
    assert_eq!(acknowledged.len(), 200);
}
