//! `call --jsonl`: many calls in one process.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe;
use crate::support::process::Run;

/// A line that calls a function of the probe.
fn line(id: u64, function: &str, arguments: Value) -> String {
    let line = json!({"id": id, "tool": probe::file(), "name": function, "args": arguments});
    format!("{line}\n")
}

fn calls(env: &TestEnv, words: &[&str], input: impl Into<Vec<u8>>) -> Run {
    let start = ["call", "--jsonl"];
    env.run(start.iter().chain(words))
        .stdin(input)
        .timeout(Duration::from_secs(55))
}

fn ids(lines: &[Value]) -> Vec<u64> {
    lines
        .iter()
        .map(|line| line["id"].as_u64().expect("its id"))
        .collect()
}

#[test]
fn answers_come_in_the_order_of_the_lines() {
    let env = TestEnv::new();
    // The first takes longest.
    let sleep = |id: u64| line(id, "sleep", json!({"milliseconds": 400 - 100 * id}));
    let input: String = (0..4).map(sleep).collect();
    let output = calls(&env, &["--jobs", "4"], input).ok();
    assert_eq!(ids(&output.json_lines()), [0, 1, 2, 3], "{output}");
}

#[test]
fn unordered_answers_come_as_they_are_ready() {
    let env = TestEnv::new();
    let mut input = line(0, "sleep", json!({"milliseconds": 3000}));
    input.push_str(&line(1, "echo-u8", json!({"value": 1})));
    let running = calls(&env, &["--jobs", "2", "--unordered"], input).start();
    // Only the second is there; the first has three seconds to go.
    running.wait_for("\"id\":1");
    let output = running.finish().ok();
    assert_eq!(ids(&output.json_lines()), [1, 0], "{output}");
}

#[test]
fn a_bad_line_has_an_answer_and_the_next_one_is_read() {
    let env = TestEnv::new();
    let good = line(7, "echo-u8", json!({"value": 7}));
    let file = serde_json::to_string(&probe::file()).expect("a string");
    let bad: Vec<(Vec<u8>, &str)> = vec![
        (b"nonsense".to_vec(), "E3301"),
        (b"{".to_vec(), "E3301"),
        (b"[]".to_vec(), "E3301"),
        (b"{}".to_vec(), "E3301"),
        (b"\xff\xfe".to_vec(), "E3301"),
        (b"{\"tool\": 5}".to_vec(), "E3301"),
        (b"{\"tool\": \"a\", \"tool\": \"b\"}".to_vec(), "E3301"),
        (
            format!("{{\"tool\": {file}, \"nam\": \"echo-u8\"}}").into_bytes(),
            "E3301",
        ),
        (
            format!("{{\"tool\": {file}, \"name\": \"echo-u8\", \"args\": []}}").into_bytes(),
            "E3301",
        ),
        (
            format!("{{\"tool\": {file}, \"name\": \"echo-u8\", \"args\": {{\"value\": 256}}}}")
                .into_bytes(),
            "E3301",
        ),
        (
            format!("{{\"tool\": {file}, \"name\": \"none\"}}").into_bytes(),
            "E3101",
        ),
        (format!("{{\"tool\": {file}}}").into_bytes(), "E3101"),
        (b"{\"tool\": \"missing.wasm\"}".to_vec(), "E3101"),
        (b"{\"tool\": \"\"}".to_vec(), "E3004"),
        (
            format!("{{\"tool\": {file}, \"name\": \"spin\", \"timeout\": \"soon\"}}").into_bytes(),
            "E3004",
        ),
        (
            format!("{{\"tool\": {file}, \"name\": \"spin\", \"allow\": [\"nothing\"]}}")
                .into_bytes(),
            "E3004",
        ),
        (b"[".repeat(100_000), "E3301"),
    ];
    let mut input = Vec::new();
    for (line, _) in &bad {
        input.extend_from_slice(line);
        input.push(b'\n');
        input.extend_from_slice(good.as_bytes());
        // Empty lines are nothing.
        input.extend_from_slice(b"\n   \n");
    }
    let output = calls(&env, &["--jobs", "1"], input).output();
    assert_eq!(
        output.code,
        Some(2),
        "the exit is that of the first line that failed\n{output}"
    );
    let answers = output.json_lines();
    assert_eq!(answers.len(), bad.len() * 2, "{output}");
    for ((line, code), answers) in bad.iter().zip(answers.chunks(2)) {
        let line = String::from_utf8_lossy(&line[..line.len().min(100)]);
        assert_eq!(answers[0]["ok"], false, "{line}");
        assert_eq!(answers[0]["error"]["code"], *code, "{line}: {}", answers[0]);
        assert_eq!(
            answers[1]["structured"]["result"], 7,
            "after {line}: {}",
            answers[1]
        );
    }
}

#[test]
fn a_line_of_a_hundred_megabytes_is_refused_and_the_next_one_is_read() {
    let env = TestEnv::new();
    let mut input = b"{\"tool\": \"".to_vec();
    input.resize(100 << 20, b'x');
    input.push(b'\n');
    input.extend(line(7, "echo-u8", json!({"value": 7})).into_bytes());
    let output = calls(&env, &[], input).fails_with(2, "E3301");
    let answers = output.json_lines();
    let message = answers[0]["error"]["message"].to_string();
    assert!(message.contains("longer than 64 MiB"), "{output}");
    assert_eq!(answers[1]["structured"]["result"], 7, "{output}");
}

#[test]
fn one_guest_that_runs_away_does_not_hold_the_others_up() {
    let env = TestEnv::new();
    let bomb =
        json!({"tool": guests::wat("take-memory"), "name": "give-up", "args": {"touch": true}});
    let spin = json!({"id": 1000, "tool": probe::file(), "name": "spin", "timeout": "3s"});
    let compiling = guests::component(&big_component(300));
    env.write("big.wasm", &compiling);
    let big = json!({"tool": "big.wasm", "name": "run"});
    let mut input = format!("{spin}\n{bomb}\n{big}\n");
    for id in 0..300 {
        input.push_str(&line(id, "echo-u32", json!({"value": id})));
    }
    let running = calls(&env, &["--jobs", "8", "--unordered"], input).start();
    running.wait_for("\"id\":299");
    let output = running.finish();
    assert_eq!(
        output.code,
        Some(124),
        "the first line that failed is the one that span\n{output}"
    );
    let answers = output.json_lines();
    assert_eq!(answers.len(), 303, "{output}");
    let answered = answers
        .iter()
        .filter(|answer| answer["id"].is_u64() && answer["structured"]["result"] == answer["id"])
        .count();
    assert_eq!(answered, 300, "{output}");
    let last = answers.last().expect("answers");
    assert_eq!(
        (&last["id"], &last["error"]["code"]),
        (&json!(1000), &json!("E3402")),
        "the others did not wait for it\n{output}"
    );
    let codes: Vec<&Value> = answers
        .iter()
        .map(|answer| &answer["error"]["code"])
        .filter(|code| !code.is_null())
        .collect();
    assert!(
        codes.contains(&&json!("E3403")) && codes.len() == 2,
        "{codes:?}"
    );
}

/// A component with so many functions that compiling it takes a while.
fn big_component(functions: usize) -> String {
    let body =
        "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 31)) (i32.const 7)))".repeat(100);
    let functions: String = (0..functions)
        .map(|number| format!("(func $f{number} (param i32) (result i32) {body} (local.get 0))"))
        .collect();
    format!(
        "(component (core module $m {functions} (func (export \"run\") (result i32) (call $f0 (i32.const 1)))) \
         (core instance $i (instantiate $m)) \
         (func (export \"run\") (result u32) (canon lift (core func $i \"run\"))))"
    )
}

#[test]
fn grants_hold_for_their_own_line() {
    let env = TestEnv::new();
    env.write("a/x.txt", b"of a");
    env.write("b/x.txt", b"of b");
    let read = |id: u64, path: &str, allow: &[&str]| {
        let line = json!({
            "id": id, "tool": probe::file(), "name": "read-file", "args": {"path": path}, "allow": allow,
        });
        format!("{line}\n")
    };
    let input = [
        read(0, "a/x.txt", &[]),
        read(1, "b/x.txt", &["file_read=b"]),
        read(2, "b/x.txt", &[]),
        read(3, "a/x.txt", &["file_read=b"]),
    ]
    .concat();
    let output = calls(&env, &["--allow", "file_read=a"], input).output();
    let answers = output.json_lines();
    let results: Vec<&Value> = answers
        .iter()
        .map(|answer| &answer["structured"]["result"])
        .collect();
    assert_eq!(
        results,
        [&json!("of a"), &json!("of b"), &Value::Null, &json!("of a")],
        "{output}"
    );
    assert_eq!(answers[2]["denials"][0]["code"], "E3210", "{output}");
}

#[test]
fn an_interrupt_ends_all_calls() {
    let env = TestEnv::new();
    let mut input = line(1, "echo-u8", json!({"value": 1}));
    for id in 2..6 {
        input.push_str(
            &line(id, if id % 2 == 0 { "spin" } else { "sleep" }, json!({})).replace(
                "\"sleep\",\"args\":{}",
                "\"sleep\",\"args\":{\"milliseconds\":60000}",
            ),
        );
    }
    let running = calls(&env, &["--jobs", "8", "--timeout", "45s"], input).start();
    running.wait_for("\"id\":1");
    running.signal(Signal::INT);
    let output = running.finish();
    assert_eq!(output.code, Some(130), "{output}");
    assert!(output.elapsed < Duration::from_secs(30), "{output}");
}

#[test]
fn interrupted_calls_have_an_answer_and_an_end_in_the_log() {
    for signal in [Signal::INT, Signal::TERM] {
        let env = TestEnv::new();
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("bound").to_string();
        let asks = json!({"address": address, "line": "hello"});
        let mut input = line(1, "tcp-ask", asks);
        input.push_str(&line(2, "sleep", json!({"milliseconds": 60000})));
        // There is no place for it.
        input.push_str(&line(3, "echo-u8", json!({"value": 3})));
        let allow = format!("network_tcp={address}");
        let words = ["--jobs", "2", "--timeout", "45s", "--allow", &allow];
        let running = calls(&env, &words, input).start();
        // Nobody answers.
        let _connection = server.accept().expect("a connection");
        running.signal(signal);
        let output = running.finish();
        assert_eq!(output.code, Some(130), "{output}");
        assert!(output.elapsed < Duration::from_secs(30), "{output}");
        let answers = output.json_lines();
        assert_eq!(ids(&answers), [1, 2], "{output}");
        let found = env.run(["audit", "query", "--json"]).ok().json();
        let records = found["records"].as_array().expect("a list");
        for answer in &answers {
            assert_eq!(answer["error"]["code"], "E3703", "{output}");
            let end = records
                .iter()
                .find(|it| it["call"] == answer["call"] && it["type"] == "execution_end");
            let end = &end.expect("its end")["data"];
            assert_eq!(end["code"], "E3703", "{end}");
        }
        let touched = records.iter().find(|it| it["type"] == "network_touched");
        assert_eq!(touched.expect("it is there")["call"], answers[0]["call"]);
    }
}

#[test]
fn calls_whose_answers_nobody_takes_have_an_end_in_the_log() {
    let env = TestEnv::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("bound").to_string();
    let allow = format!("network_tcp={address}");
    let (from, mut to) = std::io::pipe().expect("a pipe");
    let (answers, answered) = std::io::pipe().expect("a pipe");
    let words = ["call", "--jsonl", "--unordered", "--allow", &allow];
    let mut child = env.run(words).spawn_with(from.into(), answered.into());
    let asks = json!({"address": address, "line": "hello"});
    to.write_all(line(1, "tcp-ask", asks).as_bytes())
        .expect("taken");
    let _connection = server.accept().expect("a connection");
    drop(answers);
    // The answer to this one finds out.
    to.write_all(line(2, "echo-u8", json!({"value": 1})).as_bytes())
        .expect("taken");
    child.wait().expect("it ends");
    let found = env.run(["audit", "query", "--json"]).ok().json();
    let records = found["records"].as_array().expect("a list");
    let touched = records.iter().find(|it| it["type"] == "network_touched");
    let call = &touched.expect("it is there")["call"];
    let end = records
        .iter()
        .find(|it| &it["call"] == call && it["type"] == "execution_end");
    assert_eq!(end.expect("its end")["data"]["code"], "E3703");
}

#[test]
fn usage_that_makes_no_sense_is_refused() {
    let env = TestEnv::new();
    calls(&env, &["--jobs", "0"], "").fails_with(2, "E3004");
    for words in [
        &["--jobs", "x"][..],
        &["--arg", "a=1"],
        &["x.wasm"],
        &["--dry-run"],
        &["--timeout", "soon"],
    ] {
        let output = calls(&env, words, "").output();
        assert_eq!(output.code, Some(2), "{words:?}: {output}");
    }
    let output = env.run(["call", "--unordered", "x.wasm"]).output();
    assert_eq!(output.code, Some(2), "{output}");
    let output = calls(&env, &[], "").ok();
    assert_eq!(output.stdout, "");
    // The last line need not end.
    let last = line(1, "echo-u8", json!({"value": 1}));
    let output = calls(&env, &[], last.trim_end()).ok();
    assert_eq!(output.json_lines().len(), 1, "{output}");
}
