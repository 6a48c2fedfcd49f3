//! Messages over Streamable HTTP. Sessions, headers of the protocol and resumption are the library's; requests, limits and
//! the reading of messages are ours.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;
use tokio::sync::watch;

use super::events::{EventReader, ServerEvent};
use super::message;
use super::service::Service;
use super::wire::Wire;
use crate::error::{Code, Error};
use crate::web::Answer;

/// How long a call waits for the stream by which a server with sessions asks and tells what belongs to no request: it is opened
/// beside the handshake, and what a server says before it is there is lost.
const STANDING: Duration = Duration::from_secs(1);
/// The most of the answer to a request that was refused that is read.
const REFUSAL: usize = 64 << 10;

type Events = BoxStream<'static, Result<Sse, SseError>>;
type HttpResult<T> = Result<T, StreamableHttpError<RequestFailed>>;

/// A request of the library that failed outside any call.
#[derive(Debug)]
pub(super) struct RequestFailed(pub(super) Error);

impl fmt::Display for RequestFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RequestFailed {}

/// Sends the messages of one connection.
#[derive(Clone)]
pub(super) struct HttpBackend {
    service: Arc<Service>,
    most: usize,
    wire: Arc<Wire>,
    /// True once the server has answered to opening its standing stream, or refused.
    standing: Arc<watch::Sender<bool>>,
}

impl HttpBackend {
    /// Sends to this service; a message may have so many bytes.
    pub(super) fn new(service: Arc<Service>, most: usize, wire: Arc<Wire>) -> Self {
        Self {
            service,
            most,
            wire,
            standing: Arc::default(),
        }
    }

    async fn send(
        &self,
        method: Method,
        accept: &'static str,
        session: Option<&str>,
        custom: HashMap<HeaderName, HeaderValue>,
        body: Vec<u8>,
    ) -> HttpResult<Answer> {
        let mut headers: HeaderMap = custom.into_iter().collect();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static(accept));
        if let Some(session) = session.and_then(|session| HeaderValue::from_str(session).ok()) {
            headers.insert(HeaderName::from_static("mcp-session-id"), session);
        }
        if method == Method::POST {
            headers.insert(
                http::header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        let url = &self.service.url;
        let sent = self.service.send(method, url, headers, body);
        sent.await.map_err(client)
    }

    async fn post(
        &self,
        message: &ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        custom: HashMap<HeaderName, HeaderValue>,
    ) -> HttpResult<StreamableHttpPostResponse> {
        let body = serde_json::to_vec(message)?;
        let accept = "application/json, text/event-stream";
        let sent = self.send(Method::POST, accept, session.as_deref(), custom, body);
        let answer = sent.await?;
        match answer.status() {
            202 | 204 => return Ok(StreamableHttpPostResponse::Accepted),
            404 if session.is_some() => return Err(StreamableHttpError::SessionExpired),
            _ => {}
        }
        let new_session = answer.header("mcp-session-id").map(str::to_owned);
        let id = request_id(message);
        if !answer.is_success() {
            return self.refused(answer, message).await;
        }
        match kind(&answer).as_deref() {
            Some("text/event-stream") => Ok(StreamableHttpPostResponse::Sse(
                self.events(answer, id),
                new_session,
            )),
            Some("application/json") => {
                let body = answer.read(self.most).await.map_err(client)?;
                let mut told = self.admit(&body, id.as_ref());
                match (told.len(), told.pop()) {
                    (1, Some(message)) => {
                        Ok(StreamableHttpPostResponse::Json(message, new_session))
                    }
                    (0, _) | (_, None) if id.is_none() => Ok(StreamableHttpPostResponse::Accepted),
                    (0, _) | (_, None) => Err(client(unreadable(
                        "there is no answer to the request in it",
                    ))),
                    // A batch.
                    (_, Some(last)) => {
                        told.push(last);
                        let events = told.iter().filter_map(|message| event(message, None));
                        let events: Vec<_> = events.map(Ok).collect();
                        Ok(StreamableHttpPostResponse::Sse(
                            stream::iter(events).boxed(),
                            new_session,
                        ))
                    }
                }
            }
            // A notification is only to be accepted.
            _ if id.is_none() => Ok(StreamableHttpPostResponse::Accepted),
            kind => Err(client(unreadable(&match kind {
                Some(kind) => format!("its content type is {kind}"),
                None => "it has no content type".to_owned(),
            }))),
        }
    }

    /// An answer that is no success: the server's own error where there is one in it.
    async fn refused(
        &self,
        answer: Answer,
        message: &ClientJsonRpcMessage,
    ) -> HttpResult<StreamableHttpPostResponse> {
        let is_json = kind(&answer).as_deref() == Some("application/json");
        let id = request_id(message);
        let status = answer.status();
        if !is_json || id.is_none() || matches!(status, 401 | 403) {
            return Err(client(self.service.refusal(answer).await));
        }
        let body = answer.read(REFUSAL).await.map_err(client)?;
        // Some servers answer without the id, because they refused before they looked for it.
        let mut value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        if let (Some(object), Some(id)) = (value.as_object_mut(), &id)
            && object
                .get("error")
                .is_some_and(serde_json::Value::is_object)
        {
            object.insert("id".to_owned(), id.clone().into_json_value());
            let incoming = message::classify(value);
            if let Some(told) = self.wire.admit(incoming, &body) {
                return Ok(StreamableHttpPostResponse::Json(told, None));
            }
        }
        Err(client(
            Error::new(
                status_code(status),
                format!(
                    "sending a request to {}: it answered {status}",
                    self.service.url.origin()
                ),
            )
            .detail("status", status)
            .caused_by(message::cut(&String::from_utf8_lossy(&body), 300)),
        ))
    }

    fn admit(&self, text: &[u8], stream: Option<&RequestId>) -> Vec<ServerJsonRpcMessage> {
        message::read(text)
            .into_iter()
            .filter_map(|incoming| self.wire.admit_in(incoming, text, stream))
            .collect()
    }

    /// The messages of a stream, `id` being the request that it answers.
    fn events(&self, answer: Answer, id: Option<RequestId>) -> Events {
        let state = (answer, EventReader::new(self.most), self.clone(), id, false);
        stream::unfold(
            state,
            |(mut answer, mut reader, this, id, has_ended)| async move {
                if has_ended {
                    return None;
                }
                let mut ended = false;
                let ready = match answer.next().await {
                    Ok(Some(piece)) => match reader.push(&piece) {
                        Ok(events) => events
                            .into_iter()
                            .flat_map(|event| this.told(event, id.as_ref()))
                            .collect(),
                        Err(_) => {
                            ended = true;
                            let told = id.as_ref().and_then(|id| this.wire.too_long(id));
                            told.iter().filter_map(|told| event(told, None)).collect()
                        }
                    },
                    Ok(None) => return None,
                    Err(error) => {
                        ended = true;
                        // Where there is an id to go on from, the library goes on from there.
                        tracing::debug!(%error, "a stream of events broke");
                        Vec::new()
                    }
                };
                let ready: Vec<Result<Sse, SseError>> = ready.into_iter().map(Ok).collect();
                Some((stream::iter(ready), (answer, reader, this, id, ended)))
            },
        )
        .flatten()
        .boxed()
    }

    /// An event as the library is told it, `stream` being the request whose answer it is in.
    fn told(&self, read: ServerEvent, stream: Option<&RequestId>) -> Vec<Sse> {
        let marks = Sse {
            event: read.event,
            data: None,
            id: read.id,
            retry: read.retry,
        };
        let Some(data) = read.data.filter(|data| !data.is_empty()) else {
            return vec![marks];
        };
        let messages = self.admit(&data, stream);
        if messages.is_empty() {
            return vec![Sse {
                event: None,
                ..marks
            }];
        }
        messages
            .iter()
            .filter_map(|message| event(message, Some(&marks)))
            .collect()
    }
}

/// A message as an event, with the marks of the one it came in.
fn event(message: &ServerJsonRpcMessage, marks: Option<&Sse>) -> Option<Sse> {
    Some(Sse {
        data: Some(serde_json::to_string(message).ok()?),
        ..marks.cloned().unwrap_or_default()
    })
}

fn client(error: Error) -> StreamableHttpError<RequestFailed> {
    StreamableHttpError::Client(RequestFailed(error))
}

fn unreadable(why: &str) -> Error {
    Error::new(
        Code::E3508,
        format!("reading the answer of the server: {why}"),
    )
    .hint("Check that the URL is that of an MCP server.")
}

fn status_code(status: u16) -> Code {
    match status {
        401 | 403 => Code::E3507,
        429 => Code::E3504,
        408 | 425 | 500.. => Code::E3502,
        _ => Code::E3508,
    }
}

/// The media type of an answer, without its parameters.
fn kind(answer: &Answer) -> Option<String> {
    let kind = answer.header("content-type")?.split(';').next()?;
    Some(kind.trim().to_ascii_lowercase())
}

fn request_id(message: &ClientJsonRpcMessage) -> Option<RequestId> {
    match message {
        ClientJsonRpcMessage::Request(request) => Some(request.id.clone()),
        _ => None,
    }
}

impl StreamableHttpClient for HttpBackend {
    type Error = RequestFailed;

    async fn post_message(
        &self,
        _uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> HttpResult<StreamableHttpPostResponse> {
        self.wire.sending(&message);
        let is_call = matches!(
            &message,
            ClientJsonRpcMessage::Request(request)
                if matches!(request.request, ClientRequest::CallToolRequest(_))
        );
        if is_call && session_id.is_some() {
            let mut standing = self.standing.subscribe();
            let stands = standing.wait_for(|stands| *stands);
            // A server that is slow with it is called all the same, and the next time at once.
            if tokio::time::timeout(STANDING, stands).await.is_err() {
                self.standing.send_replace(true);
            }
        }
        let posted = self.post(&message, session_id, custom_headers).await;
        // A request that failed has an answer that says so: the connection goes on for the others.
        match (posted, &message) {
            (
                Err(StreamableHttpError::Client(RequestFailed(error))),
                ClientJsonRpcMessage::Request(request),
            ) => {
                let is_handshake = matches!(
                    request.request,
                    ClientRequest::InitializeRequest(_) | ClientRequest::DiscoverRequest(_)
                );
                tracing::debug!(%error, is_handshake, "a request failed");
                match self.wire.fail(request.id.clone(), error) {
                    Some(told) => Ok(StreamableHttpPostResponse::Json(told, None)),
                    None => Ok(StreamableHttpPostResponse::Accepted),
                }
            }
            (posted, _) => posted,
        }
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        session_id: Arc<str>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> HttpResult<()> {
        let sent = self.send(
            Method::DELETE,
            "*/*",
            Some(&session_id),
            custom_headers,
            Vec::new(),
        );
        // Not every server lets a session be ended; it is none of ours any more anyway.
        sent.await.map(drop)
    }

    async fn get_stream(
        &self,
        _uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> HttpResult<Events> {
        let mut headers = custom_headers;
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            headers.insert(HeaderName::from_static("last-event-id"), id);
        }
        let session = session_id.as_deref();
        let is_standing = !headers.contains_key("last-event-id");
        let sent = self.send(
            Method::GET,
            "text/event-stream",
            session,
            headers,
            Vec::new(),
        );
        let answer = sent.await;
        if is_standing {
            self.standing.send_replace(true);
        }
        let answer = answer?;
        match answer.status() {
            405 => Err(StreamableHttpError::ServerDoesNotSupportSse),
            404 if session_id.is_some() => Err(StreamableHttpError::SessionExpired),
            _ if !answer.is_success() => Err(client(self.service.refusal(answer).await)),
            _ if kind(&answer).as_deref() != Some("text/event-stream") => {
                Err(StreamableHttpError::ServerDoesNotSupportSse)
            }
            _ => Ok(self.events(answer, None)),
        }
    }
}
