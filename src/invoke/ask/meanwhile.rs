//! Questions that come while the executor runs: they are put to somebody beside the run, which waits for the answer and can
//! end without it.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::super::admit::Place;
use super::Conversation;
use crate::exec::{Asking, BoxFuture, Ended, InputAnswer, InputRequest, Outcome, Usage};

/// How many questions wait for their turn; who asks more at once waits to ask.
const WAITING: usize = 1;

/// Questions on their way to whoever has them answered.
#[derive(Debug)]
struct Question {
    requests: Vec<InputRequest>,
    /// Closed where the tool does not want to know any more.
    answers: oneshot::Sender<Option<Vec<InputAnswer>>>,
}

/// The end that a job has.
#[derive(Debug)]
struct Speaking(mpsc::Sender<Question>);

impl Asking for Speaking {
    fn ask(&self, requests: Vec<InputRequest>) -> BoxFuture<'_, Option<Vec<InputAnswer>>> {
        Box::pin(async move {
            let (answers, answered) = oneshot::channel();
            self.0.send(Question { requests, answers }).await.ok()?;
            answered.await.ok()?
        })
    }
}

/// The end that the pipeline has.
#[derive(Debug)]
pub(in crate::invoke) struct Line(mpsc::Receiver<Question>);

/// A run that ended, and how much of its time somebody thought.
#[derive(Debug)]
pub(in crate::invoke) struct Attended {
    pub(in crate::invoke) outcome: Outcome,
    pub(in crate::invoke) waited: Duration,
}

impl Line {
    /// A line, and the end of it for a job.
    pub(in crate::invoke) fn new() -> (impl Asking + 'static, Self) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Speaking(sender), Self(receiver))
    }

    /// Runs to its end, and has answered what is asked meanwhile. While somebody is asked, the run has no place among the
    /// running calls.
    pub(in crate::invoke) async fn attend(
        &mut self,
        mut running: BoxFuture<'_, Outcome>,
        talk: &mut Conversation<'_>,
        place: &mut Place<'_>,
    ) -> Attended {
        let begun = Instant::now();
        let mut waited = Duration::ZERO;
        loop {
            let Question {
                requests,
                mut answers,
            } = tokio::select! {
                biased;
                outcome = &mut running => return Attended { outcome, waited },
                Some(question) = self.0.recv() => question,
            };
            let since = Instant::now();
            if talk.has_respondent() {
                place.leave();
            }
            let answering = async {
                let answered = tokio::select! {
                    biased;
                    () = answers.closed() => None,
                    answered = talk.ask_meanwhile(requests) => answered?,
                };
                place.take().await.map_err(Ended::NotRun)?;
                Ok(answered)
            };
            let answered = tokio::select! {
                biased;
                outcome = &mut running => {
                    return Attended { outcome, waited: waited + since.elapsed() };
                }
                answered = answering => answered,
            };
            waited += since.elapsed();
            match answered {
                // Who no longer wants to know hears nothing.
                Ok(answered) => drop(answers.send(answered)),
                Err(ended) => {
                    let usage = Usage {
                        duration: begun.elapsed(),
                        ..Usage::default()
                    };
                    let outcome = Outcome { ended, usage };
                    return Attended { outcome, waited };
                }
            }
        }
    }
}
