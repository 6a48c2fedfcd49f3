//! Hearing of changes between calls: a server that says that its tools have changed is asked for them soon after, and not
//! only when the next call is made.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rmcp::model::{ErrorCode, SubscriptionFilter};
use rmcp::service::ServiceError;
use rmcp::{Peer, RoleClient};
use tokio::task::JoinSet;

use super::handler::Routes;
use super::server::Server;
use super::{Directory, Era};

/// Changes that come one upon the other are one.
const SETTLE: Duration = Duration::from_millis(100);
/// How long a server is left alone after its tools were listed, however many changes it tells.
const REST: Duration = Duration::from_secs(2);
/// How long after a stream of changes ended before it is asked for again; doubled where it ends at once.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// The longest that is waited.
const LONGEST: Duration = Duration::from_secs(300);
/// A stream that lasted so long did not end at once.
const STEADY: Duration = Duration::from_secs(30);

/// Has the tools listed again whenever the server says over this connection that they changed, until the tasks are dropped. One
/// of the revisions without a handshake says it only where it was asked to.
pub(super) fn follow(
    server: Weak<Server>,
    directory: Arc<dyn Directory>,
    routes: &Arc<Routes>,
    listening: Option<Peer<RoleClient>>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(list_again(server, directory, Arc::clone(routes)));
    if let Some(peer) = listening {
        tasks.spawn(listen(peer, Arc::clone(routes)));
    }
    tasks
}

/// True where a server has to be asked to tell of changes, and says that it can.
pub(super) fn is_to_be_asked(era: Era, said: &serde_json::Value) -> bool {
    let can = said.pointer("/capabilities/tools/listChanged");
    era == Era::Modern && can == Some(&serde_json::Value::Bool(true))
}

async fn list_again(server: Weak<Server>, directory: Arc<dyn Directory>, routes: Arc<Routes>) {
    loop {
        routes.changed().await;
        tokio::time::sleep(SETTLE).await;
        let Some(server) = server.upgrade() else {
            return;
        };
        if let Err(error) = server.catch_up(&*directory).await {
            tracing::warn!(%error, "listing the tools of a server again");
        }
        drop(server);
        tokio::time::sleep(REST).await;
    }
}

/// Listens for as long as the server lets us. One that refuses is not asked again; what it offers is seen at the next call.
async fn listen(peer: Peer<RoleClient>, routes: Arc<Routes>) {
    let mut rest = LISTEN_AGAIN;
    while !peer.is_transport_closed() {
        let begun = Instant::now();
        if !hear(&peer, &routes).await {
            return;
        }
        if begun.elapsed() > STEADY {
            rest = LISTEN_AGAIN;
        }
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(LONGEST);
    }
}

/// Listens once, to the end of the stream. False where the server wants to tell nothing.
async fn hear(peer: &Peer<RoleClient>, routes: &Routes) -> bool {
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscription = match peer.listen(filter).await {
        Ok(subscription) => subscription,
        Err(error) => {
            tracing::debug!(%error, "asking a server to tell of changes");
            // What could not be sent ends with an internal error, and may be sent later.
            return !matches!(error, ServiceError::McpError(error) if error.code != ErrorCode::INTERNAL_ERROR);
        }
    };
    if subscription.acknowledged().tools_list_changed != Some(true) {
        return false;
    }
    // What changed before anybody listened was told to nobody.
    routes.told_of_change();
    loop {
        match subscription.next().await {
            Ok(Some(_)) => routes.told_of_change(),
            Ok(None) => return true,
            Err(error) => {
                // More may have come than could be taken.
                tracing::debug!(%error, "listening for changes");
                routes.told_of_change();
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_is_asked_to_tell_of_changes_where_it_says_that_it_can() {
        let says =
            |can: serde_json::Value| json!({"capabilities": {"tools": {"listChanged": can}}});
        assert!(is_to_be_asked(Era::Modern, &says(json!(true))));
        // With a handshake it tells without being asked.
        assert!(!is_to_be_asked(Era::Legacy, &says(json!(true))));
        for said in [
            says(json!(false)),
            says(json!("true")),
            json!({}),
            json!(null),
        ] {
            assert!(!is_to_be_asked(Era::Modern, &said), "{said}");
        }
    }
}
