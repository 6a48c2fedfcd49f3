//! What a proposed set of policies would have answered differently.

use serde::Serialize;

use super::decide::{Obligations, Outcome};
use super::{Policies, PolicyRef, Question};

/// The result of asking two sets of policies the same questions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// How many questions were asked.
    pub asked: usize,
    /// Those that were answered differently, in the order they were asked.
    pub differences: Vec<Difference>,
    /// The names of those to which the proposed policies have no answer: they look at arguments, and these are not known.
    pub unknown: Vec<String>,
}

/// A question of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled {
    /// The name it comes under, such as the id of its call.
    pub name: String,
    /// The question; without the arguments, where these were not recorded.
    pub question: Question,
    /// The answer it got, and the ids of the policies that made it.
    pub answer: Option<(Outcome, Vec<String>)>,
}

/// One question that gets another answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The name the question came under, such as the id of its call.
    pub name: String,
    /// The question in a few words.
    pub question: String,
    /// What the current policies say.
    pub current: Answer,
    /// What the proposed ones say.
    pub proposed: Answer,
}

/// One side of a difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The answer in one word.
    pub outcome: Outcome,
    /// What it obliges to.
    pub obligations: Obligations,
    /// The policies that made it.
    pub by: Vec<PolicyRef>,
    /// The answer in a sentence.
    pub reason: String,
}

/// Asks both sets of policies every question, and lists where the answers or their obligations differ. Where the arguments
/// are not known and the current policies look at them, the answer of that time is what is compared.
///
/// That another policy gives the same answer is no difference.
#[must_use]
pub fn compare(
    current: &Policies,
    proposed: &Policies,
    questions: impl Iterator<Item = Recalled>,
) -> Comparison {
    let mut comparison = Comparison::default();
    for Recalled {
        name,
        question,
        answer: recorded,
    } in questions
    {
        comparison.asked += 1;
        if proposed.lacks_arguments(&question) {
            comparison.unknown.push(name);
            continue;
        }
        let then = answer(proposed, &question);
        let recorded = recorded.filter(|_| current.lacks_arguments(&question));
        let (now, is_other) = match recorded {
            Some((outcome, by)) => (recalled(current, outcome, &by), outcome != then.outcome),
            None => {
                let now = answer(current, &question);
                let is_other = (now.outcome, &now.obligations) != (then.outcome, &then.obligations);
                (now, is_other)
            }
        };
        if is_other {
            comparison.differences.push(Difference {
                name,
                question: question.ask.to_string(),
                current: now,
                proposed: then,
            });
        }
    }
    comparison
}

/// An answer as it was recorded; policies that are no more are left out.
fn recalled(policies: &Policies, outcome: Outcome, by: &[String]) -> Answer {
    Answer {
        outcome,
        obligations: Obligations::default(),
        by: policies.named(by),
        reason: format!("{outcome}, as it was recorded"),
    }
}

fn answer(policies: &Policies, question: &Question) -> Answer {
    let decision = policies.decide(question);
    Answer {
        outcome: decision.outcome(),
        by: decision
            .determining
            .iter()
            .map(|one| one.as_ref().clone())
            .collect(),
        obligations: decision.obligations,
        reason: decision.reason,
    }
}
