//! Servers that do what they should not, played over streams in memory.

mod asking;
mod hostile;
mod timing;

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::testing::*;
use super::*;
use crate::error::Code;
use crate::exec::{
    Arguments, Askable, Content, Entry, EventLimits, EventSink, Input, InputAnswer, LogLevel,
    ToolErrorKind,
};
use crate::ids::Digest;
use crate::manifest::Limits;
use crate::permission::Sensitive;

/// A bridge to one played server.
pub(super) struct Stage {
    pub(super) bridge: Bridge,
    heard: Arc<Mutex<Vec<Value>>>,
    started: Arc<Mutex<u32>>,
    events: Arc<EventSink>,
}

impl Stage {
    fn new(script: impl Fn(&Value) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::with(|_| {}, script)
    }

    fn with(
        change: impl FnOnce(&mut One),
        script: impl Fn(&Value) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let heard = Arc::new(Mutex::default());
        let started = Arc::new(Mutex::default());
        let played = Played {
            script: Arc::new(script),
            heard: Arc::clone(&heard),
            started: Arc::clone(&started),
            stderr: "first line\nlast words\n",
        };
        let reach = Reach::Program {
            launch: Box::new(launch(&["played"])),
            launcher: Arc::new(played),
        };
        let mut one = One {
            spec: spec(reach),
            era: Some(Era::Legacy),
        };
        change(&mut one);
        Self {
            bridge: Bridge::new(Arc::new(one)),
            heard,
            started,
            events: Arc::new(EventSink::new(EventLimits::default())),
        }
    }

    /// A call of a tool, as it says of itself now.
    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Ended {
        self.call_with(
            tool,
            arguments,
            CancellationToken::new(),
            Duration::from_secs(10),
        )
        .await
    }

    async fn call_with(
        &self,
        tool: &str,
        arguments: Value,
        cancel: CancellationToken,
        timeout: Duration,
    ) -> Ended {
        let digest = match self.bridge.look(&peer()).await {
            Ok(seen) => seen
                .listing
                .tool(tool)
                .map_or_else(|| Digest::of(b""), |tool| tool.digest),
            Err(error) => return Ended::NotRun(error),
        };
        self.bridge
            .run(*job(tool, digest, arguments, cancel, timeout, &self.events))
            .await
            .ended
    }

    fn heard(&self, wanted: &str) -> Vec<Value> {
        let heard = self.heard.lock().expect("sound");
        let is_it = |message: &&Value| method(message) == wanted;
        heard.iter().filter(is_it).cloned().collect()
    }
}

/// The only job here: made of one that nothing is granted to.
fn job(
    tool: &str,
    digest: Digest,
    arguments: Value,
    cancel: CancellationToken,
    timeout: Duration,
    events: &Arc<EventSink>,
) -> Box<Job> {
    let limits = Limits {
        timeout,
        ..Limits::default()
    };
    let mut job = Job::of_command(launch(&["x"]).spec, &limits, &Sensitive::default());
    job.entry = Entry::Server {
        server: peer(),
        tool: tool.to_owned(),
        digest,
    };
    job.arguments = Arguments::Json(Arc::new(arguments));
    job.cancel = cancel;
    job.events = Arc::clone(events);
    Box::new(job)
}

/// A server with the tools `a` and `b`, whose calls are answered by this.
fn calls(
    answers: impl Fn(&Value) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> impl Fn(&Value) -> Option<Vec<u8>> + Send + Sync + 'static {
    move |message| {
        ordinary(message, &json!([tool("a"), tool("b")])).or_else(|| match method(message) {
            "tools/call" => answers(message),
            _ => Some(Vec::new()),
        })
    }
}

fn text(ended: &Ended) -> &str {
    match ended {
        Ended::Complete(output) => match output.content.first() {
            Some(Content::Text { text, .. }) => text,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn error(ended: Ended) -> crate::error::Error {
    match ended {
        Ended::NotRun(error) => error,
        other => panic!("{other:?}"),
    }
}

fn said(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

#[tokio::test]
async fn a_tool_is_called_with_its_arguments_over_one_connection() {
    let stage = Stage::new(calls(|message| {
        Some(answer(
            message,
            said(&message["params"]["arguments"].to_string()),
        ))
    }));
    assert_eq!(
        text(&stage.call("a", json!({"x": [1]})).await),
        r#"{"x":[1]}"#
    );
    assert_eq!(text(&stage.call("b", json!({})).await), "{}");
    let names: Vec<Value> = stage
        .heard("tools/call")
        .iter()
        .map(|message| message["params"]["name"].clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(*stage.started.lock().expect("sound"), 1);
    let seen = stage.bridge.look(&peer()).await.expect("connected");
    assert_eq!(seen.identity.name.as_deref(), Some("played"));
    assert_eq!(seen.identity.instructions.as_deref(), Some("Be kind."));
    assert_eq!(seen.era, Era::Legacy);
}

#[tokio::test]
async fn a_server_that_knows_no_discovery_is_greeted_the_old_way() {
    let stage = Stage::with(
        |one| one.era = None,
        calls(|message| Some(answer(message, said("ok")))),
    );
    assert_eq!(text(&stage.call("a", json!({})).await), "ok");
    assert_eq!(stage.heard("server/discover").len(), 1);
    assert_eq!(stage.heard("initialize").len(), 1);
}

#[tokio::test]
async fn a_modern_server_is_asked_without_a_handshake() {
    let stage = Stage::with(
        |one| one.era = None,
        |message| match method(message) {
            "server/discover" => Some(answer(
                message,
                json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                    "ttlMs": 0, "cacheScope": "private",
                    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "new", "version": "2"}},
                }),
            )),
            "tools/list" => Some(answer(
                message,
                json!({"resultType": "complete", "tools": [tool("a")], "ttlMs": 0, "cacheScope": "private"}),
            )),
            "tools/call" => Some(answer(
                message,
                json!({"resultType": "complete", "content": [{"type": "text", "text": "ok"}]}),
            )),
            _ => Some(Vec::new()),
        },
    );
    assert_eq!(text(&stage.call("a", json!({})).await), "ok");
    let seen = stage.bridge.look(&peer()).await.expect("connected");
    assert_eq!(
        (seen.era, seen.identity.name.as_deref()),
        (Era::Modern, Some("new"))
    );
    let call = stage.heard("tools/call").remove(0);
    let version = &call["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
    assert_eq!(version, "2026-07-28");
    assert!(stage.heard("initialize").is_empty());
}

#[tokio::test]
async fn errors_of_the_server_are_errors_of_the_tool() {
    let stage = Stage::new(calls(|message| {
        Some(line(
            &json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "no x"}}),
        ))
    }));
    let Ended::Failed(error) = stage.call("a", json!({})).await else {
        panic!("not failed");
    };
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ToolErrorKind::InvalidArguments, "no x")
    );
}

#[tokio::test]
async fn a_server_that_asks_is_asked_again_with_the_answers() {
    let stage = Stage::with(
        |one| one.era = None,
        |message| match method(message) {
            "server/discover" => Some(answer(
                message,
                json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                    "ttlMs": 0, "cacheScope": "private",
                }),
            )),
            "tools/list" => Some(answer(message, json!({"tools": [tool("a")]}))),
            "tools/call" => {
                let params = &message["params"];
                let may_ask =
                    &params["_meta"]["io.modelcontextprotocol/clientCapabilities"]["elicitation"];
                Some(answer(
                    message,
                    match params["inputResponses"]["q"]["content"]["n"].as_i64() {
                        Some(n) => said(&format!(
                            "{n} {} {}",
                            params["requestState"], may_ask["form"]
                        )),
                        None => {
                            json!({"resultType": "input_required", "requestState": "sealed", "inputRequests": {
                                "q": {"method": "elicitation/create", "params": {"message": "How many?", "requestedSchema": {
                                    "type": "object", "properties": {"n": {"type": "integer"}},
                                }}},
                            }})
                        }
                    },
                ))
            }
            _ => Some(Vec::new()),
        },
    );
    let Ended::NeedsInput(needed) = stage.call("a", json!({})).await else {
        panic!("it did not ask");
    };
    let digest = stage
        .bridge
        .look(&peer())
        .await
        .expect("connected")
        .listing
        .tools[0]
        .digest;
    let cancel = CancellationToken::new();
    let mut again = job(
        "a",
        digest,
        json!({}),
        cancel,
        Duration::from_secs(5),
        &stage.events,
    );
    again.input = Input {
        answers: vec![InputAnswer::Accepted(json!({"n": 3}))],
        state: needed.state,
        askable: Askable {
            form: true,
            ..Askable::default()
        },
    };
    assert_eq!(
        text(&stage.bridge.run(*again).await.ended),
        "3 \"sealed\" {}"
    );
}
