//! Requests over a connection: each with an end in time, told to the server where nobody waits any more.

use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientRequest,
    ElicitationCapability, ListToolsRequest, PaginatedRequestParams, RequestId, RequestMetaObject,
    ServerResult,
};
use rmcp::service::{PeerRequestOptions, RequestHandle, ServiceError};
use serde_json::{Map, Value};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::Era;
use super::super::handler::Route;
use super::super::listing::{Listing, Pages};
use super::super::question::Question;
use super::super::result;
use super::super::tool::LeftOut;
use super::super::wire::{Reply, Wire};
use super::{Connection, seconds};
use crate::error::{Code, Error, Result};
use crate::exec::{Askable, Asking, BoxFuture, EventSink, Input, InputRequest};

/// The name of a question that a server asks by a request: it asks one at a time.
const QUESTION: &str = "question";
/// How many questions of one call may wait to be asked.
const QUESTIONS: usize = 8;

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::mcp::bridge) struct Patience {
    /// Without a sign of life.
    pub(in crate::mcp::bridge) idle: Duration,
    /// In all.
    pub(in crate::mcp::bridge) most: Duration,
}

/// A call of a tool.
pub(in crate::mcp::bridge) struct Call<'a> {
    /// The tool.
    pub(in crate::mcp::bridge) tool: &'a str,
    /// Its arguments.
    pub(in crate::mcp::bridge) arguments: Map<String, Value>,
    /// The answers to what it asked before, and what it can ask.
    pub(in crate::mcp::bridge) input: &'a Input,
}

/// Who hears what is told of a call, and has answered what is asked in it.
#[derive(Clone, Copy)]
pub(in crate::mcp::bridge) struct Company<'a> {
    /// Where it is told.
    pub(in crate::mcp::bridge) events: &'a Arc<EventSink>,
    /// Who has questions answered.
    pub(in crate::mcp::bridge) asking: Option<&'a dyn Asking>,
    /// What can be asked.
    pub(in crate::mcp::bridge) askable: Askable,
}

/// A question that somebody thinks about: the time that takes is not the server's.
struct Thinking<'a> {
    since: Instant,
    over: BoxFuture<'a, ()>,
}

impl<'a> Thinking<'a> {
    fn new(question: Question, asking: &'a dyn Asking) -> Self {
        let Question { ask, mut answer } = question;
        let request = InputRequest {
            name: QUESTION.to_owned(),
            ask,
        };
        Self {
            since: Instant::now(),
            over: Box::pin(async move {
                tokio::select! {
                    () = answer.closed() => {}
                    answers = asking.ask(vec![request]) => {
                        let first = answers.and_then(|answers| answers.into_iter().next());
                        drop(answer.send(first));
                    }
                }
            }),
        }
    }

    /// Waits until it is over; for ever where there is none.
    async fn over(this: &mut Option<Self>) {
        match this {
            Some(thinking) => (&mut thinking.over).await,
            None => std::future::pending().await,
        }
    }
}

/// What a call can ask, as the protocol has it.
fn capabilities(askable: Askable) -> ClientCapabilities {
    let mut elicitation = ElicitationCapability::new();
    elicitation.form = askable.form.then(Default::default);
    elicitation.url = askable.url.then(Default::default);
    let mut capabilities = ClientCapabilities::default();
    capabilities.elicitation = (askable.form || askable.url).then_some(elicitation);
    capabilities.sampling = askable.sampling.then(Default::default);
    capabilities.roots = askable.roots.then(Default::default);
    capabilities
}

/// Why there is no result.
#[derive(Debug)]
pub(in crate::mcp::bridge) enum Failure {
    /// The connection broke; the request may have arrived.
    Gone,
    /// Nothing came in this time.
    TimedOut(Duration),
    /// Somebody cancelled it.
    Cancelled,
    /// The server's error, as it wrote it.
    Refused(Value),
    /// What came is no use, or it could not be sent.
    Failed(Error),
}

/// A request that is underway. Where nobody waits any more, the server is told.
struct Pending<'a> {
    handle: Option<RequestHandle<RoleClient>>,
    id: RequestId,
    wire: &'a Wire,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.wire.take(&self.id);
        let Some(handle) = self.handle.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let reason = Some("nobody waits for the answer any more".to_owned());
                drop(handle.cancel(reason).await);
            });
        }
    }
}

impl Connection {
    /// Calls a tool.
    pub(in crate::mcp::bridge) async fn call(
        &self,
        call: Call<'_>,
        patience: Patience,
        company: Company<'_>,
        cancel: &CancellationToken,
    ) -> std::result::Result<Value, Failure> {
        let mut params =
            CallToolRequestParams::new(call.tool.to_owned()).with_arguments(call.arguments);
        if let Some((answers, state)) = result::answers(call.input) {
            params.input_responses = Some(answers);
            params.request_state = state;
        }
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let options = self.options(call.input.askable);
        let asked = self.ask(request, options, patience, Some(company), cancel);
        let (result, _) = asked.await?;
        Ok(result)
    }

    /// What goes with a request: from 2026-07-28 on, what it can ask, whatever the connection as a whole can.
    fn options(&self, askable: Askable) -> PeerRequestOptions {
        let options = PeerRequestOptions::no_options();
        if self.era != Era::Modern {
            return options;
        }
        let mut meta = RequestMetaObject::default();
        meta.set_client_capabilities(capabilities(askable));
        options.with_meta(meta)
    }

    /// Lists the tools, all pages of them.
    ///
    /// # Errors
    /// E3502, E3503 and E3508 where the first page could not be read. What is wrong with a later one ends the list.
    pub async fn list(&self, limit: Duration) -> Result<Listing> {
        let patience = Patience {
            idle: limit,
            most: limit,
        };
        let until = Instant::now() + limit;
        let mut pages = Pages::default();
        let mut unusable = Vec::new();
        let mut cursor = None;
        let mut is_first = true;
        loop {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
            let never = CancellationToken::new();
            let patience = Patience {
                most: until.saturating_duration_since(Instant::now()),
                ..patience
            };
            let options = self.options(Askable::default());
            let asked = self.ask(request, options, patience, None, &never).await;
            let (page, told) = match asked {
                Ok(page) => page,
                Err(failure) if is_first => {
                    return Err(self.explain(failure).await.while_doing("listing its tools"));
                }
                Err(failure) => {
                    let error = self.explain(failure).await;
                    let mut listing = pages.finish();
                    listing.warnings.push(format!(
                        "the list ends after {} pages: {error}",
                        listing.pages
                    ));
                    return Ok(without(listing, &unusable));
                }
            };
            is_first = false;
            unusable.extend(self.unusable(&page, &told));
            cursor = pages.take(&page);
            if cursor.is_none() {
                return Ok(without(pages.finish(), &unusable));
            }
        }
    }

    /// The tools of a page that the library left out because what they say of headers is not valid (2026-07-28, HTTP).
    fn unusable(&self, page: &Value, told: &ServerResult) -> Vec<String> {
        let ServerResult::ListToolsResult(told) = told else {
            return Vec::new();
        };
        if self.era != Era::Modern || self.program.is_some() {
            return Vec::new();
        }
        let tools = page.get("tools").and_then(Value::as_array);
        tools
            .into_iter()
            .flatten()
            .filter(|tool| tool.to_string().contains("x-mcp-header"))
            .filter_map(|tool| tool.get("name")?.as_str())
            .filter(|name| !told.tools.iter().any(|other| other.name == *name))
            .map(str::to_owned)
            .collect()
    }

    /// What a failure is to whoever only wanted to look.
    pub(in crate::mcp::bridge) async fn explain(&self, failure: Failure) -> Error {
        match failure {
            Failure::Gone => self.broken().await,
            Failure::TimedOut(after) => Error::new(
                Code::E3503,
                format!("it did not answer within {}", seconds(after)),
            ),
            Failure::Cancelled => Error::new(Code::E3703, "the call was cancelled"),
            Failure::Refused(error) => {
                let message = error.get("message").and_then(Value::as_str);
                let message = message.map_or_else(|| error.to_string(), str::to_owned);
                Error::new(
                    Code::E3508,
                    format!("it refused: {}", super::cut(&message, 300)),
                )
            }
            Failure::Failed(error) => error,
        }
    }

    async fn ask(
        &self,
        request: ClientRequest,
        options: PeerRequestOptions,
        patience: Patience,
        company: Option<Company<'_>>,
        cancel: &CancellationToken,
    ) -> std::result::Result<(Value, ServerResult), Failure> {
        let begun = Instant::now();
        let beat = Arc::new(Notify::new());
        let asking = company.and_then(|company| company.asking);
        let asking = asking.filter(|_| self.era != Era::Modern);
        let (sender, mut questions) = mpsc::channel(QUESTIONS);
        let followed = company.map(|company| {
            self.routes.follow(Route {
                events: Arc::clone(company.events),
                beat: Arc::clone(&beat),
                questions: asking.map(|_| sender),
                askable: company.askable,
            })
        });
        let sending = self.peer.send_cancellable_request(request, options);
        let handle = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::Cancelled),
            sent = tokio::time::timeout(patience.most.min(patience.idle), sending) => match sent {
                Ok(Ok(handle)) => handle,
                Ok(Err(_)) => return Err(Failure::Gone),
                Err(_) => return Err(Failure::TimedOut(patience.most.min(patience.idle))),
            },
        };
        if let Some(followed) = &followed {
            followed.sent(&handle.id, &handle.progress_token);
        }
        let mut thinking: Option<Thinking<'_>> = None;
        let mut pending = Pending {
            id: handle.id.clone(),
            handle: Some(handle),
            wire: &self.wire,
        };
        let mut end = begun + patience.most;
        let mut quiet = begun + patience.idle;
        let told = loop {
            let Some(handle) = &mut pending.handle else {
                return Err(Failure::Gone);
            };
            tokio::select! {
                told = &mut handle.rx => break told,
                () = cancel.cancelled() => return Err(Failure::Cancelled),
                () = Thinking::over(&mut thinking) => {
                    if let Some(Thinking { since, .. }) = thinking.take() {
                        end += since.elapsed();
                    }
                    quiet = Instant::now() + patience.idle;
                }
                () = tokio::time::sleep_until(end), if thinking.is_none() => {
                    return Err(Failure::TimedOut(patience.most));
                }
                () = tokio::time::sleep_until(quiet), if thinking.is_none() => {
                    return Err(Failure::TimedOut(patience.idle));
                }
                Some(question) = questions.recv(), if thinking.is_none() => {
                    thinking = asking.map(|asking| Thinking::new(question, asking));
                }
                () = beat.notified() => quiet = Instant::now() + patience.idle,
            }
        };
        // It was answered: there is nothing to be cancelled.
        pending.handle = None;
        let reply = self.wire.take(&pending.id);
        let told = match told {
            Ok(told) => told,
            Err(_) => return Err(Failure::Gone),
        };
        match (reply, told) {
            (Some(Reply::Result(result)), told) => {
                Ok((result, told.unwrap_or_else(|_| ServerResult::empty(()))))
            }
            (Some(Reply::Refused(error)), _) => Err(Failure::Refused(error)),
            (Some(Reply::Broken(why)), _) => Err(Failure::Failed(
                Error::new(Code::E3508, format!("its answer cannot be read: {why}"))
                    .hint("Report it to the author of the server."),
            )),
            (Some(Reply::TooLong), _) => Err(Failure::Failed(self.too_long())),
            (Some(Reply::Failed(error)), _) => Err(Failure::Failed(error)),
            (None, Err(ServiceError::McpError(error))) => Err(Failure::Failed(Error::new(
                Code::E3502,
                format!("the request failed: {}", super::cut(&error.message, 300)),
            ))),
            (None, Err(ServiceError::Timeout { timeout })) => Err(Failure::TimedOut(timeout)),
            (None, _) => Err(Failure::Gone),
        }
    }

    fn too_long(&self) -> Error {
        Error::new(
            Code::E3508,
            format!(
                "its answer is longer than {}, the largest message that is read from it",
                crate::manifest::ByteSize(self.max_message as u64)
            ),
        )
        .hint("Ask it for less, or raise `max_message` of the server, up to 128MiB.")
        .detail("limit", self.max_message)
    }
}

/// A list without the tools that the protocol forbids to use.
fn without(mut listing: Listing, unusable: &[String]) -> Listing {
    for name in unusable {
        listing.tools.retain(|tool| tool.name != *name);
        listing.left_out.push(LeftOut {
            name: name.clone(),
            why: "what it says of headers (`x-mcp-header`) is not valid".to_owned(),
        });
    }
    listing
}
