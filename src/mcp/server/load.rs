//! `load_plugin`: a model asks for a plugin to be installed, and a person decides.
//!
//! Installing grants nothing: what the plugin asks for is granted on a terminal, or not. Only clients of whoever runs the
//! server can ask for it; those that come with a token are guests.

use std::path::PathBuf;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject,
    Tool as McpTool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::Server;
use super::answer::failed;
use super::ask::{Back, Open, Person, Useless};
use super::call::{person, person_name, useless};
use crate::app::Installation;
use crate::audit::{Event, EventType};
use crate::error::{Code, Error, Result};
use crate::exec::{Approver as _, Subject};
use crate::ids::{CallId, Digest, ToolId};
use crate::invoke::{Caller, ToolRef};

/// The name it is called by.
pub(super) const LOAD: &str = "load_plugin";

/// What clients are told of it.
pub(super) fn described() -> McpTool {
    let schema = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The plugin: a .wasm file, or a folder with one and its manifest."},
        },
        "required": ["path"],
        "additionalProperties": false,
    });
    let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
    McpTool::new(
        LOAD,
        "Asks the person to install a plugin, whose tools can then be called. Installing grants it nothing; that is for the \
         person to do.",
        Arc::new(schema),
    )
    .annotate(
        ToolAnnotations::new()
            .read_only(false)
            .destructive(false)
            .idempotent(true)
            .open_world(false),
    )
}

/// How far a request to install has come.
enum Stage {
    /// A person said yes or no.
    Decided(bool),
    /// The person is asked when the request has ended.
    Asked(Box<CallToolResponse>),
}

impl Server {
    /// True where this client may ask for plugins.
    pub(super) fn may_load(&self) -> bool {
        let selection = &self.offering.offer.selection;
        selection.is_everything() && self.caller.principal == Caller::of_process().principal
    }

    /// Asks the person, and installs the plugin where they say yes.
    pub(super) async fn load(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.clone().unwrap_or_default();
        let Some(path) = arguments.get("path").and_then(Value::as_str) else {
            return Ok(
                super::search::wrong("`path` is missing: name the plugin's file or folder").into(),
            );
        };
        let reference = ToolRef::File {
            path: PathBuf::from(path),
            tool: None,
        };
        let subject = match self.subject(&reference, path).await {
            Ok(subject) => subject,
            Err(error) => return Ok(failed(&error).into()),
        };
        let caller = self.caller(&context);
        let yes = match self
            .ask_to_load(&request, &context, &caller, &subject)
            .await?
        {
            Ok(Stage::Decided(yes)) => yes,
            Ok(Stage::Asked(asked)) => return Ok(*asked),
            Err(error) => return Ok(failed(&error).into()),
        };
        let by = person_name(&caller);
        let done = match self.decided(&subject, yes, &by) {
            Ok(()) if yes => self.install(&reference, &subject).await,
            Ok(()) => Err(Error::new(
                Code::E3214,
                format!("{by} said no to installing {path}"),
            )),
            Err(error) => Err(error),
        };
        Ok(match done {
            Ok(result) => result.into(),
            Err(error) => failed(&error).into(),
        })
    }

    /// What the person is asked about: which plugin it is, and what it would ask for.
    async fn subject(&self, reference: &ToolRef, path: &str) -> Result<Subject> {
        let app = &self.core.app;
        let source = app.source(reference).await?;
        let Some(manifest) = &source.manifest else {
            return Err(Error::new(
                Code::E3105,
                format!("{path} has no manifest, so it cannot be installed"),
            ));
        };
        let requested = source.requested(&app.paths.variables())?;
        let asks = requested.scope.capabilities();
        Ok(Subject {
            id: CallId::generate().to_string(),
            tool: ToolId::new("toolhatch", LOAD).map_err(|error| {
                Error::new(Code::E3000, "naming the tool that installs").caused_by(error)
            })?,
            digest: source.artifact.digest,
            arguments: json!({"path": path}).to_string(),
            may: asks
                .iter()
                .map(|asked| format!("later be granted, by you alone: {}", asked.in_plain_words()))
                .collect(),
            why: vec![format!(
                "the agent wants to install {} {} ({})",
                manifest.name,
                manifest.version,
                source.artifact.digest.short()
            )],
        })
    }

    async fn ask_to_load(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        caller: &Caller,
        subject: &Subject,
    ) -> std::result::Result<Result<Stage>, ErrorData> {
        let core = &self.core;
        let bound_to =
            Digest::of(format!("{LOAD}\n{}\n{}", caller.principal, subject.digest).as_bytes());
        if let Some(handle) = &request.request_state {
            let responses = request.input_responses.as_ref();
            return match core.questions.back(handle, bound_to, responses) {
                Ok(Back::Decided { yes, .. }) => Ok(Ok(Stage::Decided(yes))),
                Ok(Back::Answers(_) | Back::Waiting(..)) | Err(Useless::Unknown) => Err(useless()),
                Err(Useless::Missing(open)) => {
                    let asked = core.questions.ask(*open, bound_to);
                    Ok(Ok(Stage::Asked(Box::new(asked.into()))))
                }
            };
        }
        let nobody = || {
            Error::new(
                Code::E3213,
                "installing a plugin takes a person, and this client cannot ask one",
            )
            .hint("A person can do it with `toolhatch plugin install`.")
        };
        Ok(match person(context, caller, None, None) {
            Some(Person::Now(now)) if now.askable.form => match now.approve(subject).await {
                Some(yes) => Ok(Stage::Decided(yes)),
                None => Err(Error::new(
                    Code::E3215,
                    "nobody answered whether to install it",
                )),
            },
            Some(Person::Later(later)) if later.askable.form => {
                let asked = core
                    .questions
                    .ask(Open::Approval(subject.clone()), bound_to);
                Ok(Stage::Asked(Box::new(asked.into())))
            }
            _ => Err(nobody()),
        })
    }

    fn decided(&self, subject: &Subject, yes: bool, by: &str) -> Result<()> {
        let event = Event::new(EventType::ApprovalDecided)
            .subject(subject.tool.as_str())
            .with("approval", subject.id.as_str())
            .with("digest", subject.digest.to_string())
            .with("decision", if yes { "allowed" } else { "denied" })
            .with("by", by);
        self.core.app.record(event)
    }

    async fn install(&self, reference: &ToolRef, subject: &Subject) -> Result<CallToolResult> {
        let app = &self.core.app;
        let package = app.package(reference).await?.package;
        if package.artifact.digest != subject.digest {
            return Err(Error::new(
                Code::E3109,
                "the file is another one than the person was asked about",
            ));
        }
        let source = app.source(reference).await?;
        let Installation { plugin, .. } = app.install(&package, &source).await?;
        let before = self.offering.shelves.known();
        let now = self.offering.refill(app).await?;
        if before.is_none_or(|before| !now.tells_the_same(&before)) {
            self.offering.changes.happened();
        }
        let tools: Vec<String> = plugin
            .tools
            .iter()
            .map(|tool| format!("{}.{}", plugin.name, tool.name))
            .collect();
        let structured = json!({
            "plugin": plugin.name.to_string(),
            "version": plugin.version.to_string(),
            "digest": plugin.digest.to_string(),
            "stage": plugin.lifecycle.stage.word(),
            "tools": tools,
        });
        let text = format!(
            "Installed {} {} with {}. What it asks for is not granted: a person does that with `toolhatch grant {}`.",
            plugin.name,
            plugin.version,
            tools.join(", "),
            plugin.name
        );
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = Some(structured);
        Ok(result)
    }
}
