//! The line about the sandbox.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::support::json::Json;
use crate::support::namespace::{self, BUILT, RUNNER};

fn told(mut command: Command) -> Json {
    let output = command.output().expect("started");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let line = text.strip_suffix('\n').expect("a line end");
    assert!(!line.contains('\n'), "{line}");
    Json::parse(line)
}

#[test]
fn an_ordinary_process_is_told_of() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let mut command = Command::new(BUILT);
    command.args(["probe", folder, "/no/such/path", "/dev/null"]);
    let probe = told(command);
    assert_eq!(probe.at(&["version"]), &Json::Number(1));
    let own = std::fs::metadata("/proc/self").unwrap();
    assert_eq!(probe.at(&["uid"]), &Json::Number(own.uid().into()));
    let metadata = std::fs::metadata(folder).unwrap();
    let mount = |at: &str, name: &str| probe.at(&["mounts", at, name]).clone();
    assert_eq!(mount("0", "path"), Json::text(folder));
    assert_eq!(mount("0", "dev"), Json::Number(metadata.dev()));
    assert_eq!(mount("0", "ino"), Json::Number(metadata.ino()));
    assert_eq!(mount("0", "read_only"), Json::Bool(false));
    assert_eq!(mount("1", "dev"), Json::Null);
    assert_eq!(mount("2", "dir"), Json::Bool(false));
    for name in ["cap_inh", "cap_prm", "cap_eff", "cap_bnd", "cap_amb"] {
        let Json::Text(bits) = probe.at(&[name]) else {
            panic!("{name}");
        };
        assert_eq!(bits.len(), 16);
    }
    let Json::List(interfaces) = probe.at(&["interfaces"]) else {
        panic!("no list");
    };
    assert!(interfaces.contains(&Json::text("lo")));
    // It left nothing where it tried.
    for folder in ["/", "/tmp", "/dev/shm"] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(!name.starts_with(".toolhatch-probe"), "{folder}/{name}");
        }
    }
}

#[test]
fn a_sandbox_without_rights_is_told_from_one_with_all() {
    if !namespace::works() {
        return;
    }
    let free = told(namespace::first(&[RUNNER, "probe"]));
    let confined = told(namespace::confined(&[RUNNER, "probe"]));
    for (probe, refused) in [(&free, false), (&confined, true)] {
        for name in ["mount", "chroot", "unshare_mount"] {
            assert_eq!(probe.at(&["refused", name]), &Json::Bool(refused), "{name}");
        }
        assert_eq!(probe.at(&["refused", "mknod"]), &Json::Bool(true));
        assert_eq!(probe.at(&["pid"]), &Json::Number(1));
        let tmp = |name: &str| probe.at(&["tmp", name]).clone();
        assert_eq!(tmp("size"), Json::Number(8 << 20));
        assert_eq!(tmp("read_only"), Json::Bool(false));
        assert_eq!(tmp("writable"), Json::Bool(true));
        for flag in ["exists", "noexec", "nosuid", "nodev"] {
            assert_eq!(tmp(flag), Json::Bool(true), "{flag}");
        }
    }
    let no_rights = Json::text("0000000000000000");
    for name in ["cap_inh", "cap_prm", "cap_eff", "cap_bnd", "cap_amb"] {
        assert_eq!(confined.at(&[name]), &no_rights);
    }
    assert_ne!(free.at(&["cap_eff"]), &no_rights);
    assert_eq!(confined.at(&["no_new_privs"]), &Json::Number(1));
    assert_eq!(free.at(&["no_new_privs"]), &Json::Number(0));
}

#[test]
fn mounts_below_a_path_are_told_of() {
    if !namespace::works() {
        return;
    }
    let text = "mkdir -p '/tmp/a/b c' && mount --bind /tmp/a /tmp/a && mount -t tmpfs tmpfs '/tmp/a/b c' && \
                mount -o remount,bind,ro /tmp/a && exec \"$@\"";
    let line = ["sh", "-c", text, "sh", RUNNER, "probe", "/tmp/a"];
    let probe = told(namespace::first(&line));
    let mount = |path: &[&str]| probe.at(&[&["mounts", "0"], path].concat()).clone();
    assert_eq!(mount(&["read_only"]), Json::Bool(true));
    assert_eq!(mount(&["writable"]), Json::Bool(false));
    assert_eq!(mount(&["below", "0", "path"]), Json::text("/tmp/a/b c"));
    assert_eq!(mount(&["below", "0", "read_only"]), Json::Bool(false));
}

#[test]
fn nothing_that_is_missing_makes_it_fail() {
    if !namespace::works() {
        return;
    }
    // A root with nothing in it but the runner and the libraries it may need: no /proc, /sys, /dev or /tmp.
    let text = "mkdir /tmp/root && mount -t tmpfs -o size=200m tmpfs /tmp/root && cd /tmp/root && \
                for file in \"$1\" $(ldd \"$1\" 2>/dev/null | grep -o '/[^ ]*'); do \
                mkdir -p \".${file%/*}\" && cp \"$file\" \".$file\" || exit 1; done; \
                exec chroot /tmp/root \"$1\" probe /workspace";
    let probe = told(namespace::first(&["sh", "-c", text, "sh", RUNNER]));
    for name in [
        "no_new_privs",
        "seccomp",
        "interfaces",
        "cap_eff",
        "groups",
        "devices",
    ] {
        assert_eq!(probe.at(&[name]), &Json::Null, "{name}");
    }
    assert_eq!(probe.at(&["tmp", "exists"]), &Json::Bool(false));
    assert_eq!(probe.at(&["tmp", "size"]), &Json::Null);
    assert_eq!(probe.at(&["root_read_only"]), &Json::Bool(false));
    assert_eq!(probe.at(&["masked", "/proc/kcore"]), &Json::Null);
    assert_eq!(probe.at(&["mounts", "0", "below"]), &Json::Null);
}
