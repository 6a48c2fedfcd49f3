//! A call that is underway. One whose tool waits for an answer where it is goes on between two requests of a client that is
//! asked when a request has ended, and the second request takes it up again.

use std::fmt;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::service::RequestContext;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Core;
use super::ask::Person;
use super::tasks::Slot;
use super::told::Teller;
use crate::error::{Code, Error, Result};
use crate::exec::{BoxFuture, InputAnswer, InputNeeded};
use crate::invoke::{Report, Request};

/// What a tool asks that waits for the answer where it is.
#[derive(Debug)]
pub(super) struct Meanwhile {
    pub(super) needed: InputNeeded,
    pub(super) answer: oneshot::Sender<Vec<InputAnswer>>,
}

/// The call, and what it asked.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) asked: Meanwhile,
    pub(super) call: Underway,
}

/// A call that has not ended. It ends with this.
pub(super) struct Underway {
    work: Work,
    cancel: CancellationToken,
    meanwhile: mpsc::Receiver<Meanwhile>,
    /// What passes on what it tells.
    pub(super) teller: Teller,
    /// Who can be asked about it.
    pub(super) person: Option<Person>,
}

enum Work {
    /// It goes on as long as somebody waits for it here.
    Here(BoxFuture<'static, Report>),
    /// It goes on by itself.
    There(AbortOnDropHandle<Report>),
}

/// What came first.
pub(super) enum Next {
    /// It ended.
    Ended(Box<(Report, Underway)>),
    /// It asks, and goes on by itself.
    Asks(Box<Waiting>),
}

impl Underway {
    /// Begins with the first wait for it.
    pub(super) fn new(
        core: &Arc<Core>,
        request: Request,
        meanwhile: mpsc::Receiver<Meanwhile>,
        teller: Teller,
        person: Option<Person>,
    ) -> Self {
        let (core, cancel) = (Arc::clone(core), request.cancel.clone());
        let stop = cancel.clone();
        let work = Box::pin(async move {
            let _running = core.running.enter();
            let invoked = core.pipeline.invoke(request);
            tokio::pin!(invoked);
            tokio::select! {
                report = &mut invoked => report,
                () = core.running.stopping() => {
                    stop.cancel();
                    invoked.await
                }
            }
        });
        Self {
            work: Work::Here(work),
            cancel,
            meanwhile,
            teller,
            person,
        }
    }

    /// Waits for its end, or for what it asks, as long as the request or the task it belongs to lasts.
    ///
    /// # Errors
    /// E3000 where the task that did the work has failed.
    pub(super) async fn next(
        mut self,
        context: &RequestContext<RoleServer>,
        slot: Option<Arc<Slot>>,
    ) -> Result<Next> {
        let over = slot.map_or_else(|| context.ct.clone(), |slot| slot.cancel.clone());
        let asked = tokio::select! {
            report = self.work.end() => return Ok(Next::Ended(Box::new((report?, self)))),
            Some(asked) = self.meanwhile.recv() => Some(asked),
            () = over.cancelled() => None,
        };
        match asked {
            Some(asked) => {
                let call = Self {
                    work: self.work.go_on(),
                    ..self
                };
                Ok(Next::Asks(Box::new(Waiting { asked, call })))
            }
            None => {
                self.cancel.cancel();
                let report = self.work.end().await?;
                Ok(Next::Ended(Box::new((report, self))))
            }
        }
    }
}

impl Work {
    async fn end(&mut self) -> Result<Report> {
        match self {
            Self::Here(work) => Ok(work.await),
            Self::There(work) => work.await.map_err(|error| {
                Error::new(Code::E3000, "the task that ran the call has failed").caused_by(error)
            }),
        }
    }

    fn go_on(self) -> Self {
        match self {
            Self::Here(work) => Self::There(AbortOnDropHandle::new(tokio::spawn(work))),
            there @ Self::There(_) => there,
        }
    }
}

impl fmt::Debug for Underway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Underway").finish_non_exhaustive()
    }
}
