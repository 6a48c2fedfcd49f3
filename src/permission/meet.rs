//! What every scope can do: be narrowed by another, and be kept in a set without the ones it makes superfluous.
//!
//! A single scope is an element of a meet-semilattice in canonical form: equal scopes are equal values. A permission as a
//! whole is a set of them, and means everything that any of them allows. The meet of two sets is the set of all pairwise
//! meets; with the dominated ones removed it is commutative, associative and idempotent because the pairwise meet is.

use std::collections::BTreeSet;
use std::fmt;

/// A scope that can be narrowed by another of its kind.
pub trait Meet: Clone + Ord + fmt::Display {
    /// What both allow, or nothing where they have nothing in common.
    #[must_use]
    fn meet(&self, other: &Self) -> Option<Self>;

    /// True where the other allows everything that this allows.
    #[must_use]
    fn is_within(&self, other: &Self) -> bool {
        self.meet(other).as_ref() == Some(self)
    }

    /// The scope cut into parts that several scopes together may cover, such as one for each HTTP method.
    #[must_use]
    fn pieces(&self) -> Vec<Self> {
        vec![self.clone()]
    }
}

/// The scopes of one permission, none within another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ScopeSet<S>(BTreeSet<S>);

impl<S> Default for ScopeSet<S> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<S: Meet> ScopeSet<S> {
    pub(crate) fn insert(&mut self, scope: S) {
        if self.0.iter().any(|held| scope.is_within(held)) {
            return;
        }
        self.0.retain(|held| !held.is_within(&scope));
        self.0.insert(scope);
    }

    pub(crate) fn meet(&self, other: &Self) -> Self {
        let mut out = Self::default();
        for left in &self.0 {
            for right in &other.0 {
                if let Some(both) = left.meet(right) {
                    out.insert(both);
                }
            }
        }
        out
    }

    pub(crate) fn covers(&self, scope: &S) -> bool {
        let covers_whole = |part: &S| self.0.iter().any(|held| part.is_within(held));
        covers_whole(scope) || scope.pieces().iter().all(covers_whole)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &S> {
        self.0.iter()
    }
}
