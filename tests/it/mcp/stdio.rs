//! The server over standard input and output.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::mcp_client::{Era, McpClient, handshake, text};
use crate::support::probe;
use crate::support::process::Run;
use crate::support::procfs::peak_memory;
use crate::support::source::root;

fn dist(name: &str) -> String {
    let path = root().join("plugins/dist").join(name);
    path.to_string_lossy().into_owned()
}

fn serve(env: &TestEnv, words: &[&str]) -> Run {
    env.run(["mcp", "serve"].iter().chain(words))
}

/// A server of the probe, with this allowed.
fn probing(env: &TestEnv, era: Era, words: &[&str]) -> McpClient {
    let file = probe::file();
    let file = file.to_string_lossy();
    let words: Vec<&str> = std::iter::once(&*file)
        .chain(words.iter().copied())
        .collect();
    McpClient::start(serve(env, &words), era)
}

#[test]
fn a_tool_is_listed_and_called_in_both_eras() {
    for era in Era::BOTH {
        let env = TestEnv::new();
        env.write("src/lib.rs", b"fn main() {}\n");
        let words = [&*dist("analyze-code.wasm"), "--allow", "file_read=src"];
        let mut client = McpClient::start(serve(&env, &words), era);
        let answer = client.request("tools/list", json!({}));
        let tool = &answer["result"]["tools"][0];
        assert_eq!(tool["name"], "analyze-code", "{answer}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert!(tool["outputSchema"]["properties"].is_object(), "{tool}");
        let hints = json!({
            "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false,
        });
        assert_eq!(tool["annotations"], hints, "{tool}");
        let result = client.call("analyze-code", json!({"path": "src"}));
        assert!(text(&result).contains("Score"), "{result}");
        assert!(result["structuredContent"]["score"].is_number(), "{result}");
        assert!(client.close().success());
    }
}

#[test]
fn what_is_not_granted_is_refused_with_a_sentence_for_the_model_and_recorded() {
    for era in Era::BOTH {
        let env = TestEnv::new();
        env.write("src/lib.rs", b"fn main() {}\n");
        let words = [&*dist("analyze-code.wasm")];
        let mut client = McpClient::start(serve(&env, &words), era);
        let result = client.call("analyze-code", json!({"path": "src"}));
        assert_eq!(result["isError"], true, "{result}");
        assert!(text(&result).starts_with("E3210: "), "{result}");
        assert_eq!(result["_meta"]["toolhatch/error"], "E3210", "{result}");
        let call = result["_meta"]["toolhatch/call"].as_str().expect("an id");
        // It is in the log by the time the client knows of it.
        let shown = env.run(["calls", "show", call, "--json"]).ok();
        assert!(shown.stdout.contains("E3210"), "{shown}");
        assert!(shown.stdout.contains("mcp/tests"), "{shown}");
        client.close();
    }
}

#[test]
fn arguments_that_do_not_fit_are_the_models_to_mend_and_an_unknown_tool_is_the_clients() {
    let env = TestEnv::new();
    let mut client = McpClient::start(serve(&env, &[&*dist("files.wasm")]), Era::Handshake);
    let result = client.call("files_read", json!({"path": 7}));
    assert_eq!(result["isError"], true, "{result}");
    assert!(text(&result).contains("/path"), "{result}");
    let answer = client.request("tools/call", json!({"name": "files_reed", "arguments": {}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("files_read"), "{answer}");
    // By its id it is known as well.
    let result = client.call("files.read", json!({"path": 7}));
    assert_eq!(result["isError"], true, "{result}");
}

#[test]
fn every_block_of_content_passes_through() {
    let env = TestEnv::new();
    let mut client = probing(&env, Era::Stateless, &[]);
    let result = client.call("probe_echo-string", json!({"value": "größe\u{0}\u{1f600}"}));
    let said = "größe\u{0}\u{1f600}";
    assert_eq!(
        result["structuredContent"],
        json!({"result": said}),
        "{result}"
    );
}

#[test]
fn only_the_tools_that_were_chosen_are_there_in_a_steady_order() {
    let env = TestEnv::new();
    let files = dist("files.wasm");
    let mut all = McpClient::start(serve(&env, &[&*files]), Era::Stateless);
    let tools = all.tools();
    let mut sorted = tools.clone();
    sorted.sort();
    assert_eq!(tools, sorted);
    assert_eq!(all.tools(), tools);
    let words = [&*files, "--tools", "files.read", "--tools", "files.se*"];
    let mut some = McpClient::start(serve(&env, &words), Era::Stateless);
    assert_eq!(some.tools(), ["files_read", "files_search"]);
    let answer = some.request(
        "tools/call",
        json!({"name": "files_write", "arguments": {}}),
    );
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[test]
fn what_is_installed_is_served_and_a_client_is_told_when_it_changes() {
    for era in Era::BOTH {
        let env = TestEnv::new();
        let mut client = McpClient::start(serve(&env, &[]), era);
        assert_eq!(client.tools(), ["sandbox_run", "load_plugin"]);
        if era == Era::Stateless {
            client.begin(
                "subscriptions/listen",
                json!({"notifications": {"toolsListChanged": true}}),
            );
            let told = client.next_message();
            let method = "notifications/subscriptions/acknowledged";
            assert_eq!(told["method"], method, "{told}");
        }
        let file = dist("files.wasm");
        env.run(["plugin", "install", &file]).ok();
        let told = client.next_message();
        let method = "notifications/tools/list_changed";
        assert_eq!(told["method"], method, "{told}");
        assert!(client.tools().contains(&"files_read".to_owned()));
    }
}

#[test]
fn progress_and_messages_come_before_the_answer_where_they_are_wanted() {
    let env = TestEnv::new();
    env.write("src/lib.rs", b"fn main() {}\n");
    let words = [&*dist("analyze-code.wasm"), "--allow", "file_read=src"];
    let methods = |client: &McpClient| -> Vec<String> {
        let told = client.notifications.iter();
        told.map(|message| message["method"].as_str().expect("a method").to_owned())
            .collect()
    };
    let call =
        |meta: Value| json!({"name": "analyze-code", "arguments": {"path": "src"}, "_meta": meta});
    for era in Era::BOTH {
        let mut client = McpClient::start(serve(&env, &words), era);
        let log = json!({"io.modelcontextprotocol/logLevel": "info", "progressToken": "p-1"});
        client.request("tools/call", call(log));
        let told = methods(&client);
        assert!(
            told.contains(&"notifications/progress".to_owned()),
            "{told:?}"
        );
        assert!(
            told.contains(&"notifications/message".to_owned()),
            "{told:?}"
        );
        let progress = client
            .notifications
            .iter()
            .find(|message| message["method"] == "notifications/progress");
        let token = &progress.expect("some")["params"]["progressToken"];
        assert_eq!(token, "p-1");
    }
    let mut client = McpClient::start(serve(&env, &words), Era::Stateless);
    client.request("tools/call", call(json!({})));
    assert_eq!(methods(&client), Vec::<String>::new());
    let mut client = McpClient::start(serve(&env, &words), Era::Handshake);
    client.request("logging/setLevel", json!({"level": "error"}));
    client.request("tools/call", call(json!({})));
    assert_eq!(methods(&client), Vec::<String>::new());
}

#[test]
fn a_cancelled_call_stops_its_guest() {
    for era in Era::BOTH {
        let env = TestEnv::new();
        env.write("spin.wasm", &guests::component(guests::SPIN));
        let mut client = McpClient::start(serve(&env, &["spin.wasm", "--timeout", "50s"]), era);
        let began = Instant::now();
        let spinning = client.begin("tools/call", json!({"name": "spin", "arguments": {}}));
        // The server reads in order: by the time this is answered the call has begun.
        client.tools();
        client.send(&json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": spinning},
        }));
        let ended = loop {
            let shown = env.run(["calls", "list", "--json"]).ok();
            if shown.stdout.contains("E3703") {
                break Instant::now();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{shown}");
        };
        assert!(ended - began < Duration::from_secs(30));
        assert!(client.close().success());
    }
}

#[test]
fn a_client_that_goes_takes_its_calls_with_it() {
    let env = TestEnv::new();
    env.write("spin.wasm", &guests::component(guests::SPIN));
    let mut client = McpClient::start(
        serve(&env, &["spin.wasm", "--timeout", "50s"]),
        Era::Handshake,
    );
    client.begin("tools/call", json!({"name": "spin", "arguments": {}}));
    client.tools();
    let began = Instant::now();
    assert!(client.close().success());
    assert!(began.elapsed() < Duration::from_secs(20));
    let shown = env.run(["calls", "list", "--json"]).ok();
    assert!(shown.stdout.contains("E3703"), "{shown}");
}

#[test]
fn requests_that_were_piped_in_are_answered() {
    let env = TestEnv::new();
    let line = |value: Value| format!("{value}\n");
    let mut input = line(
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": handshake("2025-06-18", json!({}))}),
    );
    let params = json!({"name": "probe_echo-u8", "arguments": {"value": 5}});
    input.push_str(&line(
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}),
    ));
    // More than are worked on at once.
    for id in 3..3000 {
        input.push_str(&line(json!({"jsonrpc": "2.0", "id": id, "method": "ping"})));
    }
    let file = probe::file();
    let output = serve(&env, &[&*file.to_string_lossy()]).stdin(input).ok();
    let mut answers = output.json_lines();
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert!(
        answers.iter().map(|answer| &answer["id"]).eq(1..3000),
        "{output}"
    );
    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answers[1]["result"]["structuredContent"]["result"], 5);
}

#[test]
fn lines_that_are_no_messages_are_answered_and_the_next_one_is_read() {
    let env = TestEnv::new();
    let file = probe::file();
    let run = serve(&env, &[&*file.to_string_lossy()]);
    let mut client = McpClient::start_silent(run, Era::Stateless);
    // What makes no sense before the first request ends nothing.
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    client.send(&json!({"jsonrpc": "2.0", "id": 9, "result": {}}));
    let repeated: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}";
    for line in [
        &b"hello"[..],
        b"\xff\xfe{",
        b"{\"jsonrpc\": \"2.0\"",
        repeated,
    ] {
        client.send_line(line);
        let answer = client.next_message();
        assert_eq!(answer["error"]["code"], -32700, "{answer}");
    }
    client.send_line(b"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":7}");
    let answer = client.next_message();
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert_eq!(answer["id"], "x", "{answer}");
    let mut long = br#"{"jsonrpc":"2.0","id":3,"method":"ping","params":{"a":""#.to_vec();
    long.resize(100_000_000, b'x');
    let before = peak_memory(client.pid());
    client.send_line(&long);
    let answer = client.next_message();
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    // As much as a message may have, and by no means all of it.
    let grown = peak_memory(client.pid()) - before;
    assert!(grown < 80_000_000, "{grown} bytes more");
    let answer = client.request("no/such", json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let result = client.call("probe_echo-u8", json!({"value": 3}));
    assert_eq!(result["structuredContent"]["result"], 3, "{result}");
}

#[test]
fn nothing_but_the_protocol_reaches_standard_output() {
    let env = TestEnv::new();
    env.write(
        env.user_config(),
        b"[audit]\nstdout = true\n[log]\nlevel = \"trace\"\n",
    );
    let mut client = probing(&env, Era::Handshake, &[]);
    client.call("probe_echo-u8", json!({"value": 3}));
    // Each line was a message, or reading it would have failed.
    assert!(
        client
            .notifications
            .iter()
            .all(|told| told["jsonrpc"] == "2.0")
    );
    let refused = env.run(["mcp", "serve", "--json"]).output();
    refused.fails_with(2, "E3004");
}
