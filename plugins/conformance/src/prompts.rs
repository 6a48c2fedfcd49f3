//! The prompts, and what is proposed for their arguments.

use crate::answer::{field, form, needs, text, told};
use crate::bindings::exports::toolhatch::plugin::completions::{
    Completion, Guest as CompletionGuest, Reference,
};
use crate::bindings::exports::toolhatch::plugin::prompts::{
    Guest, Message, Prompt, PromptArgument, PromptInfo, PromptOutcome,
};
use crate::bindings::toolhatch::plugin::types::{Audience, CallContext, Content, ToolError};
use crate::{Component, content};

const CONTEXT: &str =
    r#"{"type":"object","properties":{"context":{"type":"string"}},"required":["context"]}"#;

fn info(name: &str, description: &str, arguments: &[(&str, &str)]) -> PromptInfo {
    PromptInfo {
        name: name.to_owned(),
        title: None,
        description: Some(description.to_owned()),
        arguments: arguments
            .iter()
            .map(|(name, description)| PromptArgument {
                name: (*name).to_owned(),
                description: Some((*description).to_owned()),
                required: true,
            })
            .collect(),
    }
}

fn says(content: impl IntoIterator<Item = Content>) -> Result<PromptOutcome, ToolError> {
    let message = |content| Message {
        role: Audience::User,
        content,
    };
    Ok(PromptOutcome::Complete(Prompt {
        description: None,
        messages: content.into_iter().map(message).collect(),
    }))
}

impl Guest for Component {
    fn list_prompts() -> Vec<PromptInfo> {
        vec![
            info("test_simple_prompt", "A simple prompt", &[]),
            info(
                "test_prompt_with_arguments",
                "A prompt with two arguments",
                &[
                    ("arg1", "First test argument"),
                    ("arg2", "Second test argument"),
                ],
            ),
            info(
                "test_prompt_with_embedded_resource",
                "A prompt with a document",
                &[("resourceUri", "URI of the resource to embed")],
            ),
            info("test_prompt_with_image", "A prompt with a picture", &[]),
            info(
                "test_input_required_result_prompt",
                "A prompt that asks a person",
                &[],
            ),
        ]
    }

    fn get_prompt(
        name: String,
        arguments: Vec<(String, String)>,
        context: CallContext,
    ) -> Result<PromptOutcome, ToolError> {
        let argument = |wanted: &str| {
            let found = arguments.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        match name.as_str() {
            "test_simple_prompt" => says([text("This is a simple prompt for testing.")]),
            "test_prompt_with_arguments" => says([text(format!(
                "Prompt with arguments: arg1='{}', arg2='{}'",
                argument("arg1"),
                argument("arg2")
            ))]),
            "test_prompt_with_embedded_resource" => says([
                content::document(
                    argument("resourceUri"),
                    "text/plain",
                    "Embedded resource content for testing.",
                ),
                text("Please process the embedded resource above."),
            ]),
            "test_prompt_with_image" => {
                says([content::image(), text("Please analyze the image above.")])
            }
            "test_input_required_result_prompt" => match told(&context) {
                Some(told) => says([text(format!(
                    "Use this context: {}",
                    field(&told.content, "context")
                ))]),
                None => {
                    let question = "What context should the prompt use?";
                    let request = form("user_context", question, CONTEXT);
                    Ok(PromptOutcome::NeedsInput(needs(vec![request], None)))
                }
            },
            _ => Err(ToolError::NotFound(format!("there is no prompt `{name}`"))),
        }
    }
}

impl CompletionGuest for Component {
    fn complete(
        reference: Reference,
        _name: String,
        value: String,
        _others: Vec<(String, String)>,
        _context: CallContext,
    ) -> Result<Completion, ToolError> {
        let all: &[&str] = match reference {
            Reference::Prompt(_) => &["paris", "park", "party", "hello", "world"],
            Reference::Template(_) => &["1", "12", "123"],
        };
        let values: Vec<String> = all
            .iter()
            .filter(|proposal| proposal.starts_with(&value))
            .map(|proposal| (*proposal).to_owned())
            .collect();
        Ok(Completion {
            total: Some(values.len() as u64),
            has_more: false,
            values,
        })
    }
}
