//! Commands of a daemon that cannot see the files of this machine: they work on copies.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use rustix::process::Signal;

use super::changes::{changed, id, sandbox, snapshot, told, workspace};
use super::{OURS, exec, machine};
use crate::support::docker::Docker;
use crate::support::env::TestEnv;
use crate::support::process::Run;
use crate::support::sshd::{Sshd, user};

/// How to have a script run over the workspace.
const WITH_DIFF: [&str; 6] = [
    "--json",
    "--diff",
    "--mount",
    "ws:/workspace:rw",
    "--",
    "sh",
];

fn with_diff(script: &str) -> Vec<&str> {
    WITH_DIFF.into_iter().chain(["-c", script]).collect()
}

#[test]
fn what_a_command_changed_in_a_copy_is_applied() {
    if Docker::get().is_none() {
        return;
    }
    let docker = Docker::private_over_tcp();
    let env = machine(&docker);
    let files = [
        ("plain.txt", "one\n"),
        ("gone.txt", "gone\n"),
        ("script.sh", "echo\n"),
        ("old/deep/b", "b"),
        ("swap", "a file"),
        ("same", "same"),
        (".ssh/id", "secret"),
        (".git/hooks/pre", "hook"),
        ("two", "two"),
    ];
    let root = workspace(&env, &files);
    symlink("plain.txt", root.join("link")).expect("made");
    symlink("/etc/passwd", root.join("out")).expect("made");
    std::fs::set_permissions(
        root.join("script.sh"),
        std::fs::Permissions::from_mode(0o750),
    )
    .expect("set");
    let before = snapshot(&root);

    // What was granted is there, as it is here, and belongs to whoever runs.
    let script = "cat plain.txt; readlink link; readlink out; stat -c '%a %u' script.sh . ; ls -A .ssh .git/hooks; \
                  touch x && echo > /workspace/plain.txt";
    let words = ["--mount", "ws:/workspace", "--", "sh", "-c", script];
    let output = exec(&docker, &env, &words).output();
    let seen = "one\nplain.txt\n/etc/passwd\n750 1000\n755 1000\n.git/hooks:\npre\n";
    assert_eq!(output.stdout, seen, "{output}");
    assert!(output.stderr.contains("Read-only file system"), "{output}");
    assert!(output.stderr.contains(".ssh: No such file"), "{output}");

    let script = "echo two >> plain.txt; rm gone.txt; chmod 700 script.sh; mv old new; rm swap; mkdir swap; \
                  echo in > swap/in; ln -s plain.txt link2; touch same; mkdir empty; ln two three; \
                  head -c 3000000 /dev/zero > large; echo x > .git/hooks/pre; mkdir .ssh; echo x > .ssh/id; exit 3";
    let output = exec(&docker, &env, &with_diff(script)).output();
    assert_eq!(output.code, Some(3), "the command's own: {output}");
    let changes = output.json()["changes"].take();
    assert_eq!(
        told(&changes),
        [
            ".git/hooks/pre modified refused",
            ".ssh added refused",
            ".ssh/id added refused",
            "empty added",
            "gone.txt removed",
            "large added",
            "link2 added",
            "new added",
            "new/deep added",
            "new/deep/b added",
            "old removed",
            "old/deep removed",
            "old/deep/b removed",
            "plain.txt modified",
            "script.sh modified",
            "swap type-changed",
            "swap/in added",
            "three added",
        ],
        "{output}"
    );
    assert_eq!(snapshot(&root), before, "nothing of it is in the workspace");
    let used = &output.json()["usage"];
    assert!(
        used["bytes_in"].as_u64().is_some_and(|it| it > 30),
        "{output}"
    );
    assert!(
        used["bytes_out"].as_u64().is_some_and(|it| it > 3_000_000),
        "{output}"
    );
    docker.assert_nothing_left(OURS);

    let output = sandbox(&docker, &env, &["apply", id(&changes)]);
    assert_eq!(output.code, Some(3), "{output}");
    assert_eq!(output.json()["left"], 3, "{output}");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("there");
    assert_eq!(read("plain.txt"), "one\ntwo\n");
    assert_eq!(read("link2"), read("plain.txt"));
    assert_eq!(
        (read("three"), read("new/deep/b")),
        ("two".into(), "b".into())
    );
    assert_eq!(
        (read("swap/in"), read(".ssh/id")),
        ("in\n".into(), "secret".into())
    );
    assert_eq!(read(".git/hooks/pre"), "hook");
    assert_eq!(
        root.join("large").metadata().expect("there").len(),
        3_000_000
    );
    assert!(root.join("empty").is_dir());
    assert!(!root.join("old").exists() && !root.join("gone.txt").exists());
    let mode = root.join("script.sh").metadata().expect("there").mode();
    assert_eq!(mode & 0o777, 0o700);
    for (path, what) in snapshot(&root) {
        assert!(
            what.contains(" 1000 ") || path.ends_with("out") || path.ends_with("link"),
            "{path:?}: {what}"
        );
    }

    // What somebody else changed since it was copied is a conflict.
    let changes = changed(&docker, &env, "echo theirs > plain.txt; echo theirs > two");
    env.write("ws/plain.txt", b"mine");
    sandbox(&docker, &env, &["apply", id(&changes)]).fails_with(4, "E3908");
    sandbox(&docker, &env, &["apply", id(&changes), "--path", "two"]).ok();
    assert_eq!(
        (read("plain.txt"), read("two")),
        ("mine".into(), "theirs\n".into())
    );
    // Nothing is kept where nothing changed.
    let output = exec(&docker, &env, &with_diff("touch same; cat two")).ok();
    assert!(output.json()["changes"].is_null(), "{output}");
    docker.assert_nothing_left(OURS);
}

#[test]
fn what_a_copy_cannot_be_is_refused() {
    if Docker::get().is_none() {
        return;
    }
    let docker = Docker::private_over_tcp();
    let env = machine(&docker);
    let root = workspace(&env, &[("a", "a"), ("in/b", "b")]);
    env.write("side/x", b"x");
    let refused = |words: &[&str], hint: &str| {
        let words: Vec<&str> = words.iter().copied().chain(["--", "true"]).collect();
        let output = exec(&docker, &env, &words).fails_with(2, "E3004");
        assert!(output.stderr.contains(hint), "{output}");
    };
    refused(&["--mount", "ws:/workspace:rw"], "--diff");
    refused(&["--mount", "ws/a:/workspace/a"], "Mount the folder");
    refused(
        &["--mount", "ws:/workspace", "--keep", "mine"],
        "Leave out `keep`",
    );
    // One mount in another, and what is made for it there.
    let words = [
        "--json",
        "--diff",
        "--mount",
        "ws:/workspace:rw",
        "--mount",
        "side:/workspace/side",
        "--",
        "sh",
        "-c",
        "cat side/x; echo y > side/y; echo c > in/c",
    ];
    let output = exec(&docker, &env, &words).output();
    let output = output.json();
    assert_eq!(told(&output["changes"]), ["in/c added"], "{output}");
    // More than is copied, and nothing of it stays.
    let sparse = std::fs::File::create(root.join("sparse")).expect("made");
    sparse.set_len(3 << 30).expect("set");
    exec(&docker, &env, &["--mount", "ws:/workspace", "--", "true"]).fails_with(6, "E3407");
    docker.assert_nothing_left(OURS);
}

#[test]
fn what_comes_back_can_be_hostile() {
    if Docker::get().is_none() {
        return;
    }
    let docker = Docker::private_over_tcp();
    let env = machine(&docker);
    let root = workspace(&env, &[("a", "a"), ("d/e", "e")]);
    let before = snapshot(&root);
    let script = "ln -s /etc/passwd passwd; ln -s ../../../etc up; rm -r d; ln -s /etc d; mkfifo pipe; mkdir '..x' '...'; \
                  echo x > '..x/a'; chmod 4755 a; mkdir -p closed/in; echo x > closed/in/x; chmod 0 closed/in closed; \
                  n=0; while [ $n -lt 230 ]; do mkdir n && cd n || break; n=$((n+1)); done; echo deep > deep";
    let changes = changed(&docker, &env, script);
    let all = told(&changes);
    let of = |what: &str| all.iter().any(|told| told == what);
    for what in [
        "passwd added refused",
        "up added refused",
        "d type-changed refused",
        "pipe added refused",
        "a modified refused",
        "..x/a added",
        "closed/in/x added",
    ] {
        assert!(of(what), "{what}: {all:?}");
    }
    let deepest = all.iter().max_by_key(|told| told.len()).expect("there");
    assert!(deepest.ends_with(" refused"), "{deepest}");
    assert_eq!(snapshot(&root), before);
    let output = sandbox(&docker, &env, &["apply", id(&changes)]);
    assert_eq!(output.code, Some(3), "{output}");
    assert_eq!(
        std::fs::read(root.join("closed/in/x")).ok(),
        Some(b"x\n".to_vec())
    );
    assert!(!root.join("passwd").exists() && root.join("d").is_dir());

    // What seems to be larger than anything that is taken.
    let output = exec(
        &docker,
        &env,
        &with_diff("truncate -s 1000000000000 huge; echo x > small"),
    );
    let output = output.fails_with(6, "E3407");
    assert!(output.json()["changes"].is_null(), "{output}");
    assert!(!root.join("small").exists());
    docker.assert_nothing_left(OURS);
    let kept = std::fs::read_dir(env.toolhatch_home().join("changes")).expect("there");
    assert_eq!(kept.count(), 1, "that of the first command");
}

#[test]
fn a_killed_process_leaves_no_copies() {
    if Docker::get().is_none() {
        return;
    }
    let docker = Docker::private_over_tcp();
    let env = machine(&docker);
    workspace(&env, &[("a", "a")]);
    let killed = exec(&docker, &env, &with_diff("echo x > a; sleep 100")).start();
    super::wait_for_running(&docker);
    killed.signal(Signal::KILL);
    drop(killed.finish());
    let volumes = || docker.engine().volumes(OURS).len();
    assert_eq!((volumes(), docker.engine().containers(OURS).len()), (1, 2));
    docker.run(&env, ["sandbox", "gc"]).ok();
    docker.assert_nothing_left(OURS);
    let kept = || std::fs::read_dir(env.toolhatch_home().join("changes")).expect("there");
    assert_eq!(kept().count(), 0);

    // One that is told to end reads back what it had changed.
    let running = exec(
        &docker,
        &env,
        &with_diff("echo x > a; echo ready >&2; sleep 100"),
    )
    .start();
    super::wait_for_running(&docker);
    running.signal(Signal::TERM);
    running.finish().fails_with(130, "E3703");
    docker.assert_nothing_left(OURS);

    // A daemon that goes away meanwhile is no reason to wait.
    let script = ["sh", "-c", "echo x > a; echo begun >&2; sleep 100"];
    let words = [&WITH_DIFF[1..5], &script].concat();
    let running = exec(&docker, &env, &words).start();
    running.wait_for("begun");
    docker.kill();
    running.finish().fails_with(4, "E3502");
    assert_eq!(std::fs::read(env.path("ws/a")).expect("there"), b"a");
}

#[test]
fn who_talks_over_tls_is_known() {
    if Docker::get().is_none() {
        return;
    }
    let docker = Docker::private_over_tls();
    let env = machine(&docker);
    workspace(&env, &[("a", "a\n")]);
    let changes = changed(&docker, &env, "echo b >> a");
    assert_eq!(told(&changes), ["a modified"]);

    let refused = |certificates: &str| {
        let run = exec(&docker, &env, &["--", "true"]);
        run.env("DOCKER_CERT_PATH", certificates)
            .output()
            .fails_with(4, "E3405");
    };
    // Those of another: neither knows the other.
    let other = Docker::private_over_tls();
    refused(&other.certificates().to_string_lossy());
    // One is known, and does not know.
    let mixed = env.path("mixed");
    std::fs::create_dir(&mixed).expect("made");
    for (from, name) in [
        (&other, "ca.pem"),
        (&docker, "cert.pem"),
        (&docker, "key.pem"),
    ] {
        std::fs::copy(from.certificates().join(name), mixed.join(name)).expect("copied");
    }
    refused(&mixed.to_string_lossy());
    // The other way round.
    for (from, name) in [
        (&docker, "ca.pem"),
        (&other, "cert.pem"),
        (&other, "key.pem"),
    ] {
        std::fs::copy(from.certificates().join(name), mixed.join(name)).expect("copied");
    }
    refused(&mixed.to_string_lossy());
    // Without TLS, nobody answers.
    let run = env.run(["exec", "--", "true"]);
    run.env("DOCKER_HOST", &docker.host())
        .fails_with(4, "E3405");
}

/// The SSH client of a person whose own configuration knows this machine.
fn over_ssh(env: &TestEnv, machine: &Sshd, run: Run) -> Run {
    let known = env.path("../bin/known");
    let port = machine.port();
    env.write(
        &known,
        format!("[127.0.0.1]:{port} {}\n", machine.host_key()).as_bytes(),
    );
    let client = env.path("../bin/ssh");
    let text = format!(
        "#!/bin/sh\nexec /usr/bin/ssh -F none -i {} -o UserKnownHostsFile={} \"$@\"\n",
        machine.identity().display(),
        known.display()
    );
    env.write(&client, text.as_bytes());
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).expect("set");
    let path = format!("{}:/usr/bin:/bin", env.path("../bin").display());
    run.env("PATH", &path)
        .env("DOCKER_HOST", &format!("ssh://{}@127.0.0.1:{port}", user()))
}

#[test]
fn a_daemon_is_reached_over_ssh() {
    let Some(docker) = Docker::get() else { return };
    let Some(server) = Sshd::start() else { return };
    let env = machine(docker);
    let root = workspace(&env, &[("plain.txt", "one\n")]);
    // As if the daemon's socket were in the usual place over there.
    server.force(&format!(
        "DOCKER_HOST={} docker system dial-stdio",
        docker.host()
    ));
    let words = with_diff("cat plain.txt; echo two > plain.txt");
    let output = over_ssh(&env, &server, exec(docker, &env, &words)).ok();
    let json = output.json();
    assert_eq!(json["structured"]["stdout"], "one\n", "{output}");
    assert_eq!(told(&json["changes"]), ["plain.txt modified"], "{output}");
    let kept = std::fs::read_to_string(root.join("plain.txt")).expect("there");
    assert_eq!(kept, "one\n");
    let late = ["--timeout", "1s", "--", "sleep", "60"];
    over_ssh(&env, &server, exec(docker, &env, &late)).fails_with(124, "E3402");

    // Whoever cannot log in is told what the client says.
    let (stranger, _) = server.other_key("ed25519");
    let denied = exec(docker, &env, &["--", "true"]);
    std::fs::copy(stranger, server.identity()).expect("copied");
    let output = over_ssh(&env, &server, denied).fails_with(4, "E3405");
    assert!(output.stderr.contains("Permission denied"), "{output}");
}
