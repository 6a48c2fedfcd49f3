//! From what wasmtime and the guest say to one [`Ended`].

use wasmtime::{PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::bindings::toolhatch::plugin::types;
use super::input;
use super::state::State;
use crate::error::{Code, Error, Result};
use crate::exec::{
    Content, Ended, Frame, LimitKind, Output, ResourceBody, ToolError, ToolErrorKind,
};
use crate::manifest::limits::Limits;
use crate::schema::{self, Function, Returned, Value};

/// The guest called into the host too often; thrown by the call hook, found again in the error of the call.
#[derive(Debug)]
pub(super) struct HostCallsExhausted;

impl std::fmt::Display for HostCallsExhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the budget of host calls is used up")
    }
}

impl std::error::Error for HostCallsExhausted {}

/// How much of stderr is looked at for the guest's own last words.
const LAST_WORDS: usize = 4096;

/// Explains why a call ended in an error.
pub(super) fn of_error(error: &wasmtime::Error, store: &Store<State>, limits: &Limits) -> Ended {
    if error.downcast_ref::<HostCallsExhausted>().is_some() {
        return reached(LimitKind::HostCalls, limits.host_calls);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Ended::Exited {
            code: exit.0,
            structured: None,
        };
    }
    let state = store.data();
    let trap = error.downcast_ref::<Trap>().copied();
    match trap {
        Some(Trap::StackOverflow) => {
            return reached(LimitKind::Stack, super::engine::WASM_STACK as u64);
        }
        Some(Trap::OutOfFuel) => return reached(LimitKind::Fuel, limits.fuel),
        _ => {}
    }
    // A guest that was refused memory usually goes on and traps a little later: the refusal is the reason.
    if let Some((kind, value)) = state.limiter.refused() {
        return reached(kind, value);
    }
    let text = format!("{error:#}");
    // wasmtime has no type for this one.
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return if state.in_host {
            reached(LimitKind::Transfer, super::call::TRANSFER as u64)
        } else {
            reached(LimitKind::Output, limits.output)
        };
    }
    if text.contains("resource limit exceeded") {
        return reached(LimitKind::Instances, limits.instances.into());
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Ended::NotRun(Error::new(Code::E3408, "no place in the pool was free"));
    }
    if text.contains("handle limit exceeded") || text.contains("resource table has no free keys") {
        return reached(LimitKind::Handles, super::call::HANDLES as u64);
    }
    let backtrace = backtrace(error);
    if trap.is_none() && backtrace.is_empty() && !state.in_host {
        // No code of the guest was running: what it had returned could not be read.
        return Ended::NotRun(
            Error::new(
                Code::E3308,
                "the tool returned something that is no value of its type",
            )
            .caused_by(std::io::Error::other(text)),
        );
    }
    Ended::Crashed {
        message: last_words(state, trap, error),
        backtrace,
    }
}

fn reached(limit: LimitKind, value: u64) -> Ended {
    Ended::LimitReached { limit, value }
}

/// What the guest itself said last, where it did, because "unreachable" tells nobody anything.
fn last_words(state: &State, trap: Option<Trap>, error: &wasmtime::Error) -> String {
    let reason = trap.map_or_else(|| error.root_cause().to_string(), |trap| trap.to_string());
    let said = state.events.stderr_tail(LAST_WORDS);
    if said.is_empty() {
        reason
    } else {
        format!("{said} ({reason})")
    }
}

fn backtrace(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    backtrace
        .frames()
        .iter()
        .map(|frame| {
            let symbol = frame.symbols().first();
            let function = symbol
                .and_then(|symbol| symbol.name())
                .or_else(|| frame.func_name())
                .map_or_else(|| format!("function {}", frame.func_index()), readable);
            let location =
                symbol.and_then(|symbol| Some(format!("{}:{}", symbol.file()?, symbol.line()?)));
            Frame { function, location }
        })
        .collect()
}

/// Removes the hash that Rust puts behind names.
fn readable(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}

/// The outcome of a tool of a plugin.
pub(super) fn of_plugin(
    result: std::result::Result<types::Outcome, types::ToolError>,
) -> Result<Ended> {
    Ok(match result {
        Ok(types::Outcome::Complete(output)) => Ended::Complete(Output {
            structured: output
                .structured
                .map(|text| json("its structured result", &text))
                .transpose()?,
            content: output.content.into_iter().map(content).collect(),
            prompt: None,
        }),
        Ok(types::Outcome::NeedsInput(needed)) => input::needed(needed)?,
        Err(error) => Ended::Failed(tool_error(error)),
    })
}

pub(super) fn json(what: &str, text: &str) -> Result<serde_json::Value> {
    schema::parse_strict(text).map_err(|error| {
        Error::new(
            Code::E3308,
            format!("the tool returned {what}, which is not JSON"),
        )
        .caused_by(error)
    })
}

pub(super) fn tool_error(error: types::ToolError) -> ToolError {
    let (kind, message) = match error {
        types::ToolError::InvalidArguments(message) => (ToolErrorKind::InvalidArguments, message),
        types::ToolError::NotPermitted(message) => (ToolErrorKind::NotPermitted, message),
        types::ToolError::NotFound(message) => (ToolErrorKind::NotFound, message),
        types::ToolError::UnknownTool(message) => (ToolErrorKind::UnknownTool, message),
        types::ToolError::Failed(message) => (ToolErrorKind::Failed, message),
        types::ToolError::Retryable(advice) => {
            (ToolErrorKind::Retryable(advice.after_ms), advice.message)
        }
    };
    ToolError {
        kind,
        message,
        structured: None,
    }
}

pub(super) fn annotations(annotations: Option<types::Annotations>) -> Option<serde_json::Value> {
    let annotations = annotations?;
    let mut object = serde_json::Map::new();
    if !annotations.audience.is_empty() {
        let audience: Vec<&str> = annotations
            .audience
            .iter()
            .map(|audience| match audience {
                types::Audience::User => "user",
                types::Audience::Assistant => "assistant",
            })
            .collect();
        object.insert("audience".into(), audience.into());
    }
    if let Some(priority) = annotations.priority.filter(|priority| priority.is_finite()) {
        object.insert("priority".into(), priority.clamp(0.0, 1.0).into());
    }
    if let Some(modified) = annotations.last_modified {
        object.insert("lastModified".into(), modified.into());
    }
    Some(object.into())
}

pub(super) fn content(content: types::Content) -> Content {
    match content {
        types::Content::Text(text) => Content::Text {
            text: text.text,
            annotations: annotations(text.annotations),
        },
        types::Content::Image(blob) => Content::Image {
            data: blob.data,
            mime_type: blob.mime_type,
            annotations: annotations(blob.annotations),
        },
        types::Content::Audio(blob) => Content::Audio {
            data: blob.data,
            mime_type: blob.mime_type,
            annotations: annotations(blob.annotations),
        },
        types::Content::ResourceLink(link) => Content::ResourceLink {
            uri: link.uri,
            name: link.name,
            description: link.description,
            mime_type: link.mime_type,
            size: link.size,
            annotations: annotations(link.annotations),
        },
        types::Content::Resource(resource) => Content::Resource {
            uri: resource.uri,
            mime_type: resource.mime_type,
            body: body(resource.body),
            annotations: annotations(resource.annotations),
        },
    }
}

pub(super) fn body(body: types::ResourceBody) -> ResourceBody {
    match body {
        types::ResourceBody::Text(text) => ResourceBody::Text(text),
        types::ResourceBody::Blob(bytes) => ResourceBody::Blob(bytes),
    }
}

/// The outcome of a custom tool: Ok is the result, Err a tool error with the value as its structured content.
pub(super) fn of_function(function: &Function, value: Option<Value>) -> Ended {
    match schema::result_to_json(function, value) {
        Returned::Ok(structured) => Ended::Complete(Output {
            content: vec![Content::text(structured.to_string())],
            structured: Some(structured),
            prompt: None,
        }),
        Returned::Err(value) => Ended::Failed(ToolError {
            kind: ToolErrorKind::Failed,
            message: match value.as_str() {
                Some(text) => text.to_owned(),
                None => value.to_string(),
            },
            structured: Some(value),
        }),
    }
}

/// Holds what a tool returned to its size limit, be it a result, a failure or questions, measured as what is handed on: JSON
/// text and bytes.
pub(super) fn within_output(ended: Ended, limit: u64) -> Ended {
    let size = match &ended {
        Ended::Complete(output) => returned(output),
        // The error value of a custom tool is told as its message too; it is one thing that the tool returned.
        Ended::Failed(error) => {
            let structured = error.structured.as_ref().map_or(0, length);
            structured.max(error.message.len())
        }
        Ended::NeedsInput(needed) => {
            let requests = needed.requests.iter();
            let requests: usize = requests.map(|request| length(&request.to_json())).sum();
            requests.saturating_add(needed.state.as_ref().map_or(0, Vec::len))
        }
        _ => return ended,
    };
    if size as u64 > limit {
        return reached(LimitKind::Output, limit);
    }
    ended
}

fn returned(output: &Output) -> usize {
    let structured = output.structured.as_ref().map_or(0, length);
    let content: usize = output.content.iter().map(size).sum();
    let prompt = output.prompt.as_ref().map_or(0, |prompt| {
        prompt.description.as_ref().map_or(0, String::len) + prompt.roles.len()
    });
    structured.saturating_add(content).saturating_add(prompt)
}

/// How many bytes a value has as JSON text.
fn length(value: &serde_json::Value) -> usize {
    let mut length = Length(0);
    // Counting does not fail, and a value has no keys that are no text.
    drop(serde_json::to_writer(&mut length, value));
    length.0
}

/// Counts what is written to it.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn size(content: &Content) -> usize {
    match content {
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
    }
}
