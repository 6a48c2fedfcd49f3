//! Daemons that are not there, do not answer, or go away.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use crate::support::docker::Docker;
use crate::support::env::TestEnv;
use crate::support::guests;

#[test]
fn without_a_daemon_commands_are_refused_and_components_run() {
    let env = TestEnv::new();
    let nowhere = env.path("nowhere.sock");
    let host = format!("unix://{}", nowhere.display());
    let output = env
        .run(["exec", "--json", "--", "true"])
        .env("DOCKER_HOST", &host)
        .fails_with(4, "E3405");
    assert!(output.elapsed < Duration::from_secs(5), "{output}");
    let error = &output.json()["error"];
    assert_eq!(error["details"]["outcome"], "daemon-lost", "{output}");
    assert_eq!(error["details"]["recoverable"], true, "{output}");
    assert!(
        error["hints"].to_string().contains("Start Docker"),
        "{output}"
    );
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.run(guests::ADD).env("DOCKER_HOST", &host).ok();
    let doctor = env
        .run(["doctor", "--json"])
        .env("DOCKER_HOST", &host)
        .output();
    assert!(
        doctor
            .stdout
            .contains("commands cannot be run, components can"),
        "{doctor}"
    );
}

#[test]
fn a_daemon_that_does_not_answer_is_not_waited_for() {
    let env = TestEnv::new();
    let folder = tempfile::Builder::new()
        .prefix("th")
        .tempdir_in("/tmp")
        .expect("a folder");
    let socket = folder.path().join("d.sock");
    // Somebody listens and never says anything.
    let _listener = UnixListener::bind(&socket).expect("bound");
    let output = env
        .run(["exec", "--json", "--", "true"])
        .env("DOCKER_HOST", &format!("unix://{}", socket.display()))
        .fails_with(4, "E3405");
    assert!(output.stdout.contains("nobody answered within"), "{output}");
    assert!(output.elapsed < Duration::from_secs(5), "{output}");
}

#[test]
fn an_address_that_is_none_is_refused_without_repeating_it() {
    let env = TestEnv::new();
    let output = env
        .run(["exec", "--json", "--", "true"])
        .env("DOCKER_HOST", "tcp://me:secret@example.org:1")
        .fails_with(2, "E3004");
    assert!(!output.stdout.contains("secret"), "{output}");
}

#[test]
fn a_daemon_that_goes_away_is_told_as_lost() {
    if Docker::get().is_none() {
        return;
    }
    let daemon = Docker::private();
    let env = super::machine(&daemon);
    let words = ["--", "sh", "-c", "echo begun >&2; sleep 60"];
    let running = super::exec(&daemon, &env, &words).start();
    running.wait_for("begun");
    daemon.kill();
    let output = running.finish().fails_with(4, "E3502");
    assert!(output.elapsed < Duration::from_secs(30), "{output}");
    daemon.restart();
    // What it left is removed by the next that needs a container.
    super::exec(&daemon, &env, &["--", "true"]).ok();
    daemon.assert_nothing_left(super::OURS);
}
