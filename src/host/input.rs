//! What a guest asks and is told: between the types of the WIT and those of executors.

use super::bindings::toolhatch::plugin::types;
use super::outcome::json;
use crate::error::Result;
use crate::exec::{Ask, Ended, Input, InputAnswer, InputNeeded, InputRequest, Job};

/// What a guest knows about its call.
pub(super) fn context(job: &Job) -> types::CallContext {
    let Input {
        answers,
        state,
        askable,
    } = &job.input;
    let mut can = types::Askable::empty();
    for (is_askable, flag) in [
        (askable.form, types::Askable::FORM),
        (askable.url, types::Askable::URL),
        (askable.sampling, types::Askable::SAMPLING),
        (askable.roots, types::Askable::ROOTS),
    ] {
        if is_askable {
            can |= flag;
        }
    }
    types::CallContext {
        call_id: job.call.to_string(),
        deadline_ms: u64::try_from(job.limits.timeout.as_millis()).ok(),
        askable: can,
        answers: answers.iter().map(answer).collect(),
        state: state.clone(),
    }
}

fn answer(answer: &InputAnswer) -> types::InputAnswer {
    match answer {
        InputAnswer::Accepted(value) => types::InputAnswer::Accepted(value.to_string()),
        InputAnswer::Declined => types::InputAnswer::Declined,
        InputAnswer::Cancelled => types::InputAnswer::Cancelled,
    }
}

/// What a guest asks.
///
/// # Errors
/// E3308 where a schema or parameters are not JSON.
pub(super) fn needed(needed: types::InputNeeded) -> Result<Ended> {
    let requests = needed.requests.into_iter().enumerate();
    let requests = requests.map(|(index, request)| {
        Ok(InputRequest {
            name: request
                .name
                .unwrap_or_else(|| format!("question-{}", index + 1)),
            ask: match request.ask {
                types::Ask::Form(form) => Ask::Form {
                    schema: json("the schema of a question", &form.schema)?,
                    message: form.message,
                },
                types::Ask::Url(address) => Ask::Url {
                    message: address.message,
                    url: address.url,
                },
                types::Ask::Client(request) => Ask::Client {
                    params: json("parameters for the client", &request.params)?,
                    method: request.method,
                },
            },
        })
    });
    Ok(Ended::NeedsInput(InputNeeded {
        requests: requests.collect::<Result<_>>()?,
        state: needed.state,
    }))
}
