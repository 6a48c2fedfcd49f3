//! Commands in containers, through the binary and a real daemon.

mod absent;
mod changes;
mod copies;
mod egress;
mod grants;
mod hostile;
mod images;
mod kept;
mod left;
mod mounts;
mod podman;
mod tools;

use std::time::Duration;

use crate::support::docker::Docker;
use crate::support::env::TestEnv;
use crate::support::process::Run;

/// On everything that belongs to Toolhatch; the volume with the runner stays.
const OURS: &str = "toolhatch.call";

/// `toolhatch exec` with these words behind it, `--` among them.
fn exec(docker: &Docker, env: &TestEnv, words: &[&str]) -> Run {
    let words = ["exec"].iter().chain(words);
    docker.run(env, words).timeout(Duration::from_secs(60))
}

/// A machine whose commands run in the image `busybox`.
fn machine(docker: &Docker) -> TestEnv {
    let env = TestEnv::new();
    docker.configure(&env, "");
    env
}

#[test]
fn a_command_starts_with_nothing() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let output = exec(docker, &env, &["--", "sh", "-c", "id -u; ls /; touch /x"]).output();
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stdout.starts_with("65534\n"), "{output}");
    assert!(output.stderr.contains("Read-only file system"), "{output}");

    let output = exec(docker, &env, &["--", "hostile", "status"]).ok();
    for expected in ["CapEff 0", "NoNewPrivs 1", "Seccomp 2"] {
        let found = output.stdout.lines().map(|line| {
            let words: Vec<&str> = line
                .split([':', ' ', '\t'])
                .filter(|word| !word.is_empty())
                .collect();
            words.join(" ").replace(" 0000000000000000", " 0")
        });
        assert!(
            found.into_iter().any(|line| line == expected),
            "{expected}: {output}"
        );
    }
    let output = exec(docker, &env, &["--", "ls", "/sys/class/net"]).ok();
    assert_eq!(output.stdout, "lo\n", "{output}");
    // It can be written, and nothing in it can be executed.
    let copied = "cp /bin/busybox /tmp/x && /tmp/x true";
    let output = exec(docker, &env, &["--", "sh", "-c", copied]).output();
    assert_eq!(output.code, Some(126), "{output}");
}

#[test]
fn what_the_daemon_made_is_what_was_asked_for() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let running = exec(
        docker,
        &env,
        &["--json", "--", "sh", "-c", "echo ready; sleep 30"],
    )
    .start();
    // Whoever looks from outside knows nothing of Toolhatch.
    let container = loop {
        let found = docker.engine().containers(OURS);
        let ours = found.iter().find(|it| {
            it["State"] == "running"
                && it["Labels"]["toolhatch.owner"]
                    .as_str()
                    .is_some_and(|owner| {
                        owner.contains(&format!("/{}/", running.pid().as_raw_nonzero()))
                    })
        });
        if let Some(container) = ours {
            break container["Id"].as_str().expect("an id").to_owned();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let posture = docker.posture(&container);
    let inspected = docker.engine().inspect(&container).expect("it runs");
    running.signal(rustix::process::Signal::TERM);
    let output = running.finish().fails_with(130, "E3703");
    // The runner is the init of its container, which nobody outside can know.
    assert_eq!(posture["failed"], serde_json::json!(["init"]), "{posture}");
    let host = &inspected["HostConfig"];
    assert_eq!(host["Memory"], host["MemorySwap"], "{output}");
    assert_eq!(inspected["Config"]["Tty"], false);
    // Nothing of what was told to the command can be read at the daemon.
    assert!(!inspected.to_string().contains("sleep 30"));
}

#[test]
fn time_that_is_over_ends_everything() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let stubborn = [
        "--timeout",
        "1s",
        "--json",
        "--",
        "sh",
        "-c",
        "trap '' TERM; sleep 100",
    ];
    let output = exec(docker, &env, &stubborn).fails_with(124, "E3402");
    let details = &output.json()["error"]["details"];
    assert_eq!(details["outcome"], "timeout", "{output}");
    assert_eq!(details["recoverable"], false, "{output}");
    // What left its session, its group and its parent is gone as well.
    let script = "hostile escape 60 /tmp/x; sleep 60";
    exec(docker, &env, &["--timeout", "1s", "--", "sh", "-c", script]).fails_with(124, "E3402");
}

#[test]
fn memory_that_is_used_up_is_told_as_such() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let run = |words: &[&str]| {
        let limit = ["--json", "--memory", "64MiB", "--"];
        let words: Vec<&str> = limit.iter().chain(words).copied().collect();
        exec(docker, &env, &words)
    };
    let output = run(&["hostile", "memory", "200"]).fails_with(6, "E3403");
    assert_eq!(
        output.json()["error"]["details"]["outcome"],
        "oom",
        "{output}"
    );
    // The exit code of a shell whose child was ended is told for what it is.
    run(&["sh", "-c", "hostile memory 200"]).fails_with(6, "E3403");
    // A part was ended, and the whole went on.
    let output = run(&["sh", "-c", "hostile memory 200; echo went on"]).ok();
    let result = &output.json()["structured"];
    assert_eq!(result["outcome"], "oom-recovered", "{output}");
    assert_eq!(result["exit_code"], 0, "{output}");
    // Temporary files are memory too, up to a size of their own.
    let fill = [
        "--json", "--memory", "256MiB", "--", "hostile", "fill", "/tmp/x", "200",
    ];
    let output = exec(docker, &env, &fill).output();
    assert!(output.stdout.contains("ENOSPC"), "{output}");
}

#[test]
fn exit_codes_and_signals_are_exact() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    for code in [0, 1, 2, 3, 77, 124, 137, 255] {
        let script = format!("exit {code}");
        let output = exec(docker, &env, &["--", "sh", "-c", &script]).output();
        assert_eq!(output.code, Some(code), "{output}");
        assert_eq!(output.stderr, "", "the command has said all: {output}");
    }
    let output = exec(
        docker,
        &env,
        &["--json", "--", "sh", "-c", "echo a; exit 7"],
    )
    .output();
    let error = &output.json()["error"];
    assert_eq!(error["code"], "E3410", "{output}");
    assert_eq!(error["details"]["exit_code"], 7, "{output}");
    assert_eq!(error["details"]["structured"]["stdout"], "a\n", "{output}");
    for (how, signal) in [("segv", 11), ("9", 9)] {
        let words = [
            "--json",
            "--",
            "sh",
            "-c",
            &format!("exec hostile die {how}"),
        ];
        let output = exec(docker, &env, &words).fails_with(1, "E3404");
        assert_eq!(
            output.json()["error"]["details"]["signal"],
            signal,
            "{output}"
        );
    }
    let output = exec(docker, &env, &["--", "no-such-program"]).output();
    assert_eq!(output.code, Some(127), "{output}");
    assert!(output.stderr.contains("no such program"), "{output}");
    let output = exec(docker, &env, &["--", "/etc/passwd"]).output();
    assert_eq!(output.code, Some(126), "{output}");
    exec(docker, &env, &["--workdir", "/nowhere", "--", "true"]).fails_with(2, "E3004");
}

#[test]
fn the_streams_come_apart_and_whole() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let both = "echo out; echo err >&2";
    let output = exec(docker, &env, &["--", "sh", "-c", both]).ok();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("out\n", "err\n")
    );
    // As it comes: the first line is there before the last is written.
    let running = exec(
        docker,
        &env,
        &["--", "sh", "-c", "echo first >&2; sleep 2; echo last"],
    )
    .start();
    running.wait_for("first");
    let output = running.finish().ok();
    assert_eq!(output.stdout, "last\n", "{output}");
    // What looks like the frames of the stream is none.
    let output = exec(docker, &env, &["--json", "--", "hostile", "frames"]).ok();
    let result = &output.json()["structured"];
    assert_eq!(result["stdout"], result["stderr"], "{output}");
    // Fifty megabytes without a line end: all of it is passed on, and the ends of it are kept.
    let output = exec(
        docker,
        &env,
        &["--json", "--", "hostile", "flood", "50000000"],
    )
    .ok();
    let json = output.json();
    let kept = json["structured"]["stdout"].as_str().expect("text").len() as u64;
    let dropped = json["structured"]["stdout_dropped"]
        .as_u64()
        .expect("a number");
    assert!(kept < 11 << 20, "{kept}");
    assert_eq!(json["usage"]["bytes_out"], 50_000_000, "{dropped}");
    let count = exec(docker, &env, &["--", "hostile", "flood", "50000000"]).ok();
    assert_eq!(count.stdout.len(), 50_000_000);
}

#[test]
fn a_command_reads_what_is_passed_on() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let run = |bytes: Vec<u8>, words: &[&str]| {
        let words: Vec<&str> = ["--stdin", "--"].iter().chain(words).copied().collect();
        exec(docker, &env, &words).stdin(bytes)
    };
    assert_eq!(run(b"hello".to_vec(), &["cat"]).ok().stdout, "hello");
    let large = vec![b'x'; 3_000_000];
    let output = run(large.clone(), &["wc", "-c"]).ok();
    assert_eq!(output.stdout.trim(), "3000000", "{output}");
    // One that does not read it ends all the same.
    run(large, &["true"]).ok();
    run(vec![0xff, 0xfe], &["cat"]).fails_with(2, "E3301");
    let nothing = exec(docker, &env, &["--", "wc", "-c"])
        .stdin("not passed on")
        .ok();
    assert_eq!(nothing.stdout.trim(), "0", "{nothing}");
}

#[test]
fn a_command_is_cancelled_with_its_process() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let running = exec(
        docker,
        &env,
        &["--", "sh", "-c", "echo begun >&2; sleep 50"],
    )
    .start();
    running.wait_for("begun");
    running.signal(rustix::process::Signal::INT);
    let output = running.finish();
    assert_eq!(output.code, Some(130), "{output}");
    assert!(output.elapsed < Duration::from_secs(20), "{output}");
}

/// Waits until something is so, at most as long as starting a container may take.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it does not come"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a container of ours runs; of a daemon that nobody else uses.
fn wait_for_running(docker: &Docker) {
    let is_running = |it: &serde_json::Value| it["State"] == "running";
    wait_until(|| docker.engine().containers(OURS).iter().any(is_running));
}
