//! `toolhatch plugin dev`: build and call again whenever a source changes.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::env::TestEnv;
use crate::support::toolchains::{Author, Language, edit};

/// How many rounds a run is waited for.
const ROUND: &str = "Waiting for changes";

/// Waits until the rounds have ended that many times.
#[track_caller]
fn wait_for_rounds(running: &crate::support::process::Running, rounds: usize) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let shown = running.shown();
        if shown.matches(ROUND).count() >= rounds {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "there were no {rounds} rounds\n{shown}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn wait_for_file(file: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !file.exists() {
        assert!(Instant::now() < deadline, "there is no {}", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_change_is_built_and_called_and_a_mistake_is_told() {
    let Some(author) = Author::of(Language::C) else {
        return;
    };
    let project = author.project("developed");
    let running = author
        .run(
            &project,
            [
                "plugin",
                "dev",
                "--arg",
                "text=a b c",
                "--arg",
                "words-per-minute=60",
            ],
        )
        .start();
    wait_for_rounds(&running, 1);
    running.wait_for("{\"lines\":1,\"words\":3,\"characters\":5,\"reading-seconds\":3}");
    // Logs of the guest come along.
    running.wait_for("counted");

    let source = project.join("src/plugin.c");
    edit(
        &source,
        ".lines = count.lines,",
        ".lines = count.lines + 41,",
    );
    wait_for_rounds(&running, 2);
    running.wait_for("{\"lines\":42,\"words\":3,");
    edit(
        &source,
        ".lines = count.lines + 41,",
        ".lines = count.lines + ,",
    );
    wait_for_rounds(&running, 3);
    running.wait_for("error[E3113]");
    running.wait_for("src/plugin.c:26:");
    edit(
        &source,
        ".lines = count.lines + ,",
        ".lines = count.lines + 6,",
    );
    wait_for_rounds(&running, 4);
    running.wait_for("{\"lines\":7,\"words\":3,");
    // The manifest and the WIT are sources as well.
    edit(
        &project.join("plugin.toml"),
        "version = \"0.1.0\"",
        "versoin = \"0.1.0\"",
    );
    wait_for_rounds(&running, 5);
    running.wait_for("versoin");

    running.signal(Signal::INT);
    let output = running.finish().ok();
    assert_eq!(output.stdout.matches("\"words\":3").count(), 3, "{output}");
}

#[test]
fn without_a_call_the_examples_are_run() {
    let Some(author) = Author::of(Language::C) else {
        return;
    };
    let project = author.project("developed");
    let running = author.run(&project, ["plugin", "dev"]).start();
    wait_for_rounds(&running, 1);
    running.wait_for("3 calls as expected, 0 not");
    let example = project.join("tests/word-count.toml");
    edit(
        &example,
        "words = 5, characters = 25",
        "words = 6, characters = 25",
    );
    wait_for_rounds(&running, 2);
    running.wait_for(".words is 5, not 6");
    // What the build writes is no change.
    assert_eq!(
        running.shown().matches("Built ").count(),
        2,
        "{}",
        running.shown()
    );
    running.signal(Signal::TERM);
    running.finish().ok();
}

#[test]
fn a_wish_to_end_is_heard_while_a_compiler_runs() {
    let env = TestEnv::new();
    env.run(["plugin", "new", "python", "slow"]).ok();
    let project = env.path("slow");
    // A compiler that takes as long as it likes.
    let compiler = env.write(
        "slow/.venv/bin/componentize-py",
        b"#!/bin/sh\ncase $1 in --version) echo componentize-py 0.25.1; exit;; esac\n: >../started\nwhile [ ! -e ../go ]; do sleep 0.02; \
          done\nexit 1\n",
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(compiler, mode).expect("set");
    let running = env.run(["plugin", "dev"]).within(&project).start();
    wait_for_file(&env.path("started"));
    running.signal(Signal::INT);
    env.write("go", b"");
    let output = running.finish().ok();
    assert!(output.stderr.contains("[E3113]"), "{output}");
    assert_eq!(output.stderr.matches(ROUND).count(), 1, "{output}");
}

#[test]
fn what_cannot_be_developed_is_refused() {
    let env = TestEnv::new();
    env.write("empty/notes.txt", b"");
    for folder in ["empty", "nowhere"] {
        let failed = env.run(["plugin", "dev", folder]).fails_with(4, "E3101");
        assert!(!failed.stderr.contains(ROUND), "{failed}");
    }
}
