//! What tests need in place of a host.
//!
//! A test calls the function of a tool as it is. Natively the log goes nowhere, progress is reported to nobody, and
//! [`state`](crate::state) is kept in memory; commands, requests and calls of other tools fail as unavailable, unless the
//! test says what answers them: [`exec`], [`http`], [`invoke`]. All of that belongs to the thread of the test, so tests do
//! not see each other.
//!
//! [`run`] calls a tool with JSON, as a host does, and [`info`] is what a host is told about it:
//!
//! ```
//! use toolhatch_plugin::serde_json::json;
//! use toolhatch_plugin::{Result, testing, tool};
//!
//! /// Doubles a number.
//! #[tool]
//! fn double(
//!     /// The number.
//!     number: u32,
//! ) -> u32 {
//!     number * 2
//! }
//!
//! let output = testing::run::<double>(&json!({"number": 21})).unwrap();
//! assert_eq!(output.structured, Some(json!({"result": 42})));
//! assert_eq!(testing::info::<double>().description, "Doubles a number.");
//! ```

use std::time::Duration;

use serde_json::Value;

use crate::bindings::toolhatch::plugin::types::InputAnswer;
use crate::invoke::Output;
use crate::{Answer, Askable, Call, Outcome, Result, Tool, ToolError, ToolInfo};

/// Runs a tool with a JSON object of arguments, as a host does, and returns what it answers. The type of a tool has the name
/// of its function.
///
/// # Errors
/// What the tool says; [`ToolError::InvalidArguments`] where the arguments do not fit its types.
pub fn run<T: Tool>(arguments: &Value) -> Result<Output> {
    run_with::<T>(arguments, &Call::default())
}

/// The same, in a call that the test made.
///
/// # Errors
/// As [`run`]; [`ToolError::NeedsInput`] where the tool asks something.
pub fn run_with<T: Tool>(arguments: &Value, call: &Call) -> Result<Output> {
    match T::run(&arguments.to_string(), call)? {
        Outcome::Complete(output) => Ok(Output {
            structured: output
                .structured
                .map(|json| serde_json::from_str(&json))
                .transpose()?,
            content: output.content,
        }),
        // `#[tool]` writes no tool that asks in this way.
        Outcome::NeedsInput(_) => Err(ToolError::failed("the tool asks something")),
    }
}

/// What a host is told about a tool.
pub fn info<T: Tool>() -> ToolInfo {
    crate::tool::info::<T>()
}

/// A call to test a tool with that takes `&Call`: everything can be asked, nothing is answered yet.
pub fn call() -> CallBuilder {
    CallBuilder {
        deadline: None,
        askable: Askable::all(),
        answers: Vec::new(),
        state: None,
    }
}

/// Makes a [`Call`].
#[derive(Debug)]
#[must_use = "it makes a call with `build`"]
pub struct CallBuilder {
    deadline: Option<Duration>,
    askable: Askable,
    answers: Vec<InputAnswer>,
    state: Option<Vec<u8>>,
}

impl CallBuilder {
    /// How much time the call has.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// What can be asked.
    pub fn askable(mut self, askable: Askable) -> Self {
        self.askable = askable;
        self
    }

    /// Adds the answer to a question of before.
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(match answer {
            Answer::Accepted(value) => InputAnswer::Accepted(value.to_string()),
            Answer::Declined => InputAnswer::Declined,
            Answer::Cancelled => InputAnswer::Cancelled,
        });
        self
    }

    /// Gives back what the tool wanted to be reminded of.
    pub fn state(mut self, state: impl Into<Vec<u8>>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// The call.
    pub fn build(self) -> Call {
        // Some ULID.
        let id = "01JZZZZZZZZZZZZZZZZZZZZZZZ".to_owned();
        Call::new(id, self.deadline, self.askable, self.answers, self.state)
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use double::{call_other, run_command, send, with};
pub use double::{config, exec, http, invoke};

mod double {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use serde_json::Value;

    use crate::invoke::Output;
    use crate::{exec, http, invoke};

    type Answers<Question, Answer> = Option<Box<dyn FnMut(Question) -> Answer>>;

    /// What stands in for the host, in one thread.
    #[derive(Default)]
    pub struct Double {
        pub state: BTreeMap<String, Vec<u8>>,
        pub config: BTreeMap<String, String>,
    }

    thread_local! {
        static DOUBLE: RefCell<Double> = RefCell::default();
        static EXEC: RefCell<Answers<exec::Command, Result<exec::Finished, exec::Error>>> = const { RefCell::new(None) };
        static HTTP: RefCell<Answers<http::Request, Result<http::Response, http::Error>>> = const { RefCell::new(None) };
        static INVOKE: RefCell<Answers<(String, Value), Result<Output, invoke::Error>>> = const { RefCell::new(None) };
    }

    pub fn with<T>(act: impl FnOnce(&mut Double) -> T) -> T {
        DOUBLE.with_borrow_mut(act)
    }

    /// Sets a value that [`config`](crate::config) reads.
    pub fn config(name: impl Into<String>, value: impl Into<String>) {
        with(|double| double.config.insert(name.into(), value.into()));
    }

    /// Answers the commands that tools of this thread run from now on.
    pub fn exec(
        answer: impl FnMut(exec::Command) -> Result<exec::Finished, exec::Error> + 'static,
    ) {
        EXEC.set(Some(Box::new(answer)));
    }

    /// Answers the requests that tools of this thread send from now on.
    pub fn http(
        answer: impl FnMut(http::Request) -> Result<http::Response, http::Error> + 'static,
    ) {
        HTTP.set(Some(Box::new(answer)));
    }

    /// Answers the calls of other tools from now on: the closure gets the id of the tool and the arguments.
    pub fn invoke(mut answer: impl FnMut(&str, Value) -> Result<Output, invoke::Error> + 'static) {
        INVOKE.set(Some(Box::new(move |(tool, arguments): (String, Value)| {
            answer(&tool, arguments)
        })));
    }

    pub fn run_command(command: exec::Command) -> Result<exec::Finished, exec::Error> {
        EXEC.with_borrow_mut(|answer| match answer {
            Some(answer) => answer(command),
            None => Err(exec::Error::Unavailable(outside("testing::exec"))),
        })
    }

    pub fn send(request: http::Request) -> Result<http::Response, http::Error> {
        HTTP.with_borrow_mut(|answer| match answer {
            Some(answer) => answer(request),
            None => Err(http::Error::Unavailable(outside("testing::http"))),
        })
    }

    pub fn call_other(tool: &str, arguments: Value) -> Result<Output, invoke::Error> {
        INVOKE.with_borrow_mut(|answer| match answer {
            Some(answer) => answer((tool.to_owned(), arguments)),
            None => Err(invoke::Error::Unavailable(outside("testing::invoke"))),
        })
    }

    fn outside(double: &str) -> String {
        format!("this is not available outside of a host; a test says what happens with `{double}`")
    }
}
