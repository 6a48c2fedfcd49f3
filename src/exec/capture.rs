//! Output that is kept within a bound: its beginning and its end, which say most, and how much was between.

use std::collections::VecDeque;

/// The bytes of a stream, kept up to a limit: the first half of it from the beginning, the second half from the end.
#[derive(Debug)]
pub struct Capture {
    limit: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Capture {
    /// Keeps at most this many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
        }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let half = self.limit.div_ceil(2);
        let room = half.saturating_sub(self.head.len()).min(bytes.len());
        let (head, mut rest) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        let most = self.limit - half;
        if rest.len() > most {
            self.tail.clear();
            rest = rest.get(rest.len() - most..).unwrap_or_default();
        }
        let over = (self.tail.len() + rest.len()).saturating_sub(most);
        self.tail.drain(..over);
        self.tail.extend(rest);
    }

    /// How many bytes came.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes between the beginning and the end were not kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.total - (self.head.len() + self.tail.len()) as u64
    }

    /// What was kept. Where something is missing, a line between says how much.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let dropped = self.dropped();
        let mut bytes = self.head;
        if dropped > 0 {
            bytes.extend_from_slice(format!("\n[{dropped} bytes left out]\n").as_bytes());
        }
        bytes.extend(self.tail);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let mut capture = Capture::new(8);
        capture.push(b"abcdefgh");
        assert_eq!(capture.dropped(), 0);
        for byte in b"ijklmnop" {
            capture.push(&[*byte]);
        }
        assert_eq!(capture.dropped(), 8);
        let kept = String::from_utf8(capture.into_bytes()).expect("UTF-8");
        assert_eq!(kept, "abcd\n[8 bytes left out]\nmnop");
    }

    proptest! {
        #[test]
        fn what_is_kept_does_not_depend_on_the_pieces(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
            limit in 0_usize..64,
        ) {
            let whole: Vec<u8> = pieces.concat();
            let (mut one, mut many) = (Capture::new(limit), Capture::new(limit));
            one.push(&whole);
            for piece in &pieces {
                many.push(piece);
            }
            prop_assert_eq!(many.total(), whole.len() as u64);
            prop_assert_eq!(one.dropped(), whole.len().saturating_sub(limit) as u64);
            prop_assert_eq!(one.into_bytes(), many.into_bytes());
        }
    }
}
