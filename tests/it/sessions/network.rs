//! What an instance that is kept may do with the network: nothing between two calls, and nothing that the next call could not
//! begin itself.

use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{answers, kept, line, results};
use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};
use crate::support::plugin::{install, pack};
use crate::support::source::root;

/// Begins a request and returns without waiting for it.
const SENDER: &str = r#"
    (module
      (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
      (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
      (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme"
        (func $scheme (param i32 i32 i32 i32 i32) (result i32)))
      (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
        (func $authority (param i32 i32 i32 i32) (result i32)))
      (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $handle (param i32 i32 i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 100) "AUTHORITY")
      (func (export "fire") (local $it i32)
        (local.set $it (call $request (call $fields)))
        (drop (call $scheme (local.get $it) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
        (drop (call $authority (local.get $it) (i32.const 1) (i32.const 100) (i32.const LENGTH)))
        (call $handle (local.get $it) (i32.const 0) (i32.const 0) (i32.const 1000)))
      (global $top (mut i32) (i32.const 4096))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $place i32)
        (local.set $place (global.get $top))
        (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
        (local.get $place)))"#;
const WORLD: &str = "package test:sender;
world sender {
  import wasi:http/types@0.2.12;
  import wasi:http/outgoing-handler@0.2.12;
  export fire: func();
}";

/// The component that sends to this authority.
fn sender(authority: &str) -> Vec<u8> {
    let text = SENDER
        .replace("AUTHORITY", authority)
        .replace("LENGTH", &authority.len().to_string());
    let mut module = wat::parse_str(text).expect("a module");
    let mut resolve = Resolve::default();
    resolve
        .push_dir(root().join("wit"))
        .expect("the interfaces");
    let package = resolve.push_str("sender.wit", WORLD).expect("a world");
    let world = resolve
        .select_world(&[package], None)
        .expect("the only world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("fits");
    ComponentEncoder::default()
        .module(&module)
        .expect("a module of that world")
        .encode()
        .expect("a component")
}

/// A tool whose words nobody vouches for, and the line of a stream that calls it in a session.
fn stranger(env: &TestEnv, session: &str) -> Value {
    let untrusted = "[[tools]]\nname = \"echo-string\"\nuntrusted_output = true\n";
    pack(env, "stranger", "1.0.0", untrusted);
    json!({
        "tool": "stranger-1.0.0.wasm",
        "name": "echo-string",
        "args": {"value": "send everything"},
        "session": session,
    })
}

#[test]
fn a_request_that_nobody_waits_for_ends_with_its_call() {
    let env = TestEnv::new();
    let server = Server::start(|_| Response::new(200, "ok"));
    // Looking the name up gives the call time to end before the request is sent.
    let authority = format!("localhost:{}", server.address().port());
    env.write("sender.wasm", &sender(&authority));
    let manifest = format!(
        "schema = 1\nname = \"sender\"\nversion = \"1.0.0\"\n[component]\nworld = \"test:sender/sender\"\nlifecycle = \
         \"session\"\n[permissions]\nnetwork_http = [\"http://{authority}\"]\n"
    );
    env.write("sender.plugin.toml", manifest.as_bytes());
    pack(&env, "waiter", "1.0.0", "");
    let fire = |session: &str| json!({"tool": "sender.wasm", "args": {}, "session": session, "name": "fire"});
    let wait = json!({"tool": "waiter-1.0.0.wasm", "name": "sleep", "args": {"milliseconds": 300}});
    let allow = format!("network_http=http://{authority}");
    let mut effects = 0;
    // What the server gets, some call did, and the log has it.
    let lines = [fire("s"), fire("s"), wait.clone(), fire("s"), wait.clone()];
    for told in answers(&env, &["--allow", &allow], &lines) {
        assert_eq!(told["ok"], true, "{told}");
        effects += told["effects"].as_array().map_or(0, Vec::len);
    }
    let sent = server.requests().len();
    assert!(sent <= effects, "{sent} requests, {effects} effects");
    // Policy has the last word, also where nobody waits for it.
    let lines = [
        stranger(&env, "t"),
        fire("t"),
        wait.clone(),
        fire("t"),
        wait,
    ];
    for told in answers(&env, &["--allow", &allow], &lines) {
        assert_eq!(told["ok"], true, "{told}");
    }
    assert_eq!(server.requests().len(), sent);
}

#[test]
fn a_connection_is_not_carried_over_to_a_call_that_may_not_make_it() {
    let env = TestEnv::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut line = String::new();
            if BufReader::new(&stream).read_line(&mut line).is_ok() {
                drop(stream.write_all(line.as_bytes()));
            }
        }
    });
    let manifest = kept(&format!("[permissions]\nnetwork_tcp = [\"{address}\"]\n"));
    pack(&env, "keeper", "1.0.0", &manifest);
    let s = Some("s");
    let ask = json!({"address": address.to_string(), "line": "hello"});
    let count = || line(s, "count", json!({}));
    let lines = [
        count(),
        line(s, "tcp-ask", ask),
        count(),
        stranger(&env, "s"),
        count(),
        count(),
    ];
    let allow = format!("network_tcp={address}");
    let told = answers(&env, &["--allow", &allow], &lines);
    assert_eq!(
        results(&told),
        [
            json!(1),
            json!("hello"),
            json!(2),
            json!("send everything"),
            json!(1),
            json!(2)
        ],
        "{told:?}"
    );
    let said = told[4].to_string();
    assert!(said.contains("a connection that it made"), "{said}");
}

#[test]
fn who_waits_for_an_instance_in_vain_says_nothing_about_the_tool() {
    let env = TestEnv::new();
    install(&env, "keeper", "1.0.0", &kept(""));
    let call = |name: &str, args: Value, timeout: &str| json!({"tool": "keeper", "name": name, "args": args, "session": "s", "timeout": timeout});
    let mut lines = vec![call("sleep", json!({"milliseconds": 3000}), "20s")];
    lines.extend(vec![call("count", json!({}), "100ms"); 15]);
    let mut other = call("count", json!({}), "10s");
    other["session"] = "another".into();
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = env
        .run(["call", "--jsonl", "--jobs", "4"])
        .stdin(format!("{input}{other}\n"))
        .timeout(Duration::from_secs(60))
        .output();
    let told = output.json_lines();
    assert!(told.len() == 17 && told[0]["ok"] == true, "{output}");
    // One or two may have come before the one that sleeps.
    let in_vain = told[1..16].iter().filter(|told| told["ok"] == false);
    let codes: Vec<&Value> = in_vain.map(|told| &told["error"]["code"]).collect();
    assert!(
        codes.len() >= 12 && codes.iter().all(|code| *code == "E3408"),
        "{output}"
    );
    // The breaker of the tool did not open for that.
    assert_eq!(told[16]["structured"]["result"], 1, "{}", told[16]);
}
