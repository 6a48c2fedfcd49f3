//! The answer to a question, and what it obliges the caller to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::{Authorizer, Decision as Verdict, Effect, PolicyId, PolicySet};
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Unfit};
use super::condition::{Facts, Truth};
use super::question::{Ask, Question};
use super::shape::{Seen, Typed};
use super::slices::Sliced;
use super::vocabulary::{self, Put};
use super::{About, Policies};
use crate::error::{Code, Error};

/// The annotation by which a permit asks for a person's approval; its text says why.
pub const REQUIRE_APPROVAL: &str = "requireApproval";

/// The annotation by which a permit limits how long a call may take, in seconds.
pub const MAX_SECONDS: &str = "maxSeconds";

/// The annotation by which a permit names fields of the result to leave out, separated by commas.
pub const REDACT: &str = "redact";

/// One policy, as answers and records name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    /// Its `@id`.
    pub id: String,
    /// The file it is in.
    pub file: String,
    /// Its other annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.id, self.file)
    }
}

/// Something that kept a question from being answered; the answer is no then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyError {
    /// The policy that failed; none where the question itself could not be put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What went wrong.
    pub message: String,
}

/// What the caller must see to when the answer is yes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligations {
    /// A person must agree first; each text says why. Empty where nobody has to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approval: BTreeSet<String>,
    /// The call may take this many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<u64>,
    /// The fields of the result to leave out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub redact: BTreeSet<String>,
}

/// What the annotations of one policy oblige to.
pub type Obligation = Obligations;

impl Obligations {
    fn join(&mut self, other: &Self) {
        self.approval.extend(other.approval.iter().cloned());
        self.redact.extend(other.redact.iter().cloned());
        self.max_seconds = match (self.max_seconds, other.max_seconds) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Yes.
    Allow,
    /// Yes, once a person has agreed.
    Approval,
    /// No.
    Deny,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Approval => "approval",
            Self::Deny => "deny",
        })
    }
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Yes or no. A yes holds only together with the obligations.
    pub allow: bool,
    /// The policies that made it so, by id: all satisfied forbids, or else all satisfied permits. Empty where no policy
    /// said anything, which is a no.
    pub determining: Vec<Arc<PolicyRef>>,
    /// What a yes obliges to.
    pub obligations: Obligations,
    /// Why the question could not be answered; the answer is no where there is anything here.
    pub errors: Vec<PolicyError>,
    /// The answer in a sentence, for people and records.
    pub reason: String,
}

impl Decision {
    /// The answer in one word.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (self.allow, self.obligations.approval.is_empty()) {
            (false, _) => Outcome::Deny,
            (true, true) => Outcome::Allow,
            (true, false) => Outcome::Approval,
        }
    }

    /// The error a refused caller gets: E3206, or E3205 where the policies could not be evaluated. None where the answer
    /// is yes, with or without approval.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        if self.allow {
            return None;
        }
        let code = if self.errors.is_empty() {
            Code::E3206
        } else {
            Code::E3205
        };
        let ids: Vec<&str> = self.determining.iter().map(|one| one.id.as_str()).collect();
        Some(
            Error::new(code, self.reason.clone())
                .detail("policies", ids)
                .hint("`toolhatch policy explain` shows what would change the answer."),
        )
    }

    fn unanswered(ask: &Ask, message: String) -> Self {
        Self {
            allow: false,
            determining: Vec::new(),
            obligations: Obligations::default(),
            reason: format!("{ask} is refused: {message}"),
            errors: vec![PolicyError {
                policy: None,
                message,
            }],
        }
    }
}

/// What the policies said, before it is put into words.
#[derive(Debug, Default)]
struct Votes {
    permits: Vec<PolicyId>,
    forbids: Vec<PolicyId>,
    errors: Vec<PolicyError>,
}

impl Votes {
    fn cast(&mut self, effect: Effect, policy: &PolicyId) {
        match effect {
            Effect::Permit => self.permits.push(policy.clone()),
            Effect::Forbid => self.forbids.push(policy.clone()),
        }
    }

    fn add(&mut self, put: &Put, authorizer: &Authorizer, policies: &PolicySet) {
        let response = authorizer.is_authorized(&put.request, policies, &put.entities);
        let determining = response.diagnostics().reason().cloned();
        match response.decision() {
            Verdict::Allow => self.permits.extend(determining),
            Verdict::Deny => self.forbids.extend(determining),
        }
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            self.errors.push(PolicyError {
                policy: Some(error.policy_id().to_string()),
                message: error.inner().to_string(),
            });
        }
    }
}

impl Policies {
    /// Answers a question. Never fails: what cannot be answered is a no whose `errors` say why.
    #[must_use]
    pub fn decide(&self, question: &Question) -> Decision {
        self.judge(&question.ask, self.votes(question))
    }

    /// What each policy that can concern the question says; Cedar is asked for what its conditions do not tell by
    /// themselves.
    fn votes(&self, question: &Question) -> Result<Votes, Unfit> {
        let asked = Asked::of(question)?;
        let in_scope: Vec<&Sliced> = self.slices.in_scope(&asked).collect();
        let arguments = self.arguments(question, &in_scope)?;
        let facts = Facts {
            question,
            arguments: arguments.as_ref(),
        };
        let mut votes = Votes::default();
        let mut unsure = Vec::new();
        for sliced in in_scope {
            match sliced.condition.holds(facts) {
                Truth::Yes => votes.cast(sliced.effect, sliced.policy.id()),
                Truth::No => {}
                Truth::Either | Truth::Unknown => unsure.push(&sliced.policy),
            }
        }
        if !unsure.is_empty() {
            unsure.sort_unstable_by_key(|policy| policy.id());
            unsure.dedup_by_key(|policy| policy.id());
            let unsure = PolicySet::from_policies(unsure.into_iter().cloned());
            let put = put(question, &asked, arguments.as_ref())?;
            let unsure = unsure.map_err(|error| error.to_string())?;
            votes.add(&put, &self.authorizer, &unsure);
        }
        Ok(votes)
    }

    /// The answer that Cedar alone gives, with every policy put to it. It is the same and takes longer; what deciding
    /// without Cedar is tested and measured against.
    #[must_use]
    pub fn decide_by_cedar(&self, question: &Question) -> Decision {
        let votes = self.put(question).map(|put| {
            let mut votes = Votes::default();
            votes.add(&put, &self.authorizer, &self.all);
            votes
        });
        self.judge(&question.ask, votes)
    }

    /// The question in Cedar's terms.
    pub(super) fn put(&self, question: &Question) -> Result<Put, Unfit> {
        let asked = Asked::of(question)?;
        let in_scope: Vec<&Sliced> = self.slices.in_scope(&asked).collect();
        put(
            question,
            &asked,
            self.arguments(question, &in_scope)?.as_ref(),
        )
    }

    /// Whether the arguments of a call are not known, as in a question of the audit log, and some policy that can concern it
    /// looks at them: the answer cannot be known then, and deciding refuses.
    #[must_use]
    pub fn lacks_arguments(&self, question: &Question) -> bool {
        let Ask::Invoke { args, .. } = &question.ask else {
            return false;
        };
        let looks = |asked: Asked<'_>| {
            let mut in_scope = self.slices.in_scope(&asked);
            in_scope.any(|sliced| !sliced.seen.is_nothing())
        };
        args.is_null() && Asked::of(question).is_ok_and(looks)
    }

    /// The arguments of a question about a call, as far as the policies in whose scope it is can see them.
    pub(super) fn arguments<'a>(
        &'a self,
        question: &'a Question,
        in_scope: &[&Sliced],
    ) -> Result<Option<Typed<'a>>, Unfit> {
        let Ask::Invoke { resource, args } = &question.ask else {
            return Ok(None);
        };
        let shape = self.shapes.get(resource.id.as_str()).ok_or_else(|| {
            format!(
                "the policies were not checked against the tool {}",
                resource.id
            )
        })?;
        let mut seen = Seen::default();
        in_scope.iter().for_each(|sliced| seen.merge(&sliced.seen));
        let typed = shape.arguments(args, &seen);
        typed.map(Some).map_err(|refused| refused.to_string())
    }

    fn judge(&self, ask: &Ask, votes: Result<Votes, Unfit>) -> Decision {
        let mut votes = match votes {
            Ok(votes) => votes,
            Err(message) => return Decision::unanswered(ask, message),
        };
        let forbidden = !votes.forbids.is_empty();
        let mut ids = if forbidden {
            votes.forbids
        } else {
            votes.permits
        };
        ids.sort();
        ids.dedup();
        let about: Vec<&About> = ids.iter().filter_map(|id| self.about.get(id)).collect();
        let determining: Vec<_> = about
            .iter()
            .map(|about| Arc::clone(&about.reference))
            .collect();
        votes.errors.sort_by(|a, b| a.policy.cmp(&b.policy));
        votes.errors.dedup();

        let allow = !forbidden && !ids.is_empty() && votes.errors.is_empty();
        let mut obligations = Obligations::default();
        if allow {
            for about in about {
                obligations.join(&about.obligations);
            }
        }
        let reason = sentence(ask, allow, &determining, &obligations, &votes.errors);
        // A permit that was satisfied did not decide where an error made it a no.
        let decided = allow || forbidden;
        Decision {
            allow,
            determining: if decided { determining } else { Vec::new() },
            obligations,
            errors: votes.errors,
            reason,
        }
    }
}

fn put(
    question: &Question,
    asked: &Asked<'_>,
    arguments: Option<&Typed<'_>>,
) -> Result<Put, Unfit> {
    let arguments = arguments.map(Typed::to_cedar).transpose()?;
    vocabulary::put(question, asked, arguments)
}

fn sentence(
    ask: &Ask,
    allow: bool,
    determining: &[Arc<PolicyRef>],
    obligations: &Obligations,
    errors: &[PolicyError],
) -> String {
    let names: Vec<String> = determining.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    let word = if determining.len() == 1 {
        "policy"
    } else {
        "policies"
    };
    if let Some(error) = errors.first() {
        let policy = error.policy.as_deref().unwrap_or_default();
        return format!(
            "{ask} is refused: policy `{policy}` could not be evaluated: {}",
            error.message
        );
    }
    if allow && !obligations.approval.is_empty() {
        let why: Vec<&str> = obligations.approval.iter().map(String::as_str).collect();
        return format!(
            "{ask} needs a person's approval: {} ({word} {names})",
            why.join("; ")
        );
    }
    match (allow, determining.is_empty()) {
        (true, _) => format!("{ask} is allowed by {word} {names}"),
        (false, false) => format!("{ask} is forbidden by {word} {names}"),
        (false, true) => format!("{ask} is refused: no policy permits it"),
    }
}
