//! The way through `wasi:http`.

use std::io::{self, Read};

use super::url::Url;
use super::{Body, Deadline, Error, Request, Response};
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::outgoing_handler::handle;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme, http_error_code,
};
use crate::bindings::wasi::io::poll::{Pollable, poll};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// How much is read and written at once.
const CHUNK: usize = 64 << 10;

/// Sends a request, and waits for the head of its answer.
pub fn exchange(
    request: Request,
    url: &Url,
    deadline: Option<Deadline>,
) -> Result<Response, Error> {
    let what = format!("{} {url}", request.method);
    let length = match &request.body {
        Body::Bytes(bytes) if !request.has_header("content-length") => Some(bytes.len()),
        _ => None,
    };
    let headers = Fields::new();
    let length = length.map(|length| ("content-length".to_owned(), length.to_string()));
    for (name, value) in request.headers.iter().chain(&length) {
        headers.append(name, value.as_bytes()).map_err(|error| {
            Error::Invalid(format!("the header `{name}` cannot be sent: {error:?}"))
        })?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let invalid =
        |part: &str| Error::Invalid(format!("cannot request {what}: the {part} is not valid"));
    outgoing
        .set_method(&method(&request.method))
        .map_err(|()| invalid("method"))?;
    let scheme = if url.is_secure {
        Scheme::Https
    } else {
        Scheme::Http
    };
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(|()| invalid("scheme"))?;
    outgoing
        .set_authority(Some(&url.authority))
        .map_err(|()| invalid("host"))?;
    outgoing
        .set_path_with_query(Some(&url.path_and_query))
        .map_err(|()| invalid("path"))?;
    let body = outgoing
        .body()
        .map_err(|()| Error::Failed("the request has no body".to_owned()))?;
    let answer = handle(outgoing, None).map_err(|code| explain(&code, &what))?;
    send_body(body, request.body, deadline, &what)?;

    wait(&answer.subscribe(), deadline)?;
    let response = match answer.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(explain(&code, &what)),
        Some(Err(())) | None => return Err(Error::Failed(format!("{what} has no answer"))),
    };
    let headers = response.headers().entries();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let status = response.status();
    Ok(Response::of(
        status,
        headers,
        Incoming::of(response, deadline, what)?,
    ))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// Writes the body. A server that answers before it has all of it is no failure: the answer says what there is to say.
fn send_body(
    outgoing: OutgoingBody,
    body: Body,
    deadline: Option<Deadline>,
    what: &str,
) -> Result<(), Error> {
    if let Body::Bytes(_) | Body::Reader(_) = &body {
        let stream = outgoing
            .write()
            .map_err(|()| Error::Failed("the body was written already".to_owned()))?;
        let is_whole = match body {
            Body::Empty => true,
            Body::Bytes(bytes) => write_all(&stream, &bytes, deadline)?,
            Body::Reader(mut reader) => {
                let mut buffer = vec![0; CHUNK];
                loop {
                    let read = match reader.read(&mut buffer) {
                        Ok(0) => break true,
                        Ok(read) => read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(error) => {
                            return Err(Error::Invalid(format!(
                                "cannot read the body of {what}: {error}"
                            )));
                        }
                    };
                    if !write_all(&stream, buffer.get(..read).unwrap_or_default(), deadline)? {
                        break false;
                    }
                }
            }
        };
        if !is_whole {
            return Ok(());
        }
    }
    // Where it fails, so does the answer, which knows why.
    let _ = OutgoingBody::finish(outgoing, None);
    Ok(())
}

/// Writes bytes as they are taken. Says whether all of them were.
fn write_all(
    stream: &OutputStream,
    mut bytes: &[u8],
    deadline: Option<Deadline>,
) -> Result<bool, Error> {
    while !bytes.is_empty() {
        let Ok(permitted) = stream.check_write() else {
            return Ok(false);
        };
        if permitted == 0 {
            wait(&stream.subscribe(), deadline)?;
            continue;
        }
        let most = usize::try_from(permitted)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (now, later) = bytes.split_at(most);
        if stream.write(now).is_err() {
            return Ok(false);
        }
        bytes = later;
    }
    Ok(stream.flush().is_ok())
}

/// Waits until something is ready, or the deadline is over.
fn wait(ready: &Pollable, deadline: Option<Deadline>) -> Result<(), Error> {
    let Some(Deadline(deadline)) = deadline else {
        ready.block();
        return Ok(());
    };
    let left = deadline.saturating_duration_since(std::time::Instant::now());
    let left = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
    let timer = monotonic_clock::subscribe_duration(left);
    if poll(&[ready, &timer]).contains(&0) {
        Ok(())
    } else {
        Err(Error::TimedOut)
    }
}

/// The body of an answer. Its parts are dropped in this order, as `wasi:http` wants it.
struct Incoming {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    deadline: Option<Deadline>,
    what: String,
}

impl Incoming {
    fn of(
        response: IncomingResponse,
        deadline: Option<Deadline>,
        what: String,
    ) -> Result<Self, Error> {
        let none = || Error::Failed(format!("the answer to {what} has no body"));
        let body = response.consume().map_err(|()| none())?;
        let stream = body.stream().map_err(|()| none())?;
        Ok(Self {
            stream,
            _body: body,
            _response: response,
            deadline,
            what,
        })
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(CHUNK) as u64;
        loop {
            match self.stream.read(most) {
                Ok(bytes) if bytes.is_empty() => {
                    wait(&self.stream.subscribe(), self.deadline).map_err(io::Error::other)?;
                }
                Ok(bytes) => {
                    let read = bytes.len().min(buffer.len());
                    for (place, byte) in buffer.iter_mut().zip(&bytes) {
                        *place = *byte;
                    }
                    return Ok(read);
                }
                Err(StreamError::Closed) => return Ok(0),
                Err(StreamError::LastOperationFailed(error)) => {
                    let error = match http_error_code(&error) {
                        Some(code) => explain(&code, &self.what),
                        None => {
                            // What follows the first line is about the host's own code.
                            let why = error.to_debug_string();
                            let why = why.lines().next().unwrap_or_default();
                            Error::Failed(format!("the answer to {} broke off: {why}", self.what))
                        }
                    };
                    return Err(io::Error::other(error));
                }
            }
        }
    }
}

/// Says why a request failed.
fn explain(code: &ErrorCode, what: &str) -> Error {
    let why = match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            return Error::NotPermitted(format!("not permitted to request {what}"));
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => return Error::TimedOut,
        ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_) => {
            return Error::Invalid(format!("cannot request {what}: {code:?}"));
        }
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => "there is no such host",
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            "the host cannot be reached"
        }
        ErrorCode::ConnectionRefused => "the connection was refused",
        ErrorCode::ConnectionTerminated => "the connection broke",
        ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => "the server does not prove who it is",
        ErrorCode::HttpResponseIncomplete => "the answer is not complete",
        other => return Error::Failed(format!("cannot request {what}: {other:?}")),
    };
    Error::Failed(format!("cannot request {what}: {why}"))
}
