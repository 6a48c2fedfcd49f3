//! A clock that goes back, or was wrong: the order of records is the order in which they were written.

use crate::support::env::TestEnv;
use crate::support::faults::clock_moved;
use crate::support::guests;
use crate::support::process::Run;

const DAY: i64 = 24 * 3600;

fn add(env: &TestEnv, settings: &str) -> Run {
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.write(env.user_config(), settings.as_bytes());
    env.run(guests::ADD)
}

#[test]
fn a_log_written_while_the_clock_went_back_verifies_and_is_found_in() {
    for settings in [
        "",
        "[audit]\nstrict = true\nmax_file_size = \"4KiB\"\n",
        "[audit]\nmax_age = \"1h\"\n",
    ] {
        let env = TestEnv::new();
        let mut calls = Vec::new();
        // Before 1970 as well, and a year ahead.
        for days in [0, -1, -2, 365, -400, 0, -25_000, 3, -3] {
            let output = clock_moved(add(&env, settings), days * DAY).ok();
            let call = output.json()["call"].as_str().expect("an id").to_owned();
            assert!(!calls.contains(&call), "{call}");
            calls.push(call);
            env.run(["audit", "verify"]).ok();
        }
        add(&env, settings).ok();
        let verified = env.run(["audit", "verify", "--json"]).ok().json();
        assert_eq!(verified["recoveries"], 0, "{verified}");
        for call in &calls {
            let found = env
                .run([
                    "audit",
                    "query",
                    "--call",
                    call,
                    "--type",
                    "execution_end",
                    "--json",
                ])
                .ok()
                .json();
            assert_eq!(
                found["records"].as_array().map(Vec::len),
                Some(1),
                "{call}: {found}"
            );
            let story = env.run(["audit", "why", call]).ok();
            assert!(story.stdout.contains("ok after"), "{story}");
            let proof = env.run(["audit", "prove", call]).ok();
            env.write("proof.json", proof.stdout.as_bytes());
            env.run(["audit", "check-proof", "proof.json"]).ok();
        }
        // By time: what was written within the last hour by the clock of now, wherever it stands in the log.
        let recent = env
            .run([
                "audit",
                "query",
                "--type",
                "execution_end",
                "--since",
                "1h",
                "--json",
            ])
            .ok()
            .json();
        let recent: Vec<&str> = recent["records"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|record| record["call"].as_str())
            .collect();
        for (index, call) in calls.iter().enumerate() {
            let is_recent = [0, 3, 5, 7].contains(&index);
            assert_eq!(
                recent.contains(&call.as_str()),
                is_recent,
                "{index}: {recent:?}"
            );
        }
        let listed = env.run(["calls", "list", "--json"]).ok().json();
        assert_eq!(
            listed["calls"].as_array().map(Vec::len),
            Some(10),
            "{listed}"
        );
    }
}

#[test]
fn an_approval_given_while_the_clock_was_ahead_is_no_approval_for_ever() {
    let settings = "[approvals]\nttl = \"1h\"\ndefault = \"always\"\n";
    let env = TestEnv::new();
    let asked = add(&env, settings).fails_with(3, "E3213").json();
    let id = asked["error"]["details"]["approval"]
        .as_str()
        .expect("a question");
    // By a clock that is two hours ahead, it is too late to answer.
    let mut terminal = clock_moved(env.run(["approvals", "allow", id]), 2 * 3600).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    terminal.finish().fails_with(3, "E3215");
    let mut terminal = env.run(["approvals", "allow", id]).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    terminal.finish().ok();
    clock_moved(add(&env, settings), 2 * 3600).fails_with(3, "E3213");
    add(&env, settings).ok();
}

#[test]
fn installing_and_granting_do_not_mind_the_clock() {
    let env = TestEnv::new();
    let file = crate::support::source::root().join("plugins/dist/files.wasm");
    let install = || env.run(["plugin", "install", file.to_str().expect("UTF-8")]);
    clock_moved(install(), 365 * DAY).ok();
    install().ok();
    env.write("notes.txt", b"a line\n");
    let grant = |by: i64| {
        let words = ["grant", "files", "--allow", "file_read=.:/workspace"];
        let mut terminal = clock_moved(env.run(words), by).on_terminal();
        terminal.expect("Keep this?");
        terminal.answer("y");
        terminal.finish().ok();
    };
    let read = || env.run(["call", "files.read", "--arg", "path=/workspace/notes.txt"]);
    grant(365 * DAY);
    read().ok();
    env.run(["revoke", "files"]).ok();
    read().fails_with(3, "E3213");
    grant(-365 * DAY);
    read().ok();
    clock_moved(env.run(["revoke", "files"]), -700 * DAY).ok();
    read().fails_with(3, "E3213");
    env.run(["audit", "verify"]).ok();
}
