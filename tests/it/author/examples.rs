//! `toolhatch plugin test`: the example calls of a project, good ones and bad ones.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::probe_project;
use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};
use crate::support::process::Run;

const PERMISSIONS: &str =
    "[permissions]\nfile_read = [{ path = \"${workspace}\" }]\nstate = { quota = \"1MiB\" }\n";

/// A project of the probe with these example calls.
fn project(env: &TestEnv, calls: &str) -> PathBuf {
    let folder = probe_project(env, "prober", PERMISSIONS);
    env.write(folder.join("tests/calls.toml"), calls.as_bytes());
    folder
}

fn test(env: &TestEnv, more: &[&str]) -> Run {
    env.run(["plugin", "test", "prober"].iter().chain(more))
}

/// Which of the calls came out as they were to be.
#[track_caller]
fn verdicts(report: &Value) -> Vec<(&str, bool)> {
    let calls = report["calls"].as_array().expect("calls").iter();
    calls
        .map(|call| {
            (
                call["call"].as_str().expect("a name"),
                call["ok"].as_bool().expect("a verdict"),
            )
        })
        .collect()
}

#[test]
fn calls_are_held_against_what_they_expect() {
    let env = TestEnv::new();
    let folder = project(
        &env,
        r#"
[[call]]
name = "the result"
tool = "echo-point"
arguments = { value = { x = 1, y = 2, label = "für" } }
expect = { result = { x = 1, y = 2.0, label = "für" } }

[[call]]
name = "another result"
tool = "echo-u8"
arguments = { value = 7 }
expect = { result = { result = 8 } }

[[call]]
name = "a part of it"
tool = "echo-point"
arguments = { value = { x = 1, y = 2, label = "a" } }
expect = { contains = { label = "a" } }

[[call]]
name = "an error that is expected"
tool = "echo-u8"
arguments = { value = 256 }
expect = { error = "E3301", message = "from 0 to 255" }

[[call]]
name = "another error"
tool = "panic"
arguments = { message = "oh no" }
expect = { error = "E3401" }

[[call]]
name = "no error"
tool = "echo-u8"
arguments = { value = 7 }
expect = { error = "E3401" }

[[call]]
name = "a file that was granted"
tool = "read-file"
arguments = { path = "/w/a.txt" }
allow = ["file_read=fixtures:/w"]
expect = { text = "inside" }

[[call]]
name = "a file that was not"
tool = "read-file"
arguments = { path = "/w/a.txt" }

[[call]]
name = "first of a session"
tool = "state-count"
session = "one"
arguments = { key = "n", times = 2 }
allow = ["state=1MiB"]
expect = { result = { result = 2 } }

[[call]]
name = "what is kept stays between calls"
tool = "state-count"
arguments = { key = "n", times = 1 }
allow = ["state=1MiB"]
expect = { result = { result = 3 } }

[[call]]
name = "a clock that stands still"
tool = "sleep"
arguments = { milliseconds = 60000 }
timeout = "1s"
expect = { error = "E3402" }
"#,
    );
    env.write(folder.join("fixtures/a.txt"), b"inside");
    // Each run begins with nothing.
    for _ in 0..2 {
        let output = test(&env, &["--json"]).output();
        assert_eq!(output.code, Some(1), "{output}");
        let report = output.json();
        assert_eq!(
            verdicts(&report),
            [
                ("the result", true),
                ("another result", false),
                ("a part of it", true),
                ("an error that is expected", true),
                ("another error", false),
                ("no error", false),
                ("a file that was granted", true),
                ("a file that was not", false),
                ("first of a session", true),
                ("what is kept stays between calls", true),
                ("a clock that stands still", true),
            ],
            "{output}"
        );
        assert_eq!(report["failed"], 4, "{output}");
    }
    let shown = test(&env, &["--filter", "not"]).output();
    for words in [
        "FAIL  calls: another result",
        ".result is 7, not 8",
        "it was to fail with E3401, and failed with E3404",
        "denied: reading /w/a.txt was denied",
        "in the manifest: file_read",
        "0 calls as expected, 3 not",
    ] {
        assert!(shown.stdout.contains(words), "{words:?}\n{shown}");
    }
    let tmp = std::fs::read_dir(env.toolhatch_home().join("tmp")).map_or(0, Iterator::count);
    assert_eq!(tmp, 0, "the copy of the plugin is gone");
}

#[test]
fn a_snapshot_is_written_once_and_then_compared() {
    let env = TestEnv::new();
    let folder = project(
        &env,
        "[[call]]\nname = \"a/b: ü\"\ntool = \"echo-u8\"\narguments = { value = 7 }\nexpect = { snapshot = true }\n",
    );
    let snapshot = folder.join("tests/snapshots/calls/a-b--ü.json");
    let missing = test(&env, &[]).output();
    assert_eq!(missing.code, Some(1), "{missing}");
    assert!(missing.stdout.contains("there is no snapshot"), "{missing}");
    assert!(!snapshot.exists(), "nobody has looked at it");
    let first = test(&env, &["--update"]).ok();
    assert!(first.stdout.contains("snapshot written"), "{first}");
    let kept: Value =
        serde_json::from_slice(&std::fs::read(&snapshot).expect("written")).expect("JSON");
    assert_eq!(kept["structured"], json!({"result": 7}));
    let second = test(&env, &[]).ok();
    assert!(!second.stdout.contains("snapshot written"), "{second}");

    env.write(
        &snapshot,
        b"{\"structured\": {\"result\": 8}, \"content\": []}",
    );
    let differs = test(&env, &[]).output();
    assert_eq!(differs.code, Some(1), "{differs}");
    assert!(
        differs.stdout.contains(".structured.result is 7, not 8")
            && differs.stdout.contains("--update"),
        "{differs}"
    );
    env.write(&snapshot, b"no JSON");
    let broken = test(&env, &[]).fails_with(2, "E3105");
    assert!(broken.stderr.contains("--update"), "{broken}");
    test(&env, &["--update"]).ok();
    test(&env, &[]).ok();
}

#[test]
fn no_link_of_a_project_leads_out_of_it() {
    let env = TestEnv::new();
    let calls = "[[call]]\nname = \"settings\"\ntool = \"echo-u8\"\narguments = { value = 7 }\nexpect = { snapshot = true }\n";
    let folder = project(&env, calls);
    let settings = env.write("elsewhere/settings.json", b"{\"of\": \"a person\"}");
    let elsewhere = settings.parent().expect("a folder");
    let link = |to: &Path, at: &str| {
        let at = folder.join(at);
        std::fs::create_dir_all(at.parent().expect("a folder")).expect("made");
        std::os::unix::fs::symlink(to, &at).expect("linked");
    };
    let untouched = || {
        let names: Vec<_> = std::fs::read_dir(elsewhere)
            .expect("listed")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(names, ["settings.json"]);
        assert_eq!(
            std::fs::read(&settings).expect("read"),
            b"{\"of\": \"a person\"}"
        );
    };
    let snapshots = folder.join("tests/snapshots");
    for (to, at) in [
        (elsewhere, "tests/snapshots/calls"),
        (elsewhere, "tests/snapshots"),
        (&*settings, "tests/snapshots/calls/settings.json"),
    ] {
        link(to, at);
        let refused = test(&env, &["--update"]).fails_with(3, "E3206");
        assert!(
            refused.stderr.contains("a link leads out of the project"),
            "{refused}"
        );
        untouched();
        if std::fs::remove_file(&snapshots).is_err() {
            std::fs::remove_dir_all(&snapshots).expect("removed");
        }
    }
    link(&settings, "tests/snapshots/calls/settings.json");
    let refused = test(&env, &[]).fails_with(3, "E3206");
    assert!(!refused.stdout.contains("a person"), "{refused}");
    std::fs::remove_dir_all(&snapshots).expect("removed");

    // Within the project they lead where they want.
    std::fs::create_dir_all(folder.join("kept")).expect("made");
    link(&folder.join("kept"), "tests/snapshots/calls");
    test(&env, &["--update"]).ok();
    assert!(folder.join("kept/settings.json").is_file());
    test(&env, &[]).ok();

    // The calls themselves are of the project, too.
    let others = env.write("elsewhere/others.toml", b"of = \"a person\"\n");
    link(&others, "tests/others.toml");
    let refused = test(&env, &[]).fails_with(3, "E3206");
    assert!(
        refused.stderr.contains("others.toml: a link leads out"),
        "{refused}"
    );
    assert!(!refused.stderr.contains("a person"), "{refused}");
}

#[test]
fn a_variable_has_the_value_that_a_person_gave_it() {
    let env = TestEnv::new();
    let folder = probe_project(&env, "prober", "[permissions]\nenv = [\"*\"]\n");
    let calls = |allow: &str, text: &str| {
        let text = format!(
            "[[call]]\nname = \"tells\"\ntool = \"variable\"\nallow = [{allow:?}]\narguments = {{ name = \"TOKEN\" \
             }}\nexpect = {{ text = {text:?} }}\n"
        );
        env.write(folder.join("tests/calls.toml"), text.as_bytes());
    };
    calls("env=TOKEN", "of a person");
    test(&env, &[]).fails_with(3, "E3206");
    let allow = ["--allow", "env=TOKEN=of a person"];
    test(&env, &allow).env("TOKEN", "of the shell").ok();
    test(&env, &["--allow", "env=TOKEN"])
        .env("TOKEN", "of a person")
        .ok();
    calls("env=TOKEN=its own", "its own");
    test(&env, &allow).ok();
}

#[test]
fn the_sessions_of_example_calls_are_those_of_their_run() {
    let env = TestEnv::new();
    let server = Server::start(|_| Response::new(200, "hello"));
    let manifest = format!(
        "[component]\nworld = \"probe:tools/probe\"\nlifecycle = \"session\"\n\
         [[tools]]\nname = \"count\"\nuntrusted_output = true\n[[tools]]\nname = \"web-get\"\n\
         [permissions]\nnetwork_http = [\"http://{}\"]\n",
        server.address()
    );
    let folder = probe_project(&env, "prober", &manifest);
    let call = |name: &str, session: &str, result: u8| {
        format!(
            "[[call]]\nname = {name:?}\ntool = \"count\"\nsession = {session:?}\nexpect = {{ result = {{ result = {result} }} }}\n"
        )
    };
    let calls = [
        call("a", "mine", 1),
        call("b", "mine", 2),
        call("c", "other", 1),
    ]
    .concat();
    env.write(folder.join("tests/calls.toml"), calls.as_bytes());
    for _ in 0..2 {
        test(&env, &[]).ok();
    }
    // What strangers said to those calls is not said in the session of the person.
    let url = format!("url={}", server.url("/a"));
    let allow = format!("network_http=http://{}", server.address());
    let get = [
        "call",
        "prober",
        "web-get",
        "--session",
        "mine",
        "--arg",
        &url,
        "--allow",
        &allow,
    ];
    let got = env.run(get).ok();
    assert!(got.stdout.contains("hello"), "{got}");
    // It would count there.
    env.run(["call", "prober", "count", "--session", "mine"])
        .ok();
    let denied = env.run(get).output();
    assert!(denied.stderr.contains("no-egress-when-tainted"), "{denied}");
}

#[test]
fn files_of_example_calls_that_are_wrong_say_where() {
    let env = TestEnv::new();
    let one = "[[call]]\nname = \"a\"\ntool = \"echo-u8\"\n";
    for (calls, exit, code, said) in [
        ("[[call]", 2, "E3105", "calls.toml:1:8: not valid TOML"),
        ("", 2, "E3105", "call"),
        (
            "[[call]]\nname = \"a\"\ntoool = \"x\"\n",
            2,
            "E3105",
            "calls.toml:3:1: call[0].toool: unknown key; did you mean `tool`?",
        ),
        (
            "[[call]]\nname = 3\n",
            2,
            "E3105",
            "calls.toml:2:8: call[0].name",
        ),
        (
            &format!("{one}{one}"),
            2,
            "E3105",
            "another call of this file has this name",
        ),
        (
            "[[call]]\nname = \"a b\"\nexpect = { snapshot = true }\n\
             [[call]]\nname = \"a-b\"\nexpect = { snapshot = true }\n",
            2,
            "E3105",
            "calls.toml:5:8: call[1].name: its snapshot would be in the file of that of \"a b\"",
        ),
        (
            &format!("{one}expect = {{ error = \"E3401\", text = \"x\" }}\n"),
            2,
            "E3105",
            "a call that fails has no result",
        ),
        (
            &format!("{one}expect = {{ error = \"E3999\" }}\n"),
            2,
            "E3105",
            "there is no such code",
        ),
        (
            &format!("{one}expect = {{ message = \"x\" }}\n"),
            2,
            "E3105",
            "name its code as `error`",
        ),
        (
            &format!("{one}allow = [\"nonsense=x\"]\n"),
            2,
            "E3105",
            "calls.toml:4:10: call[0].allow[0]: ",
        ),
        (
            &format!("{one}timeout = \"soon\"\n"),
            2,
            "E3105",
            "calls.toml:4:11: call[0].timeout: ",
        ),
        (
            "[[call]]\nname = \"a\"\ntool = \"echo-u9\"\n",
            4,
            "E3101",
            "Did you mean `echo-u8`?",
        ),
        (
            "[[call]]\nname = \"a\"\n",
            4,
            "E3101",
            "several tools, and none was named",
        ),
    ] {
        project(&env, calls);
        let failed = test(&env, &[]).fails_with(exit, code);
        assert!(failed.stderr.contains(said), "{said:?}\n{failed}");
    }
    let folder = project(&env, one);
    let failed = test(&env, &["--filter", "nothing like it"]).fails_with(4, "E3101");
    assert!(failed.stderr.contains("no call has"), "{failed}");
    env.write(folder.join("tests/calls.toml"), b"\xff\xfe");
    test(&env, &[]).fails_with(2, "E3004");
    std::fs::remove_dir_all(folder.join("tests")).expect("removed");
    let failed = test(&env, &[]).fails_with(4, "E3101");
    assert!(
        failed.stderr.contains("there are no example calls"),
        "{failed}"
    );
    // Without a component there is nothing to call.
    project(&env, one);
    std::fs::remove_file(folder.join("probe.wasm")).expect("removed");
    let failed = test(&env, &[]).output();
    assert_eq!(failed.code, Some(4), "{failed}");
    test(&env, &["--plugin", "nowhere.wasm"]).fails_with(4, "E3101");
    // The operator's word counts for tests too.
    let allow = format!("{one}arguments = {{ value = 1 }}\nallow = [\"file_read=.\"]\n");
    project(&env, &allow);
    test(&env, &[]).ok();
    env.write(env.user_config(), b"[permissions]\nallow_flag = false\n");
    test(&env, &[]).fails_with(3, "E3206");
}

#[test]
fn a_file_of_a_project_grants_nothing_but_to_read_it() {
    let env = TestEnv::new();
    let folder = probe_project(
        &env,
        "prober",
        "[permissions]\nfile_read = [{ path = \"/\" }]\nfile_write = [{ path = \"/\" }]\nenv = [\"*\"]\n",
    );
    let elsewhere = env.write("elsewhere/a.txt", b"of others");
    let elsewhere = elsewhere.parent().expect("a folder").display().to_string();
    let call = |allow: &str, more: &str| {
        let text = format!(
            "[[call]]\nname = \"reads\"\ntool = \"read-file\"\nallow = [{allow:?}]\n{more}\n[[call]]\nname = \"counts\"\ntool = \
             \"echo-u8\"\narguments = {{ value = 7 }}\n"
        );
        env.write(folder.join("tests/calls.toml"), text.as_bytes());
    };
    let reads = "arguments = { path = \"/w/a.txt\" }\nexpect = { text = \"of others\" }\n";
    let read = format!("file_read={elsewhere}:/w");
    call(&read, reads);
    // Nobody is there to ask, and nothing is run.
    for more in [&[][..], &["--allow", "file_read=prober"]] {
        let refused = test(&env, more).fails_with(3, "E3206");
        let hint = format!("file_read={elsewhere}");
        assert!(refused.stderr.contains(&hint), "{refused}");
        let asks = refused.stderr.contains("\"reads\" asks to read");
        assert!(asks, "{refused}");
        assert_eq!(refused.stdout, "", "{refused}");
    }
    // What is left out asks for nothing.
    test(&env, &["--filter", "counts"]).ok();
    test(&env, &["--allow", "file_read=elsewhere"]).ok();
    test(&env, &["--allow", "file_read=."]).ok();
    test(&env, &["--allow-requested"]).ok();
    let mut terminal = test(&env, &[]).on_terminal();
    terminal.expect("\"reads\": may it read ");
    terminal.answer("y");
    terminal.finish().ok();
    let mut terminal = test(&env, &[]).on_terminal();
    terminal.expect("may it read ");
    terminal.answer("");
    let output = terminal.finish();
    assert_eq!(output.code, Some(3), "{output}");

    // A link does not make it the project's own, and nothing of the project is written: its next build would run that.
    std::os::unix::fs::symlink(&elsewhere, folder.join("within")).expect("linked");
    call("file_read=within:/w", reads);
    test(&env, &[]).fails_with(3, "E3206");
    for allow in [
        "file_write=.",
        "env=HOME",
        "network_http=*:*",
        "tool_invoke=*",
    ] {
        call(allow, reads);
        let refused = test(&env, &[]).fails_with(3, "E3206");
        assert!(refused.stderr.contains("--allow-requested"), "{refused}");
    }
    // What it gives a call itself is its own.
    env.write(folder.join("a.txt"), b"of others");
    call("file_read=.:/w", reads);
    test(&env, &[]).ok();
    let variable = "[[call]]\nname = \"tells\"\ntool = \"variable\"\nallow = [\"env=GREETING=hello\"]\narguments = { name = \"GREETING\" \
                    }\nexpect = { text = \"hello\" }\n";
    env.write(folder.join("tests/calls.toml"), variable.as_bytes());
    test(&env, &[]).ok();
}

#[test]
fn what_a_killed_run_left_goes_with_the_next() {
    let env = TestEnv::new();
    project(
        &env,
        "[[call]]\nname = \"keeps\"\ntool = \"state-set\"\narguments = { key = \"a\", value = \"1\" }\nallow = [\"state=1MiB\"]\n\
         [[call]]\nname = \"hangs\"\ntool = \"sleep\"\narguments = { milliseconds = 60000 }\n",
    );
    let left = |folder: &str| {
        let entries = std::fs::read_dir(env.toolhatch_home().join(folder));
        entries.into_iter().flatten().count()
    };
    let (nothing, _) = std::io::pipe().expect("a pipe");
    let (_told, told) = std::io::pipe().expect("a pipe");
    let mut child = env
        .run(["plugin", "test", "prober"])
        .spawn_with(nothing.into(), told.into());
    let deadline = Instant::now() + Duration::from_secs(60);
    while left("plugin-state/files") == 0 {
        assert!(Instant::now() < deadline, "the first call was not made");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(left("tmp"), 2, "the copy, and its lock");
    test(&env, &["--filter", "keeps"]).ok();
    assert_eq!((left("tmp"), left("plugin-state/files")), (0, 0));
}
