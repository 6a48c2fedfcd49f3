//! Who runs tools that are commands.

use super::machine::Machine;
use super::shown;
use crate::config::{SshHostKey, Strategy};

/// The public key of a machine that there is not.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

const SSH: &str = "[execution.ssh]\nhost = 'build.example'\nport = 2222\nuser = 'me'\nidentity_file = '~/key'\n\
    workdir = '/srv/work'";

#[test]
fn a_user_names_the_machine_and_pins_its_key() {
    let text = format!("execution.strategy = 'ssh'\n{SSH}\nhost_key = '{KEY} me@build.example'");
    let machine = Machine::new().user(&text);
    let config = machine.load().expect("valid");
    let identity = machine.path("home/key").display().to_string();
    for (key, value) in [
        ("execution.strategy", "ssh"),
        ("execution.ssh.host", "build.example"),
        ("execution.ssh.port", "2222"),
        ("execution.ssh.user", "me"),
        ("execution.ssh.host_key", KEY),
        ("execution.ssh.identity_file", &identity),
        ("execution.ssh.workdir", "/srv/work"),
    ] {
        assert_eq!(shown(&config, key), format!("{value} (user)"), "{key}");
    }
    let key: &SshHostKey = config.execution.ssh.host_key.as_ref().expect("pinned");
    assert_eq!(format!("{} {}", key.algorithm(), key.base64()), KEY);
    assert_eq!(config.execution.obstacle(), None);
    // The operator can take the machine away again.
    let gone = machine.system("[enforced.execution.ssh]\nhost = ''");
    let config = gone.load().expect("valid");
    assert_eq!(config.execution.ssh.host, None);
    assert!(config.execution.obstacle().is_some());
}

#[test]
fn what_is_chosen_has_to_be_allowed_and_configured() {
    for (system, user, obstacle) in [
        ("", "execution.strategy = 'auto'", None),
        ("", "execution.strategy = 'docker'", None),
        (
            "",
            "execution.strategy = 'direct'",
            Some("execution.allow_direct"),
        ),
        (
            "[defaults.execution]\nallow_direct = true",
            "execution.strategy = 'direct'",
            None,
        ),
        (
            "[defaults.execution]\nallow_direct = true\n[enforced.execution]\nallow_direct = false",
            "execution.strategy = 'direct'",
            Some("execution.allow_direct"),
        ),
        (
            "[enforced.execution]\nstrategy = 'docker'",
            "execution.strategy = 'direct'",
            None,
        ),
        ("", "execution.strategy = 'ssh'", Some("execution.ssh.host")),
        (
            "",
            &format!("execution.strategy = 'ssh'\n{SSH}"),
            Some("execution.ssh.host_key"),
        ),
    ] {
        let config = Machine::new()
            .system(system)
            .user(user)
            .load()
            .expect("valid");
        let found = config.execution.obstacle();
        assert_eq!(found.is_some(), obstacle.is_some(), "{user}: {found:?}");
        let found = found.unwrap_or_default();
        assert!(found.contains(obstacle.unwrap_or_default()), "{found}");
    }
}

#[test]
fn a_project_asks_for_a_container_and_for_nothing_less() {
    for word in ["auto", "docker"] {
        let config = Machine::new()
            .user("execution.strategy = 'direct'")
            .project(&format!("execution.strategy = '{word}'"))
            .load()
            .expect("valid");
        assert_ne!(config.execution.strategy, Strategy::Direct, "{word}");
        assert_eq!(
            shown(&config, "execution.strategy"),
            format!("{word} (project)")
        );
    }
    for word in ["direct", "ssh"] {
        let refusal = Machine::new()
            .user(&format!("execution.strategy = '{word}'"))
            .project(&format!("[execution]\nstrategy = '{word}'"))
            .refusal();
        let expected = "2:12: execution.strategy: a project can only ask for a container";
        assert!(refusal.contains(expected), "{refusal}");
    }
    let lines = SSH.lines().skip(1).map(str::to_owned);
    for line in lines.chain([format!("host_key = '{KEY}'")]) {
        let refusal = Machine::new()
            .project(&format!("[execution.ssh]\n{line}"))
            .refusal();
        let expected = "a project cannot set this";
        assert!(refusal.contains(expected), "{line}: {refusal}");
    }
}

#[test]
fn only_the_operator_lets_commands_out_of_a_container() {
    for table in ["defaults", "enforced"] {
        let config = Machine::new()
            .system(&format!("[{table}.execution]\nallow_direct = true"))
            .load()
            .expect("valid");
        assert_eq!(
            shown(&config, "execution.allow_direct"),
            format!("true ({table})")
        );
    }
    let text = "[execution]\nallow_direct = false";
    let expected = "2:16: execution.allow_direct: only the operator can decide this";
    for machine in [Machine::new().user(text), Machine::new().project(text)] {
        let refusal = machine.refusal();
        assert!(refusal.contains(expected), "{refusal}");
    }
    let flag = Machine::new().flag("--x", "execution.allow_direct", "true");
    assert!(flag.refusal().contains("only the operator"));
}

#[test]
fn what_does_not_fit_is_refused_and_keys_are_not_repeated() {
    for (line, expected) in [
        ("strategy = 'dokcer'", "did you mean \"docker\"?"),
        ("ssh.host = '-oProxyCommand=x'", "name or address"),
        ("ssh.host = 'me@build.example'", "name or address"),
        ("ssh.port = 0", "from 1 to 65535"),
        ("ssh.user = '-l'", "a user name"),
        ("ssh.workdir = 'work'", "absolute path"),
        ("ssh.workdir = '/srv/../etc'", "without `..`"),
        ("ssh.identity_file = 'key'", "absolute path"),
        ("ssh.host_key = 'S3CRET'", "public key of a machine"),
        ("ssh.host_key = 'ssh-ed25519 S3CRET!'", "public key"),
        // A key that says itself that it is another one.
        (
            "ssh.host_key = 'ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f'",
            "public key",
        ),
        (
            "ssh.host_key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5'",
            "public key",
        ),
        ("ssh.host_key = 'ssh-ed25519 /////w=='", "public key"),
        (
            "ssh.host_key = \"\"\"-----BEGIN OPENSSH PRIVATE KEY-----\nS3CRET\n\"\"\"",
            "public key",
        ),
    ] {
        let refusal = Machine::new()
            .user(&format!("[execution]\n{line}"))
            .refusal();
        assert!(refusal.contains(expected), "{line}: {refusal}");
        assert!(!refusal.contains("S3CRET"), "{refusal}");
    }
}
