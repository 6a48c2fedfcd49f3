//! A small HTTP server on the loopback interface that answers with what a closure says and remembers what it was asked.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// The target as it stood in the first line: for ordinary requests the path with its query.
    pub target: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Decoded.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of the first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// What is answered.
#[derive(Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    stream: Option<Arc<Streaming>>,
}

/// Writes a body piece by piece, for as long as it likes.
pub type Streaming = dyn Fn(&mut dyn Write) -> io::Result<()> + Send + Sync;

impl Response {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            stream: None,
        }
    }

    /// A stream of events; it ends with the closure.
    pub fn events(
        write: impl Fn(&mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let response = Self::new(200, "").header("content-type", "text/event-stream");
        Self {
            stream: Some(Arc::new(write)),
            ..response
        }
    }

    /// Adds a header, such as `location` for a redirect.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Handler = dyn Fn(&Request) -> Response + Send + Sync;

/// Runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub fn start(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let (recorded, stop) = (Arc::clone(&requests), Arc::clone(&stopped));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else {
                    continue;
                };
                let (handler, recorded) = (Arc::clone(&handler), Arc::clone(&recorded));
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || drop(serve(stream, &*handler, &recorded)));
            }
        });
        Self {
            address,
            requests,
            stopped,
            accepting: Some(accepting),
        }
    }

    /// `127.0.0.1` and the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn serve(stream: TcpStream, handler: &Handler, recorded: &Mutex<Vec<Request>>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let request = read(&mut reader)?;
    recorded.lock().expect("not poisoned").push(request.clone());
    let response = handler(&request);
    let mut stream = reader.into_inner();
    write!(stream, "HTTP/1.1 {} Answer\r\n", response.status)?;
    for (name, value) in &response.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    if let Some(write) = response.stream {
        write!(stream, "connection: close\r\n\r\n")?;
        return write(&mut stream);
    }
    write!(
        stream,
        "content-length: {}\r\nconnection: close\r\n\r\n",
        response.body.len()
    )?;
    stream.write_all(&response.body)
}

fn read(reader: &mut impl BufRead) -> io::Result<Request> {
    let message = Message::read(reader)?;
    let mut words = message.first.split(' ');
    Ok(Request {
        method: words.next().unwrap_or_default().to_owned(),
        target: words.next().unwrap_or_default().to_owned(),
        headers: message.headers,
        body: message.body,
    })
}

/// A request or an answer as it came. A body is there where its length is told or it comes in chunks.
pub struct Message {
    /// `GET / HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub first: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Decoded.
    pub body: Vec<u8>,
}

impl Message {
    pub fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let first = line(reader)?;
        let mut headers = Vec::new();
        while let Some((name, value)) = line(reader)?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut message = Self {
            first,
            headers,
            body: Vec::new(),
        };
        if message.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&line(reader)?, 16).map_err(io::Error::other)?;
                let mut chunk = vec![0; size];
                reader.read_exact(&mut chunk)?;
                message.body.extend(chunk);
                // The line end after a chunk, and after the last one the end of the trailers.
                line(reader)?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = message.header("content-length") {
            let length: u64 = length.parse().map_err(io::Error::other)?;
            reader.take(length).read_to_end(&mut message.body)?;
        }
        Ok(message)
    }

    /// The value of the first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(other, _)| other == name)?;
    Some(value)
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    reader.read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_and_remembered() {
        let server = Server::start(|request| match request.target.as_str() {
            "/moved?x=1" => Response::new(302, "").header("location", "/here"),
            _ => Response::new(200, request.body.clone()),
        });
        assert_eq!(
            server.url("/a"),
            format!("http://127.0.0.1:{}/a", server.address().port())
        );
        let ask = |text: &str| {
            let mut stream = TcpStream::connect(server.address()).expect("it listens");
            stream.write_all(text.as_bytes()).expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("answered");
            answer
        };
        let moved = ask("GET /moved?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(
            moved.starts_with("HTTP/1.1 302 ") && moved.contains("location: /here\r\n"),
            "{moved}"
        );
        let chunked = ask(
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        );
        assert!(chunked.ends_with("\r\n\r\nabcde"), "{chunked}");
        let sized = ask("POST /b HTTP/1.1\r\nX-Y:  z \r\nContent-Length: 3\r\n\r\nxyz");
        assert!(sized.ends_with("\r\n\r\nxyz"), "{sized}");
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        assert_eq!(requests[2].header("x-y"), Some("z"));
        assert_eq!(
            (requests[1].method.as_str(), requests[1].body.as_slice()),
            ("POST", &b"abcde"[..])
        );
    }
}
