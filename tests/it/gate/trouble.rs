//! A disk that is full or can only be read, a log and a key that are not as they should be: every command ends in its
//! code, what was answered is not lost, what cannot be recorded does not run, and when it is mended everything goes on.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::env::TestEnv;
use crate::support::faults::Fault;
use crate::support::namespace;
use crate::support::probe;
use crate::support::process::{Output, Run};
use crate::support::source::root;

const STRICT: &[u8] = b"[audit]\nstrict = true\n";

/// Installs the plugin that reads and writes files.
fn install(env: &TestEnv) -> Run {
    let file = root().join("plugins/dist/files.wasm");
    env.run(["plugin", "install", file.to_str().expect("UTF-8")])
}

/// A call that leaves a file behind, so that one sees whether it ran.
fn write(env: &TestEnv) -> Run {
    std::fs::create_dir_all(env.path("out")).expect("created");
    let probe = probe::file();
    let words = [
        "call",
        probe.to_str().expect("UTF-8"),
        "write-file",
        "--json",
        "--arg",
        "path=/out/made",
        "--arg",
        "text=x",
        "--allow",
        "file_write=out:/out",
    ];
    env.run(words)
}

/// Whether the call ran since this was last asked.
fn ran(env: &TestEnv) -> bool {
    std::fs::remove_file(env.path("out/made")).is_ok()
}

/// The same environment with a call behind it.
fn environment(settings: &[u8]) -> TestEnv {
    let env = TestEnv::new();
    env.write(env.user_config(), settings);
    works(&env);
    env
}

/// Asserts that a call works and that the log is whole.
#[track_caller]
fn works(env: &TestEnv) {
    write(env).ok();
    assert!(ran(env));
    env.run(["audit", "verify"]).ok();
}

fn audit_file(env: &TestEnv) -> PathBuf {
    env.toolhatch_home().join("audit/000001.jsonl")
}

/// Puts a file in the place of what is there, for its owner alone.
fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    toolhatch::fsx::write_atomic(path, bytes.as_ref(), 0o600).expect("written");
}

/// How the calls in the log ended, by their ids.
fn ends(env: &TestEnv) -> Vec<(String, String)> {
    let log = env.run(["audit", "export"]).ok();
    log.json_lines()
        .iter()
        .filter(|record| record["type"] == "toolhatch.execution_end")
        .map(|record| {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (
                word(&record["executionid"]),
                word(&record["data"]["outcome"]),
            )
        })
        .collect()
}

/// Asserts that the run ended in one of these codes and not with a signal, and that its exit code is that of its code.
#[track_caller]
fn ends_in(output: &Output, codes: &[(i32, &str)]) {
    let told = format!("{}{}", output.stdout, output.stderr);
    let is_one = codes
        .iter()
        .any(|(exit, code)| output.code == Some(*exit) && told.contains(code));
    assert!(is_one, "it should have ended in one of {codes:?}\n{output}");
}

/// The codes of a disk that does not take what is written.
const FULL: [(i32, &str); 2] = [(4, "E3801"), (4, "E3001")];

#[test]
fn on_a_disk_that_fills_up_at_any_write_a_strict_call_is_recorded_or_refused() {
    let env = environment(STRICT);
    let mut refused = 0;
    for at in 1.. {
        let output = Fault::Full(at).happens_to(&env, write(&env)).output();
        let has_run = ran(&env);
        if output.code == Some(0) {
            let call = output.json()["call"].as_str().expect("an id").to_owned();
            let is_there = ends(&env).contains(&(call, "ok".to_owned()));
            assert!(is_there, "at {at}: answered and not in the log: {output}");
            if output.stderr.is_empty() {
                break;
            }
            continue;
        }
        ends_in(&output, &FULL);
        refused += 1;
        let started = env.run(["audit", "export"]).ok();
        let call = output.json()["call"].as_str().map(str::to_owned);
        let is_started = call.is_some_and(|call| started.stdout.contains(&call));
        assert!(
            is_started || !has_run,
            "at {at}: it ran unrecorded: {output}"
        );
        env.run(["audit", "verify"]).ok();
    }
    assert!(refused >= 2, "{refused}");
    works(&env);
}

#[test]
fn on_a_disk_that_fills_up_at_any_write_no_answer_goes_unrecorded() {
    let env = environment(b"");
    for at in 1.. {
        let output = Fault::Full(at).happens_to(&env, write(&env)).output();
        ran(&env);
        if output.code == Some(0) {
            let call = output.json()["call"].as_str().expect("an id").to_owned();
            let is_there = ends(&env).contains(&(call, "ok".to_owned()));
            assert!(is_there, "at {at}: answered and not in the log: {output}");
            if output.stderr.is_empty() {
                break;
            }
            continue;
        }
        ends_in(&output, &FULL);
        env.run(["audit", "verify"]).ok();
    }
    works(&env);
}

#[test]
fn on_a_disk_that_fills_up_at_any_write_an_installation_is_recorded_or_refused() {
    let env = environment(b"");
    let (home, before) = (env.toolhatch_home(), env.path("before"));
    let copied = |from: &Path, to: &Path| {
        drop(std::fs::remove_dir_all(to));
        let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
        assert!(status.expect("started").success());
    };
    copied(&home, &before);
    // Compiled once, it is compiled for all that follow.
    install(&env).ok();
    for at in 1.. {
        copied(&before, &home);
        let output = Fault::Full(at).happens_to(&env, install(&env)).output();
        env.run(["audit", "verify"]).ok();
        let listed = env.run(["plugin", "list", "--json"]).ok().json();
        let is_there = listed["plugins"] != Value::Array(Vec::new());
        let records = env
            .run(["audit", "query", "--type", "plugin_installed", "--json"])
            .ok()
            .json();
        let is_recorded = records["records"] != Value::Array(Vec::new());
        assert!(
            is_recorded || !is_there,
            "at {at}: installed and not recorded: {output}"
        );
        if output.code == Some(0) {
            assert!(is_there, "at {at}: {output}");
            if output.stderr.is_empty() {
                break;
            }
        } else {
            ends_in(&output, &FULL);
        }
        // With room, it is done.
        install(&env).ok();
        if at % 8 == 0 {
            env.run(["tools", "show", "files.read"]).ok();
            works(&env);
        }
    }
}

#[test]
fn a_state_that_can_only_be_read_runs_nothing_and_goes_on_when_it_can_be_written() {
    if !namespace::works() {
        return;
    }
    for settings in [b"".as_slice(), STRICT] {
        let env = environment(settings);
        let home = env.toolhatch_home();
        let read_only = |run| namespace::read_only(&home, run);
        let output = read_only(write(&env)).output();
        ends_in(&output, &[(4, "E3801"), (4, "E3001"), (2, "E3004")]);
        assert!(!ran(&env), "{output}");
        let output = read_only(install(&env)).output();
        ends_in(&output, &[(4, "E3801"), (4, "E3001"), (2, "E3004")]);
        // What only reads still answers.
        read_only(env.run(["audit", "export"])).ok();
        let listed = read_only(env.run(["plugin", "list"])).output();
        assert!(listed.code == Some(0) || listed.code == Some(4), "{listed}");
        works(&env);
        install(&env).ok();
    }
}

#[test]
fn a_database_that_stays_locked_is_told_within_seconds() {
    // They wait for most of the time, and so they do it together.
    std::thread::scope(|scope| {
        for setup in [
            // A change that does not end, and a connection that keeps the file for itself.
            "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; CREATE TABLE other (a)",
            "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE other (a)",
        ] {
            for is_new in [false, true] {
                scope.spawn(move || locked(setup, is_new));
            }
        }
    });
}

/// An installation while another connection keeps the database locked, which was there before or is made by it.
fn locked(setup: &'static str, is_new: bool) {
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

    let env = if is_new {
        TestEnv::new()
    } else {
        environment(STRICT)
    };
    let home = env.toolhatch_home();
    std::fs::create_dir_all(&home).expect("created");
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).expect("set");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let options = SqliteConnectOptions::new()
        .filename(home.join("state.db"))
        .create_if_missing(true);
    let holder = runtime.block_on(async {
        let mut holder = options.connect().await.expect("opened");
        let held = sqlx::raw_sql(setup).execute(&mut holder).await;
        held.expect("locked");
        holder
    });
    let output = install(&env)
        .timeout(Duration::from_secs(40))
        .fails_with(4, "E3001");
    assert!(output.stderr.contains("locked"), "{output}");
    runtime.block_on(async {
        use sqlx::Connection;
        holder.close().await.expect("closed");
    });
    install(&env).ok();
    works(&env);
}

#[test]
fn a_torn_tail_is_recovered_and_the_log_verifies() {
    for (torn, cut) in [
        (&b"{\"specversion\":\"1.0\",\"id\":\"01"[..], 0),
        (&[0; 5000], 0),
        (b"\xff\xfe\n\n\n", 0),
        (b"", 40),
    ] {
        for settings in [b"".as_slice(), STRICT] {
            let env = environment(settings);
            let file = audit_file(&env);
            let mut bytes = std::fs::read(&file).expect("a log");
            bytes.truncate(bytes.len() - cut);
            bytes.extend_from_slice(torn);
            put(&file, &bytes);
            let torn = env.run(["audit", "verify", "--json"]).output();
            assert_eq!(torn.code, Some(5), "{torn}");
            assert_eq!(torn.json()["whole"], false, "{torn}");
            write(&env).ok();
            let recovered = env
                .run(["audit", "query", "--type", "log_recovered", "--json"])
                .ok()
                .json();
            assert_eq!(
                recovered["records"].as_array().map(Vec::len),
                Some(1),
                "{recovered}"
            );
            let verified = env.run(["audit", "verify", "--json"]).output();
            // Where a record that the kept head tells of was cut off, the loss is told; nothing can bring it back.
            assert_eq!(
                verified.code,
                Some(if cut == 0 { 0 } else { 5 }),
                "{verified}"
            );
        }
    }
}

#[test]
fn a_log_of_a_newer_format_is_left_as_it_is_and_nothing_runs() {
    let env = environment(b"");
    let file = audit_file(&env);
    let whole = std::fs::read_to_string(&file).expect("a log");
    for (from, to) in [
        ("\"format\":1", "\"format\":2"),
        ("\"specversion\":\"1.0\"", "\"specversion\":\"2.0\""),
    ] {
        let newer = whole.replace(from, to);
        put(&file, &newer);
        for settings in [b"".as_slice(), STRICT] {
            env.write(env.user_config(), settings);
            let output = write(&env).fails_with(4, "E3801");
            assert!(!ran(&env), "{output}");
            let output = install(&env).fails_with(4, "E3801");
            assert_eq!(
                std::fs::read_to_string(&file).expect("there"),
                newer,
                "it is left alone: {output}"
            );
        }
    }
    put(&file, &whole);
    works(&env);
}

#[test]
fn without_its_folder_or_lock_the_log_lets_nothing_run() {
    for (place, is_folder) in [
        ("audit", false),
        ("audit/lock", true),
        ("audit/000001.jsonl", true),
    ] {
        for settings in [b"".as_slice(), STRICT] {
            let env = environment(settings);
            let path = env.toolhatch_home().join(place);
            let aside = env.path("aside");
            std::fs::rename(&path, &aside).expect("moved");
            if is_folder {
                std::fs::create_dir(&path).expect("made");
            } else {
                put(&path, b"");
            }
            let output = write(&env).output();
            ends_in(&output, &[(4, "E3801"), (2, "E3004")]);
            assert!(!ran(&env), "{place}: {output}");
            if is_folder {
                std::fs::remove_dir(&path).expect("removed");
            } else {
                std::fs::remove_file(&path).expect("removed");
            }
            std::fs::rename(&aside, &path).expect("moved");
            works(&env);
        }
    }
}

#[test]
fn a_key_that_others_could_have_read_or_that_is_none_signs_nothing() {
    let env = environment(b"");
    let key = env.toolhatch_home().join("keys/audit.key");
    let whole = std::fs::read(&key).expect("a key");
    let refuses = |how: &str| {
        for settings in [b"".as_slice(), STRICT] {
            env.write(env.user_config(), settings);
            let output = write(&env).fails_with(5, "E3109");
            assert!(!ran(&env), "{how}: {output}");
            install(&env).fails_with(5, "E3109");
        }
        let listed = env.run(["plugin", "list", "--json"]).ok().json();
        assert_eq!(listed["plugins"], Value::Array(Vec::new()), "{how}");
    };
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&key, permissions).expect("set");
    };
    for open in [0o640, 0o604, 0o620] {
        mode(open);
        refuses(&format!("{open:o}"));
    }
    mode(0o600);
    for broken in [&b""[..], b"short", &[0; 32], &[7; 33]] {
        put(&key, broken);
        refuses(&format!("{broken:?}"));
    }
    // Another key than the one that signed.
    put(&key, [9; 32]);
    refuses("another");
    std::fs::remove_file(&key).expect("removed");
    refuses("missing");
    put(&key, &whole);
    mode(0o600);
    works(&env);
    install(&env).ok();
}

#[test]
fn what_was_cut_off_at_a_checkpoint_stays_known_when_the_log_goes_on() {
    for settings in [b"".as_slice(), STRICT] {
        let env = environment(settings);
        for _ in 0..2 {
            write(&env).ok();
        }
        // Back to the checkpoint of the first call: what is left is a whole log.
        let file = audit_file(&env);
        let text = std::fs::read_to_string(&file).expect("a log");
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let is_checkpoint = |line: &&str| line.contains("\"toolhatch.checkpoint\"");
        let (second, _) = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| is_checkpoint(line))
            .nth(1)
            .expect("that of the first call");
        put(&file, lines[..=second].concat());
        // Until it has grown past what it was, and after that.
        for _ in 0..6 {
            assert_eq!(env.run(["audit", "verify"]).output().code, Some(5));
            drop(write(&env).output());
        }
        assert_eq!(env.run(["audit", "verify"]).output().code, Some(5));
    }
}
