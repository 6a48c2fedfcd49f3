//! Keys that say what goes to other machines.

use super::machine::Machine;
use super::shown;
use crate::config::{CredentialSource, Facility};

const EVERY_KEY: &str = "[audit]\nstdout = true\n\
    [audit.syslog]\naddress = 'tcp://logs.example:601'\nfacility = 'local3'\napp_name = 'gate'\nmax_message = '2KiB'\n\
    [audit.webhook]\nurl = 'https://collector.example/a?b=c'\nsecret_file = '~/secret'\ntimeout = '3s'\n\
    close_wait = '1s'\nmax_lag = '1m'\nplain_http = true\nproxy = true\nca_file = '/ca.pem'\n\
    [search.embedding]\nurl = 'http://127.0.0.1:11434'\napi = 'ollama'\nmodel = 'm'\nkey_env = 'MODEL_KEY'\n\
    timeout = '5s'\nplain_http = true\nproxy = true\nca_file = '/ca.pem'";

#[test]
fn a_user_can_set_every_one() {
    let machine = Machine::new().user(EVERY_KEY);
    let config = machine.load().expect("valid");
    let secret = machine.path("home/secret").display().to_string();
    for (key, value) in [
        ("audit.stdout", "true"),
        ("audit.syslog.address", "tcp://logs.example:601"),
        ("audit.syslog.facility", "local3"),
        ("audit.syslog.app_name", "gate"),
        ("audit.syslog.max_message", "2KiB"),
        ("audit.webhook.url", "https://collector.example/a?b=c"),
        ("audit.webhook.secret_file", &secret),
        ("audit.webhook.timeout", "3s"),
        ("audit.webhook.close_wait", "1s"),
        ("audit.webhook.max_lag", "1m"),
        ("audit.webhook.plain_http", "true"),
        ("audit.webhook.proxy", "true"),
        ("audit.webhook.ca_file", "/ca.pem"),
        ("search.embedding.url", "http://127.0.0.1:11434/"),
        ("search.embedding.api", "ollama"),
        ("search.embedding.model", "m"),
        ("search.embedding.key_env", "MODEL_KEY"),
        ("search.embedding.timeout", "5s"),
        ("search.embedding.plain_http", "true"),
        ("search.embedding.proxy", "true"),
        ("search.embedding.ca_file", "/ca.pem"),
    ] {
        assert_eq!(shown(&config, key), format!("{value} (user)"), "{key}");
    }
    assert_eq!(config.audit.syslog.facility, Facility::Local3);
}

#[test]
fn a_project_can_set_none() {
    // One at a time: each has to be refused by itself.
    let mut table = "";
    let mut refused = 0;
    for line in EVERY_KEY.lines() {
        if line.starts_with('[') {
            table = line;
            continue;
        }
        let refusal = Machine::new()
            .project(&format!("{table}\n{line}"))
            .refusal();
        assert!(
            refusal.contains("a project cannot set this"),
            "{line}: {refusal}"
        );
        refused += 1;
    }
    assert_eq!(refused, 21);
}

#[test]
fn the_operator_decides_over_the_user() {
    let machine = Machine::new()
        .system(
            "[enforced.audit.webhook]\nurl = 'https://operator.example/'\nsecret_env = 'OPS'\n\
             [enforced.audit.syslog]\naddress = ''",
        )
        .user(EVERY_KEY);
    let config = machine.load().expect("valid");
    let enforced = shown(&config, "audit.webhook.url");
    assert_eq!(enforced, "https://operator.example/ (enforced)");
    // The variable takes the place of the user's file.
    let secret = CredentialSource::Variable("OPS".to_owned());
    assert_eq!(config.audit.webhook.secret, Some(secret));
    assert_eq!(config.audit.syslog.address, None);
}

#[test]
fn what_does_not_fit_is_refused_and_secrets_are_not_repeated() {
    for (text, expected) in [
        (
            "[audit.syslog]\naddress = '/dev/log'",
            "expected `unix:///dev/log`",
        ),
        ("[audit.syslog]\nfacility = 'kern'", "audit.syslog.facility"),
        ("[audit.syslog]\napp_name = 'a b'", "audit.syslog.app_name"),
        ("[audit.syslog]\nmax_message = '1MiB'", "from 480B to 60KiB"),
        (
            "[audit.webhook]\nurl = 'collector.example'",
            "expected a URL",
        ),
        (
            "[audit.webhook]\nurl = 'https://u:S3CRET@collector.example'",
            "user name or password",
        ),
        (
            "[audit.webhook]\nsecret_env = 'whsec_S3CRET+'",
            "the name of an environment variable",
        ),
        (
            "[audit.webhook]\nsecret_env = 'A'\nsecret_file = '/b'",
            "either this or `audit.webhook.secret_file`",
        ),
        ("[audit.webhook]\nsecret_file = 'b'", "absolute path"),
        ("[audit.webhook]\ntimeout = '0s'", "more than nothing"),
        ("[audit.webhook]\nsecret = 'S3CRET'", "unknown key"),
        ("[search.embedding]\napi = 'cohere'", "search.embedding.api"),
    ] {
        let refusal = Machine::new().user(text).refusal();
        assert!(refusal.contains(expected), "{text}: {refusal}");
        assert!(!refusal.contains("S3CRET"), "{refusal}");
    }
}

#[test]
fn a_variable_that_holds_a_secret_is_one_that_is_read() {
    let machine = Machine::new()
        .user("[audit.webhook]\nsecret_env = 'TOOLHATCH_HOOK'")
        .variable("TOOLHATCH_HOOK", "x");
    assert_eq!(machine.load().expect("valid").warnings, [""; 0]);
}
