//! A tool as the plugin's author writes it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ToolError;

/// One tool of a plugin: how it presents itself, and the function behind it.
pub struct Tool {
    /// Its name, kebab-case, unique within the plugin.
    pub name: &'static str,
    /// One or two sentences for the agent that chooses among tools.
    pub description: &'static str,
    /// The JSON Schema of the arguments, as a text.
    pub input_schema: &'static str,
    /// The JSON Schema of the structured result, as a text.
    pub output_schema: &'static str,
    /// From the arguments (a JSON text) to the result; [`run`] makes one from a typed function.
    pub run: fn(&str) -> Result<Output, ToolError>,
}

/// What a tool returns: the same answer for programs and for readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// A JSON text that fits the tool's output schema.
    pub structured: String,
    /// Blocks of text or Markdown.
    pub content: Vec<String>,
}

/// Reads the arguments, calls a typed function, and writes its result.
///
/// # Errors
/// `invalid-arguments` where the JSON does not fit `Arguments`, else what the function says.
pub fn run<Arguments: DeserializeOwned, Answer: Serialize>(
    arguments: &str,
    function: impl FnOnce(Arguments) -> Result<(Answer, Vec<String>), ToolError>,
) -> Result<Output, ToolError> {
    let arguments = serde_json::from_str(arguments).map_err(|error| {
        ToolError::InvalidArguments(format!("cannot read the arguments: {error}"))
    })?;
    let (answer, content) = function(arguments)?;
    let structured = serde_json::to_string(&answer)
        .map_err(|error| ToolError::Failed(format!("cannot write the result as JSON: {error}")))?;
    Ok(Output {
        structured,
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(arguments: &str) -> Result<Output, ToolError> {
        run(arguments, |number: u32| {
            Ok((number * 2, vec![format!("twice {number}")]))
        })
    }

    #[test]
    fn arguments_and_result_are_typed() {
        let output = double("21").unwrap();
        assert_eq!(
            (output.structured, output.content),
            ("42".into(), vec!["twice 21".into()])
        );
    }

    #[test]
    fn arguments_of_the_wrong_shape_are_the_callers_mistake() {
        for wrong in ["", "\"21\"", "-1", "{}", "21 22"] {
            let error = double(wrong).unwrap_err();
            assert!(
                matches!(error, ToolError::InvalidArguments(_)),
                "{wrong}: {error:?}"
            );
        }
    }
}
