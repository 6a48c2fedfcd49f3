//! Policies sorted by the actions their scopes name, so that a question meets only those it can concern.
//!
//! Cedar tries every policy it is given. A policy whose scope a question is not in cannot be satisfied, and cannot fail
//! either, because the scope is tried before any condition; leaving it out changes nothing.

use std::collections::HashMap;

use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Policy, PrincipalConstraint,
    ResourceConstraint,
};

use super::asked::{Asked, Kind, Uid};
use super::condition::Condition;
use super::shape::Seen;

/// Policies by action.
#[derive(Debug, Default)]
pub struct Slices {
    policies: Vec<Sliced>,
    /// By the action a policy is about, `action == …`.
    of_action: HashMap<String, Vec<usize>>,
    /// By each of the actions under which it holds, `action in …`.
    in_action: HashMap<String, Vec<usize>>,
    /// Those about every action.
    others: Vec<usize>,
}

/// A policy with what its scope and its conditions ask.
#[derive(Debug)]
pub struct Sliced {
    /// The policy.
    pub policy: Policy,
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// What must hold beside the scope.
    pub condition: Condition,
    /// What its conditions look at of the arguments.
    pub seen: Seen,
    principal: Scope,
    resource: Scope,
}

impl Slices {
    /// Adds a policy.
    pub fn add(&mut self, policy: Policy, condition: Condition, seen: Seen) {
        let index = self.policies.len();
        match policy.action_constraint() {
            ActionConstraint::Any => self.others.push(index),
            ActionConstraint::Eq(uid) => {
                if let Some(name) = name_of_action(&uid) {
                    self.of_action.entry(name).or_default().push(index);
                }
            }
            ActionConstraint::In(uids) => {
                for name in uids.iter().filter_map(name_of_action) {
                    self.in_action.entry(name).or_default().push(index);
                }
            }
        }
        self.policies.push(Sliced {
            effect: policy.effect(),
            condition,
            seen,
            principal: match policy.principal_constraint() {
                PrincipalConstraint::Any => Scope::Any,
                PrincipalConstraint::In(uid) => Scope::within(None, &uid),
                PrincipalConstraint::Eq(uid) => Scope::one(&uid),
                PrincipalConstraint::Is(name) => Scope::all(&name),
                PrincipalConstraint::IsIn(name, uid) => Scope::within(Some(&name), &uid),
            },
            resource: match policy.resource_constraint() {
                ResourceConstraint::Any => Scope::Any,
                ResourceConstraint::In(uid) => Scope::within(None, &uid),
                ResourceConstraint::Eq(uid) => Scope::one(&uid),
                ResourceConstraint::Is(name) => Scope::all(&name),
                ResourceConstraint::IsIn(name, uid) => Scope::within(Some(&name), &uid),
            },
            policy,
        });
    }

    /// The policies whose scope a question is in, whatever their conditions ask. One whose scope names several actions
    /// may come more than once.
    pub fn in_scope<'s>(&'s self, asked: &'s Asked<'_>) -> impl Iterator<Item = &'s Sliced> {
        let principal = asked.line(&asked.principal);
        let resource = asked.line(&asked.resource);
        let of_action = self.of_action.get(&*asked.action.id);
        let in_action = asked
            .line(&asked.action)
            .into_iter()
            .filter_map(|uid| self.in_action.get(&*uid.id));
        let found = of_action.into_iter().chain(in_action);
        let found = found.chain([&self.others]).flatten();
        found
            .filter_map(|index| self.policies.get(*index))
            .filter(move |sliced| {
                sliced.principal.has(&principal) && sliced.resource.has(&resource)
            })
    }
}

/// What a scope asks of the principal or the resource.
#[derive(Debug)]
enum Scope {
    Any,
    /// An entity of a type there is not.
    None,
    One(Kind, String),
    All(Kind),
    /// Cedar's `in`, where an entity is also in itself; perhaps of one type only.
    Within(Option<Kind>, Kind, String),
}

impl Scope {
    fn one(uid: &EntityUid) -> Self {
        kind(uid.type_name()).map_or(Self::None, |kind| {
            Self::One(kind, uid.id().unescaped().to_owned())
        })
    }

    fn all(name: &EntityTypeName) -> Self {
        kind(name).map_or(Self::None, Self::All)
    }

    fn within(name: Option<&EntityTypeName>, uid: &EntityUid) -> Self {
        let only = name.map(kind);
        match (only, kind(uid.type_name())) {
            (Some(None), _) | (_, None) => Self::None,
            (only, Some(above)) => {
                Self::Within(only.flatten(), above, uid.id().unescaped().to_owned())
            }
        }
    }

    /// Whether an entity, given with all that stands above it, is meant.
    fn has(&self, line: &[&Uid<'_>]) -> bool {
        let Some(own) = line.first() else {
            return false;
        };
        match self {
            Self::Any => true,
            Self::None => false,
            Self::One(kind, id) => own.kind == *kind && own.id == *id,
            Self::All(kind) => own.kind == *kind,
            Self::Within(only, kind, id) => {
                only.is_none_or(|only| own.kind == only)
                    && line.iter().any(|uid| uid.kind == *kind && uid.id == *id)
            }
        }
    }
}

/// The name of an action of ours; an entity of another type is no action of any question.
fn name_of_action(uid: &EntityUid) -> Option<String> {
    let is_ours = kind(uid.type_name()) == Some(Kind::Action);
    is_ours.then(|| uid.id().unescaped().to_owned())
}

fn kind(name: &EntityTypeName) -> Option<Kind> {
    let name = name.to_string();
    let mut all = Kind::ALL.iter();
    all.find(|kind| kind.name() == name).copied()
}
