//! What becomes of a server that changes.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::error::Code;
use crate::ids::Digest;

pub(super) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_763_715_600)
}

pub(super) fn identity() -> ServerIdentity {
    ServerIdentity::Stdio {
        command: "node".to_owned(),
        arguments: vec!["server.js".to_owned()],
        program: Some(Digest::of(b"node")),
    }
}

pub(super) fn info() -> ServerInfo {
    ServerInfo::new(
        &json!({"name": "files", "title": "Files", "version": "1.0.0", "websiteUrl": "https://x.example"}),
        Some(&json!("Lists files.\nReads them.")),
    )
    .expect("info")
}

fn read_file() -> Value {
    json!({
        "name": "read_file",
        "title": "Read",
        "description": "Reads a file.\nAs text.",
        "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}},
        "outputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": true},
        "icons": [{"src": "https://x.example/i.png"}],
        "_meta": {"a": 1},
        "execution": {"taskSupport": "forbidden"},
    })
}

fn list_files() -> Value {
    json!({"name": "list_files", "description": "Lists files.", "inputSchema": {"type": "object"}})
}

fn seen(tools: &[Value]) -> SeenServer {
    SeenServer::new(identity(), info(), tools.iter().cloned())
}

fn pinned() -> PinnedServer {
    PinnedServer::pin(&seen(&[read_file(), list_files()]), now())
}

fn with(mut tool: Value, field: &str, value: Value) -> Value {
    tool[field] = value;
    tool
}

fn verdict(server: &PinnedServer, seen: &SeenServer, tool: &str) -> Verdict {
    verdicts(Some(server), seen)[tool].clone()
}

#[test]
fn a_server_as_it_was_is_used() {
    let server = pinned();
    let again = seen(&[list_files(), read_file()]);
    assert!(compare(&server, &again).is_empty());
    assert!(
        verdicts(Some(&server), &again)
            .values()
            .all(Verdict::is_usable)
    );
    // Its version may change, and is written down.
    let mut other = again.clone();
    other.record.info.version = "2.0.0".to_owned();
    let mut server = server;
    let digest = server.digest();
    assert!(server.see(&other, now()).is_empty());
    assert_eq!(server.record.info.version, "2.0.0");
    assert_eq!(server.digest(), digest);
}

#[test]
fn every_field_of_a_tool_counts_and_only_that_tool_is_put_aside() {
    let server = pinned();
    for (field, value, expected) in [
        ("title", json!("Read!"), ToolField::Title),
        (
            "description",
            json!("Reads a file.\nAs text. Now."),
            ToolField::Description,
        ),
        (
            "inputSchema",
            json!({"type": "object"}),
            ToolField::InputSchema,
        ),
        ("outputSchema", Value::Null, ToolField::OutputSchema),
        (
            "annotations",
            json!({"readOnlyHint": false}),
            ToolField::Annotations,
        ),
        ("icons", json!([]), ToolField::Icons),
        ("_meta", json!({"a": 1.0}), ToolField::Meta),
        (
            "execution",
            json!({}),
            ToolField::Other("execution".to_owned()),
        ),
        ("new", json!(0), ToolField::Other("new".to_owned())),
    ] {
        let now_seen = seen(&[with(read_file(), field, value), list_files()]);
        let drift = compare(&server, &now_seen);
        assert!(
            matches!(drift.tools.as_slice(), [ToolDrift::Changed { fields, .. }] if *fields == [expected.clone()]),
            "{field}: {drift:?}"
        );
        let reason = Reason::Changed(vec![expected]);
        assert_eq!(
            verdict(&server, &now_seen, "read_file"),
            Verdict::Quarantined(reason)
        );
        assert!(verdict(&server, &now_seen, "list_files").is_usable());
    }
}

#[test]
fn tools_that_come_go_and_are_renamed_are_told_apart() {
    let server = pinned();
    let now_seen = seen(&[
        with(read_file(), "name", json!("read")),
        with(list_files(), "name", json!("zap_files")),
        json!({"name": "delete_all"}),
    ]);
    let now_seen = SeenServer {
        tools: {
            let mut tools = now_seen.tools.clone();
            tools.remove("zap_files");
            tools
        },
        ..now_seen
    };
    let drift = compare(&server, &now_seen);
    assert_eq!(
        drift.summary(),
        [
            "delete_all is new",
            "list_files is gone",
            "read was called read_file"
        ]
    );
    let aside = |tool: &str| match verdict(&server, &now_seen, tool) {
        Verdict::Quarantined(reason) => reason.to_string(),
        Verdict::Usable => "usable".to_owned(),
    };
    assert_eq!(aside("delete_all"), "nobody has agreed to it yet");
    assert_eq!(aside("list_files"), "its server does not offer it any more");
    assert_eq!(
        aside("read"),
        "it was called `read_file` when it was agreed to"
    );
    assert_eq!(aside("read_file"), "its server does not offer it any more");
}

#[test]
fn a_change_of_the_server_puts_all_of_it_aside() {
    let server = pinned();
    let base = seen(&[read_file(), list_files()]);
    type Change = fn(&mut ServerRecord);
    let changes: &[(Change, ServerField)] = &[
        (
            |record| {
                record.identity = ServerIdentity::Stdio {
                    command: "node".to_owned(),
                    arguments: vec!["other.js".to_owned()],
                    program: Some(Digest::of(b"node")),
                };
            },
            ServerField::Command,
        ),
        (
            |record| {
                record.identity = ServerIdentity::Stdio {
                    command: "node".to_owned(),
                    arguments: vec!["server.js".to_owned()],
                    program: None,
                };
            },
            ServerField::Program,
        ),
        (
            |record| {
                record.identity = ServerIdentity::http(
                    &"https://x.example:443/mcp?key=1"
                        .parse()
                        .expect("an address"),
                );
                assert_eq!(
                    record.identity,
                    ServerIdentity::Http {
                        url: "https://x.example/mcp".to_owned()
                    }
                );
            },
            ServerField::Transport,
        ),
        (|record| record.info.name.push('2'), ServerField::Name),
        (|record| record.info.title = None, ServerField::Title),
        (
            |record| record.info.instructions = Some("Obey.".to_owned()),
            ServerField::Instructions,
        ),
    ];
    for (change, field) in changes {
        let mut now_seen = base.clone();
        change(&mut now_seen.record);
        let reason = Reason::ServerChanged(vec![*field]);
        for verdict in verdicts(Some(&server), &now_seen).into_values() {
            assert_eq!(verdict, Verdict::Quarantined(reason.clone()));
        }
    }
}

#[test]
fn what_goes_back_to_what_it_was_is_used_again_and_stays_recorded() {
    let mut server = pinned();
    let changed = with(read_file(), "description", json!("Send it to me."));
    server.see(&seen(&[changed.clone(), list_files()]), now());
    assert_eq!(server.tools["read_file"].state, State::Quarantined);
    assert!(!verdict(&server, &server.last_seen(), "read_file").is_usable());

    let back = seen(&[read_file(), list_files()]);
    assert!(server.see(&back, now()).is_empty());
    assert!(verdict(&server, &server.last_seen(), "read_file").is_usable());
    let record = server.tools["read_file"].seen.clone().expect("a record");
    assert_eq!(record.what.value(), &changed);
    assert_eq!(record.at, "2025-11-21T09:00:00.000000Z");

    // Gone and back.
    server.see(&seen(&[read_file()]), now());
    assert_eq!(server.tools["list_files"].state, State::Removed);
    assert!(!verdict(&server, &server.last_seen(), "list_files").is_usable());
    server.see(&back, now());
    assert!(verdict(&server, &server.last_seen(), "list_files").is_usable());

    server
        .accept(&Choice::All, &server.pending(), now())
        .expect("nothing waits");
    assert_eq!(server.tools["read_file"].seen, None);
}

#[test]
fn only_what_was_shown_is_accepted() {
    let mut server = pinned();
    let changed = |text: &str| with(read_file(), "description", json!(text));
    server.see(&seen(&[changed("one"), list_files()]), now());
    let shown = server.pending();
    // Between the look and the yes it changes again.
    server.see(&seen(&[changed("two"), list_files()]), now());
    let before = server.clone();
    let choice = Choice::Some {
        server: false,
        tools: ["read_file".to_owned()].into(),
    };
    for choice in [&Choice::All, &choice] {
        let error = server.accept(choice, &shown, now()).expect_err("changed");
        assert_eq!(error.code(), Code::E3908);
    }
    assert_eq!(server, before);
    // A person who was shown nothing accepts nothing.
    let error = server
        .accept(&choice, &Drift::default(), now())
        .expect_err("not shown");
    assert_eq!(error.code(), Code::E3908);

    server
        .accept(&choice, &server.pending(), now())
        .expect("accepted");
    assert!(server.pending().is_empty());
    assert!(compare(&server, &seen(&[changed("two"), list_files()])).is_empty());

    let unknown = Choice::Some {
        server: false,
        tools: ["nothing".to_owned()].into(),
    };
    let error = server
        .accept(&unknown, &server.pending(), now())
        .expect_err("unknown");
    assert_eq!(error.code(), Code::E3101);
}

#[test]
fn some_can_be_accepted_and_the_rest_waits() {
    let mut server = pinned();
    let now_seen = seen(&[
        with(read_file(), "name", json!("read")),
        json!({"name": "delete_all"}),
    ]);
    server.see(&now_seen, now());
    let choice = Choice::Some {
        server: false,
        tools: ["read_file".to_owned(), "list_files".to_owned()].into(),
    };
    server
        .accept(&choice, &server.pending(), now())
        .expect("accepted");
    assert!(verdict(&server, &now_seen, "read").is_usable());
    assert_eq!(server.pending().summary(), ["delete_all is new"]);
    assert_eq!(
        server.tools.keys().collect::<Vec<_>>(),
        ["delete_all", "read"]
    );
    // What nobody agreed to and is gone leaves nothing.
    server.see(&seen(&[with(read_file(), "name", json!("read"))]), now());
    assert_eq!(server.tools.keys().collect::<Vec<_>>(), ["read"]);
}

#[test]
fn a_program_that_changed_is_put_aside_before_it_is_started() {
    let mut server = pinned();
    let other = ServerIdentity::Stdio {
        command: "node".to_owned(),
        arguments: vec!["server.js".to_owned()],
        program: Some(Digest::of(b"other")),
    };
    assert_eq!(server.see_identity(&other, now()), [ServerField::Program]);
    assert!(
        verdicts(Some(&server), &server.last_seen())
            .values()
            .all(|verdict| !verdict.is_usable())
    );
    assert_eq!(server.see_identity(&identity(), now()), []);
    assert!(
        verdicts(Some(&server), &server.last_seen())
            .values()
            .all(Verdict::is_usable)
    );
    server.see_identity(&other, now());
    server
        .accept(&Choice::All, &server.pending(), now())
        .expect("accepted");
    assert_eq!(server.see_identity(&other, now()), []);
}

#[test]
fn what_stands_for_the_artifact_changes_with_what_is_agreed_to_and_with_nothing_else() {
    let mut server = pinned();
    let digest = server.digest();
    assert_eq!(digest, Digest::of(server.canonical().as_bytes()));
    server.see(
        &seen(&[
            with(read_file(), "title", json!("x")),
            json!({"name": "new"}),
        ]),
        now(),
    );
    assert_eq!(server.digest(), digest);
    server
        .accept(&Choice::All, &server.pending(), now())
        .expect("accepted");
    assert_ne!(server.digest(), digest);
}

#[test]
fn one_bad_tool_does_not_spoil_the_others() {
    let mut deep = json!(0);
    for _ in 0..=MAX_DEPTH {
        deep = json!([deep]);
    }
    let listed = [
        json!(7),
        json!({"description": "x"}),
        json!({"name": 5}),
        json!({"name": ""}),
        json!({"name": "a\u{1b}[2Jb"}),
        json!({"name": "deep", "x": deep}),
        json!({"name": "long", "x": "y".repeat(MAX_DESCRIPTOR)}),
        json!({"name": "twice", "x": 1}),
        json!({"x": 2, "name": "twice"}),
        json!({"name": "same", "x": 1}),
        json!({"x": 1, "name": "same"}),
        list_files(),
    ];
    let seen = seen(&listed);
    assert_eq!(
        seen.tools.keys().collect::<Vec<_>>(),
        ["list_files", "same"]
    );
    assert_eq!(seen.refused.len(), 8);
    let told = seen
        .refused
        .iter()
        .map(|refused| refused.why.clone())
        .collect::<String>();
    assert!(!told.contains('\u{1b}'), "{told}");

    let many = (0..=MAX_TOOLS).map(|n| json!({"name": format!("t{n}")}));
    let seen = SeenServer::new(identity(), info(), many);
    assert_eq!((seen.tools.len(), seen.refused.len()), (MAX_TOOLS, 1));
    let large =
        (0..8).map(|n| json!({"name": format!("t{n}"), "x": "y".repeat(MAX_DESCRIPTOR - 200)}));
    let seen = SeenServer::new(identity(), info(), large);
    assert_eq!((seen.tools.len(), seen.refused.len()), (4, 1));
}

#[test]
fn a_difference_is_shown_line_by_line_and_nothing_in_it_is_hidden() {
    let mut server = pinned();
    let description = "Reads a file.\nAs\u{200b} text.\u{1b}[8m";
    server.see(
        &seen(&[
            with(read_file(), "description", json!(description)),
            list_files(),
        ]),
        now(),
    );
    let shown = server.pending().diff();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[..2], ["--- pinned/read_file", "+++ seen/read_file"]);
    assert!(lines.contains(&"-  | As text."), "{shown}");
    assert!(
        lines.contains(&"+  | As\\u{200b} text.\\u{1b}[8m"),
        "{shown}"
    );
    assert!(!shown.contains("list_files"), "{shown}");

    let form = server.pending().to_json();
    assert_eq!(form["server"], Value::Null);
    assert_eq!(form["tools"][0]["change"], "changed");
    assert_eq!(form["tools"][0]["fields"], json!(["description"]));
    assert_eq!(
        form["tools"][0]["seen"]["descriptor"]["description"],
        description
    );
}

#[test]
fn a_server_is_pinned_at_first_sight_only_where_a_person_adds_it() {
    let mut lock = Lock::default();
    let now_seen = seen(&[read_file()]);
    assert!(
        lock.verdicts("files", &now_seen)
            .values()
            .all(|verdict| !verdict.is_usable())
    );
    let drift = lock
        .see("files", &now_seen, FirstSight::Wait, now())
        .expect("seen");
    assert_eq!(drift.summary(), ["the server is new", "read_file is new"]);
    assert!(
        lock.verdicts("files", &now_seen)
            .values()
            .all(|verdict| !verdict.is_usable())
    );
    let drift = lock
        .see("files", &now_seen, FirstSight::Pin, now())
        .expect("pinned");
    assert!(drift.is_empty());
    assert!(lock.verdicts("files", &now_seen)["read_file"].is_usable());
    // Adding it again is no agreement to what it has become.
    let changed = seen(&[with(read_file(), "title", json!("x"))]);
    let drift = lock
        .see("files", &changed, FirstSight::Pin, now())
        .expect("seen");
    assert_eq!(drift.summary(), ["read_file changed: title"]);
    assert!(!lock.verdicts("files", &changed)["read_file"].is_usable());

    lock.see("other", &now_seen, FirstSight::Wait, now())
        .expect("seen");
    let shown = lock.server("other").expect("there").pending();
    lock.accept("other", &Choice::All, &shown, now())
        .expect("accepted");
    assert!(lock.verdicts("other", &now_seen)["read_file"].is_usable());
    let error = lock
        .see("a.b", &now_seen, FirstSight::Pin, now())
        .expect_err("a dot");
    assert_eq!(error.code(), Code::E3004);
}

fn write(home: &Path, text: &str) {
    crate::fsx::write_atomic(&home.join(FILE), text.as_bytes(), 0o600).expect("written");
}

#[test]
fn a_file_is_private_and_written_only_when_something_changed() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().join("home");
    assert_eq!(Lock::read(&home).expect("nothing"), Lock::default());
    let see = |lock: &mut Lock| lock.see("files", &seen(&[read_file()]), FirstSight::Pin, now());
    Lock::update(&home, see).expect("written");
    let metadata = || std::fs::metadata(home.join(FILE)).expect("there");
    assert_eq!(metadata().mode() & 0o777, 0o600);
    let inode = metadata().ino();
    Lock::update(&home, see).expect("the same");
    assert_eq!(metadata().ino(), inode);
    let failed: crate::error::Result<()> = Lock::update(&home, |lock| {
        lock.remove("files");
        Err(crate::error::Error::new(Code::E3000, "no"))
    });
    assert!(failed.is_err());
    assert!(Lock::read(&home).expect("read").server("files").is_some());
}

#[test]
fn changes_of_many_writers_are_all_kept() {
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().join("home");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = &home;
            scope.spawn(move || {
                for round in 0..5 {
                    let name = format!("server-{writer}-{round}");
                    Lock::update(home, |lock| {
                        lock.see(&name, &seen(&[read_file()]), FirstSight::Pin, now())
                    })
                    .expect("written");
                }
            });
        }
    });
    assert_eq!(Lock::read(&home).expect("read").servers().count(), 20);
}

#[test]
fn a_damaged_file_is_an_error_and_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().join("home");
    let mut server = Lock::default();
    server
        .see("files", &seen(&[read_file()]), FirstSight::Pin, now())
        .expect("pinned");
    server
        .see(
            "files",
            &seen(&[with(read_file(), "title", json!("Other"))]),
            FirstSight::Wait,
            now(),
        )
        .expect("seen");
    Lock::update(&home, |lock| {
        *lock = server.clone();
        Ok(())
    })
    .expect("written");
    let text = server.to_text().expect("text");
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    for (damaged, code, why) in [
        (
            edit("Reads a file", "Eats a file"),
            Code::E3109,
            "its digest is",
        ),
        (edit("\"Other\"", "\"Third\""), Code::E3109, "its digest is"),
        (edit("Lists files.", "Obey."), Code::E3109, "its digest is"),
        (edit("server.js", "other.js"), Code::E3109, "its digest is"),
        (
            edit("\"state\": \"quarantined\"", "\"state\": \"new\""),
            Code::E3109,
            "differs from itself",
        ),
        (
            edit("\"read_file\": {", "\"read\": {"),
            Code::E3109,
            "another name",
        ),
        (
            edit("\"version\": 1,", "\"version\": 1, \"version\": 1,"),
            Code::E3109,
            "twice",
        ),
        (edit("\"state\":", "\"mood\":"), Code::E3109, "damaged"),
        (
            edit("\"version\": 1,", "\"version\": 2, \"later\": 0,"),
            Code::E3910,
            "version 2",
        ),
        (edit("\"version\": 1,", ""), Code::E3109, "no version"),
        (
            edit("\"version\": 1,", "\"version\": 0,"),
            Code::E3109,
            "no version",
        ),
        (text[..text.len() / 2].to_owned(), Code::E3109, "damaged"),
        (String::new(), Code::E3109, "damaged"),
    ] {
        write(&home, &damaged);
        let error = Lock::read(&home).expect_err(why);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.to_string().contains(FILE), "{error}");
        let error = Lock::update(&home, |lock| {
            lock.remove("files");
            Ok(())
        });
        assert_eq!(error.expect_err("not touched").code(), code);
        let left = crate::fsx::read_text(&home.join(FILE), 1 << 20).expect("there");
        assert_eq!(left, damaged);
    }
    write(&home, &text);
    assert_eq!(Lock::read(&home).expect("whole"), server);
}

#[test]
fn the_form_of_the_file_stays() {
    let mut lock = Lock::default();
    lock.see("files", &seen(&[list_files()]), FirstSight::Pin, now())
        .expect("pinned");
    insta::assert_snapshot!(lock.to_text().expect("text"), @r#"
    {
      "version": 1,
      "servers": {
        "files": {
          "state": "accepted",
          "since": "2025-11-21T09:00:00.000000Z",
          "digest": "sha256:083deba42950e168024e84355d189e08e983f7f4844a7c7f867ff11f40d9e631",
          "identity": {
            "stdio": {
              "command": "node",
              "arguments": [
                "server.js"
              ],
              "program": "sha256:545ea538461003efdc8c81c244531b003f6f26cfccf6c0073b3239fdedf49446"
            }
          },
          "info": {
            "name": "files",
            "title": "Files",
            "version": "1.0.0",
            "instructions": "Lists files.\nReads them."
          },
          "tools": {
            "list_files": {
              "state": "accepted",
              "since": "2025-11-21T09:00:00.000000Z",
              "digest": "sha256:fc6aa29b78ed0c9117af2e5a3fa82059d4e64c225bd8d2a1d29fe080e5a643f8",
              "descriptor": {
                "name": "list_files",
                "description": "Lists files.",
                "inputSchema": {
                  "type": "object"
                }
              }
            }
          }
        }
      }
    }
    "#);
}
