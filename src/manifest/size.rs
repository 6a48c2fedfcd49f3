//! Amounts of bytes as people write them: `128MiB`, `1GiB`, `10MB`.

use std::fmt;
use std::str::FromStr;

/// An amount of bytes with a text form: a whole number and a unit, binary (`KiB`) or decimal (`kB`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// The text is not an amount of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSize {
    text: String,
}

impl fmt::Display for InvalidSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a size such as `128MiB`, `1GiB` or `10MB` (units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), found {}",
            super::document::quoted(&self.text)
        )
    }
}

impl std::error::Error for InvalidSize {}

/// The units and their bytes, largest first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        bytes(text).map(Self).ok_or_else(|| InvalidSize {
            text: text.to_owned(),
        })
    }
}

fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

impl fmt::Display for ByteSize {
    /// The exact amount with the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS
            .into_iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_people_write_are_read_and_printed() {
        for (text, bytes) in [
            ("128MiB", 128 << 20),
            ("1GiB", 1 << 30),
            ("10MB", 10_000_000),
            ("64KiB", 65_536),
            ("5kB", 5000),
            ("17B", 17),
            ("0B", 0),
        ] {
            let read: ByteSize = text.parse().expect(text);
            assert_eq!((read.0, read.to_string().as_str()), (bytes, text));
        }
    }

    #[test]
    fn everything_else_is_refused_with_examples() {
        for text in [
            "",
            "10",
            "MiB",
            "-1B",
            "1.5GiB",
            "1 MiB",
            "1MIB",
            "1KB",
            "99999999999TiB",
        ] {
            let error = text.parse::<ByteSize>().expect_err(text);
            assert!(error.to_string().contains("`128MiB`"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_give_the_same_amount(bytes in any::<u64>()) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = text.parse::<ByteSize>();
        }
    }
}
