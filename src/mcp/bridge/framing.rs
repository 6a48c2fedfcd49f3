//! Lines out of a stream of bytes: a pure state machine that never holds more than the largest message.

use std::collections::VecDeque;

/// How much of a line that is too long is kept, at its beginning and at its end: the id of the message stands there.
const KEPT: usize = 4 << 10;

/// A part of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A line without its end. It is not empty.
    Line(Vec<u8>),
    /// A line has become too long; told as soon as it has.
    Overlong {
        /// How it begins.
        head: Vec<u8>,
    },
    /// The line that was too long has ended.
    OverlongEnd {
        /// How it ends.
        tail: Vec<u8>,
    },
}

/// Cuts a stream into lines.
#[derive(Debug)]
pub(super) struct Framer {
    most: usize,
    line: Vec<u8>,
    /// The end so far of a line that is too long.
    tail: Option<Vec<u8>>,
}

impl Framer {
    /// Lines of at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            tail: None,
        }
    }

    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, mut bytes: &[u8], frames: &mut VecDeque<Frame>) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.extend(piece, frames);
            if end.is_none() {
                return;
            }
            self.end(frames);
            bytes = rest.get(1..).unwrap_or_default();
        }
    }

    /// Takes the end of the stream: a last line may have no end of its own.
    pub(super) fn finish(&mut self, frames: &mut VecDeque<Frame>) {
        self.end(frames);
    }

    fn extend(&mut self, piece: &[u8], frames: &mut VecDeque<Frame>) {
        if let Some(tail) = &mut self.tail {
            tail.extend_from_slice(
                piece
                    .get(piece.len().saturating_sub(KEPT)..)
                    .unwrap_or(piece),
            );
            let surplus = tail.len().saturating_sub(KEPT);
            tail.drain(..surplus);
            return;
        }
        if self.line.len() + piece.len() <= self.most {
            self.line.extend_from_slice(piece);
            return;
        }
        let mut head = std::mem::take(&mut self.line);
        let mut tail = head.clone();
        head.extend_from_slice(piece.get(..KEPT).unwrap_or(piece));
        head.truncate(KEPT);
        head.shrink_to_fit();
        tail.extend_from_slice(piece);
        let surplus = tail.len().saturating_sub(KEPT);
        tail.drain(..surplus);
        self.tail = Some(tail);
        frames.push_back(Frame::Overlong { head });
    }

    fn end(&mut self, frames: &mut VecDeque<Frame>) {
        if let Some(tail) = self.tail.take() {
            frames.push_back(Frame::OverlongEnd { tail });
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if !line.iter().all(u8::is_ascii_whitespace) {
            frames.push_back(Frame::Line(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(most: usize, pieces: &[&[u8]]) -> Vec<Frame> {
        let mut framer = Framer::new(most);
        let mut frames = VecDeque::new();
        for piece in pieces {
            framer.push(piece, &mut frames);
        }
        framer.finish(&mut frames);
        frames.into()
    }

    #[test]
    fn lines_end_in_any_usual_way_and_empty_ones_are_nothing() {
        assert_eq!(
            frames(10, &[b"a\r\n\n \r\nb", b"c\nlast"]),
            [
                Frame::Line(b"a".to_vec()),
                Frame::Line(b"bc".to_vec()),
                Frame::Line(b"last".to_vec())
            ]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_told_before_it_ends() {
        let mut framer = Framer::new(4);
        let mut told = VecDeque::new();
        framer.push(b"abcdef", &mut told);
        assert_eq!(
            told.pop_front(),
            Some(Frame::Overlong {
                head: b"abcdef".to_vec()
            })
        );
        framer.push(b"ghi\nok\n", &mut told);
        assert_eq!(
            Vec::from(told),
            [
                Frame::OverlongEnd {
                    tail: b"abcdefghi".to_vec()
                },
                Frame::Line(b"ok".to_vec())
            ]
        );
    }

    proptest! {
        /// However the stream is cut into pieces, the same lines come out, and no more than a message is held.
        #[test]
        fn pieces_make_no_difference(
            text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(1_usize..20, 0..40),
        ) {
            let whole = frames(16, &[&text]);
            let mut pieces = Vec::new();
            let mut rest = &text[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let cut = frames(16, &pieces);
            // How much of the beginning is there when a line becomes too long depends on the pieces.
            let comparable = |frames: Vec<Frame>| -> Vec<Frame> {
                frames.into_iter().map(|frame| match frame {
                    Frame::Overlong { .. } => Frame::Overlong { head: Vec::new() },
                    other => other,
                }).collect()
            };
            prop_assert_eq!(comparable(whole), comparable(cut));
        }
    }
}
