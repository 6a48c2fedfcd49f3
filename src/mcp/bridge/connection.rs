//! One connection to a server: made, with the revision of the protocol that both know, and asked things.

mod requests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rmcp::model::ProtocolVersion;
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RunningService,
};
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, Transport};
use rmcp::{Peer, RoleClient};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::changes;
use super::handler::{Listener, Routes};
use super::http::HttpBackend;
use super::message::cut;
use super::service::Service;
use super::sse::SseTransport;
use super::stdio::{StdioTransport, Tail};
use super::wire::{Noise, Wire};
use super::{Era, Reach, ServerSpec};
use crate::config::McpProtocol;
use crate::error::{Code, Error, Result};
use crate::exec::{BoxFuture, Launch, Launched, Launcher, Program};

pub(super) use requests::{Call, Company, Failure, Patience};

/// How many lines of standard error an error shows.
const SHOWN: usize = 10;
/// How long a program that closed its output may take to end, so that the error can say how.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a server said of itself when it was connected to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Identity {
    /// Its name, as it gives it.
    pub name: Option<String>,
    /// Its name for people.
    pub title: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How it wants its tools to be used.
    pub instructions: Option<String>,
    /// The revision of the protocol.
    pub protocol: String,
    /// All that it answered, as it wrote it.
    pub raw: Value,
}

/// A connection.
pub struct Connection {
    peer: Peer<RoleClient>,
    /// Ends the connection when it is dropped.
    running: RunningService<RoleClient, Listener>,
    wire: Arc<Wire>,
    routes: Arc<Routes>,
    program: Option<Watched>,
    /// What the server said of itself.
    pub identity: Identity,
    /// Which lifecycle it has.
    pub era: Era,
    /// How long it took to be made.
    pub took: Duration,
    max_message: usize,
}

/// A program that is looked after. It is stopped when this is dropped.
struct Watched {
    tail: Arc<Tail>,
    ended: watch::Receiver<Option<String>>,
    stop: oneshot::Sender<()>,
    keeper: tokio::task::JoinHandle<()>,
    posture: String,
}

impl Watched {
    /// Has a program looked after by a task of its own.
    fn new(program: Box<dyn Program>, tail: Arc<Tail>, posture: String) -> Self {
        let (told, ended) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(look_after(program, told, stopped));
        Self {
            tail,
            ended,
            stop,
            keeper,
            posture,
        }
    }

    /// How it ended, where it ends soon.
    async fn last_words(&mut self) -> Option<String> {
        let how = {
            let ended = self.ended.wait_for(Option::is_some);
            let ended = tokio::time::timeout(LAST_WORDS, ended).await.ok()?.ok()?;
            ended.clone()
        };
        // That it has ended is often known before what it wrote last was read.
        drop(tokio::time::timeout(LAST_WORDS, self.tail.ended()).await);
        how
    }
}

async fn look_after(
    mut program: Box<dyn Program>,
    told: watch::Sender<Option<String>>,
    stopped: oneshot::Receiver<()>,
) {
    tokio::select! {
        how = program.ended() => {
            told.send_replace(Some(how));
            // Whatever it started ends with it.
            program.stop().await;
            return;
        }
        // Somebody asks, or nobody is left who could.
        _ = stopped => {}
    }
    program.stop().await;
}

impl Connection {
    /// Connects, within the time that the server may take to start. `era` is what it was the last time, if it is known.
    ///
    /// # Errors
    /// What kept the program from starting; E3502 and E3506 where nothing answered, E3503 where nothing answered in time,
    /// E3507 where the credential was rejected, E3508 where what answered is no server of the protocol.
    pub async fn open(spec: &ServerSpec, era: Option<Era>) -> Result<Self> {
        let begun = Instant::now();
        let limit = spec.start_timeout;
        let opening = async {
            match &spec.reach {
                Reach::Program { launch, launcher } => {
                    Self::program(spec, launch, &**launcher, era, begun).await
                }
                Reach::Service(service) => Self::service(spec, service, era, begun).await,
            }
        };
        let opened = tokio::time::timeout(limit, opening).await;
        let opened = opened.unwrap_or_else(|_| {
            Err(Error::new(
                Code::E3503,
                format!("it did not answer within {}", seconds(limit)),
            )
            .hint("Give it more time with `start_timeout`, or look at what it waits for with `toolhatch mcp test`."))
        });
        opened.map_err(|error| error.while_doing(format!("connecting to {}", spec.name)))
    }

    async fn program(
        spec: &ServerSpec,
        launch: &Launch,
        launcher: &dyn Launcher,
        era: Option<Era>,
        begun: Instant,
    ) -> Result<Self> {
        let Launched {
            input,
            output,
            errors,
            program,
            posture,
        } = launcher.launch(launch.clone()).await?;
        let tail = Arc::new(Tail::default());
        tokio::spawn(Arc::clone(&tail).drain(errors));
        let mut watched = Watched::new(program, Arc::clone(&tail), posture);
        let wire = Arc::new(Wire::default());
        let transport = StdioTransport::new(output, input, spec.max_message, Arc::clone(&wire));
        // The time limit is inside, so that what the program said last is in the error.
        let handshake = Self::handshake(spec, transport, Arc::clone(&wire), era, begun);
        let left = spec.start_timeout.saturating_sub(begun.elapsed());
        let left = left.saturating_sub(LAST_WORDS.min(left / 4));
        let (error, ended) = match tokio::time::timeout(left, handshake).await {
            Ok(Ok(mut connection)) => {
                connection.program = Some(watched);
                return Ok(connection);
            }
            Ok(Err(error)) => (error, watched.last_words().await),
            Err(_) => {
                let error = Error::new(
                    Code::E3503,
                    format!("it did not answer within {}", seconds(spec.start_timeout)),
                )
                .hint("Give it more time with `start_timeout`.");
                (error, None)
            }
        };
        let error = match ended {
            Some(how) => Error::new(
                Code::E3502,
                format!("it ended before it had answered ({how})"),
            )
            .hint("Run its command by hand, and see whether it was allowed what it needs.")
            .detail("ended", how),
            None => error,
        };
        Err(with_last_lines(error, &tail, &wire.noise()))
    }

    async fn service(
        spec: &ServerSpec,
        service: &Arc<Service>,
        era: Option<Era>,
        begun: Instant,
    ) -> Result<Self> {
        service.client.check(&service.url)?;
        let sse = || async {
            let wire = Arc::new(Wire::default());
            let (service, wired) = (Arc::clone(service), Arc::clone(&wire));
            let transport = SseTransport::open(service, spec.max_message, wired).await?;
            Self::handshake(spec, transport, wire, Some(Era::Sse), begun).await
        };
        if spec.protocol == McpProtocol::Sse || era == Some(Era::Sse) {
            return sse().await;
        }
        let wire = Arc::new(Wire::default());
        let backend = HttpBackend::new(Arc::clone(service), spec.max_message, Arc::clone(&wire));
        let mut config = StreamableHttpClientTransportConfig::with_uri(service.url.to_string());
        config.max_concurrent_requests = spec.connections;
        config.max_sse_event_size = spec.max_message;
        let mut backoff = ExponentialBackoff::default();
        backoff.max_times = Some(5);
        backoff.base_duration = Duration::from_millis(500);
        backoff.max_delay = Some(Duration::from_secs(10));
        config.retry_config = Arc::new(backoff);
        let transport = StreamableHttpClientTransport::with_client(backend, config);
        let opened = Self::handshake(spec, transport, wire, era, begun).await;
        match opened {
            // What speaks only the oldest form answers so, and is asked for its stream of events.
            Err(error)
                if spec.protocol == McpProtocol::Auto
                    && matches!(status(&error), Some(400 | 404 | 405 | 406 | 415)) =>
            {
                sse().await.map_err(|_| error)
            }
            opened => opened,
        }
    }

    /// Boxed, because a compiler that looks through it does not find that it can be sent between threads.
    fn handshake<'a, T: Transport<RoleClient> + 'static>(
        spec: &'a ServerSpec,
        transport: T,
        wire: Arc<Wire>,
        era: Option<Era>,
        begun: Instant,
    ) -> BoxFuture<'a, Result<Self>> {
        Box::pin(Self::shake(spec, transport, wire, era, begun))
    }

    async fn shake<T: Transport<RoleClient> + 'static>(
        spec: &ServerSpec,
        transport: T,
        wire: Arc<Wire>,
        era: Option<Era>,
        begun: Instant,
    ) -> Result<Self> {
        let modern = || vec![ProtocolVersion::V_2026_07_28];
        let lifecycle = match (spec.protocol, era) {
            (McpProtocol::Legacy | McpProtocol::Sse, _)
            | (McpProtocol::Auto, Some(Era::Legacy | Era::Sse)) => ClientLifecycleMode::Initialize,
            (McpProtocol::Modern, _) => ClientLifecycleMode::Discover {
                preferred_versions: modern(),
            },
            (McpProtocol::Auto, _) => ClientLifecycleMode::Auto {
                preferred_versions: modern(),
                legacy_version: Some(ProtocolVersion::V_2025_11_25),
            },
        };
        let routes = Arc::clone(&wire.routes);
        let listener = Listener::new(Arc::clone(&routes));
        let running = listener
            .serve_with_lifecycle(transport, lifecycle)
            .await
            .map_err(|error| match wire.take_refusal() {
                Some(refusal) => refusal,
                None => unanswered(&error),
            })?;
        let info = running.peer().peer_info();
        let protocol = info.map(|info| info.protocol_version.clone());
        let Some(protocol) = protocol else {
            return Err(Error::new(
                Code::E3508,
                "it did not say which protocol it speaks",
            ));
        };
        let found = match era {
            Some(Era::Sse) => Era::Sse,
            _ if protocol.has_initialize() => Era::Legacy,
            _ => Era::Modern,
        };
        Ok(Self {
            identity: identity(&protocol, wire.handshake().unwrap_or_default()),
            peer: running.peer().clone(),
            running,
            wire,
            routes,
            program: None,
            era: found,
            took: begun.elapsed(),
            max_message: spec.max_message,
        })
    }

    /// Ends the connection, and waits until the program behind it is gone.
    pub(super) async fn close(self) {
        let Self {
            running, program, ..
        } = self;
        // Its input is closed with the transport.
        drop(running.cancel().await);
        if let Some(program) = program {
            drop(program.stop);
            drop(program.keeper.await);
        }
    }

    /// True where nothing can be asked any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.peer.is_transport_closed()
            || self
                .program
                .as_ref()
                .is_some_and(|program| program.ended.borrow().is_some())
    }

    /// What came that was of no use.
    #[must_use]
    pub fn noise(&self) -> Noise {
        self.wire.noise()
    }

    /// The last lines that the program wrote to standard error, at most so many.
    #[must_use]
    pub fn last_lines(&self, most: usize) -> Vec<String> {
        self.program
            .as_ref()
            .map_or_else(Vec::new, |program| program.tail.lines(most))
    }

    /// How the program is confined, in words.
    #[must_use]
    pub fn posture(&self) -> Option<&str> {
        self.program
            .as_ref()
            .map(|program| program.posture.as_str())
    }

    /// True, once, where the server said that its tools have changed.
    pub(super) fn take_stale(&self) -> bool {
        self.routes.take_stale()
    }

    /// Where the server says between calls that its tools have changed; and whom to ask to say so, where it only says it
    /// to who asked.
    pub(super) fn changes(&self) -> (&Arc<Routes>, Option<Peer<RoleClient>>) {
        let is_to_be_asked = changes::is_to_be_asked(self.era, &self.identity.raw);
        (&self.routes, is_to_be_asked.then(|| self.peer.clone()))
    }

    /// Says that the tools have to be listed again.
    pub(super) fn set_stale(&self) {
        self.routes.set_stale();
    }

    /// What is said of a connection that broke.
    pub(super) async fn broken(&self) -> Error {
        let Some(program) = &self.program else {
            return Error::new(Code::E3502, "the connection broke")
                .hint("It is made again for the next call.");
        };
        let mut ended = program.ended.clone();
        let how = tokio::time::timeout(LAST_WORDS, ended.wait_for(Option::is_some)).await;
        let how = how.ok().and_then(Result::ok).and_then(|how| how.clone());
        let error = match how {
            Some(how) => Error::new(Code::E3502, format!("it ended ({how})")).detail("ended", how),
            None => Error::new(Code::E3502, "it closed its output"),
        };
        let error = error.hint("It is started again for the next call.");
        with_last_lines(error, &program.tail, &Noise::default())
    }
}

/// Shows what a program said last.
fn with_last_lines(error: Error, tail: &Tail, noise: &Noise) -> Error {
    let lines = tail.lines(SHOWN);
    let error = match lines.last() {
        Some(last) => error
            .caused_by(format!("it said last: {}", cut(last, 300)))
            .detail("stderr", lines),
        None => error,
    };
    if noise.lines == 0 {
        return error;
    }
    error.detail("stdout", noise.samples.clone()).hint(
        "What it wrote to standard output is no protocol; a server must write its messages to standard error.",
    )
}

/// The status that a server answered with, where it is known.
fn status(error: &Error) -> Option<u64> {
    error.details().get("status")?.as_u64()
}

fn unanswered(error: &ClientInitializeError) -> Error {
    match error {
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => unanswered(fallback),
        ClientInitializeError::ConnectionClosed(_) => Error::new(
            Code::E3502,
            "it closed the connection before it had answered",
        ),
        ClientInitializeError::JsonRpcError(refusal) => Error::new(
            Code::E3508,
            format!("it refused the handshake: {}", cut(&refusal.message, 300)),
        ),
        ClientInitializeError::NoCompatibleProtocolVersion {
            server_supported, ..
        } => {
            let known: Vec<&str> = server_supported
                .iter()
                .map(ProtocolVersion::as_str)
                .collect();
            Error::new(
                Code::E3508,
                format!(
                    "it speaks none of our revisions of the protocol, but {}",
                    cut(&known.join(", "), 200)
                ),
            )
        }
        ClientInitializeError::TransportError { .. } => {
            Error::new(Code::E3502, "the connection broke before it had answered")
        }
        other => Error::new(
            Code::E3508,
            format!(
                "its answer to the handshake cannot be used: {}",
                cut(&other.to_string(), 300)
            ),
        ),
    }
}

fn identity(protocol: &ProtocolVersion, raw: Value) -> Identity {
    const META: &str = "io.modelcontextprotocol/serverInfo";
    let info = raw
        .get("serverInfo")
        .or_else(|| raw.get("_meta")?.get(META));
    let text = |key: &str| {
        let text = info?.get(key)?.as_str()?;
        Some(cut(text, 1000))
    };
    Identity {
        name: text("name"),
        title: text("title"),
        version: text("version"),
        instructions: raw
            .get("instructions")
            .and_then(Value::as_str)
            .map(str::to_owned),
        protocol: protocol.as_str().to_owned(),
        raw,
    }
}

/// A duration as people write it.
pub(super) fn seconds(duration: Duration) -> String {
    crate::manifest::HumanDuration(duration).to_string()
}
