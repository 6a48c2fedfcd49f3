//! From how a call ended to what the client gets.
//!
//! What went wrong in a call is a result with `isError`, which the model reads: it can do something about it. Errors of the
//! protocol are for requests that name no tool.

use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Value, json};

use crate::error::Error;
use crate::exec::{Content, Output};
use crate::invoke::Report;

/// The key of the call's id, and of the code of its error, in `_meta`.
const CALL: &str = "toolhatch/call";
const ERROR: &str = "toolhatch/error";

/// What the client gets of this call.
pub(super) fn answer(report: &Report) -> CallToolResult {
    let mut meta = MetaObject::new();
    meta.insert(CALL.to_owned(), report.call.to_string().into());
    let mut result = match &report.result {
        Ok(output) => succeeded(output),
        Err(error) => {
            meta.insert(ERROR.to_owned(), error.code().name().into());
            failed(error)
        }
    };
    if report.untrusted && report.result.is_ok() {
        meta.insert("toolhatch/untrusted".to_owned(), true.into());
    }
    result.meta = Some(meta);
    result
}

fn succeeded(output: &Output) -> CallToolResult {
    let mut content: Vec<ContentBlock> = output.content.iter().map(block).collect();
    // Not every client looks at structured content: those that do not read it as text.
    if let Some(structured) = &output.structured
        && content.is_empty()
    {
        content.push(ContentBlock::text(structured.to_string()));
    }
    let mut result = CallToolResult::success(content);
    result.structured_content.clone_from(&output.structured);
    result
}

/// A block as MCP has it. What cannot be one is told as text: nothing is lost without a word.
pub(super) fn block(content: &Content) -> ContentBlock {
    let json = content.to_json();
    serde_json::from_value(json).unwrap_or_else(|error| {
        ContentBlock::text(format!("[a block of content is left out: {error}]"))
    })
}

/// An error of a call, as the model reads it.
pub(super) fn failed(error: &Error) -> CallToolResult {
    let mut text = format!("{}: {error}", error.code().name());
    for cause in error.causes() {
        text.push_str("\nbecause: ");
        text.push_str(&cause);
    }
    for hint in error.hints() {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    let details = error.details();
    // What violates a schema is told path by path, so that the model can mend it; the rest is for people and programs.
    if let Some(violations) = details.get("violations").filter(|it| !it.is_null()) {
        text.push_str("\nviolations: ");
        text.push_str(&violations.to_string());
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    // What a tool says of its own error, and a command of its end, is a result of a kind.
    if let Some(structured) = details.get("structured") {
        result
            .content
            .push(ContentBlock::text(structured.to_string()));
    }
    result
}

/// The error of a request that names no tool, with what might be meant.
pub(super) fn unknown_tool(name: &str, near: Option<&str>) -> rmcp::ErrorData {
    let mut message = format!("there is no tool {:?}", cut(name));
    if let Some(near) = near {
        message.push_str(&format!("; did you mean {near:?}?"));
    }
    rmcp::ErrorData::invalid_params(message, None)
}

/// An error outside of any call.
pub(super) fn protocol_error(error: &Error) -> rmcp::ErrorData {
    let data: Value = json!({"code": error.code().name(), "hints": error.hints()});
    rmcp::ErrorData::internal_error(error.to_string(), Some(data))
}

fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}
