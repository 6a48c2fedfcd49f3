//! Servers for tests, played line by line over streams in memory.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::*;
use crate::config::ContainerResources;
use crate::exec::{Launched, Program, Reading, SandboxSpec};
use crate::manifest::container::{Network, User};

/// What a played server writes for a message, as raw bytes; nothing more after `None`.
pub(super) type Script = dyn Fn(&Value) -> Option<Vec<u8>> + Send + Sync;

/// Starts servers that a closure plays.
pub(super) struct Played {
    pub(super) script: Arc<Script>,
    /// What came from our side, of all of them.
    pub(super) heard: Arc<Mutex<Vec<Value>>>,
    pub(super) started: Arc<Mutex<u32>>,
    pub(super) stderr: &'static str,
}

struct Ended(tokio::sync::watch::Receiver<bool>);

impl Program for Ended {
    fn ended(&mut self) -> BoxFuture<'_, String> {
        Box::pin(async move {
            drop(self.0.wait_for(|ended| *ended).await);
            "exit code 3".to_owned()
        })
    }

    fn stop(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Launcher for Played {
    fn launch(&self, _launch: Launch) -> BoxFuture<'_, Result<Launched>> {
        *self.started.lock().expect("sound") += 1;
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (told, ended) = tokio::sync::watch::channel(false);
        tokio::spawn(play(
            theirs,
            Arc::clone(&self.script),
            Arc::clone(&self.heard),
            told,
        ));
        let (output, input) = tokio::io::split(ours);
        let launched = Launched {
            input: Box::new(input),
            output: Box::new(output),
            errors: Box::new(std::io::Cursor::new(self.stderr.as_bytes())),
            program: Box::new(Ended(ended)),
            posture: "played".to_owned(),
        };
        Box::pin(std::future::ready(Ok(launched)))
    }
}

async fn play(
    stream: DuplexStream,
    script: Arc<Script>,
    heard: Arc<Mutex<Vec<Value>>>,
    ended: tokio::sync::watch::Sender<bool>,
) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).expect("we send JSON");
        let answer = script(&message);
        heard.lock().expect("sound").push(message);
        let Some(answer) = answer else {
            break;
        };
        if writer.write_all(&answer).await.is_err() {
            break;
        }
    }
    ended.send_replace(true);
}

/// One server, called `peer`.
pub(super) struct One {
    pub(super) spec: ServerSpec,
    pub(super) era: Option<Era>,
}

impl Directory for One {
    fn spec(&self, _server: &PluginName) -> Result<ServerSpec> {
        Ok(self.spec.clone())
    }

    fn era(&self, _server: &PluginName) -> Option<Era> {
        self.era
    }

    fn check(&self, _server: &PluginName, _tool: &str) -> Result<()> {
        Ok(())
    }

    fn seen<'a>(&'a self, _server: &'a PluginName, _seen: &'a Seen) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

pub(super) fn peer() -> PluginName {
    "peer".parse().expect("a name")
}

pub(super) fn spec(reach: Reach) -> ServerSpec {
    ServerSpec {
        name: peer(),
        reach,
        protocol: McpProtocol::Auto,
        timeout: Duration::from_secs(5),
        start_timeout: Duration::from_secs(20),
        connections: 10,
        concurrency: 64,
        max_message: 1 << 20,
    }
}

pub(super) fn launch(argv: &[&str]) -> Launch {
    Launch {
        name: "peer".to_owned(),
        spec: SandboxSpec {
            image: String::new(),
            argv: argv.iter().map(|part| (*part).to_owned()).collect(),
            env: Vec::new(),
            workdir: None,
            stdin: bytes::Bytes::new(),
            mounts: Vec::new(),
            network: Network::None,
            reach: Vec::new(),
            user: User::Workspace,
            resources: ContainerResources::default(),
            grace: Duration::from_secs(1),
            keep: None,
            reading: Reading::Whole,
        },
        scope: Arc::default(),
        sensitive: Arc::default(),
        veto: None,
        events: Arc::new(crate::exec::EventSink::new(
            crate::exec::EventLimits::default(),
        )),
    }
}

/// A line with an answer.
pub(super) fn answer(request: &Value, result: Value) -> Vec<u8> {
    let id = request.get("id").cloned().unwrap_or_default();
    line(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

pub(super) fn line(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

pub(super) fn method(message: &Value) -> &str {
    message
        .get("method")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// What a server answers that is like others: a handshake, and these tools. Nothing where it is something else.
pub(super) fn ordinary(message: &Value, tools: &Value) -> Option<Vec<u8>> {
    match method(message) {
        "server/discover" => Some(line(&json!({
            "jsonrpc": "2.0", "id": message["id"],
            "error": {"code": -32601, "message": "Method not found"},
        }))),
        "initialize" => Some(answer(
            message,
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "played", "version": "1"},
                "instructions": "Be kind.",
            }),
        )),
        "notifications/initialized" | "notifications/cancelled" => Some(Vec::new()),
        "tools/list" => Some(answer(message, json!({"tools": tools}))),
        _ => None,
    }
}

pub(super) fn tool(name: &str) -> Value {
    json!({"name": name, "description": "x", "inputSchema": {"type": "object"}})
}
