//! The protocol over HTTP (Streamable HTTP): the loop that takes connections.
//!
//! Who a client is, and what it is served, is decided at the door (`door.rs`) before a byte of its request's body is read.

mod body;
mod client;
mod door;
mod oauth;
mod origin;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use door::Door;

use crate::config::HttpServeConfig;
use crate::error::{Code, Error, Result};

/// How many connections there may be.
const CONNECTIONS: usize = 4096;
/// How long a client may take to say who it is: the handshake of TLS, and the head of each request.
const HEAD: Duration = Duration::from_secs(15);
/// How long connections may take to end after the last call has.
const LAST: Duration = Duration::from_secs(1);
/// After an error of taking a connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A place that is listened on.
pub struct Listening {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    grace: Duration,
}

impl Listening {
    /// Listens on this address, as it was configured. `is_guarded` is true where clients have to say who they are.
    ///
    /// # Errors
    /// E3004 where that would let in everybody who can reach this machine, or tokens would go over the network in clear, or
    /// the certificate cannot be used; E3506 where the address cannot be listened on.
    pub async fn on(
        address: SocketAddr,
        config: &HttpServeConfig,
        is_guarded: bool,
    ) -> Result<Self> {
        let acceptor = tls::acceptor(config)?;
        if config.behind_proxy && !is_guarded {
            return Err(Error::new(
                Code::E3004,
                format!("listening on {address}: everybody who can reach what is in front of it could call the tools"),
            )
            .hint("Make a token with `toolhatch mcp token NAME`, or name an authorization server in [serve.oauth]."));
        }
        if !address.ip().is_loopback() {
            let refused =
                |why: &str| Error::new(Code::E3004, format!("listening on {address}: {why}"));
            if !is_guarded {
                return Err(refused("everybody who can reach it could call the tools")
                    .hint("Make a token with `toolhatch mcp token NAME`, or name an authorization server in [serve.oauth].")
                    .hint("Or listen on 127.0.0.1."));
            }
            if acceptor.is_none() && !config.behind_proxy {
                return Err(refused("tokens would go over the network in clear")
                    .hint("Set `serve.http.certificate` and `serve.http.key`, or `serve.http.behind_proxy = true` where something in front of it speaks TLS."));
            }
        }
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Error::new(Code::E3506, format!("listening on {address}"))
                .caused_by(error)
                .hint("Another program may have the port; choose another one, or 0 for any.")
        })?;
        Ok(Self {
            listener,
            acceptor,
            grace: config.grace,
        })
    }

    /// The URL that clients of this machine reach it by.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.acceptor.is_some() {
            "https"
        } else {
            "http"
        };
        let address = self
            .listener
            .local_addr()
            .map_or_else(|_| String::new(), |address| address.to_string());
        format!("{scheme}://{address}{}", door::PATH)
    }
}

/// Serves clients until `stopped`, and then lets calls that run end.
pub async fn serve_http(listening: Listening, door: Door, stopped: impl Future<Output = ()>) {
    let Listening {
        listener,
        acceptor,
        grace,
    } = listening;
    let door = Arc::new(door);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let accepting = async {
        loop {
            // Whoever comes past the limit waits in the queue of the system.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (door, acceptor, stop) = (Arc::clone(&door), acceptor.clone(), stop.clone());
            tasks.spawn(async move {
                if let Err(error) = connection(stream, acceptor, door, stop).await {
                    tracing::debug!(%error, "a connection broke");
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stopped => {}
    }
    drop(listener);
    door.close();
    // Connections take no more requests; those under way are answered.
    stop.cancel();
    tasks.close();
    door.drain(grace).await;
    // What was answered last is still on its way.
    let last = tokio::time::timeout(LAST, tasks.wait()).await;
    door.end();
    if last.is_err() {
        // Streams without an end, which clients listen on, are cut off.
        drop(tokio::time::timeout(LAST, tasks.wait()).await);
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    door: Arc<Door>,
    stop: CancellationToken,
) -> std::result::Result<(), Broken> {
    // Answers are small, and a client that waits for one acknowledges late.
    stream.set_nodelay(true)?;
    match acceptor {
        None => talk(stream, door, stop).await,
        Some(acceptor) => {
            let shaking = tokio::time::timeout(HEAD, acceptor.accept(stream));
            let stream = shaking
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            talk(stream, door, stop).await
        }
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    door: Arc<Door>,
    stop: CancellationToken,
) -> std::result::Result<(), Broken> {
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(100)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = &mut connection => return Ok(ended?),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}
