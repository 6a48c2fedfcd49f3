//! Tools that call tools: under the same gate, with no more than their caller may, and never without end.

mod dependencies;

use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::mcp_peer::{Answer, McpPeer};
use crate::support::plugin::{grant, install};
use crate::support::probe::{Call, Probe};

/// A call of the probe that has it call this tool.
fn calling<'a>(probe: &'a Probe, tool: &str, arguments: &Value) -> Call<'a> {
    let arguments = json!({"tool": tool, "arguments": arguments.to_string()});
    probe.call("call-tool", arguments)
}

/// The records of this type.
fn records(env: &TestEnv, kind: &str) -> Vec<Value> {
    let found = env
        .run(["audit", "query", "--type", kind, "--json"])
        .ok()
        .json();
    found["records"].as_array().expect("a list").clone()
}

#[test]
fn a_granted_call_gives_its_result_and_stands_in_the_log_under_its_caller() {
    let probe = Probe::new();
    install(&probe.env, "callee", "1.0.0", "");
    let output = calling(&probe, "callee.echo-u8", &json!({"value": 7}))
        .allow("tool_invoke=callee.echo-u8")
        .run()
        .ok();
    let report = output.json();
    assert_eq!(report["structured"]["result"], "{\"result\":7}", "{output}");
    assert_eq!(report["effects"][0]["type"], "tool", "{output}");
    let inner = report["effects"][0]["call"]
        .as_str()
        .expect("an id")
        .to_owned();
    let starts = records(&probe.env, "execution_start");
    let of_callee = starts
        .iter()
        .find(|record| record["tool"] == "callee.echo-u8")
        .expect("a call of its own");
    assert_eq!(of_callee["call"], inner.as_str());
    assert_eq!(of_callee["data"]["parent"], report["call"]);
    assert_eq!(
        records(&probe.env, "tool_invoked")[0]["data"]["call"],
        inner.as_str()
    );
    let story = probe.env.run(["audit", "why", &inner]).ok();
    assert!(
        story
            .stdout
            .contains(report["call"].as_str().expect("an id")),
        "{story}"
    );
}

#[test]
fn without_a_grant_it_is_denied_and_nothing_runs() {
    let probe = Probe::new();
    install(&probe.env, "callee", "1.0.0", "");
    let said = calling(&probe, "callee.echo-u8", &json!({"value": 7}))
        .denied("E3206", "no tool_invoke was granted");
    assert!(said.starts_with("not-permitted"), "{said}");
    // Of the same plugin, but not that tool.
    calling(&probe, "callee.echo-u8", &json!({"value": 7}))
        .allow("tool_invoke=callee.echo-u16")
        .denied("E3206", "callee.echo-u8");
    let starts = records(&probe.env, "execution_start");
    assert!(
        starts
            .iter()
            .all(|record| record["tool"] != "callee.echo-u8"),
        "{starts:?}"
    );
}

/// What the callee asks for: everything a caller could lend itself.
const READS: &str = "[permissions]\nfile_read = [{ path = \"${workspace}\", mount = \"/workspace\" }]\nenv = [\"SECRET\"]\n";

#[test]
fn the_callee_may_do_what_was_granted_to_it_and_no_more_than_its_caller() {
    let probe = Probe::new();
    let env = &probe.env;
    env.write("docs/a.txt", b"in docs");
    env.write("src/b.txt", b"in src");
    env.write("docs/.ssh/id", b"a key");
    install(env, "callee", "1.0.0", READS);
    let read = |path: &str| {
        calling(&probe, "callee.read-file", &json!({"path": path})).allow("tool_invoke=callee.*")
    };

    // Nobody has decided about the callee: what its caller may do does not open it.
    read("/workspace/docs/a.txt").allow("file_read=docs").fails(
        1,
        "E3401",
        "not-permitted: a person has to agree",
    );
    grant(env, "callee", &["file_read=.", "env=SECRET=hidden"]);
    // By itself it reads everything.
    for path in ["/workspace/docs/a.txt", "/workspace/src/b.txt"] {
        let argument = format!("path={path}");
        env.run(["call", "callee.read-file", "--arg", &argument])
            .ok();
    }

    read("/workspace/docs/a.txt")
        .allow("file_read=docs")
        .gives(json!("{\"result\":\"in docs\"}"));
    // A caller that may not read it cannot have it read; the callee's denial is in the callee's records.
    let output = read("/workspace/src/b.txt")
        .allow("file_read=docs")
        .fails(1, "E3401", "failed: ");
    assert!(output.json()["denials"].is_null(), "{output}");
    let denied = records(env, "permission_denied");
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0]["tool"], "callee.read-file");
    read("/workspace/docs/a.txt").fails(1, "E3401", "failed: ");
    // What is sensitive has to be named to the caller as well.
    install(env, "keys", "1.0.0", READS);
    grant(env, "keys", &["file_read=docs/.ssh"]);
    env.run(["call", "keys.read-file", "--arg", "path=docs/.ssh/id"])
        .ok();
    let key = || {
        let arguments = json!({"path": "docs/.ssh/id"});
        calling(&probe, "keys.read-file", &arguments).allow("tool_invoke=keys.*")
    };
    key().allow("file_read=docs").fails(1, "E3401", "failed: ");
    key()
        .allow("file_read=docs/.ssh")
        .gives(json!("{\"result\":\"a key\"}"));
    // Of what its caller may not touch nothing even appears.
    calling(&probe, "callee.open-folders", &json!({}))
        .allow("tool_invoke=callee.*")
        .allow("file_read=docs")
        .gives(json!("{\"result\":[\"/\",\"/workspace/docs\",\"docs\"]}"));

    let variable = || {
        calling(&probe, "callee.variable", &json!({"name": "SECRET"})).allow("tool_invoke=callee.*")
    };
    variable().gives(json!("{\"result\":null}"));
    variable()
        .allow("env=SECRET=other")
        .gives(json!("{\"result\":\"hidden\"}"));
}

#[test]
fn what_tools_of_a_tool_call_is_held_to_every_one_of_them() {
    let probe = Probe::new();
    let env = &probe.env;
    env.write("a.txt", b"text");
    install(
        env,
        "middle",
        "1.0.0",
        "[permissions]\ntool_invoke = [\"*\"]\n",
    );
    install(env, "callee", "1.0.0", READS);
    grant(env, "middle", &["tool_invoke=callee.*"]);
    grant(env, "callee", &["file_read=."]);
    let inner =
        json!({"tool": "callee.read-file", "arguments": json!({"path": "a.txt"}).to_string()});
    let through = || calling(&probe, "middle.call-tool", &inner).allow("file_read=.");
    // The middle one may read nothing, so that what it calls reads nothing.
    through()
        .allow("tool_invoke=*")
        .fails(1, "E3401", "failed: ");
    // Nor may it call what its own caller may not.
    through().allow("tool_invoke=middle.*").fails(
        1,
        "E3401",
        "not-permitted: calling this tool is not granted",
    );
    let echo = json!({"tool": "callee.echo-u8", "arguments": "{\"value\":1}"});
    calling(&probe, "middle.call-tool", &echo)
        .allow("tool_invoke=*")
        .gives(json!("{\"result\":\"{\\\"result\\\":1}\"}"));
}

#[test]
fn the_sandbox_gets_what_its_caller_has() {
    let probe = Probe::new();
    let arguments = json!({"command": ["true"], "image": "demo/busybox:1"});
    // Without any command granted to the caller there is none for what it calls.
    calling(&probe, "sandbox.run", &arguments)
        .allow("tool_invoke=sandbox.run")
        .fails(1, "E3401", "not-permitted");
}

#[test]
fn a_tool_of_a_server_is_called_like_any_other() {
    let probe = Probe::new();
    let tools = json!([{"name": "greet", "inputSchema": {"type": "object"}}]);
    let peer = McpPeer::start(tools, |method, message, _| {
        let said = format!(
            "Hello, {}!",
            message["params"]["arguments"]["name"].as_str()?
        );
        (method == "tools/call")
            .then(|| Answer::Result(json!({"content": [{"type": "text", "text": said}]})))
    });
    let config = format!("[mcp.servers.peer]\nurl = \"{}\"\n", peer.url());
    probe.env.write(probe.env.user_config(), config.as_bytes());
    let output = calling(&probe, "peer.greet", &json!({"name": "Ada"}))
        .allow("tool_invoke=peer.greet")
        .run()
        .ok();
    assert_eq!(
        output.json()["structured"]["result"],
        "Hello, Ada!",
        "{output}"
    );
    // Nobody vouches for what a server says, nor for what follows from it.
    assert_eq!(output.json()["untrusted"], true, "{output}");
}

#[test]
fn a_circle_is_refused_with_its_links() {
    let probe = Probe::new();
    let env = &probe.env;
    let any = "[permissions]\ntool_invoke = [\"*\"]\n";
    for name in ["ping", "pong"] {
        install(env, name, "1.0.0", any);
        grant(env, name, &["tool_invoke=*"]);
    }
    let again = json!({"tool": "ping.call-tool", "arguments": "{}"});
    let there = json!({"tool": "pong.call-tool", "arguments": again.to_string()});
    let arguments = there.to_string();
    let output = env
        .run(["call", "ping.call-tool", "--args", &arguments, "--json"])
        .timeout(Duration::from_secs(50))
        .fails_with(1, "E3401");
    let message = output.json()["error"]["message"].to_string();
    assert!(
        message.contains("ping.call-tool → pong.call-tool → ping.call-tool"),
        "{output}"
    );
    // Another tool of the same plugin is no circle.
    let echo = json!({"tool": "ping.echo-u8", "arguments": "{\"value\":3}"}).to_string();
    env.run(["call", "ping.call-tool", "--args", &echo]).ok();
}

#[test]
fn a_bomb_runs_out_of_calls() {
    let probe = Probe::new();
    let env = &probe.env;
    install(
        env,
        "callee",
        "1.0.0",
        "[permissions]\ntool_invoke = [\"*\"]\n",
    );
    grant(env, "callee", &["tool_invoke=*"]);
    let one = json!({"value": 1}).to_string();
    let output = probe
        .call(
            "call-often",
            json!({"tool": "callee.echo-u8", "arguments": one, "times": 100}),
        )
        .allow("tool_invoke=*")
        .run()
        .ok();
    let result = &output.json()["structured"]["result"];
    assert_eq!(result[0], 64, "{output}");
    assert!(result[1].to_string().contains("too many calls"), "{output}");
    // Calls that its calls make count too: five times as many at once as there may be.
    let inner = json!({"tool": "callee.echo-u8", "arguments": one, "times": 40}).to_string();
    let output = probe
        .call(
            "call-often",
            json!({"tool": "callee.call-often", "arguments": inner, "times": 8}),
        )
        .allow("tool_invoke=*")
        .run()
        .ok();
    let starts = records(env, "execution_start");
    let call = &output.json()["call"];
    let last = starts
        .iter()
        .filter(|record| record["time"].as_str() > None && record["data"]["parent"] == *call);
    // One of each 41 is made by the probe itself; the second loop comes to its end among the 64.
    assert_eq!(last.count(), 2, "{output}");
}

#[test]
fn one_place_is_enough_for_calls_inside_each_other() {
    let probe = Probe::new();
    let env = &probe.env;
    install(env, "callee", "1.0.0", "");
    env.write(env.user_config(), b"[calls]\nconcurrency = 1\n");
    let file = crate::support::probe::file();
    let arguments = json!({"tool": "callee.echo-u8", "arguments": "{\"value\":1}"});
    let line = json!({"tool": file, "name": "call-tool", "args": arguments});
    let output = env
        .run([
            "call",
            "--jsonl",
            "--jobs",
            "8",
            "--allow",
            "tool_invoke=callee.*",
        ])
        .stdin(format!("{line}\n").repeat(16))
        .timeout(Duration::from_secs(50))
        .ok();
    assert_eq!(output.json_lines().len(), 16);
}

#[test]
fn the_time_of_the_caller_is_all_there_is() {
    let probe = Probe::new();
    let env = &probe.env;
    install(env, "callee", "1.0.0", "");
    install(env, "hasty", "1.0.0", "[limits]\ntimeout = \"100ms\"\n");
    let long = json!({"milliseconds": 20_000});
    // Its own time is shorter: its caller goes on.
    calling(&probe, "hasty.sleep", &long)
        .allow("tool_invoke=hasty.*")
        .fails(1, "E3401", "unavailable: its time was over");
    let output = calling(&probe, "callee.sleep", &long)
        .allow("tool_invoke=callee.*")
        .flag("--timeout")
        .flag("1s")
        .run()
        .output();
    // Both run out of time at once; the caller may still get to hear of it.
    assert!(matches!(output.code, Some(1 | 124)), "{output}");
    assert!(output.elapsed < Duration::from_secs(10), "{output}");
    // What was stopped with its caller is in the log as such.
    let ends = records(env, "execution_end");
    let of_callee = ends.iter().find(|record| record["tool"] == "callee.sleep");
    assert_ne!(
        of_callee.expect("it ended")["data"]["outcome"],
        "ok",
        "{ends:?}"
    );
}

#[test]
fn what_a_call_did_is_recorded_where_its_caller_ends_first() {
    for settings in ["", "[audit]\nstrict = true\n"] {
        let probe = Probe::new();
        let env = &probe.env;
        env.write(env.user_config(), settings.as_bytes());
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("bound").to_string();
        let connects = format!("network_tcp={address}");
        let asks_for = format!("[permissions]\nnetwork_tcp = [\"{address}\"]\n");
        install(env, "callee", "1.0.0", &asks_for);
        grant(env, "callee", &[&connects]);
        let arguments = json!({"address": address, "line": "hello"});
        let running = calling(&probe, "callee.tcp-ask", &arguments)
            .allow("tool_invoke=callee.*")
            .allow(&connects)
            .run()
            .start();
        // Nobody answers.
        let _connection = server.accept().expect("a connection");
        running.signal(Signal::INT);
        let output = running.finish().fails_with(130, "E3703");
        let report = output.json();
        let inner = &report["effects"][0]["call"];
        assert!(inner.is_string(), "{output}");
        let of = |call: &Value, kind: &str| {
            let mut found = records(env, kind);
            found.retain(|record| &record["call"] == call);
            found
        };
        assert_eq!(
            &of(&report["call"], "tool_invoked")[0]["data"]["call"],
            inner
        );
        assert_eq!(of(inner, "network_touched").len(), 1);
        let end = &of(inner, "execution_end")[0]["data"];
        assert_ne!(end["outcome"], "ok", "{end}");
        assert_eq!(end["effects"], 1, "{end}");
    }
}

#[test]
fn what_went_wrong_is_told_in_the_words_of_the_interface() {
    let probe = Probe::new();
    let env = &probe.env;
    install(env, "callee", "1.0.0", "");
    env.write(
        "adder.wasm",
        &crate::support::guests::component(crate::support::guests::ADDER),
    );
    let fails = |tool: &str, arguments: Value, said: &str| {
        let output = calling(&probe, tool, &arguments)
            .allow("tool_invoke=*")
            .fails(1, "E3401", said);
        let message = output.json()["error"]["message"].to_string();
        assert!(
            !message.contains(env.toolhatch_home().to_str().expect("UTF-8")),
            "{output}"
        );
    };
    fails(
        "callee.echo-u8",
        json!({"value": 1000}),
        "invalid-arguments: ",
    );
    fails(
        "callee.echo-u8",
        json!([]),
        "invalid-arguments: they are not a JSON object",
    );
    fails("callee.unknown", json!({}), "not-found: ");
    fails("nobody.echo-u8", json!({}), "not-found: ");
    fails(
        "callee.panic",
        json!({"message": "boom"}),
        "failed: the tool crashed",
    );
    fails(
        "callee.check",
        json!({"good": false}),
        "failed: the tool failed: ",
    );
    fails(
        "callee.exit",
        json!({"success": false}),
        "failed: the tool ended itself with exit code 1",
    );
    // Files are not tools.
    fails("./adder.wasm", json!({"a": 1, "b": 2}), "not-found: ");
    fails("adder.add", json!({"a": 1, "b": 2}), "not-found: ");
    let output = probe
        .call(
            "call-tool",
            json!({"tool": "callee.echo-u8", "arguments": "{"}),
        )
        .allow("tool_invoke=*")
        .fails(1, "E3401", "invalid-arguments: they are not JSON");
    assert!(output.json()["effects"].is_null(), "{output}");
    calling(&probe, "callee.echo-u8", &json!({"value": 1}))
        .allow("tool_invoke=*")
        .flag("--deterministic")
        .fails(1, "E3401", "not-permitted: the call is deterministic");
}

#[test]
fn what_a_stranger_said_taints_its_caller_and_the_session() {
    let probe = Probe::new();
    let env = &probe.env;
    let untrusted = "[[tools]]\nname = \"echo-string\"\nuntrusted_output = true\n[[tools]]\nname = \"echo-u8\"\n";
    install(env, "callee", "1.0.0", untrusted);
    let call = |tool: &str, value: Value, session: &str| {
        calling(&probe, tool, &json!({"value": value}))
            .allow("tool_invoke=callee.*")
            .flag("--session")
            .flag(session)
            .run()
            .ok()
            .json()["untrusted"]
            .clone()
    };
    assert_eq!(call("callee.echo-u8", json!(1), "clean"), false);
    assert_eq!(
        call("callee.echo-string", json!("ignore all"), "tainted"),
        true
    );
    let policies = env.user_config().parent().expect("a folder").join("policy");
    let policy = b"@id(\"no-taint\")\nforbid (principal, action in Action::\"tool.invoke\", resource) when { context.session.tainted };\n";
    env.write(policies.join("own.cedar"), policy);
    let read = |session: &str| {
        probe
            .call("echo-u8", json!({"value": 1}))
            .flag("--session")
            .flag(session)
            .run()
            .output()
    };
    read("clean").ok();
    read("tainted").fails_with(3, "E3206");
}

#[test]
fn what_a_stranger_said_counts_for_what_comes_after_it_in_the_same_call() {
    let probe = Probe::new();
    let env = &probe.env;
    let untrusted = "[[tools]]\nname = \"echo-u8\"\nuntrusted_output = true\n";
    install(env, "stranger", "1.0.0", untrusted);
    install(env, "callee", "1.0.0", "");
    let policies = env.user_config().parent().expect("a folder").join("policy");
    let policy = b"@id(\"no-taint\")\nforbid (principal, action in Action::\"tool.invoke\", resource) when { context.session.tainted };\n";
    env.write(policies.join("own.cedar"), policy);
    // There is no session to remember it: the calls inside one are what it is known from.
    let thrice = |tool: &str| {
        let arguments = json!({"tool": tool, "arguments": "{\"value\":1}", "times": 3});
        probe
            .call("call-often", arguments)
            .allow("tool_invoke=*")
            .result()
    };
    assert_eq!(thrice("callee.echo-u8")[0], 3);
    let told = thrice("stranger.echo-u8");
    assert_eq!(told[0], 1, "{told}");
    assert!(told[1].to_string().contains("not-permitted"), "{told}");
}

#[test]
fn what_a_stranger_said_taints_whoever_is_told_it_again() {
    let probe = Probe::new();
    let env = &probe.env;
    let untrusted = "[[tools]]\nname = \"echo-u8\"\nuntrusted_output = true\n";
    install(env, "stranger", "1.0.0", untrusted);
    let policies = env.user_config().parent().expect("a folder").join("policy");
    let policy = b"@id(\"no-taint\")\nforbid (principal, action in Action::\"tool.invoke\", resource) when { context.session.tainted };\n";
    env.write(policies.join("own.cedar"), policy);
    let file = crate::support::probe::file();
    let arguments = json!({"tool": "stranger.echo-u8", "arguments": "{\"value\":1}"});
    let line = |session: &str| {
        json!({
            "tool": file, "name": "call-tool", "args": arguments, "session": session, "key": "k",
            "allow": ["tool_invoke=stranger.*"],
        })
    };
    let after = json!({"tool": file, "name": "echo-u8", "args": {"value": 1}, "session": "b"});
    let told = env
        .run(["call", "--jsonl", "--jobs", "1"])
        .stdin(format!("{}\n{}\n{after}\n", line("a"), line("b")))
        .timeout(Duration::from_secs(50))
        .output()
        .json_lines();
    assert_eq!(told[0]["untrusted"], true, "{told:?}");
    assert_eq!(told[1]["repeated"], true, "{told:?}");
    assert_eq!(told[1]["untrusted"], true, "{told:?}");
    assert_eq!(told[2]["error"]["code"], "E3206", "{told:?}");
}

#[test]
fn a_person_is_asked_about_a_call_inside_another() {
    let probe = Probe::new();
    let env = &probe.env;
    install(env, "callee", "1.0.0", "");
    env.write(
        env.user_config(),
        b"[approvals.tools]\n\"callee.echo-u8\" = \"always\"\n",
    );
    // Nobody is there.
    calling(&probe, "callee.echo-u8", &json!({"value": 1}))
        .allow("tool_invoke=callee.*")
        .fails(1, "E3401", "not-permitted: a person has to agree");
    let file = crate::support::probe::file();
    let arguments = json!({"tool": "callee.echo-u8", "arguments": "{\"value\":1}"}).to_string();
    let words = [
        "call",
        file.to_str().expect("UTF-8"),
        "call-tool",
        "--args",
        &arguments,
    ];
    let mut terminal = env
        .run(words.iter().chain(&["--allow", "tool_invoke=callee.*"]))
        .on_terminal();
    terminal.expect("callee.echo-u8");
    terminal.answer("y");
    terminal.finish().ok();
}

#[test]
fn calls_are_inside_each_other_only_so_deep() {
    let probe = Probe::new();
    let env = &probe.env;
    let mut tools = Vec::new();
    for name in ["d1", "d2", "d3", "d4", "d5"] {
        install(env, name, "1.0.0", "[permissions]\ntool_invoke = [\"*\"]\n");
        grant(env, name, &["tool_invoke=*"]);
        tools.extend([format!("{name}.call-tool"), format!("{name}.call-often")]);
    }
    // From the inside out: each but the first is called by the one before it.
    let run = |depth: usize| {
        let mut arguments = json!({"value": 1});
        let mut inner = "d5.echo-u8".to_owned();
        for tool in tools[..depth - 1].iter().rev() {
            arguments = json!({"tool": inner, "arguments": arguments.to_string(), "times": 1});
            if tool.ends_with("call-tool") {
                arguments
                    .as_object_mut()
                    .expect("an object")
                    .remove("times");
            }
            inner.clone_from(tool);
        }
        let arguments = arguments.to_string();
        let words = ["call", &inner, "--args", &arguments, "--json"];
        env.run(words).timeout(Duration::from_secs(50)).ok();
        let starts = records(env, "execution_start");
        let innermost = starts
            .iter()
            .filter(|record| record["tool"] == "d5.echo-u8");
        innermost.count()
    };
    assert_eq!(run(8), 1);
    // What is one deeper is not called; those on the way say so.
    assert_eq!(run(9), 1);
}
