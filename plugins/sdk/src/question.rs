//! Questions that a tool asks in the middle of a call, and their answers.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bindings::toolhatch::plugin::types::{
    Address, Ask, ClientRequest, Form, InputAnswer, InputNeeded, InputRequest,
};
use crate::schema::form_schema;
use crate::{Context as _, Result, ToolError};

/// One question, mostly for a person. See [`Call::ask`](crate::Call::ask).
#[derive(Debug, Clone, PartialEq)]
pub struct Question(InputRequest);

impl Question {
    /// A form for a person, whose fields are those of `T`: texts, numbers, truth values, and enums to choose from. Doc
    /// comments become the descriptions of the fields.
    pub fn form<T: JsonSchema>(message: impl Into<String>) -> Self {
        Self::form_of(message, &form_schema::<T>())
    }

    /// A form for a person, by its JSON Schema.
    pub fn form_of(message: impl Into<String>, schema: &Value) -> Self {
        Self::new(Ask::Form(Form {
            message: message.into(),
            schema: schema.to_string(),
        }))
    }

    /// An address for a person to open, where something is done that neither the tool nor its caller sees, such as signing
    /// in. The address is `https`, or `http` on this machine.
    pub fn url(message: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(Ask::Url(Address {
            message: message.into(),
            url: url.into(),
        }))
    }

    /// A request for the caller's client, as MCP words it: `sampling/createMessage` or `roots/list`. MCP has deprecated
    /// such requests, and nothing new should need one.
    pub fn client(method: impl Into<String>, params: &Value) -> Self {
        Self::new(Ask::Client(ClientRequest {
            method: method.into(),
            params: params.to_string(),
        }))
    }

    fn new(ask: Ask) -> Self {
        Self(InputRequest { name: None, ask })
    }

    /// Gives the question the name that callers know it by. Where there is none, the host makes one up.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }
}

/// Questions that are asked together, and what the tool wants to be reminded of when they are answered. An error, for it
/// ends the call: `return Err(Questions::new([…]).into())`.
///
/// [`Call::ask`](crate::Call::ask) does that by itself. This is for tools that keep a state of their own between the
/// question and [`Call::answers`](crate::Call::answers).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Questions {
    requests: Vec<Question>,
    state: Option<Vec<u8>>,
}

impl Questions {
    /// These questions: at least one, at most 32.
    pub fn new(questions: impl IntoIterator<Item = Question>) -> Self {
        Self {
            requests: questions.into_iter().collect(),
            state: None,
        }
    }

    /// What [`Call::state`](crate::Call::state) gives back with the answers: at most 64 KiB.
    #[must_use]
    pub fn state(mut self, state: impl Into<Vec<u8>>) -> Self {
        self.state = Some(state.into());
        self
    }
}

impl From<Questions> for ToolError {
    fn from(questions: Questions) -> Self {
        Self::NeedsInput(Box::new(questions))
    }
}

impl From<Questions> for InputNeeded {
    fn from(questions: Questions) -> Self {
        Self {
            requests: questions
                .requests
                .into_iter()
                .map(|question| question.0)
                .collect(),
            state: questions.state,
        }
    }
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Answered: of a form the object that was filled in, of an address an empty object, of a request for the client its
    /// result.
    Accepted(Value),
    /// The answer is no.
    Declined,
    /// The question was closed without deciding.
    Cancelled,
}

impl Answer {
    pub(crate) fn of(answer: &InputAnswer) -> Self {
        match answer {
            // The host gives an object; whatever else it might be is kept as what it is.
            InputAnswer::Accepted(json) => Self::Accepted(
                serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.clone())),
            ),
            InputAnswer::Declined => Self::Declined,
            InputAnswer::Cancelled => Self::Cancelled,
        }
    }

    /// What was answered, if anything.
    pub fn accepted(&self) -> Option<&Value> {
        match self {
            Self::Accepted(value) => Some(value),
            Self::Declined | Self::Cancelled => None,
        }
    }

    /// Reads what was answered. For a tool that cannot go on without.
    ///
    /// # Errors
    /// [`ToolError::Failed`] where it was declined or closed, or does not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        match self {
            Self::Accepted(value) => T::deserialize(value).context("cannot read the answer"),
            Self::Declined => Err(ToolError::failed("the question was declined")),
            Self::Cancelled => Err(ToolError::failed(
                "the question was closed without an answer",
            )),
        }
    }
}
