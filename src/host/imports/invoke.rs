//! `toolhatch:plugin/invoke`: calls of other tools on behalf of a guest. How they are made is not known here.

use std::sync::Arc;

use wasmtime::component::HasData;

use crate::exec::{Content, InvokeFailure, Invoked, Invoker, Output, ResourceBody};
use crate::host::bindings::toolhatch::plugin::invoke::{Failure, Host};
use crate::host::bindings::toolhatch::plugin::types;
use crate::host::guard::Guard;
use crate::ids::ToolId;
use crate::schema::parse_strict;

/// What the import borrows from the store.
pub(in crate::host) struct InvokeView<'a> {
    pub(in crate::host) invoker: Option<&'a Arc<dyn Invoker>>,
    pub(in crate::host) guard: &'a Arc<Guard>,
    /// The result may follow from the arguments alone.
    pub(in crate::host) is_deterministic: bool,
}

/// Names [`InvokeView`] to wasmtime.
pub(in crate::host) struct HasInvoke;

impl HasData for HasInvoke {
    type Data<'a> = InvokeView<'a>;
}

impl Host for InvokeView<'_> {
    async fn call(&mut self, tool: String, arguments: String) -> Result<types::Output, Failure> {
        if self.guard.tool_invoke(&tool).is_err() {
            return Err(Failure::NotPermitted(
                "calling this tool is not granted".to_owned(),
            ));
        }
        if self.is_deterministic {
            let why = "the call is deterministic: what other tools say may not count";
            self.guard.invoke_in_deterministic_call(&tool, why);
            return Err(Failure::NotPermitted(why.to_owned()));
        }
        let id: ToolId = tool
            .parse()
            .map_err(|error: crate::ids::InvalidId| Failure::NotFound(error.to_string()))?;
        let arguments = parse_strict(&arguments)
            .map_err(|error| Failure::InvalidArguments(format!("they are not JSON: {error}")))?;
        if !arguments.is_object() {
            return Err(Failure::InvalidArguments(
                "they are not a JSON object".to_owned(),
            ));
        }
        let Some(invoker) = self.invoker else {
            return Err(Failure::Unavailable(
                "there is nothing here that calls tools".to_owned(),
            ));
        };
        let invoker = Arc::clone(invoker);
        let called = id.clone();
        // On a stack of its own: that of a guest is small. It ends with the call that waits for it.
        let running = tokio::spawn(async move { invoker.invoke(called, arguments).await });
        let running = tokio_util::task::AbortOnDropHandle::new(running);
        let Ok(Invoked { call, result }) = running.await else {
            return Err(Failure::Unavailable("the call was abandoned".to_owned()));
        };
        if let Some(call) = call {
            self.guard.invoked(id, call);
        }
        match result {
            Ok(result) => Ok(output(&result)),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl From<InvokeFailure> for Failure {
    fn from(failure: InvokeFailure) -> Self {
        match failure {
            InvokeFailure::NotPermitted(why) => Self::NotPermitted(why),
            InvokeFailure::NotFound(why) => Self::NotFound(why),
            InvokeFailure::InvalidArguments(why) => Self::InvalidArguments(why),
            InvokeFailure::Failed(why) => Self::Failed(why),
            InvokeFailure::Retryable { message, after_ms } => {
                Self::Retryable(types::RetryAdvice { message, after_ms })
            }
            InvokeFailure::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// A result as the guest gets it.
fn output(output: &Output) -> types::Output {
    types::Output {
        structured: output.structured.as_ref().map(ToString::to_string),
        content: output.content.iter().map(content).collect(),
    }
}

fn content(content: &Content) -> types::Content {
    let blob = |data: &Vec<u8>, mime_type: &String, annotations: &Option<serde_json::Value>| {
        types::BlobContent {
            data: data.clone(),
            mime_type: mime_type.clone(),
            annotations: hints(annotations.as_ref()),
        }
    };
    match content {
        Content::Text { text, annotations } => types::Content::Text(types::TextContent {
            text: text.clone(),
            annotations: hints(annotations.as_ref()),
        }),
        Content::Image {
            data,
            mime_type,
            annotations,
        } => types::Content::Image(blob(data, mime_type, annotations)),
        Content::Audio {
            data,
            mime_type,
            annotations,
        } => types::Content::Audio(blob(data, mime_type, annotations)),
        Content::ResourceLink {
            uri,
            name,
            description,
            mime_type,
            size,
            annotations,
        } => types::Content::ResourceLink(types::ResourceLink {
            uri: uri.clone(),
            name: name.clone(),
            description: description.clone(),
            mime_type: mime_type.clone(),
            size: *size,
            annotations: hints(annotations.as_ref()),
        }),
        Content::Resource {
            uri,
            mime_type,
            body,
            annotations,
        } => types::Content::Resource(types::EmbeddedResource {
            uri: uri.clone(),
            mime_type: mime_type.clone(),
            body: match body {
                ResourceBody::Text(text) => types::ResourceBody::Text(text.clone()),
                ResourceBody::Blob(bytes) => types::ResourceBody::Blob(bytes.clone()),
            },
            annotations: hints(annotations.as_ref()),
        }),
    }
}

/// Hints in MCP's form; what has no place in the guest's types is left out.
fn hints(annotations: Option<&serde_json::Value>) -> Option<types::Annotations> {
    let annotations = annotations?.as_object()?;
    let audience = annotations.get("audience").and_then(|it| it.as_array());
    Some(types::Annotations {
        audience: audience
            .into_iter()
            .flatten()
            .filter_map(|reader| match reader.as_str() {
                Some("user") => Some(types::Audience::User),
                Some("assistant") => Some(types::Audience::Assistant),
                _ => None,
            })
            .collect(),
        priority: annotations
            .get("priority")
            .and_then(serde_json::Value::as_f64),
        last_modified: annotations
            .get("lastModified")
            .and_then(|it| it.as_str())
            .map(str::to_owned),
    })
}
