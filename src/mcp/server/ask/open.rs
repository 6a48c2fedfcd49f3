//! What waits for a client that is asked when its request has ended: kept here, by the handle that it hands back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::{InputRequest as McpRequest, InputRequiredResult, InputResponses};

use super::super::underway as call;
use super::{APPROVAL, approval, is_yes, mcp, read};
use crate::exec::{InputAnswer, InputNeeded, InputRequest, Subject};
use crate::ids::{CallId, Digest};
use crate::invoke::Resumed;

/// How long questions wait for answers.
const HOLD: Duration = Duration::from_secs(60 * 60);
/// How many questions wait at once; the oldest are forgotten.
const MOST: usize = 1000;
/// What waits for a client's answers.
#[derive(Debug)]
pub(in crate::mcp::server) enum Open {
    /// A person's approval.
    Approval(Subject),
    /// Questions of the tool, which returned with them.
    Questions(InputNeeded),
    /// Questions of a tool that waits for the answers.
    Waiting(Box<call::Waiting>),
}

/// What a client came back with.
#[derive(Debug)]
pub(in crate::mcp::server) enum Back {
    /// A person decided on an approval.
    Decided {
        /// The id of the question.
        id: String,
        /// Their answer.
        yes: bool,
    },
    /// Answers to the questions of a tool.
    Answers(Resumed),
    /// Answers for a tool that waits for them.
    Waiting(Box<call::Waiting>, Vec<InputAnswer>),
}

/// Why a client's answers are of no use.
#[derive(Debug)]
pub(in crate::mcp::server) enum Useless {
    /// There is no such handle, for this client and this request.
    Unknown,
    /// An answer is missing: it is asked again.
    Missing(Box<Open>),
}

/// What waits for answers, by the handle that clients hand back.
#[derive(Debug, Default)]
pub(in crate::mcp::server) struct Questions {
    waiting: Mutex<VecDeque<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    handle: String,
    /// Whom it was given to, and for which request: nobody else can use it, and for no other.
    bound_to: Digest,
    since: Instant,
    open: Open,
}

impl Questions {
    /// What the client gets in place of a result.
    pub(in crate::mcp::server) fn ask(&self, open: Open, bound_to: Digest) -> InputRequiredResult {
        let requests = match &open {
            Open::Approval(subject) => vec![approval(subject)],
            Open::Questions(needed) => needed.requests.clone(),
            Open::Waiting(waiting) => waiting.asked.needed.requests.clone(),
        };
        let requests: BTreeMap<String, McpRequest> = requests
            .iter()
            .filter_map(|request| {
                let asked = serde_json::from_value(mcp(request)).ok()?;
                Some((request.name.clone(), asked))
            })
            .collect();
        // An id of a call has 80 random bits; two of them are nothing that anybody guesses.
        let handle = format!("{}{}", CallId::generate(), CallId::generate());
        let mut waiting = self.lock();
        if waiting.len() >= MOST {
            waiting.pop_front();
        }
        waiting.push_back(Waiting {
            handle: handle.clone(),
            bound_to,
            since: Instant::now(),
            open,
        });
        InputRequiredResult::new(Some(requests), Some(handle))
    }

    /// What the client came back with. A handle is used once.
    pub(in crate::mcp::server) fn back(
        &self,
        handle: &str,
        bound_to: Digest,
        responses: Option<&InputResponses>,
    ) -> Result<Back, Useless> {
        let open = {
            let mut waiting = self.lock();
            waiting.retain(|one| one.since.elapsed() < HOLD);
            let at = waiting
                .iter()
                .position(|one| one.handle == handle && one.bound_to == bound_to)
                .ok_or(Useless::Unknown)?;
            waiting.remove(at).ok_or(Useless::Unknown)?.open
        };
        let response = |name: &str| responses.and_then(|responses| responses.get(name));
        match open {
            Open::Approval(subject) => match response(APPROVAL) {
                Some(response) => Ok(Back::Decided {
                    yes: is_yes(response),
                    id: subject.id,
                }),
                None => Err(Useless::Missing(Box::new(Open::Approval(subject)))),
            },
            Open::Questions(needed) => match answers(&needed, responses) {
                Some(answers) => Ok(Back::Answers(Resumed { needed, answers })),
                None => Err(Useless::Missing(Box::new(Open::Questions(needed)))),
            },
            Open::Waiting(waiting) => match answers(&waiting.asked.needed, responses) {
                Some(answers) => Ok(Back::Waiting(waiting, answers)),
                None => Err(Useless::Missing(Box::new(Open::Waiting(waiting)))),
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer for each question, where all are answered.
fn answers(needed: &InputNeeded, responses: Option<&InputResponses>) -> Option<Vec<InputAnswer>> {
    let requests = needed.requests.iter();
    let answer = |request: &InputRequest| {
        let response = responses?.get(&request.name)?;
        Some(read(&request.ask, response.clone()))
    };
    requests.map(answer).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exec::Ask;

    fn questions() -> InputNeeded {
        InputNeeded {
            requests: vec![InputRequest {
                name: "who".to_owned(),
                ask: Ask::Form {
                    message: "Who?".to_owned(),
                    schema: json!({"type": "object"}),
                },
            }],
            state: Some(b"state".to_vec()),
        }
    }

    #[test]
    fn answers_come_back_once_and_to_the_same_request() {
        let (mine, other) = (Digest::of(b"mine"), Digest::of(b"other"));
        let kept = Questions::default();
        let asked = kept.ask(Open::Questions(questions()), mine);
        let handle = asked.request_state.expect("a handle");
        let responses: InputResponses = [(
            "who".to_owned(),
            json!({"action": "accept", "content": {"name": "Ada"}}),
        )]
        .into();
        let back = |handle: &str, bound_to| kept.back(handle, bound_to, Some(&responses));
        assert!(matches!(back(&handle, other), Err(Useless::Unknown)));
        assert!(matches!(back("guess", mine), Err(Useless::Unknown)));
        let Ok(Back::Answers(resumed)) = back(&handle, mine) else {
            panic!("answers");
        };
        assert_eq!(resumed.needed, questions());
        assert_eq!(
            resumed.answers,
            [InputAnswer::Accepted(json!({"name": "Ada"}))]
        );
        assert!(matches!(back(&handle, mine), Err(Useless::Unknown)));
    }

    #[test]
    fn what_is_not_answered_is_asked_again() {
        let mine = Digest::of(b"mine");
        let kept = Questions::default();
        let handle = kept.ask(Open::Questions(questions()), mine).request_state;
        let back = kept.back(&handle.expect("a handle"), mine, None);
        let Err(Useless::Missing(open)) = back else {
            panic!("missing");
        };
        assert!(kept.ask(*open, mine).request_state.is_some());
    }
}
