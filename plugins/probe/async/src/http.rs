//! HTTP.

use wit_bindgen::spawn_local;

use crate::bindings::exports::probe::concurrent::act::{WebRequest, WebResponse};
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{Fields, Method, Request, Response, Scheme};
use crate::bindings::{wit_future, wit_stream};

fn fields(entries: &[(String, String)]) -> Result<Fields, String> {
    let fields = Fields::new();
    for (name, value) in entries {
        fields
            .append(name, value.as_bytes())
            .map_err(|error| format!("header-refused: {name}: {error:?}"))?;
    }
    Ok(fields)
}

/// Sends one request.
pub(crate) async fn send(request: WebRequest) -> Result<WebResponse, String> {
    let headers = fields(&request.headers)?;
    let after = match &request.trailers {
        Some(entries) => Some(fields(entries)?),
        None => None,
    };
    let (trailers_writer, trailers) = wit_future::new(|| Ok(None));
    let (body_writer, body) = wit_stream::new();
    let contents = request.body.is_some().then_some(body);
    let (outgoing, sent) = Request::new(headers, contents, trailers, None);
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
    spawn_local(async move {
        let mut body_writer = body_writer;
        if let Some(body) = request.body {
            body_writer.write_all(body.into_bytes()).await;
        }
        drop(body_writer);
        // Where nobody reads it any more the request has failed, which is told elsewhere.
        drop(trailers_writer.write(Ok(after)).await);
    });
    let response = client::send(outgoing)
        .await
        .map_err(|code| format!("{code:?}"));
    drop(sent);
    read(response?).await
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "POST" => Method::Post,
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

async fn read(response: Response) -> Result<WebResponse, String> {
    let status = response.get_status_code();
    let location = response
        .get_headers()
        .get("location")
        .into_iter()
        .next()
        .filter(|_| (300..400).contains(&status));
    let (done_writer, done) = wit_future::new(|| Ok(()));
    let (stream, trailers) = Response::consume_body(response, done);
    let body = stream.collect().await;
    let trailers = trailers.await.map_err(|code| format!("{code:?}"))?;
    drop(done_writer);
    let names = trailers.map_or_else(Vec::new, |trailers| trailers.copy_all());
    Ok(WebResponse {
        status,
        location: location.map(|value| String::from_utf8_lossy(&value).into_owned()),
        body: String::from_utf8_lossy(&body).into_owned(),
        trailers: names.into_iter().map(|(name, _)| name).collect(),
    })
}
