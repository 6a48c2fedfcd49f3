//! Messages over HTTP as in 2024-11-05: one stream of events from the server, and a request for each message to it.

use std::collections::VecDeque;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;

use super::events::{EventReader, ServerEvent};
use super::http::RequestFailed;
use super::message;
use super::service::Service;
use super::wire::Wire;
use crate::error::{Code, Error, Result};
use crate::web::{Answer, Endpoint};

/// How many events may come before the one that says where messages go.
const PATIENCE: usize = 100;

/// The connection to a server of the oldest kind.
pub(super) struct SseTransport {
    stream: Answer,
    reader: EventReader,
    events: VecDeque<ServerEvent>,
    ready: VecDeque<ServerJsonRpcMessage>,
    has_ended: bool,
    service: Arc<Service>,
    /// Where messages go.
    messages: Endpoint,
    wire: Arc<Wire>,
}

impl SseTransport {
    /// Opens the stream and waits until the server has said where messages go: nowhere but to where the stream is.
    ///
    /// # Errors
    /// Those of the request; E3508 where it is no such stream.
    pub(super) async fn open(service: Arc<Service>, most: usize, wire: Arc<Wire>) -> Result<Self> {
        let url = service.url.clone();
        let mut asking = HeaderMap::new();
        let accept = HeaderValue::from_static("text/event-stream");
        asking.insert(http::header::ACCEPT, accept);
        let mut stream = service.send(Method::GET, &url, asking, Vec::new()).await?;
        if !stream.is_success() {
            return Err(service.refusal(stream).await);
        }
        let is_stream = stream
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !is_stream {
            return Err(Error::new(
                Code::E3508,
                format!("{} answers with no stream of events", url.origin()),
            ));
        }
        let mut reader = EventReader::new(most);
        let mut events = VecDeque::new();
        for _ in 0..PATIENCE {
            while let Some(event) = events.pop_front() {
                let Some(messages) = endpoint(&event, &url)? else {
                    continue;
                };
                return Ok(Self {
                    stream,
                    reader,
                    events,
                    ready: VecDeque::new(),
                    has_ended: false,
                    service,
                    messages,
                    wire,
                });
            }
            let Some(piece) = stream.next().await? else {
                break;
            };
            let read = reader.push(&piece);
            events.extend(read.map_err(|_| Error::new(Code::E3508, "an event is too long"))?);
        }
        Err(Error::new(
            Code::E3508,
            format!("{} does not say where messages go", url.origin()),
        ))
    }
}

/// Where messages go, where the event says so.
fn endpoint(event: &ServerEvent, stream: &Endpoint) -> Result<Option<Endpoint>> {
    let ServerEvent {
        event: Some(kind),
        data: Some(data),
        ..
    } = event
    else {
        return Ok(None);
    };
    if kind != "endpoint" {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(data);
    let messages = stream.join(text.trim()).ok_or_else(|| {
        Error::new(
            Code::E3508,
            "the server names an address for messages that is none",
        )
    })?;
    // Whoever reads our messages is who we connected to: the headers hold its credential.
    if messages.origin() != stream.origin() {
        return Err(Error::new(
            Code::E3508,
            format!(
                "{} wants messages to be sent to {}, which is another server",
                stream.origin(),
                messages.origin()
            ),
        ));
    }
    Ok(Some(messages))
}

impl Transport<RoleClient> for SseTransport {
    type Error = RequestFailed;

    fn send(
        &mut self,
        item: ClientJsonRpcMessage,
    ) -> impl Future<Output = std::result::Result<(), Self::Error>> + Send + 'static {
        self.wire.sending(&item);
        let service = Arc::clone(&self.service);
        let messages = self.messages.clone();
        let mut headers = HeaderMap::new();
        async move {
            let json = HeaderValue::from_static("application/json");
            headers.insert(http::header::CONTENT_TYPE, json);
            let body = serde_json::to_vec(&item).map_err(|error| {
                RequestFailed(Error::new(Code::E3000, "writing a message").caused_by(error))
            })?;
            let sent = service.send(Method::POST, &messages, headers, body);
            let answer = sent.await.map_err(RequestFailed)?;
            if !answer.is_success() {
                return Err(RequestFailed(service.refusal(answer).await));
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if let Some(event) = self.events.pop_front() {
                let data = event.data.unwrap_or_default();
                if event.event.is_none_or(|kind| kind == "message") && !data.is_empty() {
                    for incoming in message::read(&data) {
                        self.ready.extend(self.wire.admit(incoming, &data));
                    }
                }
                continue;
            }
            if self.has_ended {
                return None;
            }
            let read = match self.stream.next().await {
                Ok(Some(piece)) => self.reader.push(&piece),
                Ok(None) | Err(_) => return None,
            };
            match read {
                Ok(events) => self.events.extend(events),
                Err(_) => {
                    // Nothing more can be read of this stream.
                    self.has_ended = true;
                    self.ready.extend(self.wire.overlong(&[], Some(&[])));
                }
            }
        }
    }

    async fn close(&mut self) -> std::result::Result<(), Self::Error> {
        self.has_ended = true;
        Ok(())
    }
}
