//! Files and guests made to break the host: each ends in its typed error, and leaves the next call working.

mod broken;
mod plugin;
mod plugins;
mod schemas;

use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::guests::{self, call, still_works};
use crate::support::probe::Probe;

#[test]
fn a_crash_is_told_with_its_kind_and_where_it_was() {
    let env = TestEnv::new();
    let guest = guests::wat("traps");
    for (words, kind) in [
        (&["unreachable"][..], "`unreachable`"),
        (
            &["divide", "--arg", "a=1", "--arg", "b=0"],
            "divide by zero",
        ),
        (
            &["divide", "--arg", "a=-2147483648", "--arg", "b=-1"],
            "integer overflow",
        ),
        (
            &["load", "--arg", "at=4294967295"],
            "out of bounds memory access",
        ),
        (&["call-null"], "uninitialized element"),
        (
            &["convert", "--arg", "x:=\"NaN\""],
            "invalid conversion to integer",
        ),
    ] {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let output = call(&env, &guest, &words).fails_with(1, "E3404");
        let error = &output.json()["error"];
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.starts_with("the tool crashed: ") && message.contains(kind),
            "{output}"
        );
        let frames = error["details"]["backtrace"].as_array().map_or(0, Vec::len);
        assert!(frames > 0, "{output}");
    }
    let output = call(&env, &guest, &["unreachable", "--json"]).fails_with(1, "E3404");
    let backtrace = output.json()["error"]["details"]["backtrace"].to_string();
    assert!(
        backtrace.contains("inner"),
        "functions have names: {output}"
    );
    call(&env, &guest, &["divide", "--arg", "a=-7", "--arg", "b=2"]).ok();
    still_works(&env);
}

#[test]
fn a_panic_is_told_in_the_guests_own_words() {
    let probe = Probe::new();
    let output = probe
        .call("panic", json!({"message": "the cat is on the keyboard"}))
        .fails(1, "E3404", "the cat is on the keyboard");
    assert!(
        output.stdout.contains("probe/src/act.rs"),
        "and with the place: {output}"
    );
    probe
        .call("panic", json!({"message": ""}))
        .fails(1, "E3404", "panicked");
    for success in [true, false] {
        let output = probe.call("exit", json!({"success": success})).fails(
            1,
            "E3410",
            "the tool ended itself with exit code",
        );
        assert_eq!(
            output.json()["error"]["details"]["exit_code"],
            i32::from(!success),
            "{output}"
        );
    }
    probe
        .call("random", json!({"count": 1 << 30}))
        .fails(1, "E3404", "");
    probe.still_works();
}

#[test]
fn a_result_that_is_no_value_of_its_type_is_the_guests_fault() {
    let env = TestEnv::new();
    let guest = guests::wat("bad-results");
    for function in [
        "not-utf8",
        "out-of-memory",
        "too-long",
        "wraps",
        "no-pointer",
        "not-aligned",
        "surrogate",
        "no-case",
    ] {
        let output = call(&env, &guest, &[function, "--json"]).output();
        assert_eq!(output.code, Some(1), "{function}: {output}");
        let code = output.json()["error"]["code"].clone();
        assert!(code == "E3308" || code == "E3404", "{function}: {output}");
    }
    let output = call(&env, &guest, &["not-utf8"]).fails_with(1, "E3308");
    assert!(output.stderr.contains("utf-8"), "{output}");
    // The upper bits of a small number do not count.
    let output = call(&env, &guest, &["wide", "--json"]).ok();
    assert_eq!(output.json()["structured"]["result"], 0x34, "{output}");
    still_works(&env);
}

#[test]
fn imports_that_no_host_has_are_named() {
    let env = TestEnv::new();
    let output = call(&env, &guests::wat("vault"), &["run"]).fails_with(2, "E3111");
    assert!(
        output
            .stderr
            .contains("acme:secret/vault@1.0.0, which this host does not have"),
        "{output}"
    );
    let output = call(&env, &guests::wat("wrong-wasi"), &["run"]).fails_with(2, "E3111");
    assert!(output.stderr.contains("get-everything"), "{output}");
    still_works(&env);
}

/// RUSTSEC-2026-0182 (GHSA-3p27-qvp9-27qf): `fd_renumber` of WASI preview 1 leaked descriptors. There is no preview 1 here:
/// a module for it does not run.
#[test]
fn rustsec_2026_0182_preview_1_is_not_there() {
    let env = TestEnv::new();
    let output = call(&env, &guests::wat("preview1"), &[]).fails_with(2, "E3105");
    assert!(
        output
            .stderr
            .contains("this is a core module, not a component"),
        "{output}"
    );
    still_works(&env);
}

#[test]
fn functions_that_json_cannot_call_are_named() {
    let env = TestEnv::new();
    let output = call(&env, &guests::wat("resource"), &["size"]).fails_with(2, "E3111");
    assert!(
        output
            .stderr
            .contains("`open` cannot be a tool: its signature has a resource"),
        "{output}"
    );
    still_works(&env);
}
