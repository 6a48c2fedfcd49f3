//! One connection of a command: a stream here, pieces with credit on the way to the runner.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::{Meter, Nonsense};
use toolhatch_runner::protocol::{Part, Segment, TUNNEL_WINDOW};

/// The most bytes of one piece, and what is buffered between the pieces and the proxy.
const PIECE: usize = 64 << 10;

/// What comes from the command.
pub(super) enum Incoming {
    /// Bytes.
    Data(Bytes),
    /// The end of them.
    End,
}

/// The handle of a connection. Dropping it ends the connection.
pub(super) struct Link {
    incoming: mpsc::UnboundedSender<Incoming>,
    shared: Arc<Shared>,
    task: Option<AbortHandle>,
}

/// What handle and connection both know.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes from the command that the proxy has not taken yet.
    arrived: AtomicUsize,
    /// Bytes for the command that it has not taken yet.
    under_way: AtomicUsize,
    /// The command has taken some.
    taken: Notify,
    /// How often something moved.
    moves: AtomicUsize,
}

/// The connection itself.
pub(super) struct Ends {
    number: u32,
    meter: Arc<Meter>,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    outgoing: mpsc::Sender<Segment>,
    shared: Arc<Shared>,
}

/// A connection, which has to be run, and its handle.
pub(super) fn new(number: u32, meter: Arc<Meter>, outgoing: mpsc::Sender<Segment>) -> (Link, Ends) {
    // Without a bound of its own: the window is one.
    let (sender, incoming) = mpsc::unbounded_channel();
    let shared = Arc::<Shared>::default();
    let link = Link {
        incoming: sender,
        shared: Arc::clone(&shared),
        task: None,
    };
    let ends = Ends {
        number,
        meter,
        incoming,
        outgoing,
        shared,
    };
    (link, ends)
}

impl Link {
    /// The task that ends with this handle.
    pub(super) fn driven_by(mut self, task: AbortHandle) -> Self {
        self.task = Some(task);
        self
    }

    /// Passes on what came from the command.
    ///
    /// # Errors
    /// Where it is more than there is room for.
    pub(super) fn pass(&self, incoming: Incoming) -> Result<(), Nonsense> {
        if let Incoming::Data(bytes) = &incoming {
            let before = self.shared.arrived.fetch_add(bytes.len(), Ordering::AcqRel);
            if before + bytes.len() > TUNNEL_WINDOW {
                return Err(Nonsense);
            }
        }
        // One that has ended meanwhile throws it away.
        drop(self.incoming.send(incoming));
        Ok(())
    }

    /// The command has taken so much.
    ///
    /// # Errors
    /// Where so much was never sent.
    pub(super) fn credit(&self, count: u32) -> Result<(), Nonsense> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let taken =
            self.shared
                .under_way
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |under_way| {
                    under_way.checked_sub(count)
                });
        self.shared.taken.notify_one();
        taken.map(drop).map_err(|_| Nonsense)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Ends {
    /// Serves the connection to its end, and says that it is over. One on which nothing moves for so long is over too.
    pub(super) async fn run<S, F>(self, idle: Duration, serve: S)
    where
        S: FnOnce(DuplexStream) -> F,
        F: Future<Output = ()>,
    {
        let Self {
            number,
            meter,
            incoming,
            outgoing,
            shared,
        } = self;
        let say = Say { number, outgoing };
        let (near, far) = tokio::io::duplex(PIECE);
        let (from_proxy, to_proxy) = tokio::io::split(far);
        let serving = async {
            // What the proxy wrote is sent after it has gone.
            tokio::join!(serve(near), send_all(from_proxy, &say, &shared, &meter));
        };
        tokio::select! {
            () = serving => {}
            () = receive_all(to_proxy, incoming, &say, &shared, &meter) => {}
            () = stillness(&shared, idle) => {}
        }
        say.part(Part::Close).await;
    }
}

/// Says things about one connection.
struct Say {
    number: u32,
    outgoing: mpsc::Sender<Segment>,
}

impl Say {
    async fn part(&self, part: Part) {
        let connection = self.number;
        // Nobody listens only where the command is over.
        drop(self.outgoing.send(Segment { connection, part }).await);
    }
}

/// From the proxy to the command, as far as there is credit.
async fn send_all(
    mut from_proxy: ReadHalf<DuplexStream>,
    say: &Say,
    shared: &Shared,
    meter: &Meter,
) {
    let mut buffer = vec![0; PIECE];
    loop {
        let most = loop {
            let under_way = shared.under_way.load(Ordering::Acquire);
            let most = TUNNEL_WINDOW.saturating_sub(under_way).min(PIECE);
            if most > 0 {
                break most;
            }
            shared.taken.notified().await;
        };
        let piece = buffer.get_mut(..most).unwrap_or_default();
        let count = match from_proxy.read(piece).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        shared.under_way.fetch_add(count, Ordering::AcqRel);
        shared.moves.fetch_add(1, Ordering::Relaxed);
        meter.received.fetch_add(count as u64, Ordering::Relaxed);
        let bytes = buffer.get(..count).unwrap_or_default();
        say.part(Part::Data(bytes.to_vec())).await;
    }
    say.part(Part::End).await;
}

/// From the command to the proxy; it ends with the proxy and not by itself.
async fn receive_all(
    mut to_proxy: WriteHalf<DuplexStream>,
    mut incoming: mpsc::UnboundedReceiver<Incoming>,
    say: &Say,
    shared: &Shared,
    meter: &Meter,
) {
    while let Some(Incoming::Data(bytes)) = incoming.recv().await {
        // A proxy that has gone reads nothing more.
        let is_read = to_proxy.write_all(&bytes).await.is_ok();
        shared.arrived.fetch_sub(bytes.len(), Ordering::AcqRel);
        shared.moves.fetch_add(1, Ordering::Relaxed);
        if is_read {
            meter.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        say.part(Part::Taken(count)).await;
    }
    drop(to_proxy.shutdown().await);
    std::future::pending::<()>().await;
}

/// Waits until nothing has moved for so long.
async fn stillness(shared: &Shared, idle: Duration) {
    let mut before = shared.moves.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(idle).await;
        let now = shared.moves.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> (Link, Ends, mpsc::Receiver<Segment>) {
        let (sender, sent) = mpsc::channel(4);
        let (link, ends) = new(7, Arc::default(), sender);
        (link, ends, sent)
    }

    async fn next(sent: &mut mpsc::Receiver<Segment>) -> Part {
        let segment = sent.recv().await.expect("something");
        assert_eq!(segment.connection, 7);
        segment.part
    }

    #[tokio::test]
    async fn no_more_is_sent_than_there_is_credit_for() {
        let (link, ends, mut sent) = begin();
        let running = tokio::spawn(ends.run(Duration::from_secs(60), |mut stream| async move {
            drop(stream.write_all(&vec![1; TUNNEL_WINDOW + 10]).await);
        }));
        let mut received = 0;
        while received < TUNNEL_WINDOW {
            let Part::Data(bytes) = next(&mut sent).await else {
                panic!("only bytes");
            };
            received += bytes.len();
        }
        assert_eq!(received, TUNNEL_WINDOW);
        assert!(sent.try_recv().is_err());
        assert!(link.credit(10).is_ok());
        assert_eq!(next(&mut sent).await, Part::Data(vec![1; 10]));
        // There is no credit left to read that nothing follows.
        assert!(link.credit(1).is_ok());
        assert_eq!(next(&mut sent).await, Part::End);
        assert_eq!(next(&mut sent).await, Part::Close);
        running.await.expect("it ended");
        assert_eq!(link.credit(u32::MAX), Err(Nonsense));
    }

    #[tokio::test]
    async fn what_comes_is_read_within_its_window_and_to_its_end() {
        let (link, ends, mut sent) = begin();
        let running = tokio::spawn(ends.run(Duration::from_secs(60), |mut stream| async move {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.expect("read");
            drop(stream.write_all(&bytes).await);
        }));
        assert!(
            link.pass(Incoming::Data(Bytes::from_static(b"all")))
                .is_ok()
        );
        assert_eq!(next(&mut sent).await, Part::Taken(3));
        assert!(link.pass(Incoming::End).is_ok());
        assert_eq!(next(&mut sent).await, Part::Data(b"all".to_vec()));
        assert_eq!(next(&mut sent).await, Part::End);
        assert_eq!(next(&mut sent).await, Part::Close);
        running.await.expect("it ended");
        let most = Bytes::from(vec![0; TUNNEL_WINDOW]);
        assert!(link.pass(Incoming::Data(most)).is_ok());
        assert_eq!(
            link.pass(Incoming::Data(Bytes::from_static(b"x"))),
            Err(Nonsense)
        );
    }

    #[tokio::test]
    async fn one_on_which_nothing_moves_is_over() {
        let (_link, ends, mut sent) = begin();
        let never = |stream| async move {
            std::future::pending::<()>().await;
            drop::<DuplexStream>(stream);
        };
        let running = tokio::spawn(ends.run(Duration::from_millis(20), never));
        assert_eq!(next(&mut sent).await, Part::Close);
        running.await.expect("it ended");
    }
}
