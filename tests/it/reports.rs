//! What Toolhatch says about itself: its health, its configuration, its cache, its errors and its formats.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;

/// The status of a check of `doctor`.
fn status<'a>(report: &'a Value, name: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("a list");
    let check = checks.iter().find(|check| check["name"] == name);
    check
        .and_then(|check| check["status"].as_str())
        .unwrap_or("absent")
}

#[test]
fn doctor_says_which_protections_are_live() {
    let env = TestEnv::new();
    let report = env.run(["doctor", "--json"]).ok().json();
    for name in ["wasmtime", "state", "cache", "engine", "sandbox"] {
        assert_eq!(status(&report, name), "ok", "{name}: {report}");
    }
    assert_ne!(status(&report, "landlock"), "absent", "{report}");
    // People read the same.
    let text = env.run(["doctor"]).ok();
    assert!(text.stdout.contains("a guest ran"), "{text}");
}

#[cfg(unix)]
#[test]
fn doctor_fails_where_something_that_should_be_live_is_not() {
    use std::os::unix::fs::PermissionsExt;

    let env = TestEnv::new();
    env.run(["doctor"]).ok();
    let key = env.toolhatch_home().join("keys/cache.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let output = env.run(["doctor", "--json"]).output();
    assert_eq!(output.code, Some(4), "{output}");
    assert_eq!(status(&output.json(), "cache"), "problem", "{output}");
    // And nothing runs from a cache whose key others know.
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.run(["call", "adder.wasm", "--arg", "a=1", "--arg", "b=2"])
        .fails_with(5, "E3109");
}

#[test]
fn configuration_is_shown_with_where_it_came_from() {
    let env = TestEnv::new();
    env.write(env.user_config(), b"[limits]\ntimeout = \"7s\"\n");
    env.write(
        ".toolhatch/config.toml",
        b"[limits]\ntimeout = \"5s\"\nmemory = \"64MiB\"\n",
    );
    let output = env
        .run(["config", "show", "--origin", "--json"])
        .env("TOOLHATCH_MEMORY", "32MiB")
        .ok();
    let text = output.json().to_string();
    assert!(text.contains("5s"), "{output}");
    assert!(text.contains("32MiB"), "{output}");
    assert!(text.contains("TOOLHATCH_MEMORY"), "{output}");
    // A project can only lower.
    env.write(".toolhatch/config.toml", b"[limits]\ntimeout = \"9s\"\n");
    let text = env.run(["config", "show", "--origin"]).output();
    assert!(!text.stdout.contains("9s"), "{text}");
}

#[test]
fn the_cache_is_listed_and_cleared() {
    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    let call = ["call", "adder.wasm", "--arg", "a=1", "--arg", "b=2"];
    env.run(call).ok();
    let listed = env.run(["cache", "list", "--json"]).ok().json();
    assert_eq!(
        listed["components"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    let kept = env.run(["cache", "gc", "--json"]).ok().json();
    assert_eq!(kept["removed"], json!([]), "used a moment ago: {kept}");
    let gone = env
        .run(["cache", "gc", "--keep", "0B", "--json"])
        .ok()
        .json();
    assert_eq!(gone["removed"].as_array().map(Vec::len), Some(1), "{gone}");
    env.run(call).ok();
}

#[test]
fn every_verb_explains_itself() {
    let env = TestEnv::new();
    for verb in [
        &["call"][..],
        &["tools"],
        &["tools", "list"],
        &["plugin"],
        &["plugin", "pack"],
        &["cache"],
        &["config"],
        &["doctor"],
        &["explain"],
        &["schema"],
        &["completions"],
    ] {
        let output = env.run(verb.iter().chain(&["--help"])).ok();
        assert!(output.stdout.contains("Examples:"), "{verb:?}: {output}");
    }
    let output = env.run(["tool", "list"]).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stderr.contains("'tools'"), "{output}");
}

#[test]
fn formats_have_schemas_and_shells_have_completions() {
    let env = TestEnv::new();
    for what in ["manifest", "config"] {
        let schema = env.run(["schema", what]).ok().json();
        assert_eq!(schema["type"], "object", "{what}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let output = env.run(["completions", shell]).ok();
        assert!(output.stdout.contains("toolhatch"), "{shell}");
    }
}

#[test]
fn errors_are_explained_by_number_and_name() {
    let env = TestEnv::new();
    for name in ["E3211", "3211", "e3211", "network-denied"] {
        let output = env.run(["explain", name, "--json"]).ok();
        assert_eq!(output.json()["code"], "E3211", "{name}: {output}");
    }
    env.run(["explain", "E9999"]).fails_with(2, "E3004");
}
