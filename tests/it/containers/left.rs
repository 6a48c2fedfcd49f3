//! What is left behind: nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::{OURS, exec, machine};
use crate::support::docker::Docker;
use crate::support::env::TestEnv;
use crate::support::process::Run;

/// How many calls are killed at some moment; `docs/performance.md` has the run of a thousand.
const KILLED: &str = "TOOLHATCH_TEST_KILLED";

#[test]
fn what_a_killed_process_leaves_is_removed_by_the_next() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    let sibling = exec(&daemon, &env, &["--", "sh", "-c", "sleep 20; echo done"]).start();
    super::wait_for_running(&daemon);
    let killed = exec(&daemon, &env, &["--", "sleep", "100"]).start();
    super::wait_until(|| daemon.engine().containers(OURS).len() == 2);
    killed.signal(Signal::KILL);
    drop(killed.finish());
    exec(&daemon, &env, &["--", "true"]).ok();
    let left = daemon.engine().containers(OURS);
    assert_eq!(
        left.len(),
        1,
        "that of a process that lives is not touched: {left:?}"
    );
    let output = daemon.run(&env, ["sandbox", "ps", "--json"]).ok();
    let listed = &output.json()["containers"];
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{output}");
    assert_eq!(listed[0]["abandoned"], false, "{output}");
    let output = daemon.run(&env, ["sandbox", "gc"]).ok();
    assert!(output.stdout.contains("Removed 0 containers"), "{output}");
    let output = sibling.finish().ok();
    assert_eq!(output.stdout, "done\n", "{output}");
    daemon.assert_nothing_left(OURS);
}

#[test]
fn a_container_that_somebody_else_removes_ends_its_command() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    let words = ["--", "sh", "-c", "echo begun >&2; sleep 60"];
    let running = exec(&daemon, &env, &words).start();
    running.wait_for("begun");
    let container = daemon.engine().containers(OURS);
    daemon
        .engine()
        .remove(container[0]["Id"].as_str().expect("an id"));
    let output = running.finish().fails_with(1, "E3404");
    assert!(output.stderr.contains("SIGKILL"), "{output}");
}

#[test]
fn a_runner_that_is_broken_is_put_there_again() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    exec(&daemon, &env, &["--", "true"]).ok();
    // Somebody made the volume, and nothing is in it: as where a process was killed between the two.
    let volumes = daemon.engine().volumes("toolhatch.app");
    let volume = volumes[0]["Name"].as_str().expect("a name");
    daemon
        .engine()
        .must("DELETE", &format!("/volumes/{volume}"), None);
    let empty = serde_json::json!({"Name": volume, "Labels": {"toolhatch.app": "toolhatch"}});
    daemon
        .engine()
        .must("POST", "/volumes/create", Some(&empty));
    let output = exec(&daemon, &env, &["--", "echo", "again"]).ok();
    assert_eq!(output.stdout, "again\n", "{output}");
    daemon.assert_nothing_left(OURS);
}

/// A call of some kind: over a mount, with its changes reviewed, with a container made ahead for the next one.
fn some_call(daemon: &Docker, env: &TestEnv, number: u64) -> Run {
    let mount = ["--mount", "ws:/workspace:rw", "--", "sleep", "0.1"];
    match number % 3 {
        0 => exec(daemon, env, &mount),
        1 => exec(daemon, env, &[&["--diff"], &mount[..]].concat()),
        _ => {
            let line = r#"{"tool": "sandbox.run", "args": {"command": ["true"]}, "allow": ["subprocess=*"]}"#;
            daemon
                .run(env, ["call", "--jsonl"])
                .stdin(format!("{line}\n{line}\n"))
        }
    }
}

#[test]
fn whenever_processes_are_killed_nothing_is_left_after_the_next_start() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    env.write("ws/file", b"");
    exec(&daemon, &env, &["--", "true"]).ok();
    let calls = std::env::var(KILLED).map_or(60, |text| text.parse().expect("a number"));
    let next = AtomicU64::new(0);
    let (daemon, env) = (&*daemon, &env);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return;
                    }
                    let running = some_call(daemon, env, number).start();
                    // From before the daemon is asked until after the command has ended, spread evenly.
                    std::thread::sleep(Duration::from_millis(number * 389 % 1500));
                    running.signal(Signal::KILL);
                    drop(running.finish());
                }
            });
        }
    });
    // Behind whatever the daemon was told to make by those that are gone.
    exec(daemon, env, &["--", "true"]).ok();
    daemon.run(env, ["sandbox", "gc"]).ok();
    daemon.assert_nothing_left(OURS);
    let changes = daemon.run(env, ["sandbox", "changes", "--json"]).ok();
    assert_eq!(
        changes.json(),
        serde_json::json!({"waiting": []}),
        "{changes}"
    );
    let kept = std::fs::read_dir(env.toolhatch_home().join("changes")).expect("there");
    assert_eq!(kept.count(), 0, "folders of changes");
}
