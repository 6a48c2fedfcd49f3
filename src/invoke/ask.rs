//! Questions of a tool in the middle of a call: they are checked, somebody is asked, and the answers are checked.

mod meanwhile;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::record::CallRecord;
use super::{Request, Resumed};
use crate::error::{Code, Error, Result};
use crate::exec::{Ask, Ended, Input, InputAnswer, InputNeeded, InputRequest, Inquiry, Respondent};
use crate::ids::ToolId;
use crate::schema::Validator;

pub(super) use meanwhile::{Attended, Line};

/// How often a tool may ask in one call.
const ROUNDS: u32 = 16;
/// How often the same is asked where the answers do not fit.
const TRIES: u32 = 3;
/// How long an answer may take. It does not count as time of the tool.
const PATIENCE: Duration = Duration::from_secs(600);
/// How many questions may be asked together.
const REQUESTS: usize = 32;
/// How many bytes questions that are asked together may have.
const QUESTIONS: usize = 256 << 10;
/// How many bytes a tool may want to remember.
const STATE: usize = 64 << 10;
/// How long the name of a question may be.
const NAME: usize = 128;
/// How long an address may be.
const URL: usize = 4096;

/// What a call has asked and was told so far.
pub(super) struct Conversation<'a> {
    respondent: Option<Arc<dyn Respondent>>,
    cancel: CancellationToken,
    call: crate::ids::CallId,
    tool: ToolId,
    record: &'a CallRecord,
    rounds: u32,
    /// For the next run of the tool.
    pub(super) input: Input,
    /// Something was answered, so the result follows from more than the arguments.
    pub(super) was_told: bool,
    /// Questions that were left open when the call ended.
    pub(super) open: Option<InputNeeded>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(request: &Request, tool: &ToolId, record: &'a CallRecord) -> Self {
        let respondent = request.caller.respondent.clone();
        let askable = respondent.as_ref().map(|respondent| respondent.askable());
        Self {
            input: Input {
                askable: askable.unwrap_or_default(),
                ..Input::default()
            },
            respondent,
            cancel: request.cancel.clone(),
            call: request.call,
            tool: tool.clone(),
            record,
            rounds: 0,
            was_told: false,
            open: None,
        }
    }

    /// True where somebody can be asked while the call waits.
    pub(super) fn has_respondent(&self) -> bool {
        self.respondent.is_some()
    }

    /// Goes on where an earlier call ended with questions. Answers that do not fit are asked for again, where somebody can be
    /// asked.
    ///
    /// # Errors
    /// How the call ends.
    pub(super) async fn resume(&mut self, resumed: Resumed) -> Result<(), Ended> {
        let Resumed { needed, answers } = resumed;
        let checks = self.checks(&needed).map_err(Ended::NotRun)?;
        match checks.wrong(&needed, &answers) {
            None => {
                let taken = self.take("the caller", needed, answers);
                taken.map_err(Ended::NotRun)
            }
            Some(wrong) => self.ask_for(needed, &checks, Some(wrong)).await,
        }
    }

    /// Has the questions of a run answered.
    ///
    /// # Errors
    /// How the call ends: with the questions where nobody answers, and with what is wrong with them or with the answers.
    pub(super) async fn ask(&mut self, needed: InputNeeded) -> Result<(), Ended> {
        self.count().map_err(Ended::NotRun)?;
        let checks = self.checks(&needed).map_err(Ended::NotRun)?;
        self.ask_for(needed, &checks, None).await
    }

    /// Has questions answered that came while the tool runs and waits. Nothing where nobody can be asked this now.
    ///
    /// # Errors
    /// How the call ends. No later one can go on from there: what waited for the answers is gone.
    pub(super) async fn ask_meanwhile(
        &mut self,
        requests: Vec<InputRequest>,
    ) -> Result<Option<Vec<InputAnswer>>, Ended> {
        self.count().map_err(Ended::NotRun)?;
        let needed = InputNeeded {
            requests,
            state: None,
        };
        let checks = self.checks(&needed).map_err(Ended::NotRun)?;
        let mut asked = needed.requests.iter();
        let can = asked.all(|request| self.input.askable.can(&request.ask));
        let Some(respondent) = self.respondent.clone().filter(|_| can) else {
            return Ok(None);
        };
        let put = self.put(&*respondent, &needed, &checks, None, true).await;
        self.open = None;
        put
    }

    fn count(&mut self) -> Result<()> {
        self.rounds += 1;
        if self.rounds <= ROUNDS {
            return Ok(());
        }
        Err(Error::new(
            Code::E3411,
            format!("{} asked more than {ROUNDS} times in one call", self.tool),
        )
        .detail("rounds", ROUNDS))
    }

    fn checks(&self, needed: &InputNeeded) -> Result<Checks> {
        Checks::of(needed)
            .map_err(|error| error.while_doing(format!("reading what {} asks", self.tool)))
    }

    async fn ask_for(
        &mut self,
        needed: InputNeeded,
        checks: &Checks,
        wrong: Option<String>,
    ) -> Result<(), Ended> {
        let Some(respondent) = self.respondent.clone() else {
            self.open = Some(needed.clone());
            return Err(match wrong {
                Some(wrong) => Ended::NotRun(self.unfit(&wrong)),
                None => Ended::NeedsInput(needed),
            });
        };
        match self
            .put(&*respondent, &needed, checks, wrong, false)
            .await?
        {
            Some(answers) => {
                self.input.answers = answers;
                self.input.state = needed.state;
                Ok(())
            }
            None => {
                self.open = Some(needed.clone());
                Err(Ended::NeedsInput(needed))
            }
        }
    }

    /// Puts the questions to somebody, again where the answers do not fit. Nothing where nobody answers now. The tool `waits` where
    /// it did not return with them.
    async fn put(
        &mut self,
        respondent: &dyn Respondent,
        needed: &InputNeeded,
        checks: &Checks,
        mut wrong: Option<String>,
        waits: bool,
    ) -> Result<Option<Vec<InputAnswer>>, Ended> {
        for _ in 0..TRIES {
            let inquiry = Inquiry {
                call: self.call,
                tool: self.tool.clone(),
                requests: needed.requests.clone(),
                wrong: wrong.take(),
                waits,
            };
            let answering = tokio::time::timeout(PATIENCE, respondent.answer(&inquiry));
            let answered = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Ended::Cancelled),
                answered = answering => answered,
            };
            let by = respondent.name();
            let Ok(answered) = answered else {
                self.note(&by, needed, &[]).map_err(Ended::NotRun)?;
                self.open = Some(needed.clone());
                return Err(Ended::NotRun(Error::new(
                    Code::E3215,
                    format!(
                        "nobody answered within {} minutes what {} asks",
                        PATIENCE.as_secs() / 60,
                        self.tool
                    ),
                )));
            };
            let Some(answers) = answered else {
                self.note(&by, needed, &[]).map_err(Ended::NotRun)?;
                return Ok(None);
            };
            match checks.wrong(needed, &answers) {
                None => {
                    self.note(&by, needed, &answers).map_err(Ended::NotRun)?;
                    self.was_told = true;
                    return Ok(Some(answers));
                }
                why => wrong = why,
            }
        }
        let error = self.unfit(&wrong.unwrap_or_default());
        self.open = Some(needed.clone());
        Err(Ended::NotRun(error))
    }

    fn unfit(&self, wrong: &str) -> Error {
        Error::new(
            Code::E3216,
            format!(
                "the answer to what {} asks does not fit: {wrong}",
                self.tool
            ),
        )
    }

    fn take(&mut self, by: &str, needed: InputNeeded, answers: Vec<InputAnswer>) -> Result<()> {
        self.note(by, &needed, &answers)?;
        self.was_told = true;
        self.input.answers = answers;
        self.input.state = needed.state;
        Ok(())
    }

    /// Records who was asked and what became of it.
    fn note(&self, by: &str, needed: &InputNeeded, answers: &[InputAnswer]) -> Result<()> {
        self.record.asked(&needed.requests, answers, by)
    }
}

/// What is needed to check answers.
struct Checks(Vec<Option<Validator>>);

impl Checks {
    /// Checks the questions themselves.
    ///
    /// # Errors
    /// E3306 where there is too much of them, E3308 where they are no questions.
    fn of(needed: &InputNeeded) -> Result<Self> {
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
    fn wrong(&self, needed: &InputNeeded, answers: &[InputAnswer]) -> Option<String> {
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
fn is_address(url: &str) -> bool {
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

#[cfg(test)]
mod tests;
