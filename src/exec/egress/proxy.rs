//! The HTTP proxy at the end of each connection: `CONNECT` for a connection of the client's own, and requests in clear.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::Rules;
use super::gate::{Allowed, Asked, Gate, Refusal};
use super::request::{self, Target};
use crate::exec::Effect;

/// The longest first line and headers of a request, and what of a body is read at once.
const BUFFER: usize = 64 << 10;

/// A server that has begun no answer by then is given up.
const ANSWERS_WITHIN: Duration = Duration::from_secs(600);

type AnyError = Box<dyn StdError + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, AnyError>>;

/// A connection that was allowed, until the client has heard so.
type Granted = Arc<Mutex<Option<(OnUpgrade, TcpStream)>>>;

/// The proxy of one command.
#[derive(Debug)]
pub(super) struct Proxy {
    gate: Arc<Gate>,
    budget: Arc<Budget>,
}

impl Proxy {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            budget: Arc::new(Budget {
                most: rules.http_bytes,
                sent: AtomicU64::new(0),
                received: AtomicU64::new(0),
            }),
            gate: Arc::new(Gate::new(rules)),
        }
    }

    /// Serves a connection to its end.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) {
        let granted = Granted::default();
        let service = hyper::service::service_fn(|request| {
            let (proxy, granted) = (Arc::clone(&self), Arc::clone(&granted));
            async move { Ok::<_, Infallible>(proxy.answer(request, &granted).await) }
        });
        let served = http1::Builder::new()
            // A client may end its direction before it has its answer. That nothing moves is seen elsewhere.
            .half_close(true)
            .header_read_timeout(None)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "a connection of a command ended early");
            return;
        }
        let allowed = granted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((client, mut server)) = allowed else {
            return;
        };
        let Ok(client) = client.await else {
            return;
        };
        let copied = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut server).await;
        if let Err(error) = copied {
            tracing::debug!(%error, "a tunnel of a command ended early");
        }
    }

    async fn answer(&self, request: Request<Incoming>, granted: &Granted) -> Answer {
        let answered = match Target::of(&request) {
            Ok(Target::Tunnel { host, port }) => self.tunnel(request, &host, port, granted).await,
            Ok(Target::Request { host, port }) => self.forward(request, &host, port).await,
            Err(misfit) => Err(Refusal::new(StatusCode::BAD_REQUEST, misfit)),
        };
        answered.unwrap_or_else(refused)
    }

    /// Connects, and has what follows on this connection go there.
    async fn tunnel(
        &self,
        mut request: Request<Incoming>,
        host: &str,
        port: u16,
        granted: &Granted,
    ) -> Result<Answer, Refusal> {
        let server = self.gate.tunnel(host, port).await?;
        let client = hyper::upgrade::on(&mut request);
        *granted.lock().unwrap_or_else(PoisonError::into_inner) = Some((client, server));
        Ok(Response::new(
            Empty::new().map_err(|never| match never {}).boxed_unsync(),
        ))
    }

    /// Sends a request on, and its answer back.
    async fn forward(
        &self,
        request: Request<Incoming>,
        host: &str,
        port: u16,
    ) -> Result<Answer, Refusal> {
        let (method, path) = (
            request.method().to_string(),
            request.uri().path().to_owned(),
        );
        let allowed = self
            .gate
            .request(&Asked {
                host,
                port,
                method: &method,
                path: &path,
            })
            .await?;
        let service = self.gate.service(&allowed.host, port).await?;
        let url = match port {
            80 => format!("http://{}{path}", allowed.host),
            port => format!("http://{}:{port}{path}", allowed.host),
        };
        let answered = self.exchange(request, allowed, port, method, url).await;
        if let Some(service) = service {
            service.end(
                answered
                    .as_ref()
                    .is_ok_and(|it| !it.status().is_server_error()),
            );
        }
        answered
    }

    async fn exchange(
        &self,
        request: Request<Incoming>,
        allowed: Allowed,
        port: u16,
        method: String,
        url: String,
    ) -> Result<Answer, Refusal> {
        let bad_gateway =
            |why: String| Refusal::new(StatusCode::BAD_GATEWAY, format!("asking {url}: {why}"));
        let request = request::to_server(request, &allowed.host, port)
            .map_err(|misfit| Refusal::new(StatusCode::BAD_REQUEST, misfit))?;
        let (stream, address) = self.gate.connect(&allowed.addresses).await?;
        self.gate.sent(Effect::Http {
            method,
            url: url.clone(),
            address,
        });
        let counted = |body, direction| Counted {
            body,
            direction,
            budget: allowed.is_http.then(|| Arc::clone(&self.budget)),
            gate: Arc::clone(&self.gate),
            _connection: None,
        };
        let request = request.map(|body| counted(body, Direction::Sent));
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| bad_gateway(error.to_string()))?;
        // It is driven by a task that ends with the answer.
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a server ended early");
            }
        }));
        let answered = tokio::time::timeout(ANSWERS_WITHIN, sender.send_request(request)).await;
        let answer = answered.map_err(|_| {
            let text = format!(
                "asking {url}: no answer within {} s",
                ANSWERS_WITHIN.as_secs()
            );
            Refusal::new(StatusCode::GATEWAY_TIMEOUT, text)
        })?;
        let mut answer = answer.map_err(|error| bad_gateway(error.to_string()))?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(bad_gateway(
                "it speaks another protocol now, and was not asked to".to_owned(),
            ));
        }
        request::strip(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        Ok(answer.map(|body| {
            let body = Counted {
                _connection: Some(connection),
                ..counted(body, Direction::Received)
            };
            body.boxed_unsync()
        }))
    }
}

/// A refusal as an answer.
fn refused(refusal: Refusal) -> Answer {
    let text = Full::new(Bytes::from(format!("toolhatch: {}\n", refusal.text)));
    let mut answer = Response::new(text.map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = refusal.status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}

/// How many bytes of bodies a command may move in each direction where HTTP is granted, and how many it has.
#[derive(Debug)]
struct Budget {
    most: u64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Sent,
    Received,
}

impl Budget {
    fn spend(&self, direction: Direction, bytes: u64) -> Result<(), AnyError> {
        let counter = match direction {
            Direction::Sent => &self.sent,
            Direction::Received => &self.received,
        };
        let before = counter.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.most {
            return Ok(());
        }
        let text = format!(
            "a request of the command was cut off: more than {} bytes, which is what `limits.http_bytes` allows",
            self.most
        );
        Err(text.into())
    }
}

/// A body under a budget, if it has one.
struct Counted {
    body: Incoming,
    direction: Direction,
    budget: Option<Arc<Budget>>,
    gate: Arc<Gate>,
    /// What drives the connection that the body comes from.
    _connection: Option<AbortOnDropHandle<()>>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        let this = self.get_mut();
        Pin::new(&mut this.body).poll_frame(context).map(|polled| {
            let frame = polled?.map_err(AnyError::from);
            Some(frame.and_then(|frame| {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                if let Some(budget) = &this.budget {
                    budget.spend(this.direction, bytes).inspect_err(|why| {
                        this.gate.cut_off(&why.to_string());
                    })?;
                }
                Ok(frame)
            }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_each_direction_by_itself() {
        let budget = Budget {
            most: 10,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        };
        assert!(budget.spend(Direction::Received, 10).is_ok());
        assert!(budget.spend(Direction::Sent, 4).is_ok());
        assert!(budget.spend(Direction::Received, 1).is_err());
        assert!(budget.spend(Direction::Sent, 6).is_ok());
    }

    #[test]
    fn a_refusal_says_what_it_is() {
        let answer = refused(Refusal::new(StatusCode::FORBIDDEN, "no"));
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}
