//! Stage five: what came back is checked, and a failure that follows from a denial says so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::run::Ran;
use crate::error::{Code, Error, Result};
use crate::exec::{Content, Ended, Output, ToolErrorKind};
use crate::permission::Denial;

impl Ran {
    /// The result, if it is what the tool promised.
    ///
    /// # Errors
    /// The error of the outcome; E3303 where the result does not fit the output schema; the code of the denial where the
    /// tool gave up because of one.
    pub(super) fn check(self) -> Result<Output> {
        let gave_up = matches!(
            &self.outcome.ended,
            Ended::Failed(error) if error.kind == ToolErrorKind::NotPermitted
        );
        let mut ended = self.outcome.ended;
        if let (false, Ended::Failed(error)) = (self.redact.is_empty(), &mut ended) {
            // What a tool says of its failure can hold the same fields, and has no schema to find them by.
            error.structured = None;
            error.message =
                "what it said is left out, because a policy leaves fields out of its results"
                    .to_owned();
        }
        match ended.into_result() {
            Ok(output) => {
                self.tool.check_output(output.structured.as_ref())?;
                if self.redact.is_empty() {
                    return Ok(output);
                }
                redacted(output, &self.redact)
            }
            Err(error) => {
                let error = explain(error, &self.events.denials(), gave_up);
                let notices = self.events.notices().into_iter();
                Err(notices.fold(error, |error, notice| error.hint(sentence(&notice))))
            }
        }
    }
}

impl Ran {
    /// The code of the error the call ended with, before its result is looked at.
    pub(super) fn code(&self) -> Option<Code> {
        self.outcome.ended.code()
    }
}

/// What takes the place of a field that a policy leaves out.
const REDACTED: &str = "[redacted]";

/// Leaves out the fields that a policy names, at whatever depth. The text for people was written from the same data and
/// is written anew; what has no structure cannot be redacted, and is not told at all.
fn redacted(output: Output, fields: &BTreeSet<String>) -> Result<Output> {
    let Some(mut structured) = output.structured else {
        return Err(Error::new(
            Code::E3304,
            "a policy leaves fields out of this result, and it has no structure to leave them out of",
        ));
    };
    leave_out(&mut structured, fields);
    let text = structured.to_string();
    Ok(Output {
        structured: Some(structured),
        content: vec![Content::text(text)],
        prompt: None,
    })
}

fn leave_out(value: &mut Value, fields: &BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if fields.contains(name) {
                    *value = REDACTED.into();
                } else {
                    leave_out(value, fields);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| leave_out(item, fields)),
        _ => {}
    }
}

/// With a capital and a stop, as hints are.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(letters)
        .chain(['.'])
        .collect()
}

/// How many denials are spelled out; all of them are in the report.
const SPELLED_OUT: usize = 3;

/// Tells which denials a failure may follow from, and what would allow it.
fn explain(error: Error, denials: &[Denial], gave_up: bool) -> Error {
    let Some(first) = denials.first() else {
        return error;
    };
    if gave_up {
        // The tool itself says that the denial is why.
        let mut denied = first.to_error().detail("tool_said", error.to_string());
        for other in denials.iter().skip(1).take(SPELLED_OUT - 1) {
            denied = denied.hint(format!("{other}."));
        }
        return denied;
    }
    let mut error = error;
    for denial in denials.iter().take(SPELLED_OUT) {
        error = error.hint(format!("Before that, {denial}."));
        if let Some(flag) = denial.flag() {
            error = error.hint(format!("If you trust the tool with it, add `{flag}`."));
        }
    }
    error
}
