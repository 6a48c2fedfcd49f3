//! Calls that fail, repeat or come too often, in one process that serves many.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::http::{Response, Server};
use crate::support::plugin::pack;
use crate::support::probe;
use crate::support::source::root;

/// The answers to these lines, in their order.
fn answers(env: &TestEnv, lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    env.run(["call", "--jsonl", "--jobs", "1"])
        .stdin(input)
        .timeout(std::time::Duration::from_secs(50))
        .output()
        .json_lines()
}

fn with_guests() -> TestEnv {
    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.write("spin.wasm", &guests::component(guests::SPIN));
    env
}

fn add(a: u32) -> Value {
    json!({"tool": "adder.wasm", "args": {"a": a, "b": 2}})
}

#[test]
fn a_tool_that_keeps_running_out_of_time_is_left_alone_and_others_go_on() {
    let env = with_guests();
    let spin = json!({"tool": "spin.wasm", "timeout": "20ms"});
    let mut lines = vec![spin; 12];
    lines.push(add(1));
    let told = answers(&env, &lines);
    let codes: Vec<&str> = told
        .iter()
        .map(|answer| answer["error"]["code"].as_str().unwrap_or("ok"))
        .collect();
    assert_eq!(codes[..10], ["E3402"; 10], "{codes:?}");
    assert_eq!(codes[10..], ["E3501", "E3501", "ok"], "{codes:?}");
    let opened = env
        .run(["audit", "query", "--type", "breaker_changed", "--json"])
        .ok()
        .json();
    assert_eq!(opened["records"][0]["tool"], "spin.spin", "{opened}");
    // It can be switched off.
    env.write(env.user_config(), b"[calls]\nbreaker = false\n");
    let told = answers(&env, &lines);
    assert_eq!(told[11]["error"]["code"], "E3402", "{}", told[11]);
}

#[test]
fn a_request_with_a_key_is_run_once() {
    let env = with_guests();
    let with_key = |a: u32, key: &str| {
        let mut line = add(a);
        line["key"] = key.into();
        line
    };
    let told = answers(
        &env,
        &[
            with_key(1, "k"),
            with_key(1, "k"),
            with_key(5, "k"),
            with_key(5, "other"),
        ],
    );
    assert_eq!(told[0]["structured"]["result"], 3);
    assert!(told[0].get("repeated").is_none(), "{}", told[0]);
    assert_eq!(told[1]["structured"]["result"], 3);
    assert_eq!(told[1]["repeated"], true, "{}", told[1]);
    assert_eq!(told[2]["error"]["code"], "E3005", "{}", told[2]);
    assert_eq!(told[3]["structured"]["result"], 7, "{}", told[3]);
}

#[test]
fn calls_that_come_too_often_are_refused() {
    let env = with_guests();
    env.write(env.user_config(), b"[calls]\nper_minute = 6\n");
    let told = answers(&env, &[add(1), add(2), add(3)]);
    assert_eq!(told[0]["ok"], true, "{}", told[0]);
    let refused = told.last().expect("an answer");
    assert_eq!(refused["error"]["code"], "E3003", "{refused}");
    assert!(
        refused["error"]["details"]["retry_after_ms"].as_u64() > Some(0),
        "{refused}"
    );
}

#[test]
fn what_only_computes_is_computed_once() {
    let env = with_guests();
    let manifest = "schema = 1\nname = \"pure\"\nversion = \"1.0.0\"\ndescription = \"Echoes\"\n\
                    [[tools]]\nname = \"echo-u8\"\ndescription = \"Echoes\"\npure = true\nidempotent = true\n";
    env.write("manifest.toml", manifest.as_bytes());
    env.run([
        "plugin",
        "pack",
        probe::file().to_str().expect("UTF-8"),
        "--manifest",
        "manifest.toml",
        "-o",
        "pure.wasm",
    ])
    .ok();
    let echo = |value: u8| json!({"tool": "pure.wasm", "args": {"value": value}});
    let told = answers(&env, &[echo(1), echo(1), echo(2)]);
    let repeated: Vec<bool> = told
        .iter()
        .map(|answer| answer["repeated"] == true)
        .collect();
    assert_eq!(repeated, [false, true, false], "{told:?}");
    assert_eq!(told[1]["structured"]["result"], 1);
}

#[test]
fn what_could_see_something_is_computed_again() {
    let env = TestEnv::new();
    let manifest = "[permissions]\nenv = [\"WORD\"]\nfile_read = [{ path = \"${workspace}\", mount = \"/workspace\" }]\n\
                    [[tools]]\nname = \"variable\"\npure = true\n[[tools]]\nname = \"read-file\"\npure = true\n";
    pack(&env, "claims", "1.0.0", manifest);
    env.write("a.txt", b"before");
    let variable = |allow: &[&str]| json!({"tool": "claims-1.0.0.wasm", "name": "variable", "args": {"name": "WORD"}, "allow": allow});
    let read = json!({"tool": "claims-1.0.0.wasm", "name": "read-file", "args": {"path": "/workspace/a.txt"}, "allow": ["file_read=."]});
    let change = json!({"tool": probe::file(), "name": "write-file", "args": {"path": "a.txt", "text": "after"}, "allow": ["file_write=."]});
    let told = answers(
        &env,
        &[
            variable(&["env=WORD=a"]),
            variable(&["env=WORD=b"]),
            read.clone(),
            change,
            read,
            variable(&[]),
            variable(&[]),
        ],
    );
    let result = |number: usize| &told[number]["structured"]["result"];
    assert_eq!(
        (result(0), result(1)),
        (&json!("a"), &json!("b")),
        "{told:?}"
    );
    assert_eq!(
        (result(2), result(4)),
        (&json!("before"), &json!("after")),
        "{told:?}"
    );
    // Where it sees nothing, it has nothing to see another time.
    assert_eq!(told[5]["structured"], told[6]["structured"], "{told:?}");
    let repeated: Vec<bool> = told.iter().map(|it| it["repeated"] == true).collect();
    assert_eq!(
        repeated,
        [false, false, false, false, false, false, true],
        "{told:?}"
    );
}

#[test]
fn what_a_shipped_tool_computes_is_computed_once() {
    let env = TestEnv::new();
    let text = root().join("plugins/dist/text.wasm");
    let line = json!({"tool": text, "name": "stats", "args": {"text": "one two"}});
    let told = answers(&env, &[line.clone(), line]);
    assert_eq!(told[0]["ok"], true, "{told:?}");
    assert_eq!(told[1]["repeated"], true, "{told:?}");
}

#[test]
fn a_service_that_keeps_failing_is_left_alone_and_others_go_on() {
    let env = TestEnv::new();
    let broken = Server::start(|_| Response::new(500, "broken"));
    let well = Server::start(|_| Response::new(200, "well"));
    let tool = probe::file().to_str().expect("UTF-8").to_owned();
    let get = |server: &Server| json!({"tool": tool, "name": "web-get", "args": {"url": server.url("/")}});
    let mut lines = vec![get(&broken); 14];
    lines.push(get(&well));
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let allow = |server: &Server| format!("network_http={}", server.url(""));
    let words = [
        "call",
        "--jsonl",
        "--jobs",
        "1",
        "--allow",
        &allow(&broken),
        "--allow",
        &allow(&well),
    ];
    let told = env
        .run(words)
        .stdin(input)
        .timeout(std::time::Duration::from_secs(50))
        .output()
        .json_lines();
    assert_eq!(broken.requests().len(), 10, "{told:?}");
    let refused = &told[10];
    let says = refused["logs"].to_string();
    assert!(
        says.contains("service:127.0.0.1") && says.contains("breaker"),
        "{refused}"
    );
    assert_eq!(told[14]["structured"]["body"], "well", "{}", told[14]);
    let opened = env
        .run(["audit", "query", "--type", "breaker_changed", "--json"])
        .ok();
    let service = opened.json()["records"][0]["data"]["service"].to_string();
    assert!(service.contains("127.0.0.1"), "{opened}");
}
