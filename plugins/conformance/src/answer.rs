//! What tools get and give: arguments, answers, results, questions.

use serde_json::Value;

use crate::bindings::toolhatch::plugin::types::{
    Ask, CallContext, ClientRequest, Content, Form, InputAnswer, InputNeeded, InputRequest,
    Outcome, Output, TextContent, ToolError,
};

/// What a tool returns.
pub type Answer = Result<Outcome, ToolError>;

/// A block of text.
pub fn text(text: impl Into<String>) -> Content {
    Content::Text(TextContent {
        text: text.into(),
        annotations: None,
    })
}

/// A result of these blocks.
pub fn blocks(content: Vec<Content>) -> Answer {
    Ok(Outcome::Complete(Output {
        structured: None,
        content,
    }))
}

/// A result of one block of text.
pub fn says(answer: impl Into<String>) -> Answer {
    blocks(vec![text(answer)])
}

/// A form for a person.
pub fn form(name: &str, message: &str, schema: &str) -> InputRequest {
    InputRequest {
        name: Some(name.to_owned()),
        ask: Ask::Form(Form {
            message: message.to_owned(),
            schema: schema.to_owned(),
        }),
    }
}

/// A request for the caller's model to answer a text.
pub fn sampling(name: &str, prompt: &str, most: u32) -> InputRequest {
    let params = serde_json::json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}],
        "maxTokens": most,
    });
    client(name, "sampling/createMessage", &params)
}

/// A request for the folders the caller's client works in.
pub fn roots(name: &str) -> InputRequest {
    client(name, "roots/list", &serde_json::json!({}))
}

fn client(name: &str, method: &str, params: &Value) -> InputRequest {
    InputRequest {
        name: Some(name.to_owned()),
        ask: Ask::Client(ClientRequest {
            method: method.to_owned(),
            params: params.to_string(),
        }),
    }
}

/// Waits for these to be answered, with something to remember or without.
pub fn needs(requests: Vec<InputRequest>, state: Option<&str>) -> InputNeeded {
    InputNeeded {
        requests,
        state: state.map(|state| state.as_bytes().to_vec()),
    }
}

/// The same, of a tool.
pub fn asks(requests: Vec<InputRequest>, state: Option<&str>) -> Answer {
    Ok(Outcome::NeedsInput(needs(requests, state)))
}

/// The first answer, if there is one.
pub fn told(context: &CallContext) -> Option<Told> {
    context.answers.first().map(of)
}

/// An answer: what became of the question, and what was said.
pub struct Told {
    /// The word of MCP.
    pub action: &'static str,
    /// What was said; null where nothing was.
    pub content: Value,
}

fn of(answer: &InputAnswer) -> Told {
    let (action, content) = match answer {
        InputAnswer::Accepted(json) => {
            ("accept", serde_json::from_str(json).unwrap_or(Value::Null))
        }
        InputAnswer::Declined => ("decline", Value::Null),
        InputAnswer::Cancelled => ("cancel", Value::Null),
    };
    Told { action, content }
}

/// A text of an object; empty where it is not there.
pub fn field(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

/// What the caller's model said.
pub fn sampled(told: &Told) -> String {
    told.content
        .get("content")
        .map(|content| field(content, "text"))
        .unwrap_or_default()
}
