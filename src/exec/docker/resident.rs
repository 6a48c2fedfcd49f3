//! The connection to the runner in a container: orders in, reports out, over the container's standard streams.

use std::fmt;
use std::pin::Pin;

use bollard::container::{AttachContainerResults, LogOutput};
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::egress::Nonsense;
use crate::exec::Capture;
use toolhatch_runner::protocol::{Decoder, Malformed, Order, Report};

/// How much of what the runner itself complains about is kept.
const COMPLAINTS: usize = 4096;

/// A runner that can be talked to.
pub(super) struct Resident {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
    decoder: Decoder,
    complaints: Capture,
}

/// Why there is nothing more to hear.
#[derive(Debug)]
pub(super) enum Lost {
    /// The container ended, or the daemon did.
    Ended,
    /// The connection broke.
    Broken(bollard::errors::Error),
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
    /// Listens to a container that was attached to.
    pub(super) fn new(attached: AttachContainerResults) -> Self {
        Self {
            input: attached.input,
            output: attached.output,
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
                // Without a terminal the daemon says which stream it is; the rest cannot be.
                Some(Ok(LogOutput::StdOut { message })) => self.decoder.push(&message),
                Some(Ok(LogOutput::StdErr { message })) => self.complaints.push(&message),
                Some(Ok(LogOutput::StdIn { .. } | LogOutput::Console { .. })) => {}
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
