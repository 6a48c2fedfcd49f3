//! Calls that take long, for clients that declare the extension `io.modelcontextprotocol/tasks`: after a moment the answer is a
//! task, which the client asks after as often as it likes. Its connection need not last as long as the call.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CreateTaskResult,
    InputRequest as McpRequest,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions};
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Server;
use crate::exec::BoxFuture;

/// A call that ends before is answered like any other.
const SOON: Duration = Duration::from_secs(2);
/// How long a task and its result are kept, in milliseconds. A call ends before, by its own time limit.
const KEPT_MS: u64 = 60 * 60 * 1000;
/// How often a client should ask, in milliseconds.
const POLL_MS: u64 = 1000;

/// The task that a call has become, once it has.
#[derive(Default)]
pub(super) struct Slot {
    task: OnceLock<TaskContext>,
    /// Ends the call: the request that began it may be over long before.
    pub(super) cancel: CancellationToken,
}

impl Slot {
    /// Asks the client of the task; nothing where it is none, or the task was cancelled.
    pub(super) async fn ask(&self, key: &str, request: Value) -> Option<Value> {
        let task = self.task.get()?;
        let request: McpRequest = serde_json::from_value(request).ok()?;
        task.request_input(key, request).await.ok()
    }

    /// True where the call has become a task.
    pub(super) fn is_task(&self) -> bool {
        self.task.get().is_some()
    }
}

impl Server {
    /// A call of a tool, which becomes a task where it takes longer and the client knows of tasks.
    pub(super) async fn call_or_task(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = context.client_capabilities();
        if !client.is_some_and(|client| client.supports_tasks()) {
            return self.call(request, context, None).await;
        }
        let slot = Arc::new(Slot::default());
        let request_over = context.ct.clone();
        let (server, of_call) = (self.clone(), Arc::clone(&slot));
        let mut calling: BoxFuture<'static, _> =
            Box::pin(async move { server.call(request, context, Some(of_call)).await });
        tokio::select! {
            answered = &mut calling => return answered,
            () = request_over.cancelled() => {
                slot.cancel.cancel();
                return calling.await;
            }
            () = tokio::time::sleep(SOON) => {}
        }
        let options = TaskOptions::new()
            .with_ttl_ms(KEPT_MS)
            .with_poll_interval_ms(POLL_MS);
        let task = self
            .offering
            .tasks
            .spawn(options, move |task| -> TaskFuture {
                let cancelled = task.clone();
                // It is set once, here.
                drop(slot.task.set(task));
                Box::pin(async move {
                    let answered = tokio::select! {
                        answered = &mut calling => answered,
                        () = cancelled.cancelled() => {
                            slot.cancel.cancel();
                            drop(calling.await);
                            return Err(TaskExit::Cancelled);
                        }
                    };
                    whole(answered?)
                })
            });
        Ok(CreateTaskResult::new(task).into())
    }
}

/// The result of a task, which has no further questions.
fn whole(response: CallToolResponse) -> Result<CallToolResult, TaskExit> {
    match response {
        CallToolResponse::Complete(result) => Ok(result),
        _ => {
            let message = "the call ended with questions that a task cannot hand on; make it again";
            Err(TaskExit::Error(ErrorData::internal_error(message, None)))
        }
    }
}
