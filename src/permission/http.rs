//! Outgoing HTTP: scheme, host, port, method, path, and how far from the public internet.
//!
//! Text form: `[http://|https://]HOST[:PORT][/PATH-GLOB]` and options after `;`.
//!
//! | part | left out | written |
//! |---|---|---|
//! | scheme | both | `http://`, `https://` |
//! | host | – | a name, `*.NAME`, an IP address (IPv6 in brackets), or `*` for every public host; see [`super::host`] |
//! | port | 80 for http, 443 for https | a number, or `*` for every port |
//! | path | every path | a glob, see [`super::glob`]; further globs that must match too as `;and=/GLOB` |
//! | methods | every method | `;methods=GET,HEAD` |
//! | reach | public addresses | `;private` adds loopback, private and link-local addresses, `;metadata` also the metadata services of clouds |
//!
//! An address that is itself private and `localhost` need no `;private`: whoever writes them means them. `localhost` only
//! ever means loopback addresses.

mod entry;
mod parse;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

pub use entry::HttpEntry;

use super::address::{AddressClass, Reach, classify};
use super::glob::{PathGlob, RequestPath};
use super::host::{Host, HostPattern};
use super::meet::Meet;
use super::port::Port;

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme as URLs have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The scheme of this name, without case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Http, Self::Https]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    /// The port of a URL that names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The schemes of a scope, each with its ports; one of them at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Schemes {
    http: Option<Port>,
    https: Option<Port>,
}

/// A set of HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HttpScope {
    schemes: Schemes,
    host: HostPattern,
    /// Nothing means every method; never empty.
    methods: Option<BTreeSet<String>>,
    /// All of them must match; none contains another, and none is `/**`.
    paths: BTreeSet<PathGlob>,
    reach: Reach,
}

/// A request that a guest wants to send, as far as scopes look at it.
#[derive(Debug, Clone)]
pub(crate) struct HttpRequest<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) host: &'a Host,
    pub(crate) port: u16,
    pub(crate) method: &'a str,
    pub(crate) path: Option<&'a RequestPath>,
    pub(crate) address: Option<IpAddr>,
}

impl HttpScope {
    /// True where every request of it asks for something and changes nothing, as far as its method says (RFC 9110 §9.2.1).
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.methods.as_ref().is_some_and(|methods| {
            methods
                .iter()
                .all(|method| matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS"))
        })
    }

    /// Every request to every host.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            schemes: Schemes {
                http: Some(Port::Any),
                https: Some(Port::Any),
            },
            host: HostPattern::Any,
            methods: None,
            paths: BTreeSet::new(),
            reach: Reach::Metadata,
        }
    }

    /// The hosts.
    #[must_use]
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// The ports of the scheme, or nothing where the scheme is not in the scope.
    #[must_use]
    pub fn port(&self, scheme: Scheme) -> Option<Port> {
        match scheme {
            Scheme::Http => self.schemes.http,
            Scheme::Https => self.schemes.https,
        }
    }

    /// The methods, in upper case; nothing means every method.
    #[must_use]
    pub fn methods(&self) -> Option<&BTreeSet<String>> {
        self.methods.as_ref()
    }

    /// The globs that a path must all match; none means every path.
    #[must_use]
    pub fn paths(&self) -> &BTreeSet<PathGlob> {
        &self.paths
    }

    /// How far from the public internet the scope reaches.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// True where a connection to this address, which `host` was resolved to (or is), is within the scope's reach.
    /// `localhost` only ever means loopback addresses.
    #[must_use]
    pub fn allows_address(&self, host: &Host, address: IpAddr) -> bool {
        let class = classify(address);
        let is_the_hosts = match host {
            Host::Address(literal) => literal.to_canonical() == address.to_canonical(),
            Host::Name(name) => !name.is_localhost() || class == AddressClass::Loopback,
        };
        is_the_hosts && class.reach().is_some_and(|needed| needed <= self.reach)
    }

    /// True where the scope allows the request, and the connection where its address is known already. A request whose
    /// path is ambiguous has none, and passes only where every path does.
    pub(crate) fn allows(&self, request: &HttpRequest<'_>) -> bool {
        self.names(request) && self.is_within_reach(request) && self.allows_path(request.path)
    }

    /// True where nothing but the reach of the scope stands against the request.
    pub(crate) fn allows_but_for_reach(&self, request: &HttpRequest<'_>) -> bool {
        self.names(request) && self.allows_path(request.path) && !self.is_within_reach(request)
    }

    /// True where nothing but the path stands against the request.
    pub(crate) fn allows_but_for_path(&self, request: &HttpRequest<'_>) -> bool {
        self.names(request) && self.is_within_reach(request) && !self.allows_path(request.path)
    }

    /// True where host, port and method are named.
    fn names(&self, request: &HttpRequest<'_>) -> bool {
        self.host.matches(request.host)
            && self
                .port(request.scheme)
                .is_some_and(|port| port.matches(request.port))
            && self
                .methods
                .as_ref()
                .is_none_or(|methods| methods.contains(request.method))
    }

    fn allows_path(&self, path: Option<&RequestPath>) -> bool {
        self.paths.is_empty()
            || path.is_some_and(|path| self.paths.iter().all(|glob| glob.matches(path)))
    }

    /// True where what is known about the host, and the address if there is one, is within reach.
    fn is_within_reach(&self, request: &HttpRequest<'_>) -> bool {
        let host_is = match request.host.class() {
            Some(class) => class.reach().is_some_and(|needed| needed <= self.reach),
            None => true,
        };
        host_is
            && request
                .address
                .is_none_or(|address| self.allows_address(request.host, address))
    }

    /// Brings reach and paths into their canonical form; nothing where no request is left.
    fn normalised(mut self) -> Option<Self> {
        let (least, greatest) = reach_of(&self.host)?;
        self.reach = self.reach.min(greatest);
        if self.reach < least || self.schemes == NO_SCHEME {
            return None;
        }
        if self.methods.as_ref().is_some_and(BTreeSet::is_empty) {
            return None;
        }
        let mut minimal = BTreeSet::new();
        for glob in &self.paths {
            let is_implied = self
                .paths
                .iter()
                .any(|other| other != glob && glob.contains(other));
            if !glob.is_everything() && !is_implied {
                minimal.insert(glob.clone());
            }
        }
        self.paths = minimal;
        Some(self)
    }
}

const NO_SCHEME: Schemes = Schemes {
    http: None,
    https: None,
};

/// The reach below which nothing of the hosts is left, and the one beyond which nothing is added; nothing where no scope
/// can reach them.
fn reach_of(host: &HostPattern) -> Option<(Reach, Reach)> {
    match host {
        HostPattern::Name(name) if name.is_localhost() => Some((Reach::Private, Reach::Metadata)),
        HostPattern::Any | HostPattern::Name(_) => Some((Reach::Public, Reach::Metadata)),
        HostPattern::Address(address) => {
            let reach = classify(*address).reach()?;
            Some((reach, reach))
        }
    }
}

impl Meet for HttpScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        let meet_ports = |left: Option<Port>, right: Option<Port>| left?.meet(&right?);
        Self {
            schemes: Schemes {
                http: meet_ports(self.schemes.http, other.schemes.http),
                https: meet_ports(self.schemes.https, other.schemes.https),
            },
            host: self.host.meet(&other.host)?,
            methods: match (&self.methods, &other.methods) {
                (None, methods) | (methods, None) => methods.clone(),
                (Some(left), Some(right)) => Some(left & right),
            },
            paths: &self.paths | &other.paths,
            reach: self.reach.min(other.reach),
        }
        .normalised()
    }

    fn pieces(&self) -> Vec<Self> {
        let alone = |scheme| Schemes {
            http: self.schemes.http.filter(|_| scheme == Scheme::Http),
            https: self.schemes.https.filter(|_| scheme == Scheme::Https),
        };
        let methods: Vec<_> = match &self.methods {
            None => vec![None],
            Some(methods) => methods
                .iter()
                .map(|method| Some(BTreeSet::from([method.clone()])))
                .collect(),
        };
        let mut pieces = Vec::new();
        for schemes in [alone(Scheme::Http), alone(Scheme::Https)] {
            for methods in methods.iter().filter(|_| schemes != NO_SCHEME) {
                pieces.push(Self {
                    schemes,
                    methods: methods.clone(),
                    ..self.clone()
                });
            }
        }
        pieces
    }
}

impl fmt::Display for HttpScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Schemes { http, https } = self.schemes;
        let is_default = |scheme: Scheme, port: Option<Port>| {
            port.is_none_or(|port| port == Port::Exact(scheme.default_port()))
        };
        match (http, https) {
            (Some(_), None) => f.write_str("http://")?,
            (None, Some(_)) => f.write_str("https://")?,
            (Some(_), Some(_)) | (None, None) => {}
        }
        write!(f, "{}", self.host)?;
        if !(is_default(Scheme::Http, http) && is_default(Scheme::Https, https))
            && let Some(port) = http.or(https)
        {
            write!(f, ":{port}")?;
        }
        for (nth, glob) in self.paths.iter().enumerate() {
            let before = if nth == 0 { "" } else { ";and=" };
            write!(f, "{before}{glob}")?;
        }
        if let Some(methods) = &self.methods {
            let methods: Vec<_> = methods.iter().map(String::as_str).collect();
            write!(f, ";methods={}", methods.join(","))?;
        }
        let implied = reach_of(&self.host).map_or(Reach::Public, |(least, _)| least);
        match self.reach {
            Reach::Private if implied < Reach::Private => f.write_str(";private"),
            Reach::Metadata if implied < Reach::Metadata => f.write_str(";metadata"),
            Reach::Public | Reach::Private | Reach::Metadata => Ok(()),
        }
    }
}
