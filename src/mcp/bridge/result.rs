//! The result of a call, read from raw JSON block by block: a block that cannot be read becomes a sentence that says what
//! was there, and the others stay.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::message::cut;
use super::question;
use crate::error::{Code, Error};
use crate::exec::{
    Ask, Askable, Content, Ended, Input, InputAnswer, InputNeeded, InputRequest, LimitKind, Output,
    ResourceBody, ToolError, ToolErrorKind,
};

/// The most blocks of one result.
const MAX_BLOCKS: usize = 10_000;
/// The longest error message of a tool that is shown, in characters.
const MAX_MESSAGE: usize = 16_000;
/// The most questions to a person in one result.
const MAX_QUESTIONS: usize = 20;

/// How a call ended whose result is this. `most` is the size that results may have, in bytes; `askable`, what the call can
/// ask.
pub(super) fn ended(result: &Value, most: u64, askable: Askable) -> Ended {
    let Value::Object(result) = result else {
        return malformed("the result is not a JSON object");
    };
    match result.get("resultType").and_then(Value::as_str) {
        None | Some("complete") => {}
        Some("input_required") => return needs_input(result, askable),
        Some(other) => {
            return malformed(&format!(
                "the result is of the kind {:?}, which nobody asked for",
                cut(other, 40)
            ));
        }
    }
    let mut output = Output {
        structured: result
            .get("structuredContent")
            .filter(|structured| !structured.is_null())
            .cloned(),
        content: blocks(result),
        prompt: None,
    };
    if size(&output) > most {
        return Ended::LimitReached {
            limit: LimitKind::Output,
            value: most,
        };
    }
    if result.get("isError").and_then(Value::as_bool) == Some(true) {
        return Ended::Failed(failure(output));
    }
    if output.content.is_empty()
        && let Some(structured) = &output.structured
    {
        // People read text; the protocol asks servers to send both, and some do not.
        output.content.push(Content::text(structured.to_string()));
    }
    Ended::Complete(output)
}

fn malformed(why: &str) -> Ended {
    Ended::NotRun(
        Error::new(
            Code::E3508,
            format!("reading the result of the tool: {why}"),
        )
        .hint("Report it to the author of the server."),
    )
}

/// The blocks, in order. What old servers write where there should be a list is understood.
fn blocks(result: &Map<String, Value>) -> Vec<Content> {
    match result.get("content") {
        Some(Value::Array(blocks)) => {
            let mut content: Vec<Content> = blocks.iter().take(MAX_BLOCKS).map(block).collect();
            if blocks.len() > MAX_BLOCKS {
                content.push(placeholder(&format!(
                    "{} more blocks were left out",
                    blocks.len() - MAX_BLOCKS
                )));
            }
            content
        }
        Some(Value::String(text)) => vec![Content::text(text.clone())],
        Some(one @ Value::Object(_)) => vec![block(one)],
        Some(Value::Null) | None => match result.get("toolResult") {
            Some(Value::String(text)) => vec![Content::text(text.clone())],
            Some(old) if !old.is_null() => vec![Content::text(old.to_string())],
            _ => Vec::new(),
        },
        Some(other) => vec![placeholder(&format!(
            "the content is not a list of blocks: {}",
            cut(&other.to_string(), 200)
        ))],
    }
}

/// One block, or a sentence that says why there is none.
fn block(raw: &Value) -> Content {
    read_block(raw).unwrap_or_else(|why| placeholder(&why))
}

fn placeholder(what: &str) -> Content {
    Content::text(format!("[{what}]"))
}

fn read_block(raw: &Value) -> Result<Content, String> {
    let Value::Object(block) = raw else {
        return match raw {
            Value::String(text) => Ok(Content::text(text.clone())),
            other => Err(format!(
                "a block that is no JSON object: {}",
                cut(&other.to_string(), 200)
            )),
        };
    };
    let annotations = block
        .get("annotations")
        .filter(|annotations| annotations.is_object())
        .cloned();
    let text = |key: &str| block.get(key).and_then(Value::as_str).map(str::to_owned);
    match block.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Content::Text {
            text: text("text").ok_or("a block of text without its text")?,
            annotations,
        }),
        Some("image") => Ok(Content::Image {
            data: decoded(block, "data", "an image")?,
            mime_type: text("mimeType").unwrap_or_else(|| "application/octet-stream".to_owned()),
            annotations,
        }),
        Some("audio") => Ok(Content::Audio {
            data: decoded(block, "data", "a sound")?,
            mime_type: text("mimeType").unwrap_or_else(|| "application/octet-stream".to_owned()),
            annotations,
        }),
        Some("resource_link") => {
            let uri = text("uri").ok_or("a link to a resource without its URI")?;
            Ok(Content::ResourceLink {
                name: text("name").unwrap_or_else(|| uri.clone()),
                description: text("description"),
                mime_type: text("mimeType"),
                size: block.get("size").and_then(Value::as_u64),
                uri,
                annotations,
            })
        }
        Some("resource") => resource(block, annotations),
        Some(kind) => Err(format!(
            "a block of the kind {:?}, which nothing here understands{}",
            cut(kind, 60),
            described(block)
        )),
        None => Err("a block that does not say what it is".to_owned()),
    }
}

fn resource(block: &Map<String, Value>, annotations: Option<Value>) -> Result<Content, String> {
    let Some(Value::Object(inner)) = block.get("resource") else {
        return Err("a resource without its content".to_owned());
    };
    let text = |key: &str| inner.get(key).and_then(Value::as_str).map(str::to_owned);
    let uri = text("uri").unwrap_or_default();
    let body = if let Some(text) = text("text") {
        ResourceBody::Text(text)
    } else if inner.contains_key("blob") {
        ResourceBody::Blob(decoded(inner, "blob", "a resource")?)
    } else {
        return Err(format!(
            "the resource {} without its content",
            cut(&uri, 200)
        ));
    };
    Ok(Content::Resource {
        uri,
        mime_type: text("mimeType"),
        body,
        annotations,
    })
}

/// What is known of a block that is not understood.
fn described(block: &Map<String, Value>) -> String {
    let mime = block.get("mimeType").and_then(Value::as_str);
    let bytes = Value::Object(block.clone()).to_string().len();
    match mime {
        Some(mime) => format!(" ({}, {bytes} bytes)", cut(mime, 60)),
        None => format!(" ({bytes} bytes)"),
    }
}

/// Bytes in any usual form of base64.
fn decoded(block: &Map<String, Value>, key: &str, what: &str) -> Result<Vec<u8>, String> {
    let Some(text) = block.get(key).and_then(Value::as_str) else {
        return Err(format!("{what} without its data"));
    };
    let text = match text.contains(|c: char| c.is_ascii_whitespace()) {
        true => text.split_ascii_whitespace().collect(),
        false => std::borrow::Cow::Borrowed(text),
    };
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text.as_bytes()).ok())
        .ok_or_else(|| format!("{what} whose data is not base64"))
}

/// How many bytes a result takes.
fn size(output: &Output) -> u64 {
    let structured = output
        .structured
        .as_ref()
        .map_or(0, |structured| structured.to_string().len());
    let content: usize = output
        .content
        .iter()
        .map(|block| match block {
            Content::Text { text, .. } => text.len(),
            Content::Image { data, .. } | Content::Audio { data, .. } => data.len(),
            Content::ResourceLink {
                uri,
                name,
                description,
                ..
            } => uri.len() + name.len() + description.as_ref().map_or(0, String::len),
            Content::Resource { uri, body, .. } => {
                uri.len()
                    + match body {
                        ResourceBody::Text(text) => text.len(),
                        ResourceBody::Blob(bytes) => bytes.len(),
                    }
            }
        })
        .sum();
    (structured + content) as u64
}

/// What a tool says of its failure: its text, and what else it sent.
fn failure(output: Output) -> ToolError {
    let is_text = |block: &Content| matches!(block, Content::Text { .. });
    let said: Vec<&str> = output
        .content
        .iter()
        .filter_map(|block| match block {
            Content::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let message = match said.join("\n") {
        said if said.trim().is_empty() => "it did not say why".to_owned(),
        said => cut(&said, MAX_MESSAGE),
    };
    let others: Vec<Value> = output
        .content
        .iter()
        .filter(|block| !is_text(block))
        .map(Content::to_json)
        .collect();
    ToolError {
        kind: ToolErrorKind::Failed,
        message,
        structured: match (output.structured, others.is_empty()) {
            (structured, true) => structured,
            (None, false) => Some(json!({ "content": others })),
            (Some(structured), false) => Some(json!({"structured": structured, "content": others})),
        },
    }
}

/// How a call ended that was answered with an error of the protocol.
pub(super) fn refused(error: &Value) -> Ended {
    let code = error.get("code").and_then(Value::as_i64);
    let message = match error.get("message").and_then(Value::as_str) {
        Some(message) => cut(message, MAX_MESSAGE),
        None => cut(&error.to_string(), 400),
    };
    let kind = match code {
        Some(-32602) => ToolErrorKind::InvalidArguments,
        Some(-32601) => ToolErrorKind::UnknownTool,
        _ => ToolErrorKind::Failed,
    };
    let mut structured = Map::new();
    if let Some(code) = code {
        structured.insert("code".into(), code.into());
    }
    if let Some(data) = error.get("data").filter(|data| !data.is_null()) {
        structured.insert("data".into(), data.clone());
    }
    Ended::Failed(ToolError {
        kind,
        message,
        structured: (!structured.is_empty()).then_some(Value::Object(structured)),
    })
}

/// A result that asks first (2026-07-28), `askable` being what can be asked. All else that it asks for is refused.
fn needs_input(result: &Map<String, Value>, askable: Askable) -> Ended {
    let asked = match result.get("inputRequests") {
        Some(Value::Object(asked)) if !asked.is_empty() => asked,
        _ => return malformed("it asks for input, and not for which"),
    };
    if asked.len() > MAX_QUESTIONS {
        return malformed(&format!("it asks more than {MAX_QUESTIONS} questions"));
    }
    let mut requests = Vec::new();
    for (name, request) in asked {
        let method = request.get("method").and_then(Value::as_str);
        let params = request.get("params").cloned();
        let params = params.unwrap_or_else(|| json!({}));
        match question::read(method.unwrap_or_default(), params, askable) {
            Ok(ask) => requests.push(InputRequest {
                name: name.clone(),
                ask,
            }),
            Err(what) => {
                return Ended::Failed(ToolError {
                    kind: ToolErrorKind::Failed,
                    message: format!("it asks for {what}, which is not offered here"),
                    structured: None,
                });
            }
        }
    }
    let waiting = Waiting {
        names: requests.iter().map(|it| it.name.clone()).collect(),
        forms: requests
            .iter()
            .map(|it| !matches!(it.ask, Ask::Client { .. }))
            .collect(),
        state: result
            .get("requestState")
            .and_then(Value::as_str)
            .map(str::to_owned),
    };
    Ended::NeedsInput(InputNeeded {
        requests,
        state: serde_json::to_vec(&waiting).ok(),
    })
}

/// What is remembered of a call that waits for answers.
#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    /// The names of the questions, in order.
    names: Vec<String>,
    /// Which of them are for a person.
    forms: Vec<bool>,
    /// What the server wants back.
    state: Option<String>,
}

/// The answers to what a server asked, as it wants them, and what it wanted back; nothing where it asked nothing.
pub(super) fn answers(input: &Input) -> Option<(BTreeMap<String, Value>, Option<String>)> {
    let waiting: Waiting = serde_json::from_slice(input.state.as_deref()?).ok()?;
    let named = waiting.names.into_iter().zip(waiting.forms);
    let answered = named.zip(&input.answers).map(|((name, is_form), answer)| {
        let answer = match answer {
            InputAnswer::Accepted(value) if is_form => {
                json!({"action": "accept", "content": value})
            }
            InputAnswer::Accepted(value) => value.clone(),
            InputAnswer::Declined => json!({"action": "decline"}),
            InputAnswer::Cancelled => json!({"action": "cancel"}),
        };
        (name, answer)
    });
    Some((answered.collect(), waiting.state))
}

#[cfg(test)]
mod tests;
