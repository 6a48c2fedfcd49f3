//! What a plugin exports, and calls of it.

use serde_json::{Value, json};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::toolhatch::plugin::{completions, prompts, resources, tools};
use super::bindings::toolhatch::plugin::types;
use super::call::Failure;
use super::component::Loaded;
use super::state::State;
use super::{input, outcome, world};
use crate::error::{Code, Error};
use crate::exec::{Content, Ended, Entry, Output, PromptFrame, Role, ToolError, ToolErrorKind};

/// The most values that are proposed at once.
const COMPLETIONS: usize = 100;

/// Where a plugin exports what.
pub(super) struct Exports {
    pub(super) tools: tools::GuestIndices,
    pub(super) prompts: Option<prompts::GuestIndices>,
    pub(super) resources: Option<resources::GuestIndices>,
    pub(super) completions: Option<completions::GuestIndices>,
}

impl Exports {
    /// Looks what there is; nothing where the component is no plugin.
    pub(super) fn of(pre: &InstancePre<State>) -> Option<Self> {
        Some(Self {
            tools: tools::GuestIndices::new(pre).ok()?,
            prompts: prompts::GuestIndices::new(pre).ok(),
            resources: resources::GuestIndices::new(pre).ok(),
            completions: completions::GuestIndices::new(pre).ok(),
        })
    }
}

/// The plugin that a component is.
///
/// # Errors
/// E3111 where it is none.
pub(super) fn plugin(loaded: &Loaded) -> Result<&Exports, Error> {
    let exports = loaded.plugin.as_ref();
    exports.ok_or_else(|| {
        let component = loaded.pre.component();
        let ty = component.component_type();
        let other = ty
            .exports(component.engine())
            .find_map(|(name, _)| world::foreign(name));
        match other {
            Some(other) => Error::new(Code::E3111, format!("the component exports {other}"))
                .hint(world::REMEDY),
            None => not_exported("tools"),
        }
    })
}

fn not_exported(interface: &str) -> Error {
    Error::new(
        Code::E3111,
        format!("the component does not export toolhatch:plugin/{interface}"),
    )
}

/// Calls a tool, gets a prompt, reads a resource or asks for completions.
pub(super) async fn call(
    loaded: &Loaded,
    instance: &Instance,
    store: &mut Store<State>,
    entry: &Entry,
    arguments: &Value,
    context: &types::CallContext,
) -> Result<Ended, Failure> {
    let exports = plugin(loaded)?;
    match entry {
        Entry::Plugin { tool } => {
            let guest = exports.tools.load(&mut *store, instance)?;
            let arguments = arguments.to_string();
            let called = guest.call_call_tool(store, tool, &arguments, context);
            Ok(outcome::of_plugin(called.await?)?)
        }
        Entry::Prompt { name } => {
            let indices = exports.prompts.as_ref();
            let indices = indices.ok_or_else(|| not_exported("prompts"))?;
            let guest = indices.load(&mut *store, instance)?;
            let arguments = texts(Some(arguments));
            let got = guest.call_get_prompt(store, name, &arguments, context);
            Ok(prompt(got.await?)?)
        }
        Entry::Resource => {
            let indices = exports.resources.as_ref();
            let indices = indices.ok_or_else(|| not_exported("resources"))?;
            let guest = indices.load(&mut *store, instance)?;
            let uri = text(arguments, "uri");
            let read = guest.call_read_resource(store, uri, context).await?;
            Ok(resource(uri, read))
        }
        Entry::Completion => {
            let indices = exports.completions.as_ref();
            let indices = indices.ok_or_else(|| not_exported("completions"))?;
            let guest = indices.load(&mut *store, instance)?;
            let null = Value::Null;
            let of = arguments.get("ref").unwrap_or(&null);
            let argument = arguments.get("argument").unwrap_or(&null);
            let others = arguments.get("context").and_then(|it| it.get("arguments"));
            let reference = match text(of, "type") {
                "ref/prompt" => completions::Reference::Prompt(text(of, "name").to_owned()),
                _ => completions::Reference::Template(text(of, "uri").to_owned()),
            };
            let others = texts(others);
            let proposed = guest.call_complete(
                store,
                &reference,
                text(argument, "name"),
                text(argument, "value"),
                &others,
                context,
            );
            Ok(completion(proposed.await?))
        }
        Entry::Function(_) | Entry::Container(_) | Entry::Sandbox | Entry::Server { .. } => {
            let wrong = "the arguments are of the wrong kind for the tool";
            Err(Error::new(Code::E3000, wrong).into())
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of an object, with their names; that they are texts was checked.
fn texts(object: Option<&Value>) -> Vec<(String, String)> {
    let object = object.and_then(Value::as_object);
    let members = object.into_iter().flatten();
    members
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn prompt(result: Result<prompts::PromptOutcome, types::ToolError>) -> crate::error::Result<Ended> {
    Ok(match result {
        Ok(prompts::PromptOutcome::Complete(prompt)) => {
            let roles = prompt.messages.iter().map(|message| match message.role {
                types::Audience::User => Role::User,
                types::Audience::Assistant => Role::Assistant,
            });
            Ended::Complete(Output {
                prompt: Some(PromptFrame {
                    roles: roles.collect(),
                    description: prompt.description,
                }),
                content: prompt
                    .messages
                    .into_iter()
                    .map(|message| outcome::content(message.content))
                    .collect(),
                structured: None,
            })
        }
        Ok(prompts::PromptOutcome::NeedsInput(needed)) => input::needed(needed)?,
        Err(error) => Ended::Failed(outcome::tool_error(error)),
    })
}

fn resource(
    uri: &str,
    result: Result<Vec<resources::ResourceContents>, types::ToolError>,
) -> Ended {
    match result {
        // A document without content has one that is empty; this is none.
        Ok(contents) if contents.is_empty() => Ended::Failed(ToolError {
            kind: ToolErrorKind::NotFound,
            message: format!("there is nothing at {uri}"),
            structured: None,
        }),
        Ok(contents) => Ended::Complete(Output {
            content: contents
                .into_iter()
                .map(|contents| Content::Resource {
                    uri: contents.uri,
                    mime_type: contents.mime_type,
                    body: outcome::body(contents.body),
                    annotations: None,
                })
                .collect(),
            ..Output::default()
        }),
        Err(error) => Ended::Failed(outcome::tool_error(error)),
    }
}

/// What MCP has in `completion`.
fn completion(result: Result<completions::Completion, types::ToolError>) -> Ended {
    match result {
        Ok(mut proposed) => {
            let has_more = proposed.has_more || proposed.values.len() > COMPLETIONS;
            proposed.values.truncate(COMPLETIONS);
            let mut completion = json!({"values": proposed.values, "hasMore": has_more});
            if let (Some(object), Some(total)) = (completion.as_object_mut(), proposed.total) {
                object.insert("total".into(), total.into());
            }
            Ended::Complete(Output {
                structured: Some(completion),
                ..Output::default()
            })
        }
        Err(error) => Ended::Failed(outcome::tool_error(error)),
    }
}
