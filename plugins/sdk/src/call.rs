//! What a tool knows about the call it is in.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use crate::bindings::toolhatch::plugin::types::{CallContext, InputAnswer};
use crate::{Answer, Askable, Question, Questions, Result, ToolError};

/// The call that a tool is in. A tool gets it by a parameter of type `&Call`, which no caller sees; tests make one with
/// [`testing::call`](crate::testing::call), or `Call::default()`.
#[derive(Debug)]
pub struct Call {
    id: String,
    deadline: Option<Duration>,
    askable: Askable,
    /// As they came, and read: reading is for those who ask.
    given: Vec<InputAnswer>,
    answers: OnceCell<Vec<Answer>>,
    state: Option<Vec<u8>>,
    /// All answers that [`Call::ask`] has got so far, in the order of the questions.
    known: OnceCell<Vec<Answer>>,
    /// How many of them it has handed out.
    asked: Cell<usize>,
}

impl Call {
    pub(crate) fn new(
        id: String,
        deadline: Option<Duration>,
        askable: Askable,
        given: Vec<InputAnswer>,
        state: Option<Vec<u8>>,
    ) -> Self {
        Self {
            id,
            deadline,
            askable,
            given,
            answers: OnceCell::new(),
            state,
            known: OnceCell::new(),
            asked: Cell::new(0),
        }
    }

    /// The id of the call: a ULID that also stands in logs and audit records. Calls that are run again with an answer may
    /// have one each.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How much time there was when the call began, where it has a deadline.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Says whether this can be asked. Whoever asks for anything else gets no answer: the call ends.
    pub fn can_ask(&self, what: Askable) -> bool {
        self.askable.contains(what)
    }

    /// Asks something, mostly a person, and returns the answer.
    ///
    /// A question ends the call, with `?`. When it is answered, the function is run again from its beginning, and this time
    /// the same line returns the answer. So what comes before a question has to come out the same, and what changes
    /// something belongs behind the last one.
    ///
    /// ```
    /// # use schemars::JsonSchema;
    /// # use serde::Deserialize;
    /// use toolhatch_plugin::{Call, Question, Result, tool};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Confirmation {
    ///     /// Really delete it?
    ///     confirm: bool,
    /// }
    ///
    /// /// Deletes a branch, after a person has agreed.
    /// #[tool]
    /// fn delete_branch(
    ///     /// The branch.
    ///     name: String,
    ///     call: &Call,
    /// ) -> Result<String> {
    ///     let question = Question::form::<Confirmation>(format!("Delete {name}?"));
    ///     let answer: Confirmation = call.ask(question)?.read()?;
    ///     Ok(if answer.confirm { format!("deleted {name}") } else { format!("kept {name}") })
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ToolError::NeedsInput`] where it is not answered yet: pass it on.
    pub fn ask(&self, question: Question) -> Result<Answer> {
        let answers = self.ask_all([question])?;
        answers
            .into_iter()
            .next()
            .ok_or_else(|| ToolError::failed("a question has no answer"))
    }

    /// Asks several things at once, at most 32, and returns the answers in the order of the questions.
    ///
    /// # Errors
    /// As [`Call::ask`].
    pub fn ask_all(&self, questions: impl IntoIterator<Item = Question>) -> Result<Vec<Answer>> {
        let questions: Vec<Question> = questions.into_iter().collect();
        let known = self.known()?;
        let from = self.asked.get();
        let to = from + questions.len();
        if let Some(answers) = known.get(from..to) {
            self.asked.set(to);
            return Ok(answers.to_vec());
        }
        if known.len() > from {
            return Err(ToolError::failed(
                "the tool asks other questions than before: what comes before a question has to come out the same",
            ));
        }
        let questions = Questions::new(questions);
        Err(if known.is_empty() {
            questions.into()
        } else {
            questions.state(serde_json::to_vec(known)?).into()
        })
    }

    fn known(&self) -> Result<&Vec<Answer>> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let mut known: Vec<Answer> = match &self.state {
            None => Vec::new(),
            Some(state) => serde_json::from_slice(state).map_err(|_| {
                ToolError::failed(
                    "the tool keeps a state of its own, which `Call::ask` cannot read",
                )
            })?,
        };
        known.extend_from_slice(self.answers());
        Ok(self.known.get_or_init(|| known))
    }

    /// The answers to the questions that ended the call before, in their order; empty where it is the first.
    /// [`Call::ask`] looks after them by itself.
    pub fn answers(&self) -> &[Answer] {
        self.answers
            .get_or_init(|| self.given.iter().map(Answer::of).collect())
    }

    /// The state that was given with these questions, unchanged. See [`Questions::state`].
    pub fn state(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }
}

impl Default for Call {
    fn default() -> Self {
        Self::new(String::new(), None, Askable::empty(), Vec::new(), None)
    }
}

impl From<CallContext> for Call {
    fn from(context: CallContext) -> Self {
        Self::new(
            context.call_id,
            context.deadline_ms.map(Duration::from_millis),
            context.askable,
            context.answers,
            context.state,
        )
    }
}

#[cfg(test)]
mod tests;
