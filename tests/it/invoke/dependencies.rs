//! Plugins that need others: resolved when they are installed, locked, and kept from losing what they need.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::plugin::{grant, install, try_install};

const NEEDS: &str = "[dependencies]\nbase = \"^1.0\"\n[permissions]\ntool_invoke = [\"base.*\"]\n";

/// The version of the base that a call by the plugin reaches, by its digest.
fn reached(env: &TestEnv) -> Value {
    let arguments = json!({"tool": "base.echo-u8", "arguments": "{\"value\":1}"}).to_string();
    env.run(["call", "needy.call-tool", "--args", &arguments])
        .ok();
    let found = env
        .run(["audit", "query", "--type", "execution_start", "--json"])
        .ok()
        .json();
    let records = found["records"].as_array().expect("a list");
    let of_base = records
        .iter()
        .filter(|record| record["tool"] == "base.echo-u8");
    let newest = of_base.max_by_key(|record| record["seq"].as_u64());
    newest.expect("it was called")["digest"].clone()
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let env = TestEnv::new();
    let needs = "[dependencies]\nbase = \"^1.0\"\nother = \">=2\"\n";
    let output = try_install(&env, "needy", "1.0.0", needs).fails_with(4, "E3101");
    let error = &output.json()["error"];
    assert!(
        error["message"]
            .to_string()
            .contains("base ^1.0, other >=2"),
        "{output}"
    );
    assert!(
        error["hints"]
            .to_string()
            .contains("toolhatch plugin install"),
        "{output}"
    );
    install(&env, "base", "1.0.0", "");
    install(&env, "other", "1.0.0", "");
    let output = try_install(&env, "needy", "1.0.0", needs).fails_with(4, "E3103");
    assert!(
        output.json()["error"]["message"]
            .to_string()
            .contains("other"),
        "{output}"
    );
}

#[test]
fn a_circle_of_needs_is_refused() {
    let env = TestEnv::new();
    install(&env, "a", "1.0.0", "");
    install(&env, "b", "1.0.0", "[dependencies]\na = \"1\"\n");
    let output =
        try_install(&env, "a", "1.1.0", "[dependencies]\nb = \"1\"\n").fails_with(4, "E3103");
    assert!(
        output.json()["error"]["message"]
            .to_string()
            .contains("circle"),
        "{output}"
    );
}

#[test]
fn the_locked_version_runs_until_the_plugin_is_installed_again() {
    let env = TestEnv::new();
    let old = install(&env, "base", "1.0.0", "");
    let needy = install(&env, "needy", "1.0.0", NEEDS);
    assert_eq!(needy["dependencies"], json!({"base": "1.0.0"}), "{needy}");
    grant(&env, "needy", &["tool_invoke=base.*"]);
    assert_eq!(reached(&env), old["digest"]);
    let new = install(&env, "base", "1.1.0", "");
    // Whoever calls it by name gets the newest; whoever was locked to another one does not.
    let by_name = env
        .run(["call", "base.echo-u8", "--arg", "value=1", "--json"])
        .ok();
    assert_eq!(by_name.json()["digest"], new["digest"]);
    assert_eq!(reached(&env), old["digest"]);
    let again = install(&env, "needy", "1.0.0", NEEDS);
    assert_eq!(
        (&again["new"], &again["locked_anew"]),
        (&json!(false), &json!(true)),
        "{again}"
    );
    assert_eq!(reached(&env), new["digest"]);
    // What does not fit is not taken.
    install(&env, "base", "2.0.0", "");
    let again = install(&env, "needy", "1.0.0", NEEDS);
    assert_eq!(again["locked_anew"], false, "{again}");
    assert_eq!(reached(&env), new["digest"]);
}

#[test]
fn what_others_need_stays_unless_somebody_insists() {
    let env = TestEnv::new();
    install(&env, "base", "1.0.0", "");
    install(&env, "needy", "1.0.0", NEEDS);
    grant(&env, "needy", &["tool_invoke=base.*"]);
    install(&env, "base", "1.1.0", "");
    let output = env
        .run(["plugin", "remove", "base@1.0.0"])
        .fails_with(4, "E3103");
    assert!(output.stderr.contains("needy 1.0.0"), "{output}");
    env.run(["plugin", "remove", "base"]).fails_with(4, "E3103");
    // Nobody was locked to this one.
    env.run(["plugin", "remove", "base@1.1.0"]).ok();
    env.run(["plugin", "remove", "base", "--force"]).ok();
    let arguments = json!({"tool": "base.echo-u8", "arguments": "{\"value\":1}"}).to_string();
    let output = env
        .run(["call", "needy.call-tool", "--args", &arguments, "--json"])
        .fails_with(1, "E3401");
    assert!(
        output.json()["error"]["message"]
            .to_string()
            .contains("not-found"),
        "{output}"
    );
    env.run(["plugin", "remove", "needy"]).ok();
}

#[test]
fn a_plugin_from_a_file_gets_a_version_that_it_asks_for() {
    let env = TestEnv::new();
    let fits = install(&env, "base", "1.0.0", "");
    install(&env, "base", "2.0.0", "");
    let file = crate::support::plugin::pack(&env, "needy", "1.0.0", NEEDS);
    let arguments = json!({"tool": "base.echo-u8", "arguments": "{\"value\":1}"}).to_string();
    let words = [
        "call",
        file.to_str().expect("UTF-8"),
        "call-tool",
        "--args",
        &arguments,
    ];
    env.run(words.iter().chain(&["--allow", "tool_invoke=base.*"]))
        .ok();
    let found = env
        .run(["audit", "query", "--type", "execution_start", "--json"])
        .ok()
        .json();
    let records = found["records"].as_array().expect("a list").iter();
    let of_base: Vec<&Value> = records
        .filter(|record| record["tool"] == "base.echo-u8")
        .collect();
    assert_eq!(of_base.len(), 1);
    assert_eq!(of_base[0]["digest"], fits["digest"]);
}
