//! TCP and UDP: where a guest may connect or send to, and which names it may look up on the way.
//!
//! Text form: `HOST:PORT` or `HOST:*`, and options after `;`.
//!
//! | HOST | stands for |
//! |---|---|
//! | `db.example.com`, `*.example.com` | the addresses that the host resolved such a name to |
//! | `192.0.2.7`, `10.0.0.0/8`, `[fd00::/8]` | an address or a network |
//! | `*` | every public address |
//!
//! `;private` and `;metadata` widen the reach as for HTTP. Networks that are private as a whole need no `;private`, nor
//! does `localhost`, which only ever means loopback addresses.
//!
//! `;in=NETWORK` after a name demands that its address is in that network too; a meet of a name with a network gives it.
//! A guest may look up the names of its scopes, any name with `*`, and none because of a network: that takes `;lookup`,
//! for the operator who permits a network and leaves the names to the grants.
//!
//! These scopes allow outgoing traffic from a port that the system chooses. Listening, and binding to a port of the
//! guest's choice, is never allowed by them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::address::{AddressClass, Reach, classify};
use super::host::{HostName, NamePattern};
use super::kind::Kind;
use super::meet::Meet;
use super::network::Network;
use super::parse_error::ParseError;
use super::port::{Port, split_authority};

/// A set of endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketScope {
    /// The name the address must have come from; nothing means that it does not matter.
    name: Option<NamePattern>,
    /// The network the address must be in; nothing means every address within reach.
    network: Option<Network>,
    port: Port,
    reach: Reach,
    /// Whether it allows the names to be looked up; always where no network is given.
    lookup: bool,
}

impl SocketScope {
    /// Every port of every address.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            name: None,
            network: None,
            port: Port::Any,
            reach: Reach::Metadata,
            lookup: true,
        }
    }

    /// The names.
    #[must_use]
    pub fn name(&self) -> Option<&NamePattern> {
        self.name.as_ref()
    }

    /// The addresses.
    #[must_use]
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// The ports.
    #[must_use]
    pub fn port(&self) -> Port {
        self.port
    }

    /// How far from the public internet the scope reaches.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Reads the text form; `kind` is [`Kind::NetworkTcp`] or [`Kind::NetworkUdp`] and only matters to the error.
    ///
    /// # Errors
    /// Where the text is not one of the forms above.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, ParseError> {
        let form = kind.form();
        form.check_text(text)?;
        let fail = |problem: &str| form.error(text, problem);
        let mut parts = text.split(';');
        let endpoint = parts.next().unwrap_or_default();
        if endpoint.contains("://") {
            return Err(fail("a socket has no scheme"));
        }
        let (host, port) = split_authority(endpoint).map_err(fail)?;
        let port = port.ok_or_else(|| fail("the port is missing; `:*` means every port"))?;
        let port = Port::parse(port).map_err(fail)?;
        let (name, mut network) = parse_host(host).map_err(|e| fail(e.problem()))?;
        let (mut reach, mut lookup) = (Reach::Public, false);
        for option in parts {
            match option.split_once('=') {
                None if option == "private" => reach = reach.max(Reach::Private),
                None if option == "metadata" => reach = Reach::Metadata,
                None if option == "lookup" => lookup = true,
                Some(("in", text)) if name.is_some() && network.is_none() => {
                    let parsed = Network::from_str(text).map_err(|e| fail(e.problem()))?;
                    network = Some(parsed);
                }
                _ => {
                    return Err(fail(
                        "the options are `private`, `metadata`, `lookup` and, after a name, `in=NETWORK`",
                    ));
                }
            }
        }
        let least = least_reach(name.as_ref(), network.as_ref())
            .ok_or_else(|| fail("nobody can connect to that address, so it cannot be granted"))?;
        Self {
            lookup: lookup || network.is_none(),
            name,
            network,
            port,
            reach: reach.max(least),
        }
        .normalised()
        .ok_or_else(|| fail("it allows nothing"))
    }

    /// True where the scope allows traffic to this port of this address, which `name` was resolved to if it is given.
    #[must_use]
    pub fn allows(&self, name: Option<&HostName>, address: IpAddr, port: u16) -> bool {
        let from_name = match (&self.name, name) {
            (None, _) => true,
            (Some(pattern), Some(name)) => pattern.matches(name),
            (Some(_), None) => false,
        };
        let is_loopback = || classify(address) == AddressClass::Loopback;
        let local_is_local = !self.is_localhost() || is_loopback();
        from_name
            && local_is_local
            && self.network.is_none_or(|network| network.contains(address))
            && self.port.matches(port)
            && self.allows_address(address)
    }

    /// True where the endpoint is named, whether or not its address is within reach.
    pub(crate) fn names_endpoint(&self, names: &[String], address: IpAddr, port: u16) -> bool {
        let from_name = match &self.name {
            Some(pattern) => names
                .iter()
                .filter_map(|name| name.parse().ok())
                .any(|name| pattern.matches(&name)),
            None => true,
        };
        from_name
            && self.network.is_none_or(|network| network.contains(address))
            && self.port.matches(port)
    }

    /// True where the address is one that the scope reaches, whoever it belongs to.
    #[must_use]
    pub fn allows_address(&self, address: IpAddr) -> bool {
        classify(address)
            .reach()
            .is_some_and(|needed| needed <= self.reach)
    }

    /// True where looking the name up can be of use to the scope.
    #[must_use]
    pub fn allows_lookup(&self, name: &HostName) -> bool {
        let is_named = match &self.name {
            Some(pattern) => pattern.matches(name),
            None => true,
        };
        self.lookup && is_named && (self.reach >= Reach::Private || !name.is_localhost())
    }

    fn is_localhost(&self) -> bool {
        self.name.as_ref().is_some_and(NamePattern::is_localhost)
    }

    fn normalised(mut self) -> Option<Self> {
        if let Some(network) = &self.network {
            self.reach = self.reach.min(network.greatest_reach());
        }
        if self.is_localhost() {
            self.reach = self.reach.min(Reach::Private);
        }
        let least = least_reach(self.name.as_ref(), self.network.as_ref())?;
        (self.reach >= least).then_some(self)
    }
}

/// Reads the part before the port; only one of the two is given, or neither for `*`.
fn parse_host(host: &str) -> Result<(Option<NamePattern>, Option<Network>), ParseError> {
    if host == "*" {
        return Ok((None, None));
    }
    if let Some(inner) = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
    {
        let network: Network = inner.parse()?;
        // Only IPv6 is written in brackets; an IPv4-mapped address has become IPv4 by now.
        return Ok((None, Some(network)));
    }
    if host.contains('/') || host.parse::<IpAddr>().is_ok() {
        return host.parse().map(|network| (None, Some(network)));
    }
    host.parse().map(|name| (Some(name), None))
}

/// The reach below which nothing is left of such a scope; nothing where no scope can reach it.
fn least_reach(name: Option<&NamePattern>, network: Option<&Network>) -> Option<Reach> {
    let for_name = match name {
        Some(name) if name.is_localhost() => Reach::Private,
        Some(_) | None => Reach::Public,
    };
    match network {
        Some(network) => Some(network.least_reach()?.max(for_name)),
        None => Some(for_name),
    }
}

/// Meets two limits, either of which may be absent; the outer nothing means that they have nothing in common.
fn meet_limits<L: Meet>(left: Option<&L>, right: Option<&L>) -> Option<Option<L>> {
    match (left, right) {
        (Some(left), Some(right)) => left.meet(right).map(Some),
        (limit, None) | (None, limit) => Some(limit.cloned()),
    }
}

impl Meet for SocketScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        Self {
            name: meet_limits(self.name.as_ref(), other.name.as_ref())?,
            network: meet_limits(self.network.as_ref(), other.network.as_ref())?,
            port: self.port.meet(&other.port)?,
            reach: self.reach.min(other.reach),
            lookup: self.lookup && other.lookup,
        }
        .normalised()
    }
}

impl fmt::Display for SocketScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.network) {
            (Some(name), _) => write!(f, "{name}")?,
            (None, Some(network)) if network.is_v6() => write!(f, "[{network}]")?,
            (None, Some(network)) => write!(f, "{network}")?,
            (None, None) => f.write_str("*")?,
        }
        write!(f, ":{}", self.port)?;
        if let (Some(_), Some(network)) = (&self.name, &self.network) {
            write!(f, ";in={network}")?;
        }
        if self.network.is_some() && self.lookup {
            f.write_str(";lookup")?;
        }
        let implied = least_reach(self.name.as_ref(), self.network.as_ref());
        match self.reach {
            Reach::Private if implied < Some(Reach::Private) => f.write_str(";private"),
            Reach::Metadata if implied < Some(Reach::Metadata) => f.write_str(";metadata"),
            Reach::Public | Reach::Private | Reach::Metadata => Ok(()),
        }
    }
}
