//! The server over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::mcp_client::handshake;
use crate::support::probe;
use crate::support::process::Running;
use crate::support::source::root;

/// A server that listens, and where.
struct Served {
    running: Running,
    address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Served {
    fn start(env: &TestEnv, words: &[&str]) -> Self {
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
    fn send(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let stream = TcpStream::connect(self.address).expect("it listens");
        ask(stream, line, headers, body)
    }

    fn post(&self, headers: &[(&str, &str)], message: &Value) -> Answer {
        let mut all = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.extend(headers);
        self.send("POST /mcp", &all, message.to_string().as_bytes())
    }

    /// A request of 2026-07-28.
    fn request(&self, headers: &[(&str, &str)], method: &str, params: Value) -> Answer {
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

fn stateless(method: &str, params: Value) -> Value {
    let mut params = params;
    let key = |name: &str| format!("io.modelcontextprotocol/{name}");
    params["_meta"] = json!({
        (key("protocolVersion")): "2026-07-28",
        (key("clientCapabilities")): {},
        (key("clientInfo")): {"name": "tests", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn ask(mut stream: impl Read + Write, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
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
    fn json(&self) -> Value {
        let text = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .rfind(|data| !data.trim().is_empty())
            .unwrap_or(&self.body);
        serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn probing() -> String {
    probe::file().to_string_lossy().into_owned()
}

fn hex(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const ECHO: &str = "probe_echo-u8";

fn echo(value: u8) -> Value {
    json!({"name": ECHO, "arguments": {"value": value}})
}

#[test]
fn a_tool_is_called_without_a_session() {
    let env = TestEnv::new();
    let served = Served::start(&env, &[&probing()]);
    let listed = served.request(&[], "tools/list", json!({})).json();
    assert!(listed["result"]["tools"].as_array().expect("tools").len() > 1);
    let called = served.request(&[], "tools/call", echo(7)).json();
    assert_eq!(
        called["result"]["structuredContent"]["result"], 7,
        "{called}"
    );
    // What a header says and the message does not is a way past whoever looks at headers alone.
    let wrong = served.request(&[("mcp-name", "another")], "tools/list", json!({}));
    assert!(wrong.status == 200 || wrong.status == 400, "{wrong:?}");
    let message = stateless("tools/call", echo(7));
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "another"),
    ];
    let wrong = served.post(&headers, &message);
    assert_eq!(wrong.status, 400, "{wrong:?}");
    assert_eq!(wrong.json()["error"]["code"], -32020, "{wrong:?}");
}

#[test]
fn a_session_lives_from_its_handshake_to_its_end() {
    let env = TestEnv::new();
    let served = Served::start(&env, &[&probing()]);
    let hello = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": handshake("2025-11-25", json!({})),
    });
    let answer = served.post(&[], &hello);
    assert_eq!(answer.json()["result"]["protocolVersion"], "2025-11-25");
    let session = answer
        .header("mcp-session-id")
        .expect("a session")
        .to_owned();
    let headers = [
        ("mcp-session-id", &*session),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(served.post(&headers, &ready).status, 202);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": echo(9)});
    let called = served.post(&headers, &call).json();
    assert_eq!(
        called["result"]["structuredContent"]["result"], 9,
        "{called}"
    );
    assert!(served.send("DELETE /mcp", &headers, b"").status < 300);
    assert_eq!(served.post(&headers, &call).status, 404);
}

#[test]
fn a_name_or_an_origin_that_is_not_ours_is_refused() {
    let env = TestEnv::new();
    env.write(
        env.user_config(),
        b"[serve.http]\nhosts = [\"tools.example.com\"]\norigins = [\"https://app.example.com\"]\n",
    );
    let served = Served::start(&env, &[&probing()]);
    let call = |headers: &[(&str, &str)]| served.request(headers, "tools/call", echo(1)).status;
    assert_eq!(call(&[("host", "tools.example.com")]), 200);
    assert_eq!(call(&[("host", "evil.example.com")]), 403);
    assert_eq!(call(&[("origin", "https://app.example.com")]), 200);
    for origin in ["https://evil.example.com", "null", "http://localhost:1"] {
        assert_eq!(call(&[("origin", origin)]), 403, "{origin}");
    }
    for path in ["/healthz", "/metrics"] {
        let line = format!("GET {path}");
        assert_eq!(
            served
                .send(&line, &[("host", "evil.example.com")], b"")
                .status,
            403
        );
    }
}

#[test]
fn a_token_lets_in_and_decides_what_is_served() {
    let env = TestEnv::new();
    let (files, probe) = (root().join("plugins/dist/files.wasm"), probing());
    env.write("src/a.txt", b"inside\n");
    let src = env.path("src").to_string_lossy().into_owned();
    let config = format!(
        "[serve.tokens.ci]\nsha256 = \"{}\"\nprofile = \"reading\"\n\
         [serve.tokens.other]\nsha256 = \"{}\"\n\
         [serve.profiles.reading]\ntools = [\"files.read\"]\nallow = [\"file_read={src}\"]\n",
        hex("right"),
        hex("other"),
    );
    env.write(env.user_config(), config.as_bytes());
    let served = Served::start(&env, &[&files.to_string_lossy(), &probe]);
    let bearer = |token: &str| format!("Bearer {token}");
    let names = |token: &str| -> Vec<String> {
        let header = bearer(token);
        let headers = [("authorization", &*header)];
        let listed = served.request(&headers, "tools/list", json!({})).json();
        let tools = listed["result"]["tools"].as_array().expect("tools").clone();
        let names = tools
            .iter()
            .map(|tool| tool["name"].as_str().expect("a name").to_owned());
        names.collect()
    };
    assert_eq!(names("right"), ["files_read"]);
    assert!(names("other").contains(&ECHO.to_owned()));
    let read = json!({"name": "files_read", "arguments": {"path": format!("{src}/a.txt")}});
    let call = |token: &str| {
        let header = bearer(token);
        let headers = [("authorization", &*header)];
        served.request(&headers, "tools/call", read.clone()).json()
    };
    let allowed = call("right");
    assert!(allowed.to_string().contains("inside"), "{allowed}");
    let denied = call("other");
    assert_eq!(denied["result"]["isError"], true, "{denied}");
    // Nobody else gets anywhere, also not to the numbers.
    let silent = served.request(&[], "tools/list", json!({}));
    assert_eq!(
        (silent.status, silent.header("www-authenticate")),
        (401, Some("bearer"))
    );
    for value in [
        "Bearer wrong",
        "Basic cmlnaHQ6",
        "Bearer",
        "Bearer right right",
    ] {
        let answer = served.request(&[("authorization", value)], "tools/list", json!({}));
        assert_eq!(answer.status, 401, "{value}: {answer:?}");
    }
    assert_eq!(served.send("GET /metrics", &[], b"").status, 401);
    assert_eq!(served.send("GET /healthz", &[], b"").status, 200);
    let header = bearer("right");
    let metrics = served.send("GET /metrics", &[("authorization", &header)], b"");
    assert!(
        metrics
            .body
            .contains("toolhatch_calls_total{code=\"ok\"} 1"),
        "{metrics:?}"
    );
    assert!(
        metrics
            .body
            .contains("toolhatch_calls_total{code=\"E3210\"} 1"),
        "{metrics:?}"
    );
    let calls = env.run(["calls", "list", "--json"]).ok();
    assert!(calls.stdout.contains("token ci"), "{calls}");
}

#[test]
fn a_session_is_nobody_elses() {
    let env = TestEnv::new();
    let config = format!(
        "[serve.tokens.a]\nsha256 = \"{}\"\n[serve.tokens.b]\nsha256 = \"{}\"\n",
        hex("a"),
        hex("b"),
    );
    env.write(env.user_config(), config.as_bytes());
    let served = Served::start(&env, &[&probing()]);
    let hello = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": handshake("2025-11-25", json!({})),
    });
    let answer = served.post(&[("authorization", "Bearer a")], &hello);
    let session = answer
        .header("mcp-session-id")
        .expect("a session")
        .to_owned();
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": echo(9)});
    let with = |token: &str| {
        let headers = [("authorization", token), ("mcp-session-id", &*session)];
        served.post(&headers, &call).status
    };
    assert_eq!(with("Bearer a"), 200);
    assert_eq!(with("Bearer b"), 404);
}

#[test]
fn an_address_of_the_network_takes_tokens_and_tls() {
    let env = TestEnv::new();
    let serve = |env: &TestEnv| env.run(["mcp", "serve", "--http", "0.0.0.0:0"]).output();
    let output = serve(&env).fails_with(2, "E3004");
    assert!(output.stderr.contains("mcp token"), "{output}");
    let token = format!("[serve.tokens.a]\nsha256 = \"{}\"\n", hex("a"));
    env.write(env.user_config(), token.as_bytes());
    let output = serve(&env).fails_with(2, "E3004");
    assert!(output.stderr.contains("in clear"), "{output}");
    let half = format!("{token}[serve.http]\ncertificate = \"/none\"\n");
    env.write(env.user_config(), half.as_bytes());
    serve(&env).fails_with(2, "E3004");
    // A project cannot open anything.
    let env = TestEnv::new();
    env.write(".toolhatch/config.toml", token.as_bytes());
    serve(&env).fails_with(2, "E3004");
}

#[test]
fn it_speaks_tls() {
    let env = TestEnv::new();
    let folder = root().join("tests/fixtures/tls");
    let config = format!(
        "[serve.http]\ncertificate = \"{0}/certificate.pem\"\nkey = \"{0}/key.pem\"\n",
        folder.display(),
    );
    env.write(env.user_config(), config.as_bytes());
    let served = Served::start(&env, &[&probing()]);
    assert!(served.running.shown().contains("https://"));
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem"));
    roots
        .add(certificate.expect("a certificate"))
        .expect("added");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(served.address).expect("it listens");
    let stream = rustls::StreamOwned::new(session, stream);
    let answer = ask(stream, "GET /readyz", &[], b"");
    assert_eq!((answer.status, &*answer.body), (200, "ready"));
    // Somebody who speaks plain text is told nothing, and the next one is served.
    let mut plain = TcpStream::connect(served.address).expect("it listens");
    plain
        .write_all(b"GET /readyz HTTP/1.0\r\n\r\n")
        .expect("it reads");
    let mut bytes = Vec::new();
    let _ = plain.read_to_end(&mut bytes);
    assert!(!String::from_utf8_lossy(&bytes).contains("ready"));
}

#[test]
fn what_is_too_large_or_makes_no_sense_is_answered() {
    let env = TestEnv::new();
    env.write(env.user_config(), b"[serve.http]\nmax_body = \"64KiB\"\n");
    let served = Served::start(&env, &[&probing()]);
    let large = json!({"name": ECHO, "arguments": {"value": "x".repeat(100_000)}});
    assert_eq!(served.request(&[], "tools/call", large).status, 413);
    let accept = [("accept", "application/json, text/event-stream")];
    let text = served.send(
        "POST /mcp",
        &[accept[0], ("content-type", "text/plain")],
        b"{}",
    );
    assert_eq!(text.status, 415, "{text:?}");
    let json = [accept[0], ("content-type", "application/json")];
    let broken = served.send("POST /mcp", &json, b"{\"jsonrpc\": ");
    assert!((400..500).contains(&broken.status), "{broken:?}");
    assert_eq!(served.send("GET /", &[], b"").status, 404);
    assert_eq!(served.request(&[], "tools/call", echo(3)).status, 200);
}

#[test]
fn a_client_that_hangs_up_takes_its_call_with_it() {
    let env = TestEnv::new();
    env.write("spin.wasm", &guests::component(guests::SPIN));
    let served = Served::start(&env, &["spin.wasm", "--timeout", "50s"]);
    let message = stateless("tools/call", json!({"name": "spin", "arguments": {}})).to_string();
    let mut stream = TcpStream::connect(served.address).expect("it listens");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: spin\r\ncontent-length: {}\r\n\r\n{message}",
        message.len(),
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let began = Instant::now();
    let wait_for = |text: &str| {
        loop {
            let metrics = served.send("GET /metrics", &[], b"").body;
            if metrics.contains(text) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{metrics}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait_for("toolhatch_calls_running 1");
    drop(stream);
    wait_for("toolhatch_calls_total{code=\"E3703\"} 1");
}

#[test]
fn calls_that_run_are_answered_when_it_is_told_to_end() {
    let env = TestEnv::new();
    let served = Served::start(&env, &[&probing()]);
    let address = served.address;
    let calling = std::thread::spawn(move || {
        let call = json!({"name": "probe_sleep", "arguments": {"milliseconds": 1500}});
        let message = stateless("tools/call", call).to_string();
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "probe_sleep"),
        ];
        let stream = TcpStream::connect(address).expect("it listens");
        ask(stream, "POST /mcp", &headers, message.as_bytes())
    });
    loop {
        let metrics = served.send("GET /metrics", &[], b"").body;
        if metrics.contains("toolhatch_calls_running 1") {
            break;
        }
        assert!(!calling.is_finished(), "{metrics}");
    }
    served.running.signal(Signal::TERM);
    served.running.finish().ok();
    let answer = calling.join().expect("it did not panic");
    assert_eq!(answer.json()["result"]["isError"], false, "{answer:?}");
}
