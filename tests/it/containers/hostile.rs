//! Commands and images that mean no good.

use std::time::Duration;

use serde_json::json;

use super::{OURS, exec, machine};
use crate::support::docker::{Docker, name};

#[test]
fn a_fork_bomb_stops_at_its_limit() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let output = exec(docker, &env, &["--", "hostile", "forks", "200"]).output();
    assert!(output.stdout.contains("of 200 EAGAIN"), "{output}");
    let bomb = [
        "--timeout",
        "2s",
        "--",
        "sh",
        "-c",
        "f() { f | f & }; f; sleep 60",
    ];
    let output = exec(docker, &env, &bomb).output();
    assert!(output.elapsed < Duration::from_secs(45), "{output}");
}

#[test]
fn nothing_of_what_a_container_has_no_business_with_is_permitted() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let output = exec(docker, &env, &["--", "hostile", "syscalls"]).output();
    // The daemon's own filter permits this one, which opens a ring and nothing else.
    let permitted: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| line.ends_with(" ok") && *line != "io_uring_setup ok")
        .collect();
    assert_eq!(permitted, Vec::<&str>::new(), "{output}");
    // The runner is the first process, and cannot be looked into.
    let look = "cat /proc/1/environ; ls /proc/1/fd/; cat /proc/1/maps";
    let output = exec(docker, &env, &["--", "sh", "-c", look]).output();
    assert_eq!(output.stdout, "", "{output}");
    assert!(output.stderr.contains("Permission denied"), "{output}");
}

#[test]
fn what_an_image_says_about_itself_does_not_count() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let run = |image: &str, words: &[&str]| {
        let image = name(image);
        let words: Vec<&str> = ["--image", &image, "--"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        exec(docker, &env, &words)
    };
    // An entrypoint, a user, a healthcheck and a volume.
    let output = run("entrypoint:1", &["id", "-u"]).ok();
    assert_eq!(output.stdout, "65534\n", "{output}");
    let output = run(
        "entrypoint:1",
        &["sh", "-c", "pwd; echo $FOO; df /data | tail -1"],
    )
    .ok();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(&lines[..2], ["/from-image", "image"], "{output}");
    assert!(lines[2].contains("tmpfs"), "a volume has a size: {output}");
    // No shell, and nothing but one program.
    let output = run("noshell:1", &["/app", "argv", "one"]).ok();
    assert_eq!(output.stdout, "3:one\n", "{output}");
    assert_eq!(run("noshell:1", &["sh"]).output().code, Some(127));
}

#[test]
fn arguments_are_arguments_whatever_they_look_like() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let odd = [
        "$(id)",
        "; rm -rf /",
        "-rf",
        "--",
        "a b",
        "'\"",
        "\u{1b}[2J",
        "ü",
        "",
    ];
    let words: Vec<&str> = ["--", "hostile", "argv"]
        .iter()
        .chain(&odd)
        .copied()
        .collect();
    let output = exec(docker, &env, &words).ok();
    let expected: Vec<String> = odd
        .iter()
        .map(|text| format!("{}:{text}", text.len()))
        .collect();
    assert_eq!(
        output.stdout.lines().collect::<Vec<_>>(),
        expected,
        "{output}"
    );
    let words = [
        "call",
        "sandbox.run",
        "--args",
        &json!({"command": ["a\0b"]}).to_string(),
        "--allow",
        "subprocess=*",
    ];
    docker.run(&env, words).fails_with(2, "E3301");
}

#[test]
fn a_leftover_of_one_command_is_gone_before_its_result() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    // It holds on to the streams, in a session of its own.
    let output = exec(
        docker,
        &env,
        &["--", "sh", "-c", "hostile escape 60; echo ended"],
    )
    .ok();
    assert!(output.stdout.contains("ended"), "{output}");
    assert!(output.elapsed < Duration::from_secs(30), "{output}");
    let container = |it: &serde_json::Value| it["Command"].to_string().contains("escape");
    let left = docker.engine().containers(OURS);
    assert!(!left.iter().any(container), "{left:?}");
}

#[test]
fn what_the_daemon_cannot_do_is_refused() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    docker.configure(&env, "runtime = \"kata-none\"\n");
    let output = exec(docker, &env, &["--json", "--", "true"]).fails_with(4, "E3405");
    assert!(output.stdout.contains("docker.runtime"), "{output}");
    let profile = env.write("profile.json", b"{\"not\": \"a profile\"");
    docker.configure(&env, &format!("seccomp = \"{}\"\n", profile.display()));
    let output = exec(docker, &env, &["--json", "--", "true"]).fails_with(4, "E3405");
    assert!(output.stdout.contains("docker.seccomp"), "{output}");
    docker.configure(&env, "resources.disk = \"1GiB\"\n");
    let output = exec(docker, &env, &["--json", "--", "true"]).output();
    assert_eq!(
        output.code,
        Some(4),
        "overlay on ext4 has no quota: {output}"
    );
    // An own profile works where it is one.
    let profile = br#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}"#;
    let profile = env.write("profile.json", profile);
    docker.configure(&env, &format!("seccomp = \"{}\"\n", profile.display()));
    let output = exec(docker, &env, &["--", "mkdir", "/tmp/x"]).output();
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("not permitted"), "{output}");
}
