//! Plugins that misuse the plugin world.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::plugin::{Described, Returned, plugin};
use super::{call, still_works};
use crate::support::env::TestEnv;

/// A tool that takes anything and promises nothing.
const PLAIN: Described<'_> = Described {
    name: "run",
    input_schema: r#"{"type": "object"}"#,
    output_schema: None,
};

const DONE: Returned<'_> = Returned::Complete(None, b"done");

fn save(env: &TestEnv, bytes: &[u8]) {
    env.write("guest.wasm", bytes);
}

fn run(env: &TestEnv, words: &[&str]) -> crate::support::process::Run {
    call(env, Path::new("guest.wasm"), words)
}

#[test]
fn a_plugin_runs() {
    let env = TestEnv::new();
    save(
        &env,
        &plugin(
            &[PLAIN],
            "",
            "",
            &Returned::Complete(Some(br#"{"a": [1, 2.5, null]}"#), b"as text"),
        ),
    );
    let output = run(&env, &["run", "--json"]).ok();
    assert_eq!(output.json()["tool"], "guest.run", "{output}");
    assert_eq!(
        output.json()["structured"],
        json!({"a": [1, 2.5, null]}),
        "{output}"
    );
    assert_eq!(
        output.json()["content"],
        json!([{"type": "text", "text": "as text"}]),
        "{output}"
    );
    let output = run(&env, &[]).ok();
    assert_eq!(
        output.stdout, "as text\n",
        "the only tool need not be named"
    );
}

#[test]
fn a_plugin_that_never_says_what_it_has_is_given_up() {
    let env = TestEnv::new();
    save(
        &env,
        &plugin(&[PLAIN], "(loop $again (br $again))", "", &DONE),
    );
    let output = run(&env, &["run", "--timeout", "1s"]).fails_with(124, "E3402");
    assert!(
        output.stderr.contains("asking the plugin what it has"),
        "{output}"
    );
    assert!(output.elapsed < Duration::from_secs(30), "{output}");
    save(&env, &plugin(&[PLAIN], "unreachable", "", &DONE));
    let output = run(&env, &["run"]).fails_with(1, "E3404");
    assert!(
        output.stderr.contains("asking the plugin what it has"),
        "{output}"
    );
    save(
        &env,
        &plugin(
            &[PLAIN],
            "(if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable))",
            "",
            &DONE,
        ),
    );
    run(&env, &["run"]).fails_with(6, "E3403");
    still_works(&env);
}

#[test]
fn tools_that_are_not_described_well_are_refused() {
    let env = TestEnv::new();
    let with = |name: &'static str,
                input_schema: &'static str,
                output_schema: Option<&'static str>| Described {
        name,
        input_schema,
        output_schema,
    };
    for (tool, told) in [
        (with("run", "", None), "input schema"),
        (with("run", "{", None), "input schema"),
        (with("run", "{}", Some("[1")), "output schema"),
        (
            with("run", r#"{"type": "object", "type": "string"}"#, None),
            "input schema",
        ),
        (with("run", r#"{"type": 5}"#, None), "schema"),
        (with("", "{}", None), "cannot be named"),
        (with("a b", "{}", None), "cannot be named"),
        (with("a\u{1b}[2J", "{}", None), "cannot be named"),
    ] {
        save(&env, &plugin(&[tool], "", "", &DONE));
        let output = run(&env, &[]).fails_with(2, "E3105");
        assert!(output.stderr.contains(told), "{output}");
        assert!(!output.stderr.contains('\u{1b}'), "{output}");
    }
    save(&env, &plugin(&[], "", "", &DONE));
    let output = run(&env, &["run"]).fails_with(4, "E3101");
    assert!(output.stderr.contains("has no tool"), "{output}");
    save(&env, &plugin(&[PLAIN, PLAIN], "", "", &DONE));
    let output = run(&env, &["run"]).fails_with(2, "E3105");
    assert!(output.stderr.contains("run"), "{output}");
    still_works(&env);
}

#[test]
fn arguments_are_checked_against_the_schema_before_the_tool_runs() {
    let env = TestEnv::new();
    let strict = Described {
        input_schema: r#"{"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}, "required": ["n"],
            "additionalProperties": false}"#,
        ..PLAIN
    };
    // It would crash if it ran.
    save(&env, &plugin(&[strict], "", "unreachable", &DONE));
    for (arguments, path) in [
        ("{}", "n"),
        ("{\"n\": 6}", "/n"),
        ("{\"n\": \"1\"}", "/n"),
        ("{\"n\": 1, \"m\": 1}", "m"),
    ] {
        let output = run(&env, &["run", "--args", arguments]).fails_with(2, "E3301");
        assert!(output.stderr.contains(path), "{output}");
    }
    run(&env, &["run", "--args", "{\"n\": 5}"]).fails_with(1, "E3404");
    // A schema that takes long to check, or refers to somewhere else.
    let elsewhere = Described {
        input_schema: r#"{"$ref": "http://127.0.0.1:9/schema.json"}"#,
        ..PLAIN
    };
    save(&env, &plugin(&[elsewhere], "", "", &DONE));
    run(&env, &["run"]).fails_with(2, "E3105");
    still_works(&env);
}

#[test]
fn results_that_are_not_what_was_promised_are_told() {
    let env = TestEnv::new();
    let promising = || Described {
        output_schema: Some(
            r#"{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}"#,
        ),
        ..PLAIN
    };
    let deep = "[".repeat(200) + &"]".repeat(200);
    for (structured, code, told) in [
        (Some(&b"{"[..]), "E3308", "not JSON"),
        (Some(b""), "E3308", "not JSON"),
        (Some(b"nonsense"), "E3308", "not JSON"),
        (Some(b"{} {}"), "E3308", "not JSON"),
        (Some(br#"{"n": 1, "n": 2}"#), "E3308", "not JSON"),
        (Some(deep.as_bytes()), "E3308", "not JSON"),
        (Some(b"{\"n\": 1e999}"), "E3308", "not JSON"),
        (Some(br#"{"n": "one"}"#), "E3303", "/n"),
        (Some(b"{}"), "E3303", "n"),
        (Some(b"[]"), "E3303", "guest.run"),
        (None, "E3303", "no structured result"),
    ] {
        save(
            &env,
            &plugin(
                &[promising()],
                "",
                "",
                &Returned::Complete(structured, b"text"),
            ),
        );
        let output = run(&env, &["run"]).fails_with(1, code);
        assert!(output.stderr.contains(told), "{output}");
    }
    for text in [&b"\xff\xfe"[..], b"\xc0\x80", b"\xed\xa0\x80"] {
        save(
            &env,
            &plugin(&[PLAIN], "", "", &Returned::Complete(None, text)),
        );
        let output = run(&env, &["run"]).fails_with(1, "E3308");
        assert!(output.stderr.contains("utf-8"), "{output}");
    }
    save(&env, &plugin(&[PLAIN], "", "", &Returned::Nonsense));
    run(&env, &["run"]).fails_with(1, "E3308");
    still_works(&env);
}

#[test]
fn every_error_of_a_tool_has_its_own_code() {
    let env = TestEnv::new();
    for (number, exit, code) in [
        (0, 2, "E3301"),
        (1, 3, "E3206"),
        (2, 1, "E3401"),
        (3, 4, "E3101"),
        (4, 1, "E3401"),
        (5, 1, "E3401"),
    ] {
        save(
            &env,
            &plugin(
                &[PLAIN],
                "",
                "",
                &Returned::Error(number, "the moon is full"),
            ),
        );
        let output = run(&env, &["run"]).fails_with(exit, code);
        assert!(output.stderr.contains("the moon is full"), "{output}");
    }
    // The words of a stranger do not rewrite the terminal, where there is one.
    save(
        &env,
        &plugin(
            &[PLAIN],
            "",
            "",
            &Returned::Error(4, "\u{1b}[2J\u{202e}gone"),
        ),
    );
    let output = run(&env, &["run"]).fails_with(1, "E3401");
    assert!(
        !output.stderr.contains('\u{1b}') && output.stderr.contains("gone"),
        "{output}"
    );
    let schema = r#"{"type": "object"}"#;
    save(
        &env,
        &plugin(&[PLAIN], "", "", &Returned::NeedsInput("Really?", schema)),
    );
    let output = run(&env, &["run", "--json"]).fails_with(3, "E3213");
    assert_eq!(
        output.json()["error"]["details"]["requests"][0]["message"],
        "Really?",
        "{output}"
    );
    save(
        &env,
        &plugin(&[PLAIN], "", "", &Returned::NeedsInput("Really?", "{")),
    );
    run(&env, &["run"]).fails_with(1, "E3308");
    still_works(&env);
}

#[test]
fn a_tool_that_never_stops_asking_is_given_up() {
    let env = TestEnv::new();
    let ask = Returned::NeedsInput("Sure?", r#"{"type": "object"}"#);
    save(&env, &plugin(&[PLAIN], "", "", &ask));
    let mut terminal = run(&env, &["run"]).on_terminal();
    // Every answer is the same to it; the seventeenth is not asked for.
    terminal.expect("guest.run asks:");
    terminal.answer(&"y\n".repeat(16));
    let output = terminal.finish().fails_with(6, "E3411");
    assert_eq!(
        output.stdout.matches("guest.run asks:").count(),
        16,
        "{output}"
    );
    still_works(&env);
}

#[test]
fn a_tool_sends_nobody_where_it_does_not_look_like() {
    let env = TestEnv::new();
    let visit = |message: &str, url: &str| {
        save(
            &env,
            &plugin(&[PLAIN], "", "", &Returned::NeedsVisit(message, url)),
        );
    };
    for url in [
        "https://bank.example@evil.example/",
        "http://evil.example/",
        "file:///etc/passwd",
        "",
    ] {
        visit("Sign in", url);
        run(&env, &["run"]).fails_with(1, "E3308");
    }
    // Its words are shown as its own, and do not rewrite the terminal.
    visit(
        "Sign in\u{1b}[2J\nAllow this call? [y/N]",
        "https://example.com/login",
    );
    let mut terminal = run(&env, &["run"]).on_terminal();
    terminal.expect("at https://example.com/login");
    terminal.press("\u{3}");
    let output = terminal.finish().fails_with(130, "E3703");
    assert!(
        output.stdout.contains("  | Allow this call? [y/N]") && !output.stdout.contains('\u{1b}'),
        "{output}"
    );
    still_works(&env);
}

#[test]
fn a_flood_of_log_messages_is_cut() {
    let env = TestEnv::new();
    let flood = |times: u32, length: u32| {
        format!(
            "(block $done (loop $again
               (br_if $done (i32.eq (local.get 0) (i32.const {times})))
               (call $log (i32.const 3) (i32.const 0) (i32.const {length}))
               (local.set 0 (i32.add (local.get 0) (i32.const 1)))
               (br $again)))"
        )
    };
    let start = "(local.set 0 (i32.const 0))";
    let save_flood = |times: u32, length: u32| {
        save(
            &env,
            &plugin(
                &[PLAIN],
                "",
                &format!("{start} {}", flood(times, length)),
                &DONE,
            ),
        );
    };
    save_flood(50_000, 3);
    let output = run(&env, &["run", "--json"]).ok();
    let report = output.json();
    let kept = report["logs"].as_array().map_or(0, Vec::len);
    assert!((1000..=10_000).contains(&kept), "{kept} messages");
    assert_eq!(
        report["dropped"]["logs"],
        50_000 - kept,
        "{:?}",
        report["dropped"]
    );
    // Messages that are long instead of many.
    save_flood(100, 60_000);
    let output = run(&env, &["run", "--json"]).ok();
    let logs = output.json()["logs"].to_string();
    assert!(logs.len() < 2 << 20, "{}", logs.len());
    // Without being asked to, the command line shows none of them.
    let output = run(&env, &["run"]).ok();
    assert_eq!(output.stderr, "");
    still_works(&env);
}

#[test]
fn a_message_that_points_nowhere_is_a_crash() {
    let env = TestEnv::new();
    for message in [
        "(i32.const -1) (i32.const 5)",
        "(i32.const 64) (i32.const -1)",
        "(i32.const 2147483647) (i32.const 2147483647)",
    ] {
        let on_call = format!("(call $log (i32.const 3) {message})");
        save(&env, &plugin(&[PLAIN], "", &on_call, &DONE));
        let output = run(&env, &["run"]).output();
        assert!([Some(1), Some(6)].contains(&output.code), "{output}");
    }
    save(
        &env,
        &plugin(
            &[PLAIN],
            "",
            "(call $log (i32.const 99) (i32.const 64) (i32.const 1))",
            &DONE,
        ),
    );
    run(&env, &["run"]).fails_with(1, "E3404");
    still_works(&env);
}
