//! The official conformance suite, with a plugin in our sandbox as what it asks a server for.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use super::{Peers, Served, dist};
use crate::support::env::TestEnv;

const SUITE: &str = "@modelcontextprotocol/conformance/dist/index.js";

/// How many checks of a scenario went well, and which did not.
fn checks(results: &Path, scenario: &str) -> (usize, Vec<String>) {
    let begins = format!("server-{scenario}-");
    let folders = std::fs::read_dir(results).expect("results");
    let mut found = folders.filter_map(Result::ok).filter(|folder| {
        let name = folder.file_name().to_string_lossy().into_owned();
        // What follows is a time, and not the rest of another scenario's name.
        let rest = name.strip_prefix(&begins);
        rest.is_some_and(|rest| rest.starts_with("20") && rest.contains('T'))
    });
    let folder = found
        .next()
        .unwrap_or_else(|| panic!("{scenario} was not run"));
    let text = std::fs::read(folder.path().join("checks.json")).expect("its checks");
    let checks: Vec<Value> = serde_json::from_slice(&text).expect("a list");
    let is = |check: &Value, status: &str| check["status"] == status;
    let passed = checks.iter().filter(|check| is(check, "SUCCESS")).count();
    let failed = checks.iter().filter(|check| is(check, "FAILURE"));
    let failed =
        failed.map(|check| format!("{scenario}: {} {}", check["id"], check["errorMessage"]));
    (passed, failed.collect())
}

/// Every required scenario passes; what is not scored is told.
fn passes(revision: &str, required: usize) {
    let Some(peers) = Peers::get() else { return };
    let env = TestEnv::new();
    let suite = peers.package(SUITE);
    let words = ["list", "--server", "--requirements", revision];
    let listed = peers.run(&env, &suite, &words).ok();
    let scenarios: Vec<&str> = listed
        .stdout
        .lines()
        .take_while(|line| !line.starts_with("Client scenarios"))
        .filter_map(|line| line.strip_prefix("  - "))
        .collect();
    assert_eq!(scenarios.len(), required, "{listed}");

    let served = Served::start(&env, &[&dist("conformance.wasm"), "--no-prefix"]);
    let url = served.url.clone();
    let words = [
        "server",
        "--url",
        &url,
        "--requirements",
        revision,
        "-o",
        "results",
    ];
    let ran = peers.run(&env, &suite, &words).output();
    let (mut passed, mut failed) = (0, Vec::new());
    for scenario in &scenarios {
        let (well, badly) = checks(&env.path("results"), scenario);
        assert!(well + badly.len() > 0, "{scenario} checks nothing");
        passed += well;
        failed.extend(badly);
    }
    let not_scored: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  ✗ "))
        .collect();
    // Past the capturing of output.
    let told = format!(
        "conformance {revision}, server: {passed} passed, {} failed in {} required scenarios; not scored and failing: {}\n",
        failed.len(),
        scenarios.len(),
        not_scored.join(", ")
    );
    drop(std::io::stderr().write_all(told.as_bytes()));
    assert_eq!(failed, Vec::<String>::new(), "{ran}");
    ran.ok();
}

#[test]
fn what_2025_11_25_requires_of_a_server() {
    passes("2025-11-25", 30);
}

#[test]
fn what_2026_07_28_requires_of_a_server() {
    passes("2026-07-28", 37);
}
