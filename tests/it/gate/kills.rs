//! `kill -9`: what was answered is in the log, the log verifies, and the database opens.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::support::env::TestEnv;
use crate::support::faults::Fault;
use crate::support::guests;
use crate::support::process::Run;
use crate::support::source::root;

/// An environment with the adder, and a log whose files end soon, so that some of the kills come between two of them.
fn environment(settings: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write("adder.wasm", &guests::component(guests::ADDER));
    let config = format!("[audit]\nmax_file_size = \"64KiB\"\n{settings}");
    env.write(env.user_config(), config.as_bytes());
    env
}

/// The id of the call, where the line is a whole answer.
fn acknowledged(line: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(line).ok()?;
    assert_eq!(answer["ok"], true, "{answer}");
    Some(answer["call"].as_str().expect("an id").to_owned())
}

/// Feeds calls to one process until it has given so many answers, kills it, and gives every answer that it had told.
fn stream(env: &TestEnv, words: &[&str], answers: usize) -> Vec<String> {
    let (from, mut to) = std::io::pipe().expect("a pipe");
    let (told, answered) = std::io::pipe().expect("a pipe");
    let start = ["call", "--jsonl"];
    let mut child = env
        .run(start.iter().chain(words))
        .spawn_with(from.into(), answered.into());
    let line = r#"{"tool": "adder.wasm", "args": {"a": 1, "b": 2}}"#;
    let text = format!("{line}\n").repeat(answers + 50);
    let writer = std::thread::spawn(move || {
        // It is killed before it has read everything.
        drop(to.write_all(text.as_bytes()));
        to
    });
    let mut lines = BufReader::new(told).lines();
    let mut calls: Vec<String> = lines
        .by_ref()
        .take(answers)
        .filter_map(|line| acknowledged(&line.expect("UTF-8")))
        .collect();
    child.kill().expect("killed");
    child.wait().expect("ended");
    // What stood in the pipe was told as well; the last of it may be half a line.
    calls.extend(
        lines
            .map_while(Result::ok)
            .filter_map(|line| acknowledged(&line)),
    );
    drop(writer.join());
    calls
}

/// One call of one process, which is killed as soon as it has answered.
fn one_shot(env: &TestEnv) -> String {
    let (told, answered) = std::io::pipe().expect("a pipe");
    let (none, _) = std::io::pipe().expect("a pipe");
    let mut child = env
        .run(guests::ADD)
        .spawn_with(none.into(), answered.into());
    let mut text = String::new();
    for line in BufReader::new(told).lines() {
        text.push_str(&line.expect("UTF-8"));
        if serde_json::from_str::<Value>(&text).is_ok() {
            break;
        }
    }
    // It may have ended by itself.
    drop(child.kill());
    child.wait().expect("ended");
    acknowledged(&text).expect("it answered")
}

/// Asserts that the next call works, the log is whole, the database opens, and each of these calls is told of from its
/// start to its end.
#[track_caller]
fn is_all_there(env: &TestEnv, calls: &[String]) {
    env.run(guests::ADD).ok();
    let verified = env.run(["audit", "verify", "--json"]).ok().json();
    assert_eq!(verified["whole"], true, "{verified}");
    env.run(["plugin", "list"]).ok();
    let log = env.run(["audit", "export"]).ok();
    let mut seen: HashMap<String, [u32; 2]> = HashMap::new();
    for record in log.json_lines() {
        let kind = record["type"].as_str().expect("a type");
        let at = match kind.trim_start_matches("toolhatch.") {
            "execution_start" => 0,
            "execution_end" => 1,
            _ => continue,
        };
        let call = record["executionid"].as_str().expect("it is of a call");
        seen.entry(call.to_owned()).or_default()[at] += 1;
    }
    let lost: Vec<&String> = calls
        .iter()
        .filter(|call| seen.get(*call) != Some(&[1, 1]))
        .collect();
    assert_eq!(
        lost,
        Vec::<&String>::new(),
        "{} of {} calls were answered and are not whole in the log",
        lost.len(),
        calls.len()
    );
}

/// Calls until 500 answers were given, by processes that were all killed.
fn five_hundred(env: &TestEnv) -> Vec<String> {
    let mut calls = Vec::new();
    for (turn, answers) in [1, 3, 40, 90, 7, 120, 150, 60].iter().cycle().enumerate() {
        let words: &[&str] = match turn % 3 {
            0 => &["--unordered"],
            1 => &["--jobs", "1"],
            _ => &[],
        };
        calls.extend(stream(env, words, *answers));
        calls.push(one_shot(env));
        if calls.len() >= 500 {
            return calls;
        }
    }
    unreachable!("the cycle has no end");
}

#[test]
fn five_hundred_strict_answers_survive_kills() {
    let env = environment("strict = true\n");
    let calls = five_hundred(&env);
    is_all_there(&env, &calls);
}

#[test]
fn five_hundred_answers_survive_kills() {
    let env = environment("");
    let calls = five_hundred(&env);
    is_all_there(&env, &calls);
}

/// Runs this, killed at one operation on the files of its state after the other, until it gets through.
fn at_every_write(
    env: &TestEnv,
    fault: fn(u32) -> Fault,
    run: impl Fn() -> Run,
    mut check: impl FnMut(&crate::support::process::Output),
) -> u32 {
    for at in 1..1000 {
        let output = fault(at).happens_to(env, run()).output();
        check(&output);
        if output.signal.is_none() {
            assert_eq!(output.code, Some(0), "{output}");
            return at;
        }
        assert_eq!(output.signal, Some(9), "{output}");
    }
    panic!("it never got through");
}

/// Does this for a process that ends before a write and for one that ends in the middle of it, side by side.
fn however_it_ends(check: fn(fn(u32) -> Fault)) {
    std::thread::scope(|scope| {
        for fault in [Fault::Kill, Fault::Torn] {
            scope.spawn(move || check(fault));
        }
    });
}

#[test]
fn a_call_that_is_killed_at_any_write_loses_no_answer() {
    however_it_ends(|fault| {
        for settings in ["strict = true\n", ""] {
            let env = environment(settings);
            let mut answered = Vec::new();
            let writes = at_every_write(
                &env,
                fault,
                || env.run(guests::ADD),
                |output| answered.extend(acknowledged(&output.stdout)),
            );
            // From the first use of an empty state: the database, the keys, the log and its first files.
            assert!(writes > 20, "{writes}");
            is_all_there(&env, &answered);
            // And again where everything is there already.
            at_every_write(
                &env,
                fault,
                || env.run(guests::ADD),
                |output| answered.extend(acknowledged(&output.stdout)),
            );
            is_all_there(&env, &answered);
        }
    });
}

#[test]
fn an_installation_that_is_killed_at_any_write_is_whole_or_not_there() {
    however_it_ends(|fault| {
        let file = root().join("plugins/dist/files.wasm");
        let words = ["plugin", "install", file.to_str().expect("UTF-8")];
        let env = TestEnv::new();
        at_every_write(
            &env,
            fault,
            || env.run(words),
            |_| {
                let listed = env.run(["plugin", "list", "--json"]).ok().json();
                let plugins = listed["plugins"].as_array().expect("a list");
                assert!(plugins.len() <= 1, "{listed}");
                if plugins.is_empty() {
                    return;
                }
                let shown = env.run(["tools", "show", "files.read"]).ok();
                assert!(shown.stdout.contains("Reads a file"), "{shown}");
                let records = env
                    .run(["audit", "query", "--type", "plugin_installed", "--json"])
                    .ok()
                    .json();
                let count = records["records"].as_array().map_or(0, Vec::len);
                assert!(count >= 1, "what is installed stands in the log: {records}");
            },
        );
        env.run(["audit", "verify"]).ok();
    });
}
