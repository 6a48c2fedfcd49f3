//! What of a client is still to be done, within bounds: requests that wait, requests that are worked on, and answers that it
//! has not read yet.
//!
//! A client that goes on sending and never reads would fill the memory with its answers. Past the bounds its requests wait,
//! and past those nothing more is read from it. Cancellations and answers to questions never wait behind requests.

use std::collections::{HashSet, VecDeque};

use rmcp::model::{ClientJsonRpcMessage, ClientNotification, RequestId, ServerJsonRpcMessage};
use tokio::sync::watch;
use tokio::time::Instant;

/// How many requests are worked on at once: many more than calls run at once, as some of these wait for people.
const AT_ONCE: usize = 1024;
/// How many bytes of answers may wait for a client that does not read them.
const UNREAD: usize = 16 << 20;
/// How many bytes of lines the requests may be that wait; once they are read they take ten times as much and more.
const WAITING: usize = 4 << 20;

/// What was begun, and what of it the client has not read.
#[derive(Debug)]
pub(super) struct State {
    /// The requests that are worked on.
    open: HashSet<RequestId>,
    /// How many bytes wait to be read.
    unread: usize,
    /// When the client has last read something.
    pub(super) read_at: Instant,
}

impl State {
    /// True where another request may be begun.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < AT_ONCE && self.takes_answers()
    }

    /// True where another answer may be written.
    pub(super) fn takes_answers(&self) -> bool {
        self.unread <= UNREAD
    }

    /// True where everything was answered, and the answers were read.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.unread == 0
    }
}

/// The state, as those share it who read and who write.
#[derive(Debug, Clone)]
pub(super) struct Backlog(watch::Sender<State>);

/// Bytes that count as unread until this is dropped.
#[derive(Debug)]
pub(super) struct Unread {
    backlog: Backlog,
    bytes: usize,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State {
            open: HashSet::new(),
            unread: 0,
            read_at: Instant::now(),
        }))
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// True where another request may be begun.
    pub(super) fn has_room(&self) -> bool {
        self.0.borrow().has_room()
    }

    /// A message of the client is handed on.
    pub(super) fn handed_on(&self, message: &ClientJsonRpcMessage) {
        if let ClientJsonRpcMessage::Request(request) = message {
            self.0.send_modify(|state| {
                state.open.insert(request.id.clone());
            });
        } else if let Some(id) = cancelled(message) {
            // It is not answered any more.
            self.0.send_modify(|state| {
                state.open.remove(id);
            });
        }
    }

    /// A message of so many bytes goes to the client.
    pub(super) fn sent(&self, message: &ServerJsonRpcMessage, bytes: usize) -> Unread {
        let answered = match message {
            ServerJsonRpcMessage::Response(response) => Some(&response.id),
            ServerJsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        self.0.send_modify(|state| {
            if let Some(id) = answered {
                state.open.remove(id);
            }
            state.unread += bytes;
        });
        Unread {
            backlog: self.clone(),
            bytes,
        }
    }
}

impl Unread {
    /// The client has read it.
    pub(super) fn read(self) {
        self.backlog.0.send_modify(|state| {
            state.read_at = Instant::now();
        });
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.backlog.0.send_modify(|state| {
            state.unread = state.unread.saturating_sub(self.bytes);
        });
    }
}

/// The request that a message cancels.
fn cancelled(message: &ClientJsonRpcMessage) -> Option<&RequestId> {
    let ClientJsonRpcMessage::Notification(message) = message else {
        return None;
    };
    let ClientNotification::CancelledNotification(cancelled) = &message.notification else {
        return None;
    };
    cancelled.params.request_id.as_ref()
}

/// Messages that came and were not handed on yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    requests: VecDeque<Message>,
    others: VecDeque<Message>,
    bytes: usize,
    came: u64,
}

#[derive(Debug)]
struct Message {
    /// Which one it was of all that came.
    number: u64,
    bytes: usize,
    message: ClientJsonRpcMessage,
}

impl Waiting {
    /// Takes the messages of a line of so many bytes.
    pub(super) fn push(&mut self, messages: Vec<ClientJsonRpcMessage>, line: usize) {
        let bytes = line / messages.len().max(1);
        for message in messages {
            if let Some(id) = cancelled(&message)
                && self.forget(id)
            {
                continue;
            }
            self.came += 1;
            self.bytes += bytes;
            let to = match &message {
                ClientJsonRpcMessage::Request(_) => &mut self.requests,
                _ => &mut self.others,
            };
            to.push_back(Message {
                number: self.came,
                bytes,
                message,
            });
        }
    }

    /// Forgets a request that was not begun; false where there is none.
    fn forget(&mut self, id: &RequestId) -> bool {
        let is_it = |waiting: &Message| matches!(&waiting.message, ClientJsonRpcMessage::Request(request) if request.id == *id);
        let Some(at) = self.requests.iter().position(is_it) else {
            return false;
        };
        if let Some(message) = self.requests.remove(at) {
            self.bytes -= message.bytes;
        }
        true
    }

    /// The next one: in the order in which they came, but where there is no room for requests the next of the others.
    pub(super) fn next(&mut self, has_room: bool) -> Option<ClientJsonRpcMessage> {
        let number = |queue: &VecDeque<Message>| queue.front().map(|message| message.number);
        let is_request = match (number(&self.requests), number(&self.others)) {
            (Some(request), Some(other)) => has_room && request < other,
            (Some(_), None) => has_room,
            (None, _) => false,
        };
        let from = if is_request {
            &mut self.requests
        } else {
            &mut self.others
        };
        let message = from.pop_front()?;
        self.bytes -= message.bytes;
        Some(message.message)
    }

    /// True where no more may come.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > WAITING
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn request(id: usize) -> ClientJsonRpcMessage {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        serde_json::from_value(message).expect("a request")
    }

    fn cancel(id: usize) -> ClientJsonRpcMessage {
        let message = json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id},
        });
        serde_json::from_value(message).expect("a notification")
    }

    fn result(id: usize) -> ServerJsonRpcMessage {
        let message = json!({"jsonrpc": "2.0", "id": id, "result": {}});
        serde_json::from_value(message).expect("a result")
    }

    #[test]
    fn there_is_room_again_when_something_was_answered_and_read() {
        let backlog = Backlog::new();
        for id in 0..AT_ONCE {
            assert!(backlog.has_room());
            backlog.handed_on(&request(id));
        }
        assert!(!backlog.has_room());
        let long = backlog.sent(&result(0), UNREAD + 1);
        assert!(!backlog.has_room(), "it was not read");
        long.read();
        assert!(backlog.has_room());
        backlog.handed_on(&request(AT_ONCE));
        assert!(!backlog.has_room());
        // What is cancelled is never answered.
        backlog.handed_on(&cancel(1));
        assert!(backlog.has_room());
        for id in 2..=AT_ONCE {
            drop(backlog.sent(&result(id), 1));
        }
        assert!(backlog.watch().borrow().is_idle());
    }

    proptest! {
        /// Whatever comes and however much room there is, nothing is lost or told twice, requests stay in their order, and
        /// what is no request waits for none.
        #[test]
        fn messages_keep_their_order(
            steps in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut waiting = Waiting::default();
            let (mut came, mut gone, mut cancels) = (0, Vec::new(), 0);
            let mut take = |waiting: &mut Waiting, has_room| {
                match waiting.next(has_room) {
                    Some(ClientJsonRpcMessage::Request(request)) => {
                        assert!(has_room);
                        gone.push(request.id);
                        1
                    }
                    Some(_) => 2,
                    None => 0,
                }
            };
            for (comes, is_request, has_room) in steps {
                if comes && is_request {
                    waiting.push(vec![request(came)], 100);
                    came += 1;
                } else if comes {
                    // Of a request that never was.
                    waiting.push(vec![cancel(1000)], 100);
                    cancels += 1;
                } else if take(&mut waiting, has_room) == 2 {
                    cancels -= 1;
                }
            }
            while take(&mut waiting, false) == 2 {
                cancels -= 1;
            }
            prop_assert_eq!(cancels, 0);
            while take(&mut waiting, true) == 1 {}
            prop_assert!(waiting.is_empty());
            prop_assert_eq!(waiting.bytes, 0);
            let expected: Vec<RequestId> = (0..came).map(|id| RequestId::Number(id as i64)).collect();
            prop_assert_eq!(gone, expected);
        }
    }

    #[test]
    fn what_is_cancelled_before_it_began_never_begins() {
        let mut waiting = Waiting::default();
        waiting.push(vec![request(1), request(2), cancel(1)], 300);
        let Some(ClientJsonRpcMessage::Request(next)) = waiting.next(true) else {
            panic!("a request");
        };
        assert_eq!(next.id, RequestId::Number(2));
        assert!(waiting.is_empty());
    }
}
