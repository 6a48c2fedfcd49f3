//! Servers with a handshake ask in the middle of a call, which waits: the person at the terminal, or the one behind a client.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::stdio::env;
use crate::support::env::TestEnv;
use crate::support::http::Response;
use crate::support::mcp_client::{Era, McpClient, text};
use crate::support::mcp_peer::{Answer, McpPeer, tool};

/// A call that asks with these parameters; its result has the answer as it came, with single quotes.
fn asking(params: &Value) -> String {
    format!(
        r#"call=$id
      printf '{{"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":%s}}\n' '{params}'
      read -r answer; id=$call; text "$(printf %s "$answer" | tr '"' "'")""#
    )
}

/// A form that proposes a value in each of its fields.
fn form() -> Value {
    json!({"message": "Who is it?", "requestedSchema": {"type": "object", "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "pending"], "default": "pending"},
        "verified": {"type": "boolean", "default": true},
    }, "required": ["name", "age"]}})
}

/// What the server is told that gets all that it proposed.
const PROPOSED: &str = "'result':{'action':'accept','content':{'name':'John Doe','age':30,'score':95.5,'status':'pending','verified':true}}";

#[test]
fn a_person_at_the_terminal_answers_and_enter_takes_what_the_server_proposes() {
    let Some(env) = env(&asking(&form()), "") else {
        return;
    };
    let mut terminal = env.run(["call", "shell.a"]).on_terminal();
    terminal.expect("shell.a asks:");
    for question in [
        "| Who is it?",
        "name (text [John Doe]):",
        "age (whole number [30]):",
        "score (number [95.5]):",
        "status (one of these [pending]):",
        "verified (yes or no [yes]):",
    ] {
        terminal.expect(question);
        terminal.answer(if question.starts_with('|') { "y" } else { "" });
    }
    let output = terminal.finish().ok();
    assert!(output.stdout.contains(PROPOSED), "{output}");
    let log = env.run(["audit", "query", "--json"]).ok().json();
    let mut records = log["records"].as_array().expect("records").iter();
    let recorded = records.find(|record| record["type"] == "input_answered");
    // Neither the question nor the answer is in it.
    assert_eq!(
        recorded.expect("it was recorded")["data"]["requests"],
        json!([{"name": "question", "kind": "form", "answer": "accepted"}])
    );

    let mut terminal = env.run(["call", "shell.a"]).on_terminal();
    terminal.expect("[y/N, c to cancel]");
    terminal.answer("c");
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("{'action':'cancel'}"), "{output}");
}

#[test]
fn a_person_may_think_longer_than_the_call_may_take() {
    let limits = "timeout = \"1s\"\n";
    let Some(env) = env(&asking(&form()), limits) else {
        return;
    };
    let mut terminal = env
        .run(["call", "shell.a", "--timeout", "2s"])
        .on_terminal();
    terminal.expect("[y/N, c to cancel]");
    std::thread::sleep(Duration::from_millis(2500));
    terminal.answer("n");
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("{'action':'decline'}"), "{output}");
}

#[test]
fn where_nobody_can_answer_the_answer_is_no_and_the_caller_is_told() {
    let Some(env) = env(&asking(&form()), "") else {
        return;
    };
    let called = env.run(["call", "shell.a", "--json"]).ok().json();
    let told = called["content"][0]["text"].as_str().expect("text");
    assert!(told.contains("{'action':'decline'}"), "{called}");
    let logged = called["logs"].to_string();
    assert!(
        logged.contains("nobody can answer here: Who is it?"),
        "{called}"
    );
}

#[test]
fn a_person_opens_no_address_that_is_not_what_it_looks_like() {
    for (url, is_asked) in [
        ("https://id.example/login", true),
        ("https://bank.example@evil.example/", false),
        ("javascript:alert(1)", false),
    ] {
        let params =
            json!({"mode": "url", "message": "Sign in", "url": url, "elicitationId": "e1"});
        let Some(env) = env(&asking(&params), "") else {
            return;
        };
        let mut terminal = env.run(["call", "shell.a"]).on_terminal();
        if is_asked {
            terminal.expect(url);
            terminal.answer("y");
            let output = terminal.finish().ok();
            assert!(output.stdout.contains("{'action':'accept'}"), "{output}");
        } else {
            let output = terminal.finish().fails_with(1, "E3308");
            assert!(!output.stdout.contains(url), "{output}");
        }
    }
}

#[test]
fn what_is_no_form_or_comes_too_often_ends_the_call() {
    let nested = json!({"message": "m", "requestedSchema": {
        "type": "object", "properties": {"deep": {"type": "object"}},
    }});
    let large = json!({"message": "m", "requestedSchema": {
        "type": "object", "description": "x".repeat(300 << 10),
    }});
    let endless = r#"while :; do
      printf '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"Again?"}}\n'
      read -r answer
    done"#;
    for (calls, code, words) in [
        (asking(&nested), "E3308", "\"deep\""),
        (endless.to_owned(), "E3411", "more than 16 times"),
    ] {
        let Some(env) = env(&calls, "") else {
            return;
        };
        let failed = env.run(["call", "shell.a"]).output();
        assert!(failed.stderr.contains(code), "{failed}");
        assert!(failed.stderr.contains(words), "{failed}");
    }
    // A command cannot have so long an argument: the server reads what it asks from a file.
    let env = TestEnv::new();
    let peer = Peer::asking(large);
    peer.declare(&env);
    let failed = env.run(["call", "peer.a"]).output();
    assert!(failed.stderr.contains("E3306"), "{failed}");
}

/// The answers to questions that a server asked, by their ids.
type Answers = Arc<(Mutex<HashMap<String, Value>>, Condvar)>;

/// A server over HTTP that asks in the stream of each call, and ends it with the answer.
struct Peer(McpPeer);

impl Peer {
    fn asking(params: Value) -> Self {
        let answers: Answers = Arc::default();
        let params = Arc::new(params);
        Self(McpPeer::start(
            json!([tool("a")]),
            move |method, message, _| {
                if method.is_empty() {
                    let (known, came) = &*answers;
                    let id = message["id"].as_str().unwrap_or_default().to_owned();
                    known.lock().expect("sound").insert(id, message.clone());
                    came.notify_all();
                    return None;
                }
                if method != "tools/call" {
                    return None;
                }
                let (answers, params) = (Arc::clone(&answers), Arc::clone(&params));
                let message = message.clone();
                Some(Answer::Http(Response::events(move |stream| {
                    let id = format!("q{}", message["params"]["arguments"]["n"]);
                    let mut params = (*params).clone();
                    params["message"] = format!("{} of {id}", params["message"]).into();
                    let question = json!({
                        "jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": params,
                    });
                    write!(stream, "data: {question}\n\n")?;
                    stream.flush()?;
                    let (known, came) = &*answers;
                    let known = known.lock().expect("sound");
                    let limit = Duration::from_secs(30);
                    let is_open = |known: &mut HashMap<String, Value>| !known.contains_key(&id);
                    let (known, _) = came
                        .wait_timeout_while(known, limit, is_open)
                        .expect("sound");
                    let text = known.get(&id).map_or_else(String::new, Value::to_string);
                    drop(known);
                    let result = json!({"jsonrpc": "2.0", "id": message["id"], "result": {
                        "content": [{"type": "text", "text": text}],
                    }});
                    write!(stream, "data: {result}\n\n")
                })))
            },
        ))
    }

    fn declare(&self, env: &TestEnv) {
        let text = format!("[mcp.servers.peer]\nurl = \"{}\"\n", self.0.url());
        env.write(env.user_config(), text.as_bytes());
        env.run(["mcp", "test", "peer"]).ok();
    }
}

#[test]
fn the_client_of_each_call_is_asked_what_that_call_asks() {
    let env = TestEnv::new();
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let peer = Peer::asking(json!({"message": "How many?", "requestedSchema": schema}));
    peer.declare(&env);
    let run = env.run(["mcp", "serve"]);
    let mut client = McpClient::start_able(run, Era::Handshake, json!({"elicitation": {}}));
    let name = client
        .tools()
        .into_iter()
        .find(|name| name.starts_with("peer"));
    let name = name.expect("it is served");
    // Two at once: the streams say which of them asks.
    let calls = [1, 2].map(|n| {
        let call = json!({"name": name, "arguments": {"n": n}});
        (n, client.begin("tools/call", call))
    });
    for _ in 0..2 {
        let asked = client.next_message();
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        assert_eq!(asked["params"]["requestedSchema"], schema, "{asked}");
        let message = asked["params"]["message"].as_str().expect("a question");
        assert!(message.starts_with("peer.a asks: "), "{asked}");
        let n = if message.ends_with("q1") { 10 } else { 20 };
        let answer = json!({"action": "accept", "content": {"n": n}});
        client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}));
    }
    let mut results: Vec<Value> = Vec::new();
    while results.len() < 2 {
        let message = client.next_message();
        if message.get("method").is_none() {
            results.push(message);
        }
    }
    for (n, id) in calls {
        let result = results
            .iter()
            .find(|result| result["id"] == id)
            .expect("an answer");
        let told = text(&result["result"]);
        assert!(told.contains(&format!(r#""n":{n}0"#)), "{result}");
    }
}

#[test]
fn a_client_that_cancels_its_call_need_not_answer() {
    let Some(env) = env(&asking(&form()), "") else {
        return;
    };
    env.run(["mcp", "test", "shell"]).ok();
    let run = env.run(["mcp", "serve"]);
    let mut client = McpClient::start_able(run, Era::Handshake, json!({"elicitation": {}}));
    let call = client.begin("tools/call", json!({"name": "shell_a", "arguments": {}}));
    let asked = client.next_message();
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    let cancelled = "notifications/cancelled";
    client.send(&json!({"jsonrpc": "2.0", "method": cancelled, "params": {"requestId": call}}));
    let told = loop {
        let message = client.next_message();
        if message["method"] == cancelled {
            break message;
        }
    };
    assert_eq!(told["params"]["requestId"], asked["id"], "{told}");
}

#[test]
fn a_client_that_is_asked_when_its_request_has_ended_goes_on_with_the_same_call() {
    let env = TestEnv::new();
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let peer = Peer::asking(json!({"message": "How many?", "requestedSchema": schema}));
    peer.declare(&env);
    let run = env.run(["mcp", "serve"]);
    let mut client = McpClient::start_able(run, Era::Stateless, json!({"elicitation": {}}));
    let call = json!({"name": "peer_a", "arguments": {"n": 1}});
    let mut asked = client.request("tools/call", call.clone())["result"].clone();
    let mut wrong = "";
    for n in [json!("ten"), json!(10)] {
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let question = &asked["inputRequests"]["question"]["params"];
        assert_eq!(question["requestedSchema"], schema, "{asked}");
        let message = question["message"].as_str().expect("a question");
        assert!(message.starts_with("peer.a asks: "), "{asked}");
        assert!(message.contains(wrong), "{asked}");
        let mut again = call.clone();
        again["requestState"] = asked["requestState"].clone();
        let answer = json!({"action": "accept", "content": {"n": n}});
        again["inputResponses"] = json!({"question": answer});
        asked = client.request("tools/call", again)["result"].clone();
        wrong = "integer";
    }
    assert!(text(&asked).contains(r#""n":10"#), "{asked}");
    assert_eq!(peer.0.heard("tools/call").len(), 1);
    // One that never comes back leaves nothing running behind it.
    let asked = client.request(
        "tools/call",
        json!({"name": "peer_a", "arguments": {"n": 2}}),
    );
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    assert!(client.close().success());
}

#[test]
fn a_client_that_cannot_be_asked_is_not() {
    let env = TestEnv::new();
    let peer = Peer::asking(json!({"message": "How many?"}));
    peer.declare(&env);
    let mut client = McpClient::start(env.run(["mcp", "serve"]), Era::Handshake);
    let name = client
        .tools()
        .into_iter()
        .find(|name| name.starts_with("peer"));
    let result = client.call(&name.expect("it is served"), json!({"n": 1}));
    assert!(text(&result).contains("decline"), "{result}");
    // What can be asked is told at the beginning, once for all calls.
    let greeted = &peer.0.heard("initialize")[0]["params"]["capabilities"];
    assert_eq!(*greeted, json!({"elicitation": {"form": {}, "url": {}}}));
}
