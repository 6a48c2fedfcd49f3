//! What a plugin has: every kind of content from its tools, prompts, resources and completions, through the binary and with
//! the plugin that the conformance suite takes.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::process::Run;
use crate::support::source::root;

fn plugin() -> String {
    let plugin = root().join("plugins/dist/conformance.wasm");
    plugin.to_string_lossy().into_owned()
}

fn call(env: &TestEnv, words: &[&str]) -> Run {
    let plugin = plugin();
    let words = words.iter().chain(&["--json"]);
    env.run(["call", &plugin].iter().chain(words))
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a text");
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .expect("base64")
}

#[test]
fn every_kind_of_content_arrives_as_it_was_given() {
    let env = TestEnv::new();
    let content = |tool: &str| call(&env, &[tool]).ok().json()["content"].clone();
    assert_eq!(
        content("test_simple_text"),
        json!([{"type": "text", "text": "This is a simple text response for testing."}])
    );
    let image = content("test_image_content");
    assert_eq!(
        (&image[0]["type"], &image[0]["mimeType"]),
        (&json!("image"), &json!("image/png"))
    );
    assert!(bytes(&image[0]["data"]).starts_with(b"\x89PNG"), "{image}");
    let audio = content("test_audio_content");
    assert_eq!(
        (&audio[0]["type"], &audio[0]["mimeType"]),
        (&json!("audio"), &json!("audio/wav"))
    );
    assert!(bytes(&audio[0]["data"]).starts_with(b"RIFF"), "{audio}");
    let document = json!({
        "uri": "test://embedded-resource",
        "mimeType": "text/plain",
        "text": "This is an embedded resource content.",
    });
    assert_eq!(
        content("test_embedded_resource"),
        json!([{"type": "resource", "resource": document}])
    );
    let mixed = content("test_multiple_content_types");
    let kinds: Vec<&Value> = (0..3).map(|index| &mixed[index]["type"]).collect();
    assert_eq!(kinds, ["text", "image", "resource"]);
}

#[test]
fn logs_progress_failures_and_crashes_are_told() {
    let env = TestEnv::new();
    let logged = call(&env, &["test_tool_with_logging"]).ok().json();
    assert_eq!(
        logged["logs"][2]["message"], "Tool execution completed",
        "{logged}"
    );
    call(&env, &["test_tool_with_progress"]).ok();
    let output = call(&env, &["test_error_handling"]).fails_with(1, "E3401");
    assert!(
        output
            .stdout
            .contains("This tool intentionally returns an error for testing"),
        "{output}"
    );
    call(&env, &["protocol_error_job"]).fails_with(1, "E3404");
    // The schema of 2020-12 is held to: whoever is called by phone needs a number.
    let by_phone = r#"{"contactMethod": "phone", "email": "a@example.com"}"#;
    call(&env, &["json_schema_2020_12_tool", "--args", by_phone]).fails_with(2, "E3301");
    let by_mail = r#"{"contactMethod": "email", "email": "a@example.com"}"#;
    call(&env, &["json_schema_2020_12_tool", "--args", by_mail]).ok();
}

#[test]
fn a_prompt_is_filled_in_with_its_arguments() {
    let env = TestEnv::new();
    let name = "prompt:test_prompt_with_arguments";
    let filled = call(&env, &[name, "--arg", "arg1=hello", "--arg", "arg2=world"])
        .ok()
        .json();
    assert_eq!(
        filled["messages"],
        json!([{
            "role": "user",
            "content": {"type": "text", "text": "Prompt with arguments: arg1='hello', arg2='world'"},
        }])
    );
    call(&env, &[name, "--arg", "arg1=hello"]).fails_with(2, "E3301");
    let with_more = r#"{"arg1": "", "arg2": "", "arg3": ""}"#;
    call(&env, &[name, "--args", with_more]).fails_with(2, "E3301");
    call(&env, &["prompt:no_such_prompt"]).fails_with(4, "E3101");
    let pictured = call(&env, &["prompt:test_prompt_with_image"]).ok().json();
    assert_eq!(
        pictured["messages"][0]["content"]["mimeType"], "image/png",
        "{pictured}"
    );
    let uri = "resourceUri=test://x";
    let embedded = call(
        &env,
        &["prompt:test_prompt_with_embedded_resource", "--arg", uri],
    );
    let embedded = embedded.ok().json();
    assert_eq!(
        embedded["messages"][0]["content"]["resource"]["uri"], "test://x",
        "{embedded}"
    );
}

#[test]
fn resources_are_read_by_uri_and_by_pattern_and_no_others() {
    let env = TestEnv::new();
    let read = |uri: &str| call(&env, &["resource:read", "--arg", &format!("uri={uri}")]);
    let resource = |uri: &str| read(uri).ok().json()["content"][0]["resource"].clone();
    assert_eq!(
        resource("test://static-text"),
        json!({
            "uri": "test://static-text",
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        })
    );
    assert!(bytes(&resource("test://static-binary")["blob"]).starts_with(b"\x89PNG"));
    let data = resource("test://template/123/data");
    let text = data["text"].as_str().expect("a text");
    assert_eq!(
        serde_json::from_str::<Value>(text).expect("JSON"),
        json!({"id": "123", "templateTest": true, "data": "Data for ID: 123"})
    );
    for uri in [
        "test://none",
        "test://template/1/2/data",
        "file:///etc/passwd",
    ] {
        let output = read(uri).fails_with(4, "E3101");
        assert_eq!(output.json()["error"]["details"]["uri"], uri, "{output}");
    }
}

#[test]
fn values_are_proposed_for_arguments_that_there_are() {
    let env = TestEnv::new();
    let propose = |of: Value, name: &str, value: &str| {
        let arguments = json!({"ref": of, "argument": {"name": name, "value": value}});
        call(
            &env,
            &["completion:complete", "--args", &arguments.to_string()],
        )
    };
    let prompt = json!({"type": "ref/prompt", "name": "test_prompt_with_arguments"});
    let proposed = propose(prompt.clone(), "arg1", "par").ok().json();
    assert_eq!(
        proposed["structured"],
        json!({"values": ["paris", "park", "party"], "hasMore": false, "total": 3})
    );
    let template = json!({"type": "ref/resource", "uri": "test://template/{id}/data"});
    let proposed = propose(template, "id", "12").ok().json();
    assert_eq!(
        proposed["structured"]["values"],
        json!(["12", "123"]),
        "{proposed}"
    );
    propose(prompt, "arg3", "").fails_with(2, "E3301");
}

#[test]
fn an_installed_plugin_keeps_what_it_has_besides_tools() {
    let env = TestEnv::new();
    let plugin = plugin();
    env.run(["plugin", "check", &plugin]).ok();
    env.run(["plugin", "install", &plugin]).ok();
    let shown = env
        .run(["plugin", "inspect", "conformance", "--json"])
        .ok()
        .json();
    let offers = &shown["offers"];
    assert_eq!(
        offers["prompts"][0]["name"], "test_simple_prompt",
        "{shown}"
    );
    assert_eq!(
        offers["resources"][0]["uri"], "test://static-text",
        "{shown}"
    );
    assert_eq!(
        offers["resourceTemplates"][0]["uriTemplate"], "test://template/{id}/data",
        "{shown}"
    );
    let text = env.run(["plugin", "inspect", "conformance"]).ok();
    assert!(
        text.stdout
            .contains("test_prompt_with_arguments(arg1: string, arg2: string)"),
        "{text}"
    );
    // They are no tools.
    let listed = env.run(["tools", "list", "--json"]).ok();
    assert!(
        listed.stdout.contains("conformance.test_simple_text")
            && !listed.stdout.contains("prompt:")
            && !listed.stdout.contains("resource:"),
        "{listed}"
    );
    let output = env
        .run(["call", "conformance.prompt:test_simple_prompt"])
        .ok();
    assert_eq!(
        output.stdout.trim_end(),
        "user: This is a simple prompt for testing."
    );
    let log = env.run(["audit", "query", "--json"]).ok();
    assert!(
        log.stdout.contains("conformance.prompt:test_simple_prompt"),
        "{log}"
    );
}

#[test]
fn policy_decides_on_prompts_and_on_each_uri() {
    let env = TestEnv::new();
    let plugin = plugin();
    env.run(["plugin", "install", &plugin]).ok();
    let folder = env.user_config().parent().expect("a folder").join("policy");
    let policy = r#"
        @id("no-pictures")
        forbid (principal, action == Action::"conformance.resource:read", resource)
        when { context.args.uri like "*binary" };
        @id("no-prompts")
        forbid (principal, action in Action::"tool.invoke", resource)
        when { resource.name like "prompt:*" };
    "#;
    env.write(folder.join("own.cedar"), policy.as_bytes());
    let read = |uri: &str| {
        env.run([
            "call",
            "conformance",
            "resource:read",
            "--arg",
            &format!("uri={uri}"),
            "--json",
        ])
    };
    read("test://static-text").ok();
    let output = read("test://static-binary").fails_with(3, "E3206");
    assert!(output.stdout.contains("no-pictures"), "{output}");
    let prompt = ["call", "conformance.prompt:test_simple_prompt", "--json"];
    let output = env.run(prompt).fails_with(3, "E3206");
    assert!(output.stdout.contains("no-prompts"), "{output}");
}
