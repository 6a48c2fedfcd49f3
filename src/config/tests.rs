//! Layers over layers, in a folder of their own.

mod docker;
mod execution;
mod machine;
mod outward;
mod refusals;

use std::path::Path;

use machine::Machine;

use super::*;

/// The value of a key and where it came from, in one line.
fn shown(config: &Config, key: &str) -> String {
    let entries = config.entries();
    let entry = entries
        .iter()
        .find(|entry| entry.key == key)
        .expect("a known key");
    let origin = match &entry.origin {
        Origin::SystemDefaults(_) => "defaults".to_owned(),
        Origin::User(_) => "user".to_owned(),
        Origin::Project(_) => "project".to_owned(),
        Origin::Enforced(_) => "enforced".to_owned(),
        other => other.to_string(),
    };
    format!("{} ({origin})", entry.value)
}

#[test]
fn without_files_everything_is_built_in() {
    let machine = Machine::new();
    let config = machine.load().expect("valid");
    assert_eq!(config, Config::built_in(&machine.paths()));
    assert!(
        config
            .entries()
            .iter()
            .all(|entry| entry.origin == Origin::BuiltIn)
    );
    assert_eq!(shown(&config, "limits.timeout"), "30s (built in)");
    assert_eq!(shown(&config, "limits.memory"), "128MiB (built in)");
    assert_eq!(shown(&config, "limits.output"), "10MiB (built in)");
    assert_eq!(shown(&config, "permissions.yes"), "false (built in)");
    assert_eq!(
        config.cache_dir,
        machine.path("home/.local/share/toolhatch/cache")
    );
}

#[test]
fn every_layer_covers_the_one_below() {
    let mut machine = Machine::new();
    let steps: [(&dyn Fn(Machine) -> Machine, &str); 6] = [
        (
            &|m| m.system("[defaults.limits]\ntimeout = '70s'"),
            "1m10s (defaults)",
        ),
        (&|m| m.user("[limits]\ntimeout = '60s'"), "1m (user)"),
        (&|m| m.project("[limits]\ntimeout = '50s'"), "50s (project)"),
        (
            &|m| m.variable("TOOLHATCH_TIMEOUT", "80s"),
            "1m20s (TOOLHATCH_TIMEOUT)",
        ),
        (
            &|m| m.flag("--limit", "limits.timeout", "2m"),
            "2m (--limit)",
        ),
        (
            &|m| {
                m.system("[defaults.limits]\ntimeout = '70s'\n[enforced.ceiling]\ntimeout = '90s'")
            },
            "1m30s (--limit)",
        ),
    ];
    for (step, expected) in steps {
        machine = step(machine);
        assert_eq!(
            shown(&machine.load().expect("valid"), "limits.timeout"),
            expected
        );
    }
    let config = machine.load().expect("valid");
    assert_eq!(shown(&config, "ceiling.timeout"), "1m30s (enforced)");
    let request = LimitRequest {
        timeout: Some(Duration::from_secs(3600)),
        ..LimitRequest::default()
    };
    assert_eq!(config.call_limits(&request).timeout.as_secs(), 90);
}

#[test]
fn every_key_can_be_set_by_the_user() {
    let machine = Machine::new().user(
        "strict = true\n[calls]\nconcurrency = 3\ncompile_jobs = 2\n[permissions]\nallow_flag = false\n\
         deny = ['network_tcp', 'env']\n[cache]\ndir = '~/c'\nmax_size = '5MB'\n[plugins]\nenabled = false\n\
         search_paths = ['/p', '~/q']\n[log]\nlevel = 'debug'\n[output]\ncolor = 'never'\n[ceiling]\nhost_calls = 7",
    );
    let config = machine.load().expect("valid");
    let cache = machine.path("home/c").display().to_string();
    let search_paths = format!("/p, {}", machine.path("home/q").display());
    for (key, value) in [
        ("strict", "true"),
        ("calls.concurrency", "3"),
        ("calls.compile_jobs", "2"),
        ("permissions.allow_flag", "false"),
        ("permissions.deny", "env, network_tcp"),
        ("cache.dir", &cache),
        ("cache.max_size", "5MB"),
        ("plugins.enabled", "false"),
        ("plugins.search_paths", &search_paths),
        ("log.level", "debug"),
        ("output.color", "never"),
        ("ceiling.host_calls", "7"),
    ] {
        let found = shown(&config, key);
        // The order of denied permissions is that of the list of permissions.
        let found = found.replace("network_tcp, env", "env, network_tcp");
        assert_eq!(found, format!("{value} (user)"), "{key}");
    }
    assert_eq!(
        shown(&config, "limits.host_calls"),
        "7 (built in)",
        "nothing is above the ceiling"
    );
}

#[test]
fn every_variable_sets_its_key() {
    let values = [
        ("TOOLHATCH_CACHE_DIR", "/c", "/c"),
        ("TOOLHATCH_CACHE_MAX_SIZE", "1GiB", "1GiB"),
        ("TOOLHATCH_LOG", "trace", "trace"),
        ("TOOLHATCH_COLOR", "always", "always"),
        ("TOOLHATCH_STRICT", "1", "true"),
        ("TOOLHATCH_CONCURRENCY", "5", "5"),
        ("TOOLHATCH_COMPILE_JOBS", "6", "6"),
        ("TOOLHATCH_TIMEOUT", "7s", "7s"),
        ("TOOLHATCH_MEMORY", "8MiB", "8MiB"),
        ("TOOLHATCH_OUTPUT", "9kB", "9kB"),
        ("TOOLHATCH_PLUGIN_PATH", "/a:/b", "/a, /b"),
        ("TOOLHATCH_EXECUTION", "docker", "docker"),
        ("TOOLHATCH_DOCKER_CONTEXT", "", ""),
        ("TOOLHATCH_DOCKER_HOST", "tcp://h:1", "tcp://h:1"),
        ("TOOLHATCH_DOCKER_IMAGE", "a/b", "docker.io/a/b:latest"),
        ("TOOLHATCH_DOCKER_PULL_POLICY", "never", "never"),
        ("TOOLHATCH_DOCKER_TIMEOUT", "10s", "10s"),
        ("TOOLHATCH_DOCKER_CPUS", "1.5", "1.5"),
        ("TOOLHATCH_DOCKER_MEMORY", "11MiB", "11MiB"),
        ("TOOLHATCH_DOCKER_CONCURRENCY", "12", "12"),
    ];
    assert_eq!(
        values.map(|(name, ..)| name),
        env_vars::SETTINGS.map(|(name, _)| name)
    );
    let machine = values
        .into_iter()
        .fold(Machine::new(), |machine, (name, value, _)| {
            machine.variable(name, value)
        });
    let config = machine.load().expect("valid");
    for ((name, value, expected), (_, key)) in values.into_iter().zip(env_vars::SETTINGS) {
        // An empty variable is one that is not set; this one would give way to the host anyway.
        if !value.is_empty() {
            assert_eq!(shown(&config, key), format!("{expected} ({name})"));
        }
    }
    let relative = Machine::new().variable("TOOLHATCH_CACHE_DIR", "here");
    assert_eq!(
        relative.load().expect("valid").cache_dir,
        relative.path("home/project/here")
    );
}

#[test]
fn variables_and_flags_that_do_not_fit_are_refused_by_name() {
    for (machine, expected) in [
        (
            Machine::new().variable("TOOLHATCH_CONCURRENCY", "many"),
            "reading TOOLHATCH_CONCURRENCY: \"many\" is not a value of `calls.concurrency`",
        ),
        (
            Machine::new().variable("TOOLHATCH_CONCURRENCY", "0"),
            "TOOLHATCH_CONCURRENCY: calls.concurrency: expected an integer from 1 to 10000, found the number 0",
        ),
        (
            Machine::new().variable("TOOLHATCH_LOG", "loud"),
            "TOOLHATCH_LOG: log.level: expected \"off\" or \"error\" or \"warn\" or \"info\" or \"debug\" or \
             \"trace\", found \"loud\"",
        ),
        (
            Machine::new().flag("--color", "output.colour", "never"),
            "reading --color: there is no key `output.colour` in the configuration",
        ),
        (
            Machine::new().variable("TOOLHATCH_TIMEOUT", "0s"),
            "TOOLHATCH_TIMEOUT: limits.timeout: expected more than nothing: no call can be that short",
        ),
    ] {
        assert_eq!(machine.refusal(), expected);
    }
}

#[test]
fn a_variable_nobody_reads_is_told_and_an_empty_one_is_not_set() {
    let machine = Machine::new()
        .variable("TOOLHATCH_TIMOUT", "1s")
        .variable("TOOLHATCH_XYZZY", "1")
        .variable("TOOLHATCH_HOME", "/elsewhere")
        .variable("TOOLHATCH_LOG", "");
    let config = machine.load().expect("valid");
    assert_eq!(
        config.warnings,
        [
            "nothing reads the variable TOOLHATCH_TIMOUT; did you mean TOOLHATCH_TIMEOUT?",
            "nothing reads the variable TOOLHATCH_XYZZY",
        ]
    );
    assert_eq!(shown(&config, "log.level"), "warn (built in)");
}

#[test]
fn a_project_can_take_away() {
    let machine = Machine::new()
        .user("[permissions]\ndeny = ['env']\n[plugins]\nenabled = true")
        .project(
            "strict = true\n[limits]\nmemory = '1MiB'\n[ceiling]\ntimeout = '10s'\n[calls]\nconcurrency = 1\n\
             [permissions]\nallow_flag = false\ndeny = ['network_udp']\n[plugins]\nenabled = false",
        );
    let config = machine.load().expect("valid");
    for (key, expected) in [
        ("strict", "true (project)"),
        ("limits.memory", "1MiB (project)"),
        ("ceiling.timeout", "10s (project)"),
        ("limits.timeout", "10s (built in)"),
        ("calls.concurrency", "1 (project)"),
        ("permissions.allow_flag", "false (project)"),
        ("permissions.deny", "network_udp, env (project)"),
        ("plugins.enabled", "false (project)"),
    ] {
        assert_eq!(shown(&config, key), expected, "{key}");
    }
}

#[test]
fn a_project_that_gives_itself_something_is_refused_as_a_whole() {
    let user = "strict = true\n[limits]\ntimeout = '10s'\n[permissions]\nallow_flag = false\n[plugins]\nenabled = false";
    for (text, key) in [
        (
            "[limits]\ntimeout = '11s'",
            "2:11: limits.timeout: a project can only lower this",
        ),
        (
            "[limits]\nmemory = '1TiB'",
            "2:10: limits.memory: a project can only lower this",
        ),
        (
            "[ceiling]\nmemory = '1TiB'",
            "2:10: ceiling.memory: a project can only lower this",
        ),
        (
            "[calls]\nconcurrency = 1000",
            "2:15: calls.concurrency: a project can only lower this",
        ),
        (
            "strict = false",
            "1:10: strict: a project can only turn this on",
        ),
        (
            "[permissions]\nallow_flag = true",
            "2:14: permissions.allow_flag: a project can only lower this",
        ),
        (
            "[permissions]\nyes = true",
            "2:7: permissions.yes: only the operator can decide this",
        ),
        (
            "[plugins]\nenabled = true",
            "2:11: plugins.enabled: a project can only lower this",
        ),
        (
            "[plugins]\nsearch_paths = ['/p']",
            "2:16: plugins.search_paths: a project cannot set this",
        ),
        (
            "[cache]\ndir = '/tmp'",
            "2:7: cache.dir: a project cannot set this",
        ),
        (
            "[cache]\nmax_size = '1B'",
            "2:12: cache.max_size: a project cannot set this",
        ),
        (
            "[log]\nlevel = 'off'",
            "2:9: log.level: a project cannot set this",
        ),
        (
            "[output]\ncolor = 'never'",
            "2:9: output.color: a project cannot set this",
        ),
        (
            "[enforced]",
            "1:2: enforced: only etc/config.toml can have this table",
        ),
        (
            "[defaults.permissions]\nyes = true",
            "1:2: defaults: only etc/config.toml can have this table",
        ),
    ] {
        let refusal = Machine::new().user(user).project(text).refusal();
        let expected = format!("home/project/.toolhatch/config.toml:{key}");
        assert!(refusal.starts_with(&expected), "{refusal}\n{expected}");
    }
}

#[test]
fn what_is_enforced_holds_against_everybody() {
    let machine = Machine::new()
        .system(
            "[defaults.permissions]\ndeny = ['subprocess']\n[enforced]\nstrict = true\n[enforced.ceiling]\nmemory = '64MiB'\n\
             [enforced.calls]\nconcurrency = 8\n[enforced.permissions]\nallow_flag = false\nyes = true\ndeny = ['network_tcp']\n\
             [enforced.log]\nlevel = 'info'",
        )
        .user("strict = false\n[permissions]\nallow_flag = true\n[calls]\nconcurrency = 100\n[ceiling]\nmemory = '1GiB'")
        .variable("TOOLHATCH_STRICT", "false")
        .variable("TOOLHATCH_MEMORY", "1GiB")
        .flag("--log-level", "log.level", "trace");
    let config = machine.load().expect("valid");
    for (key, expected) in [
        ("strict", "true (enforced)"),
        ("ceiling.memory", "64MiB (enforced)"),
        ("limits.memory", "64MiB (TOOLHATCH_MEMORY)"),
        ("calls.concurrency", "8 (enforced)"),
        ("permissions.allow_flag", "false (enforced)"),
        ("permissions.yes", "true (enforced)"),
        ("permissions.deny", "network_tcp, subprocess (enforced)"),
        ("log.level", "info (enforced)"),
    ] {
        assert_eq!(shown(&config, key), expected, "{key}");
    }
    let lower = machine
        .user("[calls]\nconcurrency = 2")
        .load()
        .expect("valid");
    assert_eq!(
        shown(&lower, "calls.concurrency"),
        "2 (user)",
        "a cap does not raise"
    );
}

#[test]
fn the_tables_of_the_systems_file_are_not_mixed_up() {
    for (text, expected) in [
        (
            "[limits]\ntimeout = '1s'",
            "etc/config.toml:1:2: limits: the system's file has two tables",
        ),
        (
            "[enforced.limits]\ntimeout = '1s'",
            "etc/config.toml:2:11: enforced.limits.timeout: only the ceiling",
        ),
        (
            "[defaults.permissions]\nyes = true",
            "etc/config.toml:2:7: defaults.permissions.yes: only the operator",
        ),
    ] {
        let refusal = Machine::new().system(text).refusal();
        assert!(refusal.starts_with(expected), "{refusal}");
    }
}

#[test]
fn the_schema_and_the_entries_name_the_same_keys() {
    let schema = config_schema();
    jsonschema::meta::validate(&schema).expect("a valid schema");
    let mut keys = read::keys(&schema);
    let mut shown: Vec<String> = Config::built_in(&Machine::new().paths())
        .entries()
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    keys.sort();
    shown.sort();
    assert_eq!(keys, shown);
    let layer = schema
        .pointer("/properties/enforced/properties")
        .expect("described");
    assert!(layer.get("ceiling").is_some());
    assert!(
        env_vars::SETTINGS
            .iter()
            .all(|(_, key)| keys.iter().any(|known| known == key))
    );
}

#[test]
fn the_operators_file_cannot_be_moved() {
    let environment = [
        ("HOME", "/h"),
        ("TOOLHATCH_SYSTEM_CONFIG", "/tmp/x"),
        ("TOOLHATCH_HOME", "/t"),
    ];
    let paths = Paths::new(&environment.into_iter().collect(), Path::new("/")).expect("enough");
    assert_eq!(paths.system_config, Path::new("/etc/toolhatch/config.toml"));
}
