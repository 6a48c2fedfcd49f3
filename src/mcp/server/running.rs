//! The calls that run: counted, so that a server that ends can wait for them and end them.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long calls may take to end after they were cancelled.
const PATIENCE: Duration = Duration::from_secs(5);

/// The calls of a server.
#[derive(Debug)]
pub(super) struct Running {
    count: watch::Sender<usize>,
    stopping: CancellationToken,
}

/// One call; it counts as running until this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Running);

impl Running {
    pub(super) fn new() -> Self {
        Self {
            count: watch::Sender::new(0),
            stopping: CancellationToken::new(),
        }
    }

    /// A call begins.
    pub(super) fn enter(&self) -> Place<'_> {
        self.count.send_modify(|count| *count += 1);
        Place(self)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until all calls have to end.
    pub(super) async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Lets calls that run go on for as long as `grace`, then cancels them and waits until they have ended and are recorded.
    pub(super) async fn drain(&self, grace: Duration) {
        if self.wait(grace).await {
            return;
        }
        self.stopping.cancel();
        if !self.wait(PATIENCE).await {
            tracing::warn!("calls go on although they were cancelled");
        }
    }

    /// True where nothing runs any more.
    async fn wait(&self, most: Duration) -> bool {
        let mut count = self.count.subscribe();
        let none = count.wait_for(|count| *count == 0);
        tokio::time::timeout(most, none).await.is_ok()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
    }
}
