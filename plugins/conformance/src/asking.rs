//! Tools that ask a person or the caller's client.

use schemars::JsonSchema;
use serde_json::json;
use toolhatch_plugin::{
    Answer, Askable, Call, Content, Question, Questions, Result, ToolError, tool,
};

use crate::answer::{action, ask_name, content, field, roots, sampled, sampling};

#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is a form, and read as JSON")]
struct Who {
    /// User's response
    username: String,
    /// User's email address
    email: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is a form, and read as JSON")]
struct Agreement {
    ok: bool,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is a form, and read as JSON")]
struct Color {
    color: String,
}

fn confirm() -> Question {
    Question::form::<Agreement>("Please confirm").name("confirm")
}

fn completed(answer: &Answer) -> Content {
    let (action, content) = (action(answer), content(answer));
    Content::text(format!(
        "Elicitation completed: action={action}, content={content}"
    ))
}

/// Asks a person
#[tool(name = "test_elicitation")]
pub fn elicitation(
    /// The message to show the user
    message: String,
    call: &Call,
) -> Result<Content> {
    let answer = call.ask(Question::form::<Who>(message).name("response"))?;
    let (action, content) = (action(&answer), content(&answer));
    Ok(Content::text(format!(
        "User response: action={action}, content={content}"
    )))
}

/// Asks a person, with defaults
#[tool(name = "test_elicitation_sep1034_defaults")]
pub fn defaults(call: &Call) -> Result<Content> {
    let schema = json!({"type": "object", "properties": {
        "name": {"type": "string", "description": "User name", "default": "John Doe"},
        "age": {"type": "integer", "description": "User age", "default": 30},
        "score": {"type": "number", "description": "User score", "default": 95.5},
        "status": {"type": "string", "description": "User status", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "description": "Verification status", "default": true},
    }, "required": []});
    let message = "Please review and update the form fields with defaults";
    let answer = call.ask(Question::form_of(message, &schema).name("profile"))?;
    Ok(completed(&answer))
}

/// Asks a person, with choices
#[tool(name = "test_elicitation_sep1330_enums")]
pub fn enums(call: &Call) -> Result<Content> {
    let schema = json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "description": "Select one option", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "description": "Select one option with titles", "oneOf": [
            {"const": "value1", "title": "First Option"},
            {"const": "value2", "title": "Second Option"},
            {"const": "value3", "title": "Third Option"},
        ]},
        "legacyEnum": {"type": "string", "description": "Select one option (legacy)", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "description": "Select multiple options", "minItems": 1, "maxItems": 3,
            "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "description": "Select multiple options with titles", "minItems": 1, "maxItems": 3,
            "items": {"anyOf": [
                {"const": "value1", "title": "First Choice"},
                {"const": "value2", "title": "Second Choice"},
                {"const": "value3", "title": "Third Choice"},
            ]}},
    }, "required": []});
    let message = "Please select options from the enum fields";
    let answer = call.ask(Question::form_of(message, &schema).name("choices"))?;
    Ok(completed(&answer))
}

/// Asks a person
#[tool(name = "test_streaming_elicitation")]
pub fn streaming(call: &Call) -> Result<Content> {
    Ok(completed(&call.ask(confirm())?))
}

/// Asks the client's model
#[tool(name = "test_sampling")]
pub fn sample(
    /// The prompt to send to the LLM
    prompt: String,
    call: &Call,
) -> Result<Content> {
    let answer = call.ask(sampling("answer", &prompt, 100))?;
    match answer {
        Answer::Accepted(_) => Ok(Content::text(format!("LLM response: {}", sampled(&answer)))),
        Answer::Declined | Answer::Cancelled => {
            Err(ToolError::failed("the client does not sample"))
        }
    }
}

/// Asks the client's model, whether it has one or not
#[tool(name = "test_missing_capability")]
pub fn missing_capability(call: &Call) -> Result<Content> {
    // It asks whether or not the client has said that it can: the server has to see to it.
    let answer = call.ask(sampling("answer", "Anything?", 10))?;
    Ok(Content::text(action(&answer)))
}

/// Asks a person
#[tool(name = "test_input_required_result_elicitation")]
pub fn name(call: &Call) -> Result<Content> {
    let answer = call.ask(ask_name("user_name", "What is your name?"))?;
    Ok(Content::text(match answer {
        Answer::Accepted(_) => format!("Hello, {}!", field(&answer, "name")),
        Answer::Declined | Answer::Cancelled => "Hello, whoever you are!".to_owned(),
    }))
}

/// Asks the client's model
#[tool(name = "test_input_required_result_sampling")]
pub fn capital(call: &Call) -> Result<Content> {
    let question = sampling("capital_question", "What is the capital of France?", 100);
    Ok(Content::text(sampled(&call.ask(question)?)))
}

/// Asks for the client's folders
#[tool(name = "test_input_required_result_list_roots")]
pub fn list_roots(call: &Call) -> Result<Content> {
    let answer = call.ask(roots("client_roots"))?;
    Ok(Content::text(format!(
        "The client's roots: {}",
        content(&answer)
    )))
}

/// Asks for a yes with something to remember, which has to come back.
fn with_state(call: &Call, state: &str) -> Result<Content> {
    if call.answers().is_empty() {
        return Err(Questions::new([confirm()]).state(state).into());
    }
    if call.state() != Some(state.as_bytes()) {
        return Err(ToolError::invalid_arguments(
            "the state is not what was given",
        ));
    }
    Ok(Content::text("state-ok"))
}

/// Asks, and remembers
#[tool(name = "test_input_required_result_request_state")]
pub fn request_state(call: &Call) -> Result<Content> {
    with_state(call, "asked-once")
}

/// Asks, and wants its own state back
#[tool(name = "test_input_required_result_tampered_state")]
pub fn tampered_state(call: &Call) -> Result<Content> {
    with_state(call, "not to be changed")
}

/// Asks three things
#[tool(name = "test_input_required_result_multiple_inputs")]
pub fn several(call: &Call) -> Result<Content> {
    let [name, greeting, folders] = call.answers() else {
        let questions = [
            ask_name("user_name", "What is your name?"),
            sampling("greeting", "Generate a greeting", 50),
            roots("client_roots"),
        ];
        return Err(Questions::new(questions).state("asked-for-three").into());
    };
    Ok(Content::text(format!(
        "{name:?}, {greeting:?}, {folders:?}"
    )))
}

/// Asks twice
#[tool(name = "test_input_required_result_multi_round")]
pub fn rounds(call: &Call) -> Result<Content> {
    let Some(answer) = call.answers().first() else {
        let first = ask_name("step1", "Step 1: What is your name?");
        return Err(Questions::new([first]).state("1").into());
    };
    match call.state().unwrap_or_default() {
        b"1" => {
            let question = Question::form::<Color>("Step 2: What is your favorite color?");
            let state = format!("2 {}", field(answer, "name"));
            Err(Questions::new([question.name("step2")]).state(state).into())
        }
        [b'2', b' ', name @ ..] => Ok(Content::text(format!(
            "{} likes {}",
            String::from_utf8_lossy(name),
            field(answer, "color")
        ))),
        _ => Err(ToolError::invalid_arguments("the state is none of mine")),
    }
}

/// Asks what can be asked
#[tool(name = "test_input_required_result_capabilities")]
pub fn only_what_can_be_asked(call: &Call) -> Result<Content> {
    let possible = [
        (Askable::FORM, ask_name("user_name", "What is your name?")),
        (
            Askable::SAMPLING,
            sampling("greeting", "Generate a greeting", 50),
        ),
        (Askable::ROOTS, roots("client_roots")),
    ];
    let questions = possible
        .into_iter()
        .filter(|(what, _)| call.can_ask(*what))
        .map(|(_, question)| question);
    let questions: Vec<Question> = questions.collect();
    if questions.is_empty() && call.answers().is_empty() {
        return Ok(Content::text("Nothing can be asked"));
    }
    let answers = call.ask_all(questions)?;
    Ok(Content::text(format!(
        "There are {} answers",
        answers.len()
    )))
}
