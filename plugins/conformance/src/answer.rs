//! Questions that several tools ask, and what is read from answers.

use schemars::JsonSchema;
use serde_json::{Value, json};
use toolhatch_plugin::{Answer, Question};

/// A form with a name.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is a form, and read as JSON")]
struct Name {
    name: String,
}

/// Asks a person for a name.
pub fn ask_name(name: &str, message: &str) -> Question {
    Question::form::<Name>(message).name(name)
}

/// Has the caller's model answer a text.
pub fn sampling(name: &str, prompt: &str, most: u32) -> Question {
    let params = json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}],
        "maxTokens": most,
    });
    Question::client("sampling/createMessage", &params).name(name)
}

/// Asks for the folders that the caller's client works in.
pub fn roots(name: &str) -> Question {
    Question::client("roots/list", &json!({})).name(name)
}

/// The word of MCP for what became of a question.
pub fn action(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted(_) => "accept",
        Answer::Declined => "decline",
        Answer::Cancelled => "cancel",
    }
}

/// What was said; null where nothing was.
pub fn content(answer: &Answer) -> &Value {
    answer.accepted().unwrap_or(&Value::Null)
}

/// A text of what was said; empty where it is not there.
pub fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    text_of(content(answer), name)
}

/// What the caller's model said.
pub fn sampled(answer: &Answer) -> &str {
    let content = content(answer).get("content");
    content
        .map(|content| text_of(content, "text"))
        .unwrap_or_default()
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
