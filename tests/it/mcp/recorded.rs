//! What a client can read of its own calls.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::mcp_client::{Era, McpClient};
use crate::support::mcp_http::{Served, echo, hex, probing};
use crate::support::source::root;

const LIST: &str = "toolhatch://calls";

fn uri(call: &Value) -> String {
    format!("{LIST}/{}", call.as_str().expect("an id"))
}

/// The JSON in what was read.
#[track_caller]
fn content(answer: &Value) -> Value {
    let content = &answer["result"]["contents"][0];
    assert_eq!(content["mimeType"], "application/json", "{answer}");
    serde_json::from_str(content["text"].as_str().expect("text")).expect("JSON")
}

fn read(client: &mut McpClient, uri: &str) -> Value {
    client.request("resources/read", json!({"uri": uri}))
}

fn files(env: &TestEnv, more: &[&str]) -> McpClient {
    let files = root().join("plugins/dist/files.wasm");
    let mut words = vec!["mcp", "serve", files.to_str().expect("UTF-8")];
    words.extend(more);
    McpClient::start(env.run(words), Era::Stateless)
}

#[test]
fn a_client_reads_what_was_recorded_of_its_calls_and_no_more() {
    for era in Era::BOTH {
        let env = TestEnv::new();
        env.write("src/a.txt", b"s3cret content\n");
        let files = root().join("plugins/dist/files.wasm");
        let words = [
            "mcp",
            "serve",
            files.to_str().expect("UTF-8"),
            "--allow",
            "file_read=src",
        ];
        let mut client = McpClient::start(env.run(words), era);
        let listed = client.request("resources/list", json!({}));
        let resources = listed["result"]["resources"].as_array().expect("a list");
        assert!(resources.iter().any(|it| it["uri"] == LIST), "{listed}");
        let templates = client.request("resources/templates/list", json!({}));
        let of_call = &templates["result"]["resourceTemplates"][0]["uriTemplate"];
        assert_eq!(*of_call, "toolhatch://calls/{call}", "{templates}");
        let none = content(&read(&mut client, LIST));
        assert_eq!(none, json!({"calls": [], "more": false}));

        let result = client.call("files_read", json!({"path": "src/a.txt"}));
        let call = result["_meta"]["toolhatch/call"].clone();
        let told = content(&read(&mut client, &uri(&call)));
        let expected = json!([call, "files.read", "allowed", "ok"]);
        let keys = ["call", "tool", "decision", "outcome"];
        assert_eq!(
            Value::from(keys.map(|key| told[key].clone()).to_vec()),
            expected,
            "{told}"
        );
        assert!(
            told["duration_ms"].is_number() && told["began"].is_string(),
            "{told}"
        );
        assert!(told["granted"].to_string().contains("file_read="), "{told}");
        assert!(told["files"].to_string().contains("a.txt"), "{told}");
        // The digests are those of the log, and there is nothing else of what went in and came out.
        let log = env.run(["audit", "query", "--json"]).ok().stdout;
        for digest in [&told["arguments"]["sha256"], &told["result"]["sha256"]] {
            assert!(log.contains(digest.as_str().expect("a digest")), "{told}");
        }
        assert!(!told.to_string().contains("s3cret"), "{told}");
        assert_eq!(
            told["arguments"].as_object().map(serde_json::Map::len),
            Some(1),
            "{told}"
        );

        let result = client.call("files_read", json!({"path": "/etc/hostname"}));
        let denied = result["_meta"]["toolhatch/call"].clone();
        let told = content(&read(&mut client, &uri(&denied)));
        assert_eq!(told["outcome"], "error", "{told}");
        assert_eq!(told["denied"][0]["code"], "E3210", "{told}");
        let list = content(&read(&mut client, LIST));
        let ids: Vec<&Value> = list["calls"]
            .as_array()
            .expect("calls")
            .iter()
            .map(|it| &it["call"])
            .collect();
        assert_eq!(ids, [&denied, &call], "{list}");
        assert_eq!(list["calls"][1]["uri"], uri(&call), "{list}");
        let other = read(&mut client, &format!("{LIST}/01K9XJ5C8TA0F9W2V7SZ7T3QKM"));
        assert!(other["error"]["code"].is_number(), "{other}");
    }
}

#[test]
fn arguments_are_told_where_the_log_has_them_and_nothing_where_there_is_no_log() {
    let env = TestEnv::new();
    env.write(env.user_config(), b"[audit]\ninclude_arguments = true\n");
    let mut client = files(&env, &["--allow", "file_read=."]);
    let result = client.call("files_read", json!({"path": "none.txt"}));
    let told = content(&read(&mut client, &uri(&result["_meta"]["toolhatch/call"])));
    assert_eq!(
        told["arguments"]["text"], r#"{"path":"none.txt"}"#,
        "{told}"
    );

    env.write(env.user_config(), b"[audit]\nenabled = false\n");
    let mut client = files(&env, &["--allow", "file_read=."]);
    for (method, key) in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        let listed = client.request(method, json!({}));
        assert_eq!(listed["result"][key], json!([]), "{listed}");
    }
    let result = client.call("files_read", json!({"path": "none.txt"}));
    for uri in [LIST.to_owned(), uri(&result["_meta"]["toolhatch/call"])] {
        let none = read(&mut client, &uri);
        assert!(none["error"]["code"].is_number(), "{none}");
    }
}

#[test]
fn the_list_has_the_newest_hundred() {
    let env = TestEnv::new();
    let mut client = McpClient::start(env.run(["mcp", "serve", &probing()]), Era::Stateless);
    let first = client.call("probe_echo-u8", json!({"value": 1}));
    let ids: Vec<Value> = (0..100)
        .map(|_| {
            client.call("probe_echo-u8", json!({"value": 2}))["_meta"]["toolhatch/call"].clone()
        })
        .collect();
    let list = content(&read(&mut client, LIST));
    let listed = list["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|it| &it["call"]);
    assert!(listed.eq(ids.iter().rev()), "{list}");
    assert_eq!(list["more"], true);
    // It is not listed, and still known.
    let told = content(&read(&mut client, &uri(&first["_meta"]["toolhatch/call"])));
    assert_eq!(told["outcome"], "ok", "{told}");
}

#[test]
fn what_a_client_did_is_told_to_no_other() {
    let env = TestEnv::new();
    let config = format!(
        "[serve.tokens.a]\nsha256 = \"{}\"\n[serve.tokens.b]\nsha256 = \"{}\"\n",
        hex("a"),
        hex("b"),
    );
    env.write(env.user_config(), config.as_bytes());
    let served = Served::start(&env, &[&probing()]);
    let ask = |token: &str, method: &str, params: Value| {
        let header = format!("Bearer {token}");
        let name = params["uri"].as_str().unwrap_or_default().to_owned();
        let mut headers = vec![("authorization", &*header)];
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
        served.request(&headers, method, params).json()
    };
    let called = ask("a", "tools/call", echo(7));
    let call = uri(&called["result"]["_meta"]["toolhatch/call"]);
    let own = ask("a", "resources/read", json!({"uri": call}));
    assert_eq!(content(&own)["outcome"], "ok", "{own}");
    let others = ask("b", "resources/read", json!({"uri": call}));
    assert!(others["error"]["code"].is_number(), "{others}");
    let none = ask("b", "resources/read", json!({"uri": LIST}));
    assert_eq!(content(&none)["calls"], json!([]), "{none}");
    let own = ask("a", "resources/read", json!({"uri": LIST}));
    assert_eq!(content(&own)["calls"][0]["uri"], call, "{own}");
}
