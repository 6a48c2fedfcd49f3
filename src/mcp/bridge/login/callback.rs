//! Where a browser comes back to after a person has logged in: a page of this machine, for as long as the login takes.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::{Code, Error, Result};
use crate::web::Endpoint;

/// Where on this machine it is.
const PATH: &str = "/callback";
/// How long a browser may take to say what it wants.
const HEADERS: Duration = Duration::from_secs(10);
/// How many browsers, or others, are listened to at once.
const AT_ONCE: usize = 16;

/// What an authorization server sent a browser back with.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    pub(super) code: String,
    pub(super) state: String,
    pub(super) issuer: Option<String>,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Callback {
    /// Reads the address that a browser was sent to. Nothing where it does not belong to the login of this `state`.
    ///
    /// # Errors
    /// E3507 where the authorization server says that there will be no login.
    pub fn read(address: &Endpoint, state: &str) -> Result<Option<Self>> {
        if address.query("state").as_deref() != Some(state) {
            return Ok(None);
        }
        if let Some(error) = address.query("error") {
            let why = address.query("error_description").unwrap_or(error);
            return Err(Error::new(
                Code::E3507,
                format!(
                    "the authorization server refused: {}",
                    super::super::message::cut(&why, 300)
                ),
            )
            .hint("Begin again with `toolhatch mcp login`."));
        }
        Ok(address.query("code").map(|code| Self {
            code,
            state: state.to_owned(),
            issuer: address.query("iss"),
        }))
    }
}

/// The page.
#[derive(Debug)]
pub struct CallbackPage {
    listener: TcpListener,
    port: u16,
}

impl CallbackPage {
    /// Listens on this port of the loopback interface; on any where it is none or taken, unless that one is `needed`.
    ///
    /// # Errors
    /// E3506 where there is no port.
    pub async fn listen(port: Option<u16>, needed: bool) -> Result<Self> {
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let bound = match (port, needed) {
            (None, _) => bind(0).await,
            (Some(port), true) => bind(port).await,
            (Some(port), false) => match bind(port).await {
                Ok(listener) => Ok(listener),
                Err(_) => bind(0).await,
            },
        };
        let failed = |error| {
            let at = port.map_or_else(String::new, |port| format!(" on port {port}"));
            Error::new(
                Code::E3506,
                format!("waiting for the browser{at} of this machine"),
            )
            .hint("Free the port, or choose another one with `oauth.redirect_port`.")
            .caused_by(error)
        };
        let listener = bound.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    /// What the authorization server is told to send the browser to.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the browser of the login with this `state`. Whatever else comes is told that it is wrong here.
    ///
    /// # Errors
    /// Those of [`Callback::read`]; E3506 where nobody can come any more.
    pub async fn wait(self, state: &str) -> Result<Callback> {
        let (tell, mut told) = mpsc::channel(1);
        let state: Arc<str> = state.into();
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                Some(callback) = told.recv() => {
                    // The browser gets its page before all this ends.
                    let shown = async { while connections.join_next().await.is_some() {} };
                    drop(tokio::time::timeout(Duration::from_millis(500), shown).await);
                    return callback;
                }
                accepted = self.listener.accept(), if connections.len() < AT_ONCE => {
                    accepted.map_err(|error| {
                        Error::new(Code::E3506, "waiting for the browser").caused_by(error)
                    })?.0
                }
                Some(_) = connections.join_next() => continue,
            };
            let (tell, state) = (tell.clone(), Arc::clone(&state));
            let service = service_fn(move |request| answer(request, tell.clone(), state.clone()));
            connections.spawn(async move {
                let mut server = http1::Builder::new();
                server
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADERS)
                    .keep_alive(false);
                let served = server.serve_connection(TokioIo::new(stream), service);
                // A browser that goes away has seen what it wanted.
                drop(tokio::time::timeout(2 * HEADERS, served).await);
            });
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    tell: mpsc::Sender<Result<Callback>>,
    state: Arc<str>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let address = format!("http://127.0.0.1{}", request.uri());
    let read = match address.parse::<Endpoint>() {
        Ok(address) if address.path() == PATH => Callback::read(&address, &state),
        _ => Ok(None),
    };
    let (status, text) = match &read {
        Ok(Some(_)) => (
            StatusCode::OK,
            "You are logged in. This window can be closed.",
        ),
        Ok(None) => (StatusCode::NOT_FOUND, "There is nothing here."),
        Err(_) => (
            StatusCode::OK,
            "There is no login. The terminal says why; this window can be closed.",
        ),
    };
    if let Some(callback) = read.transpose() {
        // Where one has come already, that one counts.
        drop(tell.try_send(callback));
    }
    let page =
        format!("<!doctype html><meta charset=utf-8><title>Toolhatch</title><p>{text}</p>\n");
    let mut response = Response::new(Full::new(Bytes::from(page)));
    *response.status_mut() = status;
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "default-src 'none'"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        response
            .headers_mut()
            .insert(name, http::HeaderValue::from_static(value));
    }
    Ok(response)
}
