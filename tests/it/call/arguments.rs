//! Where arguments come from, and what is none.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::probe;
use crate::support::process::Run;

fn echo(env: &TestEnv, words: &[&str]) -> Run {
    let file = probe::file();
    let start = [
        "call",
        file.to_str().expect("UTF-8"),
        "echo-string",
        "--json",
    ];
    env.run(start.iter().chain(words))
        .timeout(Duration::from_secs(55))
}

#[test]
fn arguments_come_from_the_command_line_a_file_or_standard_input() {
    let env = TestEnv::new();
    let whole = json!({"value": "grüße"}).to_string();
    env.write("arguments.json", whole.as_bytes());
    for run in [
        echo(&env, &["--args", &whole]),
        echo(&env, &["--args", "@arguments.json"]),
        echo(&env, &["--args", "-"]).stdin(whole.clone()),
        echo(&env, &["--arg", "value=grüße"]),
        echo(&env, &["--args", "{\"value\": 5}", "--arg", "value=grüße"]),
        echo(&env, &["--arg", "value=no", "--arg", "value:=\"grüße\""]),
    ] {
        let output = run.ok();
        assert_eq!(output.json()["structured"]["result"], "grüße", "{output}");
    }
}

#[test]
fn what_is_not_an_object_of_json_is_refused() {
    let env = TestEnv::new();
    let deep = format!(
        "{{\"value\": {}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for (whole, told) in [
        ("", "there is no value"),
        ("{", "line 1, column 1"),
        ("[]", "not an object"),
        ("null", "not an object"),
        ("\"value\"", "not an object"),
        ("{\"value\": \"a\"} x", "more text after the end"),
        ("{\"value\": \"a\", \"value\": \"b\"}", "appears twice"),
        ("{'value': 'a'}", "line 1"),
        ("{\"value\": \"\\ud800\"}", "line 1"),
        ("{\"value\": NaN}", "line 1"),
        ("{\"value\": 1e999}", "out of range"),
        (&deep, "nested deeper than 127 levels"),
    ] {
        let output = echo(&env, &["--args", "-"])
            .stdin(whole)
            .fails_with(2, "E3301");
        let message = output.json()["error"]["message"].to_string();
        assert!(message.contains(told), "{output}");
    }
    let output = echo(&env, &["--args", "@missing.json"]).fails_with(4, "E3101");
    assert!(output.stdout.contains("missing.json"), "{output}");
    echo(&env, &["--arg", "value"]).fails_with(2, "E3004");
    echo(&env, &["--arg", "value:={"]).fails_with(2, "E3301");
    echo(&env, &["--args", "@."]).fails_with(2, "E3004");
    echo(&env, &["--args", "@/dev/zero"]).fails_with(2, "E3004");
    echo(&env, &["--arg", "value=ok"]).ok();
}

#[test]
fn what_is_not_utf8_is_refused_wherever_it_comes_from() {
    let env = TestEnv::new();
    let broken = b"{\"value\": \"\xff\xfe\"}";
    env.write("broken.json", broken);
    let output = echo(&env, &["--args", "-"])
        .stdin(&broken[..])
        .fails_with(2, "E3301");
    assert!(output.stdout.contains("not UTF-8 (byte 11)"), "{output}");
    let output = echo(&env, &["--args", "@broken.json"]).fails_with(2, "E3004");
    assert!(output.stdout.contains("byte 11 is not UTF-8"), "{output}");
    // On the command line itself, as an argument, a file and a grant.
    let file = probe::file().into_os_string();
    let not_utf8 = |start: &str| {
        let mut bytes = start.as_bytes().to_vec();
        bytes.extend(b"\xff\xfe");
        OsString::from_vec(bytes)
    };
    let words =
        |more: [OsString; 3]| [["call".into(), file.clone()].to_vec(), more.to_vec()].concat();
    for words in [
        words(["echo-string".into(), "--arg".into(), not_utf8("value=")]),
        words(["echo-string".into(), "--args".into(), not_utf8("")]),
        words([
            "echo-string".into(),
            "--allow".into(),
            not_utf8("file_read="),
        ]),
        vec!["call".into(), not_utf8("x.wasm")],
    ] {
        let output = env.run(&words).output();
        assert_eq!(output.code, Some(2), "{output}");
        assert!(!output.stderr.is_empty(), "{output}");
    }
    echo(&env, &["--arg", "value=ok"]).ok();
}

#[test]
fn a_hundred_megabytes_of_arguments_are_refused() {
    let env = TestEnv::new();
    let mut whole = b"{\"value\": \"".to_vec();
    whole.resize(100 << 20, b'x');
    whole.extend(b"\"}");
    let mut file = File::create(env.path("large.json")).expect("created");
    file.write_all(&whole).expect("written");
    let output = echo(&env, &["--args", "@large.json"]).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stdout.contains("larger than"), "{output}");
    let output = echo(&env, &["--args", "-"])
        .stdin(whole)
        .fails_with(2, "E3301");
    assert!(output.stdout.contains("larger than 64 MiB"), "{output}");
    echo(&env, &["--arg", "value=ok"]).ok();
}

#[test]
fn arguments_just_below_the_limit_reach_the_guest_or_its_limits() {
    let env = TestEnv::new();
    let of = |megabytes: usize| json!({"value": "x".repeat(megabytes << 20)}).to_string();
    let output = echo(&env, &["--args", "-"]).stdin(of(4)).ok();
    let result = &output.json()["structured"]["result"];
    assert_eq!(result.as_str().map(str::len), Some(4 << 20));
    // It fits into the guest's memory, and not into its result.
    echo(&env, &["--args", "-"])
        .stdin(of(60))
        .fails_with(6, "E3306");
    echo(&env, &["--args", "-", "--memory", "16MiB"])
        .stdin(of(60))
        .fails_with(6, "E3403");
    echo(&env, &["--arg", "value=ok"]).ok();
}
