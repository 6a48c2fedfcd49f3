//! What is left behind: nothing.

use rustix::process::Signal;

use super::{OURS, exec, machine};
use crate::support::docker::Docker;

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
