//! Networks in CIDR notation, a single address being the smallest: `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::LazyLock;

use super::address::{Reach, classify};
use super::meet::Meet;
use super::parse_error::{Form, ParseError};

const FORM: Form = Form {
    what: "network",
    write: "an IP address, or one with a prefix length",
    example: "10.0.0.0/8",
};

/// An address and how many of its leading bits count; the others are zero. IPv4-mapped addresses are stored as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of one address.
    #[must_use]
    pub fn single(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self {
            first,
            prefix: width(first),
        }
    }

    /// The address, where the network has only one.
    #[must_use]
    pub fn as_single(&self) -> Option<IpAddr> {
        (self.prefix == width(self.first)).then_some(self.first)
    }

    /// True for IPv6, whose text has colons.
    #[must_use]
    pub fn is_v6(&self) -> bool {
        self.first.is_ipv6()
    }

    /// True where the address, unwrapped if it is an IPv4-mapped one, is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        truncate(address.to_canonical(), self.prefix) == Some(self.first)
    }

    /// How far a scope must reach to include any address of this network at all.
    #[must_use]
    pub(crate) fn least_reach(&self) -> Option<Reach> {
        if let Some(address) = self.as_single() {
            return classify(address).reach();
        }
        let block = SPECIAL_BLOCKS.iter().find(|block| self.is_within(block));
        match block {
            Some(block) => classify(block.first).reach(),
            None => Some(Reach::Public),
        }
    }

    /// The reach beyond which nothing of this network is left to include.
    #[must_use]
    pub(crate) fn greatest_reach(&self) -> Reach {
        match self.as_single() {
            Some(address) => classify(address).reach().unwrap_or(Reach::Public),
            None => Reach::Metadata,
        }
    }
}

/// Blocks that hold no public address. Leaving one out would only make a person write `;private` for it.
static SPECIAL_BLOCKS: LazyLock<Vec<Network>> = LazyLock::new(|| {
    let blocks = [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "0.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ];
    blocks.iter().filter_map(|text| text.parse().ok()).collect()
});

impl Meet for Network {
    fn meet(&self, other: &Self) -> Option<Self> {
        let (short, long) = if self.prefix <= other.prefix {
            (self, other)
        } else {
            (other, self)
        };
        short.contains(long.first).then_some(*long)
    }
}

impl FromStr for Network {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| FORM.error(text, "it has no valid IP address"))?;
        let Some(prefix) = prefix else {
            return Ok(Self::single(address));
        };
        let prefix: u8 = prefix
            .parse()
            .ok()
            .filter(|prefix| *prefix <= width(address))
            .ok_or_else(|| {
                FORM.error(
                    text,
                    format!("the prefix length is not between 0 and {}", width(address)),
                )
            })?;
        let first = address.to_canonical();
        let unwrapped_bits = width(address) - width(first);
        let (first, prefix) = match prefix.checked_sub(unwrapped_bits) {
            Some(prefix) => (first, prefix),
            None => (address, prefix),
        };
        match truncate(first, prefix) {
            Some(truncated) if truncated == first => Ok(Self { first, prefix }),
            Some(truncated) => Err(FORM.error(
                text,
                format!(
                    "the address has bits beyond the prefix; did you mean `{truncated}/{prefix}`?"
                ),
            )),
            None => Err(FORM.error(text, "the prefix is longer than the address")),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_single() {
            Some(address) => write!(f, "{address}"),
            None => write!(f, "{}/{}", self.first, self.prefix),
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all but its leading bits zero; nothing where it is shorter than the prefix.
fn truncate(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let rest = u32::from(width(address).checked_sub(prefix)?);
    Some(match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    })
}
