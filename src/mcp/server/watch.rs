//! Telling clients that there are other tools than before.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rmcp::model::{ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, ServiceError, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use tokio::sync::watch;

use super::{Core, Offering, Server};

/// How often what is installed is looked at. It costs a query and the names in a few folders.
const EVERY: Duration = Duration::from_secs(2);

/// Counts how often the tools were other ones than before.
#[derive(Debug, Clone)]
pub(super) struct Changes(watch::Sender<u64>);

impl Changes {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn happened(&self) {
        self.0.send_modify(|count| *count += 1);
    }
}

/// How many resources a client can want to hear of.
const SUBSCRIPTIONS: usize = 1000;

impl Server {
    /// A client of the revisions with a handshake wants to hear of a resource.
    pub(super) async fn subscribe_to(&self, uri: &str) -> Result<(), ErrorData> {
        if self.shelf().await?.page_of(uri).is_none() {
            return Err(ErrorData::resource_not_found(
                "there is no such resource",
                None,
            ));
        }
        let mut to = self
            .subscribed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if to.len() >= SUBSCRIPTIONS {
            return Err(ErrorData::invalid_request(
                "there are too many subscriptions",
                None,
            ));
        }
        to.insert(uri.to_owned());
        Ok(())
    }

    /// It does not any more.
    pub(super) fn unsubscribe_from(&self, uri: &str) {
        let mut to = self
            .subscribed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        to.remove(uri);
    }

    /// Begins to look whether there are other tools, for as long as the server is there. Needs a runtime.
    pub fn watch_tools(&self) {
        tokio::spawn(look(
            Arc::downgrade(&self.core),
            Arc::downgrade(&self.offering),
        ));
    }

    /// Tells a client of the revisions with a handshake of every change, as long as it is there.
    pub(super) fn tell_changes(&self, peer: Peer<RoleServer>) {
        let mut changes = self.offering.changes.0.subscribe();
        let subscribed_to = Arc::clone(&self.subscribed);
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let told = tell(&peer, subscribed(&subscribed_to)).await;
                if told.is_err() {
                    break;
                }
            }
        });
    }

    /// Tells a client that listens, until it stops.
    pub(super) async fn tell_listener(&self, context: &SubscriptionContext) {
        let mut changes = self.offering.changes.0.subscribe();
        loop {
            tokio::select! {
                () = context.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            let (sink, accepted) = (context.sink(), context.accepted());
            let mut told = Vec::new();
            if accepted.tools_list_changed == Some(true) {
                told.push(sink.notify_tool_list_changed().await);
            }
            if accepted.prompts_list_changed == Some(true) {
                told.push(sink.notify_prompt_list_changed().await);
            }
            if accepted.resources_list_changed == Some(true) {
                told.push(sink.notify_resource_list_changed().await);
            }
            for uri in accepted.resource_subscriptions.iter().flatten() {
                told.push(sink.notify_resource_updated(uri.clone()).await);
            }
            if told.iter().any(Result::is_err) {
                return;
            }
        }
    }
}

/// What clients can listen to.
pub(super) fn filter(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut filter = SubscriptionFilter::default();
    filter.tools_list_changed = requested.tools_list_changed;
    filter.prompts_list_changed = requested.prompts_list_changed;
    filter.resources_list_changed = requested.resources_list_changed;
    filter
        .resource_subscriptions
        .clone_from(&requested.resource_subscriptions);
    filter
}

/// What plugins have changes with the plugins, so all of it may have.
async fn tell(peer: &Peer<RoleServer>, subscribed: Vec<String>) -> Result<(), ServiceError> {
    peer.notify_tool_list_changed().await?;
    peer.notify_prompt_list_changed().await?;
    peer.notify_resource_list_changed().await?;
    for uri in subscribed {
        peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri))
            .await?;
    }
    Ok(())
}

fn subscribed(to: &Mutex<BTreeSet<String>>) -> Vec<String> {
    let to = to.lock().unwrap_or_else(PoisonError::into_inner);
    to.iter().cloned().collect()
}

async fn look(core: Weak<Core>, offering: Weak<Offering>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (Some(core), Some(offering)) = (core.upgrade(), offering.upgrade()) else {
            return;
        };
        // Nobody was told anything that could have changed since.
        let Some(before) = offering.shelves.known() else {
            continue;
        };
        match offering.refill(&core.app).await {
            Ok(now) if !now.tells_the_same(&before) => offering.changes.happened(),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "looking for tools"),
        }
    }
}
