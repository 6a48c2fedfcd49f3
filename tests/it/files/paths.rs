//! Paths that a library would have tidied up, sent as they are.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use rustix::fs::{FileType, Mode};
use serde_json::{Value, json};

use super::{workspace, workspaces};
use crate::support::probe::{Call, Probe};

/// An operation on the folder `data`, which may be read.
fn on_data(probe: &Probe, operation: Value) -> Call<'_> {
    let arguments = json!({"folder": "data", "operation": operation});
    probe.call("file-call", arguments).allow("file_read=data")
}

fn open(path: &str) -> Value {
    json!({"tag": "open", "value": {"path": path, "how": ["follow", "read"]}})
}

#[test]
fn ways_out_of_a_granted_folder_are_denied() {
    for probe in workspaces() {
        for path in [
            "..",
            "../",
            "../outside/s.txt",
            "./../outside/s.txt",
            "sub/../../outside/s.txt",
            "sub/../../data/a.txt",
            "/etc/passwd",
            "//etc/passwd",
            "/",
            "link-outside",
            "link-absolute",
            "folder-outside",
            "folder-outside/",
            "folder-outside/s.txt",
            "folder-outside/../outside/s.txt",
            "folder-inside/../../outside/s.txt",
            "root/etc/passwd",
            "root/",
        ] {
            let said = on_data(&probe, open(path)).denied("E3210", " was denied: ");
            assert_eq!(said, "not-permitted", "{path}");
            for tag in ["stat", "read-link"] {
                let operation = json!({"tag": tag, "value": path});
                let output = on_data(&probe, operation).run();
                // The link itself is inside; what it leads to is not.
                let is_link =
                    tag == "read-link" && path.starts_with(['l', 'f', 'r']) && !path.contains('/');
                if is_link {
                    output.ok();
                } else {
                    output.fails_with(1, "E3401");
                }
            }
        }
        probe.still_works();
    }
}

#[test]
fn ways_within_a_granted_folder_are_allowed() {
    for probe in workspaces() {
        for (path, expected) in [
            ("a.txt", "inside"),
            ("./a.txt", "inside"),
            ("sub/../a.txt", "inside"),
            ("sub//b.txt", "below"),
            ("folder-inside/b.txt", "below"),
            ("folder-inside/../a.txt", "inside"),
            ("link-inside", "inside"),
            (".", "folder"),
            ("sub/", "folder"),
            ("sub/..", "folder"),
        ] {
            on_data(&probe, open(path)).gives(json!(expected));
        }
        let operation = json!({"tag": "stat-link", "value": "link-outside"});
        on_data(&probe, operation).gives(json!("link of 16 bytes"));
    }
}

#[test]
fn paths_that_make_no_sense_are_ordinary_errors() {
    for probe in workspaces() {
        let long = "a".repeat(300);
        let deep = "sub/../".repeat(1000);
        for (path, expected) in [
            ("", "no-entry"),
            ("missing", "no-entry"),
            ("missing/../a.txt", "no-entry"),
            ("a.txt/", "not-directory"),
            ("a.txt/.", "not-directory"),
            ("a.txt/x", "not-directory"),
            ("loop", "loop"),
            ("loop/x", "loop"),
            ("a\0.txt", "invalid"),
            (&long, "name-too-long"),
            (&deep, "name-too-long"),
        ] {
            let output = on_data(&probe, open(path)).fails(1, "E3401", expected);
            assert!(output.json().get("denials").is_none(), "{path}: {output}");
        }
        probe.still_works();
    }
}

/// RUSTSEC-2026-0269 (GHSA-vqjp-4c8c-hfgg): a slash behind the name of a link made the last step leave the folder.
#[test]
fn rustsec_2026_0269_a_trailing_slash_does_not_lead_out() {
    for probe in workspaces() {
        let call = |operation: Value| {
            let arguments = json!({"folder": "data", "operation": operation});
            let call = probe.call("file-call", arguments);
            call.allow("file_read=data").allow("file_write=data")
        };
        for path in [
            "folder-outside/",
            "folder-outside/.",
            "folder-outside//",
            "root/",
            "link-outside/",
        ] {
            for how in [
                json!(["read"]),
                json!(["follow", "read"]),
                json!(["read", "folder"]),
                json!(["write", "create"]),
                json!(["write", "truncate"]),
                json!(["mutate", "folder"]),
            ] {
                let operation = json!({"tag": "open", "value": {"path": path, "how": how}});
                call(operation).fails(1, "E3401", "");
            }
            for tag in [
                "stat",
                "stat-link",
                "read-link",
                "make-folder",
                "remove-file",
                "remove-folder",
                "set-times",
            ] {
                call(json!({"tag": tag, "value": path})).fails(1, "E3401", "");
            }
        }
        let untouched =
            std::fs::read_to_string(probe.env.path("outside/s.txt")).expect("it is there");
        assert_eq!(untouched, "secret");
        probe.still_works();
    }
}

/// GHSA-m9f7-9w4p-gv38: the same for renaming links and for renaming to links.
#[test]
fn ghsa_m9f7_9w4p_gv38_renaming_a_link_with_a_slash_moves_nothing_outside() {
    for probe in workspaces() {
        let rename = |path: &str, to_path: &str| {
            let operation = json!({"tag": "rename", "value": {"path": path, "to-folder": "data", "to-path": to_path}});
            let arguments = json!({"folder": "data", "operation": operation});
            let call = probe.call("file-call", arguments);
            call.allow("file_read=data").allow("file_write=data")
        };
        for (path, to_path) in [
            ("folder-outside/", "moved"),
            ("folder-outside/.", "moved"),
            ("folder-outside/s.txt", "moved"),
            ("sub", "folder-outside/"),
            ("sub", "folder-outside/moved"),
            ("a.txt", "folder-outside/"),
            ("a.txt", "link-outside/"),
            ("root/tmp", "moved"),
        ] {
            rename(path, to_path).fails(1, "E3401", "");
        }
        let names = |folder: &str| {
            let entries = std::fs::read_dir(probe.env.path(folder)).expect("a folder");
            entries.count()
        };
        assert_eq!((names("outside"), names("data")), (1, 9));
        rename("folder-outside", "moved").run().ok();
        assert!(
            probe.env.path("data/moved").is_symlink(),
            "the link itself may be moved"
        );
    }
}

#[test]
fn the_kernel_is_closed_whatever_was_granted() {
    let probe = workspace();
    for path in [
        "/proc/self/environ",
        "/proc/1/cmdline",
        "/sys/kernel",
        "/dev/null",
    ] {
        let read = || probe.call("read-file", json!({"path": path}));
        read().denied("E3210", "no granted file or folder appears there");
        read()
            .allow("file_read=/")
            .denied("E3210", "is a window into the kernel");
    }
    let read = probe.call("read-file", json!({"path": "/proc/self/environ"}));
    read.allow("file_read=/proc")
        .denied("E3210", "is a window into the kernel");
    // Nor by a link in it that leads back to everything.
    let read = probe.call("read-file", json!({"path": "/proc/self/root/etc/hostname"}));
    read.allow("file_read=/").denied("E3210", " was denied: ");
    let read = probe.call("read-file", json!({"path": "data/root/etc/hostname"}));
    read.allow("file_read=/:/all")
        .allow("file_read=data")
        .denied("E3210", " was denied: ");
    probe.still_works();
}

/// Makes a pipe and a socket in the granted folder.
fn make_special_files(probe: &Probe) -> UnixListener {
    let pipe = probe.env.path("data/pipe");
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, mode, 0).expect("a pipe");
    UnixListener::bind(probe.env.path("data/socket")).expect("a socket")
}

#[test]
fn pipes_and_sockets_are_not_opened() {
    for probe in workspaces() {
        let _listener = make_special_files(&probe);
        for name in ["pipe", "socket"] {
            for how in [
                json!(["read"]),
                json!(["write"]),
                json!(["read", "write", "truncate"]),
                json!(["create", "write"]),
            ] {
                let operation = json!({"tag": "open", "value": {"path": name, "how": how}});
                let arguments = json!({"folder": "data", "operation": operation});
                let call = probe.call("file-call", arguments);
                let run = call.allow("file_read=data").allow("file_write=data").run();
                // Opening one would wait for the other end, and the host with it.
                let output = run.timeout(Duration::from_secs(20)).fails_with(1, "E3401");
                let message = output.json()["denials"][0]["message"].to_string();
                assert!(
                    message.contains("it is a pipe, a socket or a device"),
                    "{output}"
                );
            }
            on_data(&probe, json!({"tag": "stat", "value": name}))
                .gives(json!(format!("{name} of 0 bytes")));
        }
        probe.still_works();
    }
}

#[test]
fn a_pipe_is_not_opened_by_a_library_or_a_grant_either() {
    let probe = workspace();
    let _listener = make_special_files(&probe);
    let read = |scope: &str| {
        let call = probe.call("read-file", json!({"path": "data/pipe"}));
        call.allow(format!("file_read={scope}"))
    };
    read("data").denied(
        "E3210",
        "data/pipe was denied: it is a pipe, a socket or a device",
    );
    // Granting one by name changes nothing.
    let output = read("data/pipe")
        .run()
        .timeout(Duration::from_secs(20))
        .output();
    assert_ne!(output.code, Some(0), "{output}");
    assert!(output.stdout.contains("data/pipe"), "{output}");
    probe.still_works();
}

#[test]
fn a_name_that_is_not_text_does_not_hide_the_others() {
    use std::os::unix::ffi::OsStrExt;

    for (probe, argument) in workspaces().into_iter().zip(["path", "folder"]) {
        let name = std::ffi::OsStr::from_bytes(b"data/sub/\xff\xfe");
        probe.env.write(name, b"odd");
        let output = probe
            .call("list-folder", json!({argument: "data/sub"}))
            .allow("file_read=data/sub")
            .run()
            .ok();
        let report = output.json();
        assert_eq!(report["structured"]["result"], json!(["b.txt"]), "{output}");
        let told = report["logs"].to_string();
        assert!(
            told.contains("leaves out names that are not UTF-8: 1"),
            "{output}"
        );
    }
}
