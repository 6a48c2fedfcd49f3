//! HTTP by calls of `wasi:http`.

use crate::tools::exports::probe::tools::act::{WebRequest, WebResponse};
use crate::wasi::wasi::http::outgoing_handler::handle;
use crate::wasi::wasi::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
    http_error_code,
};
use crate::wasi::wasi::io::streams::{InputStream, StreamError};

/// As many redirects as are followed.
const MOST_HOPS: usize = 5;
/// As much as is taken of one answer at once.
const PIECE: u64 = 1 << 16;

/// Gets a URL, and those it leads to.
pub(crate) fn get(mut url: String) -> Result<WebResponse, String> {
    for _ in 0..MOST_HOPS {
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let response = send(&WebRequest {
            method: "GET".to_owned(),
            scheme: Some(scheme.to_owned()),
            authority: Some(authority.to_owned()),
            path: Some(path.to_owned()),
            headers: Vec::new(),
            body: None,
        })?;
        let Some(location) = &response.location else {
            return Ok(response);
        };
        url = if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else {
            location.clone()
        };
    }
    Err("too many redirects".to_owned())
}

/// Sends one request.
pub(crate) fn send(request: &WebRequest) -> Result<WebResponse, String> {
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers
            .append(name, value.as_bytes())
            .map_err(|error| format!("header-refused: {name}: {error}"))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let refused =
        |what: &'static str| move |()| format!("request-refused: the {what} is not taken");
    outgoing
        .set_method(&method(&request.method))
        .map_err(refused("method"))?;
    outgoing
        .set_scheme(request.scheme.as_deref().map(scheme).as_ref())
        .map_err(refused("scheme"))?;
    outgoing
        .set_authority(request.authority.as_deref())
        .map_err(refused("authority"))?;
    outgoing
        .set_path_with_query(request.path.as_deref())
        .map_err(refused("path"))?;
    let body = outgoing.body().map_err(|()| "the body was taken")?;
    let answer = handle(outgoing, None).map_err(|code| told(&code))?;
    write(body, request.body.as_deref().unwrap_or_default())?;
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => read(&response),
        Some(Ok(Err(code))) => Err(told(&code)),
        Some(Err(())) | None => Err("there is no answer".to_owned()),
    }
}

fn told(code: &ErrorCode) -> String {
    format!("{code:?}")
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    }
}

fn write(body: OutgoingBody, text: &str) -> Result<(), String> {
    let stream = body.write().map_err(|()| "the body was written")?;
    for piece in text.as_bytes().chunks(4096) {
        if let Err(error) = stream.blocking_write_and_flush(piece) {
            return Err(broken(&error));
        }
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|code| told(&code))
}

fn read(response: &IncomingResponse) -> Result<WebResponse, String> {
    let status = response.status();
    let location = response
        .headers()
        .get("location")
        .into_iter()
        .next()
        .filter(|_| (300..400).contains(&status));
    let body = response.consume().map_err(|()| "the body was taken")?;
    let stream = body.stream().map_err(|()| "the body was read")?;
    let bytes = read_all(&stream)?;
    Ok(WebResponse {
        status,
        location: location.map(|value| String::from_utf8_lossy(&value).into_owned()),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn read_all(stream: &InputStream) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(PIECE) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(error) => return Err(broken(&error)),
        }
    }
}

fn broken(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "the stream was closed".to_owned(),
        StreamError::LastOperationFailed(error) => match http_error_code(error) {
            Some(code) => told(&code),
            None => error.to_debug_string(),
        },
    }
}
