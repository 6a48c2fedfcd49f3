//! The decision on each connection of a command, by the rules that hold for components: the name is decided on, and looked
//! up here; every address is decided on; and only an address that was decided on is connected to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use tokio::net::TcpStream;

use super::Rules;
use crate::exec::{Effect, LogLevel, ServiceRequest};
use crate::permission::{Action, Denial, Host, Reason};

/// A server that was not found and connected to by then is given up.
const CONNECTS_WITHIN: Duration = Duration::from_secs(30);

/// What a client is told in place of an answer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, text }
    }
}

/// A request in clear, as it is decided on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// As the client wrote it.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

/// A request that was allowed.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) host: Host,
    /// All of them were decided on; there is one at least.
    pub(super) addresses: Vec<SocketAddr>,
    /// A grant of HTTP covers it, which has a limit of bytes; one of TCP has none.
    pub(super) is_http: bool,
}

/// What the command may do, and where what it does is recorded.
#[derive(Debug)]
pub(super) struct Gate(Rules);

impl Gate {
    pub(super) fn new(rules: Rules) -> Self {
        Self(rules)
    }

    /// A connection of which nobody knows what it will carry: only what is granted for TCP allows it.
    pub(super) async fn tunnel(&self, host: &str, port: u16) -> Result<TcpStream, Refusal> {
        within(async {
            let parsed = host.parse::<Host>();
            let (names, addresses) = match &parsed {
                Ok(Host::Address(address)) => (Vec::new(), vec![*address]),
                Ok(Host::Name(_)) | Err(_) => {
                    let name = parsed.map_or_else(|_| host.to_owned(), |name| name.to_string());
                    self.lookup(&name, port)?;
                    let addresses = resolve(&name, port).await?;
                    (vec![name], addresses)
                }
            };
            for address in &addresses {
                let action = tcp(*address, port, &names);
                self.check(&action).map_err(|denial| self.deny(denial))?;
                self.ask(&action).await?;
            }
            let connecting = |address| {
                let protocol = "tcp";
                self.0.events.effect(Effect::Connect { address, protocol });
            };
            let (stream, _) = dial(&endpoints(&addresses, port), connecting).await?;
            Ok(stream)
        })
        .await
    }

    /// A request in clear: what is granted for HTTP decides on its method and path; what is granted for TCP allows it too,
    /// because it allows everything that can be said to that server.
    pub(super) async fn request(&self, asked: &Asked<'_>) -> Result<Allowed, Refusal> {
        let by_http = self.check(&Action::Http {
            scheme: "http".to_owned(),
            host: asked.host.to_owned(),
            port: asked.port,
            method: asked.method.to_owned(),
            path: asked.path.to_owned(),
        });
        let (host, by_tcp) = match asked.host.parse::<Host>() {
            Ok(host) => {
                let by_tcp = match &host {
                    Host::Name(name) => self.0.scope.allows_lookup(name.as_str()),
                    Host::Address(_) => true,
                };
                (Some(host), by_tcp)
            }
            Err(_) => (None, false),
        };
        let is_http = by_http.is_ok();
        let Some(host) = host.filter(|_| is_http || by_tcp) else {
            return Err(self.refuse(by_http));
        };
        let (names, addresses) = match &host {
            Host::Address(address) => (Vec::new(), vec![*address]),
            Host::Name(name) => {
                let name = name.to_string();
                if !is_http {
                    self.0.events.effect(Effect::Lookup(name.clone()));
                }
                let addresses = within(resolve(&name, asked.port)).await?;
                (vec![name], addresses)
            }
        };
        let mut denied = by_http;
        for address in &addresses {
            let http = Action::HttpAddress {
                scheme: "http".to_owned(),
                host: asked.host.to_owned(),
                port: asked.port,
                method: asked.method.to_owned(),
                path: asked.path.to_owned(),
                address: *address,
            };
            let tcp = tcp(*address, asked.port, &names);
            if is_http {
                denied = self.check(&http);
            }
            let action = if is_http && denied.is_ok() {
                http
            } else if by_tcp && self.check(&tcp).is_ok() {
                tcp
            } else {
                return Err(self.refuse(denied));
            };
            self.ask(&action).await?;
        }
        Ok(Allowed {
            addresses: endpoints(&addresses, asked.port),
            host,
            is_http,
        })
    }

    /// Asks to send a request to a server, which is left alone where it keeps failing.
    pub(super) async fn service(
        &self,
        host: &Host,
        port: u16,
    ) -> Result<Option<Box<dyn ServiceRequest>>, Refusal> {
        let Some(services) = &self.0.services else {
            return Ok(None);
        };
        let begun = services.begin(&format!("{host}:{port}")).await;
        begun.map(Some).map_err(|error| {
            self.0.events.log(LogLevel::Warn, &error.to_string());
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        })
    }

    /// Connects to the first of these that answers.
    pub(super) async fn connect(
        &self,
        addresses: &[SocketAddr],
    ) -> Result<(TcpStream, SocketAddr), Refusal> {
        within(dial(addresses, |_| {})).await
    }

    /// Records a request that is sent.
    pub(super) fn sent(&self, effect: Effect) {
        self.0.events.effect(effect);
    }

    /// Says in the log of the call that a request was cut off.
    pub(super) fn cut_off(&self, why: &str) {
        self.0.events.log(LogLevel::Warn, why);
    }

    fn check(&self, action: &Action) -> Result<(), Denial> {
        self.0.scope.check(action, &self.0.sensitive)
    }

    /// Decides on looking up a name on the way to this port.
    fn lookup(&self, name: &str, port: u16) -> Result<(), Refusal> {
        let name = name.to_owned();
        let action = Action::Lookup { name: name.clone() };
        self.check(&action)
            .map_err(|denial| self.deny(denial.on_port(port)))?;
        self.0.events.effect(Effect::Lookup(name));
        Ok(())
    }

    /// Policy is asked about what the scope allows.
    async fn ask(&self, action: &Action) -> Result<(), Refusal> {
        let Some(veto) = &self.0.veto else {
            return Ok(());
        };
        let asked = veto.check(action).await;
        asked.map_err(|why| self.deny(Denial::policy(action, why)))
    }

    fn refuse(&self, denied: Result<(), Denial>) -> Refusal {
        match denied {
            Err(denial) => self.deny(denial),
            // Nothing that is not allowed gets here without one.
            Ok(()) => Refusal::new(StatusCode::FORBIDDEN, "it is not allowed"),
        }
    }

    /// Records a denial, and says it with what would allow it.
    fn deny(&self, denial: Denial) -> Refusal {
        let remedy = match (denial.remedy(), denial.reason()) {
            (Some(grant), _) => format!("A grant of `{}={grant}` would allow it.", grant.kind()),
            (None, Reason::Policy(_)) => "A policy of this machine forbids it.".to_owned(),
            (None, _) => "No grant can allow it.".to_owned(),
        };
        let text = format!("{}: {denial}\n{remedy}", denial.code());
        self.0.events.denied(denial);
        Refusal::new(StatusCode::FORBIDDEN, text)
    }
}

fn tcp(address: IpAddr, port: u16, names: &[String]) -> Action {
    Action::Tcp {
        address,
        port,
        names: names.to_vec(),
    }
}

/// An address is connected to as what it was decided on as.
fn endpoints(addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    let addresses = addresses.iter();
    addresses
        .map(|address| SocketAddr::new(address.to_canonical(), port))
        .collect()
}

async fn resolve(name: &str, port: u16) -> Result<Vec<IpAddr>, Refusal> {
    let none = || {
        Refusal::new(
            StatusCode::BAD_GATEWAY,
            format!("the name {name} is not known"),
        )
    };
    let found = tokio::net::lookup_host((name, port)).await;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for endpoint in found.map_err(|_| none())? {
        if !addresses.contains(&endpoint.ip()) {
            addresses.push(endpoint.ip());
        }
    }
    if addresses.is_empty() {
        return Err(none());
    }
    Ok(addresses)
}

/// Connects to the first address that answers, each of which was decided on.
async fn dial(
    addresses: &[SocketAddr],
    connecting: impl Fn(SocketAddr),
) -> Result<(TcpStream, SocketAddr), Refusal> {
    let mut last = None;
    for address in addresses {
        connecting(*address);
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small pieces must not wait for more to come.
                let set = stream.set_nodelay(true);
                return set
                    .map(|()| (stream, *address))
                    .map_err(|error| unreachable(*address, &error));
            }
            Err(error) => last = Some(unreachable(*address, &error)),
        }
    }
    Err(last.unwrap_or_else(|| {
        Refusal::new(StatusCode::BAD_GATEWAY, "there is no address to connect to")
    }))
}

fn unreachable(address: SocketAddr, error: &std::io::Error) -> Refusal {
    Refusal::new(
        StatusCode::BAD_GATEWAY,
        format!("connecting to {address} failed: {error}"),
    )
}

async fn within<T>(done: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let done = tokio::time::timeout(CONNECTS_WITHIN, done).await;
    done.unwrap_or_else(|_| {
        let text = format!(
            "the server was not reached within {} seconds",
            CONNECTS_WITHIN.as_secs()
        );
        Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, text))
    })
}
