//! A server for tests that answers as badly as it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The request line, such as `POST /x HTTP/1.1`.
    pub(crate) line: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status, headers as text with line ends, body.
    Answer(u16, &'static str, Vec<u8>),
    /// The head of an answer, and a part of the body that it promises.
    CutShort,
    /// A body without end.
    Endless,
    /// No answer at all, for this long.
    Hang(Duration),
    /// The connection closed at once.
    Close,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, "", Vec::new())
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::Answer(
            200,
            "content-type: application/json\r\n",
            value.to_string().into_bytes(),
        )
    }
}

type Requests = Arc<Mutex<Vec<Received>>>;

/// Listens on a free port of this machine, each connection on a thread of its own. The threads end with the process.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    requests: Requests,
}

impl Server {
    /// `reply` is given the number of the request, from 0, and the request.
    pub(crate) fn start(reply: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::over(|stream, _| stream, reply)
    }

    /// The same, with something such as TLS over each connection.
    pub(crate) fn over<S: std::io::Read + Write>(
        wrap: impl Fn(TcpStream, usize) -> S + Send + Sync + 'static,
        reply: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let requests = Requests::default();
        let kept = Arc::clone(&requests);
        let (wrap, reply) = (Arc::new(wrap), Arc::new(reply));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (requests, wrap, reply) =
                    (Arc::clone(&kept), Arc::clone(&wrap), Arc::clone(&reply));
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(wrap(stream, number));
                    while serve(&mut stream, &requests, &*reply).is_some() {}
                });
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.requests.lock().expect("no test panicked").clone()
    }

    /// Waits until there were so many requests.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Received> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            assert!(
                Instant::now() < until,
                "{count} requests, got {}",
                requests.len()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Nothing where the connection is to be closed.
fn serve<S: std::io::Read + Write>(
    stream: &mut BufReader<S>,
    requests: &Requests,
    reply: &dyn Fn(usize, &Received) -> Reply,
) -> Option<()> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    let received = Received {
        line: line.trim_end().to_owned(),
        headers,
        body,
    };
    let number = {
        let mut requests = requests.lock().expect("no test panicked");
        requests.push(received.clone());
        requests.len() - 1
    };
    let out = stream.get_mut();
    match reply(number, &received) {
        Reply::Answer(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n");
            out.write_all(head.as_bytes()).ok()?;
            out.write_all(&body).ok()?;
            out.flush().ok()
        }
        Reply::CutShort => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[1,2")
                .ok()?;
            None
        }
        Reply::Endless => {
            out.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                .ok()?;
            // A gigabyte at most, so that a test that would read it all ends.
            (0..1 << 14).try_for_each(|_| out.write_all(&[b' '; 1 << 16]).ok())?;
            None
        }
        Reply::Hang(time) => {
            std::thread::sleep(time);
            None
        }
        Reply::Close => None,
    }
}
