//! Host names and patterns of them. Names are compared label by label, in lower case and in their ASCII (IDNA) form.
//!
//! | written | stands for |
//! |---|---|
//! | `api.example.com` | exactly that name; a dot at the end makes no difference |
//! | `*.example.com` | every name with one or more labels before `.example.com`, not `example.com` itself |
//! | `192.0.2.7`, `[2001:db8::1]` | exactly that address, written as such |
//! | `*` | every name and address |
//!
//! Numbers that some resolvers understand as IPv4 addresses (`127.1`, `0x7f000001`, `2130706433`) are not valid hosts.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::address::{AddressClass, classify};
use super::meet::Meet;
use super::parse_error::{Form, ParseError};

const FORM: Form = Form {
    what: "host",
    write: "a host name, `*.NAME`, an IP address (IPv6 in brackets) or `*`",
    example: "api.example.com",
};

/// A host name in canonical form: ASCII, lower case, no dot at the end, 253 characters at most.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True where this name has at least one label more in front of the other.
    #[must_use]
    pub fn is_below(&self, parent: &Self) -> bool {
        self.0
            .strip_suffix(&parent.0)
            .is_some_and(|front| front.ends_with('.'))
    }

    /// True for `localhost` and the names below it, which mean this machine wherever they are resolved.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }
}

impl FromStr for HostName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::URL)
            .map_err(|_| FORM.error(text, "it is not a valid internationalised name"))?;
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        if name.len() > 253 {
            return Err(FORM.error(text, "it is longer than 253 characters"));
        }
        for label in name.split('.') {
            let is_valid =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            if label.is_empty() {
                return Err(FORM.error(text, "it has an empty label"));
            }
            if label.len() > 63 {
                return Err(FORM.error(text, "a label is longer than 63 characters"));
            }
            if let Some(wrong) = label.chars().find(|c| !is_valid(*c)) {
                return Err(FORM.error(text, format!("a name has no `{}`", wrong.escape_default())));
            }
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        let hex = last.strip_prefix("0x");
        if last.bytes().all(|b| b.is_ascii_digit())
            || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(FORM.error(
                text,
                "it ends in a number; write IPv4 addresses as four decimal numbers",
            ));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host of a request: a name that will be resolved, or an address that is written out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A name.
    Name(HostName),
    /// An address, unwrapped if it was an IPv4-mapped one.
    Address(IpAddr),
}

impl Host {
    /// What is known about the host before it is resolved; a name other than `localhost` may lead anywhere.
    #[must_use]
    pub fn class(&self) -> Option<AddressClass> {
        match self {
            Self::Name(name) => name.is_localhost().then_some(AddressClass::Loopback),
            Self::Address(address) => Some(classify(*address)),
        }
    }
}

impl FromStr for Host {
    type Err = ParseError;

    /// Reads the host of a URL authority, without the port; IPv6 with or without brackets.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        if let Some(inner) = text.strip_prefix('[') {
            return inner
                .strip_suffix(']')
                .and_then(|inner| inner.parse::<Ipv6Addr>().ok())
                .map(|address| Self::Address(IpAddr::V6(address).to_canonical()))
                .ok_or_else(|| FORM.error(text, "there is no IPv6 address between the brackets"));
        }
        if let Ok(address) = text.strip_suffix('.').unwrap_or(text).parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        text.parse().map(Self::Name)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Address(address) => fmt_address(*address, f),
        }
    }
}

/// One name, or all names below one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NamePattern {
    /// Exactly this name.
    Exact(HostName),
    /// `*.NAME`: the names with at least one label more, not the name itself.
    Below(HostName),
}

impl NamePattern {
    /// True where the pattern stands for the name.
    #[must_use]
    pub fn matches(&self, name: &HostName) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Below(parent) => name.is_below(parent),
        }
    }

    /// True where it stands for nothing but `localhost` or names below it.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        let (Self::Exact(name) | Self::Below(name)) = self;
        name.is_localhost()
    }
}

impl Meet for NamePattern {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => {
                pattern.matches(name).then(|| Self::Exact(name.clone()))
            }
            (Self::Below(left), Self::Below(right)) => {
                if left == right || left.is_below(right) {
                    Some(self.clone())
                } else {
                    right.is_below(left).then(|| other.clone())
                }
            }
        }
    }
}

impl FromStr for NamePattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (parent, below) = match text.strip_prefix("*.") {
            Some(parent) => (parent, true),
            None => (text, false),
        };
        if parent.contains('*') {
            return Err(FORM.error(
                text,
                "`*` stands only alone or for the first labels, as in `*.example.com`",
            ));
        }
        let name = parent.parse()?;
        Ok(if below {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

/// The hosts a scope names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// Hosts by name.
    Name(NamePattern),
    /// One address, where a request is addressed to it without a name.
    Address(IpAddr),
}

impl HostPattern {
    /// True where the pattern stands for the host.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Name(pattern), Host::Name(name)) => pattern.matches(name),
            (Self::Address(ours), Host::Address(address)) => *ours == address.to_canonical(),
            (Self::Name(_), Host::Address(_)) | (Self::Address(_), Host::Name(_)) => false,
        }
    }
}

impl Meet for HostPattern {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, pattern) | (pattern, Self::Any) => Some(pattern.clone()),
            (Self::Name(left), Self::Name(right)) => left.meet(right).map(Self::Name),
            (Self::Address(left), Self::Address(right)) => {
                (left == right).then_some(Self::Address(*left))
            }
            (Self::Name(_), Self::Address(_)) | (Self::Address(_), Self::Name(_)) => None,
        }
    }
}

impl FromStr for HostPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains('*') {
            return text.parse().map(Self::Name);
        }
        text.parse().map(|host| match host {
            Host::Name(name) => Self::Name(NamePattern::Exact(name)),
            Host::Address(address) => Self::Address(address),
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(pattern) => write!(f, "{pattern}"),
            Self::Address(address) => fmt_address(*address, f),
        }
    }
}

fn fmt_address(address: IpAddr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match address {
        IpAddr::V4(address) => write!(f, "{address}"),
        IpAddr::V6(address) => write!(f, "[{address}]"),
    }
}
