//! Environment, secrets, subprocesses, tools, state, documents, checkpoints; and scopes as a whole.

use super::{capability, problem, scope};
use crate::permission::{Action, Capability, Inject, Kind, Scope, SecretScope};

#[test]
fn kinds_are_read_by_name_and_near_misses_are_guessed() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        Capability::parse(kind, kind.example()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        for broad in Capability::broadest(kind) {
            assert_eq!(broad.kind(), kind);
            assert_eq!(Capability::parse(kind, &broad.to_string()), Ok(broad));
        }
    }
    for (text, near) in [
        ("file-read", "file_read"),
        ("fileread", "file_read"),
        ("FILE_WRITE", "file_write"),
        ("network_htpp", "network_http"),
        ("secret", "secrets"),
        ("tool_invok", "tool_invoke"),
        ("documnets", "documents"),
    ] {
        let error = text.parse::<Kind>().expect_err(text);
        assert_eq!(error.problem(), format!("did you mean `{near}`?"), "{text}");
    }
    let error = "xyzzy".parse::<Kind>().expect_err("no permission");
    assert_eq!(error.problem(), "there is no permission of that name");
}

#[test]
fn variables_are_named_exactly() {
    let scope = scope(&["env=LANG"]);
    for (name, expected) in [
        ("LANG", true),
        ("LANGUAGE", false),
        ("lang", false),
        ("", false),
    ] {
        let action = Action::Env {
            name: name.to_owned(),
        };
        assert_eq!(scope.allows(&action), expected, "{name}");
    }
    assert_eq!(scope.env_names(), Some(vec!["LANG"]));
    assert_eq!(Scope::everything().env_names(), None);
    assert_eq!(Scope::nothing().env_names(), Some(vec![]));
    for (text, why) in [
        ("AWS_*", "without wildcards"),
        ("A=B", "no spaces"),
        ("A B", "no spaces"),
        ("", "empty"),
    ] {
        assert!(problem(Kind::Env, text).contains(why), "{text}");
    }
}

#[test]
fn secrets_go_where_they_are_meant_to_and_are_not_seen() {
    let inject = |name: &str, host: &str, header: &str, format: &str| Action::SecretInject {
        name: name.to_owned(),
        host: host.to_owned(),
        header: header.to_owned(),
        format: format.to_owned(),
    };
    let narrow = scope(&["secrets=T;host=*.a.com;header=Authorization;format=Bearer {}"]);
    assert!(narrow.allows(&inject("T", "x.a.com", "AUTHORIZATION", "Bearer {}")));
    assert!(!narrow.allows(&inject("T", "a.com", "authorization", "Bearer {}")));
    assert!(!narrow.allows(&inject("T", "x.a.com", "x-key", "Bearer {}")));
    assert!(!narrow.allows(&inject("T", "x.a.com", "authorization", "{}")));
    assert!(!narrow.allows(&inject("U", "x.a.com", "authorization", "Bearer {}")));
    let reveal = Action::SecretReveal {
        name: "T".to_owned(),
    };
    assert!(!narrow.allows(&reveal));
    assert!(
        !scope(&["secrets=T"]).allows(&reveal),
        "a plain grant does not reveal"
    );
    assert!(scope(&["secrets=T;reveal"]).allows(&reveal));
    assert!(!scope(&["secrets=T;reveal"]).allows(&inject("T", "a.com", "x", "{}")));
    assert_eq!(
        narrow.meet(&scope(&["secrets=T"])),
        narrow,
        "the grant leaves the place to the request"
    );
    assert!(narrow.meet(&scope(&["secrets=T;reveal"])).is_empty());
}

#[test]
fn a_secret_entry_asks_for_each_use_on_its_own() {
    let texts = |inject, reveal| -> Vec<String> {
        let scopes = SecretScope::entry("T", inject, reveal).expect("valid");
        scopes.iter().map(ToString::to_string).collect()
    };
    let inject = Inject {
        host: "api.a.com".parse().expect("a host"),
        header: Some("Authorization".to_owned()),
        format: Some("a;b%{}".to_owned()),
    };
    let placed = "T;host=api.a.com;header=authorization;format=a%3Bb%25{}";
    assert_eq!(texts(Some(inject.clone()), false), [placed]);
    assert_eq!(texts(Some(inject), true), ["T;reveal", placed]);
    assert_eq!(texts(None, false), ["T"]);
    assert_eq!(texts(None, true), ["T;reveal"]);
    assert_eq!(capability(&format!("secrets={placed}")).to_string(), placed);
    for (text, why) in [
        ("T;format=Bearer", "`{}` once"),
        ("T;format={}{}", "`{}` once"),
        ("T;header=a b", "the name of a header"),
        ("T;reveal;host=a.com", "one by one"),
        ("T;show", "the options are"),
        ("T;format=%zz{}", "written `%25`"),
        ("T;format=%0a{}", "written `%25`"),
        ("a b", "no spaces"),
        ("T;host=127.1", "four decimal numbers"),
    ] {
        assert!(
            problem(Kind::Secrets, text).contains(why),
            "{text}: {}",
            problem(Kind::Secrets, text)
        );
    }
}

#[test]
fn commands_need_image_and_command() {
    let run = |image: &str, command: &str| Action::Subprocess {
        image: image.to_owned(),
        command: command.to_owned(),
    };
    let scope = scope(&["subprocess=image:alpine;command:grep"]);
    assert!(scope.allows(&run("alpine", "grep")));
    assert!(!scope.allows(&run("alpine", "sh")));
    assert!(!scope.allows(&run("alpine:3", "grep")));
    let image = super::scope(&["subprocess=image:alpine"]);
    let command = super::scope(&["subprocess=command:grep"]);
    assert_eq!(image.meet(&command), scope);
    for text in [
        "alpine",
        "image:",
        "image:a;image:b",
        "image:a;shell:b",
        "image:a;",
    ] {
        assert!(Capability::parse(Kind::Subprocess, text).is_err(), "{text}");
    }
    // What is no image has to be named.
    for (text, place, expected) in [
        ("subprocess=*", "direct", false),
        ("subprocess=*", "ssh:h", false),
        ("subprocess=command:grep", "direct", false),
        (
            "subprocess=image:docker.io/library/direct:latest",
            "direct",
            false,
        ),
        (
            "subprocess=image:direct",
            "docker.io/library/direct:latest",
            false,
        ),
        ("subprocess=image:direct;command:sh", "direct", false),
        ("subprocess=image:direct", "direct", true),
        ("subprocess=image:direct;command:grep", "direct", true),
        ("subprocess=image:ssh:h", "ssh:h", true),
        ("subprocess=image:ssh:h", "ssh:g", false),
        ("subprocess=image:ssh:*", "ssh:g", true),
        ("subprocess=image:ssh:*", "direct", false),
    ] {
        let scope = super::scope(&[text]);
        assert_eq!(
            scope.allows(&run(place, "grep")),
            expected,
            "{text}: {place}"
        );
        let all: Scope = Capability::broadest(Kind::Subprocess).into_iter().collect();
        assert_eq!(all.meet(&scope), scope, "{text}");
    }
    let odd = capability("subprocess=command:a%3Bb%25");
    assert_eq!(odd.to_string(), "command:a%3Bb%25");
}

#[test]
fn tools_are_named_by_source_first() {
    for (text, id, expected) in [
        ("files.read", "files.read", true),
        ("files.read", "files.read_all", false),
        ("files.*", "files.read", true),
        ("files.*", "files2.read", false),
        ("files.re*", "files.read", true),
        ("files.re*", "files.write", false),
        ("*", "files.read", true),
        ("server.a.b", "server.a.b", true),
    ] {
        let scope = scope(&[&format!("tool_invoke={text}")]);
        let action = Action::ToolInvoke {
            tool_id: id.to_owned(),
        };
        assert_eq!(scope.allows(&action), expected, "{text}: {id}");
    }
    for text in [
        "git*", "*.read", "f*.read", "files", ".read", "files.", "files.* ", "a.*b",
    ] {
        assert!(Capability::parse(Kind::ToolInvoke, text).is_err(), "{text}");
    }
}

#[test]
fn quotas_have_units_and_the_smaller_one_wins() {
    for (text, bytes, written) in [
        ("1MiB", 1 << 20, "1MiB"),
        ("1024KiB", 1 << 20, "1MiB"),
        ("1 mib", 1 << 20, "1MiB"),
        ("1000", 1000, "1000"),
        ("1kB", 1000, "1000"),
        ("1GB", 1_000_000_000, "1000000000"),
        ("1536", 1536, "1536"),
        ("2B", 2, "2"),
    ] {
        let scope = scope(&[&format!("state={text}")]);
        assert_eq!(scope.state_quota(), bytes, "{text}");
        assert_eq!(scope.to_string(), format!("state={written}"));
    }
    for text in [
        "",
        "0",
        "MiB",
        "1.5MiB",
        "-1",
        "1TiB",
        "99999999999GiB",
        "1 MiB x",
    ] {
        assert!(Capability::parse(Kind::State, text).is_err(), "{text}");
    }
    let both = scope(&["state=1MiB"]).meet(&scope(&["state=64KiB"]));
    assert!(both.allows(&Action::State { bytes: 64 << 10 }));
    assert!(!both.allows(&Action::State {
        bytes: (64 << 10) + 1
    }));
    assert_eq!(Scope::nothing().state_quota(), 0);
}

#[test]
fn documents_and_checkpoints() {
    let scope = scope(&["documents=notes/*", "checkpoint=on"]);
    assert!(scope.allows(&Action::Document {
        id: "notes/a".to_owned()
    }));
    assert!(!scope.allows(&Action::Document {
        id: "note".to_owned()
    }));
    assert!(scope.allows(&Action::Checkpoint));
    assert!(!Scope::nothing().allows(&Action::Checkpoint));
    assert!(Capability::parse(Kind::Checkpoint, "off").is_err());
    assert!(Capability::parse(Kind::Documents, "*/a").is_err());
}

#[test]
fn a_scope_keeps_no_entry_that_another_includes() {
    let scope = scope(&[
        "file_read=/a/b",
        "file_read=/a",
        "file_write=/a/b",
        "network_http=https://x.a.com/y",
        "network_http=*.a.com",
        "env=B",
        "env=A",
    ]);
    assert_eq!(
        scope.to_string(),
        "file_read=/a, file_write=/a/b, network_http=*.a.com, env=A, env=B"
    );
    assert_eq!(
        scope.kinds(),
        [
            Kind::FileRead,
            Kind::FileWrite,
            Kind::NetworkHttp,
            Kind::Env
        ]
    );
    assert_eq!(Scope::nothing().to_string(), "nothing");
    assert_eq!(Scope::everything().kinds(), Kind::ALL);
}

#[test]
fn what_an_upgrade_adds_is_listed() {
    let old = scope(&["file_read=/a", "env=A"]);
    let new = scope(&["file_read=/a/b", "env=A", "env=B", "network_http=a.com"]);
    let added: Vec<_> = new.beyond(&old).iter().map(ToString::to_string).collect();
    assert_eq!(added, ["a.com", "B"]);
}
