//! What a container may use.

use proptest::prelude::*;

use super::Machine;
use super::shown;
use crate::config::{Amount, Config, ContainerRequest, ContainerResources, DockerConfig};

fn given_for(config: &DockerConfig, request: &ContainerRequest) -> ContainerResources {
    request.over(&config.resources).within(&config.ceiling)
}

#[test]
fn every_layer_covers_the_one_below_and_the_ceiling_covers_them_all() {
    let every = "cpu_shares = 2048\ncpus = 2.5\nmemory = '2GiB'\nmemory_swap = '3GiB'\npids = 200\ndisk = '1GiB'\n\
        tmpfs = '1MiB'\nshm = '2MiB'\nnofile = 100";
    let ceiling = "cpu_shares = 512\ncpus = 0.5\nmemory = '1GiB'\npids = 50\ndisk = '1MiB'\ntmpfs = '4kB'\n\
        shm = '5kB'\nnofile = 20";
    let user = Machine::new().user(&format!("[docker.resources]\n{every}"));
    let config = user.load().expect("valid");
    for line in every.lines() {
        let (key, value) = line.split_once(" = ").expect("a line");
        let value = value.trim_matches('\'');
        let found = shown(&config, &format!("docker.resources.{key}"));
        assert_eq!(found, format!("{value} (user)"), "{key}");
    }
    let enforced = user.system(&format!("[enforced.docker.ceiling]\n{ceiling}"));
    let config = enforced.load().expect("valid");
    for line in ceiling.lines() {
        let (key, value) = line.split_once(" = ").expect("a line");
        let value = value.trim_matches('\'');
        let found = shown(&config, &format!("docker.resources.{key}"));
        assert_eq!(found, format!("{value} (user)"), "{key}");
        let found = shown(&config, &format!("docker.ceiling.{key}"));
        assert_eq!(found, format!("{value} (enforced)"), "{key}");
    }
    // Memory and swap together stay within the memory of the ceiling.
    let swap = shown(&config, "docker.resources.memory_swap");
    assert_eq!(swap, "1GiB (user)");
    // A ceiling of the operator does not raise one that is lower.
    let lower = enforced.user("docker.ceiling.pids = 10");
    let config = lower.load().expect("valid");
    assert_eq!(shown(&config, "docker.ceiling.pids"), "10 (user)");
}

#[test]
fn a_project_only_lowers() {
    for line in [
        "cpu_shares = 2",
        "cpus = 0.01",
        "memory = '6MiB'",
        "pids = 1",
        "disk = '1B'",
        "tmpfs = '1B'",
        "shm = '1B'",
        "nofile = 16",
    ] {
        for table in ["resources", "ceiling"] {
            let config = Machine::new()
                .project(&format!("[docker.{table}]\n{line}"))
                .load()
                .expect("valid");
            let (key, value) = line.split_once(" = ").expect("a line");
            let value = value.trim_matches('\'');
            let found = shown(&config, &format!("docker.{table}.{key}"));
            assert_eq!(found, format!("{value} (project)"));
        }
    }
    let user = "[docker.resources]\ndisk = '1GiB'\n[docker.ceiling]\ncpu_shares = 100\ncpus = 1\ndisk = '2GiB'";
    for (table, line) in [
        // No limit is more than any.
        ("resources", "cpu_shares = 0"),
        ("resources", "cpu_shares = 1025"),
        ("resources", "cpus = 0"),
        ("resources", "cpus = 1.1"),
        ("resources", "memory = '513MiB'"),
        ("resources", "memory_swap = '513MiB'"),
        ("resources", "memory = '256MiB'\nmemory_swap = '512MiB'"),
        ("resources", "pids = 129"),
        ("resources", "disk = 'none'"),
        ("resources", "tmpfs = '65MiB'"),
        ("resources", "shm = '65MiB'"),
        ("resources", "nofile = 1025"),
        ("ceiling", "cpu_shares = 0"),
        ("ceiling", "cpus = 0"),
        ("ceiling", "memory = '5GiB'"),
        ("ceiling", "pids = 5000"),
        ("ceiling", "disk = 'none'"),
        ("ceiling", "tmpfs = '5GiB'"),
        ("ceiling", "shm = '5GiB'"),
        ("ceiling", "nofile = 70000"),
    ] {
        let refusal = Machine::new()
            .user(user)
            .project(&format!("[docker.{table}]\n{line}"))
            .refusal();
        assert!(
            refusal.contains("a project can only lower this"),
            "{line}: {refusal}"
        );
    }
}

#[test]
fn swap_belongs_to_the_memory_it_was_written_for() {
    let swap = |config: &Config| shown(config, "docker.resources.memory_swap");
    let user = Machine::new().user("[docker.resources]\nmemory = '1GiB'\nmemory_swap = '2GiB'");
    let config = user.load().expect("valid");
    assert_eq!(config.docker.resources.memory_swap, Some(2 << 30));
    let config = user
        .project("docker.resources.memory = '512MiB'")
        .load()
        .expect("valid");
    assert_eq!(swap(&config), "512MiB (project)");
    assert_eq!(config.docker.resources.memory_swap, None);

    for none in ["0B", "1GiB"] {
        let config = Machine::new()
            .user(&format!(
                "[docker.resources]\nmemory = '1GiB'\nmemory_swap = '{none}'"
            ))
            .load()
            .expect("valid");
        assert_eq!(config.docker.resources.memory_swap, None, "{none}");
        assert_eq!(swap(&config), "1GiB (user)");
    }
    let refusal = Machine::new()
        .user("[docker.resources]\nmemory_swap = '256MiB'")
        .refusal();
    let expected = "docker.resources.memory_swap: expected no less than `memory`, which is 512MiB";
    assert!(refusal.contains(expected), "{refusal}");
}

#[test]
fn a_request_replaces_what_is_given_and_stops_at_the_ceiling() {
    let docker = Machine::new()
        .user(
            "[docker.resources]\nmemory = '1GiB'\nmemory_swap = '2GiB'\n[docker.ceiling]\ncpus = 2",
        )
        .load()
        .expect("valid")
        .docker;
    let given = given_for(&docker, &ContainerRequest::default());
    assert_eq!(given, docker.resources);
    let asked = given_for(
        &docker,
        &ContainerRequest {
            nano_cpus: Some(Amount::NoLimit),
            memory: Some(100 << 30),
            pids: Some(7),
            ..ContainerRequest::default()
        },
    );
    assert_eq!(asked.nano_cpus, Amount::Of(2_000_000_000));
    assert_eq!((asked.memory, asked.memory_swap), (4 << 30, None));
    assert_eq!(asked.pids, 7);
    assert_eq!(asked.shm, docker.resources.shm);
    let small = given_for(
        &docker,
        &ContainerRequest {
            memory: Some(8 << 20),
            ..ContainerRequest::default()
        },
    );
    assert_eq!(small.memory_and_swap(), 8 << 20, "no swap was asked for");
}

#[test]
fn what_does_not_fit_is_refused() {
    for (line, expected) in [
        ("cpu_shares = 1", "expected 0, or an integer from 2"),
        ("cpu_shares = 262145", "from 0 to 262144"),
        ("cpus = 0.001", "expected 0, or at least 0.01"),
        ("cpus = -1", "a number from 0"),
        ("cpus = nan", "a number from 0"),
        ("cpus = '2'", "a number from 0"),
        ("memory = '5MiB'", "expected at least 6MiB"),
        ("memory = 512", "expected a string such as"),
        ("pids = 0", "from 1"),
        ("disk = '0B'", "more than nothing"),
        ("disk = 'all'", "expected a size"),
        ("nofile = 3", "from 16"),
    ] {
        for table in ["resources", "ceiling"] {
            let refusal = Machine::new()
                .user(&format!("[docker.{table}]\n{line}"))
                .refusal();
            assert!(refusal.contains(expected), "{line}: {refusal}");
        }
    }
    let ceiling = Machine::new().user("docker.ceiling.memory_swap = '1GiB'");
    assert!(ceiling.refusal().contains("unknown key"));
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![Just(Amount::NoLimit), (1_u64..1000).prop_map(Amount::Of)]
}

fn resources() -> impl Strategy<Value = ContainerResources> {
    (
        (amount(), amount(), amount()),
        (1_u64..1000, proptest::option::of(1_u64..1000)),
        proptest::array::uniform4(1_u64..1000),
    )
        .prop_map(
            |((cpu_shares, nano_cpus, disk), (memory, swap), [pids, tmpfs, shm, nofile])| {
                ContainerResources {
                    cpu_shares,
                    nano_cpus,
                    memory,
                    memory_swap: swap.map(|swap| memory + swap),
                    pids,
                    disk,
                    tmpfs,
                    shm,
                    nofile,
                }
            },
        )
}

proptest! {
    #[test]
    fn nothing_is_above_the_ceiling(one in resources(), mut ceiling in resources()) {
        ceiling.memory_swap = None;
        let within = one.within(&ceiling);
        prop_assert!(within.cpu_shares <= ceiling.cpu_shares.min(one.cpu_shares));
        prop_assert!(within.nano_cpus <= ceiling.nano_cpus.min(one.nano_cpus));
        prop_assert!(within.disk <= ceiling.disk.min(one.disk));
        prop_assert!(within.memory <= ceiling.memory.min(one.memory));
        prop_assert!(within.memory_and_swap() <= ceiling.memory.min(one.memory_and_swap()));
        prop_assert!(within.memory_swap.is_none_or(|total| total > within.memory));
        for (given, most) in [
            (within.pids, ceiling.pids),
            (within.tmpfs, ceiling.tmpfs),
            (within.shm, ceiling.shm),
            (within.nofile, ceiling.nofile),
        ] {
            prop_assert!(given <= most);
        }
        prop_assert_eq!(within.within(&ceiling), within);
    }
}
