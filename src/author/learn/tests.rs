use std::path::PathBuf;

use super::*;
use crate::author::amend::difference;
use crate::error::Code;
use crate::fsx;
use crate::permission::{Access, Action, Scope, Sensitive};

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
    let allow = lessons.needs()[2].allow();
    assert_eq!(allow.as_deref(), Some("file_read=/etc/hosts"));
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
        lessons.needs()[0].allow(),
        Some(format!("file_read={}/src:/src", current.display()))
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

/// A folder with a home in it, what is to be learnt there, and what a person who agrees to it allows.
struct Somewhere {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Somewhere {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("canonical");
        for below in ["home/.ssh", "home/.config", "work", "odd:/private"] {
            std::fs::create_dir_all(root.join(below)).expect("made");
        }
        for below in ["home/notes", "home/.ssh/id", "work/a", "odd:/private/key"] {
            fsx::write_atomic(&root.join(below), b"x", 0o600).expect("written");
        }
        Self { folder, root }
    }

    fn need(&self, access: Access, path: &Path) -> Need {
        let variables = Variables {
            workspace: self.root.join("work"),
            home: Some(self.root.join("home")),
        };
        let mut lessons = Lessons::default();
        let denial = Denial::outside_mounts(path, access);
        lessons.learn(&[denial], &self.folder.path().join("work"), &variables);
        lessons.needs()[0].clone()
    }
}

#[test]
fn what_is_asked_is_what_is_granted() {
    let there = Somewhere::new();
    for (access, tried, granted, warned) in [
        (Access::Read, "work/a", "work/a", ""),
        (Access::Read, "odd:/private/key", "odd:/private/key", ""),
        (
            Access::Write,
            "odd:/private/new",
            "odd:/private",
            "new is not there yet",
        ),
        (Access::Write, "home/notes", "home/notes", ""),
        (
            Access::Write,
            "home/new",
            "home",
            "everything in your home folder",
        ),
        (
            Access::Write,
            "home/.config/x",
            "home/.config",
            "leads to credentials",
        ),
        (Access::Read, ".", ".", "everything in your home folder"),
    ] {
        let path: PathBuf = there.root.join(tried).components().collect();
        let need = there.need(access, &path);
        assert_eq!(need.obstacle(), None, "{tried}");
        let granted: PathBuf = there.root.join(granted).components().collect();
        let words = need.in_plain_words();
        let said = format!("{} and everything below it", granted.display());
        assert!(words.ends_with(&said), "{tried}: {words}");
        let warnings = need.warnings().join("; ");
        assert_eq!(
            warnings.is_empty(),
            warned.is_empty(),
            "{tried}: {warnings}"
        );
        assert!(warnings.contains(warned), "{tried}: {warnings}");

        let grants = need.grants();
        assert!(
            grants.scope.is_empty(),
            "a guest's path is not named: {tried}"
        );
        let roots: Vec<_> = (grants.accepted.files(access))
            .map(|scope| scope.root().map(Path::to_owned))
            .collect();
        assert_eq!(roots, [Some(granted.clone())], "{tried}");
        assert_eq!(grants.accepted.capabilities().len(), 1, "{tried}");
        let mounted: Vec<_> = grants.mounts.iter().map(|mount| &mount.host).collect();
        assert_eq!(mounted, [&granted], "{tried}");
        // No text stands for it where it would be read as something else.
        let is_sayable = !tried.contains(":/");
        assert_eq!(need.allow().is_some(), is_sayable, "{tried}");
    }
}

#[test]
fn nobody_is_asked_about_what_is_not_there_or_is_sensitive() {
    let there = Somewhere::new();
    for (access, tried, why) in [
        (Access::Read, "work/none", "no such file"),
        (Access::Write, "work/none/new", "no folder to make it in"),
        (Access::Read, "home/.ssh/id", "holds credentials"),
        (Access::Write, "home/.ssh/new", "holds credentials"),
        (Access::Write, "home/.bashrc", "is run"),
        (Access::Read, &"work/a".repeat(50), "cannot be shown"),
    ] {
        let path = there.root.join(tried);
        if tried.len() > 200 {
            std::fs::create_dir_all(&path).expect("made");
        }
        let need = there.need(access, &path);
        let obstacle = need.obstacle().unwrap_or_default();
        assert!(obstacle.contains(why), "{tried}: {obstacle}");
    }
}

#[test]
fn a_link_is_asked_about_by_where_it_leads() {
    let there = Somewhere::new();
    let link = there.root.join("work/link");
    std::os::unix::fs::symlink(there.root.join("home"), &link).expect("linked");
    let need = there.need(Access::Read, &link.join("notes"));
    let words = need.in_plain_words();
    let home = there.root.join("home/notes");
    assert!(
        words.contains(&format!("read {}", home.display())),
        "{words}"
    );
    assert!(words.contains("which it sees as"), "{words}");
    let need = there.need(Access::Read, &link.join(".ssh/id"));
    assert!(need.obstacle().is_some());
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

#[test]
fn what_is_looked_for_in_the_workspace_is_asked_for_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = folder.path().canonicalize().expect("it is there");
    fsx::write_atomic(&workspace.join("data-7c1.txt"), b"x", 0o600).expect("written");
    let variables = Variables {
        workspace: workspace.clone(),
        home: None,
    };
    let proposed = |path: &str, access| {
        let denial = Denial::outside_mounts(Path::new(path), access);
        let mut lessons = Lessons::default();
        lessons.learn(&[denial], Path::new("/nowhere"), &variables);
        let is_offered = lessons.needs()[0].obstacle().is_none();
        (lessons.permissions().expect("written"), is_offered)
    };
    for (path, access, line, is_offered) in [
        (
            "/workspace/data-7c1.txt",
            Access::Read,
            "file_read = [{ path = \"${workspace}/data-7c1.txt\", mount = \"/workspace/data-7c1.txt\" }]",
            true,
        ),
        (
            "/workspace/made-7c1.txt",
            Access::Write,
            "file_write = [{ path = \"${workspace}\", mount = \"/workspace\" }]",
            true,
        ),
        (
            "/workspace/none-7c1.txt",
            Access::Read,
            "file_read = [{ path = \"${workspace}/none-7c1.txt\", mount = \"/workspace/none-7c1.txt\" }]",
            false,
        ),
    ] {
        let expected = (format!("[permissions]\n{line}\n"), is_offered);
        assert_eq!(proposed(path, access), expected, "{path}");
    }
}
