//! Sessions and approvals, kept in the database.

use serde_json::json;

use super::App;
use crate::audit::{Event, EventType};
use crate::error::{Code, Error, Result};
use crate::exec::BoxFuture;
use crate::invoke::{Approval, Asked, Ledger};
use crate::policy::question::SessionState;
use crate::store::{ApprovalRow, Settled, now_ms};

impl Ledger for App {
    fn session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<SessionState>> {
        Box::pin(async move {
            let registry = self.registry().await?;
            let Some(row) = registry.store().session(id).await? else {
                return Ok(SessionState::default());
            };
            let labels = serde_json::from_str(&row.labels).map_err(|error| {
                Error::new(
                    Code::E3109,
                    format!("the labels of the session {id} are damaged"),
                )
                .caused_by(error)
            })?;
            Ok(SessionState {
                tainted: row.tainted,
                labels,
                calls: u32::try_from(row.calls).unwrap_or(u32::MAX),
                egress: false,
            })
        })
    }

    fn count<'a>(&'a self, id: &'a str, tainted: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let registry = self.registry().await?;
            registry.store().count_call(id, tainted, now_ms()).await
        })
    }

    fn approval<'a>(&'a self, asked: &'a Asked, call: &'a str) -> BoxFuture<'a, Result<Approval>> {
        Box::pin(async move {
            let registry = self.registry().await?;
            let store = registry.store();
            let by = |row: &ApprovalRow| row.decided_by.clone().unwrap_or_default();
            match store.settle_approval(&asked.binding, call).await? {
                Settled::Allowed(row) => Ok(Approval::Allowed {
                    by: by(&row),
                    id: row.id,
                }),
                Settled::Denied(row) => Ok(Approval::Denied {
                    by: by(&row),
                    id: row.id,
                }),
                Settled::Waiting(row) => Ok(Approval::Waiting { id: row.id }),
                Settled::Unasked => {
                    let now = now_ms();
                    let subject = &asked.subject;
                    let row = ApprovalRow {
                        id: subject.id.clone(),
                        binding: asked.binding.clone(),
                        tool: subject.tool.to_string(),
                        subject: json!({
                            "digest": subject.digest.to_string(),
                            "arguments": subject.arguments,
                            "may": subject.may,
                            "why": subject.why,
                        })
                        .to_string(),
                        requester: asked.requester.clone(),
                        once: asked.once,
                        asked_at: now,
                        expires_at: now.saturating_add(asked.ttl_ms),
                        decision: None,
                        decided_at: None,
                        decided_by: None,
                        used_at: None,
                        used_by: None,
                    };
                    let kept = store.ask_approval(&row).await?;
                    Ok(Approval::Waiting { id: kept.id })
                }
            }
        })
    }

    fn answer<'a>(&'a self, id: &'a str, yes: bool, by: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let registry = self.registry().await?;
            // The call that waits records the answer itself.
            let recorded = |_: &ApprovalRow| Ok(());
            let decided = registry
                .store()
                .decide_approval(id, yes, by, recorded)
                .await?;
            decided.map(|_| ()).ok_or_else(|| {
                Error::new(
                    Code::E3215,
                    format!("the question {id} was answered elsewhere, or has expired"),
                )
            })
        })
    }
}

impl App {
    /// Forgets the sessions whose names begin so, because no call will ever be in them again.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn forget_sessions(&self, beginning: &str) -> Result<()> {
        let registry = self.registry().await?;
        registry.store().forget_sessions(beginning).await
    }

    /// A person decides on a call that waits for an answer, or that is made again when it has one. Nothing where it cannot be
    /// answered any more.
    ///
    /// # Errors
    /// Those of the store and of the audit log, without which nothing is decided.
    pub async fn decide_approval(
        &self,
        id: &str,
        yes: bool,
        by: &str,
    ) -> Result<Option<ApprovalRow>> {
        let registry = self.registry().await?;
        let recorded = |decided: &ApprovalRow| {
            let event = Event::new(EventType::ApprovalDecided)
                .subject(&decided.tool)
                .with("approval", id)
                .with("decision", if yes { "allowed" } else { "denied" })
                .with("by", by);
            self.record(event)
        };
        let store = registry.store();
        store.decide_approval(id, yes, by, recorded).await
    }
}
