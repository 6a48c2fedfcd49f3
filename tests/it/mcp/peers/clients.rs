//! Clients that others wrote, which drive our server over both of its transports.

use serde_json::Value;

use super::{PATIENCE, Peers, Served, dist, fixture, places, with_source};
use crate::support::env::TestEnv;
use crate::support::process::Output;

const INSPECTOR: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";
/// What they are shown.
const BINARY: &str = env!("CARGO_BIN_EXE_toolhatch");

/// What the Inspector prints, asked in one way of talking.
fn inspect(peers: &Peers, env: &TestEnv, era: &str, words: &[&str], target: &[&str]) -> Output {
    let mut all = vec!["--cli".to_owned()];
    for (name, value) in places(env) {
        all.extend(["-e".to_owned(), format!("{name}={value}")]);
    }
    let fixed = ["--protocol-era", era, "--format", "json"];
    let rest = fixed.iter().chain(words).chain(target);
    all.extend(rest.map(|word| (*word).to_owned()));
    let words: Vec<&str> = all.iter().map(String::as_str).collect();
    let script = peers.package(INSPECTOR);
    peers.run(env, &script, &words).output()
}

#[test]
fn the_inspector_finds_no_fault_and_calls_a_plugin() {
    let Some(peers) = Peers::get() else { return };
    let env = with_source();
    let files = [
        "analyze-code.wasm",
        "files.wasm",
        "python-run.wasm",
        "shell.wasm",
    ]
    .map(dist);
    let mut serve = vec!["mcp", "serve"];
    serve.extend(files.iter().map(String::as_str));
    serve.extend(["--allow", "file_read=src"]);
    let served = Served::start(&env, &serve[2..]);
    let url = served.url.clone();
    let mut started = vec![BINARY];
    started.extend(&serve);
    let called = [url.as_str(), "--transport", "http"];
    for era in ["legacy", "modern"] {
        for target in [&started[..], &called] {
            let strict = ["--method", "tools/list", "--strict"];
            let listed = inspect(&peers, &env, era, &strict, target).ok();
            assert!(listed.stderr.contains("0 errors"), "{listed}");
            let tools = listed.json()["result"]["tools"].clone();
            let names: Vec<&str> = tools
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|tool| tool["name"].as_str())
                .collect();
            assert!(names.contains(&"analyze-code"), "{listed}");
            assert!(names.contains(&"files_read"), "{listed}");

            let call = ["--method", "tools/call", "--tool-name", "analyze-code"];
            let words: Vec<&str> = call
                .iter()
                .copied()
                .chain(["--tool-args-json", "{\"path\": \"src\"}"])
                .collect();
            let result = inspect(&peers, &env, era, &words, target).ok().json()["result"].clone();
            assert_eq!(result["structuredContent"]["score"], 100, "{result}");
            let words: Vec<&str> = call
                .iter()
                .copied()
                .chain(["--tool-args-json", "{\"path\": \"/etc\"}"])
                .collect();
            let refused = inspect(&peers, &env, era, &words, target);
            assert_eq!(
                refused.json()["result"]["_meta"]["toolhatch/error"],
                "E3210",
                "{refused}"
            );
        }
    }
    let calls = env.run(["calls", "list", "--json"]).ok();
    assert!(calls.stdout.contains("analyze-code"), "{calls}");
}

/// What a client on an SDK for Python saw.
fn drives(environment: &str, script: &str, protocol: &str) {
    let Some(peers) = Peers::get() else { return };
    let env = with_source();
    let files = ["analyze-code.wasm", "conformance.wasm"].map(dist);
    let serve = [&*files[0], &files[1], "--allow", "file_read=src"];
    let served = Served::start(&env, &serve);
    let url = served.url.clone();
    let python = peers.path(format!("{environment}/bin/python"));
    let script = fixture(script);
    let mut started = vec![BINARY, "mcp", "serve"];
    started.extend(serve);
    for target in [&started[..], &[&url]] {
        let words = [script.as_str()].into_iter().chain(target.iter().copied());
        let output = env.program(&python, words).timeout(PATIENCE).ok();
        let seen: Value = output.json();
        assert_eq!(seen["protocol"], protocol, "{output}");
        assert_eq!(seen["server"]["name"], "toolhatch", "{output}");
        let tools = seen["tools"].as_array().expect("a list");
        assert!(tools.contains(&"analyze-code".into()), "{output}");
        assert_eq!(seen["structured"]["structuredContent"]["score"], 100.0);
        assert_eq!(seen["structured"]["isError"], false);
        let blocks = seen["content"]["content"].as_array().expect("a list");
        let kinds: Vec<&Value> = blocks.iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["text", "image", "resource"], "{output}");
        for (what, code) in [("error", "E3401"), ("refused", "E3210")] {
            assert_eq!(seen[what]["isError"], true, "{output}");
            let text = seen[what]["content"][0]["text"].as_str().expect("a text");
            assert!(text.starts_with(code), "{output}");
        }
        let prompt = seen["prompt"]["messages"].to_string();
        assert!(
            prompt.contains("eins") && prompt.contains("zwei"),
            "{output}"
        );
        let resource = &seen["resource"]["contents"][0];
        assert_eq!(resource["uri"], "test://static-text", "{output}");
        assert!(resource["text"].is_string(), "{output}");
    }
}

#[test]
fn the_python_sdk_of_today_drives_it() {
    drives("python", "client.py", "2026-07-28");
}

#[test]
fn the_python_sdk_of_before_drives_it() {
    drives("python-1", "client-1.py", "2025-11-25");
}
