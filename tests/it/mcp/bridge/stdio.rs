//! Servers that are programs: confined, whatever they do with their streams.
//!
//! They are lines of shell, so that no software has to be installed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::mcp_client::{Era, McpClient, text};
use crate::support::mcp_peer::{McpPeer, tool};
use crate::support::namespace::works;
use crate::support::process::with_argument;
use crate::support::procfs::{Process, descendants, peak_memory};
use crate::support::source::root;

/// A server with one tool, `a`, whose calls are answered by this piece of shell: `$id` is the id of the request, `$line` the
/// request, and `say` writes a result.
fn server(calls: &str) -> String {
    let result = |result: Value| result.to_string();
    let handshake = result(json!({
        "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
        "serverInfo": {"name": "shell", "version": "1"},
    }));
    let tools = result(json!({"tools": [{
        "name": "a", "description": "Does a", "inputSchema": {"type": "object"},
    }]}));
    format!(
        r#"say() {{ printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$1"; }}
text() {{ say '{{"content":[{{"type":"text","text":"'"$1"'"}}]}}'; }}
while read -r line; do
  id=${{line#*\"id\":}}; id=${{id%%[,\}}]*}}
  case $line in
    *server/discover*) printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":-32601,"message":"no"}}}}\n' "$id";;
    *'"initialize"'*) say '{handshake}';;
    *tools/list*) say '{tools}';;
    *tools/call*) {calls};;
  esac
done
"#
    )
}

/// An environment with this server, called `shell`; nothing where processes cannot be confined here.
pub(super) fn env(calls: &str, more: &str) -> Option<TestEnv> {
    works().then(|| {
        let env = TestEnv::new();
        let command = json!(["/bin/sh", "-c", server(calls)]);
        let text = format!("[mcp.servers.shell]\ncommand = {command}\n{more}");
        env.write(env.user_config(), text.as_bytes());
        env
    })
}

#[test]
fn a_program_answers_and_can_do_nothing_else() {
    let calls = r#"
      home=$(cat /etc/hostname /etc/shadow "$HOME/../../home/secret" 2>&1 | tr -d '"\n' | head -c 200)
      text "TOKEN=$TOKEN USER=$USER $home""#;
    let Some(env) = env(calls, "env = { TOKEN = { env = \"PEER_TOKEN\" } }\n") else {
        return;
    };
    let called = env
        .run(["call", "shell.a", "--json"])
        .env("PEER_TOKEN", "t0ken")
        .ok()
        .json();
    let text = called["content"][0]["text"].as_str().expect("text");
    assert!(text.contains("TOKEN=t0ken"), "{text}");
    // Nothing of the caller's environment but what was named.
    assert!(text.contains("USER= "), "{text}");
    let tested = env
        .run(["mcp", "test", "shell", "--json"])
        .env("PEER_TOKEN", "t0ken")
        .ok()
        .json();
    let posture = tested["posture"].as_str().expect("confined");
    assert!(
        posture.contains("landlock") && posture.contains("network=none"),
        "{posture}"
    );
}

#[test]
fn what_a_program_may_not_touch_is_closed_to_it() {
    if !works() {
        return;
    }
    let env = TestEnv::new();
    let secret = env.write("secret.txt", b"s3cret");
    let calls = format!("text \"$(cat {} 2>&1 | tr -d '\"')\"", secret.display());
    let command = json!(["/bin/sh", "-c", server(&calls)]);
    let text = format!("[mcp.servers.shell]\ncommand = {command}\n");
    env.write(env.user_config(), text.as_bytes());
    let called = env.run(["call", "shell.a"]).ok();
    assert!(called.stdout.contains("ermission denied"), "{called}");
    assert!(!called.stdout.contains("s3cret"), "{called}");
}

#[test]
fn logs_on_both_streams_do_no_harm() {
    let calls = "echo starting up; echo '[info] x' ; echo warning >&2; text ok; echo done";
    let Some(env) = env(calls, "") else { return };
    env.run(["call", "shell.a"]).ok();
}

#[test]
fn a_program_that_dies_is_told_with_its_last_words() {
    let Some(env) = env("echo 'out of cheese' >&2; exit 7", "") else {
        return;
    };
    let failed = env.run(["call", "shell.a"]).fails_with(4, "E3502");
    assert!(failed.stderr.contains("exit code 7"), "{failed}");
    assert!(failed.stderr.contains("out of cheese"), "{failed}");

    let env = TestEnv::new();
    let command = json!(["/bin/sh", "-c", "echo 'no module named x' >&2; exit 1"]);
    let text = format!("[mcp.servers.shell]\ncommand = {command}\n");
    env.write(env.user_config(), text.as_bytes());
    let failed = env.run(["mcp", "test", "shell"]).fails_with(4, "E3502");
    assert!(failed.stderr.contains("no module named x"), "{failed}");
    assert!(failed.stderr.contains("shell"), "{failed}");
}

#[test]
fn a_program_that_is_not_there_is_said_not_to_be() {
    let env = TestEnv::new();
    env.write(
        env.user_config(),
        b"[mcp.servers.shell]\ncommand = [\"/no/such/server\"]\n",
    );
    let failed = env.run(["mcp", "test", "shell"]).output();
    assert!(failed.stderr.contains("/no/such/server"), "{failed}");
    assert!(failed.stderr.contains("shell"), "{failed}");
}

#[test]
fn silence_ends_with_the_time_of_the_server() {
    let Some(env) = env("sleep 60", "timeout = \"500ms\"\n") else {
        return;
    };
    let begun = Instant::now();
    env.run(["call", "shell.a"]).fails_with(124, "E3402");
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_message_that_is_too_long_is_thrown_away_as_it_comes() {
    let calls = r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"' "$id"
      case $line in *huge*) size=100000000;; *) size=20000000;; esac
      head -c $size /dev/zero | tr '\0' x
      printf '"}]}}\n'"#;
    let more =
        "max_message = \"32MiB\"\n[limits]\noutput = \"30MiB\"\n[ceiling]\noutput = \"40MiB\"\n";
    let Some(large) = env(calls, more) else {
        return;
    };
    let called = large.run(["call", "shell.a", "--json"]).ok().json();
    assert_eq!(
        called["content"][0]["text"].as_str().map(str::len),
        Some(20_000_000)
    );
    let Some(small) = env(calls, "") else { return };
    let failed = small.run(["call", "shell.a"]).fails_with(4, "E3508");
    assert!(failed.stderr.contains("max_message"), "{failed}");
    let mut client = McpClient::start(small.run(["mcp", "serve"]), Era::Stateless);
    client.call("shell_a", json!({}));
    let before = peak_memory(client.pid());
    for _ in 0..2 {
        let result = client.call("shell_a", json!({"size": "huge"}));
        assert_eq!(result["_meta"]["toolhatch/error"], "E3508", "{result}");
    }
    // A message has at most 16 MiB, and nothing is kept of what is longer.
    let grown = peak_memory(client.pid()) - before;
    assert!(grown < 40_000_000, "{grown} bytes more");
}

#[test]
fn nothing_of_twenty_servers_is_left_when_toolhatch_is_killed() {
    const SERVERS: usize = 20;
    if !works() {
        return;
    }
    let env = TestEnv::new();
    // The number is an argument of these processes alone: it tells them from all others.
    let mark = format!("86399.{}", std::process::id());
    let child = format!("(trap '' TERM HUP INT PIPE; exec sleep {mark}) &\n");
    let command = json!(["/bin/sh", "-c", child + &server("text ok"), mark]);
    let declared: String = (0..SERVERS)
        .map(|number| format!("[mcp.servers.s{number}]\ncommand = {command}\ntimeout = \"60s\"\n"))
        .collect();
    env.write(env.user_config(), declared.as_bytes());
    // Somebody looked at each of them, so that their tools are known.
    for number in 0..SERVERS {
        env.run(["mcp", "test", &format!("s{number}")]).ok();
    }
    assert_eq!(with_argument(&mark), 0);
    let mut client = McpClient::start(env.run(["mcp", "serve"]), Era::Stateless);
    for number in 0..SERVERS {
        let call = json!({"name": format!("s{number}_a"), "arguments": {}});
        client.begin("tools/call", call);
    }
    for _ in 0..SERVERS {
        let answer = client.next_message();
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    assert_eq!(with_argument(&mark), 2 * SERVERS);
    let started = descendants(client.pid());
    assert!(started.len() >= 2 * SERVERS, "{started:?}");
    rustix::process::kill_process(client.pid(), Signal::KILL).expect("it runs");
    let until = Instant::now() + Duration::from_secs(20);
    while started.iter().any(Process::runs) || with_argument(&mark) > 0 {
        let left: Vec<_> = started.iter().filter(|it| it.runs()).collect();
        assert!(Instant::now() < until, "it is still there: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn servers_that_never_answer_hold_nothing_up() {
    const SERVERS: usize = 20;
    // They hold their breath until they are let go: none answers anything before.
    let hold = Arc::new((Mutex::new(true), Condvar::new()));
    let heard = Arc::new(AtomicUsize::new(0));
    let peers: Vec<McpPeer> = (0..SERVERS / 2)
        .map(|_| {
            let (hold, heard) = (Arc::clone(&hold), Arc::clone(&heard));
            McpPeer::start(json!([tool("a")]), move |_, _, _| {
                heard.fetch_add(1, Ordering::SeqCst);
                let (held, changed) = &*hold;
                let held = held.lock().expect("sound");
                drop(changed.wait_while(held, |held| *held).expect("sound"));
                None
            })
        })
        .collect();
    let env = TestEnv::new();
    let mut declared = String::new();
    for (number, peer) in peers.iter().enumerate() {
        let url = peer.url();
        declared.push_str(&format!("[mcp.servers.h{number}]\nurl = \"{url}\"\n"));
        // Longer than a test waits: whoever waited for one of them would be noticed.
        declared.push_str("timeout = \"10m\"\nstart_timeout = \"10m\"\n");
    }
    for number in 0..SERVERS / 2 {
        let command = match number % 2 {
            0 => json!(["/bin/sh", "-c", "while read -r line; do :; done"]),
            _ => json!(["/bin/sh", "-c", "exit 7"]),
        };
        declared.push_str(&format!("[mcp.servers.s{number}]\ncommand = {command}\n"));
        declared.push_str("timeout = \"10m\"\nstart_timeout = \"10m\"\n");
    }
    env.write(env.user_config(), declared.as_bytes());
    env.run([
        "plugin",
        "install",
        &*root().join("plugins/dist/files.wasm").to_string_lossy(),
    ])
    .ok();
    let words = ["mcp", "serve", "--allow", "file_read=."];
    let mut client = McpClient::start(env.run(words), Era::Stateless);
    assert!(client.tools().contains(&"files_read".to_owned()));
    let hello = json!({"path": "hello.txt"});
    let read = client.call("files_read", hello);
    assert!(text(&read).contains("hello"), "{read}");
    // They were asked all the same, and what they have is there once they answer.
    let until = Instant::now() + Duration::from_secs(60);
    while heard.load(Ordering::SeqCst) < peers.len() {
        assert!(Instant::now() < until, "nobody asks them");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!client.tools().contains(&"h0_a".to_owned()));
    *hold.0.lock().expect("sound") = false;
    hold.1.notify_all();
    while !client.tools().contains(&"h0_a".to_owned()) {
        assert!(Instant::now() < until, "it is never listed");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_person_accepts_what_has_changed() {
    if !works() {
        return;
    }
    let env = TestEnv::new();
    let declare = |words: &str| {
        let script = server("text ok").replace("Does a", words);
        let command = json!(["/bin/sh", "-c", script]);
        let text = format!("[mcp.servers.shell]\ncommand = {command}\n");
        env.write(env.user_config(), text.as_bytes());
    };
    declare("Does a");
    env.run(["call", "shell.a"]).ok();
    // Another command is another server: it is not even started before somebody agrees.
    declare("Does a, and more");
    let failed = env.run(["call", "shell.a"]).fails_with(5, "E3109");
    assert!(failed.stderr.contains("mcp accept shell"), "{failed}");
    let listed = env.run(["mcp", "list", "--json"]).ok().json();
    assert_eq!(listed["servers"][0]["state"], "changed", "{listed}");
    env.run(["mcp", "accept", "shell"]).fails_with(3, "E3213");

    let accept = || {
        let mut terminal = env.run(["mcp", "accept", "shell"]).on_terminal();
        terminal.expect("Accept this of shell?");
        terminal.answer("y");
        terminal.finish().ok();
    };
    accept();
    // Only now it is started, and what its tool says of itself is seen to differ.
    env.run(["call", "shell.a"]).fails_with(5, "E3109");
    let tools = env.run(["tools", "list"]).ok();
    assert!(!tools.stdout.contains("shell.a"), "{tools}");
    accept();
    env.run(["call", "shell.a"]).ok();
    let tools = env.run(["tools", "list"]).ok();
    assert!(tools.stdout.contains("and more"), "{tools}");
}

#[test]
fn a_command_is_added_with_what_it_may_do() {
    if !works() {
        return;
    }
    let env = TestEnv::new();
    env.write("notes/a.txt", b"n0te");
    let script = server(r#"text "$TOKEN""#);
    let words = [
        "mcp",
        "add",
        "shell",
        "--env",
        "TOKEN=t0ken",
        "--timeout",
        "20s",
        "--",
        "/bin/sh",
        "-c",
        &script,
    ];
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("It may do nothing on this machine but compute.");
    terminal.answer("y");
    terminal.expect("Add shell with 1 tool?");
    terminal.answer("y");
    terminal.finish().ok();
    let called = env.run(["call", "shell.a"]).ok();
    assert_eq!(called.stdout.trim(), "t0ken");
    let file = env.user_config().with_file_name("mcp").join("shell.toml");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&file).expect("written").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    // A damaged file is told, and not passed over.
    env.write(&file, b"command = 5\n");
    let failed = env.run(["mcp", "list"]).fails_with(2, "E3004");
    assert!(failed.stderr.contains("shell.toml"), "{failed}");
}
