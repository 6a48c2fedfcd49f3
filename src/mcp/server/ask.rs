//! Asking in the middle of a call: the person behind a client, and the client itself.
//!
//! Up to 2025-11-25 a client is asked while the call waits. From 2026-07-28 on the call ends with the questions, and the client
//! makes it again with the answers. What it has to hand back for that is a random handle: what a tool wants to remember stays
//! here, and nobody can change it.

mod open;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ClientCapabilities, ClientResult, ServerRequest};
use rmcp::service::{Peer, PeerRequestOptions, RequestHandle};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::tasks::Slot;
use super::underway::Meanwhile;
use crate::exec::{
    Approver, Ask, Askable, BoxFuture, InputAnswer, InputNeeded, InputRequest, Inquiry, Respondent,
    Subject,
};

use crate::ids::CallId;

pub(super) use open::{Back, Open, Questions, Useless};

/// How long a person may take where the call waits.
const PATIENCE: Duration = Duration::from_secs(600);
/// The name of the one question of an approval, and of its one field.
const APPROVAL: &str = "approval";

/// What a client can be asked.
pub(super) fn askable(client: Option<&ClientCapabilities>) -> Askable {
    let Some(client) = client else {
        return Askable::default();
    };
    let elicitation = client.elicitation.as_ref();
    Askable {
        // A client that says nothing more is one from before there were addresses.
        form: elicitation.is_some_and(|it| it.form.is_some() || it.url.is_none()),
        url: elicitation.is_some_and(|it| it.url.is_some()),
        sampling: client.sampling.is_some(),
        roots: client.roots.is_some(),
    }
}

/// A client that is asked while the call waits.
pub(super) struct Now {
    pub(super) peer: Peer<RoleServer>,
    pub(super) askable: Askable,
    /// Who it is, as it is written down.
    pub(super) name: String,
}

/// A client that is asked when the call has ended.
pub(super) struct Later {
    pub(super) askable: Askable,
    pub(super) name: String,
    /// What a person would have to approve.
    pub(super) subject: Mutex<Option<Subject>>,
    /// The task that the call may have become: then it is asked through that, while the call waits.
    pub(super) slot: Mutex<Option<Arc<Slot>>>,
    /// What asks where the tool waits and there is no task: the request ends with the questions, and the call goes on.
    pub(super) meanwhile: Option<mpsc::Sender<Meanwhile>>,
}

impl Respondent for Now {
    fn askable(&self) -> Askable {
        self.askable
    }

    fn answer<'a>(&'a self, inquiry: &'a Inquiry) -> BoxFuture<'a, Option<Vec<InputAnswer>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(inquiry.requests.len());
            for request in &inquiry.requests {
                let asked = self.ask(&mcp(&named(inquiry, request))).await?;
                answers.push(read(&request.ask, asked));
            }
            Some(answers)
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Now {
    /// Asks the client; nothing where it does not answer.
    async fn ask(&self, request: &Value) -> Option<Value> {
        let request: ServerRequest = serde_json::from_value(request.clone()).ok()?;
        let options = PeerRequestOptions::no_options();
        let sending = self.peer.send_cancellable_request(request, options);
        let mut pending = Pending(Some(sending.await.ok()?));
        let answering = &mut pending.0.as_mut()?.rx;
        let answer = tokio::time::timeout(PATIENCE, answering).await.ok()?;
        pending.0 = None;
        let answer: ClientResult = answer.ok()?.ok()?;
        serde_json::to_value(answer).ok()
    }
}

/// A question that a client was asked. Where nobody waits for the answer any more, the client is told.
struct Pending(Option<RequestHandle<RoleServer>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let reason = Some("nobody waits for the answer any more".to_owned());
                drop(handle.cancel(reason).await);
            });
        }
    }
}

impl Approver for Now {
    fn approve<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            let asked = self.ask(&mcp(&approval(subject))).await?;
            Some(is_yes(&asked))
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Respondent for Later {
    fn askable(&self) -> Askable {
        self.askable
    }

    fn answer<'a>(&'a self, inquiry: &'a Inquiry) -> BoxFuture<'a, Option<Vec<InputAnswer>>> {
        Box::pin(async move {
            let Some(slot) = self.task() else {
                return self.ask_meanwhile(inquiry).await;
            };
            let mut answers = Vec::with_capacity(inquiry.requests.len());
            for request in &inquiry.requests {
                // A task knows each question by a key of its own.
                let key = format!("{}-{}", request.name, CallId::generate());
                let answer = slot.ask(&key, mcp(&named(inquiry, request))).await?;
                answers.push(read(&request.ask, answer));
            }
            Some(answers)
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Approver for Later {
    fn approve<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            if let Some(slot) = self.task() {
                let key = format!("{APPROVAL}-{}", subject.id);
                let answer = slot.ask(&key, mcp(&approval(subject))).await?;
                return Some(is_yes(&answer));
            }
            let mut kept = self.subject.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = Some(subject.clone());
            None
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Later {
    /// The task that the call has become, where it has.
    fn task(&self) -> Option<Arc<Slot>> {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone().filter(|slot| slot.is_task())
    }

    /// The call belongs to another request now, which may become this task.
    pub(super) fn move_to(&self, slot: Option<Arc<Slot>>) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = slot;
    }

    /// Where the tool returned with its questions instead of waiting, the call ends with them.
    async fn ask_meanwhile(&self, inquiry: &Inquiry) -> Option<Vec<InputAnswer>> {
        let meanwhile = self.meanwhile.as_ref().filter(|_| inquiry.waits)?;
        let requests = inquiry.requests.iter();
        let (answer, answered) = oneshot::channel();
        let asked = Meanwhile {
            needed: InputNeeded {
                requests: requests.map(|request| named(inquiry, request)).collect(),
                state: None,
            },
            answer,
        };
        meanwhile.send(asked).await.ok()?;
        answered.await.ok()
    }

    /// What a person would have to approve, where that is what ended the call.
    pub(super) fn take(&self) -> Option<Subject> {
        let mut slot = self.subject.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take()
    }
}

/// What a client would have to be able to do to answer, and says that it is not.
pub(super) fn missing(needed: &InputNeeded, askable: Askable) -> Option<ClientCapabilities> {
    let mut missing = serde_json::Map::new();
    for request in &needed.requests {
        let (name, what, can) = match &request.ask {
            Ask::Form { .. } => ("elicitation", json!({"form": {}}), askable.form),
            Ask::Url { .. } => ("elicitation", json!({"url": {}}), askable.url),
            Ask::Client { method, .. } if method == "roots/list" => {
                ("roots", json!({}), askable.roots)
            }
            Ask::Client { .. } => ("sampling", json!({}), askable.sampling),
        };
        if !can {
            missing.insert(name.to_owned(), what);
        }
    }
    if missing.is_empty() {
        return None;
    }
    serde_json::from_value(Value::Object(missing)).ok()
}

/// A question with the name of who asks: the person sees it as one of ours.
fn named(inquiry: &Inquiry, request: &InputRequest) -> InputRequest {
    let mut request = request.clone();
    if let Ask::Form { message, .. } | Ask::Url { message, .. } = &mut request.ask {
        message.insert_str(0, &format!("{} asks: ", inquiry.tool));
        if let Some(wrong) = &inquiry.wrong {
            message.push_str(&format!("\n({wrong})"));
        }
    }
    request
}

/// A question as MCP has it: method and parameters.
fn mcp(request: &InputRequest) -> Value {
    match &request.ask {
        Ask::Form { message, schema } => json!({
            "method": "elicitation/create",
            "params": {"mode": "form", "message": message, "requestedSchema": schema},
        }),
        Ask::Url { message, url } => json!({
            "method": "elicitation/create",
            "params": {
                "mode": "url", "message": message, "url": url, "elicitationId": request.name,
            },
        }),
        Ask::Client { method, params } => json!({"method": method, "params": params}),
    }
}

/// What a client's answer to a question is to the tool.
fn read(ask: &Ask, mut answer: Value) -> InputAnswer {
    if matches!(ask, Ask::Client { .. }) {
        return InputAnswer::Accepted(answer);
    }
    match answer.get("action").and_then(Value::as_str) {
        Some("accept") => {
            let content = answer.get_mut("content").map(Value::take);
            InputAnswer::Accepted(content.unwrap_or_else(|| json!({})))
        }
        Some("decline") => InputAnswer::Declined,
        _ => InputAnswer::Cancelled,
    }
}

/// What a person is asked who is to approve a call.
fn approval(subject: &Subject) -> InputRequest {
    let mut message = format!(
        "{} is to be called, and that takes your approval",
        subject.tool
    );
    if !subject.why.is_empty() {
        message.push_str(&format!(", because {}", subject.why.join("; ")));
    }
    message.push_str(&format!(".\nIt is called with {}", subject.arguments));
    for may in &subject.may {
        message.push_str(&format!("\nIt may {may}"));
    }
    let schema = json!({
        "type": "object",
        "properties": {
            APPROVAL: {"type": "boolean", "title": "Allow this call?", "default": false},
        },
        "required": [APPROVAL],
    });
    InputRequest {
        name: APPROVAL.to_owned(),
        ask: Ask::Form { message, schema },
    }
}

/// Only a clear yes is one.
fn is_yes(answer: &Value) -> bool {
    answer.get("action").and_then(Value::as_str) == Some("accept")
        && answer
            .pointer(&format!("/content/{APPROVAL}"))
            .and_then(Value::as_bool)
            == Some(true)
}

/// Who can be asked about a call, and how.
pub(super) enum Person {
    /// While it waits.
    Now(Arc<Now>),
    /// When it has ended.
    Later(Arc<Later>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_approves() {
        let yes = json!({"action": "accept", "content": {"approval": true}});
        assert!(is_yes(&yes));
        for no in [
            json!({"action": "accept", "content": {"approval": "true"}}),
            json!({"action": "accept", "content": {}}),
            json!({"action": "accept"}),
            json!({"action": "decline", "content": {"approval": true}}),
            json!({"content": {"approval": true}}),
            json!(true),
        ] {
            assert!(!is_yes(&no), "{no}");
        }
    }
}
