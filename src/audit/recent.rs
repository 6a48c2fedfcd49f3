//! The calls that this process recorded last, kept in memory for those who made them: nobody has to read a log of any size
//! for what happened a moment ago.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::event::EventType;
use super::record::{Envelope, Record};
use super::sink::Sink;

/// How many calls are kept.
const CALLS: usize = 1000;
/// How many bytes of records are kept, of all of them and of one.
const BYTES: usize = 4 << 20;
const OF_ONE: usize = 1 << 20;
/// How many bytes of one call may tell what it touched; the rest is for how it was decided and how it ended.
const TOUCHED: usize = 128 << 10;

/// The calls that were recorded last. What it holds is bounded: the oldest goes first.
#[derive(Debug, Default)]
pub struct RecentCalls {
    kept: Mutex<Kept>,
}

/// What was recorded of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// The id of the call.
    pub call: String,
    /// In the order of the log, as the log has them.
    pub records: Vec<Record>,
    /// How many records of it were not kept.
    pub left_out: u64,
}

#[derive(Debug, Default)]
struct Kept {
    /// In the order in which they began.
    calls: VecDeque<Lines>,
    bytes: usize,
}

/// The lines of one call.
#[derive(Debug)]
struct Lines {
    call: String,
    principal: String,
    lines: Vec<Vec<u8>>,
    bytes: usize,
    left_out: u64,
}

impl RecentCalls {
    /// What brings the records of a log here.
    #[must_use]
    pub fn sink(self: &Arc<Self>) -> Box<dyn Sink> {
        Box::new(Feed(Arc::clone(self)))
    }

    /// The newest calls of this principal, the newest first: so many, and whether there are more.
    #[must_use]
    pub fn newest(&self, principal: &str, most: usize) -> (Vec<RecordedCall>, bool) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = kept.of(principal);
        let calls = own.by_ref().take(most).map(Lines::read).collect();
        (calls, own.next().is_some())
    }

    /// This call, where it is one of this principal.
    #[must_use]
    pub fn find(&self, principal: &str, call: &str) -> Option<RecordedCall> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = kept.of(principal);
        own.find(|it| it.call == call).map(Lines::read)
    }

    fn take(&self, line: &[u8]) {
        let Ok(envelope) = Envelope::parse(line.trim_ascii_end()) else {
            return;
        };
        let (Some(call), Some(principal)) = (envelope.call(), envelope.principal()) else {
            return;
        };
        let is_touch = [
            EventType::FileTouched,
            EventType::NetworkTouched,
            EventType::StateTouched,
            EventType::ToolInvoked,
            EventType::CommandExecuted,
        ];
        let most = match is_touch.into_iter().any(|kind| envelope.is(kind)) {
            true => TOUCHED,
            false => OF_ONE,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |it: &Lines| it.call == *call && it.principal == *principal;
        let at = match kept.calls.iter().rposition(is_it) {
            Some(at) => at,
            None => {
                kept.calls.push_back(Lines {
                    call: call.into_owned(),
                    principal: principal.into_owned(),
                    lines: Vec::new(),
                    bytes: 0,
                    left_out: 0,
                });
                kept.calls.len() - 1
            }
        };
        let added = kept.calls.get_mut(at).map_or(0, |it| it.add(line, most));
        kept.bytes += added;
        while kept.calls.len() > CALLS || kept.bytes > BYTES {
            let Some(oldest) = kept.calls.pop_front() else {
                break;
            };
            kept.bytes -= oldest.bytes;
        }
    }
}

impl Kept {
    /// The calls of this principal, the newest first.
    fn of<'a>(&'a self, principal: &'a str) -> impl Iterator<Item = &'a Lines> {
        let newest = self.calls.iter().rev();
        newest.filter(move |it| it.principal == principal)
    }
}

impl Lines {
    /// Adds a line where there is room for it, and says how many bytes that took.
    fn add(&mut self, line: &[u8], most: usize) -> usize {
        if self.bytes + line.len() > most {
            self.left_out += 1;
            return 0;
        }
        self.lines.push(line.trim_ascii_end().to_vec());
        self.bytes += line.len();
        line.len()
    }

    fn read(&self) -> RecordedCall {
        let records = self
            .lines
            .iter()
            .filter_map(|line| Record::parse(line).ok());
        RecordedCall {
            call: self.call.clone(),
            records: records.collect(),
            left_out: self.left_out,
        }
    }
}

struct Feed(Arc<RecentCalls>);

impl Sink for Feed {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.take(line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Event;
    use super::super::record::NO_PREV;
    use super::*;
    use crate::ids::CallId;

    fn feed(recent: &Arc<RecentCalls>, event: Event) {
        let prepared = event.prepare().expect("can be written");
        let mut line = Vec::new();
        prepared.write_line(7, NO_PREV, "01JD7Z3V9QW8X2N4M6K8R0T2YB", &mut line);
        line.push(b'\n');
        recent.sink().write(&line).expect("taken");
    }

    fn event(kind: EventType, call: CallId, principal: &str) -> Event {
        Event::new(kind).call(call).principal(principal)
    }

    #[test]
    fn a_call_is_known_to_whom_it_belongs_and_to_nobody_else() {
        let recent = Arc::new(RecentCalls::default());
        let (one, other) = (CallId::generate(), CallId::generate());
        feed(&recent, event(EventType::ExecutionStart, one, "me"));
        feed(&recent, event(EventType::ExecutionStart, other, "you"));
        feed(
            &recent,
            event(EventType::ExecutionEnd, one, "me").with("outcome", "ok"),
        );
        // What is of no call, or of nobody, is nobody's.
        feed(
            &recent,
            Event::new(EventType::ErrorOccurred).principal("me"),
        );
        feed(&recent, Event::new(EventType::ExecutionStart).call(one));
        recent
            .sink()
            .write(b"{\"no\": \"record\"}\n")
            .expect("passed over");
        let found = recent.find("me", &one.to_string()).expect("it is there");
        let kinds: Vec<&str> = found.records.iter().map(|it| it.kind.as_str()).collect();
        assert_eq!(kinds, ["execution_start", "execution_end"]);
        assert_eq!(recent.find("you", &one.to_string()), None);
        assert_eq!(recent.find("me", &other.to_string()), None);
        assert_eq!(recent.newest("me", 10), (vec![found], false));
        assert_eq!(recent.newest("nobody", 10), (Vec::new(), false));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let recent = Arc::new(RecentCalls::default());
        let calls: Vec<CallId> = (0..=CALLS).map(|_| CallId::generate()).collect();
        for call in &calls {
            feed(&recent, event(EventType::ExecutionStart, *call, "me"));
        }
        let is_there = |at: usize| recent.find("me", &calls[at].to_string()).is_some();
        assert!(!is_there(0) && is_there(1) && is_there(CALLS));
        let (newest, more) = recent.newest("me", 3);
        let ids: Vec<String> = newest.into_iter().map(|it| it.call).collect();
        let expected: Vec<String> = calls
            .iter()
            .rev()
            .take(3)
            .map(ToString::to_string)
            .collect();
        assert_eq!((ids, more), (expected, true));
    }

    #[test]
    fn what_a_call_touched_takes_no_room_from_how_it_ended() {
        let recent = Arc::new(RecentCalls::default());
        let text = "x".repeat(60 << 10);
        let call = CallId::generate();
        for _ in 0..10 {
            feed(
                &recent,
                event(EventType::FileTouched, call, "me").with("path", text.as_str()),
            );
        }
        feed(&recent, event(EventType::ExecutionEnd, call, "me"));
        let found = recent.find("me", &call.to_string()).expect("it is there");
        assert_eq!((found.records.len(), found.left_out), (3, 8));
        assert_eq!(found.records[2].kind, "execution_end");
        // Many of them push out the first.
        for _ in 0..100 {
            let other = CallId::generate();
            feed(
                &recent,
                event(EventType::ExecutionStart, other, "me").with("arguments", text.as_str()),
            );
        }
        assert_eq!(recent.find("me", &call.to_string()), None);
        let held = recent.kept.lock().expect("sound").bytes;
        assert!(held <= BYTES && held > BYTES / 2, "{held}");
    }
}
