//! A record as a message of RFC 5424.

use std::time::SystemTime;

use crate::audit::event::EventType;
use crate::audit::record::Envelope;
use crate::audit::timestamp::rfc3339;
use crate::config::SyslogConfig;

const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;
/// What every receiver must take (RFC 5424 §6.1): messages are never cut below.
const LEAST: usize = 480;

/// How messages of this process look.
pub(super) struct Format {
    facility: u8,
    /// `HOSTNAME APP-NAME PROCID`.
    sender: String,
    max: usize,
}

impl Format {
    pub(super) fn new(config: &SyslogConfig) -> Self {
        let host = rustix::system::uname();
        let host = host.nodename().to_str().unwrap_or_default();
        let is_sendable = (1..=255).contains(&host.len()) && host.bytes().all(is_visible);
        let host = if is_sendable { host } else { "-" };
        Self {
            facility: config.facility.number(),
            sender: format!("{host} {} {}", config.app_name, std::process::id()),
            max: usize::try_from(config.max_message)
                .unwrap_or(usize::MAX)
                .max(LEAST),
        }
    }

    /// Halves the length of messages; false where they are as short as may be.
    pub(super) fn shorten(&mut self) -> bool {
        let is_longer = self.max > LEAST;
        self.max = (self.max / 2).max(LEAST);
        is_longer
    }

    /// The message for a record, given as its line. What is too long is cut between two characters, and says so first.
    pub(super) fn record(&self, line: &[u8]) -> Vec<u8> {
        let Ok(envelope) = Envelope::parse(line) else {
            // The log writes no such line; should it ever, whoever reads the syslog is to see it.
            return self.cut(&self.header(NOTICE, "-", "-"), "a line", line);
        };
        let header = self.header(severity(envelope.kind), envelope.time, envelope.kind);
        if header.len() + line.len() <= self.max {
            return [header.as_bytes(), line].concat();
        }
        self.cut(&header, envelope.id, line)
    }

    /// The message that so many records are missing.
    pub(super) fn lost(&self, count: u64) -> Vec<u8> {
        let header = self.header(WARNING, &rfc3339(SystemTime::now()), "records_lost");
        format!("{header}{count} records are missing here: they came faster than this syslog took them; the audit log has them")
            .into_bytes()
    }

    fn header(&self, severity: u8, time: &str, kind: &str) -> String {
        let priority = u16::from(self.facility) * 8 + u16::from(severity);
        format!("<{priority}>1 {time} {} {kind} - ", self.sender)
    }

    fn cut(&self, header: &str, name: &str, line: &[u8]) -> Vec<u8> {
        let mut message = format!(
            "{header}cut from {} bytes, the audit log has {name} whole: ",
            line.len()
        );
        let text = String::from_utf8_lossy(line);
        let room = self.max.saturating_sub(message.len());
        message.push_str(
            text.get(..text.floor_char_boundary(room))
                .unwrap_or_default(),
        );
        message.into_bytes()
    }
}

fn severity(kind: &str) -> u8 {
    match EventType::from_name(kind) {
        Some(
            EventType::ErrorOccurred
            | EventType::PolicyError
            | EventType::BreakerChanged
            | EventType::LogRecovered,
        ) => WARNING,
        Some(
            EventType::PermissionDenied
            | EventType::ApprovalRequested
            | EventType::ApprovalDecided
            | EventType::GrantGiven
            | EventType::GrantRevoked
            | EventType::CredentialAccess
            | EventType::PolicyChanged
            | EventType::ConfigChanged,
        ) => NOTICE,
        _ => INFORMATIONAL,
    }
}

fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}
