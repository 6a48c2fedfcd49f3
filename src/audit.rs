//! The audit log: what ran, who allowed it and what it touched, in files that show tampering.
//!
//! A log is a folder of numbered files of JSON lines. Each record holds the hash of the line before it, and signed
//! checkpoints hold the chain in place; `docs/reference/audit-format.md` describes every byte.
//!
//! * [`AuditLog`] writes: many processes at once, in batches, each under a lock and with the end of the log read again.
//! * [`verify`] finds what was changed, and [`prove`] shows single records to somebody who does not have the log.
//! * [`scan`] and [`read_at`] read, for an index, a query or somebody who watches.
//! * [`RecentCalls`] has what this process wrote of the last calls.
//!
//! It takes secrets out of nothing: events come with none in them.

mod chain;
mod checkpoint;
mod event;
mod fault;
mod folder;
mod head;
mod key;
mod lines;
mod log;
mod proof;
mod recent;
mod record;
mod scan;
mod signatures;
mod sink;
mod syslog;
mod tail;
#[cfg(test)]
mod tests;
mod timestamp;
mod verify;
mod webhook;
mod writer;

pub use chain::Options;
pub use checkpoint::CHECKPOINT_AT_LEAST_EVERY;
pub(crate) use event::nests_within;
pub use event::{Event, EventType, MAX_DEPTH, MAX_LINE};
pub use fault::{Fault, FaultKind, Report};
pub use folder::{file_name, file_number};
pub use head::{Head, InvalidHead};
pub use key::{InvalidPublicKey, PublicKey};
pub use log::{AuditLog, Outlets};
pub use proof::{Proof, Proven, check_proof, prove};
pub use recent::{RecentCalls, RecordedCall};
pub use record::Record;
pub use scan::{Position, Scan, holds, read_at, scan};
pub use sink::{OnTrouble, Sink, WriteSink};
pub use syslog::SyslogSink;
pub use tail::FORMAT;
pub use timestamp::{is_time, rfc3339};
pub use verify::verify;
pub use webhook::{Delivered, Queue, Receiver, Webhook, deliver, queue_folder};
