//! What a call tells while it runs, passed on to the client that waits for it: progress, where it asked for that, and
//! messages of the tool.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken,
};
use rmcp::service::Peer;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::exec::{Event, EventLimits, EventSink, LogLevel};

/// So much may wait for a client that reads slowly; what comes besides is left out, as all of it is hints.
const WAITING: usize = 256;
/// How long the last of it may take after the call has ended.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something to pass on.
enum Told {
    Progress {
        done: f64,
        total: Option<f64>,
        message: Option<String>,
    },
    Log(LogLevel, String),
}

/// Passes on what one call tells.
pub(super) struct Teller {
    task: Option<JoinHandle<()>>,
}

/// What a client wants to be told of a call.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Progress, under this token.
    pub(super) progress: Option<ProgressToken>,
    /// Messages from this level on.
    pub(super) log: Option<LogLevel>,
    /// The tool, as the client knows it.
    pub(super) name: String,
}

/// A sink for a call, and what passes on to the client what comes into it.
pub(super) fn telling(
    limits: EventLimits,
    wanted: Wanted,
    peer: Peer<RoleServer>,
) -> (EventSink, Teller) {
    if wanted.progress.is_none() && wanted.log.is_none() {
        return (EventSink::new(limits), Teller { task: None });
    }
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let (progress, log) = (wanted.progress.is_some(), wanted.log);
    let limits = EventLimits {
        log_level: log.map_or(limits.log_level, |level| level.min(limits.log_level)),
        ..limits
    };
    let sink = EventSink::with_listener(limits, move |event| {
        let told = match event {
            Event::Progress {
                done,
                total,
                message,
            } if progress => Told::Progress {
                done,
                total,
                message: message.map(ToOwned::to_owned),
            },
            Event::Log(level, message) if log.is_some_and(|least| level >= least) => {
                Told::Log(level, message.to_owned())
            }
            _ => return,
        };
        // A client that does not read holds nothing up.
        drop(sender.try_send(told));
    });
    let task = tokio::spawn(async move {
        while let Some(told) = receiver.recv().await {
            pass_on(told, &wanted, &peer).await;
        }
    });
    (sink, Teller { task: Some(task) })
}

impl Teller {
    /// Waits until everything was passed on, but not for ever. The sink has to be dropped before.
    pub(super) async fn finish(self) {
        if let Some(task) = self.task {
            let abort = task.abort_handle();
            if tokio::time::timeout(PATIENCE, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

async fn pass_on(told: Told, wanted: &Wanted, peer: &Peer<RoleServer>) {
    // A client that has gone is noticed where its call is.
    match told {
        Told::Progress {
            done,
            total,
            message,
        } => {
            let Some(token) = wanted.progress.clone() else {
                return;
            };
            let mut param = ProgressNotificationParam::new(token, done);
            param.total = total;
            param.message = message;
            drop(peer.notify_progress(param).await);
        }
        Told::Log(level, message) => {
            let param = LoggingMessageNotificationParam::new(logging(level), message.into())
                .with_logger(wanted.name.clone());
            drop(peer.notify_logging_message(param).await);
        }
    }
}

fn logging(level: LogLevel) -> LoggingLevel {
    match level {
        LogLevel::Trace | LogLevel::Debug => LoggingLevel::Debug,
        LogLevel::Info => LoggingLevel::Info,
        LogLevel::Warn => LoggingLevel::Warning,
        LogLevel::Error => LoggingLevel::Error,
    }
}
