//! How large a type is, and why a function cannot be a tool.

use std::fmt;

use super::{MAX_TYPE_DEPTH, MAX_TYPE_NODES};
use crate::schema::wit::Ty;

/// The most documentation the schemas of one component may hold, in bytes, repeated wherever a type is used.
pub(super) const MAX_DOCS: usize = 1 << 20;

/// Why a function cannot be a tool.
#[derive(Debug, Clone)]
pub(super) enum Unusable {
    /// A resource handle is in its signature.
    Resource,
    /// It is a constructor, method or static function of a resource.
    OfResource,
    /// A future is in its signature.
    Future,
    /// A stream is in its signature.
    Stream,
    /// An error context is in its signature.
    ErrorContext,
    /// A map with keys that are no plain values.
    MapKey,
    /// A type within a type, too often.
    TooDeep,
    /// More types than a schema should list.
    TooLarge,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource => f.write_str("its signature has a resource, which has no JSON form"),
            Self::OfResource => {
                f.write_str("it belongs to a resource, which cannot be kept between calls")
            }
            Self::Future => f.write_str("its signature has a future, which has no JSON form"),
            Self::Stream => f.write_str("its signature has a stream, which has no JSON form"),
            Self::ErrorContext => {
                f.write_str("its signature has an error context, which has no JSON form")
            }
            Self::MapKey => {
                f.write_str("its signature has a map whose keys are floats or composed")
            }
            Self::TooDeep => write!(
                f,
                "its types are nested deeper than {MAX_TYPE_DEPTH} levels"
            ),
            Self::TooLarge => write!(
                f,
                "its signature has more than {MAX_TYPE_NODES} types, fields and cases"
            ),
        }
    }
}

/// A type with its size.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// The type.
    pub(super) ty: Ty,
    depth: usize,
    nodes: usize,
    docs: usize,
}

impl Measured {
    /// A type without parts.
    pub(super) fn leaf(ty: Ty) -> Self {
        Self {
            ty,
            depth: 1,
            nodes: 1,
            docs: 0,
        }
    }
}

/// The size of a type that is being put together from others.
#[derive(Default)]
pub(super) struct Measure {
    depth: usize,
    /// How many types, fields, cases and labels there are so far.
    pub(super) nodes: usize,
    /// How many bytes their documentation has.
    pub(super) docs: usize,
}

impl Measure {
    /// Counts a part; gives its type.
    pub(super) fn take(&mut self, part: Measured) -> Ty {
        self.depth = self.depth.max(part.depth);
        self.nodes = self.nodes.saturating_add(part.nodes);
        self.docs = self.docs.saturating_add(part.docs);
        part.ty
    }

    /// Counts the documentation of the type or of a member.
    pub(super) fn text(&mut self, docs: Option<String>) -> Option<String> {
        self.docs = self
            .docs
            .saturating_add(docs.as_ref().map_or(0, String::len));
        docs
    }

    /// The type that was put together, if it is not too large.
    pub(super) fn into_type(self, ty: Ty) -> Result<Measured, Unusable> {
        let measured = Measured {
            ty,
            depth: self.depth + 1,
            nodes: self.nodes.saturating_add(1),
            docs: self.docs,
        };
        if measured.depth > MAX_TYPE_DEPTH {
            return Err(Unusable::TooDeep);
        }
        Ok(measured)
    }
}
