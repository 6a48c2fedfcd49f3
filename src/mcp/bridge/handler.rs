//! What a server says and asks while calls run: progress, messages and questions go to the call they belong to. What nobody
//! there can be asked is declined.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::ErrorData;
use rmcp::RoleClient;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, CustomRequest, CustomResult, ElicitationCapability,
    ErrorCode, Implementation, LoggingMessageNotificationParam, ProgressNotificationParam,
    ProgressToken, ProtocolVersion, RequestId, ServerJsonRpcMessage, ServerNotification,
};
use rmcp::service::{NotificationContext, RequestContext};
use serde_json::Value;
use tokio::sync::{Notify, mpsc, oneshot};

use super::message::cut;
use super::question::{self, Asked, Question};
use crate::exec::{Ask, Askable, EventSink, InputAnswer, LogLevel};
use crate::mcp::level::level;

/// The longest message of a server that is passed on, in characters.
const MESSAGE: usize = 4000;

/// Where what is told and asked during a call goes.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// What is told.
    pub(super) events: Arc<EventSink>,
    /// Told whenever the call shows that it goes on.
    pub(super) beat: Arc<Notify>,
    /// What is asked; nothing where it cannot ask like this.
    pub(super) questions: Option<mpsc::Sender<Question>>,
    /// What can be asked of whom only the call knows.
    pub(super) askable: Askable,
}

/// A call, and how it is named on the wire: the library says so only when it is on its way, and a server can be quicker.
#[derive(Debug)]
struct Underway {
    route: Route,
    names: Option<(RequestId, ProgressToken)>,
}

/// The calls that are underway on a connection.
#[derive(Debug, Default)]
pub(super) struct Routes {
    underway: Mutex<HashMap<u64, Underway>>,
    next: AtomicU64,
    is_stale: AtomicBool,
    changed: Notify,
}

impl Routes {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Underway>> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has what is told and asked of a call go there, as long as the guard lives. Begins before the call is sent.
    pub(super) fn follow(self: &Arc<Self>, route: Route) -> Followed {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let names = None;
        self.lock().insert(key, Underway { route, names });
        Followed {
            routes: Arc::clone(self),
            key,
        }
    }

    /// True, once, where the server said that its tools have changed.
    pub(super) fn take_stale(&self) -> bool {
        self.is_stale.swap(false, Ordering::AcqRel)
    }

    /// Says that its tools have to be listed again.
    pub(super) fn set_stale(&self) {
        self.is_stale.store(true, Ordering::Release);
    }

    /// The server said so.
    pub(super) fn told_of_change(&self) {
        self.set_stale();
        self.changed.notify_one();
    }

    /// Waits until the server says that its tools have changed. Nothing that it said meanwhile is missed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The only call that is underway: what a server says to nobody in particular is said to that.
    fn only(&self) -> Option<Route> {
        one(self.lock().values())
    }

    /// The call that something belongs to which came in the answer to this request.
    pub(super) fn owner(&self, stream: Option<&RequestId>) -> Option<Route> {
        match stream {
            Some(stream) => self.named(|(id, _)| id == stream),
            None => self.only(),
        }
    }

    /// The call of these names; where there is none, the one that has none yet.
    fn named(&self, is_it: impl Fn(&(RequestId, ProgressToken)) -> bool) -> Option<Route> {
        let underway = self.lock();
        let by_name = one(underway
            .values()
            .filter(|call| call.names.as_ref().is_some_and(&is_it)));
        by_name.or_else(|| one(underway.values().filter(|call| call.names.is_none())))
    }

    /// Passes on what is told of a call; gives back what is something else.
    pub(super) fn take_in(&self, told: ServerJsonRpcMessage) -> Option<ServerJsonRpcMessage> {
        let ServerJsonRpcMessage::Notification(notification) = &told else {
            return Some(told);
        };
        match &notification.notification {
            ServerNotification::ProgressNotification(told) => self.progress(&told.params),
            ServerNotification::LoggingMessageNotification(told) => self.message(&told.params),
            _ => return Some(told),
        }
        None
    }

    fn progress(&self, told: &ProgressNotificationParam) {
        let route = self.named(|(_, token)| *token == told.progress_token);
        if let Some(Route { events, beat, .. }) = route {
            beat.notify_one();
            let message = told.message.as_deref().map(|text| cut(text, MESSAGE));
            events.progress(told.progress, told.total, message.as_deref());
        }
    }

    fn message(&self, told: &LoggingMessageNotificationParam) {
        let level = level(told.level);
        let text = match &told.data {
            Value::String(text) => cut(text, MESSAGE),
            data => cut(&data.to_string(), MESSAGE),
        };
        say(self.only().as_ref(), level, &text);
    }
}

/// The only one of these.
fn one<'a>(mut calls: impl Iterator<Item = &'a Underway>) -> Option<Route> {
    match (calls.next(), calls.next()) {
        (Some(call), None) => Some(call.route.clone()),
        _ => None,
    }
}

/// Tells the call, where it is known whose it is.
fn say(route: Option<&Route>, level: LogLevel, text: &str) {
    match route {
        Some(route) => route.events.log(level, text),
        None => tracing::debug!(text, "a server said this to nobody in particular"),
    }
}

/// See [`Routes::follow`].
#[derive(Debug)]
pub(super) struct Followed {
    routes: Arc<Routes>,
    key: u64,
}

impl Followed {
    /// It is on its way, under these names.
    pub(super) fn sent(&self, id: &RequestId, token: &ProgressToken) {
        if let Some(call) = self.routes.lock().get_mut(&self.key) {
            call.names = Some((id.clone(), token.clone()));
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.routes.lock().remove(&self.key);
    }
}

/// Our side of a connection.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    routes: Arc<Routes>,
}

impl Listener {
    pub(super) fn new(routes: Arc<Routes>) -> Self {
        Self { routes }
    }

    /// Has it answered by whom the call knows.
    async fn ask(
        &self,
        asked: Asked,
        context: RequestContext<RoleClient>,
    ) -> Result<Value, ErrorData> {
        let route = self.routes.owner(asked.stream.as_ref());
        let askable = route.as_ref().map(|route| route.askable);
        let read = question::read(&asked.method, asked.params, askable.unwrap_or_default());
        let ask = read.map_err(|what| refuse(route.as_ref(), &what))?;
        let questions = route.as_ref().and_then(|route| route.questions.as_ref());
        let Some(questions) = questions else {
            return decline(route.as_ref(), &ask);
        };
        let (answer, answered) = oneshot::channel();
        let question = Question {
            ask: ask.clone(),
            answer,
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = questions.try_send(question) {
            return Err(refuse(route.as_ref(), "more than it may ask at once"));
        }
        let answered = tokio::select! {
            answered = answered => answered,
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("the question was taken back", None));
            }
        };
        match answered {
            Ok(Some(answer)) => Ok(question::reply(&ask, answer)),
            Ok(None) => decline(route.as_ref(), &ask),
            // The call is over.
            Err(_) => Ok(question::reply(&ask, InputAnswer::Cancelled)),
        }
    }
}

fn refuse(route: Option<&Route>, what: &str) -> ErrorData {
    let text = format!("the server asked for {what}, which was refused");
    say(route, LogLevel::Warn, &text);
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!("{what} is not offered here"),
        None,
    )
}

/// What is answered where nobody can be asked.
fn decline(route: Option<&Route>, ask: &Ask) -> Result<Value, ErrorData> {
    let message = match ask {
        Ask::Form { message, .. } | Ask::Url { message, .. } => message,
        Ask::Client { method, .. } => return Err(refuse(route, method)),
    };
    let text = format!(
        "the server asked a person, and nobody can answer here: {}",
        cut(message, MESSAGE)
    );
    say(route, LogLevel::Warn, &text);
    Ok(question::reply(ask, InputAnswer::Declined))
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let own = Implementation::new("toolhatch", env!("CARGO_PKG_VERSION"));
        // The connection is shared by calls with a person and without: where there is none, the answer is no.
        let mut elicitation = ElicitationCapability::new();
        elicitation.form = Some(Default::default());
        elicitation.url = Some(Default::default());
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(elicitation);
        let mut config = ClientConfig::new(capabilities, own);
        config.protocol_version = ProtocolVersion::V_2025_11_25;
        config
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        match Asked::unwrap(request) {
            Some(asked) => self.ask(asked, context).await.map(CustomResult::new),
            None => Err(refuse(None, "something without a name")),
        }
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.routes.told_of_change();
    }
}
