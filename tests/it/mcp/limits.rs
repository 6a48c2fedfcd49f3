//! What a client may do to the server without harming it, or those that come after: very many requests, very long ones,
//! and answers that nobody reads.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::http::Message;
use crate::support::mcp_http::{Served, ask, echo, probing, stateless};
use crate::support::procfs::{cpu_time, peak_memory};

/// How many requests come at once.
const MANY: u64 = 10_000;
/// How long a message is that is too long for everything.
const HUGE: usize = 100_000_000;
/// How much the most memory that was ever used may grow over many requests. Each of them by itself, with all that it takes
/// before it is answered, is some 100 kB in a debug build: kept all at once they would be a gigabyte.
const MODEST: u64 = 200 << 20;

/// A server of the probe over its standard streams, which is killed when this is dropped. Nothing reads it by itself.
struct Piped {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Piped {
    /// Starts it, and waits for its first answer.
    fn start(env: &TestEnv) -> Self {
        let run = env.run(["mcp", "serve", &probing()]);
        let mut child = run.spawn_with(Stdio::piped(), Stdio::piped());
        let mut piped = Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("piped")),
            child,
        };
        let mut input = piped.input.take().expect("it is open");
        input
            .write_all(&line(0, "tools/call", echo_u64(7)))
            .expect("it reads");
        piped.input = Some(input);
        assert_eq!(piped.answer()["result"]["structuredContent"]["result"], 7);
        piped
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Writes all of this on a thread of its own, as long as it is read, and gives the input back.
    fn write(
        &mut self,
        lines: impl Iterator<Item = Vec<u8>> + Send + 'static,
    ) -> JoinHandle<ChildStdin> {
        let mut input = self.input.take().expect("it is open");
        std::thread::spawn(move || {
            for line in lines {
                if input.write_all(&line).is_err() {
                    break;
                }
            }
            input
        })
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn echo_u64(value: u64) -> Value {
    json!({"name": "probe_echo-u64", "arguments": {"value": value}})
}

/// A request of 2026-07-28 as a line.
fn line(id: u64, method: &str, params: Value) -> Vec<u8> {
    let mut message = stateless(method, params);
    message["id"] = id.into();
    format!("{message}\n").into_bytes()
}

#[test]
fn ten_thousand_requests_that_come_before_one_answer_is_read_are_each_answered_once() {
    let env = TestEnv::new();
    let mut server = Piped::start(&env);
    let before = peak_memory(server.pid());
    // One in ten is a call of a plugin.
    let is_call = |id: u64| id.is_multiple_of(10);
    let writing = server.write((0..MANY).map(move |id| match is_call(id) {
        true => line(id, "tools/call", echo_u64(id)),
        false => line(id, "server/discover", json!({})),
    }));
    let input = writing.join().expect("it did not panic");
    let mut answered: Vec<u64> = (0..MANY)
        .map(|_| {
            let answer = server.answer();
            let id = answer["id"].as_u64().expect("an id");
            let result = &answer["result"];
            assert!(result.is_object(), "{answer}");
            let said = &result["structuredContent"]["result"];
            assert!(!is_call(id) || *said == id, "{answer}");
            id
        })
        .collect();
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..MANY));
    let grown = peak_memory(server.pid()) - before;
    assert!(grown < MODEST, "{grown} bytes more");
    drop(input);
}

/// A request of 2026-07-28 for a connection that stays open.
fn kept_alive(method: &str, params: Value) -> Vec<u8> {
    let message = stateless(method, params);
    let name = message["params"]["name"].as_str();
    let name = name.map_or_else(String::new, |name| format!("mcp-name: {name}\r\n"));
    let message = message.to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: {method}\r\n{name}content-length: {}\r\n\r\n{message}",
        message.len(),
    )
    .into_bytes()
}

#[test]
fn ten_thousand_requests_over_fifty_connections_are_each_answered() {
    const CONNECTIONS: u64 = 50;
    let env = TestEnv::new();
    let served = Served::start(&env, &[&probing()]);
    assert_eq!(served.request(&[], "tools/call", echo(1)).status, 200);
    let before = peak_memory(served.running.pid());
    let calling = kept_alive("tools/call", echo(7));
    let discovering = kept_alive("server/discover", json!({}));
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let stream = TcpStream::connect(served.address).expect("it listens");
                let mut to = stream.try_clone().expect("cloned");
                let is_call = |number: u64| number.is_multiple_of(10);
                let each = MANY / CONNECTIONS;
                let (calling, discovering) = (&calling, &discovering);
                scope.spawn(move || {
                    for number in 0..each {
                        let request = if is_call(number) {
                            calling
                        } else {
                            discovering
                        };
                        to.write_all(request).expect("it reads");
                    }
                });
                let mut from = BufReader::new(stream);
                for number in 0..each {
                    let answer = Message::read(&mut from).expect("an answer");
                    assert!(answer.first.contains(" 200 "), "{}", answer.first);
                    let body = String::from_utf8_lossy(&answer.body).into_owned();
                    let wanted = if is_call(number) {
                        "{\"result\":7}"
                    } else {
                        "\"result\":{"
                    };
                    assert!(body.contains(wanted), "{body}");
                }
            });
        }
    });
    let grown = peak_memory(served.running.pid()) - before;
    assert!(grown < MODEST, "{grown} bytes more");
    let metrics = served.send("GET /metrics", &[], b"").body;
    assert!(metrics.contains("toolhatch_calls_running 0"), "{metrics}");
    let ok = format!("toolhatch_calls_total{{code=\"ok\"}} {}", MANY / 10 + 1);
    assert!(metrics.contains(&ok), "{metrics}");
}

#[test]
fn a_body_of_a_hundred_megabytes_is_refused_before_it_has_come() {
    let env = TestEnv::new();
    let served = Served::start(&env, &[&probing()]);
    assert_eq!(served.request(&[], "tools/call", echo(1)).status, 200);
    let before = peak_memory(served.running.pid());
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "ping"),
    ];
    // Whoever says how much is coming is answered at once.
    let mut told = headers.to_vec();
    let length = HUGE.to_string();
    told.push(("content-length", &length));
    let mut stream = TcpStream::connect(served.address).expect("it listens");
    let mut head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\n".to_owned();
    for (name, value) in &told {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream
        .write_all(format!("{head}\r\n").as_bytes())
        .expect("it reads");
    let answer = Message::read(&mut BufReader::new(stream)).expect("an answer");
    assert!(answer.first.contains(" 413 "), "{}", answer.first);
    assert!(!answer.body.is_empty(), "it says why");
    // Whoever sends all of it, before anything else is looked at.
    let mut body = br#"{"jsonrpc":"2.0","id":3,"method":"ping","params":{"a":""#.to_vec();
    body.resize(HUGE, b'x');
    let stream = TcpStream::connect(served.address).expect("it listens");
    let answer = ask(stream, "POST /mcp", &headers, &body);
    assert_eq!(answer.status, 413, "{answer:?}");
    // Whoever does not say how much there is.
    let mut stream = TcpStream::connect(served.address).expect("it listens");
    let head = head.replace(
        &format!("content-length: {length}"),
        "transfer-encoding: chunked",
    );
    stream
        .write_all(format!("{head}\r\n").as_bytes())
        .expect("it reads");
    let chunk = [
        format!("{:x}\r\n", 1 << 20).as_bytes(),
        &body[..1 << 20],
        b"\r\n",
    ]
    .concat();
    for _ in 0..100 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let answer = Message::read(&mut BufReader::new(stream)).expect("an answer");
    assert!(answer.first.contains(" 413 "), "{}", answer.first);
    let grown = peak_memory(served.running.pid()) - before;
    // What a body may be is 16 MiB, and it is read in pieces.
    assert!(grown < 64 << 20, "{grown} bytes more");
    assert_eq!(served.request(&[], "tools/call", echo(3)).status, 200);
}

#[test]
fn a_client_that_never_reads_is_not_read_from_either() {
    let env = TestEnv::new();
    let mut server = Piped::start(&env);
    let before = peak_memory(server.pid());
    // The answers to so many would be more than a gigabyte.
    let (sender, taken) = std::sync::mpsc::channel();
    let writing = server.write((1..20_000).map(move |id| {
        // Nobody listens any more where the test has failed.
        let _ = sender.send(id);
        line(id, "tools/list", json!({}))
    }));
    // Until it takes no more.
    while taken.recv_timeout(Duration::from_secs(3)).is_ok() {}
    assert!(!writing.is_finished(), "it has read everything");
    let used = cpu_time(server.pid());
    std::thread::sleep(Duration::from_secs(2));
    let used = cpu_time(server.pid()) - used;
    assert!(
        used < Duration::from_millis(500),
        "it was busy for {used:?} of 2 s"
    );
    let grown = peak_memory(server.pid()) - before;
    assert!(grown < MODEST, "{grown} bytes more");
    rustix::process::kill_process(server.pid(), Signal::TERM).expect("it runs");
    let until = Instant::now() + Duration::from_secs(30);
    while server.child.try_wait().expect("our own child").is_none() {
        assert!(Instant::now() < until, "it goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(writing.join().expect("it did not panic"));
}

#[test]
fn a_client_of_http_that_never_reads_harms_nobody_else() {
    let env = TestEnv::new();
    let served = Served::start(&env, &[&probing()]);
    assert_eq!(served.request(&[], "tools/list", json!({})).status, 200);
    let before = peak_memory(served.running.pid());
    let request = kept_alive("tools/list", json!({}));
    let streams: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(served.address).expect("it listens");
            let patience = Some(Duration::from_millis(500));
            stream.set_write_timeout(patience).expect("set");
            // Until it takes no more: the answers to all of them would be more than 100 MB for each connection.
            let taken = (0..20_000)
                .take_while(|_| stream.write_all(&request).is_ok())
                .count();
            assert!(taken < 20_000, "it has read everything");
            stream
        })
        .collect();
    let called = served.request(&[], "tools/call", echo(3));
    assert_eq!(called.status, 200, "{called:?}");
    let grown = peak_memory(served.running.pid()) - before;
    assert!(grown < MODEST, "{grown} bytes more");
    served.running.signal(Signal::TERM);
    served.running.finish().ok();
    drop(streams);
}
