//! A client's call of a tool, through the pipeline.

use std::sync::Arc;

use rmcp::model::{CallToolRequestParams, CallToolResponse, ProtocolVersion};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;

use super::Server;
use super::answer::{answer, failed, protocol_error, unknown_tool};
use super::search;
use super::told::{Wanted, level, telling};
use crate::error::Error;
use crate::ids::CallId;
use crate::invoke::{Caller, Request};

/// What stands before the name that a client gives itself: nobody else's agents are called so.
const CLIENT: &str = "mcp/";
/// The longest name of a client that is kept.
const LONGEST_CLIENT: usize = 64;

impl Server {
    pub(super) async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (house, counter) = (&self.house, &self.counter);
        let request = match &*request.name {
            search::SEARCH => {
                let shelf = counter.shelves.get(&house.app, &counter.viewer).await;
                let shelf = shelf.map_err(|error| protocol_error(&error))?;
                let found = search::search(&shelf, request.arguments.as_ref()).await?;
                return Ok(found.into());
            }
            search::CALL => match search::meant(request) {
                Ok(meant) => meant,
                Err(wrong) => return Ok(wrong.into()),
            },
            _ => request,
        };
        let (app, offer) = (&house.app, &counter.offer);
        let told = |error| protocol_error(&error);
        let shelf = counter
            .shelves
            .get(app, &counter.viewer)
            .await
            .map_err(told)?;
        let shelf = match shelf.find(&request.name) {
            Some(_) => shelf,
            // It may have come since.
            None => counter.refill(app).await.map_err(told)?,
        };
        let Some(served) = shelf.find(&request.name) else {
            return Err(unknown_tool(&request.name, shelf.nearest(&request.name)));
        };
        let wanted = Wanted {
            progress: context.meta.get_progress_token(),
            log: self.wanted_level(&context),
            name: served.described.name.to_string(),
        };
        let (events, teller) = telling(offer.events, wanted, context.peer.clone());
        let arguments = request.arguments.unwrap_or_default();
        let _running = house.running.enter();
        let invoked = house.pipeline.invoke(Request {
            call: CallId::generate(),
            tool: served.reference.clone(),
            arguments: Arc::new(Value::Object(arguments)),
            caller: Arc::new(self.caller(&context)),
            grants: Arc::clone(&offer.grants),
            limits: offer.limits.clone(),
            idempotency: None,
            deterministic: false,
            cancel: context.ct.clone(),
            events: Arc::new(events),
        });
        tokio::pin!(invoked);
        let report = tokio::select! {
            report = &mut invoked => report,
            () = house.running.stopping() => {
                context.ct.cancel();
                invoked.await
            }
        };
        teller.finish().await;
        house.counters.called(report.error().map(Error::code));
        // Nobody is told of a call that cannot be shown to have been.
        if let Err(error) = app.recorded().await {
            return Ok(failed(&error).into());
        }
        let mut result = answer(&report);
        if is_old(&context)
            && result
                .structured_content
                .as_ref()
                .is_some_and(|it| !it.is_object())
        {
            // There it has to be an object; the text has the same.
            result.structured_content = None;
        }
        Ok(result.into())
    }

    /// Who makes the call. What a client says of itself is marked as such.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
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

    fn wanted_level(&self, context: &RequestContext<RoleServer>) -> Option<crate::exec::LogLevel> {
        if is_old(context) {
            return Some(self.level());
        }
        // Since then a request says whether it wants any.
        context.meta.log_level().map(level)
    }
}

/// True for a client of the revisions with a handshake.
fn is_old(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_none_or(|version| version.as_str() < ProtocolVersion::V_2026_07_28.as_str())
}
