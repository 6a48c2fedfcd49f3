//! Questions that a tool asks in the middle of a call, and their answers.
//!
//! A tool that needs an answer returns with its questions, and is run again with the answers; or it waits for the answer where
//! it is, and its executor asks for it through [`Asking`]. Who answers while the call waits is a [`Respondent`].

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::BoxFuture;
use crate::ids::{CallId, ToolId};

/// Questions, and what the tool wants to remember until they are answered.
///
/// A front door that keeps nothing between two calls can write it as JSON, protect that, and have its client carry it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputNeeded {
    /// The questions, in order.
    pub requests: Vec<InputRequest>,
    /// Handed back unchanged with the answers.
    #[serde(default, with = "base64", skip_serializing_if = "Option::is_none")]
    pub state: Option<Vec<u8>>,
}

/// Bytes as a text, so that they do not take four times their room.
mod base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(de::Error::custom))
            .transpose()
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRequest {
    /// The name it is known by, unique among those that are asked together.
    pub name: String,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked, and of whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Ask {
    /// A person, who fills in a form.
    Form {
        /// The question, in words.
        message: String,
        /// A JSON Schema of the answer, a flat object.
        schema: Value,
    },
    /// A person, who does something at an address.
    Url {
        /// What it is for, in words.
        message: String,
        /// The address.
        url: String,
    },
    /// The caller's client, as MCP words it: `sampling/createMessage` or `roots/list`.
    Client {
        /// The method.
        method: String,
        /// Its parameters, an object.
        params: Value,
    },
}

impl Ask {
    /// Which kind of question it is, in records and errors.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Form { .. } => "form",
            Self::Url { .. } => "url",
            Self::Client { method, .. } => method,
        }
    }
}

impl InputRequest {
    /// The JSON form of errors.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (kind, name) = (self.ask.kind(), &self.name);
        match &self.ask {
            Ask::Form { message, schema } => {
                json!({"name": name, "kind": kind, "message": message, "schema": schema})
            }
            Ask::Url { message, url } => {
                json!({"name": name, "kind": kind, "message": message, "url": url})
            }
            Ask::Client { params, .. } => json!({"name": name, "kind": kind, "params": params}),
        }
    }
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum InputAnswer {
    /// Answered: an object. Of a form it fits the schema; of an address it is empty; of a request for the client it is the
    /// result.
    Accepted(Value),
    /// The answer is no.
    Declined,
    /// The question was closed without deciding.
    Cancelled,
}

impl InputAnswer {
    /// What became of the question, without the answer.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What somebody can be asked in the middle of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Askable {
    /// A person, with a form.
    pub form: bool,
    /// A person, with an address to open.
    pub url: bool,
    /// The caller's model, with `sampling/createMessage`.
    pub sampling: bool,
    /// The caller's client, with `roots/list`.
    pub roots: bool,
}

impl Askable {
    /// True where somebody can be asked this.
    #[must_use]
    pub fn can(self, ask: &Ask) -> bool {
        match ask {
            Ask::Form { .. } => self.form,
            Ask::Url { .. } => self.url,
            Ask::Client { method, .. } if method == "roots/list" => self.roots,
            Ask::Client { .. } => self.sampling,
        }
    }
}

/// What a tool is told when it is run again, and what it can ask.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The answers to what it asked before, in the order of its questions.
    pub answers: Vec<InputAnswer>,
    /// What it wanted to remember.
    pub state: Option<Vec<u8>>,
    /// What it can ask.
    pub askable: Askable,
}

/// What somebody is asked while a call waits.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// The call.
    pub call: CallId,
    /// The tool that asks: whoever answers should know whom they tell.
    pub tool: ToolId,
    /// The questions, in order: the words of the tool.
    pub requests: Vec<InputRequest>,
    /// What was wrong with the answer before, where it is asked again.
    pub wrong: Option<String>,
    /// The tool waits for the answer where it is: no later call can go on from there.
    pub waits: bool,
}

/// Somebody who can answer questions while a call waits: a person at a terminal, or the client of a server.
pub trait Respondent: Send + Sync {
    /// What it can be asked. It declines all else.
    fn askable(&self) -> Askable;

    /// Answers: one answer for each question, in order; or nothing, where nobody answers now. Dropped where the call is
    /// cancelled or takes too long.
    fn answer<'a>(&'a self, inquiry: &'a Inquiry) -> BoxFuture<'a, Option<Vec<InputAnswer>>>;

    /// Who answers, as it is written down.
    fn name(&self) -> String;
}

/// Has questions answered while a job runs, for a tool that waits for the answer instead of returning with the question. The
/// time that somebody takes to answer is not the tool's.
pub trait Asking: Send + Sync + fmt::Debug {
    /// Has these answered: one answer for each, in order; or nothing, where nobody can answer now. Where the call ends over
    /// them (nobody answered in time, the questions are no questions, there were too many) the job is dropped instead.
    /// Dropped where the tool does not want to know any more.
    fn ask(&self, requests: Vec<InputRequest>) -> BoxFuture<'_, Option<Vec<InputAnswer>>>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask() -> impl Strategy<Value = Ask> {
        prop_oneof![
            ".{0,9}".prop_map(|message| Ask::Form {
                message,
                schema: json!({"type": "object"}),
            }),
            (".{0,9}", ".{0,9}").prop_map(|(message, url)| Ask::Url { message, url }),
            ".{0,9}".prop_map(|method| Ask::Client {
                method,
                params: json!({}),
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            requests in prop::collection::vec((".{0,9}", ask()), 0..4),
            state in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        ) {
            let requests = requests.into_iter();
            let needed = InputNeeded {
                requests: requests.map(|(name, ask)| InputRequest { name, ask }).collect(),
                state,
            };
            let text = serde_json::to_string(&needed).expect("written");
            prop_assert_eq!(serde_json::from_str::<InputNeeded>(&text).expect("read"), needed);
        }
    }
}
