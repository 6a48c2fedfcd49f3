//! Tools that take a while: what the suite runs as tasks.

use std::time::Duration;

use serde_json::Value;

use crate::answer::{Answer, asks, field, form, says, told};
use crate::bindings::toolhatch::plugin::types::{CallContext, ToolError};

type Context = CallContext;

const NAME: &str =
    r#"{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}"#;
const CONFIRM: &str =
    r#"{"type":"object","properties":{"confirm":{"type":"boolean"}},"required":["confirm"]}"#;

pub fn greet(arguments: &Value, _: &Context) -> Answer {
    says(format!("Hello, {}!", field(arguments, "name")))
}

pub fn slow_compute(arguments: &Value, _: &Context) -> Answer {
    let seconds = arguments.get("seconds").and_then(Value::as_f64);
    let wait = Duration::try_from_secs_f64(seconds.unwrap_or_default());
    std::thread::sleep(wait.unwrap_or_default());
    says(format!("Computed {}", field(arguments, "label")))
}

pub fn failing_job(_: &Value, _: &Context) -> Answer {
    std::thread::sleep(Duration::from_secs(1));
    Err(ToolError::Failed(
        "the job failed, as it always does".to_owned(),
    ))
}

#[expect(clippy::panic, reason = "that is what the tool is for")]
pub fn protocol_error_job(_: &Value, _: &Context) -> Answer {
    panic!("the job crashed, as it always does")
}

pub fn confirm_delete(arguments: &Value, context: &Context) -> Answer {
    let file = field(arguments, "filename");
    let Some(told) = told(context) else {
        let question = format!("Delete {file}?");
        return asks(vec![form("confirm", &question, CONFIRM)], None);
    };
    let is_confirmed = told.content.get("confirm") == Some(&Value::Bool(true));
    says(if is_confirmed {
        format!("Deleted {file}")
    } else {
        format!("Kept {file}")
    })
}

pub fn multi_input(_: &Value, context: &Context) -> Answer {
    if context.answers.len() < 2 {
        return asks(
            vec![
                form("first", "What is your name?", NAME),
                form("second", "And are you sure?", CONFIRM),
            ],
            None,
        );
    }
    says("Both were answered")
}

pub fn with_task(_: &Value, context: &Context) -> Answer {
    let Some(told) = told(context) else {
        return asks(vec![form("user_name", "What is your name?", NAME)], None);
    };
    says(format!("Hello, {}!", field(&told.content, "name")))
}
