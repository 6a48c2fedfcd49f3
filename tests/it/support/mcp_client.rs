//! A client of the MCP server that the binary is: one message a line, over its standard streams.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Map, Value, json};

use super::process::Run;

/// No test waits longer than this for an answer.
const GENEROUS: Duration = Duration::from_secs(30);

/// Which way of talking a client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// With a handshake: 2025-11-25 and before.
    Handshake,
    /// Without: 2026-07-28.
    Stateless,
}

impl Era {
    pub const BOTH: [Self; 2] = [Self::Handshake, Self::Stateless];
}

/// A client with a server of its own, which is killed when it is dropped.
pub struct McpClient {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    era: Era,
    capabilities: Value,
    next: u64,
    /// What came besides answers, in order.
    pub notifications: Vec<Value>,
}

impl McpClient {
    /// Starts the server and, where there is a handshake, shakes hands.
    pub fn start(run: Run, era: Era) -> Self {
        Self::start_able(run, era, json!({}))
    }

    /// The same for a client with these capabilities.
    pub fn start_able(run: Run, era: Era, capabilities: Value) -> Self {
        let mut client = Self::start_silent(run, era);
        client.capabilities = capabilities.clone();
        if era == Era::Handshake {
            let answer = client.request("initialize", handshake("2025-11-25", capabilities));
            assert!(answer["result"].is_object(), "{answer}");
            client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        }
        client
    }

    /// Starts the server and says nothing yet.
    pub fn start_silent(run: Run, era: Era) -> Self {
        let mut child = run.spawn_with(Stdio::piped(), Stdio::piped());
        let output = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            lines,
            era,
            capabilities: json!({}),
            next: 0,
            notifications: Vec::new(),
        }
    }

    /// The process id of the server.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a line as it is.
    pub fn send_line(&mut self, line: &[u8]) {
        let input = self.input.as_mut().expect("it is open");
        input.write_all(line).expect("it reads");
        input.write_all(b"\n").expect("it reads");
        input.flush().expect("it reads");
    }

    pub fn send(&mut self, message: &Value) {
        self.send_line(message.to_string().as_bytes());
    }

    /// Sends a request and gives its id.
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let mut params = match params {
            Value::Object(params) => params,
            _ => Map::new(),
        };
        if self.era == Era::Stateless {
            let meta = params.entry("_meta").or_insert_with(|| json!({}));
            let meta = meta.as_object_mut().expect("an object");
            let key = |name: &str| format!("io.modelcontextprotocol/{name}");
            meta.insert(key("protocolVersion"), "2026-07-28".into());
            meta.insert(key("clientCapabilities"), self.capabilities.clone());
            meta.insert(key("clientInfo"), json!({"name": "tests", "version": "1"}));
        }
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The next message of any kind.
    pub fn next_message(&mut self) -> Value {
        let line = self.lines.recv_timeout(GENEROUS).expect("a message");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// Waits for the answer to this request; what else comes is kept.
    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.next_message();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.notifications.push(message);
        }
    }

    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id)
    }

    /// Calls a tool and gives its result.
    #[track_caller]
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    /// The names of the tools, in the order they come.
    pub fn tools(&mut self) -> Vec<String> {
        let answer = self.request("tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array().expect("tools");
        tools
            .iter()
            .map(|tool| tool["name"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Closes its input and waits until the server has ended.
    pub fn close(mut self) -> ExitStatus {
        drop(self.input.take());
        let until = Instant::now() + GENEROUS;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < until, "the server goes on");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What a client says first.
pub fn handshake(version: &str, capabilities: Value) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "clientInfo": {"name": "tests", "version": "1"},
    })
}

/// The text of a result's first block.
#[track_caller]
pub fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().expect("text")
}

impl Drop for McpClient {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
