//! `toolhatch call --learn`: what a call was denied, as the change of a manifest that would ask for it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::probe_project;
use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};
use crate::support::plugin::pack;
use crate::support::probe;
use crate::support::process::Output;
use crate::support::toolchains::{Author, Language, edit};

const TOOLS: &str =
    "\n[[tools]]\nname = \"web-get\"\ndescription = \"Gets a URL\"\n\n[permissions]\n";

fn server() -> Server {
    Server::start(|_| Response::new(200, "hello"))
}

/// Where it listens, as a manifest asks for it.
fn asked(server: &Server) -> String {
    format!(
        "network_http = [{{ host = \"127.0.0.1\", scheme = \"http\", port = {}, methods = [\"GET\"] }}]",
        server.address().port()
    )
}

fn get(env: &TestEnv, server: &Server, more: &[&str]) -> Vec<String> {
    let url = format!("url={}", server.url("/a"));
    let project = env.path("learner");
    let project = project.to_str().expect("UTF-8");
    let words = ["call", project, "web-get", "--arg", &url];
    words
        .iter()
        .chain(more)
        .map(|word| (*word).to_owned())
        .collect()
}

/// The lines that a difference adds, and those that it takes away.
fn changes(output: &Output) -> (Vec<&str>, Vec<&str>) {
    let of = |sign: &'static str, header: &'static str| {
        let lines = output.stdout.lines();
        lines
            .filter_map(move |line| {
                line.strip_prefix(sign)
                    .filter(|_| !line.starts_with(header))
            })
            .map(str::trim_end)
            .collect()
    };
    (of("+", "+++"), of("-", "---"))
}

fn manifest(project: &Path) -> String {
    std::fs::read_to_string(project.join("plugin.toml")).expect("read")
}

#[test]
fn what_a_request_needs_is_proposed_written_and_then_granted() {
    let env = TestEnv::new();
    let server = server();
    let project = probe_project(&env, "learner", TOOLS);
    let before = manifest(&project);
    let unasked = || {
        let checked = env.run(["plugin", "check", "learner"]).ok();
        checked.stdout.contains("imports what network_http takes")
    };
    env.run(get(&env, &server, &[])).fails_with(1, "E3401");
    assert!(unasked());

    let learnt = env.run(get(&env, &server, &["--learn"])).ok();
    assert_eq!(
        changes(&learnt),
        (vec![asked(&server).as_str()], vec![]),
        "{learnt}"
    );
    assert!(
        learnt.stderr.contains(&format!("GET {}", server.url("/a"))),
        "{learnt}"
    );
    let told = env
        .run(get(&env, &server, &["--learn", "--json"]))
        .ok()
        .json();
    assert_eq!(told["written"], false, "{told}");
    assert_eq!(told["report"]["error"]["code"], "E3401", "{told}");
    assert_eq!(told["needs"].as_array().map(Vec::len), Some(1), "{told}");
    let allow = format!("network_http=http://{};methods=GET", server.address());
    assert_eq!(told["needs"][0]["allow"], allow, "{told}");
    assert_eq!(manifest(&project), before, "it only proposed");

    env.run(get(&env, &server, &["--learn", "--write"])).ok();
    let after = manifest(&project);
    assert_eq!(after, format!("{before}{}\n", asked(&server)));
    assert!(!unasked(), "the manifest asks for it");
    assert_eq!(server.requests().len(), 0, "nothing was allowed so far");

    let called = env.run(get(&env, &server, &["--allow-requested"])).ok();
    assert!(called.stdout.contains("hello"), "{called}");
    // Asking is not being granted.
    env.run(get(&env, &server, &[])).fails_with(1, "E3401");
    let again = env.run(get(&env, &server, &["--learn", "--write"])).ok();
    assert!(
        again.stderr.contains("asks for all of it already"),
        "{again}"
    );
    assert_eq!(manifest(&project), after);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn other_things_are_learnt_too() {
    let env = TestEnv::new();
    env.write("data/a.txt", b"inside");
    probe_project(&env, "learner", "");
    for (tool, arguments, expected) in [
        (
            "read-file",
            json!({"path": "data/a.txt"}),
            "file_read = [{ path = \"${workspace}/data/a.txt\", mount = \"/data/a.txt\" }]",
        ),
        (
            "write-file",
            json!({"path": "data/new.txt", "text": "x"}),
            "file_write = [{ path = \"${workspace}/data\", mount = \"/data\" }]",
        ),
        (
            "tcp-ask",
            json!({"address": "127.0.0.1:9", "line": "x"}),
            "network_tcp = [\"127.0.0.1:9\"]",
        ),
        (
            "call-tool",
            json!({"tool": "files.read", "arguments": "{}"}),
            "tool_invoke = [\"files.read\"]",
        ),
    ] {
        let arguments = arguments.to_string();
        let words = ["call", "learner", tool, "--learn", "--args", &arguments];
        let learnt = env.run(words).ok();
        // The manifest has no permissions yet: their table comes with them.
        let (added, removed) = changes(&learnt);
        assert_eq!(removed, Vec::<&str>::new(), "{learnt}");
        assert_eq!(added.last(), Some(&expected), "{learnt}");
        assert!(added.contains(&"[permissions]"), "{learnt}");
    }
    // A new file of the current folder.
    let new = r#"{"path": "new.txt", "text": "x"}"#;
    let words = ["call", "learner", "write-file", "--args", new];
    env.run(words.iter().chain(&["--learn", "--write"])).ok();
    env.run(words.iter().chain(&["--allow-requested"])).ok();
    assert_eq!(
        std::fs::read(env.path("new.txt")).expect("it was made"),
        b"x"
    );

    let fine = env.run(["call", "learner", "nothing", "--learn"]).ok();
    assert!(fine.stderr.contains("It was denied nothing"), "{fine}");
    assert_eq!(changes(&fine), (vec![], vec![]), "{fine}");
}

#[test]
fn a_person_may_allow_what_was_denied_for_another_attempt() {
    let env = TestEnv::new();
    let server = server();
    let there = server.url("/a");
    let elsewhere = Server::start(move |_| Response::new(302, "").header("location", &there));
    probe_project(&env, "learner", TOOLS);

    let mut terminal = env.run(get(&env, &elsewhere, &["--learn"])).on_terminal();
    terminal.expect("It was denied this.");
    terminal.expect(&format!("GET {}: may it", elsewhere.url("/a")));
    terminal.answer("y");
    // Only now it is known where that leads.
    terminal.expect(&format!("GET {}: may it", server.url("/a")));
    terminal.answer("y");
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("hello"), "{output}");
    let (added, _) = changes(&output);
    assert_eq!(added.len(), 1, "{output}");
    for port in [server.address().port(), elsewhere.address().port()] {
        assert!(added[0].contains(&format!("port = {port}")), "{output}");
    }
    assert_eq!(server.requests().len(), 1);

    let mut terminal = env.run(get(&env, &server, &["--learn"])).on_terminal();
    terminal.expect("may it");
    // Enter means no.
    terminal.answer("");
    let output = terminal.finish().ok();
    assert_eq!(changes(&output).0, [asked(&server)], "{output}");
    let headless = env
        .run(get(&env, &server, &["--learn", "--headless"]))
        .on_terminal();
    let output = headless.finish().ok();
    assert!(!output.stdout.contains("may it"), "{output}");
    assert_eq!(server.requests().len(), 1);
}

/// A call of the probe that learns, with this path and a text that is written there.
fn at_path(tool: &str, path: &Path) -> Vec<String> {
    let mut arguments = json!({ "path": path });
    if tool == "write-file" {
        arguments["text"] = "x".into();
    }
    let arguments = arguments.to_string();
    ["call", "learner", tool, "--learn", "--args", &arguments]
        .map(str::to_owned)
        .to_vec()
}

#[test]
fn what_a_person_agrees_to_is_what_they_were_asked() {
    let env = TestEnv::new();
    probe_project(
        &env,
        "learner",
        "[permissions]\nfile_read = [\"*\"]\nfile_write = [\"*\"]\n",
    );
    env.write("victim/a.txt", b"old");
    let victim = env.path("victim").canonicalize().expect("canonical");

    // What is not there yet takes its whole folder, and the question says so.
    let new = victim.join("new.txt");
    let mut terminal = env.run(at_path("write-file", &new)).on_terminal();
    terminal.expect("careful: new.txt is not there yet, so that this is the whole folder");
    terminal.expect(&format!(
        "may it create, change and remove {} and everything below it?",
        victim.display()
    ));
    terminal.answer("y");
    terminal.finish().ok();
    assert_eq!(std::fs::read(&new).expect("made"), b"x");

    // What is there is granted alone.
    let file = victim.join("a.txt");
    let mut terminal = env.run(at_path("write-file", &file)).on_terminal();
    terminal.expect(&format!(
        "remove {} and everything below it?",
        file.display()
    ));
    terminal.answer("y");
    terminal.finish().ok();
    assert_eq!(std::fs::read(&file).expect("there"), b"x");

    // A path with `:/` in it is itself, and not what comes before that.
    env.write("victim:/private/key", b"its own");
    env.write("victim/private/key", b"of others");
    let odd = victim.with_file_name("victim:").join("private/key");
    let mut terminal = env.run(at_path("read-file", &odd)).on_terminal();
    terminal.expect(&format!(
        "may it read {} and everything below it?",
        odd.display()
    ));
    terminal.answer("y");
    let output = terminal.finish().ok();
    assert!(
        output.stdout.contains("its own") && !output.stdout.contains("of others"),
        "{output}"
    );
}

#[test]
fn nobody_is_asked_about_what_a_yes_could_not_allow() {
    let env = TestEnv::new();
    probe_project(&env, "learner", "");
    let missing = env.path("none").join("no-such.conf");
    let key = env.write(".ssh/key", b"of the person");
    let makes = env.path(".ssh/new");
    for (tool, path, why) in [
        ("read-file", &missing, "there is no such file or folder"),
        ("write-file", &missing, "there is no folder to make it in"),
        (
            "read-file",
            &key,
            "holds credentials: it has to be named with --allow",
        ),
        (
            "write-file",
            &makes,
            "holds credentials: it has to be named with --allow",
        ),
    ] {
        let output = env.run(at_path(tool, path)).on_terminal().finish().ok();
        assert!(!output.stdout.contains("may it"), "{output}");
        assert!(output.stdout.contains(why), "{why}: {output}");
        let proposed = changes(&output).0.last().copied().unwrap_or_default();
        assert!(proposed.starts_with("file_"), "{output}");
    }
    assert!(!makes.exists());
}

#[test]
fn what_was_learnt_is_told_also_where_the_next_attempt_fails() {
    let env = TestEnv::new();
    probe_project(&env, "learner", "[permissions]\n");
    let file = env.write("short-lived.txt", b"x");
    let mut terminal = env.run(at_path("read-file", &file)).on_terminal();
    terminal.expect("may it read");
    std::fs::remove_file(&file).expect("removed");
    terminal.answer("y");
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("Proposal for"), "{output}");
    assert!(output.stdout.contains("short-lived.txt"), "{output}");
}

#[test]
fn what_happened_is_told_also_where_the_manifest_cannot_be_changed() {
    let env = TestEnv::new();
    let file = env.write("wanted.txt", b"x");
    pack(&env, "packed", "1.0.0", "");
    env.write("packed-1.0.0.plugin.toml", b"permissions = 3");
    let mut words = at_path("read-file", &file);
    words[1] = "packed-1.0.0.wasm".to_owned();
    let output = env.run(&words).fails_with(2, "E3105");
    for said in ["The call ended with E3", "wanted.txt", "by hand"] {
        assert!(output.stderr.contains(said), "{said}: {output}");
    }
}

#[test]
fn writing_what_was_learnt_takes_nothing_away() {
    let env = TestEnv::new();
    let kept = "\n[permissions.state]\nquota = \"10MiB\"\n\n[[permissions.file_read]]\npath = \"/one\"\n\n\
                [[permissions.file_read]]\npath = \"/two\"\n";
    let project = probe_project(&env, "learner", kept);
    let before = manifest(&project);
    env.write("a.txt", b"x");
    let file = env.path("a.txt").canonicalize().expect("canonical");
    env.run(
        at_path("read-file", &file)
            .iter()
            .map(String::as_str)
            .chain(["--write"]),
    )
    .ok();
    assert_eq!(
        manifest(&project),
        format!("{before}\n[[permissions.file_read]]\npath = \"${{workspace}}/a.txt\"\n")
    );
    let state = [
        "call",
        "learner",
        "state-set",
        "--learn",
        "--write",
        "--args",
        "{\"key\": \"a\", \"value\": \"1\"}",
    ];
    env.run(state).ok();
    assert!(
        manifest(&project).contains("quota = \"10MiB\""),
        "{}",
        manifest(&project)
    );
}

#[test]
fn who_may_not_allow_anything_learns_all_the_same() {
    let env = TestEnv::new();
    let server = server();
    probe_project(&env, "learner", TOOLS);
    env.write(env.user_config(), b"[permissions]\nallow_flag = false\n");
    let output = env
        .run(get(&env, &server, &["--learn"]))
        .on_terminal()
        .finish()
        .ok();
    assert!(!output.stdout.contains("may it"), "{output}");
    assert_eq!(changes(&output).0, [asked(&server)], "{output}");
    let allow = format!("network_http=http://{}", server.address());
    env.run(get(&env, &server, &["--learn", "--allow", &allow]))
        .fails_with(3, "E3206");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn what_cannot_be_learnt_is_refused() {
    let env = TestEnv::new();
    let server = server();
    let project = probe_project(&env, "learner", TOOLS);
    let probe = probe::file();
    let probe = probe.to_str().expect("UTF-8");
    let url = format!("url={}", server.url("/a"));
    // There is no manifest to write into.
    let words = ["call", probe, "web-get", "--arg", &url, "--learn"];
    let shown = env.run(words).ok();
    assert!(shown.stdout.contains(&asked(&server)), "{shown}");
    env.run(words.iter().chain(&["--write"]))
        .fails_with(4, "E3101");
    // Nor is the manifest of a project that of the component of somebody else that lies in it.
    let before = manifest(&project);
    let other = project.join("somebody-elses.wasm");
    std::fs::copy(probe, &other).expect("copied");
    let other = other.to_str().expect("UTF-8");
    env.run([
        "call", other, "web-get", "--arg", &url, "--learn", "--write",
    ])
    .fails_with(4, "E3101");
    assert_eq!(manifest(&project), before);
    std::fs::remove_file(other).expect("removed");
    // What an installed plugin asks for is settled.
    env.run(["plugin", "install", "learner"]).ok();
    let refused = env
        .run(["call", "learner.web-get", "--arg", &url, "--learn"])
        .fails_with(2, "E3004");
    assert!(refused.stderr.contains("it is installed"), "{refused}");
    for more in [["--learn", "--dry-run"], ["--learn", "--allow-requested"]] {
        assert_eq!(env.run(get(&env, &server, &more)).output().code, Some(2));
    }
    assert_eq!(
        env.run(get(&env, &server, &["--write"])).output().code,
        Some(2)
    );
    edit(
        &project.join("plugin.toml"),
        "[permissions]",
        "permissions = 3",
    );
    env.run(get(&env, &server, &["--learn"]))
        .fails_with(2, "E3105");
    assert_eq!(server.requests().len(), 0);
}

/// A tool that gets a URL, in the place of the one of the template.
const FETCHER: &str = r#"//! Gets what is at an address.

use schemars::JsonSchema;
use serde::Serialize;
use toolhatch_plugin::{Result, http, tool};

/// What is at an address.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page {
    /// The text.
    text: String,
}

/// Gets the text at an address.
#[tool]
pub fn get(
    /// The address.
    #[schemars(length(max = 2000), example = &"https://example.com")]
    url: String,
) -> Result<Page> {
    let text = http::get(url).send()?.error_for_status()?.text()?;
    Ok(Page { text })
}

toolhatch_plugin::plugin!(get);
"#;

#[test]
fn a_tool_in_rust_learns_its_host_and_then_its_check_is_quiet() {
    let Some(author) = Author::of(Language::Rust) else {
        return;
    };
    let server = server();
    let project: PathBuf = author.project("fetcher");
    author
        .env
        .write(project.join("src/lib.rs"), FETCHER.as_bytes());
    let file = project.join("plugin.toml");
    edit(&file, "name = \"count-words\"", "name = \"get\"");
    edit(&file, "pure = true\n", "");
    author.run(&project, ["plugin", "build"]).ok();
    let check = || {
        author
            .run(&project, ["plugin", "check", "--strict"])
            .output()
    };
    let found = check();
    assert!(
        found.stdout.contains("1 warning, ") && found.stdout.contains("network_http"),
        "{found}"
    );

    let url = format!("url={}", server.url("/a"));
    let words = ["call", ".", "--arg", &url];
    author.run(&project, words).fails_with(3, "E3211");
    let learnt = author
        .run(&project, words.iter().chain(&["--learn", "--write"]))
        .ok();
    assert_eq!(
        changes(&learnt),
        (vec![asked(&server).as_str()], vec![]),
        "{learnt}"
    );
    // The manifest is in the plugin, and what was changed since waits for a build.
    for words in [&["plugin", "check"][..], &["plugin", "test"], &words] {
        let told = author.run(&project, words).output();
        let all = format!("{}{}", told.stdout, told.stderr);
        assert!(
            all.contains("was built with another manifest than"),
            "{told}"
        );
    }
    author.run(&project, ["plugin", "build"]).ok();
    let found = check();
    assert!(found.stdout.contains("0 errors, 0 warnings"), "{found}");
    assert_eq!(found.code, Some(0), "{found}");
    author.run(&project, words).fails_with(3, "E3211");
    let called = author
        .run(&project, words.iter().chain(&["--allow-requested"]))
        .ok();
    assert!(called.stdout.contains("hello"), "{called}");
    assert_eq!(server.requests().len(), 1);
}
