//! Policies in Cedar: a veto over concrete actions, never a scope.
//!
//! What a call may do at most is decided by grants. Policies are asked about each thing it then does: the call itself,
//! and every folder, connection, secret and container. They can say no, or ask for a person's approval.
//!
//! [`Policies::load`] reads policy files and refuses whatever is not certain to work: every policy has an `@id`, every
//! attribute it names exists with that type for every tool it applies to ([`vocabulary`], [`shape`]), and a warning is an
//! error. [`Policies::decide`] answers a [`Question`]; any error while evaluating any policy is a no.
//! [`Policies::explain`] says what would change an answer, [`cases`] tests policies against a file, and [`shadow`]
//! compares two sets of policies over the same questions.

mod asked;
pub mod cases;
mod condition;
pub mod decide;
pub mod explain;
mod load;
mod mention;
pub mod question;
pub mod shadow;
pub mod shape;
mod slices;
pub mod vocabulary;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Authorizer, PolicyId, PolicySet};
use serde_json::Value;

pub use decide::{Decision, Obligations, Outcome, PolicyError, PolicyRef};
pub use explain::{Change, Explanation};
pub use question::{Ask, Principal, Question, Tool};

use crate::error::{Code, Error, Result};
use crate::ids::{Digest, ToolId};
use mention::Mentions;
use shape::Shape;
use slices::Slices;

/// The file of the policies that ship with Toolhatch.
pub const DEFAULT_FILE: &str = "default.cedar";

/// The policies that ship with Toolhatch.
pub const DEFAULT_POLICIES: &str = include_str!("policy/default.cedar");

/// A tool as far as policies must know it to be checked: its id and the JSON Schema of its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolShape {
    /// The id; it is also the name of the tool's action.
    pub id: ToolId,
    /// The JSON Schema of its arguments.
    pub input_schema: Value,
}

/// Policies that were read and checked, ready to be asked.
#[derive(Debug)]
pub struct Policies {
    /// The text of each file, for the places of problems.
    sources: Vec<(String, String)>,
    all: PolicySet,
    about: HashMap<PolicyId, About>,
    slices: Slices,
    shapes: HashMap<String, Shape>,
    authorizer: Authorizer,
}

/// What is kept of one policy beside Cedar's own form.
#[derive(Debug, Clone)]
struct About {
    reference: Arc<PolicyRef>,
    obligations: decide::Obligation,
    mentions: Mentions,
}

impl Policies {
    /// Reads and checks policy files, each given as its name and its text.
    ///
    /// Every policy needs an `@id` of its own, must have the right types for every tool it applies to, and must be able
    /// to apply at all. `tools` are all the installed ones; a tool that is not among them is refused by every decision.
    ///
    /// # Errors
    /// E3004 that lists every problem with its file, line and column; E3205 where there is not one policy.
    pub fn load(sources: &[(&str, &str)], tools: &[ToolShape]) -> Result<Self> {
        load::load(sources, tools, false)
    }

    /// Like [`Policies::load`], but without the check of types, for the same files and tools that passed it before. That
    /// takes longer than everything else together.
    ///
    /// A policy that would not have passed does no harm here: where its types are wrong, evaluating it is an error, and
    /// an error is a no.
    ///
    /// # Errors
    /// Those of [`Policies::load`].
    pub fn load_checked(sources: &[(&str, &str)], tools: &[ToolShape]) -> Result<Self> {
        load::load(sources, tools, true)
    }

    /// Reads the policies that ship with Toolhatch, so that loading them later takes less time.
    pub fn warm_up() {
        load::warm_up();
    }

    /// A digest over everything the check of types depends on: the files, the tools, the vocabulary and Cedar's version.
    #[must_use]
    pub fn fingerprint(sources: &[(&str, &str)], tools: &[ToolShape]) -> Digest {
        load::fingerprint(sources, tools)
    }

    /// Whether the same policies would load with other tools: with a new version of one, or without it.
    ///
    /// # Errors
    /// E3004 that lists every problem; `policies` in its details names the policies that would break.
    pub fn check_with(&self, tools: &[ToolShape]) -> Result<()> {
        load::check(self, tools)
    }

    /// The Cedar schema policies for these tools are checked against, as text.
    ///
    /// # Errors
    /// E3004 where a tool has the name of one of the fixed actions.
    pub fn schema(tools: &[ToolShape]) -> Result<String> {
        load::schema_text(tools)
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.about.len()
    }

    /// True where there is not one policy; loading refuses that.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.about.is_empty()
    }

    /// The policies, ordered by file and id.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<PolicyRef>> {
        let mut all: Vec<_> = self
            .about
            .values()
            .map(|about| Arc::clone(&about.reference))
            .collect();
        all.sort_by(|a, b| (&a.file, &a.id).cmp(&(&b.file, &b.id)));
        all
    }

    /// Those of the policies that have one of these ids.
    #[must_use]
    pub fn named(&self, ids: &[String]) -> Vec<PolicyRef> {
        let about = ids.iter().map(|id| self.about.get(&PolicyId::new(id)));
        about
            .flatten()
            .map(|about| about.reference.as_ref().clone())
            .collect()
    }

    /// Asks the policies, if there are any; without them nothing is allowed.
    ///
    /// # Errors
    /// E3205 where no policies are loaded.
    pub fn ask(policies: Option<&Self>, question: &Question) -> Result<Decision> {
        policies
            .map(|policies| policies.decide(question))
            .ok_or_else(no_policies)
    }
}

fn no_policies() -> Error {
    Error::new(
        Code::E3205,
        "asking the policies: none are loaded, so the answer is no",
    )
}
