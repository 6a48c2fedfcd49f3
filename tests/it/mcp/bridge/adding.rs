//! Servers are added by people: at a terminal, and never by a project.

use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::mcp_peer::{McpPeer, tool};

#[test]
fn a_person_adds_a_server_after_seeing_its_tools() {
    let peer = McpPeer::start(json!([tool("a"), tool("b")]), |_, _, _| None);
    let env = TestEnv::new();
    let url = peer.url();
    let words = [
        "mcp",
        "add",
        "my-peer",
        "--header",
        "X-Key=s3cret",
        "--tool",
        "a",
        &url,
    ];
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Connect to it and look at its tools?");
    assert!(peer.requests().is_empty(), "nothing is asked before");
    terminal.answer("y");
    terminal.expect("Add my-peer with 2 tools?");
    terminal.answer("y");
    terminal.finish().ok();
    assert_eq!(peer.requests()[0].header("x-key"), Some("s3cret"));

    let listed = env.run(["mcp", "list", "--json"]).ok();
    assert_eq!(listed.json()["servers"][0]["name"], "my-peer", "{listed}");
    assert_eq!(listed.json()["servers"][0]["tools"], 1, "{listed}");
    assert!(!listed.stdout.contains("s3cret"));
    env.run(["call", "my-peer.a"]).ok();
    env.run(["mcp", "add", "my-peer", &url])
        .fails_with(2, "E3108");

    env.run(["mcp", "remove", "my-peer"]).ok();
    env.run(["call", "my-peer.a"]).fails_with(4, "E3101");
    let story = env.run(["audit", "query", "--json"]).ok();
    for event in ["server_added", "server_removed"] {
        assert!(story.stdout.contains(event), "{story}");
    }
    assert!(!story.stdout.contains("s3cret"), "{story}");
}

#[test]
fn whoever_says_no_has_added_nothing() {
    let peer = McpPeer::start(json!([tool("a")]), |_, _, _| None);
    let env = TestEnv::new();
    let mut terminal = env.run(["mcp", "add", "peer", &peer.url()]).on_terminal();
    terminal.expect("look at its tools?");
    terminal.answer("y");
    terminal.expect("Add peer with 1 tool?");
    terminal.answer("");
    terminal.finish().fails_with(3, "E3214");
    let listed = env.run(["mcp", "list", "--json"]).ok().json();
    assert_eq!(listed["servers"], json!([]));
}

#[test]
fn without_a_person_nothing_is_added_or_connected_to() {
    let peer = McpPeer::start(json!([tool("a")]), |_, _, _| None);
    let env = TestEnv::new();
    env.run(["mcp", "add", "peer", &peer.url()])
        .fails_with(3, "E3213");
    env.run(["mcp", "add", "peer", "--yes", &peer.url()])
        .fails_with(3, "E3206");
    assert!(peer.requests().is_empty());
}

#[test]
fn what_a_project_declares_is_only_proposed() {
    let peer = McpPeer::start(json!([tool("a")]), |_, _, _| None);
    let env = TestEnv::new();
    let text = format!("[mcp.servers.peer]\nurl = \"{}\"\n", peer.url());
    env.write(".toolhatch/config.toml", text.as_bytes());
    let listed = env.run(["mcp", "list", "--json"]).ok().json();
    assert_eq!(listed["servers"][0]["state"], "proposed");
    let failed = env.run(["mcp", "test", "peer"]).fails_with(4, "E3101");
    assert!(failed.stderr.contains("only proposed"), "{failed}");
    env.run(["call", "peer.a"]).fails_with(4, "E3101");
    let tools = env.run(["tools", "list"]).ok();
    assert!(!tools.stdout.contains("peer.a"), "{tools}");
    assert!(peer.requests().is_empty());
}

#[test]
fn a_project_does_not_change_a_server_and_can_switch_all_off() {
    let peer = McpPeer::start(json!([tool("a")]), |_, _, _| None);
    let env = TestEnv::new();
    let text = format!("[mcp.servers.peer]\nurl = \"{}\"\n", peer.url());
    env.write(env.user_config(), text.as_bytes());
    env.write(
        ".toolhatch/config.toml",
        b"[mcp.servers.peer]\nurl = \"http://127.0.0.1:1/thief\"\n",
    );
    env.run(["call", "peer.a"]).ok();
    env.write(".toolhatch/config.toml", b"[mcp]\nenabled = false\n");
    env.run(["call", "peer.a"]).fails_with(4, "E3101");
}

#[test]
fn a_wrong_declaration_says_what_is_wrong_with_it() {
    let env = TestEnv::new();
    for (text, expected) in [
        ("[mcp.servers.sandbox]\nurl = \"https://a/\"", "taken"),
        ("[mcp.servers.Peer]\nurl = \"https://a/\"", "lower-case"),
        ("[mcp.servers.peer]\n", "expected `command` or `url`"),
        (
            "[mcp.servers.peer]\nurl = \"https://a/\"\ncommand = [\"x\"]",
            "either this or `command`",
        ),
        ("[mcp.servers.peer]\nurl = \"ftp://a/\"", "scheme"),
        (
            "[mcp.servers.peer]\nurl = \"https://a/\"\nallow = [\"file_read=.\"]",
            "for a server with a command",
        ),
        (
            "[mcp.servers.peer]\ncommand = [\"x\"]\nheaders = { a = \"b\" }",
            "for a server with a URL",
        ),
        (
            "[mcp.servers.peer]\nurl = \"https://a/\"\nheaders = { Host = \"b\" }",
            "for itself",
        ),
        (
            "[mcp.servers.peer]\nurl = \"https://a/\"\nheaders = { A = { env = \"not a name\" } }",
            "VARIABLE",
        ),
        (
            "[mcp.servers.peer]\nurl = \"https://a/\"\nmax_message = \"1GiB\"",
            "128MiB",
        ),
        (
            "[mcp.servers.peer]\nurl = \"https://a/\"\nconnections = 50",
            "connections",
        ),
        (
            "[mcp.servers.peer]\nurl = \"https://a/\"\ntimeuot = \"5s\"",
            "timeout",
        ),
    ] {
        env.write(env.user_config(), text.as_bytes());
        let failed = env.run(["mcp", "list"]).fails_with(2, "E3004");
        assert!(failed.stderr.contains(expected), "{text}: {failed}");
    }
}
