//! Servers of other programs are taken in by people, and allowed nothing by that.

use serde_json::{Value, json};

use crate::support::env::{TestEnv, is_open};
use crate::support::mcp_peer::{McpPeer, tool};
use crate::support::namespace::works;

/// A home folder with the files of several programs.
fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("../home/notes/a.txt", b"n0te");
    let notes = env.path("../home/notes").canonicalize().expect("there");
    let claude = json!({"mcpServers": {
        "My Files": {"command": "/usr/bin/env", "args": [notes], "env": {"API_TOKEN": "s3cret", "MODE": "fast"}},
        "Bad": {"args": []},
    }});
    env.write("../home/.claude.json", claude.to_string().as_bytes());
    let cursor = json!({"mcpServers": {
        "my-files": {"command": "other"},
        "same": {"url": "https://mcp.example/mcp"},
    }});
    env.write("../home/.cursor/mcp.json", cursor.to_string().as_bytes());
    env.write(
        ".vscode/mcp.json",
        b"{\"servers\": { // ours\n \"same\": {\"type\": \"http\", \"url\": \"https://mcp.example/mcp\"}, } }",
    );
    env.write("../home/.codex/config.toml", b"[mcp_servers\n");
    env
}

fn server<'a>(report: &'a Value, name: &str) -> &'a Value {
    let servers = report["servers"].as_array().expect("a list");
    let found = servers.iter().find(|server| server["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {report}"))
}

#[test]
fn a_dry_run_tells_everything_and_changes_nothing() {
    let env = env();
    let run = env.run(["mcp", "import", "--dry-run", "--json"]).ok();
    assert!(!run.stdout.contains("s3cret"), "{run}");
    let report = run.json();
    let files = server(&report, "my-files");
    assert_eq!(files["state"], "new", "{files}");
    assert_eq!(files["given"], "My Files");
    assert_eq!(files["allow"], json!([]));
    assert_eq!(
        files["env"]["API_TOKEN"],
        json!({"env": "API_TOKEN", "file": null})
    );
    assert_eq!(files["env"]["MODE"], "copied");
    let proposed = files["proposed"][0].as_str().expect("proposed");
    assert!(
        proposed.starts_with("file_read=/") && proposed.ends_with("/notes"),
        "{files}"
    );
    let by_hand = files["add"].as_str().expect("a command");
    assert!(
        by_hand.contains(&format!("--allow {proposed}")),
        "{by_hand}"
    );
    // Another server of the same name gets one of its own; one that is declared twice comes once.
    assert_eq!(server(&report, "my-files-2")["command"], json!(["other"]));
    let same: Vec<&Value> = report["servers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|server| server["name"] == "same")
        .map(|server| &server["state"])
        .collect();
    assert_eq!(same, ["new", "same"]);
    assert_eq!(server(&report, "bad")["state"], "unusable");
    // A file that cannot be read does not spoil the others.
    let error = report["failed"][0]["error"].as_str().expect("told");
    assert!(error.contains("config.toml:1:"), "{error}");

    let text = env.run(["mcp", "import", "--dry-run"]).ok();
    for words in [
        "There it could",
        "every file",
        "denied until you allow it",
        "3 servers would be added",
    ] {
        assert!(text.stdout.contains(words), "{words}: {text}");
    }
    assert!(!text.stdout.contains("s3cret"), "{text}");
    let listed = env.run(["mcp", "list", "--json"]).ok().json();
    assert_eq!(listed["servers"], json!([]));
}

#[test]
fn only_a_person_imports_and_a_file_that_is_none_is_told() {
    let env = env();
    env.run(["mcp", "import"]).fails_with(3, "E3213");
    env.run(["mcp", "import", "--yes"]).fails_with(3, "E3206");
    let listed = env.run(["mcp", "list", "--json"]).ok().json();
    assert_eq!(listed["servers"], json!([]));
    env.run(["mcp", "import", "none.json"])
        .fails_with(4, "E3101");
    env.write("big.json", b"{\"mcpServers\": {}} x");
    let failed = env
        .run(["mcp", "import", "big.json"])
        .fails_with(2, "E3004");
    assert!(failed.stderr.contains("big.json:1:20"), "{failed}");
    // Beside others it does not spoil them, and is told all the same.
    env.write(
        "good.json",
        b"{\"mcpServers\": {\"a\": {\"command\": \"b\"}}}",
    );
    let both = env.run([
        "mcp",
        "import",
        "big.json",
        "good.json",
        "--dry-run",
        "--json",
    ]);
    let both = both.output();
    assert_eq!(both.json()["servers"][0]["name"], "a", "{both}");
    assert_eq!(both.code, Some(2), "{both}");
    // Where there is nothing to add, nobody has to be there.
    env.write("empty.json", b"{\"mcpServers\": {}}");
    env.run(["mcp", "import", "empty.json"]).ok();
}

#[test]
fn a_person_takes_servers_in_one_by_one() {
    let peer = McpPeer::start(json!([tool("a")]), |_, _, _| None);
    let env = TestEnv::new();
    let file = json!({"mcpServers": {
        "My Peer": {"type": "http", "url": peer.url(), "headers": {"X-Key": "s3cret"}},
        "unwanted": {"command": "/bin/false"},
    }});
    env.write("mcp.json", file.to_string().as_bytes());
    let mut terminal = env.run(["mcp", "import", "mcp.json"]).on_terminal();
    terminal.expect("Add my-peer?");
    terminal.answer("y");
    terminal.expect("Add unwanted?");
    terminal.answer("");
    let done = terminal.finish().ok();
    assert!(done.stdout.contains("1 server added"), "{done}");
    assert!(peer.requests().is_empty(), "nothing is connected to");

    let listed = env.run(["mcp", "list", "--json"]).ok().json();
    assert_eq!(listed["servers"][0]["name"], "my-peer", "{listed}");
    assert_eq!(listed["servers"][0]["state"], "unseen", "{listed}");
    assert_eq!(listed["servers"][1], Value::Null, "{listed}");
    let header = |text: &str| {
        env.run(["call", "my-peer.a"])
            .env("MCP_MY_PEER_X_KEY", text)
    };
    header("s3cret").ok();
    assert_eq!(peer.requests()[0].header("x-key"), Some("s3cret"));
    let story = env.run(["audit", "query", "--json"]).ok();
    assert!(
        story.stdout.contains("server_added") && !story.stdout.contains("s3cret"),
        "{story}"
    );

    let again = env
        .run(["mcp", "import", "mcp.json", "--only", "my*", "--json"])
        .ok();
    assert_eq!(again.json()["servers"][0]["state"], "there", "{again}");
}

#[test]
fn an_imported_program_is_allowed_what_a_person_says_and_nothing_else() {
    if !works() {
        return;
    }
    let env = TestEnv::new();
    if rustix::process::geteuid().is_root() && !is_open(&env.path("")) {
        // Below root's home nobody else gets to the file.
        env.write(env.user_config(), b"[docker]\nallow_root = true\n");
    }
    let secret = env
        .write("../home/open.txt", b"n0te")
        .canonicalize()
        .expect("there");
    let script = r#"
while read -r line; do
  id=${line#*\"id\":}; id=${id%%[,\}]*}
  case $line in
    *server/discover*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id";;
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}\n' "$id";;
    *tools/list*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"a","inputSchema":{"type":"object"}}]}}\n' "$id";;
    *tools/call*) text=$(cat "$0" 2>&1 | tr -d '"'); printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"%s"}]}}\n' "$id" "$text";;
  esac
done"#;
    for (name, answer, expected) in [("closed", "", "ermission denied"), ("open", "y", "n0te")] {
        let file =
            json!({"mcpServers": {name: {"command": "/bin/sh", "args": ["-c", script, secret]}}});
        env.write("mcp.json", file.to_string().as_bytes());
        let mut terminal = env.run(["mcp", "import", "mcp.json"]).on_terminal();
        terminal.expect(&format!("Add {name}?"));
        terminal.answer("y");
        terminal.expect("Allow it file_read=");
        terminal.answer(answer);
        terminal.finish().ok();
        let called = env.run(["call", &format!("{name}.a")]).ok();
        assert!(called.stdout.contains(expected), "{called}");
    }
}
