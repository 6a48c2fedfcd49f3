//! What a tool tells while it runs, shown as it comes: how far it is, its messages, and what it prints.

use tokio::sync::mpsc;

use crate::cli::output::Printer;
use crate::exec::{Event, LogLevel, Stdio};

/// Something to show.
enum Told {
    Progress(f64, Option<f64>, Option<String>),
    Log(LogLevel, String),
    Output(Vec<u8>),
}

/// What a tool tells, on its way to the terminal. The caps of the call's event sink bound what can wait here.
pub(super) struct Live {
    sender: mpsc::UnboundedSender<Told>,
    receiver: mpsc::UnboundedReceiver<Told>,
    /// Messages and output are shown, besides how far it is.
    tells_all: bool,
}

impl Live {
    pub(super) fn new(tells_all: bool) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver,
            tells_all,
        }
    }

    /// Takes what the tool tells.
    pub(super) fn listener(&self) -> impl Fn(Event<'_>) + Send + Sync + 'static {
        let sender = self.sender.clone();
        let tells_all = self.tells_all;
        move |event| {
            let told = match event {
                Event::Progress {
                    done,
                    total,
                    message,
                } => Told::Progress(done, total, message.map(ToOwned::to_owned)),
                Event::Log(level, message) if tells_all => Told::Log(level, message.to_owned()),
                Event::Output(Stdio::Stdout | Stdio::Stderr, bytes) if tells_all => {
                    Told::Output(bytes.to_vec())
                }
                Event::Log(..) | Event::Output(..) | Event::Denied(_) | Event::Touched(_) => return,
            };
            // The receiver lives as long as the call.
            drop(sender.send(told));
        }
    }

    /// Waits for something to show, and shows it.
    pub(super) async fn show_next(&mut self, printer: &Printer) {
        // There is always a sender: our own.
        if let Some(told) = self.receiver.recv().await {
            show(printer, told);
        }
    }

    /// Shows what is left when the call has ended.
    pub(super) fn show_rest(&mut self, printer: &Printer) {
        while let Ok(told) = self.receiver.try_recv() {
            if !matches!(told, Told::Progress(..)) {
                show(printer, told);
            }
        }
    }
}

fn show(printer: &Printer, told: Told) {
    match told {
        Told::Progress(done, total, message) => printer.progress(done, total, message.as_deref()),
        Told::Log(level, message) => printer.note(&format!("[{}] {message}", level.word())),
        // Standard output is for results alone.
        Told::Output(bytes) => printer.stream(Stdio::Stderr, &bytes),
    }
}
