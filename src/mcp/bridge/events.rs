//! Server-sent events out of a stream of bytes: a pure state machine that never holds more than the largest message.

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerEvent {
    /// Its type, where one is given.
    pub(super) event: Option<String>,
    /// Its data, where there is any; lines joined.
    pub(super) data: Option<Vec<u8>>,
    /// The id to go on from.
    pub(super) id: Option<String>,
    /// How long to wait before connecting again, in milliseconds.
    pub(super) retry: Option<u64>,
}

/// An event has more bytes than are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Cuts a stream into events.
#[derive(Debug)]
pub(super) struct EventReader {
    most: usize,
    line: Vec<u8>,
    /// A carriage return ended the last line: a line feed right after it belongs to it.
    after_return: bool,
    is_first: bool,
    held: usize,
    event: ServerEvent,
}

impl EventReader {
    /// Events of at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            after_return: false,
            is_first: true,
            held: 0,
            event: ServerEvent::default(),
        }
    }

    /// Takes the next bytes of the stream, and gives the events that are whole.
    ///
    /// # Errors
    /// Where an event is too long; nothing more can be read then.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, TooLong> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            self.held += piece.len();
            if self.held > self.most {
                return Err(TooLong);
            }
            self.line.extend_from_slice(piece);
            let Some(ending) = after.first() else {
                break;
            };
            self.after_return = *ending == b'\r';
            rest = after.get(1..).unwrap_or_default();
            events.extend(self.end_line());
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<ServerEvent> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if std::mem::take(&mut self.is_first) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            self.held = 0;
            let event = std::mem::take(&mut self.event);
            return (event != ServerEvent::default()).then_some(event);
        }
        let at = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(at.unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            b"event" => self.event.event = Some(text()),
            b"id" if !value.contains(&0) => self.event.id = Some(text()),
            b"retry" => self.event.retry = text().parse().ok(),
            b"data" => match &mut self.event.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.event.data = Some(value.to_vec()),
            },
            // Comments and what nobody knows.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_are_read_as_the_standard_has_them() {
        let text = b"\xEF\xBB\xBF: hello\r\nid: 1\nretry: 200\r\rdata\n\nevent: message\r\ndata: {\"a\":\rdata:1}\nother: x\n\ndata: half";
        let events = EventReader::new(1000).push(text).expect("short");
        assert_eq!(
            events,
            [
                ServerEvent {
                    id: Some("1".to_owned()),
                    retry: Some(200),
                    ..ServerEvent::default()
                },
                ServerEvent {
                    data: Some(Vec::new()),
                    ..ServerEvent::default()
                },
                ServerEvent {
                    event: Some("message".to_owned()),
                    data: Some(b"{\"a\":\n1}".to_vec()),
                    ..ServerEvent::default()
                },
            ]
        );
    }

    #[test]
    fn an_event_that_is_too_long_ends_the_reading() {
        let mut reader = EventReader::new(20);
        assert_eq!(
            reader
                .push(b"data: 12345\n\ndata: 12345\n\n")
                .map(|it| it.len()),
            Ok(2)
        );
        assert_eq!(reader.push(b"data: 1234567890123456"), Err(TooLong));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "(data|id|event)?:? ?[a-c]{0,3}(\r\n|\n|\r){1,2}[a-z:\r\n]{0,60}", size in 1_usize..9) {
            let whole = EventReader::new(1000).push(text.as_bytes());
            let mut reader = EventReader::new(1000);
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                events.extend(reader.push(piece).expect("short"));
            }
            prop_assert_eq!(whole, Ok(events));
        }
    }
}
