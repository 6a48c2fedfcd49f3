//! Servers that are programs: confined, whatever they do with their streams.
//!
//! They are lines of shell, so that no software has to be installed.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::namespace::works;
use crate::support::process::with_argument;

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
fn a_message_of_twenty_megabytes_is_read_where_that_is_allowed() {
    let calls = r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"' "$id"
      head -c 20000000 /dev/zero | tr '\0' x
      printf '"}]}}\n'"#;
    let Some(small) = env(calls, "") else { return };
    let failed = small.run(["call", "shell.a"]).fails_with(4, "E3508");
    assert!(failed.stderr.contains("max_message"), "{failed}");
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
}

#[test]
fn nothing_of_a_server_is_left_when_toolhatch_is_killed() {
    // The number is an argument of the process alone: it tells it from all others.
    let Some(env) = env(
        "sleep 86399.25 & echo started >&2; wait",
        "timeout = \"60s\"\n",
    ) else {
        return;
    };
    let running = env.run(["call", "shell.a"]).start();
    let until = Instant::now() + Duration::from_secs(20);
    while with_argument("86399.25") == 0 {
        assert!(Instant::now() < until, "it never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal(Signal::KILL);
    drop(running.finish());
    let until = Instant::now() + Duration::from_secs(10);
    while with_argument("86399.25") > 0 {
        assert!(Instant::now() < until, "it is still there");
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
