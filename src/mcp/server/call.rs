//! What a client calls, through the pipeline: a tool, and alike a prompt, a resource or a completion of a plugin.

use std::sync::Arc;
use std::sync::Mutex;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::answer::{answer, failed, unknown_tool};
use super::ask::{Back, Later, Now, Open, Person, Useless, askable, missing};
use super::tasks::Slot;
use super::told::{Wanted, telling};
use super::underway::{Meanwhile, Next, Underway, Waiting};
use super::{Server, load, search, servers};
use crate::error::{Code, Error};
use crate::exec::{Approver, Askable, LogLevel, Respondent};
use crate::ids::{CallId, Digest};
use crate::invoke::{Caller, Report, Request, Resumed, ToolRef};
use crate::mcp::level::level;
use crate::schema::canonical;

/// What stands before the name that a client gives itself: nobody else's agents are called so.
const CLIENT: &str = "mcp/";
/// The longest name of a client that is kept.
const LONGEST_CLIENT: usize = 64;

/// What is called.
pub(super) struct Called {
    /// The tool, or what is called like one.
    pub(super) reference: ToolRef,
    /// What the client knows it by.
    pub(super) name: String,
    /// Its arguments.
    pub(super) arguments: Value,
    /// What the client answers to questions of an earlier call.
    pub(super) responses: Option<InputResponses>,
    /// The handle that it was given for them.
    pub(super) handle: Option<String>,
}

/// How a call ended, as far as the protocol goes.
pub(super) enum CallEnd {
    /// With a result, or an error of its own.
    Report(Box<Report>),
    /// With questions.
    Asked(InputRequiredResult),
    /// It cannot be shown to have been: nobody is told of it.
    Unrecorded(Error),
}

impl Server {
    /// A call of a tool.
    pub(super) async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
        slot: Option<Arc<Slot>>,
    ) -> Result<CallToolResponse, ErrorData> {
        let request = match &*request.name {
            search::SEARCH => {
                let shelf = self.shelf().await?;
                let found = search::search(&shelf, request.arguments.as_ref()).await?;
                return Ok(found.into());
            }
            servers::LIST => {
                let shelf = self.shelf().await?;
                return Ok(servers::list(&shelf, request.arguments.as_ref()).into());
            }
            load::LOAD if self.may_load() => return self.load(request, context).await,
            search::CALL => match search::meant(request) {
                Ok(meant) => meant,
                Err(wrong) => return Ok(search::wrong(wrong).into()),
            },
            _ => request,
        };
        let shelf = self.shelf().await?;
        let shelf = match shelf.find(&request.name) {
            Some(_) => shelf,
            // It may have come since.
            None => self.new_shelf().await?,
        };
        let Some(served) = shelf.find(&request.name) else {
            return Err(unknown_tool(&request.name, shelf.nearest(&request.name)));
        };
        let called = Called {
            reference: served.reference.clone(),
            name: served.described.name.to_string(),
            arguments: Value::Object(request.arguments.unwrap_or_default()),
            responses: request.input_responses,
            handle: request.request_state,
        };
        let report = match self.run(called, &context, slot).await? {
            CallEnd::Report(report) => report,
            CallEnd::Asked(asked) => return Ok(asked.into()),
            CallEnd::Unrecorded(error) => return Ok(failed(&error).into()),
        };
        let mut result = answer(&report);
        let overflow = &self.core.overflow;
        overflow.cut(&mut result, report.call, &self.caller.principal);
        let structured = result.structured_content.as_ref();
        if is_old(&context) && structured.is_some_and(|it| !it.is_object()) {
            // There it has to be an object; the text has the same.
            result.structured_content = None;
        }
        Ok(result.into())
    }

    /// Runs a call to its end, or to its questions.
    ///
    /// # Errors
    /// Where a client comes back with answers to what it was not asked.
    pub(super) async fn run(
        &self,
        called: Called,
        context: &RequestContext<RoleServer>,
        slot: Option<Arc<Slot>>,
    ) -> Result<CallEnd, ErrorData> {
        let offer = &self.offering.offer;
        let mut caller = self.caller(context);
        let bound_to = binding(&caller, &called);
        let resumed = match &called.handle {
            None => None,
            Some(handle) => match self
                .back(handle, bound_to, &called, &caller, slot.as_ref())
                .await?
            {
                Came::On(resumed) => resumed,
                Came::Back(call) => return self.attend(*call, context, bound_to, slot).await,
                Came::Again(asked) => return Ok(CallEnd::Asked(asked)),
                Came::Failed(error) => return Ok(CallEnd::Unrecorded(error)),
            },
        };
        let (sender, meanwhile) = mpsc::channel(1);
        let person = person(context, &caller, slot.clone(), Some(sender));
        match &person {
            Some(Person::Now(now)) => {
                caller.respondent = Some(Arc::clone(now) as Arc<dyn Respondent>);
                if now.askable.form && caller.approver.is_none() {
                    caller.approver = Some(Arc::clone(now) as Arc<dyn Approver>);
                }
            }
            Some(Person::Later(later)) => {
                caller.respondent = Some(Arc::clone(later) as Arc<dyn Respondent>);
                if later.askable.form && caller.approver.is_none() {
                    caller.approver = Some(Arc::clone(later) as Arc<dyn Approver>);
                }
            }
            None => {}
        }
        let wanted = Wanted {
            progress: context.meta.get_progress_token(),
            log: self.wanted_level(context),
            name: called.name,
        };
        let (events, teller) = telling(offer.events, wanted, context.peer.clone());
        let request = Request {
            call: CallId::generate(),
            tool: called.reference,
            arguments: Arc::new(called.arguments),
            resumed,
            caller: Arc::new(caller),
            grants: Arc::clone(&offer.grants),
            limits: offer.limits.clone(),
            idempotency: None,
            deterministic: false,
            cancel: CancellationToken::new(),
            events: Arc::new(events),
        };
        let call = Underway::new(&self.core, request, meanwhile, teller, person);
        self.attend(call, context, bound_to, slot).await
    }

    /// Waits for the end of a call, or its questions.
    async fn attend(
        &self,
        call: Underway,
        context: &RequestContext<RoleServer>,
        bound_to: Digest,
        slot: Option<Arc<Slot>>,
    ) -> Result<CallEnd, ErrorData> {
        let core = &self.core;
        let (mut report, Underway { teller, person, .. }) = match call.next(context, slot).await {
            Ok(Next::Ended(ended)) => *ended,
            Ok(Next::Asks(waiting)) => {
                let asked = core.questions.ask(Open::Waiting(waiting), bound_to);
                return Ok(CallEnd::Asked(asked));
            }
            Err(error) => return Ok(CallEnd::Unrecorded(error)),
        };
        teller.finish().await;
        core.counters.called(report.error().map(Error::code));
        // Nobody is told of a call that cannot be shown to have been.
        if let Err(error) = core.app.recorded().await {
            return Ok(CallEnd::Unrecorded(error));
        }
        if let Some(Person::Later(later)) = &person {
            let open = match (report.needs_input.take(), later.take()) {
                (Some(needed), _) => Some(Open::Questions(needed)),
                (None, Some(subject)) if report.result.is_err() => Some(Open::Approval(subject)),
                (None, _) => None,
            };
            if let Some(Open::Questions(needed)) = &open
                && let Some(missing) = missing(needed, later.askable)
            {
                return Err(ErrorData::missing_required_client_capability(missing));
            }
            if let Some(open) = open {
                return Ok(CallEnd::Asked(core.questions.ask(open, bound_to)));
            }
        }
        Ok(CallEnd::Report(Box::new(report)))
    }

    /// Takes up what a client came back with.
    async fn back(
        &self,
        handle: &str,
        bound_to: Digest,
        called: &Called,
        caller: &Caller,
        slot: Option<&Arc<Slot>>,
    ) -> Result<Came, ErrorData> {
        let core = &self.core;
        match core
            .questions
            .back(handle, bound_to, called.responses.as_ref())
        {
            Ok(Back::Waiting(waiting, answers)) => {
                let Waiting { asked, call } = *waiting;
                if let Some(Person::Later(later)) = &call.person {
                    later.move_to(slot.cloned());
                }
                // Where it has ended meanwhile, that is what the client is told.
                drop(asked.answer.send(answers));
                Ok(Came::Back(Box::new(call)))
            }
            Ok(Back::Answers(resumed)) => Ok(Came::On(Some(resumed))),
            Ok(Back::Decided { id, yes }) => {
                let by = person_name(caller);
                match core.app.decide_approval(&id, yes, &by).await {
                    Ok(Some(_)) => Ok(Came::On(None)),
                    Ok(None) => Ok(Came::Failed(Error::new(
                        Code::E3215,
                        format!("the question {id} was answered elsewhere, or has expired"),
                    ))),
                    Err(error) => Ok(Came::Failed(error)),
                }
            }
            Err(Useless::Missing(open)) => Ok(Came::Again(core.questions.ask(*open, bound_to))),
            Err(Useless::Unknown) => Err(useless()),
        }
    }

    /// Who makes the call. What a client says of itself is marked as such.
    pub(super) fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let mut caller = self.caller.clone();
        if caller.agent.is_none() {
            caller.agent = context.client_info().map(|client| {
                let name: String = client
                    .name
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(LONGEST_CLIENT)
                    .collect();
                format!("{CLIENT}{name}")
            });
        }
        caller
    }

    fn wanted_level(&self, context: &RequestContext<RoleServer>) -> Option<LogLevel> {
        if is_old(context) {
            return Some(self.level());
        }
        // Since then a request says whether it wants any.
        context.meta.log_level().map(level)
    }
}

/// What became of answers.
enum Came {
    /// The call goes on, with them where they are for the tool.
    On(Option<Resumed>),
    /// They are told to the tool, and the call that waited for them goes on.
    Back(Box<Underway>),
    /// Some are missing.
    Again(InputRequiredResult),
    /// The answer came too late.
    Failed(Error),
}

/// Who can be asked about this call, and how; nobody where a client that would have to be asked now cannot be.
pub(super) fn person(
    context: &RequestContext<RoleServer>,
    caller: &Caller,
    slot: Option<Arc<Slot>>,
    meanwhile: Option<mpsc::Sender<Meanwhile>>,
) -> Option<Person> {
    let askable = askable(context.client_capabilities().as_ref());
    let name = person_name(caller);
    if !is_old(context) {
        return Some(Person::Later(Arc::new(Later {
            askable,
            name,
            subject: Mutex::default(),
            slot: Mutex::new(slot),
            meanwhile,
        })));
    }
    (askable != Askable::default()).then(|| {
        Person::Now(Arc::new(Now {
            peer: context.peer.clone(),
            askable,
            name,
        }))
    })
}

/// What a client is told that comes back with what it was not given.
pub(super) fn useless() -> ErrorData {
    let message = "the `requestState` is none that was given for this request, or its time is over; make the request again \
                   without it";
    ErrorData::invalid_params(message, None)
}

pub(super) fn person_name(caller: &Caller) -> String {
    let agent = caller.agent.as_deref().unwrap_or("a client");
    format!("{} (asked by {agent})", caller.principal)
}

/// What answers are bound to: who calls what, and with what.
fn binding(caller: &Caller, called: &Called) -> Digest {
    let parts = [
        caller.principal.as_str(),
        &called.reference.to_string(),
        &canonical(&called.arguments),
    ];
    let lengths = parts.map(|part| (part.len() as u64).to_be_bytes());
    let pieces = lengths
        .iter()
        .zip(&parts)
        .flat_map(|(length, part)| [length.as_slice(), part.as_bytes()]);
    Digest::of_pieces(pieces)
}

/// True for a client of the revisions with a handshake.
pub(super) fn is_old(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_none_or(|version| version.as_str() < ProtocolVersion::V_2026_07_28.as_str())
}
