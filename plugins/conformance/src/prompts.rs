//! The prompts, and what is proposed for their arguments.

use schemars::JsonSchema;
use toolhatch_plugin::bindings::toolhatch::plugin::types::{self, CallContext};
use toolhatch_plugin::{Audience, Call, Content, Question, Result, ToolError};

use crate::answer::field;
use crate::bindings::exports::toolhatch::plugin::completions::{
    Completion, Guest as CompletionGuest, Reference,
};
use crate::bindings::exports::toolhatch::plugin::prompts::{
    Guest, Message, Prompt, PromptArgument, PromptInfo, PromptOutcome,
};
use crate::{Component, content};

#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is a form, and read as JSON")]
struct Background {
    context: String,
}

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

fn says(content: impl IntoIterator<Item = Content>) -> Prompt {
    let message = |content| Message {
        role: Audience::User,
        content,
    };
    Prompt {
        description: None,
        messages: content.into_iter().map(message).collect(),
    }
}

/// Fills in a prompt.
fn prompt(name: &str, arguments: &[(String, String)], call: &Call) -> Result<Prompt> {
    let argument = |wanted: &str| {
        let found = arguments.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    Ok(match name {
        "test_simple_prompt" => says([Content::text("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => says([Content::text(format!(
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
            Content::text("Please process the embedded resource above."),
        ]),
        "test_prompt_with_image" => says([
            content::image(),
            Content::text("Please analyze the image above."),
        ]),
        "test_input_required_result_prompt" => {
            let question = Question::form::<Background>("What context should the prompt use?");
            let answer = call.ask(question.name("user_context"))?;
            says([Content::text(format!(
                "Use this context: {}",
                field(&answer, "context")
            ))])
        }
        _ => return Err(ToolError::not_found(format!("there is no prompt `{name}`"))),
    })
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
    ) -> Result<PromptOutcome, types::ToolError> {
        match prompt(&name, &arguments, &Call::from(context)) {
            Ok(prompt) => Ok(PromptOutcome::Complete(prompt)),
            Err(error) => error.into_host().map(PromptOutcome::NeedsInput),
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
    ) -> Result<Completion, types::ToolError> {
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
