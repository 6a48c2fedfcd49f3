//! What a tool may return, and what the host gets of it.

use std::any::TypeId;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::bindings::toolhatch::plugin::types::{Content, Outcome, Output};
use crate::schema::output_schema;
use crate::{Reply, Result, ToolError};

/// What a tool returns, where it does not fail.
#[diagnostic::on_unimplemented(
    message = "a tool cannot return `{Self}`",
    label = "this has no JSON form with a schema",
    note = "a tool returns a type that derives `serde::Serialize` and `schemars::JsonSchema`, or nothing, `Reply<T>` or `Content`",
    note = "or a `Result` of one of these, under that name: the macro does not see through an alias with another one"
)]
pub trait Return: Sized {
    /// The schema of the structured result, where there is one.
    fn schema() -> Option<Value>;

    /// The result for the host.
    ///
    /// # Errors
    /// [`ToolError::Failed`] where the value cannot be written as JSON.
    fn outcome(self) -> Result<Outcome>;
}

impl<T: Serialize + JsonSchema + 'static> Return for T {
    fn schema() -> Option<Value> {
        (!is_nothing::<T>()).then(output_schema::<T>)
    }

    fn outcome(self) -> Result<Outcome> {
        outcome(structured(&self)?, Vec::new())
    }
}

impl<T: Serialize + JsonSchema + 'static> Return for Reply<T> {
    fn schema() -> Option<Value> {
        T::schema()
    }

    fn outcome(self) -> Result<Outcome> {
        outcome(structured(&self.value)?, self.content)
    }
}

impl Return for Content {
    fn schema() -> Option<Value> {
        None
    }

    fn outcome(self) -> Result<Outcome> {
        outcome(None, vec![self])
    }
}

fn outcome(structured: Option<String>, content: Vec<Content>) -> Result<Outcome> {
    Ok(Outcome::Complete(Output {
        structured,
        content,
    }))
}

fn is_nothing<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

/// A structured result is an object: what is none goes under `result`. `output_schema` says so too.
fn structured<T: Serialize + 'static>(value: &T) -> Result<Option<String>> {
    if is_nothing::<T>() {
        return Ok(None);
    }
    let json = serde_json::to_string(value)
        .map_err(|error| ToolError::failed(format!("cannot write the result as JSON: {error}")))?;
    Ok(Some(if json.starts_with('{') {
        json
    } else {
        format!("{{\"result\":{json}}}")
    }))
}

#[cfg(test)]
mod tests;
