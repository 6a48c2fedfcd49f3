//! Containers that outlive a command: kept under a name, or waiting for the next one.

use super::{OURS, exec, machine};
use crate::support::docker::{Docker, name};

#[test]
fn a_kept_container_is_found_again_by_its_name() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    let run = |words: &[&str]| {
        let words: Vec<&str> = ["--keep", "build"].iter().chain(words).copied().collect();
        exec(&daemon, &env, &words)
    };
    run(&["--", "sh", "-c", "echo kept > /tmp/x"]).ok();
    let output = run(&["--", "cat", "/tmp/x"]).ok();
    assert_eq!(output.stdout, "kept\n", "{output}");
    assert_eq!(daemon.engine().containers(OURS).len(), 1);
    // What one command leaves is gone before the next: it cannot read what that is told.
    let leave = "hostile escape 100 /tmp/y; echo left";
    run(&["--env", "FIRST=1", "--", "sh", "-c", leave]).ok();
    let output = run(&["--env", "SECOND=secret", "--", "hostile", "environ"]).ok();
    assert!(!output.stdout.contains("FIRST"), "{output}");
    let output = run(&["--", "sh", "-c", "ps | grep -c 'hostile [e]scape'"]).output();
    assert_eq!(output.stdout.trim(), "0", "{output}");
    // One that is told to end, ends, and the container stays.
    run(&[
        "--timeout",
        "1s",
        "--",
        "sh",
        "-c",
        "trap '' TERM; sleep 60",
    ])
    .fails_with(124, "E3402");
    assert_eq!(run(&["--", "cat", "/tmp/x"]).ok().stdout, "kept\n");
    // Another spec is another container: nobody gets more by naming it.
    let output = run(&["--mount", ".", "--", "cat", "/tmp/x"]).output();
    assert_eq!(output.code, Some(1), "{output}");
    let other = name("busybox:1");
    run(&["--image", &other, "--", "cat", "/tmp/x"]).ok();
    let listed = daemon.run(&env, ["sandbox", "ps", "--json"]).ok();
    assert_eq!(
        listed.json()["containers"][0]["session"],
        "build",
        "{listed}"
    );
    // They are not swept, and go when they are told to.
    daemon.run(&env, ["sandbox", "gc"]).ok();
    assert_eq!(daemon.engine().containers(OURS).len(), 2);
    daemon.run(&env, ["sandbox", "gc", "--all"]).ok();
    daemon.assert_nothing_left(OURS);
}

#[test]
fn a_kept_container_that_nobody_uses_ends_by_itself() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    daemon.configure(&env, "pool.idle = \"1s\"\n");
    // A command that takes longer than that is listened to.
    let words = ["--keep", "short", "--", "sh", "-c", "sleep 3; echo done"];
    assert_eq!(exec(&daemon, &env, &words).ok().stdout, "done\n");
    super::wait_until(|| {
        let found = daemon.engine().containers(OURS);
        found.iter().all(|it| it["State"] == "exited")
    });
    exec(&daemon, &env, &["--", "true"]).ok();
    daemon.assert_nothing_left(OURS);
}

#[test]
fn two_processes_take_turns_with_a_kept_container() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let run = |script: &str| exec(docker, &env, &["--keep", "turns", "--", "sh", "-c", script]);
    run("true").ok();
    let running: Vec<_> = (0..4)
        .map(|_| {
            run("test ! -e /tmp/busy && touch /tmp/busy && sleep 0.3; rm /tmp/busy && echo alone")
                .start()
        })
        .collect();
    for one in running {
        let output = one.finish().ok();
        assert_eq!(output.stdout, "alone\n", "{output}");
    }
    docker.run(&env, ["sandbox", "ps"]).ok();
}

#[test]
fn many_commands_of_one_process_leave_nothing() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    let line = |index: u32| {
        format!(
            "{{\"id\": {index}, \"tool\": \"sandbox.run\", \"args\": {{\"command\": [\"echo\", \"{index}\"]}}, \"allow\": [\"subprocess=*\"]}}\n"
        )
    };
    let input: String = (0..12).map(line).collect();
    let output = daemon
        .run(&env, ["call", "--jsonl"])
        .stdin(input)
        .timeout(std::time::Duration::from_secs(100))
        .ok();
    let results: Vec<String> = output
        .json_lines()
        .iter()
        .map(|line| {
            line["structured"]["stdout"]
                .as_str()
                .expect("text")
                .trim()
                .to_owned()
        })
        .collect();
    let expected: Vec<String> = (0..12).map(|index: u32| index.to_string()).collect();
    assert_eq!(results, expected, "{output}");
    daemon.assert_nothing_left(OURS);
}

#[test]
fn a_session_has_a_name_until_it_is_ended() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = machine(&daemon);
    let session = |words: &[&str]| {
        let words = ["sandbox", "session"].iter().chain(words);
        daemon.run(&env, words)
    };
    session(&["run", "one", "--", "sh", "-c", "echo first > /tmp/x"]).ok();
    session(&["run", "two", "--", "true"]).ok();
    let output = exec(&daemon, &env, &["--keep", "one", "--", "cat", "/tmp/x"]).ok();
    assert_eq!(output.stdout, "first\n", "{output}");
    let output = session(&["run", "one", "--", "sh", "-c", "exit 7"]).output();
    assert_eq!(output.code, Some(7), "{output}");
    let listed = session(&["list", "--json"]).ok().json();
    let mut names: Vec<&str> = listed["sessions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|session| session["session"].as_str().expect("a name"))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"], "{listed}");
    session(&["end", "one"]).ok();
    let output = session(&["list"]).ok();
    assert!(!output.stdout.contains("session one"), "{output}");
    assert!(output.stdout.contains("session two"), "{output}");
    session(&["end", "one"]).fails_with(4, "E3101");
    session(&["end", "two"]).ok();
    daemon.assert_nothing_left(OURS);
}
