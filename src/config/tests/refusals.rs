//! Files that are there and cannot be used.

use super::machine::Machine;
use crate::config::{Config, Environment, Paths};
use crate::error::Code;

#[test]
fn a_file_that_is_there_is_never_passed_over() {
    let user = "home/.config/toolhatch/config.toml";
    for (text, expected) in [
        (&b"[limits"[..], "1:8: not valid TOML"),
        (
            b"[limts]",
            "1:2: limts: unknown key; did you mean `limits`?",
        ),
        (
            b"[limits]\ntimeot = '1s'",
            "2:1: limits.timeot: unknown key; did you mean `timeout`?",
        ),
        (
            b"timeout = '1s'",
            "1:1: timeout: unknown key; did you mean `limits.timeout`?",
        ),
        (
            b"[limits]\nmemory = 5",
            "2:10: limits.memory: expected a string such as \"128MiB\", found the number 5",
        ),
        (
            b"[limits]\nmemory = '0B'",
            "2:10: limits.memory: expected more than nothing",
        ),
        (
            b"[permissions]\ndeny = ['envy']",
            "2:9: permissions.deny[0]: `envy` is not a valid permission: did you mean `env`?",
        ),
        (
            b"[cache]\ndir = 'relative'",
            "2:7: cache.dir: expected an absolute path or one that begins with `~/`",
        ),
        (b"[log]\nlevel = 'wran'", "did you mean \"warn\"?"),
        (b"x = '\xff'", "byte 5 is not UTF-8"),
        (&vec![b'#'; MAX_BYTES_AND_ONE], "larger than 1048576 bytes"),
    ] {
        let machine = Machine::new();
        crate::fsx::write_atomic(&machine.path(user), text, 0o600).expect("written");
        let refusal = machine.refusal();
        assert!(refusal.contains(user), "{refusal}");
        assert!(refusal.contains(expected), "{refusal}");
    }
}

const MAX_BYTES_AND_ONE: usize = crate::manifest::document::MAX_BYTES + 1;

#[test]
fn something_else_in_the_place_of_a_file_is_refused() {
    let folder = Machine::new();
    std::fs::create_dir(folder.path("etc/config.toml")).expect("created");
    assert!(
        folder.refusal().contains("not a regular file"),
        "{}",
        folder.refusal()
    );

    let dangling = Machine::new();
    std::os::unix::fs::symlink("/nowhere/at/all", dangling.path("etc/config.toml"))
        .expect("linked");
    assert!(
        dangling.refusal().contains("there is no such file"),
        "{}",
        dangling.refusal()
    );

    let not_a_folder = Machine::new().file("home/plain", "");
    let paths = Paths {
        user_config: Some(not_a_folder.path("home/plain/config.toml")),
        ..not_a_folder.paths()
    };
    let error = Config::load(&paths, &Environment::default(), &[]).expect_err("refused");
    assert_eq!(error.code(), Code::E3004);
}
