//! A person's approval of one call, where policy or configuration asks for it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::authorise::Authorised;
use super::ledger::{Approval, Asked, Ledger};
use super::record::CallRecord;
use super::{ApprovalMode, Rules};
use crate::error::{Code, Error, Result};
use crate::exec::Subject;
use crate::ids::CallId;
use crate::schema::canonical;

/// How much of the arguments a person is shown.
const SHOWN: usize = 2000;

impl Authorised {
    /// Waits for a person, where one has to agree.
    ///
    /// # Errors
    /// E3213 where nobody can be asked; the question is kept and can be answered. E3214 where the answer is no, E3215 where
    /// nobody answered.
    pub(super) async fn approve(
        self,
        ledger: &dyn Ledger,
        rules: &Rules,
        record: &CallRecord,
    ) -> Result<Self> {
        let mode = rules.approvals.mode(&self.tool.id);
        let mut why: Vec<String> = self.plan.approval.iter().cloned().collect();
        match mode {
            ApprovalMode::Never => {}
            ApprovalMode::First => why.push("it is the first call of this kind".to_owned()),
            ApprovalMode::Always => why.push("every call of this tool is asked about".to_owned()),
        }
        if why.is_empty() {
            return Ok(self);
        }
        // What policy asks for is asked about each call; only what is configured as `first` is remembered.
        let once = mode != ApprovalMode::First || !self.plan.approval.is_empty();
        let asked = self.question(why, once, rules.approvals.ttl_ms);
        let call = self.request.call.to_string();
        match ledger.approval(&asked, &call).await? {
            Approval::Allowed { id, by } => {
                record.approved(&id, &by)?;
                Ok(self)
            }
            Approval::Denied { id, by } => Err(denied(&self, &id, &by)),
            Approval::Waiting { id } => {
                record.approval_requested(&id, &asked)?;
                self.ask_person(ledger, &id, &asked, record).await
            }
        }
    }

    async fn ask_person(
        self,
        ledger: &dyn Ledger,
        id: &str,
        asked: &Asked,
        record: &CallRecord,
    ) -> Result<Self> {
        let Some(approver) = self.request.caller.approver.clone() else {
            return Err(Error::new(
                Code::E3213,
                format!("{} needs a person's approval", self.tool.id),
            )
            .hint(format!(
                "A person can give it with `toolhatch approvals allow {id}`; then make the same call again."
            ))
            .detail("approval", id)
            .detail("why", asked.subject.why.join("; ")));
        };
        let subject = Subject {
            id: id.to_owned(),
            ..asked.subject.clone()
        };
        let answered = tokio::select! {
            () = self.request.cancel.cancelled() => {
                return Err(Error::new(Code::E3703, "the call was cancelled while it waited for approval"));
            }
            answered = approver.approve(&subject) => answered,
        };
        let by = approver.name();
        match answered {
            Some(yes) => {
                ledger.answer(id, yes, &by).await?;
                record.approval_decided(id, yes, &by)?;
                if !yes {
                    return Err(denied(&self, id, &by));
                }
                // The answer is used up like one that was given elsewhere: two calls never share it.
                let call = self.request.call.to_string();
                match ledger.approval(asked, &call).await? {
                    Approval::Allowed { .. } => Ok(self),
                    Approval::Denied { id, by } => Err(denied(&self, &id, &by)),
                    Approval::Waiting { .. } => Err(Error::new(
                        Code::E3215,
                        format!("the approval of {} was used by another call", self.tool.id),
                    )),
                }
            }
            None => Err(Error::new(
                Code::E3215,
                format!("nobody answered whether {} may be called", self.tool.id),
            )),
        }
    }

    fn question(&self, why: Vec<String>, once: bool, ttl_ms: i64) -> Asked {
        let arguments = canonical(&self.request.arguments);
        let scope = self.plan.effective.to_string();
        let bound_to = if once { arguments.as_str() } else { "*" };
        let caller = &self.request.caller;
        let mut hasher = Sha256::new();
        // Each part is preceded by its length, so that no two lists of parts give the same bytes.
        for part in [
            "toolhatch-approval-v1",
            &self.source.artifact.digest.to_string(),
            &self.tool.id.to_string(),
            bound_to,
            &scope,
            &caller.principal,
            caller.agent.as_deref().unwrap_or_default(),
        ] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let mut binding = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing to a string does not fail.
            let _ = write!(binding, "{byte:02x}");
        }
        let mut shown: String = arguments.chars().take(SHOWN).collect();
        if shown.len() < arguments.len() {
            shown.push('…');
        }
        Asked {
            binding,
            subject: Subject {
                id: CallId::generate().to_string(),
                tool: self.tool.id.clone(),
                digest: self.source.artifact.digest,
                arguments: shown,
                may: self
                    .plan
                    .effective
                    .capabilities()
                    .iter()
                    .map(crate::permission::Capability::in_plain_words)
                    .collect(),
                why,
            },
            requester: caller.principal.clone(),
            once,
            ttl_ms,
        }
    }
}

fn denied(authorised: &Authorised, id: &str, by: &str) -> Error {
    Error::new(
        Code::E3214,
        format!("{by} said no to this call of {}", authorised.tool.id),
    )
    .detail("approval", id)
}
