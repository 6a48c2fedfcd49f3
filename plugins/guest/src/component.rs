//! The WebAssembly side: generated bindings, and the conversion of our types into theirs.

use crate::bindings::toolhatch::plugin::types;
use crate::{Tool, ToolError};

#[expect(
    missing_docs,
    reason = "generated from wit/, where everything is documented"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "guest::bindings",
    });
}

/// Describes the tools to the host.
pub fn list_tools(tools: &[Tool]) -> Vec<types::ToolInfo> {
    tools
        .iter()
        .map(|tool| types::ToolInfo {
            name: tool.name.to_owned(),
            title: None,
            description: tool.description.to_owned(),
            input_schema: tool.input_schema.to_owned(),
            output_schema: Some(tool.output_schema.to_owned()),
        })
        .collect()
}

/// Runs the tool of this name.
///
/// # Errors
/// `unknown-tool` where there is none, else what the tool says.
pub fn call_tool(
    tools: &[Tool],
    name: &str,
    arguments: &str,
) -> Result<types::Outcome, types::ToolError> {
    let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
        let known: Vec<&str> = tools.iter().map(|tool| tool.name).collect();
        return Err(types::ToolError::UnknownTool(format!(
            "there is no tool `{name}`; this plugin has {}",
            known.join(", ")
        )));
    };
    let output = (tool.run)(arguments)?;
    Ok(types::Outcome::Complete(types::Output {
        structured: Some(output.structured),
        content: output
            .content
            .into_iter()
            .map(|text| {
                types::Content::Text(types::TextContent {
                    text,
                    annotations: None,
                })
            })
            .collect(),
    }))
}

impl From<ToolError> for types::ToolError {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::InvalidArguments(message) => Self::InvalidArguments(message),
            ToolError::NotPermitted(message) => Self::NotPermitted(message),
            ToolError::NotFound(message) => Self::NotFound(message),
            ToolError::Failed(message) => Self::Failed(message),
        }
    }
}
