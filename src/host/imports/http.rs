//! Outgoing HTTP: every request of `wasi:http`, 0.2 and 0.3, passes here.
//!
//! The gate decides on scheme, host, port, method and path; then the name is resolved here, every address is decided on,
//! and the connection goes to exactly the address that was allowed, so nothing can be swapped between check and connect.
//! wasi:http follows no redirects: each hop is a new request and is decided on again.

mod body;
mod connect;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use self::body::{Budget, Counted};
use self::connect::Target;
use crate::exec::Effect;
use crate::host::guard::{Guard, HttpRequest};
use crate::host::meter::Meter;

pub(in crate::host) use self::connect::Tls;

/// The longest a guest may let the host wait for a connection, a first byte, or the next byte.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Sends the requests of one call.
pub(in crate::host) struct Outgoing {
    guard: Arc<Guard>,
    tls: Tls,
    budget: Arc<Budget>,
}

type Sent = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

impl Outgoing {
    /// `bytes` caps the bodies of the call in each direction.
    pub(in crate::host) fn new(guard: Arc<Guard>, tls: Tls, bytes: u64, meter: Arc<Meter>) -> Self {
        Self {
            guard,
            tls,
            budget: Arc::new(Budget::new(bytes, meter)),
        }
    }

    /// Another call sends requests from here.
    pub(in crate::host) fn begin(&mut self, bytes: u64, meter: Arc<Meter>) {
        self.budget = Arc::new(Budget::new(bytes, meter));
    }
}

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let guard = Arc::clone(&self.guard);
        let tls = self.tls.clone();
        let budget = Arc::clone(&self.budget);
        // wasi:http begins a request whether the guest waits for it or not, and the instance may be kept for another call.
        let over = guard.over();
        Box::new(async move {
            tokio::select! {
                biased;
                () = over.cancelled() => Err(Error::ConnectionTerminated),
                sent = send(&guard, &tls, budget, request, options) => sent,
            }
        })
    }
}

fn wait(asked: Option<Duration>) -> Duration {
    asked.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

async fn send(
    guard: &Guard,
    tls: &Tls,
    budget: Arc<Budget>,
    request: http::Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Sent, Error> {
    let target = Target::of(request.uri())?;
    let path = request.uri().path().to_owned();
    let method = request.method().to_string();
    let asked = HttpRequest {
        scheme: target.scheme(),
        host: &target.host,
        port: target.port,
        method: &method,
        path: &path,
    };
    guard.http(&asked).map_err(|_| Error::HttpRequestDenied)?;
    let service = guard
        .service(&target.host, target.port)
        .await
        .map_err(|_| Error::DestinationUnavailable)?;
    let sent = exchange(guard, tls, budget, request, options, &target, &asked).await;
    if let Some(service) = service
        && let Some(works) = health(&sent)
    {
        service.end(works);
    }
    sent
}

/// Whether the service works, by its answer; nothing where the answer says nothing about that.
fn health(sent: &Result<Sent, Error>) -> Option<bool> {
    match sent {
        Ok((response, _)) => Some(!response.status().is_server_error()),
        // What was refused here never reached it.
        Err(
            Error::HttpRequestDenied
            | Error::HttpRequestUriInvalid
            | Error::DestinationIpProhibited,
        ) => None,
        Err(_) => Some(false),
    }
}

/// Connects, sends the request, and waits for the head of the answer.
async fn exchange(
    guard: &Guard,
    tls: &Tls,
    budget: Arc<Budget>,
    request: http::Request<WasiBody>,
    options: Option<RequestOptions>,
    target: &Target,
    asked: &HttpRequest<'_>,
) -> Result<Sent, Error> {
    let connect_timeout = wait(options.as_ref().and_then(|options| options.connect_timeout));
    let first_byte_timeout = wait(
        options
            .as_ref()
            .and_then(|options| options.first_byte_timeout),
    );
    let between_timeout = wait(
        options
            .as_ref()
            .and_then(|options| options.between_bytes_timeout),
    );

    let connecting = async {
        let address = connect::resolve(guard, asked).await?;
        let stream = connect::open(tls, target, address).await?;
        Ok::<_, Error>((address, stream))
    };
    let (address, stream) = tokio::time::timeout(connect_timeout, connecting)
        .await
        .map_err(|_| Error::ConnectionTimeout)??;
    guard.touched_network(Effect::Http {
        method: asked.method.to_owned(),
        url: format!("{}://{}{}", target.scheme(), target.authority(), asked.path),
        address,
    });

    let request = origin_form(request, target)?.map(|body| {
        Counted::new(
            body,
            Arc::clone(&budget),
            body::Direction::Out,
            LONGEST_WAIT,
        )
        .boxed_unsync()
    });
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(Error::Hyper)?;
    // The connection is driven by a task that ends with the response, and so with the call.
    let driver = wasmtime_wasi::runtime::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an outgoing connection ended early");
        }
    });
    let response = tokio::time::timeout(first_byte_timeout, sender.send_request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)?
        .map_err(Error::Hyper)?;
    let response = response.map(|body| {
        let body = body.map_err(Error::Hyper);
        Counted::new(body, budget, body::Direction::In, between_timeout)
            .keeping(driver)
            .boxed_unsync()
    });
    Ok((response, Box::new(async { Ok(()) })))
}

/// Rewrites the request to the form servers expect: the path alone, and the name in the `Host` header. Whatever `Host` the
/// guest chose is replaced, or it could reach another virtual host than the one that was allowed.
fn origin_form(
    request: http::Request<WasiBody>,
    target: &Target,
) -> Result<http::Request<WasiBody>, Error> {
    let (mut parts, body) = request.into_parts();
    let path = parts
        .uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = http::Uri::builder()
        .path_and_query(path)
        .build()
        .map_err(|_| Error::HttpRequestUriInvalid)?;
    let host = http::HeaderValue::from_str(&target.authority())
        .map_err(|_| Error::HttpRequestUriInvalid)?;
    parts.headers.remove(http::header::HOST);
    parts.headers.insert(http::header::HOST, host);
    parts.version = http::Version::HTTP_11;
    Ok(http::Request::from_parts(parts, body))
}

/// The port a scheme implies.
fn default_port(scheme: &Scheme) -> Option<u16> {
    match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
