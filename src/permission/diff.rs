//! What one scope allows that another does not: what an upgrade adds, what was requested but not granted.

use super::capability::Capability;
use super::scope::Scope;

impl Scope {
    /// The entries of this scope that are not within the other. An entry that is covered in part is given whole.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<Capability> {
        self.capabilities()
            .into_iter()
            .filter(|capability| !other.covers(capability))
            .collect()
    }
}
