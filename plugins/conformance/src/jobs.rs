//! Tools that take a while: what the suite runs as tasks.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toolhatch_plugin::{Call, Content, Question, Result, ToolError, tool};

use crate::answer::{ask_name, field};

#[derive(Deserialize, JsonSchema)]
struct Confirmation {
    confirm: bool,
}

/// Greets
#[tool(name = "greet")]
pub fn greet(name: String) -> Content {
    Content::text(format!("Hello, {name}!"))
}

/// Takes as long as it is told
#[tool(name = "slow_compute")]
pub fn slow_compute(
    #[serde(default)]
    #[schemars(range(min = 0))]
    seconds: f64,
    #[serde(default)] label: String,
) -> Content {
    std::thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Content::text(format!("Computed {label}"))
}

/// Fails after a second
#[tool(name = "failing_job")]
pub fn failing_job() -> Result<()> {
    std::thread::sleep(Duration::from_secs(1));
    Err(ToolError::failed("the job failed, as it always does"))
}

/// Crashes
#[tool(name = "protocol_error_job")]
#[expect(clippy::panic, reason = "that is what the tool is for")]
pub fn protocol_error_job() -> Content {
    panic!("the job crashed, as it always does")
}

/// Asks before it pretends to delete
#[tool(name = "confirm_delete")]
pub fn confirm_delete(filename: String, call: &Call) -> Result<Content> {
    let question = Question::form::<Confirmation>(format!("Delete {filename}?")).name("confirm");
    let answer = call.ask(question)?;
    let confirmation = answer.read::<Confirmation>();
    let is_confirmed = confirmation.is_ok_and(|confirmation| confirmation.confirm);
    Ok(Content::text(if is_confirmed {
        format!("Deleted {filename}")
    } else {
        format!("Kept {filename}")
    }))
}

/// Asks two things at once
#[tool(name = "multi_input")]
pub fn multi_input(call: &Call) -> Result<Content> {
    call.ask_all([
        ask_name("first", "What is your name?"),
        Question::form::<Confirmation>("And are you sure?").name("second"),
    ])?;
    Ok(Content::text("Both were answered"))
}

/// Asks for a name, and greets
#[tool(name = "test_tool_with_task")]
pub fn with_task(call: &Call) -> Result<Content> {
    let answer = call.ask(ask_name("user_name", "What is your name?"))?;
    Ok(Content::text(format!("Hello, {}!", field(&answer, "name"))))
}
