//! What a plugin keeps between its calls: granted, held to a quota, its own alone, and there after whatever happens.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::probe::{self, Probe};

/// The files in which state is kept.
fn files(env: &TestEnv, folder: &str) -> Vec<PathBuf> {
    let folder = env.toolhatch_home().join("plugin-state").join(folder);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == "db"))
        .collect()
}

/// The file that state was kept in, with all of it: whoever was the last to look has closed it.
fn only_file(env: &TestEnv) -> PathBuf {
    env.run(["plugin", "state"]).ok();
    let mut files = files(env, "files");
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn set(probe: &Probe, key: &str, value: &str) {
    probe
        .call("state-set", json!({"key": key, "value": value}))
        .allow("state=1MiB")
        .gives(Value::Null);
}

fn get(probe: &Probe, key: &str) -> Value {
    probe
        .call("state-get", json!({"key": key}))
        .allow("state=1MiB")
        .result()
}

#[test]
fn what_was_written_is_there_in_the_next_process() {
    let probe = Probe::new();
    assert_eq!(get(&probe, "a"), Value::Null);
    assert!(
        files(&probe.env, "files").is_empty(),
        "reading makes nothing"
    );
    set(&probe, "a", "one");
    set(&probe, "b", "two");
    assert_eq!(get(&probe, "a"), json!("one"));
    let listed = probe
        .call("state-keys", json!({"prefix": ""}))
        .allow("state=1MiB")
        .run()
        .ok();
    let report = listed.json();
    assert_eq!(
        report["structured"]["result"],
        json!(["a", "b"]),
        "{listed}"
    );
    // The log has it, and the result is not taken for one that follows from the arguments alone.
    let effect = &report["effects"][0];
    assert_eq!(
        (&effect["type"], &effect["key"]),
        (&json!("state"), &json!("")),
        "{listed}"
    );
    probe
        .call(
            "state-replace",
            json!({"key": "a", "expected": "other", "value": "x"}),
        )
        .allow("state=1MiB")
        .gives(json!(false));
    probe
        .call(
            "state-replace",
            json!({"key": "a", "expected": "one", "value": null}),
        )
        .allow("state=1MiB")
        .gives(json!(true));
    probe
        .call("state-delete", json!({"key": "a"}))
        .allow("state=1MiB")
        .gives(json!(false));
    assert_eq!(get(&probe, "a"), Value::Null);
    let file = only_file(&probe.env);
    let mode = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().expect("a folder")), 0o700);
}

#[test]
fn without_a_grant_it_is_denied_with_what_would_allow_it() {
    let probe = Probe::new();
    let said = probe
        .call("state-set", json!({"key": "a", "value": "1"}))
        .denied("E3206", "no state was granted");
    assert!(said.starts_with("not-permitted"), "{said}");
    let output = probe.call("state-get", json!({"key": "a"})).run().output();
    assert_eq!(
        output.json()["denials"][0]["flag"],
        "--allow state=1MiB",
        "{output}"
    );
    assert!(files(&probe.env, "files").is_empty());
}

#[test]
fn a_deterministic_call_has_none() {
    let probe = Probe::new();
    let output = probe
        .call("state-get", json!({"key": "a"}))
        .allow("state=1MiB")
        .flag("--deterministic")
        .fails(1, "E3401", "deterministic");
    let denial = output.json()["denials"][0]["message"].to_string();
    assert!(denial.contains("the call is deterministic"), "{output}");
}

#[test]
fn more_than_the_quota_is_full_and_the_rest_stays() {
    let probe = Probe::new();
    let call = |function, arguments| probe.call(function, arguments).allow("state=1KiB");
    call("state-set", json!({"key": "a", "value": "1"})).gives(Value::Null);
    let said = call("state-fill", json!({"key": "b", "bytes": 2000}))
        .denied("E3206", "the quota is 1024 bytes");
    assert!(said.starts_with("full: it would be 2003 bytes"), "{said}");
    // Each of 17 bytes with its key at first, of 18 from the tenth on.
    call("state-many", json!({"values": 1000})).gives(json!(57));
    call("state-get", json!({"key": "a"})).gives(json!("1"));
    call("state-delete", json!({"key": "a"})).gives(json!(true));
}

#[test]
fn hostile_keys_and_values_are_told_apart() {
    let probe = Probe::new();
    let fails = |key: &str, said: &str| {
        probe
            .call("state-set", json!({"key": key, "value": "1"}))
            .allow("state=1GiB")
            .fails(1, "E3401", said);
    };
    fails("", "invalid: a key has at least one character");
    fails("a\u{0}b", "invalid: a key has no control characters");
    fails(&"k".repeat(513), "invalid: a key has at most 512 bytes");
    probe
        .call("state-fill", json!({"key": "k", "bytes": (16 << 20) + 1}))
        .allow("state=1GiB")
        .fails(1, "E3401", "invalid: a value has at most 16777216 bytes");
    // No key leads to another file.
    set(&probe, "../../state.db", "harmless");
    assert_eq!(get(&probe, "../../state.db"), json!("harmless"));
    only_file(&probe.env);
}

#[test]
fn listing_too_many_keys_is_refused_and_fewer_are_listed() {
    let probe = Probe::new();
    let call = |function, arguments| {
        probe
            .call(function, arguments)
            .allow("state=1MiB")
            .flag("--timeout")
            .flag("45s")
    };
    call("state-many", json!({"values": 10_001})).gives(json!(10_001));
    call("state-keys", json!({"prefix": ""})).fails(1, "E3401", "invalid: more than 10000 keys");
    let some = call("state-keys", json!({"prefix": "999"})).result();
    assert_eq!(some.as_array().expect("a list").len(), 11, "{some}");
}

/// The probe as an installed plugin that may keep state.
fn install(env: &TestEnv, name: &str, version: &str) {
    let manifest = format!(
        "schema = 1\nname = \"{name}\"\nversion = \"{version}\"\ndescription = \"Keeps things\"\nlicense = \"Apache-2.0\"\n\
         [permissions]\nstate = {{ quota = \"1MiB\" }}\n"
    );
    let manifest = env.write(format!("{name}.toml"), manifest.as_bytes());
    let out = env.path(format!("{name}-{version}.wasm"));
    let file = probe::file();
    let words = [
        "plugin",
        "pack",
        file.to_str().expect("UTF-8"),
        "--manifest",
    ];
    let more = [
        manifest.to_str().expect("UTF-8"),
        "-o",
        out.to_str().expect("UTF-8"),
    ];
    env.run(words.iter().chain(&more)).ok();
    env.run(["plugin", "install", out.to_str().expect("UTF-8")])
        .ok();
}

fn installed(env: &TestEnv, tool: &str, arguments: Value) -> Value {
    let arguments = arguments.to_string();
    let words = [
        "call",
        tool,
        "--args",
        &arguments,
        "--json",
        "--allow",
        "state=1MiB",
    ];
    env.run(words).ok().json()["structured"]["result"].clone()
}

#[test]
fn an_installed_plugin_keeps_its_state_through_versions_and_nobody_else_sees_it() {
    let probe = Probe::new();
    let env = &probe.env;
    install(env, "keeper", "1.0.0");
    install(env, "other", "1.0.0");
    installed(
        env,
        "keeper.state-set",
        json!({"key": "a", "value": "mine"}),
    );
    // The same bytes under another name, and as a file of the same name.
    assert_eq!(
        installed(env, "other.state-get", json!({"key": "a"})),
        Value::Null
    );
    let words = [
        "call",
        "./keeper-1.0.0.wasm",
        "state-get",
        "--arg",
        "key=a",
        "--json",
    ];
    let as_file = env.run(words.iter().chain(&["--allow", "state=1MiB"])).ok();
    assert_eq!(
        as_file.json()["structured"]["result"],
        Value::Null,
        "{as_file}"
    );
    assert_eq!(get(&probe, "a"), Value::Null);
    install(env, "keeper", "1.1.0");
    assert_eq!(
        installed(env, "keeper.state-get", json!({"key": "a"})),
        json!("mine")
    );

    let shown = env.run(["plugin", "state", "--json"]).ok().json();
    assert_eq!(shown[0]["plugin"], "keeper", "{shown}");
    assert_eq!(
        (&shown[0]["keys"], &shown[0]["bytes"]),
        (&json!(1), &json!(5)),
        "{shown}"
    );
    let shown = env.run(["plugin", "state", "keeper"]).ok();
    assert!(
        shown.stdout.contains("\"a\"") && !shown.stdout.contains("mine"),
        "{shown}"
    );

    env.run(["plugin", "remove", "keeper@1.0.0"]).ok();
    assert_eq!(
        installed(env, "keeper.state-get", json!({"key": "a"})),
        json!("mine")
    );
    env.run(["plugin", "remove", "keeper", "--keep-state"]).ok();
    install(env, "keeper", "1.1.0");
    assert_eq!(
        installed(env, "keeper.state-get", json!({"key": "a"})),
        json!("mine")
    );
    let removed = env.run(["plugin", "remove", "keeper"]).ok();
    assert!(removed.stdout.contains("1 key"), "{removed}");
    install(env, "keeper", "1.1.0");
    assert_eq!(
        installed(env, "keeper.state-get", json!({"key": "a"})),
        Value::Null
    );
}

#[test]
fn a_person_can_clear_it() {
    let probe = Probe::new();
    set(&probe, "a", "one");
    let file = probe::file();
    let file = file.to_str().expect("UTF-8");
    let shown = probe
        .env
        .run(["plugin", "state", file, "--json"])
        .ok()
        .json();
    assert_eq!(shown["keys"], json!([{"key": "a", "bytes": 4}]), "{shown}");
    probe.env.run(["plugin", "state", file, "--clear"]).ok();
    assert_eq!(get(&probe, "a"), Value::Null);
    probe
        .env
        .run(["plugin", "state", "Not A Name"])
        .fails_with(2, "E3004");
    probe
        .env
        .run(["plugin", "state", "./nothing.wasm"])
        .fails_with(4, "E3101");
}

#[test]
fn what_it_touched_is_recorded_without_the_values() {
    let probe = Probe::new();
    set(&probe, "name", "very secret");
    let shown = probe
        .env
        .run(["audit", "query", "--type", "state_touched", "--json"])
        .ok();
    assert!(
        shown.stdout.contains("\"name\"") && !shown.stdout.contains("very secret"),
        "{shown}"
    );
}

#[test]
fn a_locked_file_is_waited_for_within_the_time_of_the_call() {
    let probe = Probe::new();
    set(&probe, "a", "one");
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(only_file(&probe.env))
        .expect("it opens");
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).expect("locked");
    let output = probe
        .call("state-get", json!({"key": "a"}))
        .allow("state=1MiB")
        .flag("--timeout")
        .flag("3s")
        .fails(1, "E3401", "unavailable: it is locked");
    // The guest hears nothing of this machine; the person hears which file it is.
    let message = output.json()["error"]["message"].to_string();
    assert!(!message.contains("plugin-state"), "{output}");
    assert!(
        output.json()["logs"].to_string().contains("plugin-state"),
        "{output}"
    );
    drop(file);
    assert_eq!(get(&probe, "a"), json!("one"));
}

#[test]
fn a_damaged_file_is_told_of_and_the_rest_goes_on() {
    let probe = Probe::new();
    set(&probe, "a", "one");
    let file = only_file(&probe.env);
    let size = std::fs::metadata(&file).expect("it is there").len();
    let garbage = vec![0x5a; usize::try_from(size).expect("small")];
    toolhatch::fsx::write_atomic(&file, &garbage, 0o600).expect("written");
    let output = probe
        .call("state-get", json!({"key": "a"}))
        .allow("state=1MiB")
        .fails(1, "E3401", "unavailable: it is damaged");
    let logs = output.json()["logs"].to_string();
    assert!(
        logs.contains(&*file.to_string_lossy()) && logs.contains("Move"),
        "{output}"
    );
    assert!(output.stderr.contains("damaged"), "{output}");
    probe.still_works();
    install(&probe.env, "keeper", "1.0.0");
    installed(
        &probe.env,
        "keeper.state-set",
        json!({"key": "a", "value": "1"}),
    );
    let shown = probe.env.run(["plugin", "state"]).ok();
    assert!(
        shown.stdout.contains("cannot be read") && shown.stdout.contains("keeper"),
        "{shown}"
    );
}

#[test]
fn counting_in_many_calls_and_processes_at_once_loses_nothing() {
    let probe = Probe::new();
    let file = probe::file();
    let line = json!({"tool": file, "name": "state-count", "args": {"key": "n", "times": 5}, "timeout": "45s"});
    let input = format!("{line}\n").repeat(8);
    let start = || {
        let words = ["call", "--jsonl", "--jobs", "4", "--allow", "state=1MiB"];
        probe
            .env
            .run(words)
            .stdin(input.clone())
            .timeout(std::time::Duration::from_secs(60))
            .start()
    };
    for run in [start(), start()] {
        for answer in run.finish().ok().json_lines() {
            assert_eq!(answer["ok"], true, "{answer}");
        }
    }
    assert_eq!(get(&probe, "n"), json!("80"));
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let probe = Probe::new();
    let file = probe::file();
    let line = json!({"tool": file, "name": "state-count", "args": {"key": "n", "times": 1}});
    let mut expected = 0;
    for round in 1..=3 {
        let (from, mut to) = std::io::pipe().expect("a pipe");
        let (told, answered) = std::io::pipe().expect("a pipe");
        let words = ["call", "--jsonl", "--jobs", "1", "--allow", "state=1MiB"];
        let mut child = probe
            .env
            .run(words)
            .spawn_with(from.into(), answered.into());
        let text = format!("{line}\n").repeat(400);
        let writer = std::thread::spawn(move || {
            // It is killed before it has read everything.
            drop(to.write_all(text.as_bytes()));
            to
        });
        let mut lines = BufReader::new(told).lines().map_while(Result::ok);
        let mut last = 0;
        for line in lines.by_ref().take(30 * round) {
            let answer: Value = serde_json::from_str(&line).expect("an answer");
            last = answer["structured"]["result"].as_u64().expect("a number");
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        for line in lines {
            // The last line may be half a one.
            if let Ok(answer) = serde_json::from_str::<Value>(&line) {
                last = answer["structured"]["result"].as_u64().expect("a number");
            }
        }
        drop(writer.join());
        let kept = get(&probe, "n");
        let kept: u64 = kept.as_str().expect("a text").parse().expect("a number");
        assert!(
            last > expected && kept >= last,
            "{kept} is kept, {last} was acknowledged"
        );
        expected = kept;
    }
}

#[test]
fn a_newer_format_and_open_permissions_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let probe = Probe::new();
    set(&probe, "a", "one");
    let file = only_file(&probe.env);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).expect("changed");
    probe
        .call("state-get", json!({"key": "a"}))
        .allow("state=1MiB")
        .fails(1, "E3401", "unavailable");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("changed");
    let mut bytes = std::fs::read(&file).expect("readable");
    // `user_version` stands at this place of the header.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    toolhatch::fsx::write_atomic(&file, &bytes, 0o600).expect("written");
    let output = probe
        .call("state-get", json!({"key": "a"}))
        .allow("state=1MiB")
        .fails(1, "E3401", "unavailable");
    assert!(
        output.json()["logs"].to_string().contains("newer version"),
        "{output}"
    );
}
