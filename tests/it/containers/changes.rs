//! What a command changed, as its result: nothing of it is in the workspace until a person applies it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use super::{OURS, exec, machine};
use crate::support::docker::Docker;
use crate::support::env::TestEnv;
use crate::support::process::Output;

/// Whom the workspaces of these tests belong to.
const OWNER: u32 = 1000;

/// A workspace that belongs to a user: `ws` of the machine.
pub(super) fn workspace(env: &TestEnv, files: &[(&str, &str)]) -> PathBuf {
    let root = env.path("ws");
    std::fs::create_dir_all(&root).expect("made");
    for (path, text) in files {
        env.write(Path::new("ws").join(path), text.as_bytes());
    }
    give(&root);
    root
}

fn give(path: &Path) {
    std::os::unix::fs::lchown(path, Some(OWNER), Some(OWNER)).expect("root");
    if path.symlink_metadata().expect("there").is_dir() {
        for entry in std::fs::read_dir(path).expect("listed") {
            give(&entry.expect("there").path());
        }
    }
}

/// Runs a script over the workspace and gives the changes.
pub(super) fn changed(docker: &Docker, env: &TestEnv, script: &str) -> Value {
    let words = [
        "--json",
        "--diff",
        "--mount",
        "ws:/workspace:rw",
        "--",
        "sh",
        "-c",
        script,
    ];
    let output = exec(docker, env, &words).output();
    let changes = output.json()["changes"].take();
    assert!(changes.is_object(), "{output}");
    changes
}

/// `path: what` of every change, with a mark where it is refused.
pub(super) fn told(changes: &Value) -> Vec<String> {
    let list = changes["changes"].as_array().expect("a list");
    list.iter()
        .map(|change| {
            let mark = if change["refused"].is_string() {
                " refused"
            } else {
                ""
            };
            let (path, what) = (change["path"].as_str(), change["change"].as_str());
            format!("{} {}{mark}", path.expect("a path"), what.expect("a word"))
        })
        .collect()
}

pub(super) fn sandbox(docker: &Docker, env: &TestEnv, words: &[&str]) -> Output {
    docker
        .run(env, ["sandbox", "--json"].iter().chain(words))
        .output()
}

pub(super) fn id(changes: &Value) -> &str {
    changes["id"].as_str().expect("an id")
}

/// Everything in a folder: type, mode, owner, and what is in it.
pub(super) fn snapshot(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let found = path.symlink_metadata().expect("there");
        let content = if found.is_dir() {
            let entries = std::fs::read_dir(&path).expect("listed");
            open.extend(entries.map(|entry| entry.expect("there").path()));
            String::new()
        } else if found.is_symlink() {
            format!("{:?}", std::fs::read_link(&path).expect("read"))
        } else {
            format!("{:?}", std::fs::read(&path).expect("read"))
        };
        let (mode, owner) = (found.mode(), found.uid());
        seen.insert(path, format!("{mode:o} {owner} {content}"));
    }
    seen
}

#[test]
fn changes_are_shown_and_then_applied() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let files = [
        ("plain.txt", "one\ntwo\n"),
        ("gone.txt", "gone\n"),
        ("script.sh", "echo\n"),
        ("old/a", "a"),
        ("old/deep/b", "b"),
        ("tree/x/y", "y"),
        ("swap", "a file"),
        ("same", "same"),
    ];
    let root = workspace(&env, &files);
    let before = snapshot(&root);
    let script = "echo three >> plain.txt; rm gone.txt; chmod 755 script.sh; mv old new; rm -r tree; rm swap; mkdir swap; \
                  echo in > swap/in; ln -s plain.txt link; touch same; mkdir -p made/deep; echo n > made/deep/n; \
                  head -c 300000 /dev/zero > large; printf 'odd' > \"$(printf 'odd \\377\\n\\\\name')\"; \
                  mkdir closed; echo c > closed/c; chmod 500 closed; exit 3";
    let words = [
        "--diff",
        "--mount",
        "ws:/workspace:rw",
        "--",
        "sh",
        "-c",
        script,
    ];
    let output = exec(docker, &env, &words).output();
    assert_eq!(output.code, Some(3), "the command's own: {output}");
    assert!(output.stderr.contains("sandbox apply"), "{output}");
    assert_eq!(snapshot(&root), before, "nothing of it is in the workspace");
    let listed = sandbox(docker, &env, &["changes"]).ok().json();
    let listed = &listed["waiting"];
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let changes = sandbox(docker, &env, &["changes", id(&listed[0])])
        .ok()
        .json();
    assert_eq!(
        told(&changes),
        [
            "closed added",
            "closed/c added",
            "gone.txt removed",
            "large added",
            "link added",
            "made added",
            "made/deep added",
            "made/deep/n added",
            "new added",
            "new/a added",
            "new/deep added",
            "new/deep/b added",
            "odd \\xff\n\\\\name added",
            "old removed",
            "old/a removed",
            "old/deep removed",
            "old/deep/b removed",
            "plain.txt modified",
            "script.sh modified",
            "swap type-changed",
            "swap/in added",
            "tree removed",
            "tree/x removed",
            "tree/x/y removed",
        ]
    );
    let of = |path: &str| {
        let list = changes["changes"].as_array().expect("a list");
        list.iter()
            .find(|change| change["path"] == path)
            .expect("there")
    };
    assert!(
        of("plain.txt")["diff"]
            .as_str()
            .expect("text")
            .contains("\n+three\n")
    );
    assert!(of("large")["diff"].is_null(), "it is no text");
    assert_eq!(of("large")["after"]["size"], 300_000);
    assert_eq!(of("script.sh")["before"]["mode"], "0644");
    assert_eq!(of("script.sh")["after"]["mode"], "0755");
    assert_eq!(of("link")["after"]["target"], "plain.txt");
    let applied = sandbox(docker, &env, &["apply", id(&changes)]).ok().json();
    assert_eq!(applied["left"], 0, "{applied}");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("there");
    assert_eq!(read("plain.txt"), "one\ntwo\nthree\n");
    assert_eq!(read("new/deep/b"), "b");
    assert_eq!(read("link"), read("plain.txt"));
    assert_eq!(read("swap/in"), "in\n");
    assert_eq!(
        std::fs::read(root.join(OsStr::from_bytes(b"odd \xff\n\\name"))).expect("there"),
        b"odd"
    );
    for path in ["gone.txt", "old", "tree"] {
        assert!(!root.join(path).exists(), "{path}");
    }
    let mode = |path: &str| root.join(path).metadata().expect("there").mode() & 0o777;
    assert_eq!((mode("script.sh"), mode("closed")), (0o755, 0o500));
    for (path, what) in snapshot(&root) {
        assert!(what.contains(" 1000 "), "{path:?}: {what}");
    }
    // What was applied is not there any more, and nothing is left at the daemon.
    let listed = sandbox(docker, &env, &["changes"]).ok().json();
    assert_eq!(
        listed["waiting"].as_array().map(Vec::len),
        Some(0),
        "{listed}"
    );
    let kept = std::fs::read_dir(env.toolhatch_home().join("changes")).expect("there");
    assert_eq!(kept.count(), 0);
    let records = docker.run(&env, ["audit", "query", "--json"]).ok().stdout;
    assert!(records.contains("\"changes_applied\""), "{records}");
}

#[test]
fn what_is_protected_is_never_applied() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let root = workspace(&env, &[("code", "code"), ("sub/.keep", "")]);
    let script = "mkdir -p .git/hooks .github/workflows .ssh sub/.toolhatch; echo x > .git/hooks/pre-commit; echo x > .git/config; \
                  echo x > .git/index; echo x > .github/workflows/ci.yml; echo x > .ssh/authorized_keys; \
                  echo x > sub/.toolhatch/tool.toml; ln -s /tmp sub/.git; ln -s ../../etc out; ln -s /etc abs; ln -s abs via; \
                  mkfifo pipe; cp code setuid; chmod 4755 setuid; echo more >> code";
    let changes = changed(docker, &env, script);
    assert_eq!(
        told(&changes),
        [
            ".git added",
            ".git/config added refused",
            ".git/hooks added refused",
            ".git/hooks/pre-commit added refused",
            ".git/index added",
            ".github added",
            ".github/workflows added refused",
            ".github/workflows/ci.yml added refused",
            ".ssh added refused",
            ".ssh/authorized_keys added refused",
            "abs added refused",
            "code modified",
            "out added refused",
            "pipe added refused",
            "setuid added refused",
            "sub/.git added refused",
            "sub/.toolhatch added refused",
            "sub/.toolhatch/tool.toml added refused",
            "via added refused",
        ]
    );
    let output = sandbox(docker, &env, &["apply", id(&changes)]);
    assert_eq!(output.code, Some(3), "{output}");
    let applied = output.json();
    assert_eq!(
        applied["applied"].as_array().map(Vec::len),
        Some(4),
        "{applied}"
    );
    assert_eq!(applied["left"], 15, "{applied}");
    let here: Vec<_> = snapshot(&root).into_keys().collect();
    let expected = [
        "",
        ".git",
        ".git/index",
        ".github",
        "code",
        "sub",
        "sub/.keep",
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|path| root.join(path).components().collect::<PathBuf>())
        .collect();
    assert_eq!(here, expected);
    // Naming them changes nothing.
    let output = sandbox(
        docker,
        &env,
        &["apply", id(&changes), "--path", ".git/hooks/**"],
    );
    assert_eq!(output.code, Some(3), "{output}");
    assert!(!root.join(".git/hooks").exists());
    let output = sandbox(docker, &env, &["discard", id(&changes)]).ok();
    assert_eq!(output.json()["discarded"], 15, "{output}");
    let output = sandbox(docker, &env, &["apply", id(&changes)]);
    assert_eq!(output.json()["error"]["code"], "E3101", "{output}");
}

#[test]
fn what_changed_meanwhile_is_a_conflict() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let root = workspace(&env, &[("a", "a"), ("b", "b"), ("c", "c"), ("d/e", "e")]);
    let changes = changed(
        docker,
        &env,
        "echo x > a; echo x > b; rm c; rm -r d; echo x > new",
    );
    let before = snapshot(&root);
    std::fs::remove_file(root.join("a")).expect("removed");
    symlink("/etc/passwd", root.join("a")).expect("made");
    env.write("ws/c", b"another");
    env.write("ws/d/f", b"came since");
    env.write("ws/new", b"another");
    let mine = snapshot(&root);
    assert_ne!(mine, before);
    let output = sandbox(docker, &env, &["apply", id(&changes)]).fails_with(4, "E3908");
    let conflicts = output.json()["error"]["details"]["conflicts"].to_string();
    for path in ["/a\"", "/c\"", "/d/f\"", "/new\""] {
        assert!(conflicts.contains(path), "{path}: {conflicts}");
    }
    assert!(!conflicts.contains("/b\""), "{conflicts}");
    assert_eq!(snapshot(&root), mine, "nothing was applied");
    // The rest can be.
    sandbox(docker, &env, &["apply", id(&changes), "--path", "b"]).ok();
    assert_eq!(std::fs::read(root.join("b")).expect("there"), b"x\n");
    assert_eq!(std::fs::read(root.join("c")).expect("there"), b"another");
    // A folder of the workspace that is a link now is not gone through.
    let elsewhere = env.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    let changes = changed(docker, &env, "echo x > d/g");
    std::fs::rename(root.join("d"), root.join("aside")).expect("moved");
    symlink(&elsewhere, root.join("d")).expect("made");
    sandbox(docker, &env, &["apply", id(&changes)]).fails_with(4, "E3908");
    assert_eq!(std::fs::read_dir(&elsewhere).expect("listed").count(), 0);
}

#[test]
fn what_is_changed_while_the_command_runs_is_a_conflict() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let root = workspace(&env, &[("a", "a")]);
    let script = "echo theirs > a; echo begun >&2; while [ ! -e go ]; do sleep 0.1; done";
    let words = [
        "--json",
        "--diff",
        "--timeout",
        "3s",
        "--mount",
        "ws:/workspace:rw",
        "--",
        "sh",
        "-c",
        script,
    ];
    let running = exec(docker, &env, &words).start();
    super::wait_until(|| {
        let containers = docker.engine().containers(OURS);
        containers.iter().any(|it| it["State"] == "running")
    });
    std::thread::sleep(std::time::Duration::from_millis(1500));
    env.write("ws/a", b"mine");
    let output = running.finish().fails_with(124, "E3402");
    // Its time was over, and what it had changed is kept all the same.
    let changes = &output.json()["changes"];
    assert_eq!(changes["changes"][0]["changed_meanwhile"], true, "{output}");
    sandbox(docker, &env, &["apply", id(changes)]).fails_with(4, "E3908");
    assert_eq!(std::fs::read(root.join("a")).expect("there"), b"mine");
}

#[test]
fn covers_lie_over_the_overlay_too() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let root = workspace(
        &env,
        &[
            (".git/hooks/pre", "hook"),
            (".git/config", "config"),
            (".ssh/id", "secret"),
        ],
    );
    env.write("side/x", b"x");
    let words = [
        "--json",
        "--diff",
        "--mount",
        "ws:/workspace:rw",
        "--mount",
        "side:/workspace/new:ro",
        "--",
        "sh",
        "-c",
        "cat .ssh/id; echo x > .git/hooks/pre; echo x > .git/config; rm -rf .git; cat new/x; echo y > new/y; echo > made",
    ];
    let output = exec(docker, &env, &words).output();
    assert!(!output.stdout.contains("secret"), "{output}");
    let changes = &output.json()["changes"];
    assert_eq!(told(changes), ["made added"], "{output}");
    assert_eq!(
        std::fs::read(root.join(".git/hooks/pre")).expect("there"),
        b"hook"
    );
}

#[test]
fn a_killed_process_leaves_nothing() {
    if Docker::get().is_none() {
        return;
    }
    let docker = Docker::private();
    let env = machine(&docker);
    workspace(&env, &[("a", "a")]);
    let words = [
        "--diff",
        "--mount",
        "ws:/workspace:rw",
        "--",
        "sh",
        "-c",
        "echo x > a; rm -r .; sleep 100",
    ];
    let killed = exec(&docker, &env, &words).start();
    super::wait_for_running(&docker);
    killed.signal(Signal::KILL);
    drop(killed.finish());
    let volumes = || docker.engine().volumes(OURS).len();
    assert_eq!(volumes(), 1);
    let kept = changed(&docker, &env, "echo y > a");
    docker.run(&env, ["sandbox", "gc"]).ok();
    assert_eq!(volumes(), 0);
    docker.assert_nothing_left(OURS);
    let left = std::fs::read_dir(env.toolhatch_home().join("changes")).expect("there");
    let left: Vec<_> = left
        .map(|entry| entry.expect("there").file_name())
        .collect();
    assert_eq!(left, [id(&kept)], "what was told of stays");
}

#[test]
fn where_there_can_be_no_overlay_nothing_runs() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    workspace(&env, &[("a", "a")]);
    exec(docker, &env, &["--diff", "--mount", "ws:/w", "--", "true"]).fails_with(2, "E3004");
    exec(
        docker,
        &env,
        &["--diff", "--mount", "ws/a:/w/a:rw", "--", "true"],
    )
    .fails_with(2, "E3004");
    let odd = env.path("ws,lowerdir=");
    std::fs::create_dir(&odd).expect("made");
    chown(&odd, Some(OWNER), Some(OWNER)).expect("root");
    std::fs::set_permissions(&odd, std::fs::Permissions::from_mode(0o755)).expect("set");
    exec(
        docker,
        &env,
        &["--diff", "--mount", "ws,lowerdir=:/w:rw", "--", "true"],
    )
    .fails_with(2, "E3004");
    let kept = std::fs::read_dir(env.toolhatch_home().join("changes")).expect("there");
    assert_eq!(kept.count(), 0);
}

/// The daemon is root, and the kernel makes folders for it that nobody else can look into.
#[test]
fn who_is_not_root_can_throw_changes_away() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    workspace(&env, &[("a.txt", "one\n")]);
    let changes = changed(docker, &env, "echo two >a.txt");
    let kept = env.toolhatch_home().join("changes").join(id(&changes));
    // A user's own, as they are where the user of the workspace is who looks at the changes.
    for own in ["0-0/upper", "0-0/upper/a.txt"] {
        chown(kept.join(own), Some(0), Some(0)).expect("root");
    }
    let kernels = kept.join("0-0/work/work");
    chown(&kernels, Some(1), Some(1)).expect("root");
    let discard = docker.run(&env, ["sandbox", "--json", "discard", id(&changes)]);
    let without = [
        "--bounding-set=-dac_override,-dac_read_search,-fowner",
        "--",
    ];
    discard.behind("setpriv", without).output().ok();
    assert!(!kept.exists());
}

#[test]
fn what_is_kept_is_not_reviewed() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let root = workspace(&env, &[]);
    let words = [
        "--json",
        "--diff",
        "--keep",
        "mine",
        "--mount",
        "ws:/workspace:rw",
        "--",
        "touch",
        "/workspace/x",
    ];
    let output = exec(docker, &env, &words).output();
    assert_eq!(output.json()["error"]["code"], "E3004", "{output}");
    assert!(!root.join("x").exists());
}

#[test]
fn a_folder_that_was_made_again_has_lost_what_was_in_it() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let root = workspace(
        &env,
        &[("again/in/deep/gone", "x"), ("again/in/stays", "s\n")],
    );
    let script = "rm -r again; mkdir -p again/in/deep; echo s > again/in/stays";
    let changes = changed(docker, &env, script);
    assert_eq!(told(&changes), ["again/in/deep/gone removed"]);
    sandbox(docker, &env, &["apply", id(&changes)]).ok();
    assert!(root.join("again/in/stays").exists());
    assert!(!root.join("again/in/deep/gone").exists());
}
