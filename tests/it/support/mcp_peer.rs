//! An MCP server that a test plays, over HTTP: message in, answer out.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Request, Response, Server};

/// What is answered to a message.
pub enum Answer {
    /// A result.
    Result(Value),
    /// An error of the protocol.
    Error(i64, &'static str),
    /// A stream of events with exactly this text.
    Events(String),
    /// Whatever this is.
    Http(Response),
}

type Play = dyn Fn(&str, &Value, &Request) -> Option<Answer> + Send + Sync;

/// Runs until it is dropped.
pub struct McpPeer {
    server: Server,
    heard: Arc<Mutex<Vec<Value>>>,
}

impl McpPeer {
    /// A server of revision 2025-11-25 with these tools, that answers calls, and whatever else it is asked, with what the
    /// closure says for the method and the message; where it says nothing, like any other server.
    pub fn start(
        tools: Value,
        play: impl Fn(&str, &Value, &Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (heard_by, play) = (Arc::clone(&heard), Box::new(play) as Box<Play>);
        let server = Server::start(move |request| {
            if request.method != "POST" {
                return Response::new(405, "");
            }
            let message: Value = serde_json::from_slice(&request.body).expect("we send JSON");
            heard_by.lock().expect("sound").push(message.clone());
            let method = message["method"].as_str().unwrap_or_default();
            let answer =
                play(method, &message, request).or_else(|| usual(method, &message, &tools));
            let with = |rest: (&str, Value)| {
                let (key, value) = rest;
                let body = json!({"jsonrpc": "2.0", "id": message["id"], key: value}).to_string();
                Response::new(200, body).header("content-type", "application/json")
            };
            match answer {
                Some(Answer::Result(result)) => with(("result", result)),
                Some(Answer::Error(code, text)) => {
                    with(("error", json!({"code": code, "message": text})))
                }
                Some(Answer::Events(text)) => {
                    Response::new(200, text).header("content-type", "text/event-stream")
                }
                Some(Answer::Http(response)) => response,
                None => Response::new(202, ""),
            }
        });
        Self { server, heard }
    }

    /// The URL of its endpoint.
    pub fn url(&self) -> String {
        self.server.url("/mcp")
    }

    /// The messages of this method that came so far.
    pub fn heard(&self, method: &str) -> Vec<Value> {
        let heard = self.heard.lock().expect("sound");
        let is_it = |message: &&Value| message["method"] == method;
        heard.iter().filter(is_it).cloned().collect()
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

fn usual(method: &str, _message: &Value, tools: &Value) -> Option<Answer> {
    match method {
        "server/discover" => Some(Answer::Error(-32601, "Method not found")),
        "initialize" => Some(Answer::Result(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "played", "version": "1.2.3"},
        }))),
        "tools/list" => Some(Answer::Result(json!({"tools": tools}))),
        "tools/call" => Some(said("ok")),
        _ => None,
    }
}

/// A result with one block of text.
pub fn said(text: &str) -> Answer {
    Answer::Result(json!({"content": [{"type": "text", "text": text}]}))
}

/// A tool that takes anything.
pub fn tool(name: &str) -> Value {
    json!({"name": name, "description": format!("Does {name}"), "inputSchema": {"type": "object"}})
}
