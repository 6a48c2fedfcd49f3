//! The protocol over a pair of streams: one JSON message a line.
//!
//! The library's own transport drops what it cannot read without a word, and the client waits for ever. Here every line
//! that is no message is answered, as far as anybody can be told from it whom the answer is for.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ClientJsonRpcMessage, ErrorCode, ErrorData, RequestId, ServerJsonRpcMessage};
use rmcp::service::QuitReason;
use rmcp::transport::Transport;
use rmcp::{RoleServer, serve_server};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::Server;
use crate::error::{Code, Error, Result};
use crate::schema::parse_strict;

/// The longest line. Arguments of tools are inline, and base64 of a file of some size is among them.
const LONGEST: usize = 64 << 20;
/// After the client has closed its end: how long calls that run may still be answered. Whoever pipes a few requests into the
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
    /// What came in one batch and was not handed on yet.
    waiting: VecDeque<ClientJsonRpcMessage>,
    /// A request was handed on: before that, nothing else makes sense.
    has_begun: bool,
    output: Arc<Mutex<W>>,
    /// How many requests are unanswered.
    open: watch::Sender<usize>,
    /// When the client closed its end.
    ended: Option<Instant>,
}

/// What a line turned out to be.
enum Read {
    Messages(Vec<ClientJsonRpcMessage>),
    Wrong(ErrorData, Option<RequestId>),
}

impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin + 'static> Lines<R, W> {
    fn new(input: R, output: W) -> Self {
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            line: Vec::new(),
            is_skipping: false,
            waiting: VecDeque::new(),
            has_begun: false,
            output: Arc::new(Mutex::new(output)),
            open: watch::Sender::new(0),
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
            self.is_skipping |= !fits;
            if end.is_some() {
                return Ok(Some(!std::mem::take(&mut self.is_skipping)));
            }
        }
    }

    /// Answers on its own: whoever waits for messages may stop waiting at any time.
    fn tell(&self, error: ErrorData, id: Option<RequestId>) {
        let output = Arc::clone(&self.output);
        tokio::spawn(async move {
            // A client that has gone is noticed where it is read.
            drop(write(&output, &ServerJsonRpcMessage::error(error, id)).await);
        });
    }

    /// Requests that come are counted until they are answered.
    fn hand_on(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        match &message {
            ClientJsonRpcMessage::Request(_) => {
                self.has_begun = true;
                self.open.send_modify(|open| *open += 1);
            }
            // The library would end the whole connection over it.
            _ if !self.has_begun => return None,
            _ => {}
        }
        Some(message)
    }
}

async fn write(
    output: &Mutex<impl AsyncWrite + Unpin>,
    message: &ServerJsonRpcMessage,
) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(b'\n');
    let mut output = output.lock().await;
    output.write_all(&bytes).await?;
    output.flush().await
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
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let output = Arc::clone(&self.output);
        let open = self.open.clone();
        async move {
            let is_answer = matches!(
                item,
                ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)
            );
            let written = write(&output, &item).await;
            if is_answer {
                open.send_modify(|open| *open = open.saturating_sub(1));
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            while let Some(message) = self.waiting.pop_front() {
                if let Some(message) = self.hand_on(message) {
                    return Some(message);
                }
            }
            let read = match self.next_line().await {
                Ok(Some(true)) => read(&self.line),
                Ok(Some(false)) => {
                    let message = format!("the message is longer than {} MiB", LONGEST >> 20);
                    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
                    Some(Read::Wrong(error, None))
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "the client cannot be read any more");
                    break;
                }
            };
            self.line.clear();
            // One long message is no reason to hold so much for ever.
            self.line.shrink_to(64 << 10);
            match read {
                None => {}
                Some(Read::Messages(messages)) => self.waiting.extend(messages),
                Some(Read::Wrong(error, id)) => self.tell(error, id),
            }
        }
        let ended = *self.ended.get_or_insert_with(Instant::now);
        let mut open = self.open.subscribe();
        let answered = open.wait_for(|open| *open == 0);
        drop(tokio::time::timeout_at(ended + LINGER, answered).await);
        None
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
