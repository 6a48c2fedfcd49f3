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

/// Asks both sets of policies every question, each under a name, and lists where the answers or their obligations differ.
///
/// That another policy gives the same answer is no difference.
#[must_use]
pub fn compare(
    current: &Policies,
    proposed: &Policies,
    questions: impl Iterator<Item = (String, Question)>,
) -> Comparison {
    let mut comparison = Comparison::default();
    for (name, question) in questions {
        comparison.asked += 1;
        let now = answer(current, &question);
        let then = answer(proposed, &question);
        if (now.outcome, &now.obligations) != (then.outcome, &then.obligations) {
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
