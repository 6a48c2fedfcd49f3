//! The head of a log: how far it has come, and the hash that stands for everything up to there.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The last record of a log: its number, and the SHA-256 of its line.
///
/// Written `SEQ:HEX`. Whoever keeps a head elsewhere can tell later that the log still holds everything up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the record, from 1; 0 for a log without records.
    pub seq: u64,
    /// The SHA-256 of the bytes of its line, without the line end.
    pub hash: [u8; 32],
}

/// The text is not a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidHead(String);

impl fmt::Display for InvalidHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(100).collect();
        write!(
            f,
            "{shown:?} is not a head: write the number of a record, a colon, and 64 lower-case hexadecimal digits"
        )
    }
}

impl std::error::Error for InvalidHead {}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, hex(&self.hash))
    }
}

impl FromStr for Head {
    type Err = InvalidHead;

    fn from_str(text: &str) -> Result<Self, InvalidHead> {
        let invalid = || InvalidHead(text.to_owned());
        let (seq, hash) = text.split_once(':').ok_or_else(invalid)?;
        if !seq.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        Ok(Self {
            seq: seq
                .parse()
                .ok()
                .filter(|seq| *seq <= MAX_SEQ)
                .ok_or_else(invalid)?,
            hash: unhex(hash)
                .and_then(|hash| hash.try_into().ok())
                .ok_or_else(invalid)?,
        })
    }
}

/// The highest number of a record: one more can always be counted, and every database can keep it.
pub(super) const MAX_SEQ: u64 = i64::MAX as u64;

/// The SHA-256 of these bytes.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.extend(digits(*byte).map(char::from));
    }
    text
}

/// True where the text is the lower-case hexadecimal digits of these bytes.
pub(super) fn is_hex_of(text: &str, bytes: &[u8]) -> bool {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    rest.is_empty()
        && pairs
            .iter()
            .copied()
            .eq(bytes.iter().map(|byte| digits(*byte)))
}

fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|nibble| nibble + if nibble < 10 { b'0' } else { b'a' - 10 })
}

/// The bytes that these lower-case hexadecimal digits stand for.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_round_trips_and_nothing_else_parses() {
        let head = Head {
            seq: 42,
            hash: sha256(b"abc"),
        };
        let text = head.to_string();
        assert!(text.starts_with("42:ba7816bf8f01cfea"), "{text}");
        assert!(is_hex_of(&text[3..], &head.hash));
        assert!(!is_hex_of(&text[4..], &head.hash) && !is_hex_of(&text[5..], &head.hash));
        assert_eq!(text.parse(), Ok(head));
        for bad in [
            "",
            "42",
            ":",
            &text.to_uppercase(),
            &text[..text.len() - 1],
            &format!("+{text}"),
            &format!("{text}0"),
        ] {
            assert!(bad.parse::<Head>().is_err(), "{bad}");
        }
    }
}
