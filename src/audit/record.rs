//! A line of the log, read strictly.
//!
//! The keys stand in one order and without spaces, so the fixed part is compared and not parsed; what varies is checked
//! as JSON. A line that is good JSON and yet not written like this was not written by Toolhatch.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::event::{ATTRIBUTES, EventType};
use super::head::MAX_SEQ;
use super::timestamp::is_time;

/// What stands before the first `prev`: 64 zeros.
pub(super) const NO_PREV: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The fields of a line, borrowed from it.
#[derive(Debug, Clone)]
pub(super) struct Envelope<'a> {
    pub(super) id: &'a str,
    /// The name behind `toolhatch.`.
    pub(super) kind: &'a str,
    pub(super) time: &'a str,
    pub(super) seq: u64,
    /// 64 hexadecimal digits.
    pub(super) prev: &'a str,
    pub(super) log: &'a str,
    /// The optional attributes, in the order of [`ATTRIBUTES`], as they stand between their quotes.
    attributes: [Option<&'a str>; ATTRIBUTES.len()],
    masked: bool,
    /// The JSON text of the data, an object.
    data: &'a str,
}

impl<'a> Envelope<'a> {
    /// Reads a line, given without its line end; the error says which part is wrong.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8")?;
        let mut rest = Cursor(text);
        rest.skip("{\"specversion\":\"1.0\",\"id\":\"")?;
        let id = rest.take(26, is_ulid_digit, "its id is not a ULID")?;
        rest.skip("\",\"source\":\"toolhatch\",\"type\":\"toolhatch.")?;
        let kind = rest.take_while(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if kind.is_empty() {
            return Err("it has no type");
        }
        rest.skip("\",\"time\":\"")?;
        let time = rest.take(27, |_| true, "its time is too short")?;
        if !is_time(time) {
            return Err("its time is not RFC 3339 with microseconds in UTC");
        }
        rest.skip("\",\"seq\":")?;
        let digits = rest.take_while(|byte| byte.is_ascii_digit());
        let seq = match digits.parse() {
            Ok(seq) if (1..=MAX_SEQ).contains(&seq) && !digits.starts_with('0') => seq,
            _ => return Err("its seq is not a number from 1"),
        };
        rest.skip(",\"prev\":\"")?;
        let prev = rest.take(64, is_hex_digit, "its prev is not a SHA-256")?;
        rest.skip("\",\"log\":\"")?;
        let log = rest.take(26, is_ulid_digit, "its log is not a ULID")?;
        rest.skip("\"")?;
        let mut attributes = [None; ATTRIBUTES.len()];
        for (name, value) in ATTRIBUTES.iter().zip(&mut attributes) {
            if rest.skip_key(name) {
                *value = Some(rest.string()?);
            }
        }
        let masked = rest.skip(",\"masked\":true").is_ok();
        rest.skip(",\"datacontenttype\":\"application/json\",\"data\":")?;
        let data = rest.0.strip_suffix('}').unwrap_or_default();
        // Checks the whole value, and that nothing comes after it.
        if !data.starts_with('{') || serde_json::from_str::<IgnoredAny>(data).is_err() {
            return Err("its data is not a JSON object");
        }
        Ok(Self {
            id,
            kind,
            time,
            seq,
            prev,
            log,
            attributes,
            masked,
            data,
        })
    }

    /// True for a record of this type.
    pub(super) fn is(&self, kind: EventType) -> bool {
        self.kind == kind.name()
    }

    /// The data as a JSON value.
    pub(super) fn data(&self) -> Value {
        serde_json::from_str(self.data).unwrap_or_default()
    }

    /// True where the data is this text, and there is nothing else that is optional.
    pub(super) fn holds_only(&self, data: &str) -> bool {
        self.data == data && !self.masked && self.attributes.iter().all(Option::is_none)
    }

    /// The call the record belongs to.
    pub(super) fn call(&self) -> Option<Cow<'a, str>> {
        let [call, ..] = self.attributes;
        call.map(unescape)
    }

    /// Who asked.
    pub(super) fn principal(&self) -> Option<Cow<'a, str>> {
        let [_, _, _, _, principal, ..] = self.attributes;
        principal.map(unescape)
    }
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self, text: &str) -> Result<(), &'static str> {
        self.0 = self
            .0
            .strip_prefix(text)
            .ok_or("its keys are not those of a record, in their order")?;
        Ok(())
    }

    /// Skips `,"name":"` if it stands here.
    fn skip_key(&mut self, name: &str) -> bool {
        let rest = self
            .0
            .strip_prefix(",\"")
            .and_then(|rest| rest.strip_prefix(name))
            .and_then(|rest| rest.strip_prefix("\":\""));
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take(
        &mut self,
        length: usize,
        allowed: impl Fn(u8) -> bool,
        wrong: &'static str,
    ) -> Result<&'a str, &'static str> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(wrong)?;
        if !taken.bytes().all(allowed) {
            return Err(wrong);
        }
        self.0 = rest;
        Ok(taken)
    }

    fn take_while(&mut self, allowed: impl Fn(u8) -> bool) -> &'a str {
        let end = self.0.bytes().position(|byte| !allowed(byte));
        let (taken, rest) = self
            .0
            .split_at_checked(end.unwrap_or(self.0.len()))
            .unwrap_or((self.0, ""));
        self.0 = rest;
        taken
    }

    /// The rest of a JSON string and its closing quote.
    fn string(&mut self) -> Result<&'a str, &'static str> {
        const WRONG: &str = "one of its attributes is not a JSON string";
        let mut bytes = self.0.bytes().enumerate();
        let mut is_escaped = false;
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    let (value, rest) = self.0.split_at_checked(at).ok_or(WRONG)?;
                    self.0 = rest;
                    self.skip("\"")?;
                    let quoted = || format!("\"{value}\"");
                    if is_escaped && serde_json::from_str::<String>(&quoted()).is_err() {
                        return Err(WRONG);
                    }
                    return Ok(value);
                }
                b'\\' => {
                    is_escaped = true;
                    bytes.next();
                }
                0..0x20 => return Err(WRONG),
                _ => {}
            }
        }
        Err(WRONG)
    }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    // `string` let only what serde_json reads pass.
    serde_json::from_str(&format!("\"{text}\"")).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn is_ulid_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'H' | b'J' | b'K' | b'M' | b'N' | b'P'..=b'T' | b'V'..=b'Z')
}

fn is_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A record of the log, read back: the envelope decoded, the data as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The ULID of the record.
    pub id: String,
    /// The name of the type, without `toolhatch.`; [`EventType::from_name`] knows those of this version.
    pub kind: String,
    /// RFC 3339, UTC, microseconds.
    pub time: String,
    /// The number of the record, from 1.
    pub seq: u64,
    /// The SHA-256 of the line before, 64 hexadecimal digits.
    pub prev: String,
    /// The ULID of the log.
    pub log: String,
    /// The id of the call (`executionid`).
    pub call: Option<String>,
    /// The id of the tool.
    pub subject: Option<String>,
    /// The name of the plugin.
    pub plugin: Option<String>,
    /// The digest of the artifact.
    pub digest: Option<String>,
    /// Who asked.
    pub principal: Option<String>,
    /// The agent that asked (`agentname`).
    pub agent: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// True where a secret was replaced in the data.
    pub masked: bool,
    /// The data as JSON text, an object.
    pub data: String,
}

impl Record {
    /// Reads a line, given without its line end.
    ///
    /// # Errors
    /// A clause that says which part of the line is wrong, such as "its prev is not a SHA-256".
    pub fn parse(line: &[u8]) -> Result<Self, &'static str> {
        Envelope::parse(line).map(|envelope| Self::from(&envelope))
    }

    /// The data as a JSON value.
    #[must_use]
    pub fn data_value(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

impl From<&Envelope<'_>> for Record {
    fn from(envelope: &Envelope<'_>) -> Self {
        let [call, subject, plugin, digest, principal, agent, session] = envelope
            .attributes
            .map(|value| value.map(|value| unescape(value).into_owned()));
        Self {
            id: envelope.id.to_owned(),
            kind: envelope.kind.to_owned(),
            time: envelope.time.to_owned(),
            seq: envelope.seq,
            prev: envelope.prev.to_owned(),
            log: envelope.log.to_owned(),
            call,
            subject,
            plugin,
            digest,
            principal,
            agent,
            session,
            masked: envelope.masked,
            data: envelope.data.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::event::Event;
    use super::*;

    const LOG: &str = "01JD7Z3V9QW8X2N4M6K8R0T2YB";

    fn line_of(event: Event) -> Vec<u8> {
        let mut line = Vec::new();
        let prepared = event.prepare().expect("can be written");
        prepared.write_line(7, NO_PREV, LOG, &mut line);
        line
    }

    proptest! {
        #[test]
        fn every_event_reads_back_as_it_was(
            subject in proptest::option::of(any::<String>()),
            principal in proptest::option::of(".*"),
            key in any::<String>(),
            value in any::<String>(),
            masked: bool,
        ) {
            let mut event = Event::new(EventType::ErrorOccurred).with(&key, value.as_str());
            if let Some(subject) = &subject { event = event.subject(subject); }
            if let Some(principal) = &principal { event = event.principal(principal); }
            if masked { event = event.masked(); }
            let line = line_of(event);
            prop_assert!(!line.contains(&b'\n'));
            let record = Record::parse(&line).expect("reads back");
            prop_assert_eq!(&record.subject, &subject);
            prop_assert_eq!(&record.principal, &principal);
            prop_assert_eq!((record.seq, record.masked), (7, masked));
            prop_assert_eq!(record.data_value(), serde_json::json!({ key: value }));
        }

        #[test]
        fn no_line_however_broken_stops_the_reader(at in 0usize..400, byte: u8) {
            let mut line = line_of(Event::new(EventType::ErrorOccurred).subject("a.b").with("x", "y"));
            if let Some(there) = line.get_mut(at) { *there = byte; }
            let _ = Record::parse(&line);
            let _ = Record::parse(&line[..at.min(line.len())]);
        }
    }

    #[test]
    fn what_toolhatch_does_not_write_is_refused() {
        let good = String::from_utf8(line_of(
            Event::new(EventType::ErrorOccurred)
                .subject("a.b")
                .plugin("a"),
        ))
        .expect("UTF-8");
        assert!(Record::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("{\"spec", "{ \"spec"),
            ("\"seq\":7", "\"seq\":07"),
            ("\"seq\":7", "\"seq\":7.0"),
            ("\"seq\":7", "\"seq\":99999999999999999999"),
            ("\"seq\":7", "\"seq\":18446744073709551615"),
            ("\"seq\":7", "\"seq\":7,\"seq\":8"),
            ("\"prev\":\"0", "\"prev\":\"A"),
            ("\"data\":{}", "\"data\":{}}{"),
            ("\"data\":{}", "\"data\":[]"),
            ("\"data\":{}", "\"data\":{},\"more\":1"),
            ("a.b", "a\\q"),
            (
                "\"subject\":\"a.b\",\"plugin\":\"a\"",
                "\"plugin\":\"a\",\"subject\":\"a.b\"",
            ),
            ("T", " "),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Record::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
