//! The containers that commands run in.

mod daemon;
mod images;
mod resources;

use std::path::Path;

use super::machine::Machine;
use super::shown;
use crate::manifest::container::Network;

#[test]
fn without_files_a_container_gets_little() {
    let config = Machine::new().load().expect("valid");
    for (key, value) in [
        ("docker.host", ""),
        ("docker.image", "docker.io/library/debian:stable-slim"),
        ("docker.image_pull_policy", "if-not-present"),
        ("docker.pull_timeout", "10m"),
        ("docker.allowed_images", "everything"),
        ("docker.require_digest", "false"),
        ("docker.resources.cpu_shares", "1024"),
        ("docker.resources.cpus", "1"),
        ("docker.resources.memory", "512MiB"),
        ("docker.resources.memory_swap", "512MiB"),
        ("docker.resources.pids", "128"),
        ("docker.resources.disk", "none"),
        ("docker.resources.tmpfs", "64MiB"),
        ("docker.resources.shm", "64MiB"),
        ("docker.resources.nofile", "1024"),
        ("docker.ceiling.cpus", "0"),
        ("docker.ceiling.memory", "4GiB"),
        ("docker.timeout", "5m"),
        ("docker.grace", "2s"),
        ("docker.network_mode", "none"),
        ("docker.allow_bridge", "true"),
        ("docker.allow_host_network", "false"),
        ("docker.volumes", ""),
        ("docker.volume_roots", "everything"),
        ("docker.retry.attempts", "3"),
        ("docker.retry.base_delay", "200ms"),
        ("docker.runtime", ""),
        ("docker.seccomp", ""),
        ("docker.allow_root", "false"),
        ("docker.pool.size", "2"),
        ("docker.pool.idle", "5m"),
        ("docker.concurrency", "8"),
    ] {
        assert_eq!(shown(&config, key), format!("{value} (built in)"), "{key}");
    }
    let hook = Path::new(".git/hooks/pre-commit");
    assert!(config.docker.protected_paths.covering(hook).is_some());
}

/// What a user may set and a project may not, one key a line.
const OWN: &str = "host = 'ssh://me@build.example'\ncontext = 'remote'\ntls_ca = '~/ca.pem'\n\
    tls_cert = '/c.pem'\ntls_key = '/k.pem'\nimage = 'golang:1.24'\nimage_pull_policy = 'never'\n\
    volumes = [{ host_path = '.', container_path = '/workspace' }]\nretry.base_delay = '1s'\nruntime = 'runsc'\n\
    seccomp = '/etc/seccomp.json'\nallow_root = true";

#[test]
fn a_user_can_set_every_key() {
    let without_context = OWN.replace("context = 'remote'\n", "");
    let machine = Machine::new().user(&format!(
        "[docker]\n{without_context}\npull_timeout = '1m'\nallowed_images = ['docker.io/**']\nrequire_digest = true\n\
         timeout = '1m'\ngrace = '0s'\nnetwork_mode = 'allow-list'\nallow_bridge = false\nvolume_roots = ['/src', '~/src']\n\
         retry.attempts = 1\nprotected_paths = ['.circleci/**']\npool.size = 0\npool.idle = '10s'\nconcurrency = 100"
    ));
    let config = machine.load().expect("valid");
    let ca = machine.path("home/ca.pem").display().to_string();
    let mount = format!("{}:/workspace:ro", machine.path("home/project").display());
    let roots = format!("/src, {}", machine.path("home/src").display());
    for (key, value) in [
        ("docker.host", "ssh://me@build.example"),
        ("docker.tls_ca", &*ca),
        ("docker.tls_cert", "/c.pem"),
        ("docker.tls_key", "/k.pem"),
        ("docker.image", "docker.io/library/golang:1.24"),
        ("docker.image_pull_policy", "never"),
        ("docker.pull_timeout", "1m"),
        ("docker.allowed_images", "docker.io/**"),
        ("docker.require_digest", "true"),
        ("docker.timeout", "1m"),
        ("docker.grace", "0s"),
        ("docker.network_mode", "allow-list"),
        ("docker.allow_bridge", "false"),
        ("docker.volumes", &mount),
        ("docker.volume_roots", &roots),
        ("docker.retry.attempts", "1"),
        ("docker.retry.base_delay", "1s"),
        ("docker.runtime", "runsc"),
        ("docker.seccomp", "/etc/seccomp.json"),
        ("docker.allow_root", "true"),
        ("docker.pool.size", "0"),
        ("docker.pool.idle", "10s"),
        ("docker.concurrency", "100"),
    ] {
        assert_eq!(shown(&config, key), format!("{value} (user)"), "{key}");
    }
    let protected = shown(&config, "docker.protected_paths");
    assert!(protected.contains(".circleci/**"), "{protected}");
    assert!(protected.contains(".git/hooks/**"), "it adds: {protected}");
}

#[test]
fn a_project_can_take_away() {
    let config = Machine::new()
        .user("[docker]\nnetwork_mode = 'bridge'\nvolume_roots = ['/']")
        .project(
            "[docker]\npull_timeout = '1m'\nrequire_digest = true\ntimeout = '1m'\ngrace = '1s'\n\
             network_mode = 'allow-list'\nallow_bridge = false\nretry.attempts = 1\npool.size = 1\npool.idle = '1m'\n\
             concurrency = 2\nprotected_paths = ['Jenkinsfile']\nallowed_images = []\nvolume_roots = ['/srv']",
        )
        .load()
        .expect("valid");
    for (key, value) in [
        ("docker.pull_timeout", "1m"),
        ("docker.require_digest", "true"),
        ("docker.timeout", "1m"),
        ("docker.grace", "1s"),
        ("docker.network_mode", "allow-list"),
        ("docker.allow_bridge", "false"),
        ("docker.allowed_images", "nothing"),
        ("docker.volume_roots", "(/) and (/srv)"),
        ("docker.retry.attempts", "1"),
        ("docker.pool.size", "1"),
        ("docker.pool.idle", "1m"),
        ("docker.concurrency", "2"),
    ] {
        assert_eq!(shown(&config, key), format!("{value} (project)"), "{key}");
    }
    let jenkins = Path::new("Jenkinsfile");
    assert!(config.docker.protected_paths.covering(jenkins).is_some());
}

#[test]
fn a_project_that_gives_itself_something_is_refused() {
    let user = "[docker]\nrequire_digest = true\nallow_bridge = false\npool.size = 0";
    let mut refused = 0;
    let own = OWN.lines().map(|line| (line, "cannot set this"));
    let more = [
        ("pull_timeout = '1h'", "only lower"),
        ("require_digest = false", "only turn this on"),
        ("timeout = '1h'", "only lower"),
        ("grace = '3s'", "only lower"),
        ("network_mode = 'allow-list'", "only lower"),
        ("allow_bridge = true", "only lower"),
        ("allow_host_network = false", "only the operator"),
        ("retry.attempts = 4", "only lower"),
        ("pool.size = 1", "only lower"),
        ("pool.idle = '1h'", "only lower"),
        ("concurrency = 9", "only lower"),
    ];
    for (line, expected) in own.chain(more) {
        // A certificate without its key would be refused for that.
        let line = match line.split_once(" = ") {
            Some(("tls_cert" | "tls_key", _)) => "tls_cert = '/c.pem'\ntls_key = '/k.pem'",
            _ => line,
        };
        let refusal = Machine::new()
            .user(user)
            .project(&format!("[docker]\n{line}"))
            .refusal();
        assert!(refusal.contains(expected), "{line}: {refusal}");
        refused += 1;
    }
    assert_eq!(refused, 23);
}

#[test]
fn the_operator_caps_what_may_be_had_and_not_what_is_asked_for() {
    let machine = Machine::new()
        .system(
            "[enforced.docker]\nconcurrency = 4\ngrace = '1s'\npool.size = 9\npool.idle = '1m'\nretry.attempts = 2\n\
             runtime = 'runsc'\nseccomp = ''\nallow_root = false\nrequire_digest = true\nallow_bridge = false\n\
             image_pull_policy = 'always'\nprotected_paths = ['ops/**']\npull_timeout = '1m'\n\
             [enforced.ceiling]\ntimeout = '20s'",
        )
        .user(&format!(
            "[docker]\n{}\nconcurrency = 100\npool.size = 1",
            OWN.replace("context = 'remote'\n", "")
        ));
    let config = machine.load().expect("valid");
    for (key, expected) in [
        ("docker.concurrency", "4 (enforced)"),
        ("docker.grace", "1s (enforced)"),
        ("docker.pool.size", "1 (user)"),
        ("docker.pool.idle", "1m (enforced)"),
        ("docker.retry.attempts", "2 (enforced)"),
        ("docker.runtime", "runsc (enforced)"),
        ("docker.seccomp", " (enforced)"),
        ("docker.allow_root", "false (enforced)"),
        ("docker.require_digest", "true (enforced)"),
        ("docker.allow_bridge", "false (enforced)"),
        ("docker.image_pull_policy", "always (enforced)"),
        ("docker.pull_timeout", "1m (enforced)"),
        // Nothing takes longer than a call may.
        ("docker.timeout", "20s (built in)"),
    ] {
        assert_eq!(shown(&config, key), expected, "{key}");
    }
    for (text, expected) in [
        (
            "[enforced.docker]\ntimeout = '1s'",
            "enforced.docker.timeout: only the ceiling can be enforced",
        ),
        (
            "[enforced.docker]\nnetwork_mode = 'none'",
            "enforced.docker.network_mode: this is what a command gets that names no network",
        ),
        (
            "[enforced.docker.resources]\nmemory = '1GiB'",
            "enforced.docker.resources.memory: only the ceiling can be enforced",
        ),
    ] {
        let refusal = Machine::new().system(text).refusal();
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn a_network_that_may_not_be_had_is_none() {
    for (system, user, expected) in [
        ("", "bridge", Network::Bridge),
        ("allow_bridge = false", "bridge", Network::None),
        ("", "host", Network::None),
        ("allow_host_network = true", "host", Network::Host),
        ("allow_bridge = false", "allow-list", Network::AllowList),
    ] {
        let config = Machine::new()
            .system(&format!("[enforced.docker]\n{system}"))
            .user(&format!("docker.network_mode = '{user}'"))
            .load()
            .expect("valid");
        assert_eq!(config.docker.network_mode, expected, "{system} {user}");
        let is_narrowed = expected.word() != user;
        assert_eq!(
            config.warnings.len(),
            usize::from(is_narrowed),
            "{:?}",
            config.warnings
        );
    }
    for machine in [
        Machine::new().user("docker.allow_host_network = true"),
        Machine::new().project("docker.allow_host_network = false"),
    ] {
        let refusal = machine.refusal();
        assert!(refusal.contains("only the operator"), "{refusal}");
    }
}

#[test]
fn volumes_are_places_and_appear_in_places() {
    let machine = Machine::new().user(
        "[[docker.volumes]]\nhost_path = './sub//x'\ncontainer_path = '//a/./b/'\nread_only = false\n\
         [[docker.volumes]]\nhost_path = '~/data'\ncontainer_path = '/data'",
    );
    let config = machine.load().expect("valid");
    let expected = format!(
        "{}:/a/b:rw, {}:/data:ro (user)",
        machine.path("home/project/sub//x").display(),
        machine.path("home/data").display()
    );
    assert_eq!(shown(&config, "docker.volumes"), expected);

    for (host, container, expected) in [
        ("src", "/a", "[0].host_path: expected an absolute path"),
        ("../src", "/a", "[0].host_path: a path with `..`"),
        ("/src/../etc", "/a", "[0].host_path: a path with `..`"),
        (".", "a", "[0].container_path: expected an absolute path"),
        (".", "/", "[0].container_path: expected an absolute path"),
        (".", "/.", "[0].container_path: expected an absolute path"),
        (".", "/a/../etc", "[0].container_path: expected an absolute"),
        (".", "/proc/self", "not below `/proc`"),
        (".", "//dev", "not below `/proc`"),
    ] {
        let text =
            format!("[[docker.volumes]]\nhost_path = '{host}'\ncontainer_path = '{container}'");
        let refusal = Machine::new().user(&text).refusal();
        assert!(refusal.contains(expected), "{host} {container}: {refusal}");
    }
    let twice = "[docker]\nvolumes = [{ host_path = '/a', container_path = '/x' }, \
                 { host_path = '/b', container_path = '/x/' }]";
    let refusal = Machine::new().user(twice).refusal();
    assert!(
        refusal.contains("docker.volumes[1].container_path: another volume"),
        "{refusal}"
    );
    let short = "[[docker.volumes]]\nhost_path = '/a'";
    let refusal = Machine::new().user(short).refusal();
    assert!(
        refusal.contains("needs the key `container_path`"),
        "{refusal}"
    );
}

#[test]
fn a_mount_lies_below_a_root_of_every_list() {
    let machine = Machine::new();
    for name in ["home/src/app", "home/other"] {
        std::fs::create_dir_all(machine.path(name)).expect("created");
    }
    std::os::unix::fs::symlink(machine.path("home/src"), machine.path("home/link"))
        .expect("linked");
    let src = machine.path("home/link").display().to_string();
    let machine = machine
        .user("docker.volume_roots = ['~/link', '~/gone']")
        .system(&format!("[enforced.docker]\nvolume_roots = ['{src}', '/']"));
    let docker = machine.load().expect("valid").docker;
    for (name, allowed) in [
        ("home/src", true),
        ("home/src/app", true),
        ("home/other", false),
        ("home/gone/x", false),
        ("home", false),
    ] {
        let path = machine.path(name);
        let found = docker.volume_roots.admits(|root| {
            let root = root.canonicalize();
            root.is_ok_and(|root| path.starts_with(root))
        });
        assert_eq!(found, allowed, "{name}");
    }
    let open = Machine::new().load().expect("valid").docker;
    assert!(open.volume_roots.admits(|_| false));
}

#[test]
fn keys_of_other_tools_name_the_one_that_is_meant() {
    for (text, meant) in [
        ("[docker]\nimage_name = 'x'", "`image`"),
        ("[docker]\nnetwork = 'none'", "`network_mode`"),
        ("[docker]\ntimeout_seconds = 300", "`timeout`"),
        ("[docker]\nresource_limits = {}", "`resources`"),
        ("[docker]\nretry_policy = {}", "`retry`"),
        ("[docker.resources]\nmemory_mb = 512", "`memory`"),
        ("[docker.resources]\nmemory_swap_mb = 1", "`memory_swap`"),
        ("[docker.resources]\npids_limit = 1", "`pids`"),
        ("[docker.resources]\ndisk_quota_gb = 1", "`disk`"),
        (
            "[docker.resources]\ntimeout_seconds = 300",
            "`docker.timeout`",
        ),
    ] {
        let refusal = Machine::new().user(text).refusal();
        let expected = format!("did you mean {meant}?");
        assert!(refusal.contains(&expected), "{text}: {refusal}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (line, expected) in [
        ("concurrency = 0", "from 1 to 1000"),
        ("retry.attempts = 11", "from 1 to 10"),
        ("retry.base_delay = '0s'", "more than nothing"),
        ("grace = '1'", "expected a length of time"),
        ("network_mode = 'allowlist'", "did you mean \"allow-list\"?"),
        ("runtime = '-x'", "the name of a runtime"),
        ("seccomp = 'unconfined'", "absolute path"),
        ("protected_paths = ['/etc']", "docker.protected_paths[0]"),
        ("protected_paths = ['a/../b']", "a glob relative to"),
        ("volume_roots = ['src']", "docker.volume_roots[0]"),
        ("pool.size = 65", "from 0 to 64"),
    ] {
        let refusal = Machine::new().user(&format!("[docker]\n{line}")).refusal();
        assert!(refusal.contains(expected), "{line}: {refusal}");
    }
}
