//! Where a syslog is, and how it sorts what it gets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

/// The address of a syslog: `unix:///dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyslogAddress {
    /// A datagram socket of this machine, by its absolute path.
    Unix(PathBuf),
    /// `HOST:PORT`, a datagram for each message.
    Udp(String),
    /// `HOST:PORT`, messages with their length before them (RFC 6587).
    Tcp(String),
}

/// The text is not the address of a syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSyslogAddress;

impl fmt::Display for InvalidSyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected `unix:///dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`, the host of an IPv6 address in brackets",
        )
    }
}

impl std::error::Error for InvalidSyslogAddress {}

impl FromStr for SyslogAddress {
    type Err = InvalidSyslogAddress;

    fn from_str(text: &str) -> Result<Self, InvalidSyslogAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidSyslogAddress)?;
        match scheme {
            "unix" if rest.starts_with('/') && rest.len() > 1 => Ok(Self::Unix(rest.into())),
            "udp" if is_host_and_port(rest) => Ok(Self::Udp(rest.to_owned())),
            "tcp" if is_host_and_port(rest) => Ok(Self::Tcp(rest.to_owned())),
            _ => Err(InvalidSyslogAddress),
        }
    }
}

/// True for `HOST:PORT`, the host of an IPv6 address in brackets.
pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
    };
    is_host
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse() != Ok(0_u16)
        && port.parse::<u16>().is_ok()
}

impl SyslogAddress {
    /// The TCP port that is connected to, where it is one.
    #[must_use]
    pub fn tcp_port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => address.rsplit_once(':')?.1.parse().ok(),
            Self::Unix(_) | Self::Udp(_) => None,
        }
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

macro_rules! facilities {
    ($($variant:ident $word:literal $number:literal,)*) => {
        /// What a syslog sorts messages by (RFC 5424 §6.2.1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[schemars(inline)]
        pub enum Facility {
            $(#[doc = concat!("Facility ", $number, ".")] $variant,)*
        }

        impl Facility {
            /// The number in messages.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$variant => $number,)*
                }
            }

            /// The word in files.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

facilities! {
    User "user" 1,
    Daemon "daemon" 3,
    Auth "auth" 4,
    Authpriv "authpriv" 10,
    Audit "audit" 13,
    Local0 "local0" 16,
    Local1 "local1" 17,
    Local2 "local2" 18,
    Local3 "local3" 19,
    Local4 "local4" 20,
    Local5 "local5" 21,
    Local6 "local6" 22,
    Local7 "local7" 23,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_strictly_and_written_as_they_were() {
        for good in [
            "unix:///dev/log",
            "udp://127.0.0.1:514",
            "tcp://log-host.example:6514",
            "tcp://[::1]:601",
        ] {
            let address: SyslogAddress = good.parse().expect(good);
            assert_eq!(address.to_string(), good);
        }
        for bad in [
            "",
            "/dev/log",
            "unix://dev/log",
            "unix:///",
            "udp://host",
            "udp://:514",
            "udp://host:0",
            "udp://host:65536",
            "udp://host:+1",
            "udp://me@host:1",
            "tcp://::1:514",
            "tcp://[host]:514",
            "tls://host:6514",
        ] {
            assert!(bad.parse::<SyslogAddress>().is_err(), "{bad}");
        }
    }
}
