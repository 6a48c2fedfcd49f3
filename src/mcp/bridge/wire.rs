//! What is underway on a connection: requests that wait, what came for them as the server wrote it, and what came besides.
//!
//! The protocol library reads a message as a whole or not at all. It is given messages that it can read, and the answers
//! themselves are taken from here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, CustomResult, ErrorCode, ErrorData, ListToolsResult,
    RequestId, ServerJsonRpcMessage, ServerRequest, ServerResult, Tool,
};
use serde_json::{Map, Value, json};

use super::handler::Routes;
use super::message::{Incoming, cut, id_in};
use super::question::Asked;
use crate::error::{Code, Error};

/// How many samples of each kind of noise are kept.
const SAMPLES: usize = 5;
/// How long a sample is at most, in characters.
const SAMPLE: usize = 200;

/// What came for a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// The result, as the server wrote it.
    Result(Value),
    /// The error object, as the server wrote it.
    Refused(Value),
    /// A message that cannot be read.
    Broken(String),
    /// A message that is larger than is read.
    TooLong,
    /// It was not sent, or nothing came back.
    Failed(Error),
}

/// What a server sent that was no use to anybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noise {
    /// Lines that are no messages, such as logs.
    pub lines: u64,
    /// The first of them.
    pub samples: Vec<String>,
    /// Answers that nobody waits for: late, repeated, or with a wrong id.
    pub strays: u64,
    /// Messages that cannot be read.
    pub broken: u64,
    /// Why the first of them cannot.
    pub reasons: Vec<String>,
}

/// Why a request was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Handshake,
    Tools,
    /// It is told of changes, and gets its answer when that ends.
    Listening,
    Other,
}

#[derive(Debug, Default)]
struct Underway {
    pending: HashMap<RequestId, Purpose>,
    replies: HashMap<RequestId, Reply>,
    noise: Noise,
    /// What the server answered to the handshake that counts.
    handshake: Option<Value>,
    /// Why the last handshake failed, where that was no plain refusal.
    refusal: Option<Error>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Wire {
    underway: Mutex<Underway>,
    /// Where what is told during a call goes. Told here, in the order it came: the library tells it on tasks of their own,
    /// which may come too late for a call that has its answer.
    pub(super) routes: Arc<Routes>,
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, Underway> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a message that is about to be sent.
    pub(super) fn sending(&self, message: &ClientJsonRpcMessage) {
        let ClientJsonRpcMessage::Request(request) = message else {
            return;
        };
        let purpose = match &request.request {
            ClientRequest::InitializeRequest(_) | ClientRequest::DiscoverRequest(_) => {
                Purpose::Handshake
            }
            ClientRequest::ListToolsRequest(_) => Purpose::Tools,
            ClientRequest::SubscriptionsListenRequest(_) => Purpose::Listening,
            _ => Purpose::Other,
        };
        self.lock().pending.insert(request.id.clone(), purpose);
    }

    /// What came for a request; it waits no longer.
    pub(super) fn take(&self, id: &RequestId) -> Option<Reply> {
        let mut underway = self.lock();
        underway.pending.remove(id);
        underway.replies.remove(id)
    }

    /// What the server said of itself.
    pub(super) fn handshake(&self) -> Option<Value> {
        self.lock().handshake.clone()
    }

    /// Why the handshake failed, where more is known than that it did.
    pub(super) fn take_refusal(&self) -> Option<Error> {
        self.lock().refusal.take()
    }

    /// What came that was of no use.
    pub(super) fn noise(&self) -> Noise {
        self.lock().noise.clone()
    }

    /// Takes what came, and gives what the protocol library is told of it.
    pub(super) fn admit(&self, incoming: Incoming, raw: &[u8]) -> Option<ServerJsonRpcMessage> {
        self.admit_in(incoming, raw, None)
    }

    /// The same for what came in the answer to a request, `stream`.
    pub(super) fn admit_in(
        &self,
        incoming: Incoming,
        raw: &[u8],
        stream: Option<&RequestId>,
    ) -> Option<ServerJsonRpcMessage> {
        let mut underway = self.lock();
        match incoming {
            Incoming::Answer { id, outcome } => underway.answer(id, outcome),
            Incoming::Told(message) => {
                let told = underway.told(message, stream)?;
                drop(underway);
                self.routes.take_in(told)
            }
            Incoming::Broken { id, why } => underway.broken(id, why),
            Incoming::Noise => {
                let noise = &mut underway.noise;
                noise.lines += 1;
                if noise.samples.len() < SAMPLES {
                    let start = raw.get(..4 * SAMPLE).unwrap_or(raw);
                    let text = String::from_utf8_lossy(start).trim().to_owned();
                    noise.samples.push(cut(&text, SAMPLE));
                }
                None
            }
        }
    }

    /// Notes that a message has become too long, by how it begins and, at its end, how it ends. Gives the failures, and
    /// nothing before the end where it cannot be told yet whose answer it is.
    pub(super) fn overlong(&self, head: &[u8], tail: Option<&[u8]>) -> Vec<ServerJsonRpcMessage> {
        let mut underway = self.lock();
        let id = id_in(head, tail.unwrap_or_default());
        let ids: Vec<RequestId> = match id {
            Some(id) => vec![id],
            None => {
                let waiting = underway.waiting();
                if waiting.len() != 1 && tail.is_none() {
                    return Vec::new();
                }
                waiting
            }
        };
        ids.into_iter()
            .filter_map(|id| underway.fail(id, Reply::TooLong))
            .collect()
    }

    /// Has a request fail whose answer is too long.
    pub(super) fn too_long(&self, id: &RequestId) -> Option<ServerJsonRpcMessage> {
        self.lock().fail(id.clone(), Reply::TooLong)
    }

    /// Has a request fail.
    pub(super) fn fail(&self, id: RequestId, error: Error) -> Option<ServerJsonRpcMessage> {
        self.lock().fail(id, Reply::Failed(error))
    }
}

impl Underway {
    /// The requests that wait for an answer.
    fn waiting(&self) -> Vec<RequestId> {
        let waiting = self.pending.iter();
        let waiting = waiting.filter(|(_, purpose)| **purpose != Purpose::Listening);
        waiting.map(|(id, _)| id.clone()).collect()
    }

    fn fail(&mut self, id: RequestId, reply: Reply) -> Option<ServerJsonRpcMessage> {
        let Some(purpose) = self.pending.remove(&id) else {
            self.noise.strays += 1;
            return None;
        };
        let message = match &reply {
            Reply::Broken(why) => why.clone(),
            Reply::TooLong => "the message is too long".to_owned(),
            Reply::Failed(error) => error.to_string(),
            Reply::Result(_) | Reply::Refused(_) => String::new(),
        };
        match (purpose, reply) {
            (Purpose::Handshake, Reply::Failed(error)) => self.refusal = Some(error),
            (Purpose::Handshake, _) => {
                let why = format!("its answer to the handshake cannot be read: {message}");
                self.refusal = Some(Error::new(Code::E3508, why));
            }
            (Purpose::Listening, _) => {}
            (_, reply) => {
                self.replies.insert(id.clone(), reply);
            }
        }
        let error = ErrorData::new(ErrorCode::INTERNAL_ERROR, message, None);
        Some(ServerJsonRpcMessage::error(error, Some(id)))
    }

    fn answer(
        &mut self,
        id: RequestId,
        outcome: Result<Value, Value>,
    ) -> Option<ServerJsonRpcMessage> {
        let Some(purpose) = self.pending.remove(&id) else {
            self.noise.strays += 1;
            return None;
        };
        let (told, reply) = match outcome {
            Err(error) => {
                let told = ServerJsonRpcMessage::error(error_data(&error), Some(id.clone()));
                (told, Reply::Refused(error))
            }
            Ok(result) => {
                let told = match purpose {
                    Purpose::Handshake => match handshake(&result) {
                        Some(told) => {
                            self.refusal = None;
                            self.handshake = Some(result.clone());
                            Some(told)
                        }
                        None => {
                            self.pending.insert(id.clone(), purpose);
                            let why = "the answer to the handshake is not one".to_owned();
                            return self.broken(Some(id), why);
                        }
                    },
                    Purpose::Tools => Some(ServerResult::ListToolsResult(
                        ListToolsResult::with_all_items(readable_tools(&result)),
                    )),
                    Purpose::Listening | Purpose::Other => None,
                };
                let told = told.unwrap_or_else(|| {
                    ServerResult::CustomResult(CustomResult(json!({"toolhatch": "kept"})))
                });
                (
                    ServerJsonRpcMessage::response(told, id.clone()),
                    Reply::Result(result),
                )
            }
        };
        // Nobody takes the answer to that.
        if purpose != Purpose::Listening {
            self.replies.insert(id, reply);
        }
        Some(told)
    }

    fn told(
        &mut self,
        mut message: Map<String, Value>,
        stream: Option<&RequestId>,
    ) -> Option<ServerJsonRpcMessage> {
        if let Some(asked) = asked(&message, stream) {
            return Some(asked);
        }
        message.insert("jsonrpc".to_owned(), "2.0".into());
        match serde_json::from_value(Value::Object(message)) {
            Ok(told) => Some(told),
            Err(error) => {
                self.note_broken(&format!("a request or notification: {error}"));
                None
            }
        }
    }

    fn broken(&mut self, id: Option<RequestId>, why: String) -> Option<ServerJsonRpcMessage> {
        self.note_broken(&why);
        // Where only one waits it is the one that was meant.
        let id = id.or_else(|| match self.waiting().as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        })?;
        self.fail(id, Reply::Broken(why))
    }

    fn note_broken(&mut self, why: &str) {
        self.noise.broken += 1;
        if self.noise.reasons.len() < SAMPLES {
            self.noise.reasons.push(cut(why, SAMPLE));
        }
    }
}

/// A request of the server's own, which the library is told unread. That the server is there it can tell by itself.
fn asked(message: &Map<String, Value>, stream: Option<&RequestId>) -> Option<ServerJsonRpcMessage> {
    let id: RequestId = serde_json::from_value(message.get("id")?.clone()).ok()?;
    let method = message.get("method").and_then(Value::as_str)?;
    if method == "ping" {
        return None;
    }
    let asked = Asked {
        method: method.to_owned(),
        params: message.get("params").cloned().unwrap_or_else(|| json!({})),
        stream: stream.cloned(),
    };
    let request = ServerRequest::CustomRequest(asked.wrap());
    Some(ServerJsonRpcMessage::request(request, id))
}

/// An error object, as far as it is one.
fn error_data(error: &Value) -> ErrorData {
    let code = error.get("code").and_then(Value::as_i64);
    let code = code.and_then(|code| i32::try_from(code).ok());
    let message = match error.get("message").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => cut(&error.to_string(), SAMPLE),
    };
    ErrorData::new(
        code.map_or(ErrorCode::INTERNAL_ERROR, ErrorCode),
        message,
        error.get("data").cloned(),
    )
}

/// The tools of a list that the protocol library can read: it looks into their schemas for what goes into headers.
fn readable_tools(result: &Value) -> Vec<Tool> {
    let tools = result.get("tools").and_then(Value::as_array);
    tools
        .into_iter()
        .flatten()
        .filter_map(|tool| serde_json::from_value(tool.clone()).ok())
        .collect()
}

/// The answer to a handshake. What is wrong in it and does not matter is left out, so that a small mistake does not make a
/// server useless.
fn handshake(result: &Value) -> Option<ServerResult> {
    let read = |value: Value| match serde_json::from_value::<ServerResult>(value) {
        Ok(told @ (ServerResult::InitializeResult(_) | ServerResult::DiscoverResult(_))) => {
            Some(told)
        }
        Ok(_) | Err(_) => None,
    };
    if let Some(told) = read(result.clone()) {
        return Some(told);
    }
    let object = result.as_object()?;
    let capabilities: Map<String, Value> = object
        .get("capabilities")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(name, value)| *name == "tools" && value.is_object())
        .map(|(name, _)| (name.clone(), json!({})))
        .collect();
    let text = |name: &str| {
        let info = object.get("serverInfo")?;
        Some(info.get(name)?.as_str()?.to_owned())
    };
    let mut plain = Map::new();
    for key in [
        "protocolVersion",
        "supportedVersions",
        "ttlMs",
        "cacheScope",
    ] {
        if let Some(value) = object.get(key) {
            plain.insert(key.to_owned(), value.clone());
        }
    }
    plain.insert("capabilities".to_owned(), Value::Object(capabilities));
    plain.insert(
        "serverInfo".to_owned(),
        json!({
            "name": text("name").unwrap_or_default(),
            "version": text("version").unwrap_or_default(),
        }),
    );
    if let Some(instructions) = object.get("instructions").filter(|it| it.is_string()) {
        plain.insert("instructions".to_owned(), instructions.clone());
    }
    read(Value::Object(plain))
}

#[cfg(test)]
mod tests {
    use rmcp::model::{ListToolsRequest, PaginatedRequestParams};

    use super::super::message::read;
    use super::*;

    fn waiting(ids: &[i64]) -> Wire {
        let wire = Wire::default();
        for id in ids {
            let request = ListToolsRequest::with_param(PaginatedRequestParams::default());
            wire.sending(&ClientJsonRpcMessage::request(
                ClientRequest::ListToolsRequest(request),
                RequestId::Number(*id),
            ));
        }
        wire
    }

    fn admit(wire: &Wire, text: &str) -> Vec<ServerJsonRpcMessage> {
        read(text.as_bytes())
            .into_iter()
            .filter_map(|incoming| wire.admit(incoming, text.as_bytes()))
            .collect()
    }

    #[test]
    fn an_answer_is_kept_as_it_was_written() {
        let wire = waiting(&[1]);
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","execution":{"x":1}},{"name":"b","inputSchema":{}}]}}"#;
        let told = admit(&wire, text);
        assert!(matches!(
            told.as_slice(),
            [ServerJsonRpcMessage::Response(response)]
                if matches!(&response.result, ServerResult::ListToolsResult(list) if list.tools.len() == 1)
        ));
        let Some(Reply::Result(result)) = wire.take(&RequestId::Number(1)) else {
            panic!("no result");
        };
        assert_eq!(result.pointer("/tools/0/execution/x"), Some(&json!(1)));
        assert!(wire.take(&RequestId::Number(1)).is_none());
    }

    #[test]
    fn wrong_and_repeated_ids_answer_nobody() {
        let wire = waiting(&[1, 2]);
        assert!(admit(&wire, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#).is_empty());
        assert_eq!(
            admit(&wire, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#).len(),
            1
        );
        assert!(admit(&wire, r#"{"jsonrpc":"2.0","id":2,"result":{"other":1}}"#).is_empty());
        assert_eq!(wire.noise().strays, 2);
        let Some(Reply::Result(result)) = wire.take(&RequestId::Number(2)) else {
            panic!("no result");
        };
        assert_eq!(result, json!({}));
    }

    #[test]
    fn a_broken_answer_fails_its_own_request_alone() {
        let wire = waiting(&[1, 2]);
        let told = admit(&wire, r#"{"jsonrpc":"2.0","id":2,"result":{"a":1,"a":2}}"#);
        assert!(matches!(told.as_slice(), [ServerJsonRpcMessage::Error(_)]));
        assert!(matches!(
            wire.take(&RequestId::Number(2)),
            Some(Reply::Broken(why)) if why.contains("twice")
        ));
        // With one left, an answer without an id can only be for it.
        assert_eq!(admit(&wire, r#"{"jsonrpc":"2.0","result":{}}"#).len(), 1);
        assert!(matches!(
            wire.take(&RequestId::Number(1)),
            Some(Reply::Broken(_))
        ));
        assert_eq!(wire.noise().broken, 2);
    }

    #[test]
    fn a_message_that_is_too_long_fails_the_request_it_answers() {
        let wire = waiting(&[1, 2, 3]);
        assert_eq!(
            wire.overlong(br#"{"jsonrpc":"2.0","id":2,"result":"#, None)
                .len(),
            1
        );
        assert!(matches!(
            wire.take(&RequestId::Number(2)),
            Some(Reply::TooLong)
        ));
        let head = br#"{"result":{"x":""#;
        assert!(wire.overlong(head, None).is_empty(), "not known yet");
        let told = wire.overlong(head, Some(br#""},"jsonrpc":"2.0","id":3}"#));
        assert_eq!(told.len(), 1);
        assert!(matches!(
            wire.take(&RequestId::Number(3)),
            Some(Reply::TooLong)
        ));
        assert_eq!(wire.overlong(head, None).len(), 1, "only one is left");
    }

    #[test]
    fn small_mistakes_in_the_handshake_do_not_matter() {
        let result = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {"listChanged": "yes"}, "logging": true},
            "serverInfo": {"name": "x", "icons": 5},
        });
        assert!(matches!(
            handshake(&result),
            Some(ServerResult::InitializeResult(told)) if told.capabilities.tools.is_some()
        ));
        assert!(handshake(&json!({"hello": 1})).is_none());
        assert!(handshake(&json!([])).is_none());
    }
}
