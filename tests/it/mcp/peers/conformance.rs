//! The official conformance suite: of our server, with a plugin in our sandbox as what it asks for; and of what talks to
//! servers of others, by the commands that people use (`tests/fixtures/mcp-peers/scenario.py`).

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use super::{Peers, Served, dist, fixture};
use crate::support::env::TestEnv;
use crate::support::process::Output;

const SUITE: &str = "@modelcontextprotocol/conformance/dist/index.js";

/// Which half of the suite.
#[derive(Clone, Copy)]
enum Half {
    Server,
    Client,
}

impl Half {
    const fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// How the folder of a scenario's results begins.
    fn begins(self, scenario: &str) -> String {
        match self {
            Self::Server => format!("server-{scenario}-"),
            Self::Client => format!("{scenario}-"),
        }
    }
}

/// How many checks of a scenario went well, and which did not.
fn checks(results: &Path, half: Half, scenario: &str) -> (usize, Vec<String>) {
    let begins = results.join(half.begins(scenario));
    let (folder, begins) = (begins.parent(), begins.file_name());
    let begins = begins.expect("a name").to_string_lossy().into_owned();
    let folders = std::fs::read_dir(folder.expect("a folder")).expect("results");
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

/// The scenarios that a revision requires.
fn required(peers: &Peers, env: &TestEnv, half: Half, revision: &str, most: usize) -> Vec<String> {
    let flag = format!("--{}", half.word());
    let words = ["list", &flag, "--requirements", revision];
    let listed = peers.run(env, &peers.package(SUITE), &words).ok();
    let title = match half {
        Half::Server => "Server scenarios",
        Half::Client => "Client scenarios",
    };
    let scenarios: Vec<String> = listed
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with(title))
        .skip(1)
        .take_while(|line| !line.contains("scenarios"))
        .filter_map(|line| line.strip_prefix("  - "))
        .map(|line| line.split(" [").next().unwrap_or(line).to_owned())
        .collect();
    assert_eq!(scenarios.len(), most, "{listed}");
    scenarios
}

/// Every required scenario passes; what is not scored is told.
fn judge(env: &TestEnv, half: Half, revision: &str, scenarios: &[String], ran: &Output) {
    let (mut passed, mut failed) = (0, Vec::new());
    for scenario in scenarios {
        let (well, badly) = checks(&env.path("results"), half, scenario);
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
        "conformance {revision}, {}: {passed} passed, {} failed in {} required scenarios; not scored and failing: {}\n",
        half.word(),
        failed.len(),
        scenarios.len(),
        not_scored.join(", ")
    );
    drop(std::io::stderr().write_all(told.as_bytes()));
    assert_eq!(failed, Vec::<String>::new(), "{ran}");
    assert_eq!(ran.code, Some(0), "{ran}");
}

fn serves(revision: &str, most: usize) {
    let Some(peers) = Peers::get() else { return };
    let env = TestEnv::new();
    let scenarios = required(&peers, &env, Half::Server, revision, most);
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
    let ran = peers.run(&env, &peers.package(SUITE), &words).output();
    judge(&env, Half::Server, revision, &scenarios, &ran);
}

fn asks(revision: &str, most: usize) {
    let Some(peers) = Peers::get() else { return };
    let env = TestEnv::new();
    let scenarios = required(&peers, &env, Half::Client, revision, most);
    let command = format!(
        "{} {}",
        peers.path("python/bin/python"),
        fixture("scenario.py")
    );
    let words = [
        "client",
        "--command",
        &command,
        "--requirements",
        revision,
        "-o",
        "results",
    ];
    let ran = peers
        .run(&env, &peers.package(SUITE), &words)
        .env("TOOLHATCH", env!("CARGO_BIN_EXE_toolhatch"))
        .output();
    judge(&env, Half::Client, revision, &scenarios, &ran);
}

#[test]
fn what_2025_11_25_requires_of_a_server() {
    serves("2025-11-25", 30);
}

#[test]
fn what_2026_07_28_requires_of_a_server() {
    serves("2026-07-28", 37);
}

#[test]
fn what_2025_11_25_requires_of_a_client() {
    asks("2025-11-25", 18);
}

#[test]
fn what_2026_07_28_requires_of_a_client() {
    asks("2026-07-28", 32);
}
