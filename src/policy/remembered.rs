//! Answers that are given again without asking.
//!
//! Most policies look at who calls which tool and nothing else, and the same agent calls the same tool again and again. Where
//! no policy mentions what changes from call to call, the answer to the same question is the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::decide::Decision;
use super::question::{Ask, Environment, Principal, Question, SessionState, Tool};

/// How many answers are kept; when there are more, all are forgotten.
const MOST: usize = 1024;
/// What changes from call to call, by the words a policy has to use for it. A word in a comment counts too: it costs time
/// and nothing else.
const CHANGING: [&str; 3] = ["time", "args", "calls"];

/// Answers by question.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    is_changing: bool,
    answers: Mutex<HashMap<Key, Decision>>,
}

/// Everything a question is about but what changes from call to call.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    principal: Principal,
    tool: Tool,
    environment: Environment,
    session: SessionState,
}

impl Remembered {
    /// Remembers for the policies with these texts.
    pub(super) fn of(texts: &[(&str, &str)]) -> Self {
        Self {
            is_changing: texts
                .iter()
                .any(|(_, text)| CHANGING.iter().any(|word| text.contains(word))),
            answers: Mutex::default(),
        }
    }

    /// The answer from before, or the one that `ask` gives. Answers that come of an error are not kept.
    pub(super) fn answer(&self, question: &Question, ask: impl FnOnce() -> Decision) -> Decision {
        let Ask::Invoke { resource, .. } = &question.ask else {
            return ask();
        };
        if self.is_changing {
            return ask();
        }
        let key = Key {
            principal: question.principal.clone(),
            tool: resource.clone(),
            environment: question.environment.clone(),
            session: SessionState {
                calls: 0,
                ..question.session.clone()
            },
        };
        let lock = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let decision = ask();
        if decision.errors.is_empty() {
            let mut answers = lock();
            if answers.len() >= MOST {
                answers.clear();
            }
            answers.insert(key, decision.clone());
        }
        decision
    }
}
