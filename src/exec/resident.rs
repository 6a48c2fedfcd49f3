//! The connection to a runner: orders in, reports out, over its standard streams, whoever carries them.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::Capture;
use super::egress::Nonsense;
use toolhatch_runner::protocol::{Decoder, Malformed, Order, Report};

/// How much of what the runner itself complains about is kept.
const COMPLAINTS: usize = 4096;

/// A runner that can be talked to.
pub(super) struct Resident {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: Pin<Box<dyn Stream<Item = Result<Piece, Broken>> + Send>>,
    decoder: Decoder,
    complaints: Capture,
}

/// A piece of what comes from a runner.
#[derive(Debug)]
pub(super) enum Piece {
    /// Part of what it says.
    Said(Bytes),
    /// Part of what it, or whoever carries its words, complains about.
    Complained(Bytes),
}

/// Why a connection broke.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Why there is nothing more to hear.
#[derive(Debug)]
pub(super) enum Lost {
    /// What it runs in ended, or whoever carries its words did.
    Ended,
    /// The connection broke.
    Broken(Broken),
    /// What came is not what a runner says.
    Malformed(Malformed),
    /// What came about a connection cannot be.
    Nonsense,
    /// Nothing can be sent any more.
    Deaf(std::io::Error),
}

impl From<Nonsense> for Lost {
    fn from(Nonsense: Nonsense) -> Self {
        Self::Nonsense
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("it ended"),
            Self::Broken(why) => write!(f, "the connection broke: {why}"),
            Self::Malformed(why) => write!(f, "it sent {why}"),
            Self::Nonsense => f.write_str("it sent what cannot be of a connection"),
            Self::Deaf(why) => write!(f, "it does not listen: {why}"),
        }
    }
}

impl Resident {
    /// One that listens to this and says that.
    pub(super) fn new(
        input: impl AsyncWrite + Send + 'static,
        output: impl Stream<Item = Result<Piece, Broken>> + Send + 'static,
    ) -> Self {
        Self {
            input: Box::pin(input),
            output: Box::pin(output),
            decoder: Decoder::new(),
            complaints: Capture::new(COMPLAINTS),
        }
    }

    /// Sends an order.
    pub(super) async fn send(&mut self, id: u32, order: &Order) -> Result<(), Lost> {
        let mut bytes = Vec::new();
        order.encode(id, &mut bytes).map_err(Lost::Malformed)?;
        let sent = async {
            self.input.write_all(&bytes).await?;
            self.input.flush().await
        };
        sent.await.map_err(Lost::Deaf)
    }

    /// The next report. Nothing is lost where this is dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<(u32, Report), Lost> {
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(Lost::Malformed)? {
                let id = frame.id;
                return Ok((id, Report::parse(frame).map_err(Lost::Malformed)?));
            }
            match self.output.next().await {
                Some(Ok(Piece::Said(bytes))) => self.decoder.push(&bytes),
                Some(Ok(Piece::Complained(bytes))) => self.complaints.push(&bytes),
                Some(Err(error)) => return Err(Lost::Broken(error)),
                None => return Err(Lost::Ended),
            }
        }
    }

    /// What the runner complained about.
    pub(super) fn complaints(&mut self) -> String {
        let complaints = std::mem::replace(&mut self.complaints, Capture::new(COMPLAINTS));
        String::from_utf8_lossy(&complaints.into_bytes())
            .trim()
            .to_owned()
    }
}
