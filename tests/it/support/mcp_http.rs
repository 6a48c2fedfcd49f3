//! The server over HTTP, and requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::env::TestEnv;
use crate::support::probe;
use crate::support::process::Running;

/// A server that listens, and where.
pub struct Served {
    pub running: Running,
    pub address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Served {
    /// Serves on a free port of this machine.
    pub fn start(env: &TestEnv, words: &[&str]) -> Self {
        let mut all = vec!["mcp", "serve", "--http", "127.0.0.1:0"];
        all.extend(words);
        let running = env.run(all).start();
        running.wait_for("/mcp");
        let shown = running.shown();
        let at = shown.split("://").nth(1).expect("a URL");
        let address = at.split('/').next().expect("an address");
        Self {
            address: address.parse().expect("an address"),
            running,
        }
    }

    /// Sends a request by HTTP/1.0, whose answers end with the connection.
    pub fn send(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let stream = TcpStream::connect(self.address).expect("it listens");
        ask(stream, line, headers, body)
    }

    /// Sends a message.
    pub fn post(&self, headers: &[(&str, &str)], message: &Value) -> Answer {
        let mut all = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.extend(headers);
        self.send("POST /mcp", &all, message.to_string().as_bytes())
    }

    /// A request of 2026-07-28.
    pub fn request(&self, headers: &[(&str, &str)], method: &str, params: Value) -> Answer {
        let message = stateless(method, params);
        let name = message["params"]["name"].as_str().unwrap_or_default();
        let mut all = vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        if !name.is_empty() {
            all.push(("mcp-name", name));
        }
        all.extend(headers);
        self.post(&all, &message)
    }
}

/// A message of 2026-07-28.
pub fn stateless(method: &str, params: Value) -> Value {
    let mut params = params;
    let key = |name: &str| format!("io.modelcontextprotocol/{name}");
    params["_meta"] = json!({
        (key("protocolVersion")): "2026-07-28",
        (key("clientCapabilities")): {},
        (key("clientInfo")): {"name": "tests", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// Sends a request over a connection.
pub fn ask(
    mut stream: impl Read + Write,
    line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{line} HTTP/1.0\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    // It may answer before it has read everything.
    let _ = stream.write_all(body);
    let _ = stream.flush();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

impl Answer {
    /// The message in it, as JSON or as the last event.
    pub fn json(&self) -> Value {
        let text = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .rfind(|data| !data.trim().is_empty())
            .unwrap_or(&self.body);
        serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The file of the probe.
pub fn probing() -> String {
    probe::file().to_string_lossy().into_owned()
}

/// The SHA-256 of a token, as the configuration has it.
pub fn hex(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A tool of the probe.
pub const ECHO: &str = "probe_echo-u8";

/// What calls it.
pub fn echo(value: u8) -> Value {
    json!({"name": ECHO, "arguments": {"value": value}})
}
