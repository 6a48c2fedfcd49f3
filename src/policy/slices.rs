//! Policies sorted by what their scope asks for, so that a question is put only to those it can concern.
//!
//! Cedar tries every policy it is given. A policy whose scope names another action, resource or principal cannot be
//! satisfied, and cannot fail either, because the scope is tried before any condition; leaving it out changes nothing.
//! The same holds for the first thing a condition asks, where that is a plain comparison ([`guard`]).

mod guard;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use cedar_policy::{
    ActionConstraint, Entities, EntityUid, Policy, PolicySet, PolicySetError, PrincipalConstraint,
    Request, ResourceConstraint,
};

use super::question::Question;
use guard::{Fact, Guard};

/// What a scope names, or nothing where it names no particular entity.
type Named = Option<EntityUid>;

/// Policies by action, resource and principal.
#[derive(Debug, Default)]
pub struct Slices {
    by_action: HashMap<Named, HashMap<Named, HashMap<Named, Guarded>>>,
}

/// Policies of the same scope, by the first thing their conditions ask.
#[derive(Debug, Default)]
struct Guarded {
    unguarded: PolicySet,
    by_fact: HashMap<Fact, HashMap<String, PolicySet>>,
}

impl Guarded {
    fn add(&mut self, policy: &Policy) -> Result<(), Box<PolicySetError>> {
        let guard = policy.to_json().ok().and_then(|json| Guard::of(&json));
        let Some(guard) = guard else {
            return self.unguarded.add(policy.clone()).map_err(Box::new);
        };
        let by_value = self.by_fact.entry(guard.fact).or_default();
        for value in guard.values {
            let policies = by_value.entry(value).or_default();
            policies.add(policy.clone()).map_err(Box::new)?;
        }
        Ok(())
    }

    fn matching<'a>(&'a self, question: &Question) -> impl Iterator<Item = &'a PolicySet> {
        let guarded = self.by_fact.iter().flat_map(|(fact, by_value)| {
            let values = fact.of(question);
            // A fact the resource has not got rules nothing out.
            let all = by_value.values().filter({
                let is_absent = values.is_none();
                move |_| is_absent
            });
            let there = values.into_iter().flatten();
            there.filter_map(|value| by_value.get(value)).chain(all)
        });
        std::iter::once(&self.unguarded).chain(guarded)
    }

    fn all(&self) -> impl Iterator<Item = &PolicySet> {
        std::iter::once(&self.unguarded).chain(self.by_fact.values().flat_map(HashMap::values))
    }
}

impl Slices {
    /// Sorts policies.
    ///
    /// # Errors
    /// Two policies have the same id.
    pub fn new<'a>(
        policies: impl Iterator<Item = &'a Policy>,
    ) -> Result<Self, Box<PolicySetError>> {
        let mut slices = Self::default();
        for policy in policies {
            let resource = match policy.resource_constraint() {
                ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
                ResourceConstraint::In(uid)
                | ResourceConstraint::Eq(uid)
                | ResourceConstraint::IsIn(_, uid) => Some(uid),
            };
            let principal = match policy.principal_constraint() {
                PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
                PrincipalConstraint::In(uid)
                | PrincipalConstraint::Eq(uid)
                | PrincipalConstraint::IsIn(_, uid) => Some(uid),
            };
            let actions: HashSet<Named> = match policy.action_constraint() {
                ActionConstraint::Any => [None].into(),
                ActionConstraint::Eq(uid) => [Some(uid)].into(),
                ActionConstraint::In(uids) => uids.into_iter().map(Some).collect(),
            };
            for action in actions {
                slices
                    .by_action
                    .entry(action)
                    .or_default()
                    .entry(resource.clone())
                    .or_default()
                    .entry(principal.clone())
                    .or_default()
                    .add(policy)?;
            }
        }
        Ok(slices)
    }

    /// The sets of policies a question can concern; the request and the entities are the question in Cedar's terms.
    #[must_use]
    pub fn matching(
        &self,
        question: &Question,
        request: &Request,
        entities: &Entities,
    ) -> Vec<&PolicySet> {
        let in_scope = self.in_scope(request, entities).into_iter();
        in_scope
            .flat_map(|guarded| guarded.matching(question))
            .filter(|policies| !policies.is_empty())
            .collect()
    }

    /// The policies whose scope a request is in, whatever their conditions ask.
    pub fn policies_in_scope(
        &self,
        request: &Request,
        entities: &Entities,
    ) -> impl Iterator<Item = &Policy> {
        let in_scope = self.in_scope(request, entities).into_iter();
        in_scope
            .flat_map(Guarded::all)
            .flat_map(PolicySet::policies)
    }

    fn in_scope(&self, request: &Request, entities: &Entities) -> Vec<&Guarded> {
        let with_ancestors = |uid: Option<&EntityUid>| -> Vec<Named> {
            let Some(uid) = uid else { return vec![None] };
            let above = entities.ancestors(uid).into_iter().flatten().cloned();
            [None, Some(uid.clone())]
                .into_iter()
                .chain(above.map(Some))
                .collect()
        };
        let actions = with_ancestors(request.action());
        let resources = with_ancestors(request.resource());
        let principals = with_ancestors(request.principal());
        let mut found = Vec::new();
        for by_resource in pick(&self.by_action, &actions) {
            for by_principal in pick(by_resource, &resources) {
                found.extend(pick(by_principal, &principals));
            }
        }
        found
    }
}

fn pick<'a, K: Hash + Eq, V>(map: &'a HashMap<K, V>, keys: &[K]) -> impl Iterator<Item = &'a V> {
    keys.iter().filter_map(|key| map.get(key))
}
