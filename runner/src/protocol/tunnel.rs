//! Connections of a command to the proxy, each a stream of bytes in both directions.
//!
//! Both sides number them alike, from the [`Opened`](super::Report::Opened) that begins one, and say the same about them. A
//! direction ends with [`Part::End`]; a connection is over when both have, or when one side says [`Part::Close`]. What comes
//! for one that is over was under way, and is nobody's mistake.

use super::{Cursor, Malformed, put_frame};

/// How many connections of a command are open at once; further ones wait until one is over.
pub const MAX_CONNECTIONS: usize = 64;

/// How many bytes of a connection may be under way in one direction and not answered by [`Part::Taken`].
pub const TUNNEL_WINDOW: usize = 128 << 10;

/// Something about a connection; the same in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number, as [`Opened`](super::Report::Opened) told it. No number is used twice for a command.
    pub connection: u32,
    /// What there is about it.
    pub part: Part,
}

/// A part of what flows through a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes, within [`TUNNEL_WINDOW`].
    Data(Vec<u8>),
    /// The end of the bytes in this direction; those of the other may go on.
    End,
    /// So many more bytes of the other direction have reached their end.
    Taken(u32),
    /// No more comes and no more is wanted. What was sent before still goes where it goes.
    Close,
}

impl Segment {
    /// The frame of this kind with this in it.
    pub(super) fn encode(&self, kind: u8, id: u32, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (part, rest): (u8, &[u8]) = match &self.part {
            Part::Data(bytes) => (b'd', bytes),
            Part::End => (b'e', &[]),
            Part::Taken(count) => (b't', &count.to_be_bytes()),
            Part::Close => (b'c', &[]),
        };
        let mut payload = Vec::with_capacity(5 + rest.len());
        payload.extend_from_slice(&self.connection.to_be_bytes());
        payload.push(part);
        payload.extend_from_slice(rest);
        put_frame(kind, id, &payload, out)
    }

    pub(super) fn parse(rest: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            connection: rest.u32()?,
            part: match rest.u8()? {
                b'd' => Part::Data(rest.bytes(rest.0.len())?.to_vec()),
                b'e' => Part::End,
                b't' => Part::Taken(rest.u32()?),
                b'c' => Part::Close,
                _ => return None,
            },
        })
    }
}
