//! A tool, and the way from the exports of a component to it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::toolhatch::plugin::types::{self, CallContext};
use crate::schema::paragraphs;
use crate::{Call, Outcome, Result, ToolError, ToolInfo};

/// What `#[tool]` makes of a function. The type that implements it has the name of the function.
pub trait Tool {
    /// Its name, unique within the plugin.
    const NAME: &'static str;
    /// What people are shown in place of the name.
    const TITLE: Option<&'static str>;
    /// The doc comment of the function, as it was written.
    const DESCRIPTION: &'static str;

    /// The JSON Schema (2020-12) of the arguments: that of an object.
    fn input_schema() -> Value;

    /// The JSON Schema of the structured result, where the tool returns one: that of an object.
    fn output_schema() -> Option<Value>;

    /// Runs it with arguments that are a JSON object.
    ///
    /// # Errors
    /// [`ToolError::InvalidArguments`] where they do not fit the types, else what the function says.
    fn run(arguments: &str, call: &Call) -> Result<Outcome>;
}

/// A tool in the table of a plugin.
pub struct Entry {
    name: &'static str,
    info: fn() -> ToolInfo,
    run: fn(&str, &Call) -> Result<Outcome>,
}

impl Entry {
    /// The entry of a tool.
    pub const fn of<T: Tool>() -> Self {
        Self {
            name: T::NAME,
            info: info::<T>,
            run: T::run,
        }
    }
}

/// Describes a tool.
pub fn info<T: Tool>() -> ToolInfo {
    ToolInfo {
        name: T::NAME.to_owned(),
        title: T::TITLE.map(str::to_owned),
        description: paragraphs(T::DESCRIPTION),
        input_schema: text_of(&T::input_schema()),
        output_schema: T::output_schema().as_ref().map(text_of),
    }
}

/// `to_string` would bring the code for pretty JSON with it.
fn text_of(schema: &Value) -> String {
    // Keys are texts and numbers are finite: there is nothing that cannot be written.
    serde_json::to_string(schema).unwrap_or_default()
}

/// Says whether no two tools have the same name. It runs in the compiler, which has no loops over iterators there.
pub const fn are_distinct(mut tools: &[Entry]) -> bool {
    while let [first, rest @ ..] = tools {
        let mut others = rest;
        while let [other, following @ ..] = others {
            if is_same(first.name.as_bytes(), other.name.as_bytes()) {
                return false;
            }
            others = following;
        }
        tools = rest;
    }
    true
}

const fn is_same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([first, left_rest @ ..], [second, right_rest @ ..]) = (left, right) {
        if *first != *second {
            return false;
        }
        left = left_rest;
        right = right_rest;
    }
    left.is_empty() && right.is_empty()
}

#[expect(
    missing_docs,
    reason = "what is said here is the description of its schema"
)]
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// Reads the arguments of a call.
///
/// # Errors
/// [`ToolError::InvalidArguments`] where they do not fit the type.
pub fn read_arguments<T: DeserializeOwned>(arguments: &str) -> Result<T> {
    serde_json::from_str(arguments).map_err(|error| {
        ToolError::invalid_arguments(format!("cannot read the arguments: {error}"))
    })
}

/// Describes the tools to the host.
pub fn list_tools(tools: &[Entry]) -> Vec<ToolInfo> {
    tools.iter().map(|tool| (tool.info)()).collect()
}

/// Runs the tool of this name.
///
/// # Errors
/// `unknown-tool` where there is none, else what the tool says.
pub fn call_tool(
    tools: &[Entry],
    name: &str,
    arguments: &str,
    context: CallContext,
) -> Result<Outcome, types::ToolError> {
    let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
        let known: Vec<&str> = tools.iter().map(|tool| tool.name).collect();
        return Err(types::ToolError::UnknownTool(format!(
            "there is no tool `{name}`; this plugin has {}",
            known.join(", ")
        )));
    };
    (tool.run)(arguments, &Call::from(context))
        .or_else(|error| error.into_host().map(Outcome::NeedsInput))
}

#[cfg(test)]
mod tests;
