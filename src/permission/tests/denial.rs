//! Denials: the sentence, the code, and the grant that is suggested.

use std::path::Path;

use super::{denied, scope};
use crate::error::Code;
use crate::permission::{Access, Action, Denial, Kind, Scope, Sensitive};

fn deny(scope: &Scope, action: &Action) -> Denial {
    scope
        .check(action, &Sensitive::default())
        .expect_err("denied")
}

fn http(url_host: &str, path: &str) -> Action {
    Action::Http {
        scheme: "https".to_owned(),
        host: url_host.to_owned(),
        port: 443,
        method: "GET".to_owned(),
        path: path.to_owned(),
    }
}

#[test]
fn each_denial_names_flag_and_manifest_line() {
    let tcp = |address: &str, names: &[&str]| Action::Tcp {
        address: address.parse().expect("an address"),
        port: 5432,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let text = str::to_owned;
    for (action, code, flag, line) in [
        (
            Action::File {
                path: "/etc/passwd".into(),
                access: Access::Read,
            },
            Code::E3210,
            "--allow file_read=/etc/passwd",
            r#"file_read = [{ path = "/etc/passwd" }]"#,
        ),
        (
            Action::File {
                path: "/my files/it's \"x\"".into(),
                access: Access::Write,
            },
            Code::E3210,
            r#"--allow 'file_write=/my files/it'\''s "x"'"#,
            r#"file_write = [{ path = "/my files/it's \"x\"" }]"#,
        ),
        (
            http("api.github.com", "/repos/x"),
            Code::E3211,
            "--allow 'network_http=https://api.github.com;methods=GET'",
            r#"network_http = [{ host = "api.github.com", scheme = "https", methods = ["GET"] }]"#,
        ),
        (
            http("localhost", "/"),
            Code::E3211,
            "--allow 'network_http=https://localhost;methods=GET'",
            r#"network_http = [{ host = "localhost", scheme = "https", methods = ["GET"] }]"#,
        ),
        (
            tcp("8.8.8.8", &["db.a.com"]),
            Code::E3211,
            "--allow network_tcp=db.a.com:5432",
            r#"network_tcp = ["db.a.com:5432"]"#,
        ),
        (
            tcp("10.0.0.1", &["db.a.com"]),
            Code::E3211,
            "--allow 'network_tcp=db.a.com:5432;private'",
            r#"network_tcp = ["db.a.com:5432;private"]"#,
        ),
        (
            tcp("fd00::1", &[]),
            Code::E3211,
            "--allow 'network_tcp=[fd00::1]:5432'",
            r#"network_tcp = ["[fd00::1]:5432"]"#,
        ),
        (
            Action::Lookup {
                name: text("db.a.com"),
            },
            Code::E3211,
            "--allow 'network_tcp=db.a.com:*'",
            r#"network_tcp = ["db.a.com:*"]"#,
        ),
        (
            Action::Env { name: text("LANG") },
            Code::E3206,
            "--allow env=LANG",
            r#"env = ["LANG"]"#,
        ),
        (
            Action::SecretReveal { name: text("T") },
            Code::E3212,
            "--allow 'secrets=T;reveal'",
            r#"secrets = [{ name = "T", reveal = true }]"#,
        ),
        (
            Action::SecretInject {
                name: text("T"),
                host: text("a.com"),
                header: text("X-Key"),
                format: text("{}"),
            },
            Code::E3212,
            "--allow 'secrets=T;host=a.com;header=x-key'",
            r#"secrets = [{ name = "T", inject = { host = "a.com", header = "x-key" } }]"#,
        ),
        (
            Action::Subprocess {
                image: text("alpine"),
                command: text("grep"),
            },
            Code::E3206,
            "--allow 'subprocess=image:alpine;command:grep'",
            r#"subprocess = ["image:alpine;command:grep"]"#,
        ),
        (
            Action::ToolInvoke {
                tool_id: text("files.read"),
            },
            Code::E3206,
            "--allow tool_invoke=files.read",
            r#"tool_invoke = ["files.read"]"#,
        ),
        (
            Action::State { bytes: 2048 },
            Code::E3206,
            "--allow state=2KiB",
            r#"state = { quota = "2KiB" }"#,
        ),
        (
            Action::Document {
                id: text("notes/a"),
            },
            Code::E3206,
            "--allow documents=notes/a",
            r#"documents = ["notes/a"]"#,
        ),
        (
            Action::Checkpoint,
            Code::E3206,
            "--allow checkpoint=on",
            "checkpoint = true",
        ),
    ] {
        let denial = deny(&Scope::nothing(), &action);
        assert_eq!(denial.code(), code, "{denial}");
        assert_eq!(denial.flag().as_deref(), Some(flag), "{denial}");
        assert_eq!(denial.manifest_line().as_deref(), Some(line), "{denial}");
    }
}

#[test]
fn sentences_say_what_and_why() {
    let api = scope(&[
        "network_http=https://api.a.com/v1/**",
        "network_tcp=db.a.com:5432",
    ]);
    for (action, sentence) in [
        (
            http("b.com", "/x?token=1"),
            "GET https://b.com/x was denied: network_http covers only https://api.a.com/v1/**",
        ),
        (
            http("api.a.com", "/v1/../admin"),
            "GET https://api.a.com/v1/../admin was denied: it has a dot segment, so that the path cannot be \
             compared with the granted ones",
        ),
        (
            http("127.1", "/"),
            "GET https://127.1/ was denied: the host is not a valid name or address",
        ),
        (
            Action::HttpAddress {
                scheme: "https".to_owned(),
                host: "api.a.com".to_owned(),
                port: 443,
                method: "GET".to_owned(),
                path: "/v1".to_owned(),
                address: "10.0.0.1".parse().expect("an address"),
            },
            "a request to https://api.a.com at 10.0.0.1 was denied: it is an address of a private network, \
             and network_http reaches less far",
        ),
        (
            Action::Tcp {
                address: "127.0.0.1".parse().expect("an address"),
                port: 5432,
                names: vec!["db.a.com".to_owned()],
            },
            "a TCP connection to 127.0.0.1:5432 (db.a.com) was denied: it is an address of this machine, \
             and network_tcp reaches less far",
        ),
        (
            Action::Tcp {
                address: "224.0.0.1".parse().expect("an address"),
                port: 1,
                names: Vec::new(),
            },
            "a TCP connection to 224.0.0.1:1 was denied: it is a multicast address, to which nobody connects",
        ),
        (
            Action::Env {
                name: "HOME".to_owned(),
            },
            "reading the environment variable HOME was denied: no env was granted",
        ),
    ] {
        assert_eq!(denied(&api, &action), sentence);
    }
    let little = scope(&["state=1KiB"]);
    assert_eq!(
        denied(&little, &Action::State { bytes: 2000 }),
        "keeping 2000 bytes of state was denied: the quota is 1024 bytes"
    );
}

#[test]
fn a_name_that_leads_to_a_metadata_service_is_no_reason_to_grant_anything() {
    let scope = scope(&["network_http=a.com"]);
    let action = Action::HttpAddress {
        scheme: "https".to_owned(),
        host: "a.com".to_owned(),
        port: 443,
        method: "GET".to_owned(),
        path: "/".to_owned(),
        address: "169.254.169.254".parse().expect("an address"),
    };
    let denial = deny(&scope, &action);
    assert_eq!((denial.flag(), denial.manifest_line()), (None, None));
    assert!(
        denial.to_string().contains("a cloud's metadata service"),
        "{denial}"
    );
}

#[test]
fn what_a_guest_calls_itself_is_never_suggested_as_a_pattern() {
    for action in [
        Action::ToolInvoke {
            tool_id: "*".to_owned(),
        },
        Action::ToolInvoke {
            tool_id: "files.*".to_owned(),
        },
        Action::Env {
            name: "*".to_owned(),
        },
        Action::Env {
            name: "A\nB".to_owned(),
        },
        Action::Document { id: "*".to_owned() },
        Action::SecretReveal {
            name: "*".to_owned(),
        },
        Action::Lookup {
            name: "*".to_owned(),
        },
        http("*", "/"),
        http("a.com;private", "/"),
    ] {
        let denial = deny(&Scope::nothing(), &action);
        assert_eq!(
            (denial.flag(), denial.manifest_line()),
            (None, None),
            "{action:?}"
        );
    }
}

#[test]
fn the_file_system_reports_links_mounts_and_special_files() {
    let path = Path::new("/etc/passwd");
    let said = Denial::left_grant(path, Access::Read, false).to_string();
    assert_eq!(
        said,
        "reading /etc/passwd was denied: the path leads out of the granted folder"
    );
    let left = Denial::left_grant(path, Access::Read, true);
    assert_eq!(
        left.to_string(),
        "reading /etc/passwd was denied: a link led there, out of the granted folder"
    );
    assert_eq!(
        left.flag().as_deref(),
        Some("--allow file_read=/etc/passwd")
    );
    let outside = Denial::outside_mounts(Path::new("/workspace/README.md"), Access::Read);
    assert_eq!(
        outside.to_string(),
        "reading /workspace/README.md was denied: no granted file or folder appears there"
    );
    assert_eq!(
        outside.flag().as_deref(),
        Some("--allow file_read=/workspace/README.md")
    );
    assert_eq!(
        Denial::left_grant(Path::new("/proc/self/mem"), Access::Read, true).flag(),
        None
    );
    let fifo = Denial::special_file(Path::new("/w/pipe"), Access::Write);
    assert_eq!((fifo.flag(), fifo.manifest_line()), (None, None));
    assert_eq!(fifo.kind(), Kind::FileWrite);
}

#[test]
fn a_path_with_a_mount_separator_gets_no_flag_that_would_grant_another() {
    let action = Action::File {
        path: "/a:/b".into(),
        access: Access::Read,
    };
    let denial = deny(&Scope::nothing(), &action);
    assert_eq!(denial.flag(), None);
    assert_eq!(
        denial.manifest_line().as_deref(),
        Some(r#"file_read = [{ path = "/a:/b" }]"#)
    );
}

#[test]
fn hostile_texts_are_shown_harmlessly() {
    let path = "/a\u{1b}[2J\u{202e}\nb".repeat(100);
    let sentence = denied(
        &Scope::nothing(),
        &Action::File {
            path: path.into(),
            access: Access::Read,
        },
    );
    assert!(
        !sentence.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "{sentence:?}"
    );
    assert!(sentence.contains(r"\u{1b}[2J\u{202e}\u{a}"), "{sentence}");
    assert!(sentence.len() < 2000);
}

#[test]
fn a_denial_is_an_error_with_hints() {
    let action = Action::Env {
        name: "LANG".to_owned(),
    };
    let error = deny(&Scope::nothing(), &action).to_error();
    assert_eq!(error.code(), Code::E3206);
    assert_eq!(
        error.hints(),
        [
            "If you trust the tool with it, add `--allow env=LANG`.",
            "The plugin's manifest must ask for it too: `env = [\"LANG\"]`."
        ]
    );
    let listen = Action::Listen {
        kind: Kind::NetworkTcp,
        address: "0.0.0.0:1".parse().expect("an address"),
    };
    assert_eq!(
        deny(&Scope::nothing(), &listen).to_error().hints(),
        ["No grant can allow it."]
    );
}
