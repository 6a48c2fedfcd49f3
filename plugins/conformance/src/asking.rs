//! Tools that ask a person or the caller's client.

use serde_json::Value;

use crate::answer::{Answer, Told, asks, field, form, roots, sampled, sampling, says, told};
use crate::bindings::toolhatch::plugin::types::{Askable, CallContext, InputRequest, ToolError};

type Context = CallContext;

const NAME: &str =
    r#"{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}"#;
const OK: &str = r#"{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}"#;
const COLOR: &str =
    r#"{"type":"object","properties":{"color":{"type":"string"}},"required":["color"]}"#;
const WHO: &str = r#"{"type":"object","properties":{
    "username":{"type":"string","description":"User's response"},
    "email":{"type":"string","description":"User's email address"}
},"required":["username","email"]}"#;
const DEFAULTS: &str = r#"{"type":"object","properties":{
    "name":{"type":"string","description":"User name","default":"John Doe"},
    "age":{"type":"integer","description":"User age","default":30},
    "score":{"type":"number","description":"User score","default":95.5},
    "status":{"type":"string","description":"User status","enum":["active","inactive","pending"],"default":"active"},
    "verified":{"type":"boolean","description":"Verification status","default":true}
},"required":[]}"#;
const ENUMS: &str = r#"{"type":"object","properties":{
    "untitledSingle":{"type":"string","description":"Select one option","enum":["option1","option2","option3"]},
    "titledSingle":{"type":"string","description":"Select one option with titles","oneOf":[
        {"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
    "legacyEnum":{"type":"string","description":"Select one option (legacy)","enum":["opt1","opt2","opt3"],
        "enumNames":["Option One","Option Two","Option Three"]},
    "untitledMulti":{"type":"array","description":"Select multiple options","minItems":1,"maxItems":3,
        "items":{"type":"string","enum":["option1","option2","option3"]}},
    "titledMulti":{"type":"array","description":"Select multiple options with titles","minItems":1,"maxItems":3,"items":{"anyOf":[
        {"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}
},"required":[]}"#;

/// Asks one thing, and says what became of it.
fn once(
    context: &Context,
    request: impl FnOnce() -> InputRequest,
    answer: impl FnOnce(&Told) -> Answer,
) -> Answer {
    match told(context) {
        Some(told) => answer(&told),
        None => asks(vec![request()], None),
    }
}

pub fn elicitation(arguments: &Value, context: &Context) -> Answer {
    let ask = || form("response", &field(arguments, "message"), WHO);
    once(context, ask, |told| {
        says(format!(
            "User response: action={}, content={}",
            told.action, told.content
        ))
    })
}

fn completed(told: &Told) -> Answer {
    says(format!(
        "Elicitation completed: action={}, content={}",
        told.action, told.content
    ))
}

pub fn defaults(_: &Value, context: &Context) -> Answer {
    let ask = || {
        form(
            "profile",
            "Please review and update the form fields with defaults",
            DEFAULTS,
        )
    };
    once(context, ask, completed)
}

pub fn enums(_: &Value, context: &Context) -> Answer {
    let ask = || {
        form(
            "choices",
            "Please select options from the enum fields",
            ENUMS,
        )
    };
    once(context, ask, completed)
}

pub fn streaming(_: &Value, context: &Context) -> Answer {
    once(context, || form("confirm", "Please confirm", OK), completed)
}

pub fn sample(arguments: &Value, context: &Context) -> Answer {
    let ask = || sampling("answer", &field(arguments, "prompt"), 100);
    once(context, ask, |told| match told.action {
        "accept" => says(format!("LLM response: {}", sampled(told))),
        _ => Err(ToolError::Failed("the client does not sample".to_owned())),
    })
}

pub fn missing_capability(_: &Value, context: &Context) -> Answer {
    // It asks whether or not the client has said that it can: the server has to see to it.
    once(
        context,
        || sampling("answer", "Anything?", 10),
        |told| says(told.action),
    )
}

pub fn name(_: &Value, context: &Context) -> Answer {
    once(
        context,
        || form("user_name", "What is your name?", NAME),
        |told| {
            says(match told.action {
                "accept" => format!("Hello, {}!", field(&told.content, "name")),
                _ => "Hello, whoever you are!".to_owned(),
            })
        },
    )
}

pub fn capital(_: &Value, context: &Context) -> Answer {
    let ask = || sampling("capital_question", "What is the capital of France?", 100);
    once(context, ask, |told| says(sampled(told)))
}

pub fn list_roots(_: &Value, context: &Context) -> Answer {
    once(
        context,
        || roots("client_roots"),
        |told| says(format!("The client's roots: {}", told.content)),
    )
}

/// Asks for a yes with something to remember, which has to come back.
fn with_state(context: &Context, state: &str) -> Answer {
    once_with_state(context, state, |_| says("state-ok"))
}

fn once_with_state(context: &Context, state: &str, answer: impl FnOnce(&Told) -> Answer) -> Answer {
    let Some(told) = told(context) else {
        return asks(vec![form("confirm", "Please confirm", OK)], Some(state));
    };
    if context.state.as_deref() != Some(state.as_bytes()) {
        return Err(ToolError::InvalidArguments(
            "the state is not what was given".to_owned(),
        ));
    }
    answer(&told)
}

pub fn request_state(_: &Value, context: &Context) -> Answer {
    with_state(context, "asked-once")
}

pub fn tampered_state(_: &Value, context: &Context) -> Answer {
    with_state(context, "not to be changed")
}

pub fn several(_: &Value, context: &Context) -> Answer {
    let [name, greeting, folders] = context.answers.as_slice() else {
        return asks(
            vec![
                form("user_name", "What is your name?", NAME),
                sampling("greeting", "Generate a greeting", 50),
                roots("client_roots"),
            ],
            Some("asked-for-three"),
        );
    };
    says(format!("{name:?}, {greeting:?}, {folders:?}"))
}

pub fn rounds(_: &Value, context: &Context) -> Answer {
    let Some(told) = told(context) else {
        let first = form("step1", "Step 1: What is your name?", NAME);
        return asks(vec![first], Some("1"));
    };
    match context.state.as_deref().unwrap_or_default() {
        b"1" => {
            let second = form("step2", "Step 2: What is your favorite color?", COLOR);
            let state = format!("2 {}", field(&told.content, "name"));
            asks(vec![second], Some(&state))
        }
        [b'2', b' ', name @ ..] => says(format!(
            "{} likes {}",
            String::from_utf8_lossy(name),
            field(&told.content, "color")
        )),
        _ => Err(ToolError::InvalidArguments(
            "the state is none of mine".to_owned(),
        )),
    }
}

pub fn only_what_can_be_asked(_: &Value, context: &Context) -> Answer {
    if !context.answers.is_empty() {
        return says(format!("There are {} answers", context.answers.len()));
    }
    let can = |what: Askable| context.askable.contains(what);
    let mut requests = Vec::new();
    if can(Askable::FORM) {
        requests.push(form("user_name", "What is your name?", NAME));
    }
    if can(Askable::SAMPLING) {
        requests.push(sampling("greeting", "Generate a greeting", 50));
    }
    if can(Askable::ROOTS) {
        requests.push(roots("client_roots"));
    }
    if requests.is_empty() {
        return says("Nothing can be asked");
    }
    asks(requests, None)
}
