//! Servers that ask in the middle of a call, by a request of their own.

use rmcp::model::{ProgressToken, RequestId};
use tokio::sync::Semaphore;

use super::*;
use crate::exec::{Ask, Asking, InputRequest};

/// Answers when it is let, and remembers what it was asked.
#[derive(Debug)]
struct Person {
    asked: Mutex<Vec<Ask>>,
    /// One for each answer that may be given.
    may_answer: Semaphore,
    /// How often nobody waited for the answer any more.
    left: Mutex<u32>,
    answer: Option<InputAnswer>,
}

struct Left<'a>(&'a Mutex<u32>, bool);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if !self.1 {
            *self.0.lock().expect("sound") += 1;
        }
    }
}

impl Person {
    fn new(may_answer: usize, answer: Option<InputAnswer>) -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            may_answer: Semaphore::new(may_answer),
            left: Mutex::default(),
            answer,
        })
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("sound").len()
    }
}

impl Asking for Person {
    fn ask(&self, requests: Vec<InputRequest>) -> BoxFuture<'_, Option<Vec<InputAnswer>>> {
        Box::pin(async move {
            let mut left = Left(&self.left, false);
            let asked = requests.into_iter().map(|request| request.ask);
            self.asked.lock().expect("sound").extend(asked);
            self.may_answer.acquire().await.expect("open").forget();
            left.1 = true;
            self.answer.clone().map(|answer| vec![answer])
        })
    }
}

fn accepted() -> Option<InputAnswer> {
    Some(InputAnswer::Accepted(json!({"n": 3})))
}

fn form(id: &str) -> Vec<u8> {
    request(
        id,
        "elicitation/create",
        &json!({"message": "How many?", "requestedSchema": {
            "type": "object", "properties": {"n": {"type": "integer"}}, "x-odd": {"deep": [1]},
        }}),
    )
}

fn request(id: &str, method: &str, params: &Value) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
}

/// A server whose calls ask first; what comes back for that is the result of the call.
fn asks(
    questions: impl Fn(&Value) -> Vec<u8> + Send + Sync + 'static,
) -> impl Fn(&Value) -> Option<Vec<u8>> + Send + Sync + 'static {
    let calls: Mutex<Vec<Value>> = Mutex::default();
    move |message| {
        ordinary(message, &json!([tool("a"), tool("b")])).or_else(|| {
            let mut calls = calls.lock().expect("sound");
            if method(message) == "tools/call" {
                calls.push(message.clone());
                return Some(questions(message));
            }
            if message.get("method").is_some() {
                return Some(Vec::new());
            }
            let said = said(&message["result"].to_string());
            Some(
                calls
                    .pop()
                    .map_or_else(Vec::new, |call| answer(&call, said)),
            )
        })
    }
}

impl Stage {
    /// A call in which this person can be asked.
    async fn call_asking(&self, tool: &str, timeout: Duration, person: &Arc<Person>) -> Ended {
        let seen = self.bridge.look(&peer()).await.expect("connected");
        let digest = seen.listing.tool(tool).expect("it is there").digest;
        let cancel = CancellationToken::new();
        let mut job = job(tool, digest, json!({}), cancel, timeout, &self.events);
        job.input.askable.form = true;
        job.asking = Some(Arc::clone(person) as Arc<dyn Asking>);
        self.bridge.run(*job).await.ended
    }

    async fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..500 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} never was");
    }
}

#[tokio::test]
async fn an_answer_goes_to_the_server_and_thinking_is_not_its_time() {
    let limit = Duration::from_millis(300);
    let stage = Stage::with(|one| one.spec.timeout = limit, asks(|_| form("q")));
    let person = Person::new(0, accepted());
    let thinking = async {
        let was_asked = || person.asked() == 1;
        stage.wait_until("the person asked", was_asked).await;
        // Longer than the call may take without a sign of life, and longer than it may take at all.
        tokio::time::sleep(limit * 3).await;
        person.may_answer.add_permits(1);
    };
    let (ended, ()) = tokio::join!(stage.call_asking("a", limit * 2, &person), thinking);
    assert_eq!(text(&ended), r#"{"action":"accept","content":{"n":3}}"#);
    let asked = person.asked.lock().expect("sound");
    let Some(Ask::Form { message, schema }) = asked.first() else {
        panic!("{asked:?}");
    };
    assert_eq!(message, "How many?");
    // As it was written, also what the protocol library does not know.
    assert_eq!(schema["x-odd"]["deep"][0], 1);
}

#[tokio::test]
async fn whoever_says_no_or_goes_is_told_apart() {
    for (answer, expected) in [
        (Some(InputAnswer::Declined), r#"{"action":"decline"}"#),
        (Some(InputAnswer::Cancelled), r#"{"action":"cancel"}"#),
        (None, r#"{"action":"decline"}"#),
    ] {
        let stage = Stage::new(asks(|_| form("q")));
        let person = Person::new(1, answer.clone());
        let limit = Duration::from_secs(5);
        let ended = stage.call_asking("a", limit, &person).await;
        assert_eq!(text(&ended), expected);
        let is_told = !stage.events.take().logs.is_empty();
        assert_eq!(is_told, answer.is_none());
    }
}

#[tokio::test]
async fn a_question_that_is_taken_back_waits_for_nobody() {
    // It asks, takes the question back when it hears from `b`, and only then answers.
    let calls: Mutex<Vec<Value>> = Mutex::default();
    let stage = Stage::new(move |message| {
        let usual = ordinary(message, &json!([tool("a")]));
        let mut calls = calls.lock().expect("sound");
        usual.or_else(|| match method(message) {
            "tools/call" => {
                calls.push(message.clone());
                let mut all = form("q");
                all.extend(line(
                    &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {
                        "requestId": "q", "reason": "never mind",
                    }}),
                ));
                all.extend(request(
                    "second",
                    "elicitation/create",
                    &json!({"message": "Sure?"}),
                ));
                Some(all)
            }
            "" if message["id"] == "second" => {
                let call = calls.pop()?;
                Some(answer(&call, said(&message["result"].to_string())))
            }
            _ => Some(Vec::new()),
        })
    });
    let person = Person::new(0, accepted());
    let answering = async {
        stage
            .wait_until("the second question", || {
                let asked = person.asked.lock().expect("sound");
                let is_second =
                    |ask: &Ask| matches!(ask, Ask::Form { message, .. } if message == "Sure?");
                asked.iter().any(is_second)
            })
            .await;
        person.may_answer.add_permits(1);
    };
    let limit = Duration::from_secs(5);
    let (ended, ()) = tokio::join!(stage.call_asking("a", limit, &person), answering);
    assert!(text(&ended).contains("accept"), "{ended:?}");
    let asked = person.asked() as u32;
    assert_eq!(*person.left.lock().expect("sound"), asked - 1);
}

#[tokio::test]
async fn a_call_that_is_answered_leaves_its_question() {
    let stage = Stage::new(calls(|message| {
        let mut all = form("q");
        all.extend(answer(message, said("done")));
        Some(all)
    }));
    let person = Person::new(0, accepted());
    let ended = stage
        .call_asking("a", Duration::from_secs(5), &person)
        .await;
    assert_eq!(text(&ended), "done");
    let asked = person.asked() as u32;
    assert_eq!(*person.left.lock().expect("sound"), asked);
}

#[tokio::test]
async fn who_asks_where_two_calls_run_asks_nobody() {
    // The second call asks: over these streams nothing says for which of the two.
    let stage = Stage::new(asks(|message| match message["params"]["name"].as_str() {
        Some("b") => form("q"),
        _ => Vec::new(),
    }));
    let person = Person::new(9, accepted());
    let limit = Duration::from_secs(2);
    let second = async {
        let is_called = || !stage.heard("tools/call").is_empty();
        stage.wait_until("the first call", is_called).await;
        stage.call_asking("b", limit, &person).await
    };
    let first = stage.call_asking("a", limit, &person);
    let (_, ended) = tokio::join!(first, second);
    assert!(text(&ended).contains("decline"), "{ended:?}");
    assert_eq!(person.asked(), 0);
}

#[tokio::test]
async fn a_stream_says_whose_question_it_is() {
    let routes = Arc::new(handler::Routes::default());
    let sink = || Arc::new(EventSink::new(EventLimits::default()));
    let (first, second) = (sink(), sink());
    let follow = |events: &Arc<EventSink>| {
        routes.follow(handler::Route {
            events: Arc::clone(events),
            beat: Arc::default(),
            questions: None,
            askable: Askable::default(),
        })
    };
    let names = |id: i64| (RequestId::Number(id), ProgressToken(RequestId::Number(id)));
    let (one, two) = (follow(&first), follow(&second));
    one.sent(&names(1).0, &names(1).1);
    let is = |owner: Option<handler::Route>, events: &Arc<EventSink>| {
        owner.is_some_and(|route| Arc::ptr_eq(&route.events, events))
    };
    let owner = |id: i64| routes.owner(Some(&RequestId::Number(id)));
    assert!(is(owner(1), &first));
    assert!(
        is(owner(2), &second),
        "the only one that is not yet known to be sent"
    );
    two.sent(&names(2).0, &names(2).1);
    assert!(is(owner(2), &second));
    assert!(owner(3).is_none(), "it is over");
    assert!(routes.owner(None).is_none(), "it can be either");
    drop(one);
    assert!(is(routes.owner(None), &second));
}

#[tokio::test]
async fn questions_that_are_none_or_too_many_are_refused_and_the_call_goes_on() {
    let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
    let hears = Arc::clone(&heard);
    let waiting: Mutex<Option<Value>> = Mutex::default();
    let stage = Stage::new(move |message| {
        let usual = ordinary(message, &json!([tool("a")]));
        usual.or_else(|| match method(message) {
            "tools/call" => {
                *waiting.lock().expect("sound") = Some(message.clone());
                let odd = [
                    json!({}),
                    json!({"message": "m", "mode": "url"}),
                    json!({"message": "m", "requestedSchema": "none"}),
                ];
                let odd = odd
                    .iter()
                    .flat_map(|params| request("odd", "elicitation/create", params));
                let many = (0..1000).flat_map(|n| form(&format!("many-{n}")));
                Some(odd.chain(many).collect())
            }
            "" => {
                let mut heard = hears.lock().expect("sound");
                heard.push(message.clone());
                let refused = heard
                    .iter()
                    .filter(|answer| answer["error"].is_object())
                    .count();
                // All but the one that is asked and those that wait for their turn.
                if refused < 990 {
                    return Some(Vec::new());
                }
                let call = waiting.lock().expect("sound").take();
                Some(call.map_or_else(Vec::new, |call| answer(&call, said("done"))))
            }
            _ => Some(Vec::new()),
        })
    });
    let person = Person::new(0, accepted());
    let ended = stage
        .call_asking("a", Duration::from_secs(20), &person)
        .await;
    assert_eq!(text(&ended), "done");
    assert!(person.asked() <= 1, "{}", person.asked());
    let logs = stage.events.take().logs;
    let is_told = |words: &str| logs.iter().any(|(_, text)| text.contains(words));
    assert!(is_told("a form whose schema is none"), "{logs:?}");
    assert!(is_told("more than it may ask at once"), "{logs:?}");
}
