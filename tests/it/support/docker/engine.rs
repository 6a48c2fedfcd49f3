//! The Engine API over its socket, by hand: what a test compares Toolhatch with must not be the client that Toolhatch uses.

use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::http::Message;

/// No test waits longer than this for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the streams of a container that has ended may still be held open before they are let go.
const DRAIN: Duration = Duration::from_secs(2);

/// What was answered.
pub struct Answer {
    /// 200.
    pub status: u16,
    /// As JSON; of several values one after the other, as in a stream of progress, all of them in an array.
    pub body: Value,
}

/// A daemon, by its socket.
#[derive(Debug, Clone)]
pub struct Engine {
    socket: PathBuf,
}

impl Engine {
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Asks, whatever the answer is.
    pub fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> Answer {
        let answered = self.send(method, target, body, "close");
        let (message, _) = answered.unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        let values: Vec<Value> = serde_json::Deserializer::from_slice(&message.body)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        Answer {
            status: status(&message),
            body: match <[Value; 1]>::try_from(values) {
                Ok([one]) => one,
                Err(values) => Value::Array(values),
            },
        }
    }

    /// Asks for something that has to go well.
    #[track_caller]
    pub fn must(&self, method: &str, target: &str, body: Option<&Value>) -> Value {
        let answer = self.ask(method, target, body);
        assert!(
            (200..300).contains(&answer.status),
            "{method} {target}: {} {}",
            answer.status,
            answer.body
        );
        answer.body
    }

    /// What there is at this place; nothing where there is nothing.
    #[track_caller]
    pub fn find(&self, target: &str) -> Option<Value> {
        let answer = self.ask("GET", target, None);
        match answer.status {
            200 => Some(answer.body),
            404 => None,
            status => panic!("GET {target}: {status} {}", answer.body),
        }
    }

    /// A container as `docker inspect` shows it, by id or name; nothing where there is none.
    pub fn inspect(&self, container: &str) -> Option<Value> {
        self.find(&format!("/containers/{container}/json"))
    }

    /// Every container with this label, `key` or `key=value`, in whatever state.
    pub fn containers(&self, label: &str) -> Vec<Value> {
        let filters = filters(label);
        list(self.must(
            "GET",
            &format!("/containers/json?all=true&filters={filters}"),
            None,
        ))
    }

    /// Every network with this label.
    pub fn networks(&self, label: &str) -> Vec<Value> {
        list(self.must(
            "GET",
            &format!("/networks?filters={}", filters(label)),
            None,
        ))
    }

    /// Every volume with this label.
    pub fn volumes(&self, label: &str) -> Vec<Value> {
        let mut answer = self.must("GET", &format!("/volumes?filters={}", filters(label)), None);
        list(answer["Volumes"].take())
    }

    /// Sends a signal to a container, as `docker kill` does from outside.
    pub fn kill(&self, container: &str, signal: &str) {
        self.must(
            "POST",
            &format!("/containers/{container}/kill?signal={signal}"),
            None,
        );
    }

    /// Removes a container even while it runs, as `docker rm --force --volumes` does.
    pub fn remove(&self, container: &str) {
        self.must(
            "DELETE",
            &format!("/containers/{container}?force=true&v=true"),
            None,
        );
    }

    /// Makes a container of this configuration, which goes away with what is returned.
    pub fn create(&self, config: &Value) -> Container {
        let made = self.must("POST", "/containers/create", Some(config));
        let id = made["Id"].as_str().expect("an id").to_owned();
        Container {
            engine: self.clone(),
            id,
        }
    }

    /// Runs a container of this configuration to its end.
    pub fn run(&self, config: &Value, stdin: &[u8]) -> Ended {
        self.create(config).run(stdin)
    }

    /// Sends a request; gives the answer, and the connection for what may come after it.
    fn send(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        connection: &str,
    ) -> io::Result<(Message, BufReader<UnixStream>)> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        // In one piece: a daemon that refuses early may not read the rest.
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: docker\r\nconnection: {connection}\r\nupgrade: tcp\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let message = Message::read(&mut reader)?;
        Ok((message, reader))
    }
}

/// The code in the first line of an answer.
pub fn status(message: &Message) -> u16 {
    let code = message.first.split(' ').nth(1);
    code.and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("{:?} is no answer", message.first))
}

/// A filter by label, as it stands in a query.
fn filters(label: &str) -> String {
    let text = serde_json::json!({ "label": [label] }).to_string();
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Where there is none, the daemon says null.
fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

/// A container that a test made. It is removed when it is dropped.
pub struct Container {
    engine: Engine,
    /// All 64 digits.
    pub id: String,
}

impl Container {
    /// Starts it without waiting for it.
    pub fn start(&self) {
        self.engine
            .must("POST", &format!("/containers/{}/start", self.id), None);
    }

    /// Waits until it has ended; its exit code.
    pub fn wait(&self) -> i64 {
        let target = format!("/containers/{}/wait", self.id);
        let ended = self.engine.must("POST", &target, None);
        ended["StatusCode"].as_i64().expect("a number")
    }

    /// Runs it to its end, with this on its standard input where its configuration opens that.
    pub fn run(&self, stdin: &[u8]) -> Ended {
        let attached = Attached::to(self);
        self.start();
        attached.write(stdin);
        let exit = self.wait();
        let [stdout, stderr] = attached.drain();
        Ended {
            exit,
            stdout,
            stderr,
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It may be gone already, and so may the daemon.
        let target = format!("/containers/{}?force=true&v=true", self.id);
        drop(self.engine.send("DELETE", &target, None, "close"));
    }
}

/// How a container ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; 128 and more where a signal ended it.
    pub exit: i64,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Ended {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The streams of a container, read on a thread of their own.
struct Attached {
    stream: UnixStream,
    seen: Arc<Mutex<[Vec<u8>; 2]>>,
    reading: JoinHandle<()>,
}

impl Attached {
    fn to(container: &Container) -> Self {
        let target = format!(
            "/containers/{}/attach?stream=true&stdin=true&stdout=true&stderr=true",
            container.id
        );
        let (message, mut reader) = container
            .engine
            .send("POST", &target, None, "Upgrade")
            .expect("attached");
        assert_eq!(status(&message), 101, "{}", message.first);
        let stream = reader.get_ref().try_clone().expect("cloned");
        // A container may be silent for as long as it runs.
        stream.set_read_timeout(None).expect("set");
        let seen = Arc::default();
        let into = Arc::clone(&seen);
        // Whatever ends the stream, what came before is what was said.
        let reading = std::thread::spawn(move || drop(read_frames(&mut reader, &into)));
        Self {
            stream,
            seen,
            reading,
        }
    }

    fn write(&self, stdin: &[u8]) {
        // A container that does not read may end before everything is written.
        drop((&self.stream).write_all(stdin));
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// What was said until the streams ended. A process that was left behind may hold them open for ever.
    fn drain(self) -> [Vec<u8>; 2] {
        let deadline = Instant::now() + DRAIN;
        while !self.reading.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(self.stream.shutdown(Shutdown::Both));
        drop(self.reading.join());
        std::mem::take(&mut *self.seen.lock().expect("not poisoned"))
    }
}

/// Each frame is a header of eight bytes, the number of the stream and a length, and so many bytes.
fn read_frames(reader: &mut impl Read, seen: &Mutex<[Vec<u8>; 2]>) -> io::Result<()> {
    loop {
        let mut header = [0; 8];
        reader.read_exact(&mut header)?;
        let [stream, 0, 0, 0, length @ ..] = header else {
            return Err(io::Error::other("this is no frame"));
        };
        let mut bytes = Vec::new();
        reader
            .take(u32::from_be_bytes(length).into())
            .read_to_end(&mut bytes)?;
        let side = usize::from(stream == 2);
        seen.lock().expect("not poisoned")[side].extend(bytes);
    }
}
