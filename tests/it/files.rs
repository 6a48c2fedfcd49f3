//! What a guest can reach of the file system: what was granted, and nothing that any path, link or trick leads to.

mod escapes;
mod paths;
mod writing;

use serde_json::json;

use crate::support::probe::Probe;

/// A workspace with a folder that tests grant, `data`, and things around it that they do not.
fn workspace() -> Probe {
    filled(Probe::new())
}

/// The same for each of the probes.
fn workspaces() -> [Probe; 2] {
    Probe::both().map(filled)
}

fn filled(probe: Probe) -> Probe {
    for (path, text) in [
        ("data/a.txt", "inside"),
        ("data/sub/b.txt", "below"),
        ("data2/c.txt", "a neighbour"),
        ("outside/s.txt", "secret"),
    ] {
        probe.env.write(path, text.as_bytes());
    }
    for (target, link) in [
        ("a.txt", "data/link-inside"),
        ("sub", "data/folder-inside"),
        ("../outside/s.txt", "data/link-outside"),
        ("../outside", "data/folder-outside"),
        ("/etc/passwd", "data/link-absolute"),
        ("loop", "data/loop"),
        ("/proc/self/root", "data/root"),
    ] {
        let link = probe.env.path(link);
        std::os::unix::fs::symlink(target, link).expect("linked");
    }
    probe
}

#[test]
fn a_granted_folder_can_be_read_under_the_name_it_was_given() {
    let probe = workspace();
    let read = |path: &str| probe.call("read-file", json!({"path": path}));
    for (path, text) in [
        ("data/a.txt", "inside"),
        ("data/sub/b.txt", "below"),
        ("./data/sub/../a.txt", "inside"),
        ("data/link-inside", "inside"),
        ("data/folder-inside/b.txt", "below"),
    ] {
        read(path).allow("file_read=data").gives(json!(text));
    }
    read("/workspace/a.txt")
        .allow("file_read=data:/workspace")
        .gives(json!("inside"));
    let absolute = probe.env.path("data");
    let absolute = absolute.to_str().expect("UTF-8");
    let path = format!("{absolute}/a.txt");
    read(&path)
        .allow(format!("file_read={absolute}"))
        .gives(json!("inside"));
    read("data/a.txt")
        .allow("file_read=.")
        .gives(json!("inside"));
    let listed = probe
        .call("list-folder", json!({"path": "data/sub"}))
        .allow("file_read=data");
    listed.gives(json!(["b.txt"]));
    let status = probe.call("look-at", json!({"path": "data/a.txt", "follow": true}));
    let output = status.allow("file_read=data").run().ok();
    assert_eq!(
        output.json()["structured"],
        json!({"kind": "file", "size": 6}),
        "{output}"
    );
}

#[test]
fn without_a_grant_there_are_no_files() {
    let probe = workspace();
    let absolute = probe.env.path("data/a.txt");
    for path in [
        "data/a.txt",
        "/etc/passwd",
        absolute.to_str().expect("UTF-8"),
        "../x",
    ] {
        let said = probe.call("read-file", json!({"path": path})).denied(
            "E3210",
            "was denied: no granted file or folder appears there",
        );
        assert!(said.starts_with("PermissionDenied"), "{said}");
    }
    probe
        .call("list-folder", json!({"path": "/"}))
        .gives(json!([]));
    probe
        .call("write-file", json!({"path": "/tmp/x", "text": "x"}))
        .denied("E3210", "writing /tmp/x was denied");
    probe.still_works();
}

#[test]
fn a_denial_names_the_grant_that_would_allow_it_and_the_grant_works() {
    let probe = workspace();
    let read = || probe.call("read-file", json!({"path": "outside/s.txt"}));
    let output = read().run().fails_with(1, "E3401");
    let denial = &output.json()["denials"][0];
    let line = denial["manifest_line"]
        .as_str()
        .expect("a line of a manifest");
    assert!(line.starts_with("file_read = [{ path = "), "{output}");
    let flag = denial["flag"].as_str().expect("a flag");
    let scope = flag.strip_prefix("--allow ").expect("an `--allow` flag");
    // It was given as a relative path, which leads where the command was typed.
    read().allow(scope).gives(json!("secret"));
}

#[test]
fn a_neighbour_with_a_longer_name_is_not_inside() {
    let probe = workspace();
    let read = |path: &str| {
        probe
            .call("read-file", json!({"path": path}))
            .allow("file_read=data")
    };
    read("data2/c.txt").denied("E3210", "data2/c.txt was denied");
    read("data/../data2/c.txt").denied("E3210", "data2/c.txt was denied");
}

#[test]
fn the_root_shows_only_the_way_to_what_was_granted() {
    let probe = workspace();
    let list = |path: &str| {
        probe
            .call("list-folder", json!({"path": path}))
            .allow("file_read=data:/project/data")
            .allow("file_read=data2:/project/more")
    };
    list("/").gives(json!(["project"]));
    list("/project").gives(json!(["data", "more"]));
    list("/project/more").gives(json!(["c.txt"]));
    list("/etc").denied("E3210", "/etc was denied");
}

#[test]
fn a_granted_file_is_alone_in_its_folder() {
    let probe = workspace();
    let call = |function: &str, path: &str| {
        probe
            .call(function, json!({"path": path}))
            .allow("file_read=data/a.txt")
    };
    call("read-file", "data/a.txt").gives(json!("inside"));
    call("list-folder", "data").gives(json!(["a.txt"]));
    call("read-file", "data/link-inside").gives(json!("inside"));
    call("read-file", "data/sub/b.txt").denied("E3210", "b.txt was denied");
    call("list-folder", "data/sub").denied("E3210", "data/sub was denied");
}

#[test]
fn a_granted_file_can_be_given_another_name() {
    let probe = workspace();
    let call = |function: &str, path: &str| {
        probe
            .call(function, json!({"path": path}))
            .allow("file_read=data/a.txt:/input/text")
    };
    call("read-file", "/input/text").gives(json!("inside"));
    call("list-folder", "/input").gives(json!(["text"]));
}

#[test]
fn what_is_granted_is_what_a_link_leads_to_when_it_is_granted() {
    let probe = workspace();
    let read = |path: &str| {
        probe
            .call("read-file", json!({"path": path}))
            .allow("file_read=data/folder-outside")
    };
    read("data/folder-outside/s.txt").gives(json!("secret"));
    read("data/a.txt").denied("E3210", "data/a.txt was denied");
}

#[test]
fn only_what_exists_can_be_granted() {
    let probe = workspace();
    let call = probe.call("open-folders", json!({}));
    call.allow("file_read=nowhere")
        .fails(4, "E3101", "nowhere cannot be granted");
    for scope in ["file_read", "file_reed=data", "=data", "file_read="] {
        let call = probe.call("open-folders", json!({}));
        call.allow(scope).fails(2, "E3004", scope);
    }
    probe.still_works();
}

#[test]
fn nested_grants_add_up() {
    let probe = workspace();
    let write = |path: &str| {
        probe
            .call("write-file", json!({"path": path, "text": "new"}))
            .allow("file_read=data")
            .allow("file_write=data/sub")
    };
    write("data/sub/b.txt").run().ok();
    write("data/a.txt").denied("E3210", "data/a.txt was denied: file_write covers only");
    let read = probe.call("read-file", json!({"path": "data/sub/b.txt"}));
    read.allow("file_read=data").gives(json!("new"));
}
