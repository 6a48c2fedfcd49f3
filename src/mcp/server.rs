//! The MCP server: every tool of Toolhatch for any agent.
//!
//! Both eras on one endpoint: the stateless revision 2026-07-28, and the handshake of the revisions before it. What a client
//! calls goes through the pipeline like everything else; what a person granted for good, and what whoever started the server
//! allowed, is what the calls may do. Nothing that a client or a model says widens it.

mod answer;
mod ask;
mod call;
mod counters;
mod describe;
mod http;
mod load;
pub mod names;
mod overflow;
mod pages;
mod recorded;
mod running;
mod search;
mod servers;
mod shelf;
mod stdio;
mod tasks;
mod told;
mod underway;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult,
    Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::task_manager::TaskManager;
use rmcp::{ErrorData, RoleServer, ServerHandler};

pub use http::{Door, Listening, serve_http};
pub use names::Naming;
pub use shelf::Selection;
pub use stdio::serve_stdio;

use self::answer::protocol_error;
use self::ask::Questions;
use self::counters::Counters;
use self::overflow::Overflow;
use self::running::Running;
use self::shelf::{Shelf, Shelves};
use self::watch::Changes;
use crate::app::App;
use crate::audit::RecentCalls;
use crate::error::Result;
use crate::exec::{EventLimits, LogLevel};
use crate::invoke::{Caller, Pipeline};
use crate::manifest::LimitRequest;
use crate::permission::Grants;

/// What is served, and on what terms.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Which tools.
    pub selection: Selection,
    /// What whoever started the server allows its calls, besides what is granted for good.
    pub grants: Arc<Grants>,
    /// Limits of each call, below the ceiling.
    pub limits: LimitRequest,
    /// How much of what calls tell is kept.
    pub events: EventLimits,
    /// Past how many tools clients get a search in place of the whole list.
    pub search_above: usize,
}

/// What everything that is served has in common.
pub struct Core {
    app: Arc<App>,
    pipeline: Pipeline,
    running: Running,
    counters: Counters,
    questions: Questions,
    overflow: Overflow,
    /// What was recorded of the last calls; nothing where nothing is recorded.
    recent: Option<Arc<RecentCalls>>,
}

/// An offer, with the tools that there are for it.
struct Offering {
    offer: Offer,
    /// Who the tools are shown to.
    viewer: Caller,
    shelves: Shelves,
    changes: Changes,
    /// The calls that take long, of the clients that know of tasks.
    tasks: TaskManager,
}

/// One connection to a client, or one request where there are no connections.
#[derive(Clone)]
pub struct Server {
    core: Arc<Core>,
    offering: Arc<Offering>,
    caller: Caller,
    /// From which level on messages of tools are passed on.
    level: Arc<Mutex<LogLevel>>,
    /// The resources it wants to hear of.
    subscribed: Arc<Mutex<BTreeSet<String>>>,
}

impl Core {
    /// The one for this process.
    ///
    /// # Errors
    /// Those of [`App::pipeline`].
    pub fn new(app: &Arc<App>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            pipeline: app.pipeline()?,
            app: Arc::clone(app),
            running: Running::new(),
            counters: Counters::default(),
            questions: Questions::default(),
            overflow: Overflow::default(),
            recent: app.recent_calls(),
        }))
    }

    /// Lets calls that run go on for as long as `grace`, then cancels them and waits until they are recorded.
    pub async fn drain(&self, grace: Duration) {
        self.running.drain(grace).await;
    }
}

impl Offering {
    async fn refill(&self, app: &App) -> Result<Arc<Shelf>> {
        self.shelves.refill(app, &self.viewer).await
    }
}

/// The level until a client sets one.
const FIRST_LEVEL: LogLevel = LogLevel::Info;

const INSTRUCTIONS: &str = "Each tool runs in a sandbox and can do no more than a person granted it. A call that is \
     refused says what is missing: a person can grant it, you cannot. Do not try to work around a refusal.";

impl Server {
    /// What serves this to clients who are this caller.
    #[must_use]
    pub fn new(core: &Arc<Core>, offer: Offer, caller: Caller) -> Self {
        Self {
            core: Arc::clone(core),
            offering: Arc::new(Offering {
                shelves: Shelves::new(offer.selection.clone()),
                viewer: caller.clone(),
                changes: Changes::new(),
                tasks: TaskManager::new(),
                offer,
            }),
            caller,
            level: Arc::new(Mutex::new(FIRST_LEVEL)),
            subscribed: Arc::default(),
        }
    }

    /// The same for a client of its own, who sets a level of its own.
    fn for_client(&self) -> Self {
        Self {
            level: Arc::new(Mutex::new(FIRST_LEVEL)),
            subscribed: Arc::default(),
            ..self.clone()
        }
    }

    /// What is served now, as it was last looked at.
    async fn shelf(&self) -> std::result::Result<Arc<Shelf>, ErrorData> {
        let offering = &self.offering;
        let shelf = offering.shelves.get(&self.core.app, &offering.viewer).await;
        shelf.map_err(|error| protocol_error(&error))
    }

    /// The same, looked at anew.
    async fn new_shelf(&self) -> std::result::Result<Arc<Shelf>, ErrorData> {
        let shelf = self.offering.refill(&self.core.app).await;
        shelf.map_err(|error| protocol_error(&error))
    }

    fn level(&self) -> LogLevel {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_completions()
            .enable_tasks()
            .build();
        capabilities.logging = Some(rmcp::model::JsonObject::new());
        let implementation = Implementation::new("toolhatch", env!("CARGO_PKG_VERSION"))
            .with_title("Toolhatch")
            .with_description("Runs the tools of AI agents behind one gate");
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<ListToolsResult, ErrorData> {
        let shelf = self.new_shelf().await?;
        for left_out in &shelf.left_out {
            tracing::warn!("a tool is not served: {left_out}");
        }
        let described = shelf.served().iter().map(|served| served.described.clone());
        let mut tools: Vec<_> = if shelf.served().len() > self.offering.offer.search_above {
            search::described()
        } else {
            described.collect()
        };
        if shelf.of_servers().next().is_some() {
            tools.push(servers::described());
        }
        if self.may_load() {
            tools.push(load::described());
        }
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<CallToolResponse, ErrorData> {
        self.call_or_task(request, context).await
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<ListPromptsResult, ErrorData> {
        let shelf = self.new_shelf().await?;
        Ok(ListPromptsResult::with_all_items(shelf.prompts()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<GetPromptResponse, ErrorData> {
        self.prompt(request, context).await
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<ListResourcesResult, ErrorData> {
        let shelf = self.new_shelf().await?;
        let mut resources = shelf.resources();
        resources.extend(self.recorded_list());
        Ok(ListResourcesResult::with_all_items(resources))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<ListResourceTemplatesResult, ErrorData> {
        let shelf = self.new_shelf().await?;
        let mut templates = shelf.templates();
        templates.extend(self.recorded_template());
        Ok(ListResourceTemplatesResult::with_all_items(templates))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<ReadResourceResponse, ErrorData> {
        self.read(request, context).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<CompleteResult, ErrorData> {
        self.completion(request, context).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<(), ErrorData> {
        self.subscribe_to(&request.uri).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<(), ErrorData> {
        self.unsubscribe_from(&request.uri);
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<GetTaskResult, ErrorData> {
        let task = self.offering.tasks.get_task(&request.task_id)?;
        Ok(GetTaskResult::new(task))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<(), ErrorData> {
        let responses = request.input_responses;
        self.offering.tasks.update_task(&request.task_id, responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<(), ErrorData> {
        self.offering.tasks.cancel_task(&request.task_id)
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        let shelf = self.offering.shelves.known()?;
        Some(shelf.find(name)?.described.clone())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.tell_changes(context.peer);
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(watch::filter(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> std::result::Result<(), ErrorData> {
        self.tell_listener(&context).await;
        Ok(())
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<(), ErrorData> {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) =
            crate::mcp::level::level(request.level);
        Ok(())
    }
}
