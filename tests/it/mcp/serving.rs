//! What is served besides the tools themselves: prompts and resources, a search, long results.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::mcp_client::{Era, McpClient, text};
use crate::support::probe;
use crate::support::process::Run;
use crate::support::source::root;

fn serve(env: &TestEnv, words: &[&str]) -> Run {
    env.run(["mcp", "serve"].iter().chain(words))
}

fn conformance() -> String {
    let path = root().join("plugins/dist/conformance.wasm");
    path.to_string_lossy().into_owned()
}

#[test]
fn prompts_resources_and_completions_of_a_plugin_are_served_from_its_sandbox() {
    for era in Era::BOTH {
        let env = TestEnv::new();
        let mut client = McpClient::start(serve(&env, &[&*conformance()]), era);
        let prompts = client.request("prompts/list", json!({}));
        let all = prompts["result"]["prompts"].as_array().expect("prompts");
        let names: Vec<&str> = all.iter().filter_map(|it| it["name"].as_str()).collect();
        let name = "conformance_test_prompt_with_arguments";
        assert!(names.contains(&name), "{names:?}");
        let arguments = json!({"arg1": "one", "arg2": "two"});
        let got = client.request("prompts/get", json!({"name": name, "arguments": arguments}));
        assert!(
            got["result"]["messages"].to_string().contains("one"),
            "{got}"
        );
        let missing = client.request("prompts/get", json!({"name": name, "arguments": {}}));
        assert_eq!(missing["error"]["code"], -32602, "{missing}");
        let read = client.request("resources/read", json!({"uri": "test://template/7/data"}));
        assert!(
            read["result"]["contents"][0]["text"]
                .to_string()
                .contains('7'),
            "{read}"
        );
        let none = client.request("resources/read", json!({"uri": "test://none"}));
        assert!(none["error"]["code"].is_number(), "{none}");
        let of = json!({"type": "ref/prompt", "name": name});
        let asked = json!({"ref": of, "argument": {"name": "arg1", "value": "t"}});
        let completed = client.request("completion/complete", asked);
        assert!(
            completed["result"]["completion"]["values"].is_array(),
            "{completed}"
        );
        // Each of them was a call, with its record.
        let calls = env.run(["calls", "list", "--json"]).ok();
        assert!(
            calls.stdout.contains("prompt:test_prompt_with_arguments"),
            "{calls}"
        );
        assert!(calls.stdout.contains("resource:read"), "{calls}");
    }
}

#[test]
fn past_some_number_of_tools_a_client_searches_and_calls_what_it_found() {
    let env = TestEnv::new();
    env.write(
        env.user_config(),
        b"[serve.profiles.few]\nsearch_above = 3\n",
    );
    let probe = probe::file();
    let words = [&*probe.to_string_lossy(), "--profile", "few"];
    let mut client = McpClient::start(serve(&env, &words), Era::Stateless);
    assert_eq!(client.tools(), ["search_tools", "call_tool"]);
    let found = client.call("search_tools", json!({"query": "echo u8", "limit": 3}));
    let tools = found["structuredContent"]["tools"]
        .as_array()
        .expect("tools");
    assert!((1..=3).contains(&tools.len()), "{found}");
    let is_it = |tool: &Value| tool["name"] == "probe_echo-u8";
    let tool = tools.iter().find(|tool| is_it(tool)).expect("it is found");
    assert!(
        tool["input_schema"]["properties"]["value"].is_object(),
        "{tool}"
    );
    let call = json!({"name": "probe_echo-u8", "arguments": {"value": 5}});
    let called = client.call("call_tool", call);
    assert_eq!(called["structuredContent"]["result"], 5, "{called}");
    // Its schema and the gate are the same as when it is called by its name.
    let wrong = json!({"name": "probe_echo-u8", "arguments": {"value": 500}});
    assert_eq!(client.call("call_tool", wrong)["isError"], true);
    assert_eq!(client.call("call_tool", json!({}))["isError"], true);
    assert_eq!(client.call("search_tools", json!({}))["isError"], true);
}

#[test]
fn a_long_result_is_cut_and_the_whole_of_it_can_be_read() {
    let env = TestEnv::new();
    let long = "0123456789".repeat(20_000);
    env.write("src/long.txt", long.as_bytes());
    let files = root().join("plugins/dist/files.wasm");
    let src = env.path("src").to_string_lossy().into_owned();
    let allow = format!("file_read={src}");
    let words = [&*files.to_string_lossy(), "--allow", &*allow];
    let mut client = McpClient::start(serve(&env, &words), Era::Stateless);
    let arguments = json!({"path": format!("{src}/long.txt")});
    let result = client.call("files_read", arguments);
    assert!(
        text(&result).len() < 100_000 && text(&result).contains("left out"),
        "{result}"
    );
    let blocks = result["content"].as_array().expect("content");
    let link = blocks.iter().find(|block| block["type"] == "resource_link");
    let uri = &link.expect("a link")["uri"];
    let read = client.request("resources/read", json!({"uri": uri}));
    let whole = read["result"]["contents"][0]["text"]
        .as_str()
        .expect("text");
    assert!(whole.contains(&long), "{} bytes", whole.len());
    let other = format!("{}0", uri.as_str().expect("a URI"));
    let none = client.request("resources/read", json!({"uri": other}));
    assert!(none["error"]["code"].is_number(), "{none}");
}
