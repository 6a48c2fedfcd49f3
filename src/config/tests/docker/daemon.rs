//! Which daemon is used, and how it is known.

use super::Machine;
use super::shown;
use crate::config::{DaemonChoice, DockerHost};

#[test]
fn whichever_of_host_and_context_comes_later_takes_the_place_of_both() {
    let host = DaemonChoice::Host(DockerHost::Unix("/run/d.sock".into()));
    let context = DaemonChoice::Context("remote".to_owned());
    let unix = "docker.host = 'unix:///run/d.sock'";
    for (user, enforced, expected) in [
        ("", "", DaemonChoice::Found),
        (unix, "", host.clone()),
        ("docker.context = 'remote'", "", context.clone()),
        ("docker.context = 'remote'", unix, host.clone()),
        (unix, "docker.context = 'remote'", context.clone()),
        (unix, "docker.context = ''", DaemonChoice::Found),
        (unix, "docker.host = ''", DaemonChoice::Found),
    ] {
        let config = Machine::new()
            .user(user)
            .system(&format!("[enforced]\n{enforced}"))
            .load()
            .expect("valid");
        assert_eq!(config.docker.daemon, expected, "{user} {enforced}");
    }
    let config = Machine::new()
        .user("docker.context = 'remote'")
        .system("[enforced]\ndocker.host = ''")
        .load()
        .expect("valid");
    // What took the context away is told there too.
    assert_eq!(shown(&config, "docker.context"), " (enforced)");
}

#[test]
fn variables_choose_it_as_dockers_own_do() {
    let machine = Machine::new()
        .user("docker.host = 'unix:///run/d.sock'")
        .variable("TOOLHATCH_DOCKER_CONTEXT", "remote");
    let config = machine.load().expect("valid");
    assert_eq!(
        shown(&config, "docker.context"),
        "remote (TOOLHATCH_DOCKER_CONTEXT)"
    );
    let both = machine.variable("TOOLHATCH_DOCKER_HOST", "tcp://[::1]:2376");
    let config = both.load().expect("valid");
    assert_eq!(
        shown(&config, "docker.host"),
        "tcp://[::1]:2376 (TOOLHATCH_DOCKER_HOST)"
    );
}

#[test]
fn a_certificate_comes_with_its_key() {
    let machine = Machine::new()
        .system("[enforced.docker]\ntls_cert = ''\ntls_key = ''")
        .user("[docker]\ntls_ca = '/ca.pem'\ntls_cert = '/c.pem'\ntls_key = '/k.pem'");
    let tls = machine.load().expect("valid").docker.tls;
    assert!(tls.ca.is_some());
    assert_eq!((tls.cert, tls.key), (None, None));
    for (text, expected) in [
        (
            "tls_cert = '/c.pem'",
            "2:12: docker.tls_cert: write this and `docker.tls_key` together",
        ),
        (
            "tls_key = '/k.pem'",
            "2:11: docker.tls_key: write this and `docker.tls_cert` together",
        ),
        (
            "tls_cert = '/c.pem'\ntls_key = ''",
            "docker.tls_cert: write this and",
        ),
        ("tls_ca = 'ca.pem'", "absolute path"),
    ] {
        let refusal = Machine::new().user(&format!("[docker]\n{text}")).refusal();
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
}

#[test]
fn what_names_no_daemon_is_refused_and_passwords_are_not_repeated() {
    for (text, expected) in [
        ("host = '/var/run/docker.sock'", "there is no `://` in it"),
        ("host = 'npipe:////./pipe/x'", "no named pipes"),
        (
            "host = 'tcp://me:S3CRET@h:1'",
            "not told a user or password",
        ),
        ("host = 'ssh://me:S3CRET@h'", "no password"),
        ("context = '../x'", "the name of a context"),
        (
            "host = 'tcp://h:1'\ncontext = 'x'",
            "docker.context: write either this or `docker.host`",
        ),
    ] {
        let refusal = Machine::new().user(&format!("[docker]\n{text}")).refusal();
        assert!(refusal.contains(expected), "{text}: {refusal}");
        assert!(!refusal.contains("S3CRET"), "{refusal}");
    }
}
