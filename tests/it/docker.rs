//! The Docker daemon that the tests have: that it is what its tests take it for.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::docker::{Docker, name};
use crate::support::env::TestEnv;

/// A container that runs this in the image `busybox`, with what a test adds to it.
fn config(command: &[&str], host: &Value) -> Value {
    json!({
        "Image": name("busybox:1"),
        "Cmd": command,
        "OpenStdin": true,
        "StdinOnce": true,
        "HostConfig": host,
    })
}

/// What a container starts with when nothing was granted, written down without Toolhatch.
fn hardened() -> Value {
    json!({
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": true,
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=8m,mode=1777"},
        "Init": true,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "PidsLimit": 128,
        "Memory": 64 << 20,
        "MemorySwap": 64 << 20,
        "NanoCpus": 1_000_000_000_u64,
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": 1024, "Hard": 1024},
        ],
        "LogConfig": {"Type": "none"},
    })
}

#[test]
fn the_daemon_has_the_images() {
    let Some(docker) = Docker::get() else { return };
    let engine = docker.engine();
    for image in docker.local_images() {
        let found = engine.find(&format!("/images/{}/json", name(image)));
        let found = found.unwrap_or_else(|| panic!("{image} is missing"));
        assert_eq!(found["Id"], docker.id(image), "{image}");
    }
    assert_eq!(engine.find("/images/toolhatch-test/moved:1/json"), None);
    // The ones with a shell, and the ones that have to be told what to run.
    for (image, entrypoint, command, expected) in [
        ("shell:1", json!(null), "bash -c echo", "\n"),
        ("python:1", json!([]), "python3 -c print(6*7)", "42\n"),
        ("noshell:1", json!(["/app"]), "argv one", "3:one\n"),
        ("noshell:1", json!(null), "argv one", ""),
        ("entrypoint:1", json!(null), "one", "entrypoint one\n"),
        ("entrypoint:1", json!(["/bin/pwd"]), "", "/from-image\n"),
    ] {
        let command: Vec<&str> = command.split_terminator(' ').collect();
        let config = json!({"Image": name(image), "Entrypoint": entrypoint, "Cmd": command});
        let ended = engine.run(&config, b"");
        assert_eq!(ended.text(), expected, "{image} {command:?}: {ended:?}");
    }
}

#[test]
fn containers_give_their_streams_and_their_exit_code() {
    let Some(docker) = Docker::get() else { return };
    let engine = docker.engine();
    let run = |command: &[&str], stdin: &[u8]| engine.run(&config(command, &hardened()), stdin);

    let ended = run(&["sh", "-c", "echo out; echo err >&2; exit 3"], b"");
    assert_eq!((ended.exit, ended.text().as_str()), (3, "out\n"));
    assert_eq!(ended.stderr, b"err\n");
    let ended = run(&["hostile", "stdin"], b"abc");
    assert_eq!(ended.text(), "3 e71fa2190541574b\n");
    let ended = run(&["hostile", "frames"], b"");
    assert_eq!(ended.stdout, ended.stderr);
    assert_eq!(ended.stdout.len(), 33);
    let ended = run(&["hostile", "flood", "5000000"], b"");
    assert_eq!(ended.stdout.len(), 5_000_000);
    let ended = run(&["hostile", "die", "segv"], b"");
    assert_eq!(ended.exit, 139, "{ended:?}");
}

#[test]
fn hostile_programs_tell_what_stopped_them() {
    let Some(docker) = Docker::get() else { return };
    let engine = docker.engine();
    let mut nobody = config(&["hostile", "syscalls"], &hardened());
    nobody["User"] = json!("65534:65534");
    let said = |command: &[&str]| {
        let mut config = nobody.clone();
        config["Cmd"] = json!(command);
        engine.run(&config, b"")
    };

    // Two systems may refuse the same with another error; what counts is that none of it is permitted.
    let tried = engine.run(&nobody, b"").text();
    assert!(tried.lines().count() > 30, "{tried}");
    let permitted: Vec<&str> = tried.lines().filter(|line| line.ends_with(" ok")).collect();
    // Whether these are harmless is for whoever writes the profile; the daemon's own one permits them.
    let known = ["ptrace-init ok", "io_uring_setup ok"];
    let surprises: Vec<&&str> = permitted
        .iter()
        .filter(|line| !known.contains(line))
        .collect();
    assert_eq!(surprises, Vec::<&&str>::new(), "{tried}");

    let forks = said(&["hostile", "forks", "200"]);
    assert_eq!(forks.exit, 1, "{forks:?}");
    assert!(forks.text().ends_with(" of 200 EAGAIN\n"), "{forks:?}");
    let hog = said(&["hostile", "memory", "200"]);
    // Whether the daemon has heard by now that it was for memory is chance.
    assert_eq!(hog.exit, 137, "{hog:?}");
    let recovered = said(&["hostile", "memory", "200", "child"]);
    assert_eq!(recovered.exit, 0, "{recovered:?}");
    assert_eq!(recovered.text(), "child ended by SIGKILL\n");
    let full = said(&["hostile", "fill", "/tmp/f", "20"]);
    assert_eq!(full.text(), "filled 8 ENOSPC\n");
    // With an init there is nobody left behind, and a process that escapes ends with its container.
    assert_eq!(said(&["hostile", "orphans", "3"]).text(), "zombies 0\n");
    let escape = said(&["hostile", "escape", "600"]);
    assert_eq!(escape.exit, 0, "{escape:?}");
}

#[test]
fn the_posture_of_a_container_is_seen_from_outside() {
    let Some(docker) = Docker::get() else { return };
    let engine = docker.engine();
    let open = engine.create(&config(&["sleep", "60"], &json!({})));
    let mut closed = config(&["sleep", "60"], &hardened());
    closed["User"] = json!("65534:65534");
    closed["Image"] = json!(docker.id("busybox:1"));
    let closed = engine.create(&closed);
    open.start();
    closed.start();

    let posture = docker.posture(&closed.id);
    assert_eq!(posture["failed"], json!([]), "{posture}");
    let kernel = &posture["kernel"];
    for (name, expected) in [
        ("cap-effective", json!("0000000000000000")),
        ("cap-bounding", json!("0000000000000000")),
        ("no-new-privileges", json!("1")),
        ("seccomp", json!("2")),
        ("interfaces", json!(["lo"])),
        ("uid", json!("65534 65534 65534 65534")),
        ("shared-namespaces", json!(["user"])),
    ] {
        assert_eq!(kernel[name], expected, "{name}: {posture}");
    }
    assert_eq!(kernel["mounts"]["/"]["read-only"], true, "{posture}");

    let posture = docker.posture(&open.id);
    let failed = posture["failed"].as_array().expect("a list");
    for name in ["capabilities-dropped", "read-only-root", "memory", "user"] {
        assert!(failed.contains(&json!(name)), "{name}: {posture}");
    }
}

#[test]
fn what_is_left_is_found_by_its_label() {
    let Some(docker) = Docker::get() else { return };
    let engine = docker.engine();
    let label = "toolhatch-test=left";
    let labels = json!({"toolhatch-test": "left"});
    docker.assert_nothing_left(label);

    let network =
        json!({"Name": "left", "Internal": true, "Labels": labels, "CheckDuplicate": true});
    engine.must("POST", "/networks/create", Some(&network));
    let volume = json!({"Name": "left", "Labels": labels});
    engine.must("POST", "/volumes/create", Some(&volume));
    let mut asleep = config(
        &["hostile", "ignore", "60"],
        &json!({"NetworkMode": "left"}),
    );
    asleep["Labels"] = labels;
    let asleep = engine.create(&asleep);
    asleep.start();
    assert_eq!(docker.left(label).len(), 3, "{:?}", docker.left(label));
    assert_eq!(docker.left("toolhatch-test=other"), Vec::<String>::new());

    engine.kill(&asleep.id, "SIGTERM");
    let state = engine.inspect(&asleep.id).expect("it ignores that");
    assert_eq!(state["State"]["Running"], true, "{state}");
    engine.remove(&asleep.id);
    assert_eq!(engine.inspect(&asleep.id), None);
    engine.must("DELETE", "/networks/left", None);
    engine.must("DELETE", "/volumes/left", None);
    docker.assert_nothing_left(label);
}

#[test]
fn networks_reach_the_host_and_nothing_behind_it() {
    let Some(docker) = Docker::get() else { return };
    let engine = docker.engine();
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream.and_then(|mut stream| stream.write_all(b"the host\n")));
        }
    });
    let network = json!({"Name": "inside", "Internal": true, "CheckDuplicate": true});
    engine.must("POST", "/networks/create", Some(&network));
    for (mode, answer) in [
        ("none", "connect ENETUNREACH\n"),
        ("bridge", "connect ok\nthe host\n"),
        // That a network is internal does not keep its containers from the host: whoever needs that does it himself.
        ("inside", "connect ok\nthe host\n"),
    ] {
        let found = engine.must("GET", &format!("/networks/{mode}"), None);
        let gateway = found["IPAM"]["Config"][0]["Gateway"].as_str();
        let gateway = gateway.unwrap_or("127.0.0.2").to_owned();
        let address = if mode == "none" {
            "192.0.2.1"
        } else {
            &gateway
        };
        let host = json!({"NetworkMode": mode});
        let ended = engine.run(
            &config(&["hostile", "tcp", address, &port, "x"], &host),
            b"",
        );
        assert_eq!(ended.text(), answer, "{mode}: {ended:?}");
        // Neither the network that the host is in, nor what is behind that.
        let ended = engine.run(
            &config(&["hostile", "tcp", "198.51.100.1", "80"], &host),
            b"",
        );
        assert_eq!(ended.exit, 1, "{mode}: {ended:?}");
    }
    engine.must("DELETE", "/networks/inside", None);
}

#[test]
fn a_tag_of_the_registry_can_be_moved() {
    let Some(docker) = Docker::get() else { return };
    let engine = docker.engine();
    let (first, second) = (docker.digest("moved:first"), docker.digest("moved:second"));
    let remote = docker.remote("moved:smoke");
    let pull = |image: &str| {
        let (from, tag) = image.rsplit_once(':').expect("a tag or a digest");
        let (from, tag) = match from.strip_suffix("@sha256") {
            Some(from) => (from, format!("sha256:{tag}")),
            None => (from, tag.to_owned()),
        };
        let target = format!("/images/create?fromImage={from}&tag={tag}");
        let progress = engine.must("POST", &target, None);
        assert!(!progress.to_string().contains("errorDetail"), "{progress}");
        let found = engine.find(&format!("/images/{image}/json"));
        found.expect("pulled")["Id"].clone()
    };

    docker.tag("moved:smoke", first);
    assert_eq!(pull(&remote), docker.id("moved:first"));
    docker.tag("moved:smoke", second);
    assert_eq!(pull(&remote), docker.id("moved:second"));
    // What stands for the images of several processors is another digest of the same image.
    let list = docker.digest("moved:list");
    assert_ne!(list, first);
    let repository = remote.rsplit_once(':').expect("a tag").0;
    assert_eq!(
        pull(&format!("{repository}@{list}")),
        docker.id("moved:first")
    );
    assert_eq!(pull(&docker.remote("huge:1")), docker.id("huge:1"));
}

#[test]
fn a_private_daemon_survives_its_death() {
    let Some(shared) = Docker::get() else { return };
    let docker = Docker::private();
    assert_ne!(docker.host(), shared.host());
    let engine = docker.engine();
    let running = engine.create(&config(&["sleep", "60"], &json!({"Init": true})));
    running.start();
    docker.kill();
    docker.restart();
    let state = engine.inspect(&running.id).expect("still known");
    assert_eq!(state["State"]["Running"], false, "{state}");
    let ended = engine.run(&config(&["hostile", "exit", "7"], &json!({})), b"");
    assert_eq!(ended.exit, 7);
}

#[test]
fn a_run_is_told_of_the_daemon() {
    let Some(docker) = Docker::get() else { return };
    let env = TestEnv::new();
    docker.configure(&env, "network_mode = \"none\"\n");
    let written = std::fs::read_to_string(env.user_config()).expect("written");
    assert!(written.contains("image = \"toolhatch-test/busybox:1\"\n"));
    assert!(written.ends_with("image_pull_policy = \"never\"\nnetwork_mode = \"none\"\n"));
    let show = ["-c", "printf %s \"$DOCKER_HOST\""];
    let output = docker.run(&env, ["explain"]).behind("sh", show).ok();
    assert_eq!(output.stdout, docker.host());
}

/// The tests of this binary, in a process of their own without a daemon.
#[test]
fn tests_without_a_daemon_are_told() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("left-out");
    let run = |with_file: bool| {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command
            .args(["--exact", "docker::the_daemon_has_the_images"])
            .args(["docker::a_run_is_told_of_the_daemon"])
            // One after the other, tests have no threads to be named after.
            .args(["--test-threads", "2"])
            .env_remove("TOOLHATCH_TEST_DOCKER")
            .env_remove("TOOLHATCH_TEST_LEFT_OUT");
        if with_file {
            command.env("TOOLHATCH_TEST_LEFT_OUT", &file);
        }
        let output = command.output().expect("started");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr)
            .matches("left out")
            .count()
    };
    assert_eq!(run(true), 0);
    let text = std::fs::read_to_string(&file).expect("written");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        "docker: docker::a_run_is_told_of_the_daemon",
        "docker: docker::the_daemon_has_the_images",
    ];
    assert_eq!(lines, expected);
    assert_eq!(run(false), 1);
}
