//! Custom tools: components without a manifest, whose functions are tools by their types alone.

mod misfits;
mod values;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe::{self, Probe};
use crate::support::source::root;

/// The descriptions of the probe's tools, by name; with its WIT beside it or without.
fn described(env: &TestEnv, with_wit: bool) -> Vec<Value> {
    let file = env.path("probe.wasm");
    std::fs::copy(probe::file(), &file).expect("copied");
    if with_wit {
        std::fs::copy(
            probe::file().with_extension("wit"),
            file.with_extension("wit"),
        )
        .expect("copied");
    }
    let output = env.run(["tools", "list", "probe.wasm", "--json"]).ok();
    let tools = output.json()["tools"].as_array().cloned();
    tools.unwrap_or_else(|| panic!("there should be tools\n{output}"))
}

#[track_caller]
fn tool<'a>(tools: &'a [Value], id: &str) -> &'a Value {
    let found = tools.iter().find(|tool| tool["id"] == id);
    found.unwrap_or_else(|| panic!("there is no {id}"))
}

#[test]
fn the_probes_are_the_ones_their_wit_describes() {
    for (source, built) in [
        ("plugins/probe/wit/probe.wit", probe::file()),
        ("plugins/probe/async/wit/probe.wit", probe::async_file()),
    ] {
        let built_from = std::fs::read_to_string(root().join(source)).expect("readable");
        let beside = std::fs::read_to_string(built.with_extension("wit")).expect("readable");
        assert_eq!(
            built_from, beside,
            "rebuild the probes: scripts/build-plugins"
        );
    }
}

#[test]
fn every_exported_function_is_a_tool_with_ranges_in_its_schema() {
    let env = TestEnv::new();
    let tools = described(&env, false);
    assert!(tools.len() > 60, "{}", tools.len());
    let value = |name: &str| {
        let tool = tool(&tools, &format!("probe.{name}"));
        assert_eq!(tool["input_schema"]["required"], json!(["value"]), "{name}");
        assert_eq!(
            tool["input_schema"]["additionalProperties"], false,
            "{name}"
        );
        tool["input_schema"]["properties"]["value"].clone()
    };
    for (name, minimum, maximum) in [
        ("echo-u8", json!(0), json!(255)),
        ("echo-u16", json!(0), json!(65535)),
        ("echo-u32", json!(0), json!(u32::MAX)),
        ("echo-s8", json!(-128), json!(127)),
        ("echo-s16", json!(-32768), json!(32767)),
        ("echo-s32", json!(i32::MIN), json!(i32::MAX)),
    ] {
        assert_eq!(
            value(name),
            json!({"type": "integer", "minimum": minimum, "maximum": maximum})
        );
    }
    assert_eq!(value("echo-u64")["anyOf"][0]["maximum"], json!(u64::MAX));
    assert_eq!(value("echo-s64")["anyOf"][0]["minimum"], json!(i64::MIN));
    assert_eq!(value("echo-string"), json!({"type": "string"}));
    assert_eq!(value("echo-bytes")["contentEncoding"], "base64");
    assert_eq!(value("echo-char")["maxLength"], 1);
    assert_eq!(value("echo-color")["enum"], json!(["red", "green", "blue"]));
    assert_eq!(value("echo-permissions")["uniqueItems"], true);
    assert_eq!(
        value("echo-tuple")["prefixItems"].as_array().map(Vec::len),
        Some(3)
    );
    let point = value("echo-point");
    assert_eq!(
        point["required"],
        json!(["x", "y"]),
        "an option may be left out"
    );
    let output = &tool(&tools, "probe.echo-point")["output_schema"];
    assert_eq!(
        output["properties"]["x"]["anyOf"][0]["type"], "number",
        "a record is the result itself"
    );
    let output = &tool(&tools, "probe.echo-u8")["output_schema"];
    assert_eq!(
        output["properties"]["result"]["maximum"], 255,
        "anything else is under `result`"
    );
    let several = &tool(&tools, "probe.several")["input_schema"];
    assert_eq!(several["required"], json!(["first", "third"]));
}

#[test]
fn descriptions_come_from_the_wit_beside_the_component() {
    let env = TestEnv::new();
    let bare = described(&env, false);
    let bare = tool(&bare, "probe.read-file")["description"]
        .as_str()
        .expect("a description");
    assert!(
        !bare.contains("Reads a file as text") && bare.contains("path"),
        "{bare}"
    );
    let tools = described(&env, true);
    let told = |name: &str| tool(&tools, &format!("probe.{name}"))["description"].to_string();
    assert!(
        told("read-file").contains("Reads a file as text."),
        "{}",
        told("read-file")
    );
    assert!(told("echo-u8").contains("The smallest number there is."));
    let point = &tool(&tools, "probe.echo-point")["input_schema"]["properties"]["value"];
    assert_eq!(
        point["properties"]["x"]["description"], "To the right.",
        "{point}"
    );
    let shape = tool(&tools, "probe.echo-shape")["input_schema"].to_string();
    assert!(
        shape.contains("By its radius.") && shape.contains("What can be drawn."),
        "{shape}"
    );
    // What is not WIT is an error, and not passed over.
    env.write("probe.wit", b"package ;");
    env.run(["tools", "list", "probe.wasm", "--json"])
        .fails_with(2, "E3105");
}

#[test]
fn a_tool_can_be_shown_alone() {
    let env = TestEnv::new();
    described(&env, true);
    let output = env.run(["tools", "show", "probe.wasm", "echo-u8"]).ok();
    for told in [
        "probe.echo-u8",
        "The smallest number there is.",
        "value",
        "0",
        "255",
    ] {
        assert!(output.stdout.contains(told), "{told}: {output}");
    }
    let output = env
        .run(["tools", "show", "probe.wasm", "ecko-u8"])
        .fails_with(4, "E3101");
    assert!(
        output.stderr.contains("Did you mean `echo-u8`?"),
        "{output}"
    );
    let output = env.run(["call", "probe.wasm"]).fails_with(4, "E3101");
    assert!(
        output.stderr.contains("several tools, and none was named"),
        "{output}"
    );
}

#[test]
fn functions_of_the_same_name_are_told_apart_by_their_interface() {
    let env = TestEnv::new();
    let file = guests::wat("collide");
    let file = file.to_str().expect("UTF-8");
    for (name, expected) in [("first.count", 1), ("second.count", 2), ("alone", 1)] {
        let output = env.run(["call", file, name, "--json"]).ok();
        assert_eq!(output.json()["structured"]["result"], expected, "{output}");
        assert_eq!(output.json()["tool"], format!("collide.{name}"), "{output}");
    }
    env.run(["call", file, "count"]).fails_with(4, "E3101");
}

#[test]
fn a_component_asks_for_what_it_imports() {
    let probe = Probe::new();
    let output = probe
        .env
        .run([
            "tools",
            "show",
            probe::file().to_str().expect("UTF-8"),
            "nothing",
            "--json",
        ])
        .ok();
    let asked = output.json()["requests"].to_string();
    for kind in [
        "file_read",
        "file_write",
        "network_http",
        "network_tcp",
        "network_udp",
        "env",
    ] {
        assert!(asked.contains(kind), "{kind}: {output}");
    }
    let adder = guests::component(guests::ADDER);
    probe.env.write("adder.wasm", &adder);
    let output = probe
        .env
        .run(["tools", "show", "adder.wasm", "--json"])
        .ok();
    assert_eq!(output.json()["requests"], json!([]), "{output}");
    // Allowing it what it cannot use is harmless, and told.
    let words = [
        "call",
        "adder.wasm",
        "--arg",
        "a=1",
        "--arg",
        "b=2",
        "--allow",
        "env=USER",
    ];
    let output = probe.env.run(words).ok();
    assert!(
        output.stderr.contains("allowing it changes nothing"),
        "{output}"
    );
}

#[test]
fn everything_a_component_asks_for_can_be_allowed_at_once() {
    let probe = Probe::new();
    let file = probe.env.write("data/a.txt", b"inside");
    probe.env.write("data/.ssh/id", b"key");
    let read = |path: &Path| {
        let path = path.to_str().expect("UTF-8");
        let call = probe.call("read-file", json!({"path": path}));
        call.flag("--allow-requested")
    };
    read(&file).gives(json!("inside"));
    read(&probe.env.path("data/.ssh/id")).denied("E3210", "holds credentials");
    read(Path::new("/proc/self/environ")).denied("E3210", "is a window into the kernel");
    let path = probe.env.path("data/new.txt");
    let arguments = json!({"path": path, "text": "new"});
    probe
        .call("write-file", arguments)
        .flag("--allow-requested")
        .run()
        .ok();
    assert_eq!(std::fs::read_to_string(path).expect("written"), "new");
    let call = probe.call("variable", json!({"name": "USER"}));
    call.flag("--allow-requested").gives(json!("me"));
}

#[test]
fn a_manifest_beside_a_component_of_functions_narrows_what_it_asks_for() {
    let env = TestEnv::new();
    std::fs::copy(probe::file(), env.path("probe.wasm")).expect("copied");
    env.write("data/a.txt", b"inside");
    env.write("other/b.txt", b"other");
    let manifest = r#"
        schema = 1
        name = "reader"
        version = "1.0.0"
        description = "Reads one folder"

        [permissions]
        file_read = [{ path = "${workspace}/data", mount = "/input" }]
    "#;
    env.write("probe.plugin.toml", manifest.as_bytes());
    let call = |words: &[&str]| {
        env.run(
            ["call", "probe.wasm", "read-file", "--json"]
                .iter()
                .chain(words),
        )
    };
    for words in [
        ["--arg", "path=/input/a.txt", "--allow", "file_read=data"],
        ["--arg", "path=data/a.txt", "--allow", "file_read=data"],
        ["--arg", "path=/input/a.txt", "--allow", "file_read=."],
        ["--arg", "path=/input/a.txt", "--allow-requested", "--json"],
    ] {
        let output = call(&words[..if words[3] == "--json" { 3 } else { 4 }]).ok();
        assert_eq!(output.json()["structured"]["result"], "inside", "{output}");
        assert_eq!(output.json()["tool"], "reader.read-file", "{output}");
    }
    // What the manifest does not ask for cannot be granted.
    let output =
        call(&["--arg", "path=other/b.txt", "--allow", "file_read=other"]).fails_with(1, "E3401");
    assert!(
        output.json()["warnings"]
            .to_string()
            .contains("does not ask for"),
        "{output}"
    );
    assert_eq!(output.json()["denials"][0]["code"], "E3210", "{output}");
    assert!(Path::new(&env.path("other/b.txt")).exists());
}
