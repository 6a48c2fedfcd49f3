//! What a server says and asks while calls run: progress and messages go to the call they belong to; what it asks for of a
//! model or of a person is refused.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::ErrorData;
use rmcp::RoleClient;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult,
    ElicitRequestParams, ElicitResult, ElicitationAction, ErrorCode, Implementation,
    ListRootsResult, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam,
    ProgressToken, ProtocolVersion, ServerJsonRpcMessage, ServerNotification,
};
use rmcp::service::{NotificationContext, RequestContext};
use serde_json::Value;
use tokio::sync::Notify;

use super::message::cut;
use crate::exec::{EventSink, LogLevel};

/// The longest message of a server that is passed on, in characters.
const MESSAGE: usize = 4000;

/// Where what is told during a call goes.
#[derive(Debug, Clone)]
struct Route {
    events: Arc<EventSink>,
    /// Told whenever the call shows that it goes on.
    beat: Arc<Notify>,
}

/// The calls that are underway on a connection.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: Mutex<HashMap<ProgressToken, Route>>,
    is_stale: AtomicBool,
}

impl Routes {
    fn lock(&self) -> MutexGuard<'_, HashMap<ProgressToken, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has what is told of this call go to its events, as long as the guard lives.
    pub(super) fn follow(
        self: &Arc<Self>,
        token: ProgressToken,
        events: Arc<EventSink>,
        beat: Arc<Notify>,
    ) -> Followed {
        self.lock().insert(token.clone(), Route { events, beat });
        Followed {
            routes: Arc::clone(self),
            token,
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

    /// The only call that is underway: what a server says to nobody in particular is said to that.
    fn only(&self) -> Option<Arc<EventSink>> {
        let routes = self.lock();
        match (routes.len(), routes.values().next()) {
            (1, Some(route)) => Some(Arc::clone(&route.events)),
            _ => None,
        }
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
        let route = self.lock().get(&told.progress_token).cloned();
        if let Some(Route { events, beat }) = route {
            beat.notify_one();
            let message = told.message.as_deref().map(|text| cut(text, MESSAGE));
            events.progress(told.progress, told.total, message.as_deref());
        }
    }

    fn message(&self, told: &LoggingMessageNotificationParam) {
        let level = match told.level {
            LoggingLevel::Debug => LogLevel::Debug,
            LoggingLevel::Info | LoggingLevel::Notice => LogLevel::Info,
            LoggingLevel::Warning => LogLevel::Warn,
            LoggingLevel::Error
            | LoggingLevel::Critical
            | LoggingLevel::Alert
            | LoggingLevel::Emergency => LogLevel::Error,
        };
        let text = match &told.data {
            Value::String(text) => cut(text, MESSAGE),
            data => cut(&data.to_string(), MESSAGE),
        };
        self.say(level, &text);
    }

    fn say(&self, level: LogLevel, text: &str) {
        match self.only() {
            Some(events) => events.log(level, text),
            None => tracing::debug!(text, "a server said this to nobody in particular"),
        }
    }
}

/// See [`Routes::follow`].
#[derive(Debug)]
pub(super) struct Followed {
    routes: Arc<Routes>,
    token: ProgressToken,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.routes.lock().remove(&self.token);
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

    fn refuse(&self, what: &str) -> ErrorData {
        let text = format!("the server asked for {what}, which was refused");
        self.routes.say(LogLevel::Warn, &text);
        ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            format!("{what} is not offered here"),
            None,
        )
    }
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let own = Implementation::new("toolhatch", env!("CARGO_PKG_VERSION"));
        let mut config = ClientConfig::new(ClientCapabilities::default(), own);
        config.protocol_version = ProtocolVersion::V_2025_11_25;
        config
    }

    async fn create_message(
        &self,
        _params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Err(self.refuse("a completion by a model (sampling)"))
    }

    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Err(self.refuse("the folders of this machine (roots)"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asked = serde_json::to_value(&request).unwrap_or_default();
        let asked = asked.get("message").and_then(Value::as_str).unwrap_or("");
        let text = format!(
            "the server asked a person, and nobody can answer here: {}",
            cut(asked, MESSAGE)
        );
        self.routes.say(LogLevel::Warn, &text);
        Ok(ElicitResult::new(ElicitationAction::Decline))
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.routes.set_stale();
    }
}
