use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::testing;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Name {
    /// What somebody is called.
    name: String,
}

fn question(message: &str) -> Question {
    Question::form::<Name>(message)
}

fn named(name: &str) -> Answer {
    Answer::Accepted(json!({"name": name}))
}

/// Asks for two names, and then for two more at once.
fn four_names(call: &Call) -> Result<Vec<String>> {
    let mut names = vec![call.ask(question("first"))?.read::<Name>()?.name];
    let second = call.ask(question("second"))?;
    names.push(
        second
            .accepted()
            .map_or("nobody".to_owned(), |_| "somebody".to_owned()),
    );
    for answer in call.ask_all([question("third"), question("fourth")])? {
        names.push(answer.read::<Name>()?.name);
    }
    Ok(names)
}

/// Runs it as a host does: again and again, with the answers to what it asked.
fn answered(
    mut answers: Vec<Answer>,
    tool: fn(&Call) -> Result<Vec<String>>,
) -> (usize, Result<Vec<String>>) {
    let mut call = Call::default();
    for round in 0.. {
        let asked = match tool(&call) {
            Err(ToolError::NeedsInput(questions)) => {
                crate::bindings::toolhatch::plugin::types::InputNeeded::from(*questions)
            }
            other => return (round, other),
        };
        let mut next = testing::call();
        if let Some(state) = asked.state {
            next = next.state(state);
        }
        for answer in answers.drain(..asked.requests.len()) {
            next = next.answer(answer);
        }
        call = next.build();
    }
    unreachable!("a tool asks without end")
}

#[test]
fn a_line_that_asks_returns_the_answer_when_the_tool_is_run_again() {
    let answers = vec![named("Ada"), Answer::Declined, named("Cleo"), named("Dan")];
    let (rounds, names) = answered(answers, four_names);
    assert_eq!(names.unwrap(), ["Ada", "nobody", "Cleo", "Dan"]);
    assert_eq!(rounds, 3);
}

#[test]
fn an_answer_that_is_needed_and_not_given_is_a_failure() {
    for (answer, expected) in [
        (Answer::Declined, "declined"),
        (Answer::Cancelled, "without an answer"),
        (
            Answer::Accepted(json!({"nam": 1})),
            "cannot read the answer: missing field `name`",
        ),
    ] {
        let (_, names) = answered(vec![answer], four_names);
        let error = names.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_question_is_a_form_with_the_fields_of_a_type() {
    let Err(ToolError::NeedsInput(questions)) = Call::default().ask(question("Who?").name("who"))
    else {
        panic!("nothing is asked");
    };
    let expected = Question::form_of(
        "Who?",
        &json!({
            "type": "object",
            "properties": {"name": {"type": "string", "description": "What somebody is called."}},
            "required": ["name"],
        }),
    );
    assert_eq!(*questions, Questions::new([expected.name("who")]));
}

#[test]
fn other_questions_than_before_are_found_out() {
    let call = testing::call()
        .answer(named("Ada"))
        .answer(named("Bo"))
        .build();
    call.ask(question("first")).unwrap();
    let error = call
        .ask_all([question("second"), question("third")])
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("come out the same")),
        "{error:?}"
    );
}

#[test]
fn a_state_of_the_tools_own_is_not_taken_for_answers() {
    let call = testing::call().state("my own").answer(named("Ada")).build();
    assert_eq!(call.state(), Some(&b"my own"[..]));
    assert_eq!(call.answers(), [named("Ada")]);
    let error = call.ask(question("first")).unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("state of its own")),
        "{error:?}"
    );
}

#[test]
fn what_can_be_asked_is_known() {
    let call = testing::call()
        .askable(Askable::FORM | Askable::URL)
        .build();
    assert!(call.can_ask(Askable::FORM) && !call.can_ask(Askable::SAMPLING));
    assert!(!Call::default().can_ask(Askable::FORM));
}
