//! Asking the person behind a client: for approvals, and what tools want to know.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::mcp_client::{Era, McpClient, text};
use crate::support::process::Run;
use crate::support::source::root;

const TOOL: &str = "files_read";

fn serve(env: &TestEnv, plugin: &str) -> Run {
    let file = root().join("plugins/dist").join(plugin);
    let src = env.path("src").to_string_lossy().into_owned();
    let allow = format!("file_read={src}");
    env.run(["mcp", "serve", &*file.to_string_lossy(), "--allow", &*allow])
}

fn guarded() -> TestEnv {
    let env = TestEnv::new();
    env.write("src/a.txt", b"inside\n");
    let config = b"[approvals.tools]\n\"files.read\" = \"always\"\n";
    env.write(env.user_config(), config);
    env
}

fn call(env: &TestEnv) -> Value {
    let path = env.path("src/a.txt").to_string_lossy().into_owned();
    json!({"name": TOOL, "arguments": {"path": path}})
}

/// A client that can ask its person.
fn able(env: &TestEnv, plugin: &str, era: Era) -> McpClient {
    McpClient::start_able(serve(env, plugin), era, json!({"elicitation": {}}))
}

/// Answers what the server asks in the middle of a call, and gives the result.
fn answer_now(client: &mut McpClient, id: u64, answer: &Value) -> (Value, Value) {
    let asked = client.next_message();
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}));
    let result = client.answer(id)["result"].clone();
    (asked["params"].clone(), result)
}

/// Makes the call again with what the server asked for.
fn answer_later(client: &mut McpClient, call: Value, answer: &Value) -> (Value, Value) {
    let asked = client.request("tools/call", call.clone());
    let asked = &asked["result"];
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let requests = asked["inputRequests"].as_object().expect("questions");
    let (name, question) = requests.iter().next().expect("one");
    let mut again = call;
    again["requestState"] = asked["requestState"].clone();
    again["inputResponses"] = json!({name: answer});
    let result = client.request("tools/call", again);
    (question["params"].clone(), result)
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"approval": true}})
}

#[test]
fn a_call_that_takes_approval_is_made_when_the_person_says_yes_and_not_else() {
    for (answer, is_made) in [
        (yes(), true),
        (
            json!({"action": "accept", "content": {"approval": false}}),
            false,
        ),
        (json!({"action": "decline"}), false),
    ] {
        for era in Era::BOTH {
            let env = guarded();
            let mut client = able(&env, "files.wasm", era);
            let (asked, result) = if era == Era::Handshake {
                let id = client.begin("tools/call", call(&env));
                answer_now(&mut client, id, &answer)
            } else {
                let (asked, result) = answer_later(&mut client, call(&env), &answer);
                (asked, result["result"].clone())
            };
            let message = asked["message"].as_str().expect("a question");
            assert!(
                message.contains("files.read") && message.contains("a.txt"),
                "{asked}"
            );
            assert_eq!(result["isError"], !is_made, "{result}");
            assert_eq!(result.to_string().contains("inside"), is_made, "{result}");
            if !is_made {
                assert_eq!(result["_meta"]["toolhatch/error"], "E3214", "{result}");
            }
            let told = env.run(["approvals", "list", "--all", "--json"]).output();
            assert!(told.stdout.contains("asked by mcp/tests"), "{told}");
            let log = env.run(["audit", "query", "--json"]).ok();
            assert!(log.stdout.contains("approval_decided"), "{log}");
        }
    }
}

#[test]
fn a_client_that_cannot_ask_is_told_how_a_person_can_decide() {
    for era in Era::BOTH {
        let env = guarded();
        let mut client = McpClient::start(serve(&env, "files.wasm"), era);
        let result = client.request("tools/call", call(&env))["result"].clone();
        assert_eq!(result["_meta"]["toolhatch/error"], "E3213", "{result}");
        assert!(
            text(&result).contains("toolhatch approvals allow"),
            "{result}"
        );
    }
}

#[test]
fn an_answer_is_good_once_and_for_the_call_that_it_was_given_to() {
    let env = guarded();
    env.write("src/b.txt", b"other\n");
    let mut client = able(&env, "files.wasm", Era::Stateless);
    let asked = client.request("tools/call", call(&env))["result"].clone();
    let with = |client: &mut McpClient, mut call: Value, state: &Value| {
        call["requestState"] = state.clone();
        call["inputResponses"] = json!({"approval": yes()});
        client.request("tools/call", call)
    };
    let state = &asked["requestState"];
    let path = env.path("src/b.txt").to_string_lossy().into_owned();
    let other = json!({"name": TOOL, "arguments": {"path": path}});
    let refused = with(&mut client, other, state);
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let forged = with(&mut client, call(&env), &json!("guess"));
    assert_eq!(forged["error"]["code"], -32602, "{forged}");
    let made = with(&mut client, call(&env), state);
    assert_eq!(made["result"]["isError"], false, "{made}");
    let again = with(&mut client, call(&env), state);
    assert_eq!(again["error"]["code"], -32602, "{again}");
}

#[test]
fn what_a_tool_asks_goes_to_the_person_and_the_answer_to_the_tool() {
    for era in Era::BOTH {
        let env = TestEnv::new();
        env.write("src/a.txt", b"");
        let mut client = able(&env, "conformance.wasm", era);
        let tools = client.tools();
        let name = tools.iter().find(|name| name.ends_with("test_elicitation"));
        let call = json!({"name": name.expect("it is there"), "arguments": {"message": "Who?"}});
        let content = json!({"username": "ada", "email": "ada@example.com"});
        let answer = json!({"action": "accept", "content": content});
        let (asked, result) = if era == Era::Handshake {
            let id = client.begin("tools/call", call);
            answer_now(&mut client, id, &answer)
        } else {
            let (asked, result) = answer_later(&mut client, call, &answer);
            (asked, result["result"].clone())
        };
        assert!(
            asked["requestedSchema"]["properties"].is_object(),
            "{asked}"
        );
        assert_eq!(result["isError"], false, "{result}");
        assert!(text(&result).contains("ada"), "{result}");
    }
}

#[test]
fn a_plugin_is_installed_where_the_person_says_so() {
    let file = root().join("plugins/dist/files.wasm");
    let call = json!({"name": "load_plugin", "arguments": {"path": file}});
    for (answer, is_made) in [(yes(), true), (json!({"action": "decline"}), false)] {
        for era in Era::BOTH {
            let env = TestEnv::new();
            let run = env.run(["mcp", "serve"]);
            let mut client = McpClient::start_able(run, era, json!({"elicitation": {}}));
            assert_eq!(client.tools(), ["sandbox_run", "load_plugin"]);
            let (asked, result) = if era == Era::Handshake {
                let id = client.begin("tools/call", call.clone());
                answer_now(&mut client, id, &answer)
            } else {
                let (asked, result) = answer_later(&mut client, call.clone(), &answer);
                (asked, result["result"].clone())
            };
            let message = asked["message"].as_str().expect("a question");
            assert!(
                message.contains("install files") && message.contains("read"),
                "{asked}"
            );
            assert_eq!(result["isError"], !is_made, "{result}");
            assert_eq!(client.tools().contains(&TOOL.to_owned()), is_made);
            let log = env.run(["audit", "query", "--json"]).ok();
            assert!(log.stdout.contains("approval_decided"), "{log}");
            // Nothing is granted by it.
            if is_made {
                let tried = client.call(TOOL, json!({"path": "."}));
                assert_eq!(tried["_meta"]["toolhatch/error"], "E3213", "{tried}");
            }
        }
    }
    // Where nobody can be asked, and where tools were chosen, there is no such way.
    let env = TestEnv::new();
    let mut client = McpClient::start(env.run(["mcp", "serve"]), Era::Stateless);
    let result = client.request("tools/call", call.clone())["result"].clone();
    assert_eq!(result["_meta"], Value::Null, "{result}");
    assert!(text(&result).contains("plugin install"), "{result}");
    let chosen = env.run(["mcp", "serve", "--tools", "sandbox.run"]);
    let mut client = McpClient::start(chosen, Era::Stateless);
    let refused = client.request("tools/call", call);
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
}
