//! Questions of a tool in the middle of a call: they are checked, somebody is asked, and the answers are checked.

mod checks;
mod meanwhile;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::record::CallRecord;
use super::{Request, Resumed};
use crate::error::{Code, Error, Result};
use crate::exec::{Ended, Input, InputAnswer, InputNeeded, InputRequest, Inquiry, Respondent};
use crate::ids::ToolId;

use checks::Checks;
pub(super) use meanwhile::{Attended, Line};

/// How often a tool may ask in one call.
const ROUNDS: u32 = 16;
/// How often the same is asked where the answers do not fit.
const TRIES: u32 = 3;
/// How long an answer may take. It does not count as time of the tool.
const PATIENCE: Duration = Duration::from_secs(600);
/// What a call has asked and was told so far.
pub(super) struct Conversation<'a> {
    respondent: Option<Arc<dyn Respondent>>,
    cancel: CancellationToken,
    call: crate::ids::CallId,
    tool: ToolId,
    record: &'a CallRecord,
    rounds: u32,
    /// For the next run of the tool.
    pub(super) input: Input,
    /// Something was answered, so the result follows from more than the arguments.
    pub(super) was_told: bool,
    /// Questions that were left open when the call ended.
    pub(super) open: Option<InputNeeded>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(request: &Request, tool: &ToolId, record: &'a CallRecord) -> Self {
        let respondent = request.caller.respondent.clone();
        let askable = respondent.as_ref().map(|respondent| respondent.askable());
        Self {
            input: Input {
                askable: askable.unwrap_or_default(),
                ..Input::default()
            },
            respondent,
            cancel: request.cancel.clone(),
            call: request.call,
            tool: tool.clone(),
            record,
            rounds: 0,
            was_told: false,
            open: None,
        }
    }

    /// True where somebody can be asked while the call waits.
    pub(super) fn has_respondent(&self) -> bool {
        self.respondent.is_some()
    }

    /// Goes on where an earlier call ended with questions. Answers that do not fit are asked for again, where somebody can be
    /// asked.
    ///
    /// # Errors
    /// How the call ends.
    pub(super) async fn resume(&mut self, resumed: Resumed) -> Result<(), Ended> {
        let Resumed { needed, answers } = resumed;
        let checks = self.checks(&needed).map_err(Ended::NotRun)?;
        match checks.wrong(&needed, &answers) {
            None => {
                let taken = self.take("the caller", needed, answers);
                taken.map_err(Ended::NotRun)
            }
            Some(wrong) => self.ask_for(needed, &checks, Some(wrong)).await,
        }
    }

    /// Has the questions of a run answered.
    ///
    /// # Errors
    /// How the call ends: with the questions where nobody answers, and with what is wrong with them or with the answers.
    pub(super) async fn ask(&mut self, needed: InputNeeded) -> Result<(), Ended> {
        self.count().map_err(Ended::NotRun)?;
        let checks = self.checks(&needed).map_err(Ended::NotRun)?;
        self.ask_for(needed, &checks, None).await
    }

    /// Has questions answered that came while the tool runs and waits. Nothing where nobody can be asked this now.
    ///
    /// # Errors
    /// How the call ends. No later one can go on from there: what waited for the answers is gone.
    pub(super) async fn ask_meanwhile(
        &mut self,
        requests: Vec<InputRequest>,
    ) -> Result<Option<Vec<InputAnswer>>, Ended> {
        self.count().map_err(Ended::NotRun)?;
        let needed = InputNeeded {
            requests,
            state: None,
        };
        let checks = self.checks(&needed).map_err(Ended::NotRun)?;
        let mut asked = needed.requests.iter();
        let can = asked.all(|request| self.input.askable.can(&request.ask));
        let Some(respondent) = self.respondent.clone().filter(|_| can) else {
            return Ok(None);
        };
        let put = self.put(&*respondent, &needed, &checks, None, true).await;
        self.open = None;
        put
    }

    fn count(&mut self) -> Result<()> {
        self.rounds += 1;
        if self.rounds <= ROUNDS {
            return Ok(());
        }
        Err(Error::new(
            Code::E3411,
            format!("{} asked more than {ROUNDS} times in one call", self.tool),
        )
        .detail("rounds", ROUNDS))
    }

    fn checks(&self, needed: &InputNeeded) -> Result<Checks> {
        Checks::of(needed)
            .map_err(|error| error.while_doing(format!("reading what {} asks", self.tool)))
    }

    async fn ask_for(
        &mut self,
        needed: InputNeeded,
        checks: &Checks,
        wrong: Option<String>,
    ) -> Result<(), Ended> {
        let Some(respondent) = self.respondent.clone() else {
            self.open = Some(needed.clone());
            return Err(match wrong {
                Some(wrong) => Ended::NotRun(self.unfit(&wrong)),
                None => Ended::NeedsInput(needed),
            });
        };
        match self
            .put(&*respondent, &needed, checks, wrong, false)
            .await?
        {
            Some(answers) => {
                self.input.answers = answers;
                self.input.state = needed.state;
                Ok(())
            }
            None => {
                self.open = Some(needed.clone());
                Err(Ended::NeedsInput(needed))
            }
        }
    }

    /// Puts the questions to somebody, again where the answers do not fit. Nothing where nobody answers now. The tool `waits` where
    /// it did not return with them.
    async fn put(
        &mut self,
        respondent: &dyn Respondent,
        needed: &InputNeeded,
        checks: &Checks,
        mut wrong: Option<String>,
        waits: bool,
    ) -> Result<Option<Vec<InputAnswer>>, Ended> {
        for _ in 0..TRIES {
            let inquiry = Inquiry {
                call: self.call,
                tool: self.tool.clone(),
                requests: needed.requests.clone(),
                wrong: wrong.take(),
                waits,
            };
            let answering = tokio::time::timeout(PATIENCE, respondent.answer(&inquiry));
            let answered = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Ended::Cancelled),
                answered = answering => answered,
            };
            let by = respondent.name();
            let Ok(answered) = answered else {
                self.note(&by, needed, &[]).map_err(Ended::NotRun)?;
                self.open = Some(needed.clone());
                return Err(Ended::NotRun(Error::new(
                    Code::E3215,
                    format!(
                        "nobody answered within {} minutes what {} asks",
                        PATIENCE.as_secs() / 60,
                        self.tool
                    ),
                )));
            };
            let Some(answers) = answered else {
                self.note(&by, needed, &[]).map_err(Ended::NotRun)?;
                return Ok(None);
            };
            match checks.wrong(needed, &answers) {
                None => {
                    self.note(&by, needed, &answers).map_err(Ended::NotRun)?;
                    self.was_told = true;
                    return Ok(Some(answers));
                }
                why => wrong = why,
            }
        }
        let error = self.unfit(&wrong.unwrap_or_default());
        self.open = Some(needed.clone());
        Err(Ended::NotRun(error))
    }

    fn unfit(&self, wrong: &str) -> Error {
        Error::new(
            Code::E3216,
            format!(
                "the answer to what {} asks does not fit: {wrong}",
                self.tool
            ),
        )
    }

    fn take(&mut self, by: &str, needed: InputNeeded, answers: Vec<InputAnswer>) -> Result<()> {
        self.note(by, &needed, &answers)?;
        self.was_told = true;
        self.input.answers = answers;
        self.input.state = needed.state;
        Ok(())
    }

    /// Records who was asked and what became of it.
    fn note(&self, by: &str, needed: &InputNeeded, answers: &[InputAnswer]) -> Result<()> {
        self.record.asked(&needed.requests, answers, by)
    }
}

#[cfg(test)]
mod tests;
