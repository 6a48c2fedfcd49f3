//! The command line of `toolhatch call`: arguments, grants, streams of calls.

mod arguments;
mod lines;

use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe::{self, Probe};

#[test]
fn a_plan_says_what_a_call_could_do_and_runs_nothing() {
    let probe = Probe::new();
    probe.env.write("data/a.txt", b"inside");
    let call = |words: &[&str]| {
        let arguments = json!({"path": "data/new.txt", "text": "x"});
        let mut call = probe.call("write-file", arguments).flag("--dry-run");
        for word in words {
            call = call.flag(*word);
        }
        call.run().ok()
    };
    let output = call(&[
        "--allow",
        "file_write=data:/workspace",
        "--timeout",
        "7s",
        "--memory",
        "32MiB",
    ]);
    let plan = output.json();
    assert_eq!(plan["tool"], "probe.write-file", "{output}");
    assert_eq!(plan["allowed"][0]["permission"], "file_write", "{output}");
    assert_eq!(plan["mounts"][0]["guest"], "/workspace", "{output}");
    assert_eq!(
        (
            &plan["limits"]["timeout_ms"],
            &plan["limits"]["memory_bytes"]
        ),
        (&json!(7000), &json!(32 << 20))
    );
    let missing = plan["missing"].to_string();
    assert!(
        missing.contains("network_http") && missing.contains("file_read"),
        "{output}"
    );
    assert!(!probe.env.path("data/new.txt").exists());
    // Arguments are checked all the same.
    let words = [
        "call",
        probe::file().to_str().expect("UTF-8"),
        "echo-u8",
        "--arg",
        "value=300",
        "--dry-run",
    ]
    .map(str::to_owned);
    probe.env.run(words).fails_with(2, "E3301");
}

#[test]
fn a_tool_that_is_not_there_is_told_with_the_nearest_one() {
    let env = TestEnv::new();
    let file = probe::file();
    let file = file.to_str().expect("UTF-8");
    let output = env.run(["call", file, "read-fiel"]).fails_with(4, "E3101");
    assert!(
        output.stderr.contains("Did you mean `read-file`?"),
        "{output}"
    );
    env.run(["call", "no-such-plugin"]).fails_with(4, "E3101");
    env.run(["call", "no-such-plugin.tool"])
        .fails_with(4, "E3101");
    env.run(["call", "./no/such/file.wasm"])
        .fails_with(4, "E3101");
    for target in ["Bad Name", "a@not-a-range", "", "..", "a.b@1"] {
        let output = env.run(["call", target]).output();
        assert!(
            [Some(2), Some(4)].contains(&output.code),
            "{target:?}: {output}"
        );
    }
    let output = env.run(["call"]).output();
    assert_eq!(output.code, Some(2), "{output}");
}

#[test]
fn the_operator_can_switch_granting_off() {
    let probe = Probe::new();
    probe.env.write("data/a.txt", b"inside");
    probe.env.write(
        probe.env.user_config(),
        b"[permissions]\nallow_flag = false\n",
    );
    let read = || probe.call("read-file", json!({"path": "data/a.txt"}));
    let output = read()
        .allow("file_read=data")
        .fails(3, "E3206", "`--allow` is switched off");
    assert!(
        output.stdout.contains("config.toml"),
        "it names the file: {output}"
    );
    read().flag("--allow-requested").fails(3, "E3206", "");
    let line = json!({"tool": probe::file(), "name": "read-file", "args": {"path": "data/a.txt"}, "allow": ["file_read=data"]});
    let output = probe
        .env
        .run(["call", "--jsonl"])
        .stdin(format!("{line}\n"))
        .fails_with(3, "E3206");
    assert!(!output.stdout.contains("inside"), "{output}");
    probe.still_works();
}

#[test]
fn what_belongs_to_a_stranger_does_not_rewrite_the_terminal() {
    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    let file = probe::file();
    let arguments = json!({"value": "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}text"}).to_string();
    let words = [
        "call",
        file.to_str().expect("UTF-8"),
        "echo-string",
        "--args",
        &arguments,
    ];
    let output = env.run(words).on_terminal().finish().ok();
    assert!(
        !output.stdout.contains("\u{1b}]0") && !output.stdout.contains('\u{202e}'),
        "{output}"
    );
    assert!(output.stdout.contains("text"), "{output}");
    let words = [
        "call",
        file.to_str().expect("UTF-8"),
        "panic",
        "--arg",
        "message=\u{1b}[2Jgone",
    ];
    let output = env.run(words).on_terminal().finish();
    assert_eq!(output.code, Some(1), "{output}");
    assert!(
        !output.stdout.contains("\u{1b}[2J") && output.stdout.contains("gone"),
        "{output}"
    );
}
