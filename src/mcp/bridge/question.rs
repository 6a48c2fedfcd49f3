//! What a server asks in the middle of a call: read as raw JSON, and answered as the server wants it.
//!
//! Up to 2025-11-25 it asks by a request of its own, and its call waits for the answer. Such a request is put to somebody by
//! the call that it belongs to.

use rmcp::model::{CustomRequest, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::message::cut;
use crate::exec::{Ask, Askable, InputAnswer};

/// The method that the protocol library is told in place of the server's: what it knows by name it would read itself, and
/// as a whole or not at all.
const ASKED: &str = "toolhatch/asked";
/// The longest question to a person that is shown, in characters.
const MAX_MESSAGE: usize = 16_000;

/// A request of a server, as it wrote it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    /// What it asks for.
    pub(super) method: String,
    /// With what.
    pub(super) params: Value,
    /// The request of ours whose answer it came in, where that is known.
    pub(super) stream: Option<RequestId>,
}

impl Asked {
    /// In the form that passes through the protocol library unread.
    pub(super) fn wrap(&self) -> CustomRequest {
        CustomRequest::new(ASKED, serde_json::to_value(self).ok())
    }

    /// Nothing where it is something else.
    pub(super) fn unwrap(request: CustomRequest) -> Option<Self> {
        let params = request.params.filter(|_| request.method == ASKED)?;
        serde_json::from_value(params).ok()
    }
}

/// A question on its way to the call it belongs to.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) ask: Ask,
    /// Gets nothing where nobody can answer. Closed where the server does not want to know any more.
    pub(super) answer: oneshot::Sender<Option<InputAnswer>>,
}

/// What is asked, as far as it is something that can be asked here. Where nobody can be asked at all, a form is still read.
///
/// # Errors
/// What it is that cannot.
pub(super) fn read(method: &str, params: Value, askable: Askable) -> Result<Ask, String> {
    let text = |key: &str| params.get(key).and_then(Value::as_str).map(str::to_owned);
    match method {
        "elicitation/create" => {
            let Some(message) = text("message").map(|message| cut(&message, MAX_MESSAGE)) else {
                return Err("a person's answer, and does not say to what".to_owned());
            };
            if let Some(url) = text("url") {
                return Ok(Ask::Url { message, url });
            }
            if text("mode").as_deref() == Some("url") {
                return Err("something at an address, and does not say which".to_owned());
            }
            let schema = match params.get("requestedSchema") {
                Some(schema @ Value::Object(_)) => schema.clone(),
                None | Some(Value::Null) => json!({"type": "object", "properties": {}}),
                Some(_) => return Err("a form whose schema is none".to_owned()),
            };
            Ok(Ask::Form { message, schema })
        }
        "sampling/createMessage" if askable.sampling => Ok(Ask::Client {
            method: method.to_owned(),
            params,
        }),
        "roots/list" if askable.roots => Ok(Ask::Client {
            method: method.to_owned(),
            params,
        }),
        "sampling/createMessage" => Err(format!("a completion by a model ({method})")),
        "roots/list" => Err(format!("the folders of this machine ({method})")),
        "" => Err("something without a name".to_owned()),
        other => Err(cut(other, 60)),
    }
}

/// The answer to a question that a server asked by a request.
pub(super) fn reply(ask: &Ask, answer: InputAnswer) -> Value {
    match (ask, answer) {
        (Ask::Client { .. }, InputAnswer::Accepted(result)) => result,
        (Ask::Form { .. }, InputAnswer::Accepted(content)) => {
            json!({"action": "accept", "content": content})
        }
        (Ask::Url { .. }, InputAnswer::Accepted(_)) => json!({"action": "accept"}),
        (_, InputAnswer::Declined) => json!({"action": "decline"}),
        (_, InputAnswer::Cancelled) => json!({"action": "cancel"}),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOBODY: Askable = Askable {
        form: false,
        url: false,
        sampling: false,
        roots: false,
    };

    proptest! {
        #[test]
        fn a_request_comes_back_as_it_was_written(
            method in ".{0,12}", key in ".{0,6}", number in any::<i64>(), id in any::<Option<i64>>(),
        ) {
            let params = json!({key: [number, null], "_meta": {"progressToken": 1}});
            let asked = Asked {
                method: method.clone(),
                params: params.clone(),
                stream: id.map(RequestId::Number),
            };
            // It travels as text.
            let text = serde_json::to_string(&asked.wrap()).expect("written");
            let back = Asked::unwrap(serde_json::from_str(&text).expect("read")).expect("ours");
            prop_assert_eq!((back.method, back.params), (method, params));
            prop_assert_eq!(back.stream, id.map(RequestId::Number));
        }

        #[test]
        fn whatever_is_asked_is_a_question_or_refused_with_a_reason(
            method in prop_oneof![Just("elicitation/create".to_owned()), ".{0,80}"],
            mode in ".{0,4}",
            url in prop::option::of(".{0,9}"),
            schema in prop_oneof![Just(json!(null)), Just(json!({})), Just(json!([1])), Just(json!("x"))],
        ) {
            let params = json!({"message": "m", "mode": mode, "url": url, "requestedSchema": schema});
            match read(&method, params, NOBODY) {
                Ok(Ask::Form { schema, .. }) => prop_assert!(schema.is_object()),
                Ok(Ask::Url { .. }) => prop_assert!(url.is_some()),
                Ok(Ask::Client { method, .. }) => prop_assert!(false, "{}", method),
                Err(why) => prop_assert!(!why.is_empty() && why.chars().count() < 100),
            }
        }
    }

    #[test]
    fn what_is_asked_of_a_person_has_all_its_parts() {
        let read = |params: Value| read("elicitation/create", params, NOBODY);
        assert!(read(json!({"requestedSchema": {}})).is_err());
        assert!(read(json!({"mode": "url", "message": "m"})).is_err());
        assert!(read(json!({"message": "m", "requestedSchema": "x"})).is_err());
        let form = read(json!({"message": "m"})).expect("a form without fields");
        assert_eq!(
            reply(&form, InputAnswer::Accepted(json!({"a": 1}))),
            json!({"action": "accept", "content": {"a": 1}})
        );
        let url = read(json!({"message": "m", "mode": "url", "url": "https://a.example/"}));
        let url = url.expect("an address");
        assert_eq!(
            reply(&url, InputAnswer::Accepted(json!({}))),
            json!({"action": "accept"})
        );
        assert_eq!(
            reply(&url, InputAnswer::Declined),
            json!({"action": "decline"})
        );
    }
}
