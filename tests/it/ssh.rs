//! Commands on another machine: a server of the test's own on the loopback interface stands for it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::process::{Run, with_argument};
use crate::support::sshd::{Sshd, free_port, user};

/// A user whose commands run on that machine.
struct Remote {
    env: TestEnv,
    sshd: Sshd,
}

/// What stands in `[execution.ssh]`.
struct Written {
    port: u16,
    host_key: Option<String>,
    identity: String,
    more: String,
}

impl Remote {
    #[track_caller]
    fn start() -> Option<Self> {
        let remote = Self {
            sshd: Sshd::start()?,
            env: TestEnv::new(),
        };
        remote.configure(&remote.written());
        Some(remote)
    }

    fn written(&self) -> Written {
        Written {
            port: self.sshd.port(),
            host_key: Some(self.sshd.host_key()),
            identity: self.sshd.identity().display().to_string(),
            more: String::new(),
        }
    }

    fn configure(&self, written: &Written) {
        let Written {
            port,
            host_key,
            identity,
            more,
        } = written;
        let host_key = host_key.as_ref();
        let pinned = host_key.map_or_else(String::new, |key| format!("host_key = \"{key}\"\n"));
        let text = format!(
            "[execution]\nstrategy = \"ssh\"\n[execution.ssh]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{}\"\n\
             identity_file = \"{identity}\"\n{pinned}{more}",
            user()
        );
        self.env.write(self.env.user_config(), text.as_bytes());
    }

    fn run(&self, words: &[&str]) -> Run {
        self.env.run(words).timeout(Duration::from_secs(60))
    }

    /// With the network, which a command there has.
    fn exec(&self, words: &[&str]) -> Run {
        self.run(&[&["exec", "--net", "host"], words].concat())
    }

    fn shell(&self, script: &str) -> Run {
        self.exec(&["--", "sh", "-c", script])
    }

    /// A command that leaves a file where it runs.
    fn touch(&self, file: &Path) -> Run {
        self.exec(&["--json", "--", "touch", &file.display().to_string()])
    }
}

/// Waits until nothing has this among its arguments any more.
#[track_caller]
fn assert_gone(marker: &str) {
    let begun = Instant::now();
    while with_argument(marker) > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{marker} is left"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The argument of a `sleep` that no other test has.
fn marker(of: u32) -> String {
    format!("{of}.{}", std::process::id())
}

#[test]
fn a_command_is_run_and_looked_after() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let output = remote.shell("echo out; echo err >&2").ok();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("out\n", "err\n")
    );
    for code in [0, 1, 3, 77, 124, 137, 255] {
        let output = remote.shell(&format!("exit {code}")).output();
        assert_eq!(output.code, Some(code), "{output}");
    }
    let output = remote.exec(&["--json", "--", "sh", "-c", "kill -9 $$"]);
    let output = output.fails_with(1, "E3404");
    assert_eq!(output.json()["error"]["details"]["signal"], 9, "{output}");
    let output = remote.exec(&["--", "no-such-program"]).output();
    assert_eq!(output.code, Some(127), "{output}");
    assert!(output.stderr.contains("127.0.0.1"), "{output}");
    let output = remote.exec(&["--", "/usr/bin"]).output();
    assert_eq!(output.code, Some(126), "{output}");
    let output = remote.exec(&["--workdir", "/nowhere", "--", "true"]);
    output.fails_with(2, "E3004");
    let output = remote.exec(&["--workdir", "/usr", "--", "pwd"]).ok();
    assert_eq!(output.stdout, "/usr\n", "{output}");
}

#[test]
fn streams_of_any_size_pass() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let large = vec![b'x'; 3_000_000];
    let run = remote.exec(&["--stdin", "--", "wc", "-c"]).stdin(large);
    let output = run.ok();
    assert_eq!(output.stdout.trim(), "3000000", "{output}");
    let output = remote.exec(&["--", "wc", "-c"]).stdin("not passed on").ok();
    assert_eq!(output.stdout.trim(), "0", "{output}");
    let output = remote.shell("head -c 20000000 /dev/zero").ok();
    assert_eq!(output.stdout.len(), 20_000_000);
}

#[test]
fn whatever_is_passed_arrives_as_it_is_and_on_no_command_line() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let odd = [
        "-oProxyCommand=touch /tmp/no",
        "--",
        "$(id)",
        "`id`",
        "a b",
        "'",
        "\"",
        "\\",
        "!!",
        ";",
        "é",
        "",
        "two\nlines",
    ];
    let words = [&["--", "printf", "%s|"], &odd[..]].concat();
    let output = remote.exec(&words).ok();
    assert_eq!(output.stdout, format!("{}|", odd.join("|")), "{output}");
    let lines = "for it in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$it; echo; done; echo \"$GIVEN\"";
    let words = ["--env", "GIVEN=S3CRET", "--", "sh", "-c", lines];
    let output = remote.exec(&words).ok();
    // The client, the shell there and the runner are seen, and nobody was told the value but the command itself. Toolhatch
    // is on this machine as well, with what was typed.
    let of_ours =
        |line: &&str| line.contains("serve --descendants") || line.starts_with("/usr/bin/ssh ");
    let seen: Vec<&str> = output.stdout.lines().filter(of_ours).collect();
    assert!(!seen.is_empty(), "{output}");
    assert!(seen.iter().all(|line| !line.contains("S3CRET")), "{seen:?}");
    assert!(output.stdout.ends_with("S3CRET\n"), "{output}");
    // Nothing of the environment here is passed on.
    let output = remote
        .exec(&["--", "env"])
        .env("NOT_GRANTED", "secret")
        .ok();
    assert!(!output.stdout.contains("NOT_GRANTED"), "{output}");
    assert!(
        output.stdout.contains("\nHOME=/") || output.stdout.starts_with("HOME=/"),
        "{output}"
    );
}

#[test]
fn time_that_is_over_ends_all_that_was_started_there() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let marker = marker(91_000);
    let begun = Instant::now();
    let escape =
        format!("setsid setsid sleep {marker} & (sleep {marker} &) ; trap '' TERM; sleep {marker}");
    let words = ["--timeout", "1s", "--json", "--", "sh", "-c", &escape];
    let output = remote.exec(&words).fails_with(124, "E3402");
    assert_eq!(
        output.json()["error"]["details"]["outcome"],
        "timeout",
        "{output}"
    );
    assert!(begun.elapsed() < Duration::from_secs(40), "{output}");
    assert_eq!(with_argument(&marker), 0, "something is left");
    // What it leaves when it ends by itself.
    remote
        .shell(&format!("setsid sleep {marker} & exit 0"))
        .ok();
    assert_eq!(with_argument(&marker), 0, "something is left");
}

#[test]
fn what_was_started_there_ends_with_toolhatch() {
    let Some(remote) = Remote::start() else {
        return;
    };
    for (signal, of) in [(Signal::INT, 92_000), (Signal::KILL, 92_001)] {
        let marker = marker(of);
        let script = format!("echo begun >&2; setsid sleep {marker} & sleep {marker}");
        let running = remote.shell(&script).start();
        running.wait_for("begun");
        running.signal(signal);
        let output = running.finish();
        if signal == Signal::INT {
            assert_eq!(output.code, Some(130), "{output}");
        }
        assert_gone(&marker);
    }
}

#[test]
fn a_connection_that_is_lost_is_told_and_takes_the_command_with_it() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let marker = marker(93_000);
    let script = format!("echo before; kill -9 $PPID; exec sleep {marker}");
    let output = remote.exec(&["--json", "--", "sh", "-c", &script]);
    let output = output.fails_with(4, "E3502");
    assert_eq!(
        output.json()["error"]["details"]["outcome"],
        "daemon-lost",
        "{output}"
    );
    assert_gone(&marker);
}

#[test]
fn only_the_machine_with_the_pinned_key_is_talked_to() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let file = remote.env.path("must-not-be");
    let (_, other) = remote.sshd.other_key("ed25519");
    let (_, of_other_kind) = remote.sshd.other_key("ecdsa");
    for (host_key, expected) in [
        (None, "execution.ssh.host_key"),
        (Some(other), "not the one that is pinned"),
        (Some(of_other_kind), "not the one that is pinned"),
    ] {
        let written = Written {
            host_key,
            ..remote.written()
        };
        remote.configure(&written);
        let output = remote.touch(&file).fails_with(4, "E3405");
        assert!(output.stdout.contains(expected), "{output}");
        assert!(output.stdout.contains("ssh-keyscan"), "{output}");
        let details = &output.json()["error"]["details"];
        assert_eq!(details["outcome"], "invalid-config", "{output}");
        assert!(!file.exists());
        let output = remote.run(&["doctor"]).output();
        assert!(output.stdout.contains(expected), "{output}");
        assert_ne!(output.code, Some(0), "{output}");
    }
    // What the user's own client trusts does not count, in either direction.
    let line = format!(
        "[127.0.0.1]:{} {}\n",
        remote.sshd.port(),
        remote.sshd.host_key()
    );
    remote
        .env
        .write("../home/.ssh/known_hosts", line.as_bytes());
    remote.env.write(
        "../home/.ssh/config",
        b"Host *\n  StrictHostKeyChecking no\n",
    );
    remote.touch(&file).fails_with(4, "E3405");
    remote.configure(&remote.written());
    remote.touch(&file).ok();
    assert!(file.exists());
}

#[test]
fn a_machine_that_cannot_be_used_is_told_at_once() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let begun = Instant::now();
    let true_ = ["--json", "--", "true"];
    // Nobody asks for a password where the key is not one that may log in.
    let (identity, _) = remote.sshd.other_key("ed25519");
    remote.configure(&Written {
        identity: identity.display().to_string(),
        ..remote.written()
    });
    remote.exec(&true_).fails_with(4, "E3507");
    remote.configure(&Written {
        port: free_port(),
        ..remote.written()
    });
    let output = remote.exec(&true_).fails_with(4, "E3506");
    assert!(output.stdout.contains("execution.ssh.port"), "{output}");
    remote.configure(&remote.written());
    let output = remote.exec(&true_).env("PATH", "/nowhere");
    let output = output.fails_with(4, "E3405");
    assert!(output.stdout.contains("openssh-client"), "{output}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    remote.sshd.force("echo this account is not available");
    let output = remote.exec(&true_).fails_with(4, "E3502");
    assert!(output.stdout.contains("is not available"), "{output}");
}

#[test]
fn a_machine_that_says_nothing_is_not_waited_for() {
    let Some(remote) = Remote::start() else {
        return;
    };
    // It takes connections, because the system does, and nobody ever answers them.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    remote.configure(&Written {
        port: silent.local_addr().expect("bound").port(),
        ..remote.written()
    });
    let output = remote.exec(&["--json", "--timeout", "1s", "--", "true"]);
    output.fails_with(124, "E3402");
    let begun = Instant::now();
    let output = remote
        .exec(&["--json", "--timeout", "50s", "--", "true"])
        .output();
    assert!(output.stdout.contains("\"E3503\""), "{output}");
    assert!(begun.elapsed() < Duration::from_secs(40), "{output}");
}

#[test]
fn a_grant_is_of_one_machine_and_what_cannot_be_held_there_is_refused() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let call = |network: &str, allow: &[&str]| {
        let arguments = json!({"command": ["echo", "hello"], "network": network}).to_string();
        let mut words = vec!["call", "sandbox.run", "--args", &arguments, "--json"];
        for allow in allow {
            words.extend(["--allow", allow]);
        }
        remote.run(&words)
    };
    for other in [
        "subprocess=*",
        "subprocess=command:echo",
        "subprocess=image:direct",
        "subprocess=image:ssh:other.example;command:echo",
        "subprocess=image:ssh:127.0.0.1;command:ls",
    ] {
        call("host", &[other, "network_tcp=*:*", "network_udp=*:*"]).fails_with(3, "E3206");
    }
    let granted = "subprocess=image:ssh:127.0.0.1;command:echo";
    let tcp = "network_tcp=*:*;metadata";
    let udp = "network_udp=*:*;metadata";
    // It has the network of that machine: that is asked for and granted, or nothing runs.
    for network in ["none", "bridge"] {
        let output = call(network, &[granted, tcp, udp]).fails_with(3, "E3211");
        assert!(
            output.stdout.contains("bounded by its account alone"),
            "{output}"
        );
    }
    call("host", &[granted]).fails_with(3, "E3211");
    let output = call("host", &[granted, tcp, udp]).ok();
    assert_eq!(output.json()["structured"]["stdout"], "hello\n", "{output}");
    call("host", &["subprocess=image:ssh:*;command:echo", tcp, udp]).ok();
    remote.env.write("here/file", b"text");
    for words in [
        &["--mount", "here"][..],
        &["--memory", "64MiB"],
        &["--keep", "it"],
        &["--image", "debian"],
    ] {
        let words = [words, &["--json", "--", "true"]].concat();
        remote.exec(&words).fails_with(2, "E3004");
    }
    remote
        .run(&["exec", "--json", "--", "true"])
        .fails_with(3, "E3211");
    // Policy knows the place by the same word.
    let folder = remote.env.user_config();
    let folder = folder.parent().expect("a folder").join("policy");
    let forbid = "@id(\"not-there\")\nforbid (principal, action == Action::\"exec.container\", resource) when { resource.reference == \"ssh:127.0.0.1\" };\n";
    remote
        .env
        .write(folder.join("own.cedar"), forbid.as_bytes());
    let output = remote
        .exec(&["--json", "--", "true"])
        .fails_with(3, "E3206");
    assert!(output.stdout.contains("not-there"), "{output}");
}

#[test]
fn it_is_recorded_where_a_command_ran() {
    let Some(remote) = Remote::start() else {
        return;
    };
    remote.configure(&Written {
        more: "workdir = \"/usr/bin\"\n".to_owned(),
        ..remote.written()
    });
    assert_eq!(remote.exec(&["--", "pwd"]).ok().stdout, "/usr/bin\n");
    let record = remote.run(&["audit", "query", "--json"]).ok().stdout;
    for part in [
        "ssh:127.0.0.1".to_owned(),
        remote.sshd.fingerprint(),
        format!("user={}", user()),
    ] {
        assert!(record.contains(&part), "{part}: {record}");
    }
    let output = remote.run(&["doctor"]).output();
    for part in ["ssh", &remote.sshd.fingerprint(), "lets us in"] {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
}

#[test]
fn the_runner_there_is_the_one_of_this_build_or_is_sent_again() {
    let Some(remote) = Remote::start() else {
        return;
    };
    remote.shell("true").ok();
    let runners = || -> Vec<_> {
        let found = std::fs::read_dir(remote.sshd.runners()).expect("a folder");
        found.map(|entry| entry.expect("read").path()).collect()
    };
    let [runner] = &runners()[..] else {
        panic!("not one: {:?}", runners());
    };
    let whole = std::fs::read(runner).expect("a file");
    // Whoever broke it, or did not get to its end.
    for broken in [&b"#!/bin/sh\necho broken\n"[..], &whole[..1000], b""] {
        std::fs::remove_file(runner).expect("removed");
        toolhatch::fsx::write_atomic(runner, broken, 0o755).expect("written");
        assert_eq!(remote.shell("echo fine").ok().stdout, "fine\n");
        assert_eq!(std::fs::read(runner).expect("a file"), whole);
        assert_eq!(runners().len(), 1, "{:?}", runners());
    }
    let many: Vec<_> = (0..3).map(|_| remote.shell("echo fine").start()).collect();
    for one in many {
        assert_eq!(one.finish().ok().stdout, "fine\n");
    }
}
