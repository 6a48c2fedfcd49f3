//! Files, folders, and what stays closed in them.

use std::path::{Path, PathBuf};

use super::{denied, problem, scope};
use crate::permission::{
    Access, Action, FileScope, Kind, Reason, Scope, Sensitive, Sensitivity, is_sensitive,
};

fn touch(path: &str, access: Access) -> Action {
    Action::File {
        path: path.into(),
        access,
    }
}

fn read(path: &str) -> Action {
    touch(path, Access::Read)
}

#[test]
fn a_folder_covers_itself_and_what_is_below_by_component() {
    let scope = scope(&["file_read=/workspace"]);
    for (path, expected) in [
        ("/workspace", true),
        ("/workspace/", true),
        ("/workspace/a/b", true),
        ("/workspace/..a", true),
        ("/workspace2", false),
        ("/workspace2/a", false),
        ("/Workspace/a", false),
        ("/", false),
        ("/etc/passwd", false),
    ] {
        assert_eq!(scope.allows(&read(path)), expected, "{path}");
    }
    assert!(
        !scope.allows(&touch("/workspace/a", Access::Write)),
        "reading is not writing"
    );
    let write = super::scope(&["file_write=/workspace"]);
    assert!(
        !write.allows(&read("/workspace/a")),
        "writing is not reading"
    );
}

#[test]
fn paths_that_are_not_canonical_are_denied_even_below_everything() {
    let everything = Scope::everything();
    for path in [
        "/workspace/../etc/passwd",
        "/workspace/./a",
        "/workspace/a/..",
        "workspace",
        "",
        "..",
        "/a\0b",
    ] {
        let denial = everything.check(&read(path), &Sensitive::default());
        let denial = denial.expect_err(path);
        assert_eq!(denial.reason(), &Reason::NotCanonical, "{path:?}");
        assert_eq!(denial.flag(), None);
    }
}

#[test]
fn scopes_are_absolute_paths() {
    for (text, why) in [
        ("src", "not absolute"),
        ("./src", "not absolute"),
        ("~/src", "not absolute"),
        ("/a/../b", "`.` or `..`"),
        ("/a/./b", "`.` or `..`"),
        ("/a\nb", "control character"),
        ("", "empty"),
    ] {
        let found = problem(Kind::FileRead, text);
        assert!(found.contains(why), "{text:?}: {found}");
    }
    assert_eq!(
        FileScope::under("/a//b/", Access::Read),
        FileScope::under("/a/b", Access::Read)
    );
}

#[cfg(unix)]
#[test]
fn a_path_that_cannot_be_written_down_cannot_be_granted() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"/a\xff"));
    let error = FileScope::under(path, Access::Read).expect_err("not UTF-8");
    assert_eq!(error.problem(), "it is not valid UTF-8");
}

#[test]
fn the_meet_is_the_deeper_folder_or_nothing() {
    for (left, right, both) in [
        ("/a", "/a/b", "file_read=/a/b"),
        ("/a/b", "/a/b", "file_read=/a/b"),
        ("/", "/a", "file_read=/a"),
        ("*", "/a", "file_read=/a"),
        ("/workspace", "/workspace2", "nothing"),
        ("/a/b", "/a/c", "nothing"),
    ] {
        let (left, right) = (format!("file_read={left}"), format!("file_read={right}"));
        assert_eq!(
            scope(&[&left]).meet(&scope(&[&right])).to_string(),
            both,
            "{left} {right}"
        );
    }
}

#[test]
fn credentials_stay_closed_in_a_granted_home() {
    let home = scope(&["file_read=/home/me", "file_write=/home/me"]);
    let sensitive = Sensitive::default().naming(&home);
    for path in [
        ".ssh/id_ed25519",
        ".ssh",
        ".SSH/config",
        ".gnupg/pubring.kbx",
        ".aws/credentials",
        ".kube/config",
        ".docker/config.json",
        ".netrc",
        ".git-credentials",
        ".config/gcloud/credentials.db",
        ".config/gh/hosts.yml",
        ".local/share/keyrings/login.keyring",
        ".password-store/x.gpg",
        ".mozilla/firefox/x/cookies.sqlite",
        ".config/google-chrome/Default/Cookies",
        "backup/me/.ssh/id_rsa",
        "Library/Keychains/login.keychain-db",
        ".cargo/credentials.toml",
    ] {
        for access in [Access::Read, Access::Write] {
            let path = Path::new("/home/me").join(path);
            let denial = home
                .check_file(&path, access, &sensitive)
                .expect_err("closed");
            assert!(
                matches!(denial.reason(), Reason::Closed(closed) if closed.why == Sensitivity::Credentials),
                "{access} {}: {denial}",
                path.display(),
            );
            assert!(denial.flag().is_some(), "a person can name it");
        }
    }
    for path in [
        "project/src/main.rs",
        ".sshd",
        "ssh/id_rsa",
        ".docker/daemon.json",
        ".config/ghostty/config",
        ".config/other/gh",
        "config/gh",
        ".cargo/config.toml",
        "library/books",
    ] {
        let path = Path::new("/home/me").join(path);
        home.check_file(&path, Access::Read, &sensitive)
            .expect("open");
        home.check_file(&path, Access::Write, &sensitive)
            .expect("open");
    }
}

#[test]
fn what_runs_later_is_closed_to_writing_only() {
    for path in [
        "/w/.git/hooks/pre-commit",
        "/w/.git/config",
        "/w/.git/modules/x/hooks/post-checkout",
        "/w/sub/.git/hooks",
        "/w/.toolhatch/config.toml",
        "/w/.bashrc",
        "/w/.profile",
        "/w/.config/systemd/user/x.service",
    ] {
        assert_eq!(is_sensitive(Path::new(path), Access::Read), None, "{path}");
        assert_eq!(
            is_sensitive(Path::new(path), Access::Write),
            Some(Sensitivity::RunsLater),
            "{path}"
        );
    }
    for path in [
        "/w/.git/index",
        "/w/.git/refs/heads/main",
        "/w/.gitignore",
        "/w/hooks/a",
    ] {
        assert_eq!(is_sensitive(Path::new(path), Access::Write), None, "{path}");
    }
}

#[test]
fn an_entry_that_leads_to_a_closed_one_cannot_be_moved_away() {
    for path in [
        "/h/.config",
        "/h/.git",
        "/h/.local",
        "/h/.local/share",
        "/h/.docker",
    ] {
        let path = Path::new(path);
        assert_eq!(
            is_sensitive(path, Access::Write),
            Some(Sensitivity::LeadsThere)
        );
        assert_eq!(is_sensitive(path, Access::Read), None);
        assert_eq!(is_sensitive(&path.join("new"), Access::Write), None);
    }
    assert_eq!(
        is_sensitive(Path::new("/h/library"), Access::Write),
        None,
        "a plain word"
    );
}

#[test]
fn a_person_opens_a_closed_path_by_naming_it() {
    let granted = scope(&["file_read=/home/me/.ssh/known_hosts"]);
    let sensitive = Sensitive::default().naming(&granted);
    let check = |scope: &Scope, path: &str| {
        scope
            .check_file(Path::new(path), Access::Read, &sensitive)
            .is_ok()
    };
    // The request may be wider: what counts is what the person typed.
    let effective = scope(&["file_read=/home/me"]).meet(&granted);
    assert!(check(&effective, "/home/me/.ssh/known_hosts"));
    assert!(!check(&effective, "/home/me/.ssh/id_rsa"));
    assert!(check(
        &Scope::everything().meet(&granted),
        "/home/me/.ssh/known_hosts"
    ));

    let folder = scope(&["file_read=/home/me/.ssh"]);
    let sensitive = Sensitive::default().naming(&folder);
    let path = Path::new("/home/me/.ssh/id_rsa");
    assert!(folder.check_file(path, Access::Read, &sensitive).is_ok());
    let deeper = Path::new("/home/me/.ssh/x/.aws/credentials");
    assert!(
        folder.check_file(deeper, Access::Read, &sensitive).is_err(),
        "closed once more"
    );
    let write = scope(&["file_read=/home/me/.ssh", "file_write=/home/me"]);
    assert!(
        write.check_file(path, Access::Write, &sensitive).is_err(),
        "named for reading"
    );
}

#[test]
fn a_manifest_cannot_name_what_a_person_granted_only_around() {
    let requested = scope(&["file_read=/home/me/.ssh"]);
    let granted = scope(&["file_read=/home/me"]);
    let effective = requested.meet(&granted);
    assert!(
        effective.allows(&read("/home/me/.ssh/id_rsa")),
        "the scopes alone would"
    );
    let sensitive = Sensitive::default().naming(&granted);
    let denial = effective.check(&read("/home/me/.ssh/id_rsa"), &sensitive);
    assert_eq!(
        denial.expect_err("closed").to_string(),
        "reading /home/me/.ssh/id_rsa was denied: \
         /home/me/.ssh holds credentials and was not itself named in a grant"
    );
}

#[test]
fn nothing_opens_the_kernel_and_toolhatch_itself() {
    let own = PathBuf::from("/home/me/.local/share/toolhatch");
    let granted = scope(&[
        "file_read=/proc/self/environ",
        "file_read=/home/me/.local/share/toolhatch/keys",
        "file_write=/home/me",
        "file_read=/",
    ]);
    let sensitive = Sensitive::new(vec![own]).naming(&granted);
    for (path, access, why) in [
        ("/proc/self/environ", Access::Read, Sensitivity::Kernel),
        ("/proc", Access::Read, Sensitivity::Kernel),
        ("/sys/kernel", Access::Read, Sensitivity::Kernel),
        ("/dev/null", Access::Read, Sensitivity::Kernel),
        (
            "/home/me/.local/share/toolhatch/keys",
            Access::Read,
            Sensitivity::OwnState,
        ),
        (
            "/home/me/.local/share/toolhatch",
            Access::Write,
            Sensitivity::OwnState,
        ),
        // Renaming a folder above it would move it to where it is not recognised.
        ("/home/me/.local", Access::Write, Sensitivity::OwnState),
        ("/home/me", Access::Write, Sensitivity::OwnState),
    ] {
        let denial = granted
            .check(&touch(path, access), &sensitive)
            .expect_err(path);
        assert!(
            matches!(denial.reason(), Reason::Closed(closed) if closed.why == why),
            "{path}: {denial}"
        );
        assert_eq!(
            (denial.flag(), denial.manifest_line()),
            (None, None),
            "{path}"
        );
    }
    let sibling = read("/home/me/.local/share/toolhatch2/x");
    assert!(granted.check(&sibling, &sensitive).is_ok());
    assert!(granted.check(&read("/process"), &sensitive).is_ok());
    assert!(granted.check(&read("/home/me/.local"), &sensitive).is_ok());
}

#[test]
fn a_denial_names_what_was_granted() {
    assert_eq!(
        denied(&scope(&["file_read=/workspace"]), &read("/etc/passwd")),
        "reading /etc/passwd was denied: file_read covers only /workspace"
    );
    assert_eq!(
        denied(&Scope::nothing(), &touch("/etc/passwd", Access::Write)),
        "writing /etc/passwd was denied: no file_write was granted"
    );
    let many = scope(&[
        "file_read=/a",
        "file_read=/b",
        "file_read=/c",
        "file_read=/d",
    ]);
    assert_eq!(
        denied(&many, &read("/e")),
        "reading /e was denied: file_read covers only /a, /b, /c and 1 more"
    );
}

#[test]
fn folders_on_the_way_to_a_grant_are_known() {
    let scope = scope(&["file_read=/a/b/c", "file_write=/d"]);
    for (path, expected) in [
        ("/", true),
        ("/a", true),
        ("/a/b", true),
        ("/a/b/c", false),
        ("/a/b/c/d", false),
        ("/a/x", false),
        ("/d", false),
    ] {
        assert_eq!(scope.reaches_below(Path::new(path)), expected, "{path}");
    }
}

#[test]
fn rules_with_plain_words_and_any_case_are_found() {
    for path in [
        "/h/_netrc",
        "/h/snap/firefox/x",
        "/h/Snap/Firefox",
        "/h/LIBRARY/Cookies",
        "/h/.NETRC",
    ] {
        let found = is_sensitive(Path::new(path), Access::Read);
        assert_eq!(found, Some(Sensitivity::Credentials), "{path}");
    }
}
