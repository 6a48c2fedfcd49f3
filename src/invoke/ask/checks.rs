//! What a tool asks, checked before anybody sees it, and the answers, before the tool does.

use std::collections::HashSet;

use http::Uri;
use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::exec::{Ask, InputAnswer, InputNeeded, InputRequest};
use crate::schema::Validator;

/// How many questions may be asked together.
pub(super) const REQUESTS: usize = 32;
/// How many bytes questions that are asked together may have.
pub(super) const QUESTIONS: usize = 256 << 10;
/// How many bytes a tool may want to remember.
pub(super) const STATE: usize = 64 << 10;
/// How long the name of a question may be.
const NAME: usize = 128;
/// How long an address may be.
const URL: usize = 4096;

/// What is needed to check answers.
pub(super) struct Checks(Vec<Option<Validator>>);

impl Checks {
    /// Checks the questions themselves.
    ///
    /// # Errors
    /// E3306 where there is too much of them, E3308 where they are no questions.
    pub(super) fn of(needed: &InputNeeded) -> Result<Self> {
        let too_much = |what: &str| Err(Error::new(Code::E3306, what.to_owned()));
        if needed.requests.len() > REQUESTS {
            return too_much(&format!("it asks more than {REQUESTS} questions at once"));
        }
        if needed.requests.is_empty() {
            return Err(Error::new(
                Code::E3308,
                "it waits for an answer and asks nothing",
            ));
        }
        if needed
            .state
            .as_ref()
            .is_some_and(|state| state.len() > STATE)
        {
            return too_much(&format!(
                "it wants to remember more than {} KiB",
                STATE >> 10
            ));
        }
        let bytes: usize = needed.requests.iter().map(size).sum();
        if bytes > QUESTIONS {
            return too_much(&format!(
                "its questions have more than {} KiB",
                QUESTIONS >> 10
            ));
        }
        let mut names = HashSet::new();
        needed
            .requests
            .iter()
            .map(|request| {
                let name = request.name.as_str();
                if name.is_empty() || name.len() > NAME || name.chars().any(char::is_control) {
                    return Err(Error::new(
                        Code::E3308,
                        "a question has a name that is none",
                    ));
                }
                if !names.insert(name) {
                    let twice = format!("two questions are named {name:?}");
                    return Err(Error::new(Code::E3308, twice));
                }
                check(&request.ask)
                    .map_err(|error| error.while_doing(format!("the question {name:?}")))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// What is wrong with the answers, if anything is.
    pub(super) fn wrong(&self, needed: &InputNeeded, answers: &[InputAnswer]) -> Option<String> {
        if answers.len() != needed.requests.len() {
            return Some(format!(
                "there are {} questions and {} answers",
                needed.requests.len(),
                answers.len()
            ));
        }
        let all = needed.requests.iter().zip(answers).zip(&self.0);
        for ((request, answer), validator) in all {
            let InputAnswer::Accepted(value) = answer else {
                continue;
            };
            if !value.is_object() {
                return Some(format!(
                    "{:?} is answered, and not with an object",
                    request.name
                ));
            }
            if let Some(validator) = validator
                && let Err(error) = validator.validate_answer(value)
            {
                return Some(format!("{:?}: {error}", request.name));
            }
        }
        None
    }
}

fn size(request: &InputRequest) -> usize {
    request.name.len()
        + match &request.ask {
            Ask::Form { message, schema } => message.len() + schema.to_string().len(),
            Ask::Url { message, url } => message.len() + url.len(),
            Ask::Client { method, params } => method.len() + params.to_string().len(),
        }
}

/// Checks one question, and compiles its schema where it has one.
fn check(ask: &Ask) -> Result<Option<Validator>> {
    let wrong = |what: String| Err(Error::new(Code::E3308, what));
    match ask {
        Ask::Form { schema, .. } => {
            if let Some(why) = not_flat(schema) {
                return wrong(why);
            }
            let validator = Validator::new(schema).map_err(|error| {
                Error::new(Code::E3308, "its schema is not valid").caused_by(error)
            })?;
            Ok(Some(validator))
        }
        Ask::Url { url, .. } if !is_address(url) => {
            wrong("its address is none that a person could open".to_owned())
        }
        Ask::Url { .. } => Ok(None),
        Ask::Client { method, params } => match method.as_str() {
            "sampling/createMessage" | "roots/list" if params.is_object() => Ok(None),
            "sampling/createMessage" | "roots/list" => {
                wrong(format!("the parameters of {method} are no object"))
            }
            _ => wrong("it asks the client for something that tools cannot ask for".to_owned()),
        },
    }
}

/// Why a schema is not that of a form: an object whose properties are texts, numbers, truth values or choices.
fn not_flat(schema: &Value) -> Option<String> {
    let word = |schema: &Value| {
        schema
            .get("type")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    if word(schema).as_deref() != Some("object") {
        return Some("its schema is not that of an object".to_owned());
    }
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let (name, _) = properties.iter().find(|(_, property)| {
        let is_flat = match word(property).as_deref() {
            Some("string" | "number" | "integer" | "boolean") => true,
            Some("array") => property.get("items").is_some_and(|items| {
                items.get("properties").is_none() && items.get("items").is_none()
            }),
            _ => false,
        };
        !is_flat
    })?;
    Some(format!(
        "{name:?} in its schema is not a plain value or a list of choices"
    ))
}

/// True for what a person can be sent to: another site over TLS, or something on this machine.
pub(super) fn is_address(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let is_here = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    // What stands before an @ is there to make an address look like another.
    let is_plain = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    let is_safe = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_here,
        _ => false,
    };
    url.len() <= URL && is_safe && is_plain
}
