//! Telling clients that there are other tools than before.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::SubscriptionFilter;
use rmcp::service::{Peer, SubscriptionContext};
use tokio::sync::watch;

use super::{Counter, House, Server};

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

impl Server {
    /// Begins to look whether there are other tools, for as long as the server is there. Needs a runtime.
    pub fn watch_tools(&self) {
        tokio::spawn(look(
            Arc::downgrade(&self.house),
            Arc::downgrade(&self.counter),
        ));
    }

    /// Tells a client of the revisions with a handshake of every change, as long as it is there.
    pub(super) fn tell_changes(&self, peer: Peer<RoleServer>) {
        let mut changes = self.counter.changes.0.subscribe();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                if peer.notify_tool_list_changed().await.is_err() {
                    break;
                }
            }
        });
    }

    /// Tells a client that listens, until it stops.
    pub(super) async fn tell_listener(&self, context: &SubscriptionContext) {
        let mut changes = self.counter.changes.0.subscribe();
        loop {
            tokio::select! {
                () = context.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            if context.sink().notify_tool_list_changed().await.is_err() {
                return;
            }
        }
    }
}

/// What clients can listen to.
pub(super) fn filter(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut filter = SubscriptionFilter::default();
    filter.tools_list_changed = requested.tools_list_changed;
    filter
}

async fn look(house: Weak<House>, counter: Weak<Counter>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (Some(house), Some(counter)) = (house.upgrade(), counter.upgrade()) else {
            return;
        };
        // Nobody was told anything that could have changed since.
        let Some(before) = counter.shelves.known() else {
            continue;
        };
        match counter.refill(&house.app).await {
            Ok(now) if !now.tells_the_same(&before) => counter.changes.happened(),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "looking for tools"),
        }
    }
}
