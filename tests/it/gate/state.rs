//! State that is damaged, newer, locked or out of reach: nothing is lost, and nothing runs that should not.

use crate::support::env::TestEnv;
use crate::support::source::root;

fn install(env: &TestEnv) {
    let file = root().join("plugins/dist/files.wasm");
    env.run(["plugin", "install", file.to_str().expect("UTF-8")])
        .ok();
}

#[test]
fn a_damaged_database_is_refused_and_left_as_it_is() {
    let env = TestEnv::new();
    install(&env);
    let path = env.toolhatch_home().join("state.db");
    let whole = std::fs::read(&path).expect("a file");
    for damaged in [
        b"not a database".repeat(100),
        whole[..whole.len() / 2].to_vec(),
    ] {
        env.write(&path, &damaged);
        let output = env.run(["plugin", "list"]).output();
        assert_eq!(output.code, Some(5), "{output}");
        assert!(output.stderr.contains("E3109"), "{output}");
        assert_eq!(
            std::fs::read(&path).expect("a file"),
            damaged,
            "it is left alone"
        );
        for beside in ["state.db-wal", "state.db-shm"] {
            drop(std::fs::remove_file(env.toolhatch_home().join(beside)));
        }
    }
    env.write(&path, &whole);
    let listed = env.run(["plugin", "list", "--json"]).ok().json();
    assert_eq!(listed["plugins"][0]["name"], "files", "{listed}");
}

#[test]
fn a_database_of_a_newer_version_is_not_touched() {
    let env = TestEnv::new();
    install(&env);
    let path = env.toolhatch_home().join("state.db");
    let mut bytes = std::fs::read(&path).expect("a file");
    // The pragma `user_version` is the big-endian number at byte 60 of the header.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    env.write(&path, &bytes);
    let output = env.run(["plugin", "list"]).fails_with(5, "E3109");
    assert!(output.stderr.contains("newer version"), "{output}");
}

#[test]
fn two_first_calls_at_once_both_work() {
    let env = TestEnv::new();
    let file = root().join("plugins/dist/files.wasm");
    let words = ["plugin", "install", file.to_str().expect("UTF-8")];
    let running: Vec<_> = (0..4).map(|_| env.run(words).start()).collect();
    for one in running {
        one.finish().ok();
    }
    let listed = env.run(["plugin", "list", "--json"]).ok().json();
    assert_eq!(
        listed["plugins"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    env.run(["audit", "verify"]).ok();
}

#[test]
fn an_installation_that_is_killed_leaves_all_of_it_or_nothing() {
    let env = TestEnv::new();
    let file = root().join("plugins/dist/files.wasm");
    let words = ["plugin", "install", file.to_str().expect("UTF-8")];
    for delay in [1, 5, 10, 20, 40, 80] {
        let running = env.run(words).start();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        running.signal(rustix::process::Signal::KILL);
        drop(running.finish());
        let listed = env.run(["plugin", "list", "--json"]).ok().json();
        let count = listed["plugins"].as_array().map_or(0, Vec::len);
        assert!(count <= 1, "{listed}");
        if count == 1 {
            env.run(["tools", "show", "files.read"]).ok();
        }
    }
    install(&env);
    env.run(["audit", "verify"]).ok();
}
