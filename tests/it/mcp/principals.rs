//! What each client of the HTTP server has for itself: its token, and its share of the calls.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::mcp_http::{ECHO, Served, echo, hex, probing};

fn two(calls: &str) -> String {
    format!(
        "[calls]\n{calls}\n[serve.tokens.a]\nsha256 = \"{}\"\n[serve.tokens.b]\nsha256 = \"{}\"\n",
        hex("a"),
        hex("b"),
    )
}

fn call(served: &Served, token: &str, params: Value) -> Value {
    let header = format!("Bearer {token}");
    served
        .request(&[("authorization", &*header)], "tools/call", params)
        .json()
}

#[test]
fn calls_in_a_minute_are_counted_for_each_client() {
    let env = TestEnv::new();
    env.write(env.user_config(), two("per_minute = 1").as_bytes());
    let served = Served::start(&env, &[&probing()]);
    for token in ["a", "b"] {
        let first = call(&served, token, echo(1));
        assert_eq!(first["result"]["isError"], false, "{token}: {first}");
        let second = call(&served, token, echo(2));
        assert_eq!(second["result"]["isError"], true, "{token}: {second}");
        assert!(second.to_string().contains("E3003"), "{token}: {second}");
    }
}

#[test]
fn calls_at_once_are_counted_for_each_client() {
    let env = TestEnv::new();
    env.write(
        env.user_config(),
        two("per_caller = 1\nqueue = 1").as_bytes(),
    );
    let served = Served::start(&env, &[&probing()]);
    let (answers, answered) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        // Whichever comes first, one runs, one waits, and for one there is no place.
        for _ in 0..3 {
            let (answers, served) = (answers.clone(), &served);
            scope.spawn(move || {
                let sleep = json!({"name": "probe_sleep", "arguments": {"milliseconds": 3000}});
                drop(answers.send(call(served, "a", sleep)));
            });
        }
        let refused = answered.recv().expect("an answer");
        assert!(refused.to_string().contains("E3408"), "{refused}");
        let other = call(&served, "b", echo(1));
        assert_eq!(other["result"]["isError"], false, "{other}");
        for _ in 0..2 {
            let slept = answered.recv().expect("an answer");
            assert_eq!(slept["result"]["isError"], false, "{slept}");
        }
    });
}

#[test]
fn a_token_that_was_made_lets_in_once_it_is_configured() {
    let env = TestEnv::new();
    env.write(
        env.user_config(),
        b"[serve.profiles.\"echo only\"]\ntools = [\"probe.echo-u8\"]\n",
    );
    let made = env
        .run(["mcp", "token", "ci", "--profile", "echo only", "--json"])
        .ok()
        .json();
    let token = made["token"].as_str().expect("a token");
    assert!(token.starts_with("thk_") && token.len() == 47, "{token}");
    let again = env.run(["mcp", "token", "ci", "--json"]).ok().json();
    assert_ne!(made["token"], again["token"]);
    let mut config = std::fs::read_to_string(env.user_config()).expect("it is there");
    assert!(!config.contains("ci"), "it writes nothing: {config}");
    config.push_str(made["config"].as_str().expect("lines"));
    env.write(env.user_config(), config.as_bytes());
    let served = Served::start(&env, &[&probing()]);
    let header = format!("Bearer {token}");
    let listed = served
        .request(&[("authorization", &*header)], "tools/list", json!({}))
        .json();
    let tools = listed["result"]["tools"].as_array().expect("tools");
    assert_eq!(tools.len(), 1, "{listed}");
    assert_eq!(tools[0]["name"], ECHO);
    // People get the same lines, and are told where they go.
    let shown = env.run(["mcp", "token", "other"]).ok().stdout;
    let token = shown.lines().next().expect("a line");
    assert!(
        shown.contains(&format!(
            "[serve.tokens.other]\nsha256 = \"{}\"",
            hex(token)
        )),
        "{shown}"
    );
    assert!(shown.contains("config.toml"), "{shown}");
    env.run(["mcp", "token", "a b"]).fails_with(2, "E3004");
    let unknown = env
        .run(["mcp", "token", "ci", "--profile", "echo"])
        .fails_with(2, "E3004");
    assert!(unknown.stderr.contains("there is no profile"), "{unknown}");
}
