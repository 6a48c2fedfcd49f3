//! The output of a running command, shown as it comes: not more in memory than a slow reader needs.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::cli::output::Printer;
use crate::exec::{Backlog, Event, Stdio};

/// Something to show.
enum Piece {
    Output(Stdio, Vec<u8>),
    Progress(f64, Option<f64>, Option<String>),
}

/// What a command tells while it runs, on its way to the terminal.
pub(super) struct Streams {
    sender: mpsc::UnboundedSender<Piece>,
    receiver: mpsc::UnboundedReceiver<Piece>,
    backlog: Arc<Backlog>,
    /// With `--json` the output is in the result.
    is_quiet: bool,
}

impl Streams {
    pub(super) fn new(printer: &Printer) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver,
            backlog: Arc::default(),
            is_quiet: printer.is_json(),
        }
    }

    /// What executors wait for where this falls behind: it bounds the channel.
    pub(super) fn backlog(&self) -> Arc<Backlog> {
        Arc::clone(&self.backlog)
    }

    /// Takes what the command tells.
    pub(super) fn listener(&self) -> impl Fn(Event<'_>) + Send + Sync + 'static {
        let (sender, backlog) = (self.sender.clone(), self.backlog());
        let is_quiet = self.is_quiet;
        move |event| {
            let piece = match event {
                Event::Output(stream, bytes) if !is_quiet => {
                    backlog.add(bytes.len());
                    Piece::Output(stream, bytes.to_vec())
                }
                Event::Progress {
                    done,
                    total,
                    message,
                } => Piece::Progress(done, total, message.map(ToOwned::to_owned)),
                Event::Output(..) | Event::Log(..) | Event::Denied(_) | Event::Touched(_) => return,
            };
            // The receiver lives as long as the call.
            drop(sender.send(piece));
        }
    }

    /// Shows the next piece; false where nobody reads any more.
    pub(super) async fn show(&mut self, printer: &Printer) -> bool {
        if let Some(piece) = self.receiver.recv().await {
            self.print(printer, piece);
        }
        !printer.is_broken()
    }

    /// Shows what is left.
    pub(super) fn finish(&mut self, printer: &Printer) {
        while let Ok(piece) = self.receiver.try_recv() {
            self.print(printer, piece);
        }
    }

    fn print(&self, printer: &Printer, piece: Piece) {
        match piece {
            Piece::Output(stream, bytes) => {
                printer.stream(stream, &bytes);
                self.backlog.take(bytes.len());
            }
            Piece::Progress(done, total, message) => {
                printer.progress(done, total, message.as_deref());
            }
        }
    }
}
