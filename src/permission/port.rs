//! Ports, and the `HOST:PORT` that HTTP and socket scopes begin with.

use std::fmt;

use super::meet::Meet;

/// The ports a scope names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Port {
    /// Every port.
    Any,
    /// One port, not 0.
    Exact(u16),
}

impl Port {
    /// True where it stands for the port.
    #[must_use]
    pub fn matches(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == port,
        }
    }

    /// Reads a port number or `*`; the error is a fragment.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let all_digits = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(port) if port > 0 && all_digits => Ok(Self::Exact(port)),
            _ => Err("a port is a number from 1 to 65535, or `*`"),
        }
    }
}

impl Meet for Port {
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, port) | (port, Self::Any) => Some(*port),
            (Self::Exact(left), Self::Exact(right)) => (left == right).then_some(*self),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(port) => write!(f, "{port}"),
        }
    }
}

/// Splits `HOST[:PORT]`, where an IPv6 host is in brackets, which are kept; the error is a fragment.
pub(crate) fn split_authority(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let port_at = match text.rfind(']') {
        Some(bracket) => {
            let rest = text.get(bracket + 1..).unwrap_or_default();
            if !rest.is_empty() && !rest.starts_with(':') {
                return Err("only a port can follow an address in brackets");
            }
            (!rest.is_empty()).then_some(bracket + 1)
        }
        None => {
            let mut colons = text.match_indices(':');
            let first = colons.next().map(|(at, _)| at);
            if colons.next().is_some() {
                return Err("an IPv6 address is written in brackets");
            }
            first
        }
    };
    Ok(match port_at {
        Some(at) => {
            let (host, port) = text.split_at(at);
            (host, port.strip_prefix(':'))
        }
        None => (text, None),
    })
}
