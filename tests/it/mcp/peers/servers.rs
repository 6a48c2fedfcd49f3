//! Servers that others wrote, confined as processes of this machine, as sources of tools.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{PATIENCE, Peers};
use crate::direct::is_enforced;
use crate::support::env::{TestEnv, is_open};
use crate::support::http::{Response, Server};
use crate::support::left_out::leave_out;
use crate::support::process::Run;

/// Whom a root's servers run as, where nothing that they may write to belongs to somebody else.
const NOBODY: u32 = 65534;

/// The servers, by the names that they are declared under: how many tools they have, and which way they talk.
const SERVERS: [(&str, usize, &str); 7] = [
    ("everything", 15, "legacy"),
    ("filesystem", 14, "legacy"),
    ("memory", 9, "legacy"),
    ("notion", 24, "legacy"),
    ("time", 2, "modern"),
    ("git", 12, "modern"),
    ("fetch", 1, "modern"),
];

/// A machine where all of them are declared, each with no more than it needs. They may read and write the folder `granted`.
struct Machine {
    env: TestEnv,
    /// The folder, as they are told of it.
    granted: String,
}

impl Machine {
    #[track_caller]
    fn get() -> Option<(Self, Peers)> {
        let peers = Peers::get()?;
        if !is_enforced() {
            let asked = std::panic::Location::caller();
            leave_out("landlock", "Linux 6.12, which confines processes", asked);
            return None;
        }
        Some((Self::new(&peers, ""), peers))
    }

    /// `fetch` is what it may reach.
    fn new(peers: &Peers, fetch: &str) -> Self {
        let env = TestEnv::new();
        let granted = env.path("granted");
        std::fs::create_dir_all(&granted).expect("created");
        let mut text = String::new();
        if rustix::process::geteuid().is_root() {
            open(&env.path(".."), 0o711);
            open(&env.path(""), 0o755);
            if is_open(&peers.folder) && is_open(&env.path("")) {
                std::os::unix::fs::chown(&granted, Some(NOBODY), Some(NOBODY)).expect("changed");
            } else {
                // Below somebody's home nobody else gets to them.
                text.push_str("[docker]\nallow_root = true\n");
            }
        }
        let granted = granted.to_string_lossy().into_owned();
        let node = peers.node();
        let script = |path: &str| peers.package(path);
        let python = |program: &str| peers.path(format!("python/bin/{program}"));
        let of_node = [
            format!("file_read={}", peers.path("node")),
            format!("file_read={}", peers.path("node_modules")),
        ];
        let of_python = [format!("file_read={}", peers.path("python"))];
        let folder = ["file_read", "file_write"].map(|kind| format!("{kind}={granted}"));
        let memory = format!("env = {{ MEMORY_FILE_PATH = \"{granted}/memory.jsonl\" }}\n");
        let mut declare = |name: &str, command: &[String], allow: &[&[String]], more: &str| {
            let allow = allow.concat();
            text.push_str(&format!(
                "[mcp.servers.{name}]\ncommand = {command:?}\nallow = {allow:?}\n{more}"
            ));
        };
        let official = |name: &str| {
            script(&format!(
                "@modelcontextprotocol/server-{name}/dist/index.js"
            ))
        };
        declare(
            "everything",
            &[node.clone(), official("everything")],
            &[&of_node],
            "",
        );
        declare(
            "filesystem",
            &[node.clone(), official("filesystem"), granted.clone()],
            &[&of_node, &folder],
            "",
        );
        declare(
            "memory",
            &[node.clone(), official("memory")],
            &[&of_node, &folder],
            &memory,
        );
        declare(
            "notion",
            &[node, script("@notionhq/notion-mcp-server/bin/cli.mjs")],
            &[&of_node],
            "env = { NOTION_TOKEN = \"none\" }\n",
        );
        declare("time", &[python("mcp-server-time")], &[&of_python], "");
        declare(
            "git",
            &[python("mcp-server-git")],
            &[&of_python, &folder],
            "",
        );
        let reaching: Vec<String> = fetch.split_terminator(' ').map(str::to_owned).collect();
        let words = [
            "--allow-private-ips",
            "--ignore-robots-txt",
            "--proxy-url",
            "http://127.0.0.1:3128",
        ];
        let mut command = vec![python("mcp-server-fetch")];
        command.extend(words.map(str::to_owned));
        declare("fetch", &command, &[&of_python, &reaching], "");
        env.write(env.user_config(), text.as_bytes());
        Self { env, granted }
    }

    fn run(&self, words: &[&str]) -> Run {
        self.env.run(words).timeout(PATIENCE)
    }

    fn call(&self, tool: &str, arguments: &Value) -> Run {
        self.run(&["call", tool, "--json", "--args", &arguments.to_string()])
    }

    /// A file in the folder, which belongs to whom that does.
    fn put(&self, name: &str, contents: &[u8]) -> String {
        let path = self.env.write(Path::new("granted").join(name), contents);
        path.to_string_lossy().into_owned()
    }
}

fn open(folder: &Path, mode: u32) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).expect("ours");
}

/// The text of a result's first block.
fn text(result: &Value) -> &str {
    let text = result["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("{result}"))
}

#[test]
fn each_starts_confined_and_all_its_tools_are_understood() {
    let Some((machine, _)) = Machine::get() else {
        return;
    };
    for (name, tools, era) in SERVERS {
        let tested = machine.run(&["mcp", "test", name, "--json"]).ok();
        let found = tested.json();
        assert_eq!(
            found["tools"].as_array().map(Vec::len),
            Some(tools),
            "{tested}"
        );
        assert_eq!(found["era"], era, "{tested}");
        assert_eq!(found["left_out"], serde_json::json!([]), "{tested}");
        assert_eq!(found["noise"]["lines"], 0, "{tested}");
        let posture = found["posture"].as_str().expect("a sentence");
        assert!(
            posture.contains("seccomp=2 landlock=6 network=none"),
            "{posture}"
        );
    }
    let listed = machine.run(&["tools", "list", "--json"]).ok().json();
    let ids: Vec<&str> = listed["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tool| tool["id"].as_str())
        .collect();
    for (name, tools, _) in SERVERS {
        let begins = format!("{name}.");
        let of_it = ids.iter().filter(|id| id.starts_with(&begins)).count();
        assert_eq!(of_it, tools, "{name}: {ids:?}");
    }
}

#[test]
fn an_agent_gets_the_tools_of_all_of_them_in_schemas_without_fault() {
    let Some((machine, peers)) = Machine::get() else {
        return;
    };
    let places = super::places(&machine.env);
    let variables = places.map(|(name, value)| format!("{name}={value}"));
    let inspect = |words: &[&str]| {
        let launcher = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";
        let mut all = vec![
            "--cli",
            "-e",
            &variables[0],
            "-e",
            &variables[1],
            "--format",
            "json",
        ];
        all.extend(words);
        all.extend([env!("CARGO_BIN_EXE_toolhatch"), "mcp", "serve"]);
        peers.run(&machine.env, &peers.package(launcher), &all).ok()
    };
    // Each is seen once: what is listed before that is what has answered so far.
    for (name, ..) in SERVERS {
        machine.run(&["mcp", "test", name]).ok();
    }
    let listed = inspect(&[
        "--protocol-era",
        "modern",
        "--method",
        "tools/list",
        "--strict",
    ]);
    assert!(listed.stderr.contains("0 errors"), "{listed}");
    let tools = listed.json()["result"]["tools"].clone();
    let tools = tools.as_array().expect("a list");
    for (name, count, _) in SERVERS {
        // A server whose only tool has its own name has just that.
        let of_it = tools.iter().filter_map(|tool| tool["name"].as_str());
        let of_it = of_it.filter(|tool| *tool == name || tool.starts_with(&format!("{name}_")));
        assert_eq!(of_it.count(), count, "{name}: {listed}");
    }
    let drafts = tools
        .iter()
        .filter(|tool| tool.to_string().contains("draft-07"));
    assert_eq!(drafts.count(), 0, "{listed}");
    let words = [
        "--protocol-era",
        "legacy",
        "--method",
        "tools/call",
        "--tool-name",
    ];
    let rest = [
        "everything_get-sum",
        "--tool-args-json",
        "{\"a\": 20, \"b\": 22}",
    ];
    let words: Vec<&str> = words.iter().chain(&rest).copied().collect();
    let called = inspect(&words).json();
    assert!(text(&called["result"]).contains("42"), "{called}");
}

#[test]
fn the_server_for_files_reads_and_asks_before_it_writes() {
    let Some((machine, _)) = Machine::get() else {
        return;
    };
    let path = machine.put("a.txt", b"from a file\n");
    let path = |name: &str| path.replace("a.txt", name);
    let read = |name: &str| {
        let arguments = serde_json::json!({"path": path(name)});
        machine.call("filesystem.read_text_file", &arguments)
    };
    assert_eq!(text(&read("a.txt").ok().json()), "from a file\n");
    read("../../secret").fails_with(1, "E3401");
    let arguments = serde_json::json!({"path": path("b.txt"), "content": "written"});
    let write = || machine.call("filesystem.write_file", &arguments);
    // It says of itself that it can destroy something.
    let asked = write().fails_with(3, "E3213").json();
    let approval = asked["error"]["details"]["approval"]
        .as_str()
        .expect("an id");
    let mut terminal = machine.run(&["approvals", "allow", approval]).on_terminal();
    terminal.expect("Allow this call?");
    terminal.answer("y");
    terminal.finish().ok();
    write().ok();
    assert_eq!(text(&read("b.txt").ok().json()), "written");
}

#[test]
fn the_server_for_git_says_what_is_in_a_repository() {
    let Some((machine, _)) = Machine::get() else {
        return;
    };
    machine.put("a.txt", b"one\n");
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        let identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"];
        command
            .args(identity)
            .args(["-C", &machine.granted])
            .args(words);
        // The folder is already nobody's.
        command.env("HOME", machine.env.path("../home"));
        for (name, value) in [
            ("COUNT", "1"),
            ("KEY_0", "safe.directory"),
            ("VALUE_0", "*"),
        ] {
            command.env(format!("GIT_CONFIG_{name}"), value);
        }
        let output = command.output().expect("git is installed");
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "a.txt"]);
    git(&["commit", "--quiet", "--message=The first one"]);
    machine.put("b.txt", b"two\n");
    // A repository is read by whom it belongs to.
    let mut chown = Command::new("chown");
    chown.args([
        "--recursive",
        "--reference",
        &machine.granted,
        &machine.granted,
    ]);
    assert!(chown.status().expect("started").success());
    let arguments = serde_json::json!({"repo_path": machine.granted});
    let status = machine.call("git.git_status", &arguments).ok().json();
    assert!(text(&status).contains("b.txt"), "{status}");
    let log = machine.call("git.git_log", &arguments).ok().json();
    assert!(text(&log).contains("The first one"), "{log}");
}

#[test]
fn the_server_for_memories_keeps_them_in_its_folder() {
    let Some((machine, _)) = Machine::get() else {
        return;
    };
    let entity =
        serde_json::json!({"name": "hatch", "entityType": "door", "observations": ["is shut"]});
    let arguments = serde_json::json!({"entities": [entity]});
    machine.call("memory.create_entities", &arguments).ok();
    // Another process of it.
    let graph = machine
        .call("memory.read_graph", &serde_json::json!({}))
        .ok()
        .json();
    assert_eq!(
        graph["structured"]["entities"][0]["name"], "hatch",
        "{graph}"
    );
}

#[test]
fn every_kind_of_content_comes_through_and_nothing_of_our_environment_goes_there() {
    let Some((machine, _)) = Machine::get() else {
        return;
    };
    let image = machine.call("everything.get-tiny-image", &serde_json::json!({}));
    let image = image.ok().json();
    let blocks = image["content"].as_array().expect("a list");
    assert!(
        blocks.iter().any(|block| block["mimeType"] == "image/png"),
        "{image}"
    );
    let links = machine.call(
        "everything.get-resource-links",
        &serde_json::json!({"count": 3}),
    );
    let links = links.ok().json();
    let blocks = links["content"].as_array().expect("a list");
    let count = blocks
        .iter()
        .filter(|block| block["type"] == "resource_link")
        .count();
    assert_eq!(count, 3, "{links}");
    let weather = serde_json::json!({"location": "Chicago"});
    let weather = machine
        .call("everything.get-structured-content", &weather)
        .ok()
        .json();
    assert!(
        weather["structured"]["temperature"].is_number(),
        "{weather}"
    );
    let environment = machine
        .call("everything.get-env", &serde_json::json!({}))
        .env("TOOLHATCH_TEST_SECRET", "s3cret")
        .ok()
        .json();
    let environment: Value = serde_json::from_str(text(&environment)).expect("JSON");
    let names: Vec<&String> = environment.as_object().expect("a table").keys().collect();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR"], "{environment}");
}

#[test]
fn the_server_for_times_is_called_by_what_its_schema_says() {
    let Some((machine, _)) = Machine::get() else {
        return;
    };
    let arguments = serde_json::json!({"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"});
    let converted = machine.call("time.convert_time", &arguments).ok().json();
    assert!(text(&converted).contains("T21:00:00+09:00"), "{converted}");
    let wrong = serde_json::json!({"timezone": [7]});
    machine
        .call("time.get_current_time", &wrong)
        .fails_with(2, "E3301");
}

#[test]
fn the_server_that_fetches_reaches_what_it_was_granted() {
    let Some((_, peers)) = Machine::get() else {
        return;
    };
    let page = || Response::new(200, "from the web").header("content-type", "text/plain");
    let (open, closed) = (
        Server::start(move |_| page()),
        Server::start(move |_| page()),
    );
    let origin = open.url("");
    let machine = Machine::new(
        &peers,
        &format!("network_http={};private", origin.trim_end_matches('/')),
    );
    let fetch =
        |url: String| machine.call("fetch.fetch", &serde_json::json!({"url": url, "raw": true}));
    let fetched = fetch(open.url("/page")).ok().json();
    assert!(text(&fetched).contains("from the web"), "{fetched}");
    let denied = fetch(closed.url("/page")).fails_with(1, "E3401");
    assert!(denied.stdout.contains("403"), "{denied}");
    assert!(closed.requests().is_empty());
    // It is recorded how it was started, whom it asked and whom it may not ask, though no call says so.
    let story = machine.run(&["audit", "query", "--json"]).ok();
    let story = story.json();
    let records = story["records"].as_array().expect("records");
    let of_server = |kind: &str| {
        let is_it = |record: &&Value| record["type"] == kind && record["data"]["server"] == "fetch";
        let found: Vec<String> = records.iter().filter(is_it).map(Value::to_string).collect();
        found.join("\n")
    };
    for (kind, words) in [
        ("command_executed", "landlock="),
        ("network_touched", origin.trim_end_matches('/')),
        ("permission_denied", "127.0.0.1"),
    ] {
        let found = of_server(kind);
        assert!(found.contains(words), "{kind}: {found}\n{story}");
    }
}

#[test]
fn a_person_fills_in_the_form_of_one_that_asks_in_the_middle_of_a_call() {
    let Some((machine, _)) = Machine::get() else {
        return;
    };
    let ask = || machine.run(&["call", "everything.trigger-elicitation-request"]);
    let mut terminal = ask().on_terminal();
    terminal.expect("everything.trigger-elicitation-request asks:");
    terminal.answer("y");
    terminal.expect("String (text):");
    terminal.answer("Ada");
    // All the rest may be left out or is proposed.
    terminal.press(&"\n".repeat(12));
    let output = terminal.finish().ok();
    for told in [
        "Name: Ada",
        "Favorite Integer: 42",
        "Favorite Number: 3.14",
        "\"untitledMultipleSelectEnum\": [",
        "\"titledSingleSelectEnum\": \"hero-1\"",
        "\"legacyTitledEnum\": \"pet-1\"",
    ] {
        assert!(output.stdout.contains(told), "{told}: {output}");
    }
    // Where nobody is there it is told so, and ends.
    let declined = ask().ok();
    assert!(declined.stdout.contains("declined"), "{declined}");
}

#[test]
fn a_person_who_adds_one_is_told_what_it_needs() {
    let Some((machine, peers)) = Machine::get() else {
        return;
    };
    let program = peers.path("python/bin/mcp-server-time");
    let mut terminal = machine
        .run(&["mcp", "add", "clock", "--", &program])
        .on_terminal();
    terminal.expect("look at its tools?");
    terminal.answer("y");
    let missing = terminal.finish();
    assert_ne!(missing.code, Some(0), "{missing}");
    let grant = format!("file_read={}", peers.path("python"));
    assert!(
        missing.stdout.contains(&format!("Grant `{grant}`")),
        "{missing}"
    );

    let words = ["mcp", "add", "clock", "--allow", &grant, "--", &program];
    let mut terminal = machine.run(&words).on_terminal();
    terminal.expect("look at its tools?");
    terminal.answer("y");
    terminal.expect("Add clock with 2 tools?");
    terminal.answer("y");
    terminal.finish().ok();
    let now = machine.call(
        "clock.get_current_time",
        &serde_json::json!({"timezone": "UTC"}),
    );
    assert!(text(&now.ok().json()).contains("\"timezone\": \"UTC\""));
}
