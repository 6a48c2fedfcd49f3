//! The protocol over a pair of streams: one JSON message a line.
//!
//! The library's own transport drops what it cannot read without a word, and the client waits for ever. Here every line
//! that is no message is answered, as far as anybody can be told from it whom the answer is for.

mod backlog;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ClientJsonRpcMessage, ErrorCode, ErrorData, RequestId, ServerJsonRpcMessage};
use rmcp::service::QuitReason;
use rmcp::transport::Transport;
use rmcp::{RoleServer, serve_server};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::backlog::{Backlog, State, Unread, Waiting};
use super::Server;
use crate::error::{Code, Error, Result};
use crate::schema::parse_strict;

/// The longest line. Arguments of tools are inline, and base64 of a file of some size is among them.
const LONGEST: usize = 64 << 20;
/// After the client has closed its end: how long it may take until it reads another answer. Whoever pipes requests into the
/// server wants their answers; whoever is gone wants nothing.
const LINGER: Duration = Duration::from_secs(2);

/// Serves one client over these streams, until it closes its end or `stopped` says so.
///
/// # Errors
/// E3502 where the streams break in the middle.
pub async fn serve_stdio(
    server: Server,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
    stopped: impl Future<Output = ()>,
) -> Result<()> {
    server.watch_tools();
    let lines = Lines::new(input, output);
    let core = Arc::clone(&server.core);
    let serving = async {
        let running = match serve_server(server, lines).await {
            Ok(running) => running,
            // A client that goes before it has said anything was one that only looked whether there is a server.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => {
                return Err(Error::new(Code::E3502, "talking to the client").caused_by(error));
            }
        };
        match running.waiting().await {
            Ok(QuitReason::Closed | QuitReason::Cancelled) => Ok(()),
            Ok(_) | Err(_) => Err(Error::new(
                Code::E3000,
                "serving the client: the task that did has failed",
            )),
        }
    };
    let served = tokio::select! {
        served = serving => served,
        () = stopped => Ok(()),
    };
    // Whoever is gone waits for nothing: calls that still run are ended, and recorded as that.
    core.drain(Duration::ZERO).await;
    served
}

/// A pair of streams as the library wants it.
struct Lines<R, W> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// The rest of a line that is too long is thrown away.
    is_skipping: bool,
    /// What came and was not handed on yet.
    waiting: Waiting,
    /// What was handed on, and what of the answers the client has not read yet.
    backlog: Backlog,
    /// A request was handed on: before that, nothing else makes sense.
    has_begun: bool,
    output: Arc<Mutex<W>>,
    /// When the client closed its end.
    ended: Option<Instant>,
}

/// What a line turned out to be.
enum Read {
    Messages(Vec<ClientJsonRpcMessage>),
    Wrong(ErrorData, Option<RequestId>),
}

impl<R: AsyncRead + Send + Unpin + 'static, W: AsyncWrite + Send + Unpin + 'static> Lines<R, W> {
    fn new(input: R, output: W) -> Self {
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            line: Vec::new(),
            is_skipping: false,
            waiting: Waiting::default(),
            backlog: Backlog::new(),
            has_begun: false,
            output: Arc::new(Mutex::new(output)),
            ended: None,
        }
    }

    /// The next line in `self.line`; false at the end. Nothing is lost where this is dropped while it waits.
    async fn next_line(&mut self) -> io::Result<Option<bool>> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                return Ok(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let fits = self.line.len() + taken <= LONGEST;
            if !self.is_skipping && fits {
                self.line
                    .extend_from_slice(available.get(..taken).unwrap_or_default());
            }
            self.input.consume(taken);
            if !fits {
                self.is_skipping = true;
                self.line = Vec::new();
            }
            if end.is_some() {
                return Ok(Some(!std::mem::take(&mut self.is_skipping)));
            }
        }
    }

    /// Answers on its own: whoever waits for messages may stop waiting at any time.
    fn tell(&self, error: ErrorData, id: Option<RequestId>) {
        // A client that has gone is noticed where it is read.
        tokio::spawn(self.write(&ServerJsonRpcMessage::error(error, id)));
    }

    /// Writes a message. It is put into bytes at once, and counts as unread until it is written.
    fn write(
        &self,
        message: &ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + use<R, W> {
        let line = serde_json::to_vec(message).map(|mut line| {
            line.push(b'\n');
            line
        });
        let bytes = line.as_ref().map_or(0, Vec::len);
        let unread = self.backlog.sent(message, bytes);
        write(Arc::clone(&self.output), line, unread)
    }

    /// Hands a message on, where it makes sense.
    fn hand_on(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        self.has_begun |= matches!(&message, ClientJsonRpcMessage::Request(_));
        // The library would end the whole connection over what comes before the first request.
        self.has_begun.then(|| {
            self.backlog.handed_on(&message);
            message
        })
    }

    /// Takes up what the line turned out to be that was read.
    fn take_line(&mut self, fits: bool) {
        let read = if fits {
            read(&self.line)
        } else {
            let message = format!("the message is longer than {} MiB", LONGEST >> 20);
            let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
            Some(Read::Wrong(error, None))
        };
        let bytes = self.line.len();
        self.line.clear();
        // One long message is no reason to hold so much for ever.
        self.line.shrink_to(64 << 10);
        match read {
            None => {}
            Some(Read::Messages(messages)) => self.waiting.push(messages, bytes),
            Some(Read::Wrong(error, id)) => self.tell(error, id),
        }
    }

    /// Waits for room for what still waits, or until everything was answered; false where there is nothing more to wait for.
    async fn linger(&mut self, ended: Instant) -> bool {
        let is_empty = self.waiting.is_empty();
        let wanted = |state: &State| {
            if is_empty {
                state.is_idle()
            } else {
                state.has_room()
            }
        };
        let mut state = self.backlog.watch();
        loop {
            let until = state.borrow().read_at.max(ended) + LINGER;
            if tokio::time::timeout_at(until, state.wait_for(wanted))
                .await
                .is_ok()
            {
                return !is_empty;
            }
            if state.borrow().read_at + LINGER <= until {
                return false;
            }
        }
    }
}

async fn write(
    output: Arc<Mutex<impl AsyncWrite + Unpin>>,
    line: serde_json::Result<Vec<u8>>,
    unread: Unread,
) -> io::Result<()> {
    let line = line?;
    let mut output = output.lock().await;
    output.write_all(&line).await?;
    output.flush().await?;
    unread.read();
    Ok(())
}

fn read(line: &[u8]) -> Option<Read> {
    let wrong = |code, message: String, id| Read::Wrong(ErrorData::new(code, message, None), id);
    let Ok(text) = std::str::from_utf8(line) else {
        let message = "the message is not UTF-8".to_owned();
        return Some(wrong(ErrorCode::PARSE_ERROR, message, None));
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return None;
    }
    let value = match parse_strict(text) {
        Ok(value) => value,
        Err(error) => return Some(wrong(ErrorCode::PARSE_ERROR, error.to_string(), None)),
    };
    // Only one revision had batches, and to read them costs nothing.
    let values = match value {
        Value::Array(values) if !values.is_empty() => values,
        value => vec![value],
    };
    let mut messages = Vec::with_capacity(values.len());
    for value in values {
        let id = value.get("id").cloned();
        match serde_json::from_value(value) {
            Ok(message) => messages.push(message),
            Err(error) => {
                let id = id.and_then(|id| serde_json::from_value(id).ok());
                let message = format!("this is no message of the protocol: {error}");
                return Some(wrong(ErrorCode::INVALID_REQUEST, message, id));
            }
        }
    }
    Some(Read::Messages(messages))
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.write(&item)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(message) = self.waiting.next(self.backlog.has_room()) {
                match self.hand_on(message) {
                    Some(message) => return Some(message),
                    None => continue,
                }
            }
            if let Some(ended) = self.ended {
                if self.linger(ended).await {
                    continue;
                }
                return None;
            }
            let (is_full, has_waiting) = (self.waiting.is_full(), !self.waiting.is_empty());
            let mut state = self.backlog.watch();
            let read = tokio::select! {
                _ = state.wait_for(State::has_room), if has_waiting => continue,
                read = async {
                    if is_full {
                        std::future::pending::<()>().await;
                    }
                    let mut state = self.backlog.watch();
                    // It is there for as long as the backlog is.
                    drop(state.wait_for(State::takes_answers).await);
                    self.next_line().await
                } => read,
            };
            match read {
                Ok(Some(fits)) => self.take_line(fits),
                Ok(None) => self.ended = Some(Instant::now()),
                Err(error) => {
                    tracing::warn!(%error, "the client cannot be read any more");
                    self.ended = Some(Instant::now());
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.lock().await.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_or_told_what_is_wrong_with_it() {
        let code = |line: &[u8]| match read(line) {
            Some(Read::Wrong(error, id)) => (error.code.0, id),
            Some(Read::Messages(messages)) => (i32::try_from(messages.len()).expect("few"), None),
            None => (0, None),
        };
        assert_eq!(code(b" \r\n"), (0, None));
        assert_eq!(
            code(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n"),
            (1, None)
        );
        assert_eq!(
            code("\u{feff}[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}, {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]".as_bytes()),
            (2, None)
        );
        assert_eq!(code(b"hello\n").0, -32700);
        assert_eq!(code(b"\xff\xfe\n").0, -32700);
        assert_eq!(
            code(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}").0,
            -32700
        );
        assert_eq!(code(b"{\"id\": 7}"), (-32600, Some(RequestId::Number(7))));
    }
}
