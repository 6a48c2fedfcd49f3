//! The rows of MCP: what a client waits for over standard streams and over HTTP, and behind the bridge.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use toolhatch::exec::EventLimits;

use crate::processes::binary;
use crate::{CODE, PLUGIN, app, memory_of, percentile, request, row};

/// A plugin with a tool that does next to nothing.
const TRIVIAL: &str = "plugins/dist/conformance.wasm";
/// Calls before those that are measured, and these.
const WARM: usize = 200;
const CALLS: usize = 2000;

/// A server on standard streams, and its client.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Client {
    fn start(home: &Path, words: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["mcp", "serve"])
            .args(words)
            .env("TOOLHATCH_HOME", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("piped")),
            child,
            next: 0,
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut line = stateless(self.next, method, params).to_string();
        line.push('\n');
        let input = self.input.as_mut().expect("open");
        input.write_all(line.as_bytes()).expect("it reads");
        let mut answer = String::new();
        loop {
            answer.clear();
            self.output.read_line(&mut answer).expect("an answer");
            let message: Value = serde_json::from_str(&answer).expect("JSON");
            if message["id"] == self.next {
                return message;
            }
        }
    }

    fn call(&mut self, name: &str) -> Duration {
        let started = Instant::now();
        let answer = self.request("tools/call", arguments(name));
        let elapsed = started.elapsed();
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        elapsed
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

fn arguments(name: &str) -> Value {
    json!({"name": name, "arguments": {"code": CODE, "language": "rust"}})
}

fn stateless(id: u64, method: &str, mut params: Value) -> Value {
    let key = |name: &str| format!("io.modelcontextprotocol/{name}");
    params["_meta"] = json!({
        (key("protocolVersion")): "2026-07-28",
        (key("clientCapabilities")): {},
        (key("clientInfo")): {"name": "bench", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A server over HTTP.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(home: &Path) -> Self {
        let mut child = Command::new(binary())
            .args(["mcp", "serve", PLUGIN, "--http", "127.0.0.1:0"])
            .env("TOOLHATCH_HOME", home)
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        let stderr = child.stderr.take().expect("piped");
        BufReader::new(stderr).read_line(&mut line).expect("a line");
        let address = line.split("//").nth(1).and_then(|at| at.split('/').next());
        Self {
            address: address.expect("an address").to_owned(),
            child,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_nodelay(true).expect("set");
        stream
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One call over a connection that is kept.
fn post(stream: &mut BufReader<TcpStream>, id: u64) -> Duration {
    let body = stateless(id, "tools/call", arguments("analyze-code")).to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: application/json, \
         text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: analyze-code\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let started = Instant::now();
    stream
        .get_mut()
        .write_all(head.as_bytes())
        .expect("it reads");
    let (mut length, mut line) = (None, String::new());
    loop {
        line.clear();
        stream.read_line(&mut line).expect("a head");
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>().ok();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body).expect("a body");
        }
        None => loop {
            line.clear();
            stream.read_line(&mut line).expect("a chunk");
            let size = usize::from_str_radix(line.trim(), 16).expect("a size");
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).expect("a chunk");
            body.extend_from_slice(&chunk);
            if size == 0 {
                break;
            }
        },
    }
    let elapsed = started.elapsed();
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("\"isError\":false"), "{text}");
    elapsed
}

/// Row 6: a call over standard streams, against the same call in this process.
async fn stdio(home: &Path) {
    let app = app();
    let pipeline = app.pipeline().expect("a pipeline");
    let mut client = Client::start(&home.join("stdio"), &[PLUGIN]);
    client.request("tools/list", json!({}));
    let (mut ours, mut inside) = (Vec::new(), Vec::new());
    for turn in 0..WARM + CALLS {
        let started = Instant::now();
        let report = pipeline.invoke(request(EventLimits::default())).await;
        app.recorded().await.expect("recorded");
        let alone = started.elapsed();
        assert!(report.result.is_ok());
        let called = client.call("analyze-code");
        if turn >= WARM {
            inside.push(alone);
            ours.push(called);
        }
    }
    for percent in [50, 99] {
        row(
            &format!(
                "6 MCP `tools/call` over stdio, beside the call itself in one process, p{percent}"
            ),
            percentile(&mut ours, percent),
            Some(percentile(&mut inside, percent)),
            if percent == 50 {
                "call + 150 µs"
            } else {
                "–"
            },
        );
    }
    println!(
        "| 9 idle `mcp serve` after these calls | {} | – | – | – |",
        memory(&client)
    );
    drop(client);
    // What a client waits for where the tool itself takes no time.
    let mut client = Client::start(&home.join("trivial"), &[TRIVIAL, "--no-prefix"]);
    client.request("tools/list", json!({}));
    let mut samples = Vec::new();
    for turn in 0..WARM + CALLS {
        let started = Instant::now();
        let answer = client.request("tools/call", json!({"name": "test_simple_text"}));
        let elapsed = started.elapsed();
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        if turn >= WARM {
            samples.push(elapsed);
        }
    }
    row(
        "6 the same of a tool that only says a sentence, p50",
        percentile(&mut samples, 50),
        None,
        "–",
    );
}

/// What a server takes of memory, and how much of that is its own and not pages of the program.
fn memory(client: &Client) -> String {
    let pid = client.child.id().to_string();
    let mebibytes = |field| memory_of(&pid, field) >> 10;
    format!(
        "{} MiB, of which {} MiB are not pages of the program",
        mebibytes("VmRSS:"),
        mebibytes("RssAnon:")
    )
}

/// Declares twenty servers at this address, in a home of their own.
fn declare(own: &Path, address: &str) {
    let servers = (0..20)
        .map(|index| format!("[mcp.servers.other-{index}]\nurl = \"http://{address}/mcp\"\n"));
    let folder = own.join("config/toolhatch");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("config.toml"), servers.collect::<String>()).expect("written");
}

/// How long it takes from the start to the list of tools, so many at least.
fn listing(own: &Path, least: usize) -> Duration {
    let mut samples = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let mut client = Client::start(own, &[]);
        let answer = client.request("tools/list", json!({}));
        samples.push(started.elapsed());
        let tools = answer["result"]["tools"].as_array().map_or(0, Vec::len);
        assert!(tools >= least, "{answer}");
    }
    percentile(&mut samples, 50)
}

/// Row 9: the time to the first answer with twenty servers, and memory of a server that waits.
fn start(home: &Path) {
    let own = home.join("start");
    declare(&own, "127.0.0.1:9");
    let budget = "≤ 100 ms";
    let title = "`mcp serve` with 20 servers that cannot be reached, from its start to the list of tools, p50";
    row(title, listing(&own, 0), None, budget);
    let known = home.join("known");
    let served = Served::start(&home.join("known-upstream"));
    declare(&known, &served.address);
    let mut client = Client::start(&known, &[]);
    let until = Instant::now() + Duration::from_secs(30);
    while {
        let tools = client.request("tools/list", json!({}));
        tools["result"]["tools"].as_array().map_or(0, Vec::len) < 20
    } {
        assert!(Instant::now() < until, "they were not all listed");
    }
    drop((client, served));
    let title = "the same with 20 servers that are known and gone: all their tools are listed, p50";
    row(title, listing(&known, 20), None, budget);
    // The first one compiles.
    for _ in 0..2 {
        let mut client = Client::start(&home.join("idle"), &[PLUGIN]);
        client.request("tools/list", json!({}));
    }
    let mut client = Client::start(&home.join("idle"), &[PLUGIN]);
    client.request("server/discover", json!({}));
    println!(
        "| 9 idle `mcp serve`, ready | {} | – | – | ≤ 30 MB |",
        memory(&client)
    );
    client.request("tools/list", json!({}));
    println!(
        "| 9 the same once its tools were listed | {} | – | – | – |",
        memory(&client)
    );
}

/// Calls a second over HTTP, on two connections that are kept.
fn http(home: &Path) {
    let served = Served::start(&home.join("http"));
    let calling = |count: usize| {
        let mut stream = BufReader::new(served.connect());
        let mut samples: Vec<Duration> =
            (0..count).map(|id| post(&mut stream, id as u64)).collect();
        percentile(&mut samples, 50)
    };
    calling(WARM);
    let one = calling(CALLS);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| calling(CALLS / 2));
        }
    });
    let rate = (CALLS / 2 * 8) as f64 / started.elapsed().as_secs_f64();
    row(
        "MCP `tools/call` over HTTP, one connection, p50",
        one,
        None,
        "–",
    );
    println!("| MCP over HTTP, 8 connections | {rate:.0} calls/s | – | – | ≥ 1000 calls/s |");
}

/// Row 8: a call through the bridge, against the same server asked directly.
fn bridge(home: &Path) {
    let served = Served::start(&home.join("upstream"));
    let own = home.join("bridge");
    let folder = own.join("config/toolhatch");
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = format!(
        "[mcp.servers.up]\nurl = \"http://{}/mcp\"\n",
        served.address
    );
    std::fs::write(folder.join("config.toml"), config).expect("written");
    let mut client = Client::start(&own, &[]);
    let until = Instant::now() + Duration::from_secs(10);
    let name = "up_analyze-code";
    loop {
        let tools = client.request("tools/list", json!({}));
        if tools.to_string().contains(name) {
            break;
        }
        assert!(Instant::now() < until, "{tools}");
    }
    let mut direct = BufReader::new(served.connect());
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for turn in 0..WARM + CALLS / 2 {
        let alone = post(&mut direct, turn as u64);
        let called = client.call(name);
        if turn >= WARM {
            raw.push(alone);
            ours.push(called);
        }
    }
    for percent in [50, 99] {
        row(
            &format!("8 a server behind the bridge, beside the server asked directly, p{percent}"),
            percentile(&mut ours, percent),
            Some(percentile(&mut raw, percent)),
            if percent == 50 {
                "direct + 0.5 ms"
            } else {
                "–"
            },
        );
    }
}

/// All rows.
pub(crate) async fn rows(home: &Path) {
    stdio(home).await;
    start(home);
    http(home);
    bridge(home);
}
