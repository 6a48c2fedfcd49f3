//! Path globs for HTTP: `*` stands for any characters of one segment, `**` for any number of whole segments.
//!
//! | written | covers |
//! |---|---|
//! | `/repos/rust` | exactly that; a slash at the end makes no difference, here and in requests |
//! | `/repos/*` | one segment below `/repos` |
//! | `/repos/**` | `/repos` and everything below it |
//! | `/v*/users` | `/v1/users`, `/v/users`, not `/v1/x/users` |
//!
//! Globs and paths are compared after percent-decoding, byte by byte and with case. A path that two servers could read
//! differently (dot segments, encoded slashes, backslashes, empty segments, escapes inside escapes) is covered by none.

use std::fmt;
use std::str::FromStr;

use super::meet::Meet;
use super::parse_error::{Form, ParseError};
use super::{text, wildcard};

const FORM: Form = Form {
    what: "path glob",
    write: "a path that begins with `/`, with `*` for part of a segment and `**` for any number of segments",
    example: "/repos/**",
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Segment {
    /// One segment that matches these pieces.
    One(Vec<Piece>),
    /// `**`: any number of segments, or none.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Piece {
    Byte(u8),
    /// `*`: any bytes, or none.
    Any,
}

impl Segment {
    fn is_any(&self) -> bool {
        *self == Self::Any
    }

    /// `*`: one segment, whatever its text.
    fn is_any_one(&self) -> bool {
        matches!(self, Self::One(pieces) if pieces.as_slice() == [Piece::Any])
    }

    fn matches(&self, segment: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::One(pieces) => wildcard::covers(
                pieces,
                segment,
                |piece| *piece == Piece::Any,
                |piece, byte| *piece == Piece::Byte(*byte),
            ),
        }
    }

    /// True where every segment that `other` matches is matched by this one.
    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::One(_), Self::Any) => false,
            (Self::One(ours), Self::One(theirs)) => wildcard::covers(
                ours,
                theirs,
                |piece| *piece == Piece::Any,
                |our, their| our == their,
            ),
        }
    }

    fn parse(segment: &str) -> Result<Self, &'static str> {
        if segment == "**" {
            return Ok(Self::Any);
        }
        if segment.contains("**") {
            return Err("`**` must be a whole segment, between slashes");
        }
        let mut pieces = Vec::new();
        for (nth, part) in segment.split('*').enumerate() {
            if nth > 0 {
                pieces.push(Piece::Any);
            }
            let bytes = text::percent_decode(part)
                .ok_or("`%` must be followed by two hexadecimal digits")?;
            if bytes.contains(&b'/') {
                return Err("an encoded slash never matches");
            }
            pieces.extend(bytes.into_iter().map(Piece::Byte));
        }
        let literal: Vec<u8> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Byte(byte) => *byte,
                Piece::Any => b'*',
            })
            .collect();
        check_segment(&literal)?;
        Ok(Self::One(pieces))
    }
}

/// A path pattern in canonical form: two globs that are written differently but mean the same are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathGlob(Vec<Segment>);

impl PathGlob {
    /// True where the path is one of those the glob stands for.
    #[must_use]
    pub fn matches(&self, path: &RequestPath) -> bool {
        wildcard::covers(&self.0, &path.0, Segment::is_any, |segment, found| {
            segment.matches(found)
        })
    }

    /// True where this glob covers every path that the other covers. It never says yes wrongly; it may say no for two
    /// globs whose wildcards only together amount to containment.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        wildcard::covers(&self.0, &other.0, Segment::is_any, Segment::contains)
    }

    /// True for `/**`, which covers every path.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0 == [Segment::Any]
    }

    /// Puts the wildcards of each run in one order (`*` before `**`, one `**` at most), so that equal globs are equal.
    fn canonical(segments: impl IntoIterator<Item = Segment>) -> Self {
        let mut out = Vec::new();
        let mut open_ended = false;
        for segment in segments {
            if segment.is_any() {
                open_ended = true;
                continue;
            }
            if open_ended && !segment.is_any_one() {
                out.push(Segment::Any);
                open_ended = false;
            }
            out.push(segment);
        }
        if open_ended {
            out.push(Segment::Any);
        }
        Self(out)
    }
}

impl FromStr for PathGlob {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        let path = text
            .strip_prefix('/')
            .ok_or_else(|| FORM.error(text, "it does not begin with `/`"))?;
        if let Some(wrong) = path.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(FORM.error(
                text,
                format!("`{wrong}` ends a path; only the path is compared"),
            ));
        }
        if path.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        path.split('/')
            .map(Segment::parse)
            .collect::<Result<Vec<_>, _>>()
            .map(Self::canonical)
            .map_err(|problem| FORM.error(text, problem))
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for segment in &self.0 {
            f.write_str("/")?;
            match segment {
                Segment::Any => f.write_str("**")?,
                Segment::One(pieces) => {
                    for piece in pieces {
                        match piece {
                            Piece::Any => f.write_str("*")?,
                            Piece::Byte(byte) if is_written_raw(*byte) => {
                                write!(f, "{}", char::from(*byte))?;
                            }
                            Piece::Byte(byte) => write!(f, "%{byte:02X}")?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Meet for PathGlob {
    /// The narrower one, where one contains the other; what two overlapping globs share is not one glob, see
    /// [`super::HttpScope`].
    fn meet(&self, other: &Self) -> Option<Self> {
        if other.contains(self) {
            Some(self.clone())
        } else {
            self.contains(other).then(|| other.clone())
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        other.contains(self)
    }
}

fn is_written_raw(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&byte)
}

/// The path of a request, percent-decoded and split into segments; without `.` segments and without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath(Vec<Vec<u8>>);

impl RequestPath {
    /// Reads the path of a request target; a query is ignored.
    ///
    /// # Errors
    /// A fragment that says why two servers could understand the path differently.
    pub fn parse(target: &str) -> Result<Self, &'static str> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let Some(path) = path.strip_prefix('/') else {
            return if path.is_empty() {
                Ok(Self(Vec::new()))
            } else {
                Err("it does not begin with a slash")
            };
        };
        if path.contains('#') {
            return Err("it has a fragment");
        }
        if path.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = Vec::new();
        for segment in path.split('/') {
            let segment = text::percent_decode(segment)
                .ok_or("it has a `%` without two hexadecimal digits")?;
            if segment == b"." {
                continue;
            }
            check_segment(&segment)?;
            segments.push(segment);
        }
        Ok(Self(segments))
    }
}

/// Refuses a decoded segment that some servers understand as something else than its bytes.
fn check_segment(segment: &[u8]) -> Result<(), &'static str> {
    let name = segment
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or(segment);
    if segment.is_empty() {
        return Err("it has an empty segment");
    }
    if name == b"." || name == b".." {
        return Err("it has a dot segment");
    }
    if segment.contains(&b'/') {
        return Err("it has an encoded slash");
    }
    if segment.contains(&b'\\') {
        return Err("it has a backslash");
    }
    if segment.iter().any(u8::is_ascii_control) {
        return Err("it has a control character");
    }
    let hides_more = |window: &[u8]| {
        matches!(window, [b'%', high, low]
            if matches!((high, low.to_ascii_lowercase()), (b'2', b'e' | b'f') | (b'5', b'c') | (b'0', b'0')))
    };
    if segment.windows(3).any(hides_more) {
        return Err("it is percent-encoded twice");
    }
    Ok(())
}
