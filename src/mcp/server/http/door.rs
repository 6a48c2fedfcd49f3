//! The door: which path is asked for, whether the client may come in, and what it is served.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::body::{PATIENCE, whole};
use super::client::{Bearer, Client, STRANGE, Stranger, known, shown};
use super::oauth::ResourceServer;
use super::origin::Known;
use crate::config::ServeConfig;
use crate::error::Result;
use crate::invoke::Caller;
use crate::mcp::server::{Core, Server};

/// Where the protocol is spoken.
pub(super) const PATH: &str = "/mcp";
/// How many clients there are at once, each with sessions of its own.
const CLIENTS: usize = 1024;
/// How many sessions a client may have. Those that nothing is asked of end after a while.
const SESSIONS: usize = 256;
/// The first revision of the protocol that has no sessions.
const WITHOUT_SESSIONS: &[u8] = b"2026-07-28";
/// How long a session may be silent.
const SILENCE: Duration = Duration::from_secs(30 * 60);

type Answer = Response<BoxBody<Bytes, Infallible>>;
type Service = StreamableHttpService<Server, LocalSessionManager>;

/// What a client gets who is let in: by the name of its profile.
pub type Serving = dyn Fn(Option<&str>, Caller) -> Option<Server> + Send + Sync;

/// The door of the HTTP server.
pub struct Door {
    core: Arc<Core>,
    known: Known,
    bearers: Vec<Bearer>,
    resource: Option<ResourceServer>,
    config: ServeConfig,
    serving: Box<Serving>,
    /// What whoever is let in without a token is; nothing where everybody has to show one.
    anybody: Option<Caller>,
    /// Each client has sessions of its own: nobody can go on with those of another.
    services: Mutex<HashMap<Client, Open>>,
    stop: CancellationToken,
    is_closed: AtomicBool,
}

#[derive(Clone)]
struct Open {
    service: Service,
    sessions: Arc<LocalSessionManager>,
}

impl Door {
    /// A door for these clients. `anybody` is who they are where none has to show a token.
    ///
    /// # Errors
    /// E3004 where an authorization server is configured and what is said of it does not suffice.
    pub fn new(
        core: &Arc<Core>,
        config: &ServeConfig,
        anybody: Caller,
        serving: Box<Serving>,
    ) -> Result<Self> {
        let resource = ResourceServer::of(&config.oauth)?;
        let is_guarded = !config.tokens.is_empty() || resource.is_some();
        let bearers: Vec<Bearer> = config
            .tokens
            .iter()
            .map(|(name, token)| Bearer::of(name, token))
            .collect();
        Ok(Self {
            core: Arc::clone(core),
            known: Known::of(&config.http),
            anybody: (!is_guarded).then_some(anybody),
            bearers,
            resource,
            config: config.clone(),
            serving,
            services: Mutex::default(),
            stop: CancellationToken::new(),
            is_closed: AtomicBool::new(false),
        })
    }

    /// True where clients have to say who they are.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.anybody.is_none()
    }

    /// Lets nobody new in.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Lets calls that run end, for as long as `grace`.
    pub(super) async fn drain(&self, grace: Duration) {
        self.core.drain(grace).await;
    }

    /// Ends all sessions, with what clients listen on.
    pub(super) fn end(&self) {
        self.stop.cancel();
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        self.core.counters.requested();
        if let Some(objection) = self.known.objection(request.headers()) {
            self.core.counters.refused();
            return plain(StatusCode::FORBIDDEN, objection);
        }
        match request.uri().path() {
            // Whether it lives, and whether it takes requests, is told to everybody and nothing else with it.
            "/healthz" => plain(StatusCode::OK, "ok"),
            "/readyz" if self.is_closed.load(Ordering::Relaxed) => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "ending")
            }
            "/readyz" => plain(StatusCode::OK, "ready"),
            PATH | "/metrics" => match self.client(request.headers()).await {
                Ok(client) if request.uri().path() == PATH => self.serve(client, request).await,
                Ok(_) => metrics(&self.core),
                Err(stranger) => {
                    self.core.counters.refused();
                    self.challenge(stranger)
                }
            },
            path => match &self.resource {
                Some(resource) if resource.is_metadata(path) => {
                    metadata(resource, request.method())
                }
                _ => plain(
                    StatusCode::NOT_FOUND,
                    "there is nothing here; the tools are at /mcp",
                ),
            },
        }
    }

    async fn client(&self, headers: &HeaderMap) -> std::result::Result<Client, Stranger> {
        if let Some(anybody) = &self.anybody {
            return Ok(Client {
                principal: anybody.principal.clone(),
                profile: None,
            });
        }
        let token = shown(headers)?;
        if let Some(client) = known(token, &self.bearers) {
            return Ok(client.clone());
        }
        match &self.resource {
            Some(resource) => resource.client(token).await,
            None => Err(Stranger::Unknown(STRANGE)),
        }
    }

    /// RFC 6750 §3: a client that shows nothing is told nothing of what is wrong with it.
    fn challenge(&self, stranger: Stranger) -> Answer {
        let (status, error, text) = match stranger {
            Stranger::Silent => (StatusCode::UNAUTHORIZED, None, "a bearer token is needed"),
            Stranger::Unknown(why) => (StatusCode::UNAUTHORIZED, Some("invalid_token"), why),
            Stranger::Insufficient => (
                StatusCode::FORBIDDEN,
                Some("insufficient_scope"),
                "the token does not have all the scopes that are needed",
            ),
            Stranger::Unready => {
                let text = "the keys of the authorization server cannot be had now";
                let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, text);
                let wait = HeaderValue::from_static("5");
                answer.headers_mut().insert(RETRY_AFTER, wait);
                return answer;
            }
        };
        let mut parameters = Vec::new();
        if let Some(error) = error {
            parameters.push(("error", error.to_owned()));
            parameters.push(("error_description", text.to_owned()));
        }
        parameters.extend(self.resource.iter().flat_map(ResourceServer::challenge));
        let parameters: Vec<String> = parameters
            .into_iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let challenge = format!("Bearer {}", parameters.join(", "));
        let mut answer = plain(status, text);
        if let Ok(value) = HeaderValue::from_str(challenge.trim_end()) {
            answer.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        answer
    }

    async fn serve(&self, client: Client, request: Request<Incoming>) -> Answer {
        let Some(open) = self.open(client) else {
            return plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are too many clients",
            );
        };
        // Only a request without a session can begin one, and only of a revision that has any.
        let version = request.headers().get("mcp-protocol-version");
        let may_begin = !request.headers().contains_key("mcp-session-id")
            && version.is_none_or(|version| version.as_bytes() < WITHOUT_SESSIONS);
        if may_begin && open.sessions.sessions.read().await.len() >= SESSIONS {
            return plain(
                StatusCode::TOO_MANY_REQUESTS,
                "there are too many sessions of this client; end one, or wait",
            );
        }
        let (head, body) = request.into_parts();
        let body = match whole(body, self.config.http.max_body, PATIENCE).await {
            Ok(body) => Full::new(body),
            Err((status, text)) => return plain(status, text),
        };
        open.service.handle(Request::from_parts(head, body)).await
    }

    fn open(&self, client: Client) -> Option<Open> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = services.get(&client) {
            return Some(open.clone());
        }
        if services.len() >= CLIENTS {
            // Whoever has no session loses nothing: what is open for them is opened again.
            services.retain(|_, open| open.has_sessions());
        }
        if services.len() >= CLIENTS {
            return None;
        }
        let caller = match &self.anybody {
            Some(anybody) => anybody.clone(),
            None => Caller {
                principal: client.principal.clone(),
                agent: None,
                session: None,
                approver: None,
                respondent: None,
                chain: None,
            },
        };
        let server = (self.serving)(client.profile.as_deref(), caller)?;
        server.watch_tools();
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(SILENCE);
        let sessions = Arc::new(sessions);
        let max_body = usize::try_from(self.config.http.max_body).unwrap_or(usize::MAX);
        let service = Service::new(
            move || Ok(server.for_client()),
            Arc::clone(&sessions),
            // Names and origins were looked at before anything else.
            StreamableHttpServerConfig::default()
                .disable_allowed_hosts()
                .disable_allowed_origins()
                .with_max_request_body_bytes(max_body)
                .with_cancellation_token(self.stop.clone()),
        );
        let open = Open { service, sessions };
        services.insert(client, open.clone());
        Some(open)
    }
}

impl Open {
    fn has_sessions(&self) -> bool {
        // One that is being changed right now is in use.
        let sessions = self.sessions.sessions.try_read();
        sessions.map_or(true, |sessions| !sessions.is_empty())
    }
}

/// What clients read before they have a token.
fn metadata(resource: &ResourceServer, method: &Method) -> Answer {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "this can only be read");
    }
    let mut answer = plain(StatusCode::OK, resource.metadata().to_string());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    answer
}

fn metrics(core: &Core) -> Answer {
    let mut answer = plain(StatusCode::OK, core.counters.text(core.running.count()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).boxed());
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
