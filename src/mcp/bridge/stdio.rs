//! Messages over the standard streams of a program, one a line.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::framing::{Frame, Framer};
use super::message;
use super::wire::Wire;

/// How many messages may wait to be written; more make the sender wait.
const QUEUED: usize = 64;
/// How much is read at once.
const PIECE: usize = 64 << 10;
/// How much of standard error is kept.
const KEPT: usize = 16 << 10;

/// The last lines that a program wrote to standard error.
#[derive(Debug, Default)]
pub(super) struct Tail {
    text: Mutex<VecDeque<u8>>,
    ended: CancellationToken,
}

impl Tail {
    /// Reads the stream to its end and keeps the last of it.
    pub(super) async fn drain(self: Arc<Self>, mut errors: impl AsyncRead + Unpin) {
        let mut piece = vec![0_u8; 4 << 10];
        while let Ok(count @ 1..) = errors.read(&mut piece).await {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.extend(piece.get(..count).unwrap_or_default());
            let surplus = text.len().saturating_sub(KEPT);
            text.drain(..surplus);
        }
        self.ended.cancel();
    }

    /// Waits until all of it was read.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The last lines, at most so many.
    pub(super) fn lines(&self, most: usize) -> Vec<String> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = text.iter().copied().collect();
        drop(text);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let skipped = lines.len().saturating_sub(most);
        lines
            .into_iter()
            .skip(skipped)
            .map(|line| message::cut(line.trim_end(), 500))
            .collect()
    }
}

/// The connection to a program.
pub(super) struct StdioTransport<R> {
    output: R,
    framer: Framer,
    frames: VecDeque<Frame>,
    ready: VecDeque<ServerJsonRpcMessage>,
    /// How the message that is too long began, until it is known whose answer it is.
    overlong: Option<Vec<u8>>,
    piece: Vec<u8>,
    has_ended: bool,
    writer: Option<mpsc::Sender<Vec<u8>>>,
    wire: Arc<Wire>,
}

impl<R: AsyncRead + Send + Unpin> StdioTransport<R> {
    /// Talks over these streams; a message may have so many bytes.
    pub(super) fn new(
        output: R,
        input: impl AsyncWrite + Send + Unpin + 'static,
        most: usize,
        wire: Arc<Wire>,
    ) -> Self {
        let (writer, queue) = mpsc::channel(QUEUED);
        tokio::spawn(write(input, queue));
        Self {
            output,
            framer: Framer::new(most),
            frames: VecDeque::new(),
            ready: VecDeque::new(),
            overlong: None,
            piece: vec![0; PIECE],
            has_ended: false,
            writer: Some(writer),
            wire,
        }
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Line(line) => {
                for incoming in message::read(&line) {
                    self.ready.extend(self.wire.admit(incoming, &line));
                }
            }
            Frame::Overlong { head } => {
                let told = self.wire.overlong(&head, None);
                self.overlong = told.is_empty().then_some(head);
                self.ready.extend(told);
            }
            Frame::OverlongEnd { tail } => {
                if let Some(head) = self.overlong.take() {
                    self.ready.extend(self.wire.overlong(&head, Some(&tail)));
                }
            }
        }
    }
}

/// Writes whole messages. Nobody who gives up waiting leaves half of one behind.
async fn write(mut input: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = queue.recv().await {
        if input.write_all(&line).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
    // Whoever reads the stream sees its end.
    drop(input.shutdown().await);
}

impl<R: AsyncRead + Send + Unpin + 'static> Transport<RoleClient> for StdioTransport<R> {
    type Error = io::Error;

    fn send(
        &mut self,
        item: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.wire.sending(&item);
        let writer = self.writer.clone();
        async move {
            let mut line = serde_json::to_vec(&item)?;
            line.push(b'\n');
            let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
            writer
                .ok_or_else(gone)?
                .send(line)
                .await
                .map_err(|_| gone())
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if let Some(frame) = self.frames.pop_front() {
                self.take(frame);
                continue;
            }
            if self.has_ended {
                return None;
            }
            // What was read is taken before anything else is awaited: this future may be dropped at any await.
            match self.output.read(&mut self.piece).await {
                Ok(count @ 1..) => {
                    let piece = self.piece.get(..count).unwrap_or_default();
                    self.framer.push(piece, &mut self.frames);
                }
                Ok(0) | Err(_) => {
                    self.has_ended = true;
                    self.framer.finish(&mut self.frames);
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.writer = None;
        Ok(())
    }
}
