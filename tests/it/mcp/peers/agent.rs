//! A whole agent, whose model says what it was told to, calls a plugin in our sandbox.

use serde_json::{Value, json};

use super::{PATIENCE, Peers, dist, places, with_source};
use crate::support::env::TestEnv;
use crate::support::process::Running;

/// The first thing a model says is a call; what it says of the result shows that it has seen it.
const MODEL: &str = r#"
rules:
  - name: answer
    when: {messages_contain: "Score 100 of 100"}
    respond: {content: "The score is 100."}
  - name: explain
    when: {messages_contain: "E3210: reading"}
    respond: {content: "I may not read that."}
  - name: call
    when: {messages_contain: "analyse the sources"}
    respond: {tool_calls: [{name: mcp__toolhatch__analyze-code, arguments: {path: src}}]}
"#;

/// A model behind the API of OpenAI, and its URL.
fn model(peers: &Peers, env: &TestEnv) -> (Running, String) {
    env.write("../model.yaml", MODEL.as_bytes());
    let words = ["serve", "--port", "0", "--config", "../model.yaml"];
    let program = peers.path("python/bin/fakellm");
    let running = env.program(program, words).timeout(PATIENCE).start();
    running.wait_for("Uvicorn running on ");
    let shown = running.shown();
    let at = shown.split("Uvicorn running on ").nth(1).expect("its URL");
    let url = at.split_whitespace().next().expect("its URL").to_owned();
    (running, url)
}

/// What Qwen Code prints when it is asked this, with our server among its own.
fn ask(peers: &Peers, env: &TestEnv, serve: &[&str], question: &str) -> Vec<Value> {
    let (_model, url) = model(peers, env);
    let variables: Value = places(env)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .collect();
    let settings = json!({
        "mcpServers": {"toolhatch": {
            "command": env!("CARGO_BIN_EXE_toolhatch"),
            "args": serve,
            "env": variables,
            "trust": true,
        }},
        "security": {"auth": {"selectedType": "openai"}},
        "general": {"disableAutoUpdate": true},
        "privacy": {"usageStatisticsEnabled": false},
    });
    let settings = settings.to_string();
    env.write("../home/.qwen/settings.json", settings.as_bytes());
    let script = peers.path("qwen-code/cli-entry.js");
    let words = ["-p", question, "--yolo", "--output-format", "json"];
    let output = peers
        .run(env, &script, &words)
        .env("OPENAI_BASE_URL", &format!("{url}/v1"))
        .env("OPENAI_API_KEY", "none")
        .env("OPENAI_MODEL", "none")
        .ok();
    let messages = output.json();
    messages.as_array().expect("a list").clone()
}

fn find<'a>(messages: &'a [Value], kind: &str) -> &'a Value {
    let found = messages.iter().find(|message| message["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}: {messages:?}"))
}

#[test]
fn an_agent_calls_a_plugin_and_tells_what_it_says() {
    let Some(peers) = Peers::get() else { return };
    let env = with_source();
    let plugin = dist("analyze-code.wasm");
    let serve = ["mcp", "serve", &plugin, "--allow", "file_read=src"];
    let messages = ask(&peers, &env, &serve, "analyse the sources");
    let began = find(&messages, "system");
    assert_eq!(began["mcp_servers"][0]["status"], "connected", "{began}");
    let tools = began["tools"].as_array().expect("a list");
    let ours: Vec<&str> = tools
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| name.contains("toolhatch"))
        .collect();
    assert_eq!(ours, ["mcp__toolhatch__analyze-code"]);
    let result = &find(&messages, "user")["message"]["content"][0];
    assert_eq!(result["is_error"], false, "{result}");
    let text = result["content"].as_str().expect("a text");
    assert!(text.contains("Score 100 of 100"), "{result}");
    assert_eq!(find(&messages, "result")["result"], "The score is 100.");
    let calls = env.run(["calls", "list", "--json"]).ok();
    assert!(calls.stdout.contains("analyze-code"), "{calls}");
}

#[test]
fn an_agent_is_told_what_it_may_not() {
    let Some(peers) = Peers::get() else { return };
    let env = with_source();
    let plugin = dist("analyze-code.wasm");
    let messages = ask(
        &peers,
        &env,
        &["mcp", "serve", &plugin],
        "analyse the sources",
    );
    let result = &find(&messages, "user")["message"]["content"][0];
    let text = result["content"].to_string();
    assert!(text.contains("E3210: reading"), "{result}");
    assert_eq!(find(&messages, "result")["result"], "I may not read that.");
    let calls = env.run(["calls", "list", "--json"]).ok();
    assert!(calls.stdout.contains("E3210"), "{calls}");
}
