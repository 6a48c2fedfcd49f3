//! What is too large for a record: the call is recorded in part, and the ones after it run.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::probe;

/// More than a line of the log holds.
const LARGE: usize = 17 << 20;

/// The answers to these lines in one process, with one behind each that has to work.
fn answers(env: &TestEnv, lines: &[Value]) -> Vec<Value> {
    let works = json!({"tool": probe::file(), "name": "echo-u8", "args": {"value": 7}});
    let input: String = lines
        .iter()
        .map(|line| format!("{line}\n{works}\n"))
        .collect();
    let told = env
        .run(["call", "--jsonl", "--jobs", "1"])
        .stdin(input)
        .timeout(Duration::from_secs(55))
        .output()
        .json_lines();
    assert_eq!(told.len(), lines.len() * 2);
    for pair in told.chunks(2) {
        assert_eq!(pair[1]["structured"]["result"], 7, "{}", pair[1]);
    }
    told.into_iter().step_by(2).collect()
}

fn records(env: &TestEnv, call: &Value, kind: &str) -> Vec<Value> {
    let found = env
        .run(["audit", "query", "--type", kind, "--json"])
        .ok()
        .json();
    let records = found["records"].as_array().expect("a list").iter();
    records
        .filter(|record| &record["call"] == call)
        .cloned()
        .collect()
}

fn call(function: &str, arguments: &Value) -> Value {
    json!({"tool": probe::file(), "name": function, "args": arguments})
}

#[test]
fn the_failure_of_a_tool_is_held_to_the_limit_of_its_output() {
    let request =
        |bytes: usize| json!({"request": {"method": "GET", "headers": [["x".repeat(bytes), "y"]]}});
    for settings in ["", "[audit]\nstrict = true\n"] {
        let env = TestEnv::new();
        env.write(env.user_config(), settings.as_bytes());
        let lines = [call("web", &request(LARGE)), call("web", &request(4 << 20))];
        let told = answers(&env, &lines);
        assert_eq!(told[0]["error"]["code"], "E3306");
        assert!(told[0].to_string().len() < 4096);
        // Below the limit it is told in full, and recorded in part.
        assert_eq!(told[1]["error"]["code"], "E3401");
        assert!(told[1].to_string().len() > 4 << 20);
        let failed = records(&env, &told[1]["call"], "error_occurred");
        let message = failed[0]["data"]["message"].as_str().expect("a text");
        assert!((60_000..70_000).contains(&message.len()));
    }
}

#[test]
fn arguments_that_no_record_holds_are_recorded_in_part() {
    let env = TestEnv::new();
    env.write(env.user_config(), b"[audit]\ninclude_arguments = true\n");
    let deep = (0..110).fold(json!([]), |value, _| json!([value]));
    let session = "s".repeat(LARGE);
    let mut in_session = call("echo-u8", &json!({"value": 1}));
    in_session["session"] = session.as_str().into();
    let lines = [
        call("echo-string", &json!({"value": "x".repeat(LARGE)})),
        call("echo-u8", &json!({"value": deep})),
        call("echo-string", &json!({"value": "short"})),
        in_session,
    ];
    let told = answers(&env, &lines);
    let args = |number: usize| {
        let decided = records(&env, &told[number]["call"], "permission_decided");
        decided[0]["data"]["question"]["ask"]["args"].clone()
    };
    assert_eq!(told[0]["error"]["code"], "E3306");
    assert!(args(0).as_object().is_none_or(serde_json::Map::is_empty));
    assert_eq!(args(2), json!({"value": "short"}));
    let start = records(&env, &told[0]["call"], "execution_start");
    let text = start[0]["data"]["arguments"].as_str().expect("a text");
    assert!((60_000..70_000).contains(&text.len()));
    env.run(["audit", "verify"]).ok();
    // What is left of the questions can still be asked.
    let call = told[0]["call"].as_str().expect("an id");
    env.run(["policy", "explain", call]).ok();
}
