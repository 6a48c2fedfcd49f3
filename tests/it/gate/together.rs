//! Several processes at once, of which some install, grant and take back what others call.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::probe;

/// The probe as a plugin of this version, which asks to read the workspace and for what `more` says.
fn packed(env: &TestEnv, version: &str, more: &str) -> PathBuf {
    let manifest = format!(
        "schema = 1\nname = \"trier\"\nversion = \"{version}\"\ndescription = \"Version {version}\"\n\
         [[tools]]\nname = \"read-file\"\ndescription = \"Reads a file\"\n\
         [permissions]\nfile_read = [{{ path = \"${{workspace}}\", mount = \"/workspace\" }}]\n{more}"
    );
    let manifest = env.write(format!("{version}.toml"), manifest.as_bytes());
    let out = env.path(format!("trier-{version}.wasm"));
    let probe = probe::file();
    let words = [
        "plugin",
        "pack",
        probe.to_str().expect("UTF-8"),
        "--manifest",
        manifest.to_str().expect("UTF-8"),
        "-o",
        out.to_str().expect("UTF-8"),
    ];
    env.run(words).ok();
    out
}

fn install(env: &TestEnv, file: &std::path::Path) -> Value {
    let words = ["plugin", "install", file.to_str().expect("UTF-8"), "--json"];
    env.run(words).ok().json()
}

fn grant(env: &TestEnv, plugin: &str) {
    let words = ["grant", plugin, "--allow", "file_read=.:/workspace"];
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Keep this?");
    terminal.answer("y");
    terminal.finish().ok();
}

/// The answers to lines that are fed until `stop`, by one process.
fn stream(env: &TestEnv, stop: &AtomicBool) -> Vec<Value> {
    use std::io::{BufRead, BufReader, Write};

    let (from, mut to) = std::io::pipe().expect("a pipe");
    let (told, answered) = std::io::pipe().expect("a pipe");
    let mut child = env
        .run(["call", "--jsonl"])
        .spawn_with(from.into(), answered.into());
    let line = json!({"tool": "trier.read-file", "args": {"path": "/workspace/a.txt"}});
    let mut lines = BufReader::new(told).lines();
    let mut answers = Vec::new();
    loop {
        // Asked before, so that one call comes after everything.
        let is_last = stop.load(Ordering::SeqCst);
        writeln!(to, "{line}").expect("written");
        let answer = lines.next().expect("answered").expect("UTF-8");
        answers.push(serde_json::from_str(&answer).expect("JSON"));
        if is_last {
            break;
        }
    }
    drop(to);
    child.wait().expect("ended");
    answers
}

/// The answers of one process after the other until `stop`.
fn one_after_the_other(env: &TestEnv, stop: &AtomicBool) -> Vec<Value> {
    let words = [
        "call",
        "trier.read-file",
        "--json",
        "--arg",
        "path=/workspace/a.txt",
    ];
    let mut answers = Vec::new();
    loop {
        let is_last = stop.load(Ordering::SeqCst);
        answers.push(env.run(words).output().json());
        if is_last {
            return answers;
        }
    }
}

/// Calls, in one process and in many, while `change` is at work; gives all answers, those of the one process first.
fn during(env: &TestEnv, change: impl FnOnce()) -> [Vec<Value>; 2] {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| stream(env, &stop));
        let many = scope.spawn(|| one_after_the_other(env, &stop));
        // Also where the change fails, so that its failure is told.
        let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
        stop.store(true, Ordering::SeqCst);
        let answers = [
            one.join().expect("it ended"),
            many.join().expect("it ended"),
        ];
        if let Err(panic) = changed {
            std::panic::resume_unwind(panic);
        }
        answers
    })
}

/// Asserts that each answer is that of one of these versions or a refusal of one of these codes.
#[track_caller]
fn each_is_of(answers: &[Value], digests: &[&Value], codes: &[&str]) {
    for answer in answers {
        let is_refused = codes.iter().any(|code| answer["error"]["code"] == *code);
        let is_answered = answer["ok"] == true
            && answer["structured"]["result"] == "in a"
            && digests.contains(&&answer["digest"]);
        assert!(is_refused || is_answered, "{answer}");
    }
}

#[test]
fn while_a_version_is_installed_calls_are_answered_by_one_or_the_other() {
    let env = TestEnv::new();
    env.write("a.txt", b"in a");
    let old = install(&env, &packed(&env, "1.0.0", ""))["digest"].clone();
    grant(&env, "trier");
    let next = packed(&env, "1.1.0", "");
    let mut new = Value::Null;
    let [one, many] = during(&env, || new = install(&env, &next)["digest"].clone());
    assert_ne!(old, new);
    each_is_of(&one, &[&old, &new], &["E3213"]);
    each_is_of(&many, &[&old, &new], &["E3213"]);
    // The grant goes along: nobody is refused in the end, and processes that begin now have the new one.
    assert_eq!(many.last().expect("one")["digest"], new, "{many:?}");
    assert_eq!(one.last().expect("one")["ok"], true, "{one:?}");
    // Nor does any go back to the old one.
    for answers in [&one, &many] {
        let answered: Vec<&Value> = answers
            .iter()
            .filter(|answer| answer["ok"] == true)
            .map(|answer| &answer["digest"])
            .collect();
        let turns = answered
            .windows(2)
            .filter(|pair| pair[0] != pair[1])
            .count();
        assert!(turns <= 1, "{answered:?}");
    }
    env.run(["audit", "verify"]).ok();
}

#[test]
fn while_a_version_that_wants_more_comes_and_goes_the_old_one_answers() {
    let env = TestEnv::new();
    env.write("a.txt", b"in a");
    let old = install(&env, &packed(&env, "1.0.0", ""))["digest"].clone();
    grant(&env, "trier");
    let more = "network_http = [{ host = \"api.example.com\" }]\n";
    let next = packed(&env, "1.1.0", more);
    let answers = during(&env, || {
        for _ in 0..3 {
            let staged = install(&env, &next);
            assert_eq!(staged["stage"], "staged", "{staged}");
            env.run(["plugin", "remove", "trier@1.1.0"]).ok();
        }
    });
    for answers in &answers {
        each_is_of(answers, &[&old], &[]);
    }
    env.run(["audit", "verify"]).ok();
}

#[test]
fn while_grants_come_and_go_calls_are_answered_or_refused() {
    let env = TestEnv::new();
    env.write("a.txt", b"in a");
    let digest = install(&env, &packed(&env, "1.0.0", ""))["digest"].clone();
    let [one, many] = during(&env, || {
        for _ in 0..4 {
            grant(&env, "trier");
            env.run(["revoke", "trier"]).ok();
        }
    });
    each_is_of(&one, &[&digest], &["E3213"]);
    // A process that confined itself for a call without a grant cannot use one that comes a moment later.
    each_is_of(&many, &[&digest], &["E3213", "E3405"]);
    for answers in [&one, &many] {
        let last = answers.last().expect("one");
        assert_eq!(last["error"]["code"], "E3213", "it is taken back: {last}");
    }
    let listed = env.run(["grants", "list", "--all", "--json"]).ok().json();
    assert_eq!(
        listed["grants"].as_array().map(Vec::len),
        Some(4),
        "{listed}"
    );
    env.run(["audit", "verify"]).ok();
}

#[test]
fn several_who_install_versions_at_once_leave_all_of_them() {
    let env = TestEnv::new();
    env.write("a.txt", b"in a");
    let files: Vec<PathBuf> = (0..4)
        .map(|minor| packed(&env, &format!("1.{minor}.0"), ""))
        .collect();
    // The same version with other bytes, at the same time: one of them is refused.
    let other = {
        let aside = TestEnv::new();
        let file = packed(&aside, "1.3.0", "env = [\"HOME\"]\n");
        let there = env.path("other.wasm");
        std::fs::copy(file, &there).expect("copied");
        there
    };
    let running: Vec<_> = files
        .iter()
        .chain([&other])
        .map(|file| {
            let words = ["plugin", "install", file.to_str().expect("UTF-8"), "--json"];
            env.run(words).start()
        })
        .collect();
    let outputs: Vec<_> = running.into_iter().map(|one| one.finish()).collect();
    let refused: Vec<_> = outputs
        .into_iter()
        .filter(|output| output.code != Some(0))
        .collect();
    assert_eq!(refused.len(), 1);
    for output in refused {
        output.fails_with(2, "E3108");
    }
    let listed = env.run(["plugin", "list", "--json"]).ok().json();
    assert_eq!(
        listed["plugins"].as_array().map(Vec::len),
        Some(4),
        "{listed}"
    );
    let records = env
        .run(["audit", "query", "--type", "plugin_installed", "--json"])
        .ok()
        .json();
    assert_eq!(
        records["records"].as_array().map(Vec::len),
        Some(4),
        "{records}"
    );
    env.run(["audit", "verify"]).ok();
}
