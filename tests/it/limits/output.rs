//! Results and output streams.

use std::time::Duration;

use serde_json::json;

use super::{call, still_works};
use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe::{self, Probe};

#[test]
fn results_end_at_their_limit() {
    let probe = Probe::new();
    for (function, arguments) in [
        ("big-text", json!({"letters": 11 << 20})),
        ("big-bytes", json!({"count": 9 << 20})),
        ("big-list", json!({"count": 6 << 20})),
    ] {
        probe.call(function, arguments).fails(
            6,
            "E3306",
            "the tool returned more than 10 MiB of output",
        );
    }
    probe
        .env
        .write(probe.env.user_config(), b"[limits]\noutput = \"1KiB\"\n");
    probe
        .call("big-text", json!({"letters": 2000}))
        .fails(6, "E3306", "more than 1 KiB of output");
    probe
        .call("big-text", json!({"letters": 200}))
        .gives(json!("x".repeat(200)));
    probe.still_works();
}

#[test]
fn results_just_below_the_limit_come_back() {
    let probe = Probe::new();
    let text = probe.call("big-text", json!({"letters": 4 << 20})).result();
    assert_eq!(text.as_str().map(str::len), Some(4 << 20));
    // Three megabytes are four as base64.
    let bytes = probe.call("big-bytes", json!({"count": 3 << 20})).result();
    assert_eq!(bytes.as_str().map(str::len), Some(4 << 20));
    let list = probe.call("big-list", json!({"count": 500_000})).result();
    assert_eq!(list.as_array().map(Vec::len), Some(500_000));
}

#[test]
fn a_gigabyte_is_not_returned() {
    let env = TestEnv::new();
    for function in ["text", "bytes"] {
        let output = call(
            &env,
            &guests::wat("huge-result"),
            &[function, "--memory", "2GiB"],
        )
        .fails_with(6, "E3306");
        assert!(output.elapsed < Duration::from_secs(30), "{output}");
    }
    call(&env, &guests::wat("huge-result"), &["text"]).fails_with(6, "E3403");
    still_works(&env);
}

#[test]
fn output_streams_are_captured_and_cut() {
    let probe = Probe::new();
    for (stream, name) in [("standard-output", "stdout"), ("standard-error", "stderr")] {
        let chatter = |bytes: u64| {
            probe
                .call("chatter", json!({"to": stream, "bytes": bytes}))
                .run()
                .ok()
        };
        let report = chatter(50_000_000).json();
        assert_eq!(report[name].as_str().map(str::len), Some(1 << 20));
        assert_eq!(
            report["dropped"][format!("{name}_bytes")],
            50_000_000 - (1 << 20)
        );
        let output = chatter(100);
        assert_eq!(
            output.json()[name].as_str().map(str::len),
            Some(100),
            "{output}"
        );
        assert!(output.json().get("dropped").is_none(), "{output}");
    }
    probe.still_works();
}

/// What a guest prints could be taken for a message of the protocol that the host speaks on its own standard output.
#[test]
fn what_a_guest_prints_is_never_printed_as_our_own() {
    let probe = Probe::new();
    let message = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\u{1b}[2J";
    let file = probe::file();
    let file = file.to_str().expect("UTF-8");
    let arguments = json!({"text": message}).to_string();
    let output = probe
        .env
        .run(["call", file, "say", "--args", &arguments])
        .ok();
    assert_eq!(output.stdout, "{}\n", "only the result of the call");
    assert_eq!(output.stderr, "");
    let output = probe.call("say", json!({"text": message})).run().ok();
    assert_eq!(output.stdout.lines().count(), 1, "{output}");
    assert_eq!(output.json()["stdout"], message, "{output}");
    let line = json!({"tool": file, "name": "say", "args": {"text": message}});
    let output = probe
        .env
        .run(["call", "--jsonl"])
        .stdin(format!("{line}\n{line}\n"))
        .ok();
    assert_eq!(output.json_lines().len(), 2, "{output}");
}
