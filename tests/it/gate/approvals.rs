//! Calls that a person approves one by one.

use serde_json::Value;

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::process::{Output, Run};

/// An environment where each call of the adder is asked about.
fn asking() -> TestEnv {
    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.write(
        env.user_config(),
        b"[approvals.tools]\n\"adder.add\" = \"always\"\n",
    );
    env
}

fn add<'a>(env: &'a TestEnv, b: &str, words: &[&'a str]) -> Run {
    let b = format!("b={b}");
    let start = ["call", "adder.wasm", "--json", "--arg", "a=1", "--arg", &b];
    env.run(start.iter().chain(words))
}

/// The id of the question that a refused call left.
fn question(output: &Output) -> String {
    let json: Value = output.json();
    json["error"]["details"]["approval"]
        .as_str()
        .unwrap_or_else(|| panic!("it asks: {output}"))
        .to_owned()
}

/// A person allows it at a terminal.
fn allow(env: &TestEnv, id: &str) -> Output {
    let mut terminal = env.run(["approvals", "allow", id]).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    terminal.finish()
}

#[test]
fn an_approval_is_for_one_call_with_those_arguments() {
    let env = asking();
    let id = question(&add(&env, "2", &[]).fails_with(3, "E3213"));
    // The same question is not asked twice.
    assert_eq!(question(&add(&env, "2", &[]).fails_with(3, "E3213")), id);
    let listed = env.run(["approvals", "list", "--json"]).ok().json();
    assert_eq!(
        listed["approvals"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    allow(&env, &id).ok();
    // Not for other arguments, and not for another agent.
    add(&env, "3", &[]).fails_with(3, "E3213");
    add(&env, "2", &["--agent", "other"]).fails_with(3, "E3213");
    add(&env, "2", &[]).ok();
    // It is used up.
    let again = question(&add(&env, "2", &[]).fails_with(3, "E3213"));
    assert_ne!(again, id);
}

#[test]
fn only_a_person_approves() {
    let env = asking();
    let id = question(&add(&env, "2", &[]).fails_with(3, "E3213"));
    let words = ["approvals", "allow", id.as_str()];
    env.run(words).stdin("y\n").fails_with(3, "E3213");
    env.run(words.iter().chain(&["--yes"]))
        .fails_with(3, "E3206");
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("n");
    terminal.finish().fails_with(3, "E3214");
    add(&env, "2", &[]).fails_with(3, "E3213");
    // Saying no needs nobody's permission, and is final.
    env.run(["approvals", "deny", &id]).ok();
    add(&env, "2", &[]).fails_with(3, "E3214");
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    terminal.finish().fails_with(3, "E3215");
    env.run(["approvals", "allow", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
        .fails_with(4, "E3101");
}

#[test]
fn an_answer_expires() {
    let env = asking();
    env.write(
        env.user_config(),
        b"[approvals]\nttl = \"1ms\"\n[approvals.tools]\n\"adder.add\" = \"always\"\n",
    );
    let id = question(&add(&env, "2", &[]).fails_with(3, "E3213"));
    let mut terminal = env.run(["approvals", "allow", &id]).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    terminal.finish().fails_with(3, "E3215");
    add(&env, "2", &[]).fails_with(3, "E3213");
}

#[test]
fn a_person_at_the_terminal_is_asked_while_the_call_waits() {
    let env = asking();
    let words = ["call", "adder.wasm", "--arg", "a=1", "--arg", "b=2"];
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    let output = terminal.finish().ok();
    assert!(output.stdout.contains('3'), "{output}");
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("");
    terminal.finish().fails_with(3, "E3214");
    // Headless nobody is asked, though there is a terminal.
    let output = env
        .run(words.iter().chain(&["--headless"]))
        .on_terminal()
        .finish();
    assert_eq!(output.code, Some(3), "{output}");
}

#[test]
fn the_first_call_is_asked_about_once() {
    let env = asking();
    env.write(env.user_config(), b"[approvals]\ndefault = \"first\"\n");
    let id = question(&add(&env, "2", &[]).fails_with(3, "E3213"));
    allow(&env, &id).ok();
    add(&env, "2", &[]).ok();
    add(&env, "3", &[]).ok();
    // A project can ask for more, and not for less.
    env.write(
        ".toolhatch/config.toml",
        b"[approvals]\ndefault = \"never\"\n",
    );
    add(&env, "2", &[]).fails_with(2, "E3004");
    env.write(
        ".toolhatch/config.toml",
        b"[approvals]\ndefault = \"always\"\n",
    );
    add(&env, "2", &[]).fails_with(3, "E3213");
}
