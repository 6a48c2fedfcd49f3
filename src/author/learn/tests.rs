use super::*;
use crate::author::amend::difference;
use crate::error::Code;
use crate::permission::{Action, Scope, Sensitive};

fn denied(action: Action) -> Denial {
    let denied = Scope::nothing().check(&action, &Sensitive::default());
    denied.expect_err("nothing is granted")
}

fn get(method: &str, host: &str, path: &str) -> Denial {
    denied(Action::Http {
        scheme: "https".into(),
        host: host.into(),
        port: 443,
        method: method.into(),
        path: path.into(),
    })
}

fn variables() -> Variables {
    Variables {
        workspace: "/w".into(),
        home: Some("/home/me".into()),
    }
}

fn lessons(denials: &[Denial]) -> Lessons {
    let mut lessons = Lessons::default();
    lessons.learn(denials, Path::new("/w"), &variables());
    lessons
}

#[test]
fn nothing_denied_teaches_nothing() {
    let none = lessons(&[]);
    assert_eq!(none.permissions().expect("written"), "");
    assert_eq!(
        none.amend("name = \"x\"  # mine\n").expect("amended"),
        "name = \"x\"  # mine\n"
    );
}

#[test]
fn a_request_asks_for_its_host_and_methods_alone() {
    let denials = [
        get("GET", "example.com", "/a"),
        get("GET", "example.com", "/b"),
        get("POST", "example.com", "/c"),
        get("GET", "other.org", "/"),
    ];
    let lessons = lessons(&denials);
    assert_eq!(
        lessons.permissions().expect("written"),
        "[permissions]\nnetwork_http = [{ host = \"example.com\", scheme = \"https\", methods = [\"GET\", \"POST\"] }, \
         { host = \"other.org\", scheme = \"https\", methods = [\"GET\"] }]\n"
    );
    assert_eq!(lessons.needs().len(), 3, "the same thing is needed once");
    crate::manifest::parse_toml(
        &format!(
            "schema = 1\nname = \"x\"\nversion = \"1.0.0\"\n{}",
            lessons.permissions().expect("written")
        ),
        "plugin.toml",
    )
    .expect("a manifest takes it");
}

#[test]
fn a_manifest_keeps_everything_that_was_written_in_it() {
    let manifest = "schema = 1\nname = \"x\" # its name\n\n[permissions]\n# why\nnetwork_http = [{ host = \"example.com\", scheme = \"https\", methods = [\"GET\"] }]\nenv = [\"LANG\"]\n\n[limits]\ntimeout = \"5s\"\n";
    let lessons = lessons(&[
        get("PUT", "example.com", "/"),
        denied(Action::State { bytes: 4096 }),
        denied(Action::Env { name: "TZ".into() }),
    ]);
    let amended = lessons.amend(manifest).expect("amended");
    let diff = difference("plugin.toml", manifest, &amended);
    assert!(amended.contains("name = \"x\" # its name") && amended.contains("# why"));
    for line in [
        "--- a/plugin.toml",
        "-network_http = [{ host = \"example.com\", scheme = \"https\", methods = [\"GET\"] }]",
        "+network_http = [{ host = \"example.com\", scheme = \"https\", methods = [\"GET\", \"PUT\"] }]",
        "+env = [\"LANG\", \"TZ\"]",
        "+state = { quota = \"4KiB\" }",
    ] {
        assert!(diff.lines().any(|found| found == line), "{line}: {diff}");
    }
    assert_eq!(
        lessons.amend(&amended).expect("again"),
        amended,
        "it asks for all of it now"
    );
    assert_eq!(difference("plugin.toml", &amended, &amended), "");
}

#[test]
fn paths_are_written_so_that_they_hold_elsewhere_too() {
    let read = |path: &str| {
        denied(Action::File {
            path: path.into(),
            access: Access::Read,
        })
    };
    let lessons = lessons(&[
        read("/w/data/a.csv"),
        read("/home/me/notes"),
        read("/etc/hosts"),
    ]);
    let permissions = lessons.permissions().expect("written");
    for path in [
        "{ path = \"${workspace}/data/a.csv\" }",
        "{ path = \"${home}/notes\" }",
        "{ path = \"/etc/hosts\" }",
    ] {
        assert!(permissions.contains(path), "{path}: {permissions}");
    }
    assert_eq!(lessons.needs()[2].allow, "file_read=/etc/hosts");
}

#[test]
fn what_a_guest_meant_is_what_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let current = folder.path().canonicalize().expect("canonical");
    std::fs::create_dir(current.join("src")).expect("made");
    let mut lessons = Lessons::default();
    let denial = Denial::outside_mounts(Path::new("/src"), Access::Read).meaning("src", None);
    let variables = Variables {
        workspace: current.clone(),
        home: None,
    };
    lessons.learn(&[denial], &current, &variables);
    assert_eq!(
        lessons.needs()[0].allow,
        format!("file_read={}/src:/src", current.display())
    );
    assert!(
        lessons
            .permissions()
            .expect("written")
            .contains("{ path = \"${workspace}/src\", mount = \"/src\" }"),
        "{:?}",
        lessons.permissions()
    );
}

#[test]
fn what_is_to_be_made_is_made_in_the_current_folder_where_only_that_has_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let current = folder.path().canonicalize().expect("canonical");
    std::fs::create_dir(current.join("data")).expect("made");
    let variables = Variables {
        workspace: current.clone(),
        home: None,
    };
    let write = |path: &str| {
        let mut lessons = Lessons::default();
        let denial = Denial::outside_mounts(Path::new(path), Access::Write);
        lessons.learn(&[denial], &current, &variables);
        lessons.permissions().expect("written")
    };
    for (path, expected) in [
        (
            "/data/new.txt",
            "{ path = \"${workspace}/data\", mount = \"/data\" }",
        ),
        ("/new.txt", "{ path = \"${workspace}\", mount = \"/\" }"),
        ("/usr/new.txt", "{ path = \"/usr\" }"),
    ] {
        assert!(write(path).contains(expected), "{}", write(path));
    }
}

#[test]
fn what_no_grant_allows_is_told_apart() {
    let metadata = denied(Action::HttpAddress {
        scheme: "http".into(),
        host: "rebound.example.com".into(),
        port: 80,
        method: "GET".into(),
        path: "/".into(),
        address: "169.254.169.254".parse().expect("an address"),
    });
    let lessons = lessons(&[metadata]);
    assert!(lessons.needs().is_empty());
    assert_eq!(lessons.hopeless().len(), 1);
}

#[test]
fn a_manifest_that_cannot_be_changed_is_an_error() {
    let lessons = lessons(&[get("GET", "example.com", "/")]);
    for text in ["not toml", "permissions = 3\n", "[[permissions]]\n"] {
        assert_eq!(
            lessons.amend(text).expect_err("refused").code(),
            Code::E3105,
            "{text}"
        );
    }
}
