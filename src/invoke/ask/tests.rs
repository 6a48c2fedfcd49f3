use serde_json::{Value, json};

use super::checks::{QUESTIONS, REQUESTS, STATE, is_address};
use super::*;
use crate::exec::Ask;

fn form(name: &str, schema: Value) -> InputRequest {
    InputRequest {
        name: name.to_owned(),
        ask: Ask::Form {
            message: "Really?".to_owned(),
            schema,
        },
    }
}

fn needed(requests: Vec<InputRequest>) -> InputNeeded {
    InputNeeded {
        requests,
        state: None,
    }
}

fn code(needed: &InputNeeded) -> Option<Code> {
    Checks::of(needed).err().map(|error| error.code())
}

fn name() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
}

#[test]
fn questions_have_their_limits() {
    let one = needed(vec![form("a", name())]);
    assert_eq!(code(&one), None);
    assert_eq!(code(&needed(Vec::new())), Some(Code::E3308));
    let many = (0..=REQUESTS).map(|number| form(&number.to_string(), name()));
    assert_eq!(code(&needed(many.collect())), Some(Code::E3306));
    let mut remembers = one.clone();
    remembers.state = Some(vec![0; STATE]);
    assert_eq!(code(&remembers), None);
    remembers.state = Some(vec![0; STATE + 1]);
    assert_eq!(code(&remembers), Some(Code::E3306));
    let twice = needed(vec![form("a", name()), form("a", name())]);
    assert_eq!(code(&twice), Some(Code::E3308));
    assert_eq!(code(&needed(vec![form("", name())])), Some(Code::E3308));
    let long = json!({"type": "object", "description": "x".repeat(QUESTIONS)});
    assert_eq!(code(&needed(vec![form("a", long)])), Some(Code::E3306));
}

#[test]
fn only_flat_forms_are_forms() {
    let of = |property: Value| json!({"type": "object", "properties": {"p": property}});
    for fits in [
        json!({"type": "object"}),
        of(json!({"type": "string", "enum": ["a"]})),
        of(json!({"type": "integer", "default": 3})),
        of(json!({"type": "array", "items": {"type": "string", "enum": ["a"]}})),
        of(json!({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}})),
    ] {
        assert_eq!(code(&needed(vec![form("a", fits.clone())])), None, "{fits}");
    }
    for unfit in [
        json!({}),
        json!(true),
        json!({"type": "string"}),
        of(json!({"type": "object"})),
        of(json!({"type": "array"})),
        of(json!({"type": "array", "items": {"type": "array", "items": {}}})),
        of(json!({"$ref": "https://example.com/schema"})),
        of(json!({"type": "string", "pattern": "("})),
    ] {
        let found = code(&needed(vec![form("a", unfit.clone())]));
        assert_eq!(found, Some(Code::E3308), "{unfit}");
    }
}

#[test]
fn people_are_sent_to_addresses_that_are_what_they_look_like() {
    for good in [
        "https://example.com/login?next=%2F",
        "http://127.0.0.1:8080/",
        "http://localhost/x",
    ] {
        assert!(is_address(good), "{good}");
    }
    for bad in [
        "http://example.com/",
        "https://bank.example@evil.example/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "/relative",
        "https://exa mple.com/",
        "",
    ] {
        assert!(!is_address(bad), "{bad}");
    }
}

#[test]
fn clients_are_only_asked_for_what_mcp_has() {
    let client = |method: &str, params: Value| {
        code(&needed(vec![InputRequest {
            name: "c".to_owned(),
            ask: Ask::Client {
                method: method.to_owned(),
                params,
            },
        }]))
    };
    assert_eq!(client("roots/list", json!({})), None);
    assert_eq!(client("roots/list", json!([])), Some(Code::E3308));
    assert_eq!(client("tools/call", json!({})), Some(Code::E3308));
}

#[test]
fn answers_are_held_to_their_questions() {
    let asked = needed(vec![form("a", name()), form("b", name())]);
    let checks = Checks::of(&asked).expect("questions");
    let wrong = |answers: &[InputAnswer]| checks.wrong(&asked, answers);
    let good = InputAnswer::Accepted(json!({"name": "Ada"}));
    assert_eq!(wrong(&[good.clone(), InputAnswer::Declined]), None);
    assert_eq!(wrong(&[InputAnswer::Cancelled, good.clone()]), None);
    assert!(
        wrong(std::slice::from_ref(&good)).is_some(),
        "one is missing"
    );
    let unfit = InputAnswer::Accepted(json!({"name": 3}));
    let why = wrong(&[good.clone(), unfit]).expect("a number is no name");
    assert!(why.contains("\"b\""), "{why}");
    let text = InputAnswer::Accepted(json!("Ada"));
    assert!(wrong(&[good, text]).is_some(), "no object");
}

/// Somebody who gives these answers, one set after the other, and then none.
#[derive(Default)]
struct Script(std::sync::Mutex<std::collections::VecDeque<Vec<InputAnswer>>>);

impl Script {
    fn of(answers: &[Value]) -> Arc<dyn Respondent> {
        let answers = answers.iter().cloned().map(InputAnswer::Accepted);
        let script = Self::default();
        script
            .0
            .lock()
            .expect("not poisoned")
            .extend(answers.map(|answer| vec![answer]));
        Arc::new(script)
    }
}

impl Respondent for Script {
    fn askable(&self) -> crate::exec::Askable {
        crate::exec::Askable::default()
    }

    fn answer<'a>(
        &'a self,
        _: &'a Inquiry,
    ) -> crate::exec::BoxFuture<'a, Option<Vec<InputAnswer>>> {
        let next = self.0.lock().expect("not poisoned").pop_front();
        Box::pin(std::future::ready(next))
    }

    fn name(&self) -> String {
        "a script".to_owned()
    }
}

fn request(respondent: Option<Arc<dyn Respondent>>) -> Request {
    Request {
        call: crate::ids::CallId::generate(),
        tool: crate::invoke::ToolRef::File {
            path: "some.wasm".into(),
            tool: None,
        },
        arguments: Arc::new(json!({})),
        resumed: None,
        caller: Arc::new(crate::invoke::Caller {
            respondent,
            ..crate::invoke::Caller::of_process()
        }),
        grants: Arc::default(),
        limits: crate::manifest::LimitRequest::default(),
        idempotency: None,
        deterministic: false,
        cancel: CancellationToken::new(),
        events: Arc::new(crate::exec::EventSink::new(
            crate::exec::EventLimits::default(),
        )),
    }
}

/// Asks for a name, with something to remember, of whoever gives these answers.
async fn ask(answers: Option<&[Value]>) -> (Result<(), Ended>, Input, Option<InputNeeded>) {
    let request = request(answers.map(Script::of));
    let record = CallRecord::open(&request, None);
    let tool = "some.tool".parse().expect("an id");
    let mut talk = Conversation::new(&request, &tool, &record);
    let asked = InputNeeded {
        state: Some(b"half way".to_vec()),
        ..needed(vec![form("a", name())])
    };
    let end = talk.ask(asked).await;
    (end, talk.input, talk.open)
}

#[tokio::test]
async fn an_answer_goes_to_the_tool_with_what_it_remembers() {
    let (end, input, open) = ask(Some(&[json!({"name": "Ada"})])).await;
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(
        input.answers,
        [InputAnswer::Accepted(json!({"name": "Ada"}))]
    );
    assert_eq!(input.state.as_deref(), Some(&b"half way"[..]));
    assert_eq!(open, None);
}

#[tokio::test]
async fn a_wrong_answer_is_asked_for_again_and_not_for_ever() {
    let (wrong, right) = (json!({"name": 3}), json!({"name": "Ada"}));
    let (end, _, _) = ask(Some(&[wrong.clone(), wrong.clone(), right.clone()])).await;
    assert!(end.is_ok(), "{end:?}");
    let (end, input, open) = ask(Some(&[wrong.clone(), wrong.clone(), wrong, right])).await;
    assert_eq!(end.expect_err("too often").code(), Some(Code::E3216));
    assert!(input.answers.is_empty() && open.is_some());
}

#[tokio::test]
async fn without_an_answer_the_call_ends_with_its_questions() {
    for nobody in [None, Some(&[][..])] {
        let (end, _, open) = ask(nobody).await;
        let Err(Ended::NeedsInput(needed)) = end else {
            panic!("{end:?}");
        };
        assert_eq!(open, Some(needed));
    }
}

#[tokio::test]
async fn a_later_call_goes_on_with_answers_that_fit() {
    let request = request(None);
    let record = CallRecord::open(&request, None);
    let tool = "some.tool".parse().expect("an id");
    let needed = needed(vec![form("a", name())]);
    let resumed = |answer: Value| Resumed {
        needed: needed.clone(),
        answers: vec![InputAnswer::Accepted(answer)],
    };
    let mut talk = Conversation::new(&request, &tool, &record);
    let end = talk.resume(resumed(json!({"name": 3}))).await;
    assert_eq!(end.expect_err("no name").code(), Some(Code::E3216));
    assert_eq!(talk.open.as_ref(), Some(&needed), "it can be asked again");
    let mut talk = Conversation::new(&request, &tool, &record);
    let end = talk.resume(resumed(json!({"name": "Ada"}))).await;
    assert!(end.is_ok() && talk.was_told, "{end:?}");
}

#[tokio::test]
async fn a_tool_does_not_ask_for_ever() {
    let answers = vec![json!({"name": "Ada"}); 20];
    let request = request(Some(Script::of(&answers)));
    let record = CallRecord::open(&request, None);
    let tool = "some.tool".parse().expect("an id");
    let mut talk = Conversation::new(&request, &tool, &record);
    let one = needed(vec![form("a", name())]);
    for round in 0..ROUNDS {
        let end = talk.ask(one.clone()).await;
        assert!(end.is_ok(), "{round}: {end:?}");
    }
    let end = talk.ask(one).await;
    assert_eq!(end.expect_err("too often").code(), Some(Code::E3411));
}

#[tokio::test]
async fn a_question_ends_with_its_call() {
    struct Never;
    impl Respondent for Never {
        fn askable(&self) -> crate::exec::Askable {
            crate::exec::Askable::default()
        }

        fn answer<'a>(
            &'a self,
            _: &'a Inquiry,
        ) -> crate::exec::BoxFuture<'a, Option<Vec<InputAnswer>>> {
            Box::pin(std::future::pending())
        }

        fn name(&self) -> String {
            "nobody".to_owned()
        }
    }
    let request = request(Some(Arc::new(Never)));
    let record = CallRecord::open(&request, None);
    let tool = "some.tool".parse().expect("an id");
    let mut talk = Conversation::new(&request, &tool, &record);
    request.cancel.cancel();
    let end = talk.ask(needed(vec![form("a", name())])).await;
    assert!(matches!(end, Err(Ended::Cancelled)), "{end:?}");
}
