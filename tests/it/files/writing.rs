//! Changing files: only where writing was granted, and never so that more can be read or written than before.

use serde_json::{Value, json};

use super::{filled, workspace, workspaces};
use crate::support::probe::{Call, Kind, Probe, async_file};

fn read(probe: &Probe, path: &str) -> String {
    std::fs::read_to_string(probe.env.path(path)).expect("it is there")
}

/// An operation on an open folder, by the interface itself.
fn on<'a>(probe: &'a Probe, folder: &str, operation: Value) -> Call<'a> {
    probe.call(
        "file-call",
        json!({"folder": folder, "operation": operation}),
    )
}

#[test]
fn a_folder_granted_for_writing_can_be_changed() {
    let probe = workspace();
    let call = |function: &str, arguments: Value| {
        let call = probe.call(function, arguments);
        call.allow("file_write=data")
            .allow("file_read=data")
            .run()
            .ok()
    };
    call("write-file", json!({"path": "data/new.txt", "text": "new"}));
    assert_eq!(read(&probe, "data/new.txt"), "new");
    call("truncate-file", json!({"path": "data/new.txt"}));
    assert_eq!(read(&probe, "data/new.txt"), "");
    call("make-folder", json!({"path": "data/folder"}));
    call(
        "rename",
        json!({"source": "data/a.txt", "target": "data/folder/a.txt"}),
    );
    assert_eq!(read(&probe, "data/folder/a.txt"), "inside");
    call(
        "hard-link",
        json!({"source": "data/folder/a.txt", "target": "data/b.txt"}),
    );
    call("remove-file", json!({"path": "data/folder/a.txt"}));
    call("remove-folder", json!({"path": "data/folder"}));
    assert!(!probe.env.path("data/folder").exists());
    assert_eq!(read(&probe, "data/b.txt"), "inside");
    let output = call("write-file", json!({"path": "data/b.txt", "text": "other"}));
    let effects = output.json()["effects"].to_string();
    assert!(
        effects.contains("data/b.txt") && effects.contains("\"write\""),
        "{output}"
    );
}

#[test]
fn a_folder_granted_for_reading_cannot_be_changed() {
    let probe = workspace();
    let path = "data/a.txt";
    for (function, arguments) in [
        ("write-file", json!({"path": path, "text": "x"})),
        ("write-file", json!({"path": "data/new.txt", "text": "x"})),
        ("truncate-file", json!({"path": path})),
        ("remove-file", json!({"path": path})),
        ("remove-file", json!({"path": "data/link-outside"})),
        ("remove-folder", json!({"path": "data/sub"})),
        ("make-folder", json!({"path": "data/new"})),
        ("rename", json!({"source": path, "target": "data/new.txt"})),
        (
            "hard-link",
            json!({"source": path, "target": "data/new.txt"}),
        ),
    ] {
        let call = probe.call(function, arguments).allow("file_read=data");
        let said = call.denied("E3210", "no file_write was granted");
        assert!(said.starts_with("PermissionDenied"), "{function}: {said}");
    }
    for operation in [
        json!({"tag": "symlink", "value": ["new", "a.txt"]}),
        json!({"tag": "set-times", "value": "a.txt"}),
        json!({"tag": "open", "value": {"path": "new", "how": ["create"]}}),
        json!({"tag": "open", "value": {"path": "a.txt", "how": ["read", "write"]}}),
        json!({"tag": "open", "value": {"path": "a.txt", "how": ["write"]}}),
    ] {
        on(&probe, "data", operation)
            .allow("file_read=data")
            .denied("E3210", "no file_write was granted");
    }
    on(&probe, "data", json!({"tag": "cut", "value": "a.txt"}))
        .allow("file_read=data")
        .fails(1, "E3401", "not-permitted");
    assert_eq!(read(&probe, path), "inside");
    assert!(!probe.env.path("data/new.txt").exists() && !probe.env.path("data/new").exists());
    probe.still_works();
}

/// RUSTSEC-2026-0149 (GHSA-2r75-cxrj-cmph): opening with truncation emptied files that could only be read.
#[test]
fn rustsec_2026_0149_truncating_takes_the_right_to_write() {
    for probe in workspaces() {
        for how in [
            json!(["truncate"]),
            json!(["truncate", "read"]),
            json!(["truncate", "write"]),
            json!(["truncate", "follow", "read", "write"]),
            json!(["truncate", "create"]),
            json!(["truncate", "mutate"]),
        ] {
            let operation = json!({"tag": "open", "value": {"path": "a.txt", "how": how}});
            let call = on(&probe, "data", operation).allow("file_read=data");
            call.denied("E3210", "data/a.txt was denied: no file_write was granted");
        }
        assert_eq!(read(&probe, "data/a.txt"), "inside");
        probe.still_works();
    }
}

#[test]
fn writing_does_not_include_reading() {
    let probe = workspace();
    let call =
        |function: &str, arguments: Value| probe.call(function, arguments).allow("file_write=data");
    call("write-file", json!({"path": "data/new.txt", "text": "x"}))
        .run()
        .ok();
    call("read-file", json!({"path": "data/a.txt"})).denied("E3210", "no file_read was granted");
    let operation = json!({"tag": "open", "value": {"path": "a.txt", "how": ["read", "write"]}});
    on(&probe, "data", operation)
        .allow("file_write=data")
        .denied("E3210", "reading");
}

/// RUSTSEC-2026-0188 (GHSA-4ch3-9j33-3pmj): linking or renaming from one folder into another gave a file the rights of
/// the other.
#[test]
fn rustsec_2026_0188_links_and_renames_do_not_carry_rights_across_grants() {
    for probe in workspaces() {
        probe.env.write("open/o.txt", b"open");
        for tag in ["link", "rename"] {
            for (folder, path, to_folder) in [
                // A file that may only be read, into a folder that may be written to; and the other way round.
                ("data", "a.txt", "open"),
                ("open", "o.txt", "data"),
            ] {
                let operation = json!({
                    "tag": tag, "value": {"path": path, "to-folder": to_folder, "to-path": "moved.txt"},
                });
                on(&probe, folder, operation)
                    .allow("file_read=data")
                    .allow("file_read=open")
                    .allow("file_write=open")
                    .denied("E3210", "file_write covers only");
            }
            // A file that may only be written to, to where it could be read.
            let operation = json!({
                "tag": tag, "value": {"path": "a.txt", "to-folder": "open", "to-path": "moved.txt"},
            });
            on(&probe, "data", operation)
                .allow("file_write=data")
                .allow("file_read=open")
                .allow("file_write=open")
                .denied("E3210", "data/a.txt was denied: file_read covers only");
        }
        assert_eq!(
            (read(&probe, "data/a.txt"), read(&probe, "open/o.txt")),
            ("inside".into(), "open".into())
        );
        assert!(
            !probe.env.path("open/moved.txt").exists()
                && !probe.env.path("data/moved.txt").exists()
        );
        // With the same rights on both sides nothing is gained.
        let operation = json!({
            "tag": "rename", "value": {"path": "a.txt", "to-folder": "open", "to-path": "moved.txt"},
        });
        let mut call = on(&probe, "data", operation);
        for scope in [
            "file_read=data",
            "file_write=data",
            "file_read=open",
            "file_write=open",
        ] {
            call = call.allow(scope);
        }
        call.gives(json!("done"));
        assert_eq!(read(&probe, "open/moved.txt"), "inside");
    }
}

#[test]
fn links_are_made_only_to_what_lies_inside() {
    let probe = workspace();
    let symlink = |path: &str, target: &str| {
        let operation = json!({"tag": "symlink", "value": [path, target]});
        let call = on(&probe, "data", operation);
        call.allow("file_write=data").allow("file_read=data")
    };
    for (path, target) in [
        ("new", "/etc/passwd"),
        ("new", "/"),
        ("new", ".."),
        ("new", "../outside"),
        ("new", "sub/../../outside"),
        ("sub/new", "../../outside"),
    ] {
        symlink(path, target).denied("E3210", "was denied");
        assert!(
            !probe.env.path("data").join(path).is_symlink(),
            "{path} to {target}"
        );
    }
    symlink("sub/up", "../a.txt").gives(json!("done"));
    let call = probe.call("read-file", json!({"path": "data/sub/up"}));
    call.allow("file_read=data").gives(json!("inside"));
    // A link that is inside where it was made, and leads out from where it is moved to.
    let operation = json!({
        "tag": "rename", "value": {"path": "sub/up", "to-folder": "data", "to-path": "up"},
    });
    let call = on(&probe, "data", operation);
    call.allow("file_write=data")
        .allow("file_read=data")
        .run()
        .ok();
    let call = probe.call("read-file", json!({"path": "data/up"}));
    call.allow("file_read=data").denied("E3210", "was denied");
}

#[test]
fn credentials_inside_a_granted_folder_stay_closed_unless_they_are_named() {
    let probe = workspace();
    for path in [
        "data/.ssh/id",
        "data/.aws/credentials",
        "data/.netrc",
        "data/.SSH/id",
    ] {
        probe.env.write(path, b"key");
        let call = |scope: &str| {
            let call = probe.call("read-file", json!({"path": path}));
            call.allow(format!("file_read={scope}"))
        };
        call("data").denied(
            "E3210",
            "holds credentials and was not itself named in a grant",
        );
        call(path).gives(json!("key"));
    }
    let call = probe.call("read-file", json!({"path": "data/link"}));
    std::os::unix::fs::symlink(".ssh/id", probe.env.path("data/link")).expect("linked");
    call.allow("file_read=data")
        .denied("E3210", "holds credentials");
}

#[test]
fn what_runs_later_cannot_be_written_in_a_granted_folder() {
    let probe = workspace();
    for folder in [".git/hooks", ".toolhatch"] {
        std::fs::create_dir_all(probe.env.path(folder)).expect("created");
    }
    for path in [
        ".git/hooks/pre-commit",
        ".git/config",
        ".toolhatch/config.toml",
        ".bashrc",
    ] {
        let call = probe.call("write-file", json!({"path": path, "text": "evil"}));
        call.allow("file_write=.")
            .allow("file_read=.")
            .denied("E3210", "was denied");
        assert!(!probe.env.path(path).exists(), "{path}");
    }
    // Not by way of the folder above it either.
    let rename = |source: &str, target: &str| {
        let call = probe.call("rename", json!({"source": source, "target": target}));
        call.allow("file_write=.").allow("file_read=.")
    };
    rename("data", ".git/hooks").denied("E3210", "was denied");
    rename(".git", "moved").denied("E3210", "was denied");
    probe.still_works();
}

#[test]
fn nobody_is_granted_the_state_of_toolhatch_itself() {
    let probe = workspace();
    let state = probe.env.toolhatch_home();
    probe.still_works();
    probe.env.write(probe.env.user_config(), b"");
    for path in [state.join("keys"), state.clone(), probe.env.user_config()] {
        let path = path.to_str().expect("UTF-8");
        for scope in [path, probe.env.path("..").to_str().expect("UTF-8")] {
            let call = probe.call("list-folder", json!({"path": path}));
            let call = call.allow(format!("file_read={scope}"));
            let output = call.run().fails_with(1, "E3401");
            let denial = output.json()["denials"][0]["message"].to_string();
            assert!(denial.contains("belongs to Toolhatch itself"), "{output}");
        }
        let call = probe.call(
            "write-file",
            json!({"path": format!("{path}/x"), "text": "x"}),
        );
        let call = call.allow(format!("file_write={path}"));
        call.fails(1, "E3401", "");
    }
    probe.still_works();
}

/// WASI 0.3 moves bytes and names through streams.
#[test]
fn streams_of_bytes_and_names_are_under_the_same_grants() {
    let probe = filled(Probe::of(Kind::Async));
    let write = || {
        let arguments = json!({"folder": "data", "path": "a.txt", "text": "INS"});
        probe.call("write-file", arguments)
    };
    let said = write()
        .allow("file_read=data")
        .denied("E3210", "no file_write was granted");
    assert_eq!(said, "not-permitted");
    assert_eq!(read(&probe, "data/a.txt"), "inside");
    write()
        .allow("file_read=data")
        .allow("file_write=data")
        .run()
        .ok();
    assert_eq!(read(&probe, "data/a.txt"), "INSide");
    let list = |folder: &str| probe.call("list-folder", json!({"folder": folder}));
    let names = list("data").allow("file_read=data").result();
    assert_eq!(names.as_array().map(Vec::len), Some(9), "{names}");
    list("/")
        .allow("file_read=data:/project/data")
        .gives(json!(["project"]));
    let large = "x".repeat(1 << 20);
    let arguments = json!({"folder": "data", "path": "a.txt", "text": large});
    // A command line has no room for it.
    let line = json!({
        "tool": async_file(), "name": "write-file", "args": arguments, "allow": ["file_write=data", "file_read=data"],
    });
    probe
        .env
        .run(["call", "--jsonl"])
        .stdin(format!("{line}\n"))
        .ok();
    assert_eq!(read(&probe, "data/a.txt"), large);
    probe.still_works();
}

#[test]
fn writing_into_a_folder_does_not_include_listing_it() {
    for (probe, argument) in workspaces().into_iter().zip(["path", "folder"]) {
        let list = |path: &str| probe.call("list-folder", json!({argument: path}));
        list("data")
            .allow("file_write=data")
            .denied("E3210", "reading ");
        // On the way to a grant, the way is shown and nothing beside it.
        list("data")
            .allow("file_write=data")
            .allow("file_read=data/sub")
            .gives(json!(["sub"]));
        list("data/sub")
            .allow("file_write=data")
            .allow("file_read=data/sub")
            .gives(json!(["b.txt"]));
    }
}
