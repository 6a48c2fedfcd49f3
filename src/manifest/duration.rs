//! Lengths of time as people write them: `30s`, `500ms`, `2m`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time with a text form: whole numbers with the units `h`, `m`, `s` and `ms`, the larger ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(pub Duration);

/// The text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDuration {
    text: String,
}

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a length of time such as `30s`, `500ms`, `2m` or `1h30m`, found {}",
            super::document::quoted(&self.text)
        )
    }
}

impl std::error::Error for InvalidDuration {}

/// The units and their milliseconds, largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl FromStr for HumanDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        milliseconds(text)
            .map(|total| Self(Duration::from_millis(total)))
            .ok_or_else(|| InvalidDuration {
                text: text.to_owned(),
            })
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    while !rest.is_empty() || rest.len() == text.len() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        // Going on from the last unit keeps the order and refuses a unit that comes twice.
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = after;
    }
    Some(total)
}

impl fmt::Display for HumanDuration {
    /// The shortest text that reads back as the same length; fractions of a millisecond are dropped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS {
            let count = rest / factor;
            rest %= factor;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_people_write_are_read() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1m1ms", 60_001),
            ("90s", 90_000),
            ("0s", 0),
        ] {
            let read: HumanDuration = text.parse().expect(text);
            assert_eq!(read.0, Duration::from_millis(milliseconds), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_examples() {
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1s1m",
            "1s1s",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
            "٣s",
            "30S",
        ] {
            let error = text.parse::<HumanDuration>().expect_err(text);
            assert!(error.to_string().contains("`30s`"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_give_the_same_length(milliseconds in any::<u64>()) {
            let duration = HumanDuration(Duration::from_millis(milliseconds));
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = text.parse::<HumanDuration>();
        }
    }
}
