//! The same with Podman, which speaks Docker's API in its own way.

use super::wait_until;
use crate::support::docker::podman::{IMAGE, Podman};
use crate::support::env::TestEnv;
use crate::support::process::Run;

fn machine() -> TestEnv {
    let env = TestEnv::new();
    let text = format!("[docker]\nimage = \"{IMAGE}\"\nimage_pull_policy = \"never\"\n");
    env.write(env.user_config(), text.as_bytes());
    env
}

#[test]
fn podman_confines_commands_as_docker_does() {
    let Some(podman) = Podman::start() else {
        return;
    };
    let env = machine();
    let exec = |words: &[&str]| -> Run { podman.run(&env, &[&["exec"], words].concat()) };

    let script = "id -u; ls /sys/class/net; touch /x /run/x /var/tmp/x; exit 7";
    let output = exec(&["--", "sh", "-c", script]).output();
    assert_eq!(output.code, Some(7), "{output}");
    assert_eq!(output.stdout, "65534\nlo\n", "{output}");
    let refused = output.stderr.matches("Read-only file system").count();
    assert_eq!(refused, 3, "{output}");
    let output = exec(&["--", "hostile", "status"]).ok();
    let status: Vec<Vec<&str>> = output
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for expected in [
        ["CapEff:", "0000000000000000"],
        ["NoNewPrivs:", "1"],
        ["Seccomp:", "2"],
    ] {
        assert!(
            status.contains(&expected.to_vec()),
            "{expected:?}: {output}"
        );
    }

    env.write("ws/file", b"mine\n");
    let output = exec(&[
        "--mount",
        "ws:/workspace",
        "--",
        "sh",
        "-c",
        "cat file; touch new",
    ])
    .output();
    assert_eq!(output.stdout, "mine\n", "{output}");
    assert!(output.stderr.contains("Read-only file system"), "{output}");

    let hog = ["--memory", "64MiB", "--", "hostile", "memory", "200"];
    exec(&hog).fails_with(6, "E3403");
    let stubborn = [
        "--timeout",
        "1s",
        "--",
        "sh",
        "-c",
        "trap '' TERM; sleep 100",
    ];
    exec(&stubborn).fails_with(124, "E3402");
    exec(&["--keep", "mine", "--", "true"]).fails_with(4, "E3405");
    wait_until(|| podman.containers().is_empty());
}
