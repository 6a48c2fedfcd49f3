//! Approvals in the wrong hands: used twice, at once, for something else, by somebody else, or too late.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::faults::clock_moved;
use crate::support::guests;
use crate::support::process::{Output, Run};

/// Subtracts instead of adding, under the name of the adder.
const OTHER: &str = r#"
(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add"))))
"#;

fn asking() -> TestEnv {
    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.write(
        env.user_config(),
        b"[approvals]\ndefault = \"always\"\nttl = \"1h\"\n",
    );
    env
}

fn add(env: &TestEnv, words: &[&str]) -> Run {
    let start = [
        "call",
        "adder.wasm",
        "--json",
        "--arg",
        "a=5",
        "--arg",
        "b=2",
    ];
    env.run(start.iter().chain(words))
}

fn question(output: &Output) -> String {
    output.json()["error"]["details"]["approval"]
        .as_str()
        .unwrap_or_else(|| panic!("it asks: {output}"))
        .to_owned()
}

fn decide(env: &TestEnv, id: &str, run: impl FnOnce(Run) -> Run) -> Output {
    let mut terminal = run(env.run(["approvals", "allow", id])).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    terminal.finish()
}

fn asked_and_allowed(env: &TestEnv) -> String {
    let id = question(&add(env, &[]).fails_with(3, "E3213"));
    decide(env, &id, |run| run).ok();
    id
}

fn row(env: &TestEnv, id: &str) -> Value {
    let listed = env
        .run(["approvals", "list", "--all", "--json"])
        .ok()
        .json();
    let rows = listed["approvals"].as_array().expect("a list").clone();
    rows.into_iter()
        .find(|row| row["id"] == id)
        .unwrap_or_else(|| panic!("{id} is listed: {listed}"))
}

#[test]
fn an_approval_is_used_once_also_by_calls_that_come_at_once() {
    let env = asking();
    let id = asked_and_allowed(&env);
    // Two processes, each with several calls of the same kind at once.
    let line = json!({"tool": "adder.wasm", "args": {"a": 5, "b": 2}});
    let start = || {
        env.run(["call", "--jsonl", "--jobs", "8"])
            .stdin(format!("{line}\n").repeat(8))
            .start()
    };
    let running = [start(), start()];
    let answers: Vec<Value> = running
        .into_iter()
        .flat_map(|one| one.finish().json_lines())
        .collect();
    assert_eq!(answers.len(), 16);
    let (ran, refused): (Vec<&Value>, Vec<&Value>) =
        answers.iter().partition(|answer| answer["ok"] == true);
    assert_eq!(ran.len(), 1, "{ran:?}");
    for answer in refused {
        assert_eq!(answer["error"]["code"], "E3213", "{answer}");
    }
    let used = row(&env, &id);
    assert_eq!(used["used_by"], ran[0]["call"], "{used}");
    // Answering it again gives nothing back.
    decide(&env, &id, |run| run).fails_with(3, "E3215");
    env.run(["approvals", "deny", &id]).fails_with(3, "E3215");
    let next = question(&add(&env, &[]).fails_with(3, "E3213"));
    assert_ne!(next, id);
    let story = env
        .run(["audit", "why", ran[0]["call"].as_str().expect("an id")])
        .ok();
    assert!(story.stdout.contains(&id), "{story}");
    env.run(["audit", "verify"]).ok();
}

#[test]
fn an_approval_is_for_those_bytes_arguments_and_grants() {
    let env = asking();
    let id = asked_and_allowed(&env);
    // Other bytes behind the same name.
    env.write("adder.wasm", &guests::component(OTHER));
    add(&env, &[]).fails_with(3, "E3213");
    env.write("adder.wasm", &guests::component(guests::ADDER));
    // The same numbers the other way round, and one of them twice.
    for arguments in [
        json!({"a": 2, "b": 5}),
        json!({"a": 5, "b": 5}),
        json!({"a": 5, "b": 3}),
    ] {
        env.run([
            "call",
            "adder.wasm",
            "--json",
            "--args",
            &arguments.to_string(),
        ])
        .fails_with(3, "E3213");
    }
    add(&env, &["--agent", "other"]).fails_with(3, "E3213");
    assert_eq!(row(&env, &id)["used_at"], Value::Null);
    // The order in which arguments are written is no difference, and nothing of the above has used it up.
    let swapped = r#"{"b": 2, "a": 5}"#;
    env.run(["call", "adder.wasm", "--json", "--args", swapped])
        .ok();
    add(&env, &[]).fails_with(3, "E3213");
}

#[test]
fn an_approval_that_was_not_used_in_time_is_none() {
    let env = asking();
    let id = asked_and_allowed(&env);
    let later = |seconds| clock_moved(add(&env, &[]), seconds);
    later(3601).fails_with(3, "E3213");
    assert_eq!(row(&env, &id)["used_at"], Value::Null);
    later(3500).ok();
    later(3500).fails_with(3, "E3213");
    // A question that nobody answered in time cannot be answered any more, and waits no longer.
    let id = question(&add(&env, &["--agent", "slow"]).fails_with(3, "E3213"));
    decide(&env, &id, |run| clock_moved(run, 3601)).fails_with(3, "E3215");
    let waiting = clock_moved(env.run(["approvals", "list", "--json"]), 2 * 3601)
        .ok()
        .json();
    assert_eq!(waiting["approvals"], json!([]), "{waiting}");
    // A no holds as long as a yes would have.
    env.run(["approvals", "deny", &id]).ok();
    add(&env, &["--agent", "slow"]).fails_with(3, "E3214");
    clock_moved(add(&env, &["--agent", "slow"]), 3601).fails_with(3, "E3213");
}

#[test]
fn whoever_asks_does_not_answer() {
    let env = asking();
    let id = question(&add(&env, &[]).fails_with(3, "E3213"));
    let words = ["approvals", "allow", id.as_str()];
    // On its own input and output a process is nobody, whatever it writes there.
    for said in ["y\n", "yes\n", "\n"] {
        env.run(words).stdin(said).fails_with(3, "E3213");
    }
    env.run(words.iter().chain(&["--yes"]))
        .fails_with(3, "E3206");
    env.write("made-up", b"made up");
    env.run(words.iter().chain(&["--credential", "made-up"]))
        .fails_with(3, "E3206");
    // Nor does a line of calls hold an answer, nor the id of a question, nor a setting of the project.
    let line = json!({"tool": "adder.wasm", "args": {"a": 5, "b": 2}, "key": id, "session": id});
    let told = env
        .run(["call", "--jsonl"])
        .stdin(format!("{line}\n"))
        .output()
        .json_lines();
    assert_eq!(told[0]["error"]["code"], "E3213", "{told:?}");
    let line = json!({"tool": "adder.wasm", "args": {"a": 5, "b": 2}, "approval": id});
    let told = env
        .run(["call", "--jsonl"])
        .stdin(format!("{line}\n"))
        .output()
        .json_lines();
    assert_eq!(told[0]["error"]["code"], "E3301", "{told:?}");
    for text in [
        "[approvals]\ndefault = \"never\"\n",
        "[approvals.tools]\n\"adder.add\" = \"never\"\n",
        "[approvals]\nttl = \"100h\"\n",
        "[approvers]\nme = \"00\"\n",
    ] {
        env.write(".toolhatch/config.toml", text.as_bytes());
        add(&env, &[]).fails_with(2, "E3004");
    }
    env.write(".toolhatch/config.toml", b"");
    add(&env, &[]).fails_with(3, "E3213");
    assert_eq!(row(&env, &id)["decision"], Value::Null);
}
