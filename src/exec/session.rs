//! A program that goes on running with its runner: its standard streams as long as it lives, and how it ended.
//!
//! Nothing grows where nobody reads: what the program prints waits in one piece of each stream until it was taken, and
//! meanwhile the runner is not heard, which has the program wait. All its streams come over one connection, so whoever reads
//! one of them has to read the other as well. What it is told, and that somebody is there, is sent all the same.

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;

use super::dialogue::outgoing;
use super::egress::{Egress, Nonsense};
use super::launch::Ask;
use super::resident::{Lost, Resident};
use toolhatch_runner::protocol::{Ended as Reported, Order, Refused, Report, Run, STDIN_WINDOW};

/// The most bytes of one frame of standard input, and of each stream that wait to be taken.
const PIECE: usize = 64 << 10;

/// A program that runs.
pub(super) struct Session {
    id: u32,
    egress: Option<Egress>,
    /// What it is to read.
    input: DuplexStream,
    /// What it prints: standard output, standard error.
    outputs: [Printed; 2],
    asked: mpsc::UnboundedReceiver<Ask>,
}

/// The other ends of what a session has.
pub(super) struct Ends {
    pub(super) input: DuplexStream,
    pub(super) output: DuplexStream,
    pub(super) errors: DuplexStream,
    pub(super) asks: mpsc::UnboundedSender<Ask>,
}

/// One of the streams that a program prints to.
struct Printed {
    /// Nothing where nobody reads it any more.
    stream: Option<DuplexStream>,
    waiting: Bytes,
}

impl Printed {
    fn new(stream: DuplexStream) -> Self {
        Self {
            stream: Some(stream),
            waiting: Bytes::new(),
        }
    }

    fn put(&mut self, bytes: Vec<u8>) {
        if self.stream.is_some() {
            self.waiting = bytes.into();
        }
    }

    /// Passes on a part of what waits. Nothing is lost where this is dropped while it waits.
    async fn pass(&mut self) {
        let Some(stream) = &mut self.stream else {
            return std::future::pending().await;
        };
        match stream.write(&self.waiting).await {
            Ok(count) => self.waiting.advance(count),
            Err(_) => {
                self.stream = None;
                self.waiting.clear();
            }
        }
    }
}

impl Session {
    /// Has the runner start a program, and waits until it is executed.
    ///
    /// # Errors
    /// Where the runner is not heard any more; inside, why it did not start the program.
    pub(super) async fn begin(
        resident: &mut Resident,
        run: Run,
        egress: Option<Egress>,
    ) -> Result<Result<(Self, Ends), Refused>, Lost> {
        let id = rand::random();
        resident.send(id, &Order::Run(run)).await?;
        loop {
            match resident.next().await? {
                (of, Report::Started(_)) if of == id => break,
                (of, Report::Refused(refused)) if of == id => return Ok(Err(refused)),
                (_, Report::Error(_)) => return Err(Lost::Ended),
                _ => {}
            }
        }
        let (input, to_input) = tokio::io::duplex(PIECE);
        let (output, from_output) = tokio::io::duplex(PIECE);
        let (errors, from_errors) = tokio::io::duplex(PIECE);
        let (asks, asked) = mpsc::unbounded_channel();
        let session = Self {
            id,
            egress,
            input,
            outputs: [Printed::new(output), Printed::new(errors)],
            asked,
        };
        let ends = Ends {
            input: to_input,
            output: from_output,
            errors: from_errors,
            asks,
        };
        Ok(Ok((session, ends)))
    }

    /// Stays with the program to its end. The runner hears at least so often that somebody is there.
    ///
    /// # Errors
    /// Where the runner is not heard any more.
    pub(super) async fn follow(
        &mut self,
        resident: &mut Resident,
        words_within: Duration,
    ) -> Result<Reported, Lost> {
        let id = self.id;
        let mut under_way = 0_usize;
        let mut is_open = true;
        let mut is_asked = true;
        let mut buffer = vec![0; PIECE];
        let mut lease = tokio::time::interval(words_within);
        loop {
            let room = PIECE.min(STDIN_WINDOW.saturating_sub(under_way));
            let [output, errors] = &mut self.outputs;
            let (has_output, has_errors) = (!output.waiting.is_empty(), !errors.waiting.is_empty());
            tokio::select! {
                biased;
                ask = self.asked.recv(), if is_asked => match ask {
                    Some(Ask::Terminate) => resident.send(id, &Order::Signal(15)).await?,
                    Some(Ask::Kill) => resident.send(id, &Order::Kill).await?,
                    None => is_asked = false,
                },
                // No signal at all: a word that has no answer, which nobody might read.
                _ = lease.tick() => resident.send(id, &Order::Signal(0)).await?,
                segment = outgoing(&mut self.egress) => {
                    resident.send(id, &Order::Tunnel(segment)).await?;
                }
                read = self.input.read(buffer.get_mut(..room).unwrap_or_default()), if is_open && room > 0 => {
                    let count = read.unwrap_or_default();
                    let bytes = buffer.get(..count).unwrap_or_default();
                    under_way += count;
                    is_open = count > 0;
                    let order = if is_open { Order::Stdin(bytes.to_vec()) } else { Order::StdinEnd };
                    resident.send(id, &order).await?;
                }
                () = output.pass(), if has_output => {}
                () = errors.pass(), if has_errors => {}
                report = resident.next(), if !has_output && !has_errors => {
                    match report? {
                        (_, Report::Error(text)) => {
                            tracing::warn!(text, "the runner gave up");
                            return Err(Lost::Ended);
                        }
                        (of, _) if of != id => {}
                        (_, Report::Stdout(bytes)) => output.put(bytes),
                        (_, Report::Stderr(bytes)) => errors.put(bytes),
                        (_, Report::Taken(count)) => {
                            let count = usize::try_from(count).unwrap_or(usize::MAX);
                            under_way = under_way.saturating_sub(count);
                        }
                        (_, Report::Ended(ended)) => return Ok(ended),
                        (_, Report::Opened(connection)) => {
                            self.egress.as_mut().ok_or(Nonsense)?.open(connection)?;
                        }
                        (_, Report::Tunnel(segment)) => {
                            self.egress.as_mut().ok_or(Nonsense)?.take(segment)?;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use toolhatch_runner::protocol::{Decoder, Ending};

    use super::*;
    use crate::exec::dialogue::{Around, order};
    use crate::exec::resident::Piece;

    /// A runner that says what it is told to, and the orders that it gets.
    struct Runner {
        says: mpsc::Sender<Bytes>,
        orders: DuplexStream,
        decoder: Decoder,
        id: u32,
    }

    impl Runner {
        fn new() -> (Resident, Self) {
            let (input, orders) = tokio::io::duplex(1 << 20);
            let (says, said) = mpsc::channel::<Bytes>(1);
            let output = stream::unfold(said, |mut said| async move {
                let bytes = said.recv().await?;
                Some((Ok(Piece::Said(bytes)), said))
            });
            let runner = Self {
                says,
                orders,
                decoder: Decoder::new(),
                id: 0,
            };
            (Resident::new(input, output), runner)
        }

        async fn order(&mut self) -> Order {
            let mut buffer = [0; 4096];
            loop {
                if let Some(frame) = self.decoder.next_frame().expect("a frame") {
                    self.id = frame.id;
                    return Order::parse(frame).expect("an order");
                }
                let count = self.orders.read(&mut buffer).await.expect("read");
                self.decoder.push(&buffer[..count]);
            }
        }

        fn frame(&self, report: &Report) -> Bytes {
            let mut bytes = Vec::new();
            report.encode(self.id, &mut bytes).expect("short enough");
            bytes.into()
        }

        async fn say(&self, report: Report) {
            self.says.send(self.frame(&report)).await.expect("heard");
        }
    }

    async fn begun() -> (Runner, Session, Ends, Resident) {
        let (mut resident, mut runner) = Runner::new();
        let spec = crate::exec::sandbox::tests::spec();
        let run = order(&spec, &Around::default());
        let starting = async {
            let told = runner.order().await;
            assert!(matches!(told, Order::Run(run) if run.deadline_ms == 0 && run.stdin));
            runner.say(Report::Started(7)).await;
        };
        let (begun, ()) = tokio::join!(Session::begin(&mut resident, run, None), starting);
        let (session, ends) = begun.expect("heard").expect("started");
        (runner, session, ends, resident)
    }

    fn ended() -> Report {
        Report::Ended(Reported {
            ending: Ending::Exited(3),
            timed_out: false,
            user_us: 0,
            system_us: 0,
            max_rss_bytes: 0,
            oom_kills: None,
            leftovers: 0,
            duration_us: 0,
        })
    }

    #[tokio::test]
    async fn nothing_more_is_heard_before_it_was_read_and_orders_pass() {
        let (mut runner, mut session, ends, mut resident) = begun().await;
        let following =
            tokio::spawn(
                async move { session.follow(&mut resident, Duration::from_secs(60)).await },
            );
        assert_eq!(runner.order().await, Order::Signal(0));
        let piece = vec![b'x'; PIECE];
        let mut heard = 0;
        let one = runner.frame(&Report::Stdout(piece.clone()));
        // Some in the stream, some that waits, one under way, and then nobody listens.
        loop {
            let said = runner.says.send(one.clone());
            if tokio::time::timeout(Duration::from_millis(100), said)
                .await
                .is_err()
            {
                break;
            }
            heard += 1;
            assert!(heard < 10, "it is all kept somewhere");
        }
        ends.asks.send(Ask::Kill).expect("somebody stays with it");
        assert_eq!(runner.order().await, Order::Kill);
        let Ends {
            mut output, errors, ..
        } = ends;
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            output.read_to_end(&mut all).await.expect("read");
            all.len()
        });
        drop(errors);
        // What nobody wants any more is in nobody's way.
        runner.say(Report::Stderr(piece.clone())).await;
        runner.say(Report::Stderr(piece)).await;
        runner.say(ended()).await;
        let told = following.await.expect("no panic").expect("heard");
        assert_eq!(told.ending, Ending::Exited(3));
        let read = reading.await.expect("no panic");
        assert_eq!(read, heard * PIECE);
    }

    #[tokio::test]
    async fn no_more_is_sent_than_the_runner_has_room_for() {
        let (mut runner, mut session, ends, mut resident) = begun().await;
        let following =
            tokio::spawn(
                async move { session.follow(&mut resident, Duration::from_secs(60)).await },
            );
        assert_eq!(runner.order().await, Order::Signal(0));
        let Ends { mut input, .. } = ends;
        let writing = tokio::spawn(async move {
            let all = vec![b'y'; STDIN_WINDOW + 10];
            input.write_all(&all).await.expect("taken");
        });
        let mut received = 0;
        while received < STDIN_WINDOW {
            let Order::Stdin(bytes) = runner.order().await else {
                panic!("only bytes");
            };
            received += bytes.len();
        }
        assert_eq!(received, STDIN_WINDOW);
        let more = tokio::time::timeout(Duration::from_millis(100), runner.order()).await;
        assert!(more.is_err(), "{more:?}");
        runner.say(Report::Taken(10)).await;
        assert_eq!(runner.order().await, Order::Stdin(vec![b'y'; 10]));
        // Its end is seen when there is room again.
        writing.await.expect("no panic");
        runner.say(Report::Taken(1)).await;
        assert_eq!(runner.order().await, Order::StdinEnd);
        runner.say(ended()).await;
        following.await.expect("no panic").expect("heard");
    }
}
