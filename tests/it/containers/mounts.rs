//! What of this machine a container sees, and what it never does.

use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;

use super::{exec, machine};
use crate::support::docker::Docker;
use crate::support::env::TestEnv;

fn sees(docker: &Docker, env: &TestEnv, mount: &str, script: &str) -> String {
    let output = exec(docker, env, &["--mount", mount, "--", "sh", "-c", script]).output();
    format!("{}{}", output.stdout, output.stderr)
}

#[test]
fn what_is_sensitive_is_covered() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    env.write(".git/hooks/pre-commit", b"hook");
    env.write(".git/config", b"config");
    env.write(".ssh/id", b"secret");
    env.write("deep/down/.aws/credentials", b"secret");
    env.write(".netrc", b"secret");
    env.write("plain.txt", b"plain");
    for path in ["", ".git", ".git/hooks", ".git/config"] {
        chown(env.path(path), Some(1000), Some(1000)).expect("root");
    }
    let script =
        "cat plain.txt .netrc .ssh/id deep/down/.aws/credentials; ls .ssh deep/down/.aws | wc -l";
    let seen = sees(docker, &env, ".", script);
    assert!(seen.contains("plain") && !seen.contains("secret"), "{seen}");
    let script = "cat .git/config; echo x > .git/hooks/pre-commit; echo x > .git/hooks/new; echo x > .git/config; \
                  mv .git/hooks .git/h; rm -rf .git/hooks; echo x > made; ls";
    let seen = sees(docker, &env, ".:rw", script);
    assert!(seen.contains("config") && seen.contains("made"), "{seen}");
    let read = |path: &str| std::fs::read_to_string(env.path(path)).expect("there");
    assert_eq!(read(".git/hooks/pre-commit"), "hook", "{seen}");
    assert_eq!(read(".git/config"), "config", "{seen}");
    assert!(!env.path(".git/hooks/new").exists(), "{seen}");
    // Whoever names it means it.
    assert_eq!(sees(docker, &env, ".ssh:/keys", "cat /keys/id"), "secret");
}

#[test]
fn what_is_configured_is_mounted_where_nothing_else_is() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    env.write("data/file", b"text");
    docker.configure(
        &env,
        "volumes = [{ host_path = \"./data\", container_path = \"/workspace\" }]\n",
    );
    let output = exec(docker, &env, &["--", "sh", "-c", "cat file; touch new"]).output();
    assert_eq!(output.stdout, "text", "{output}");
    assert!(output.stderr.contains("Read-only"), "{output}");
    assert_eq!(sees(docker, &env, ".", "ls").trim(), "data");
    docker.configure(&env, "\n[execution]\nstrategy = \"direct\"\n");
    exec(docker, &env, &["--", "true"]).fails_with(4, "E3405");
}

#[test]
fn a_socket_is_no_way_out() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    // Under another name, so that no name is what protects.
    let folder = tempfile::Builder::new()
        .prefix("th")
        .tempdir_in("/tmp")
        .expect("a folder");
    let _socket = UnixListener::bind(folder.path().join("innocent")).expect("bound");
    std::fs::hard_link(docker.socket(), folder.path().join("harmless")).ok();
    let mount = format!("{}:/s", folder.path().display());
    for name in ["innocent", "harmless"] {
        let seen = sees(docker, &env, &mount, &format!("hostile unix /s/{name}"));
        assert!(!seen.contains("connect ok"), "{seen}");
    }
    let itself = format!("{}:/s", docker.socket().display());
    exec(docker, &env, &["--mount", &itself, "--", "true"]).fails_with(2, "E3004");
}

#[test]
fn mounts_are_no_attack() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    env.write("folder/file", b"text");
    symlink("/etc", env.path("link")).expect("made");
    // A link is resolved before it is granted: what it leads to is what is named in the record.
    let output = exec(
        docker,
        &env,
        &["--json", "--mount", "link:/x", "--", "true"],
    )
    .ok();
    drop(output);
    for (mount, code, exit) in [
        ("nowhere", "E3101", 4),
        (":/x", "E3004", 2),
        ("folder:/proc", "E3004", 2),
        ("folder:/", "E3004", 2),
        ("folder:/a/../b", "E3004", 2),
        ("folder:/.toolhatch", "E3004", 2),
        ("folder:relative", "E3004", 2),
        ("folder:/x:rw:suid", "E3004", 2),
        ("/proc:/x", "E3210", 3),
        ("/dev:/x", "E3210", 3),
    ] {
        let output = exec(docker, &env, &["--mount", mount, "--json", "--", "true"]).output();
        let found = (output.json()["error"]["code"].to_string(), output.code);
        assert_eq!(
            found,
            (format!("\"{code}\""), Some(exit)),
            "{mount}: {output}"
        );
    }
    docker.configure(
        &env,
        &format!("volume_roots = [\"{}\"]\n", env.path("folder").display()),
    );
    exec(docker, &env, &["--mount", "folder:/x", "--", "true"]).ok();
    exec(docker, &env, &["--mount", ".:/x", "--", "true"]).fails_with(3, "E3210");
    // Toolhatch's own state is never in a container.
    docker.configure(&env, "");
    let home = env.toolhatch_home();
    let above = home.parent().expect("a folder").to_path_buf();
    let mount = format!("{}:/x", above.display());
    assert_eq!(
        sees(
            docker,
            &env,
            &mount,
            "ls /x/toolhatch 2>&1 | grep -v denied | wc -l"
        )
        .trim(),
        "0"
    );
    let mount = format!("{}:/x:rw", above.display());
    exec(docker, &env, &["--mount", &mount, "--", "true"]).fails_with(3, "E3210");
}

#[test]
fn a_folder_that_is_replaced_meanwhile_is_not_mounted() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    std::fs::create_dir_all(env.path("real")).expect("made");
    std::fs::create_dir_all(env.path("other")).expect("made");
    env.write("other/secret", b"secret");
    let (here, aside) = (env.path("real"), env.path("aside"));
    let other = env.path("other");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let stop = std::sync::Arc::clone(&stop);
        move || {
            // Now it is the folder that was granted, now a link to another one.
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                std::fs::rename(&here, &aside).ok();
                symlink(&other, &here).ok();
                std::thread::sleep(std::time::Duration::from_micros(300));
                std::fs::remove_file(&here).ok();
                std::fs::rename(&aside, &here).ok();
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        }
    });
    for _ in 0..15 {
        let seen = sees(docker, &env, "real:/x", "cat /x/secret");
        // Granting the link itself while it is one names the other folder; that is what a person typed then.
        let was_named = seen.contains("secret") && !seen.contains("No such file");
        if was_named {
            continue;
        }
        assert!(!seen.starts_with("secret"), "{seen}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapping.join().expect("ended");
}
