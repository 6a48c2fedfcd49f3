//! A tool's own state, by how much of it there may be: `1MiB`, `64KiB`, `1000` (bytes), or `*` for no quota.

use std::fmt;
use std::str::FromStr;

use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::{Form, ParseError};

/// A quota for the state of one tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateScope {
    /// The most there may be, in bytes; more than zero.
    quota: u64,
}

/// Units with their size in bytes, the largest first.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl StateScope {
    /// A quota of so many bytes; nothing where it is zero, which is no state at all.
    #[must_use]
    pub fn new(quota: u64) -> Option<Self> {
        (quota > 0).then_some(Self { quota })
    }

    /// State without a quota.
    #[must_use]
    pub fn everything() -> Self {
        Self { quota: u64::MAX }
    }

    /// The most there may be, in bytes.
    #[must_use]
    pub fn quota(self) -> u64 {
        self.quota
    }

    /// True where so many bytes in all are within the quota.
    #[must_use]
    pub fn allows(self, bytes: u64) -> bool {
        bytes <= self.quota
    }
}

impl Meet for StateScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        Some(*self.min(other))
    }
}

impl FromStr for StateScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &Form = Kind::State.form();
        FORM.check_text(text)?;
        if text == "*" {
            return Ok(Self::everything());
        }
        let digits_end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits_end);
        let unit = unit.trim_start();
        let factor = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, factor)| *factor)
            .or_else(|| unit.is_empty().then_some(1));
        let Some(factor) = factor else {
            return Err(FORM.error(text, "the unit is none of B, kB, KiB, MB, MiB, GB and GiB"));
        };
        let quota = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .ok_or_else(|| {
                FORM.error(text, "it does not begin with a whole number of that size")
            })?;
        Self::new(quota).ok_or_else(|| FORM.error(text, "a quota of nothing is no state at all"))
    }
}

impl fmt::Display for StateScope {
    /// Prints the quota in the largest binary unit it is a multiple of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quota == u64::MAX {
            return f.write_str("*");
        }
        let divides = |(name, factor): &&(&str, u64)| {
            name.ends_with("iB") && self.quota.is_multiple_of(*factor)
        };
        match UNITS.iter().find(divides) {
            Some((name, factor)) => write!(f, "{}{name}", self.quota / factor),
            None => write!(f, "{}", self.quota),
        }
    }
}
