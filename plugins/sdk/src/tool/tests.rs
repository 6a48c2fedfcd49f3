use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::{Context as _, Question, testing, tool};

#[derive(Debug, Serialize, JsonSchema)]
struct Greeting {
    greeting: String,
}

/// Greets somebody,
/// by name.
///
/// As often as asked for.
///
/// # Errors
/// Where there is no name.
#[tool(title = "Greet somebody")]
fn greet_somebody(
    /// Whom to greet.
    #[schemars(length(min = 1), example = &"Ada")]
    name: String,
    /// How often.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 10))]
    times: usize,
    /// In which language.
    r#in: Option<String>,
) -> Result<Greeting> {
    if name.is_empty() {
        return Err(ToolError::invalid_arguments("`name` is empty"));
    }
    let hello = r#in.map_or(
        "Hello",
        |language| if language == "de" { "Hallo" } else { "Hi" },
    );
    let greeting = vec![format!("{hello}, {name}!"); times].join(" ");
    Ok(Greeting { greeting })
}

fn once() -> usize {
    1
}

fn input_schema<T: Tool>() -> Value {
    serde_json::from_str(&testing::info::<T>().input_schema).unwrap()
}

#[test]
fn a_function_says_all_about_its_tool() {
    let info = testing::info::<greet_somebody>();
    assert_eq!(info.name, "greet-somebody");
    assert_eq!(info.title.as_deref(), Some("Greet somebody"));
    assert_eq!(
        info.description,
        "Greets somebody, by name.\n\nAs often as asked for."
    );
    assert_eq!(
        input_schema::<greet_somebody>(),
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Whom to greet.", "minLength": 1, "examples": ["Ada"]},
                "times": {"type": "integer", "description": "How often.", "minimum": 1, "maximum": 10, "default": 1},
                "in": {"type": "string", "description": "In which language."},
            },
            "required": ["name"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn arguments_are_read_and_the_result_is_written() {
    let greeting = |arguments| {
        let output = testing::run::<greet_somebody>(&arguments).unwrap();
        output.structured.unwrap()["greeting"].clone()
    };
    assert_eq!(greeting(json!({"name": "Ada"})), "Hello, Ada!");
    assert_eq!(
        greeting(json!({"name": "Ada", "times": 2, "in": "de"})),
        "Hallo, Ada! Hallo, Ada!"
    );
}

#[test]
fn arguments_that_do_not_fit_are_the_callers_mistake() {
    for (arguments, expected) in [
        (json!({}), "missing field `name`"),
        (json!({"name": 1}), "expected a string"),
        (json!({"name": "Ada", "tims": 2}), "unknown field `tims`"),
        (json!({"name": ""}), "`name` is empty"),
        (json!([]), "Arguments"),
    ] {
        let error = testing::run::<greet_somebody>(&arguments).unwrap_err();
        assert!(
            matches!(&error, ToolError::InvalidArguments(message) if message.contains(expected)),
            "{arguments}: {error:?}"
        );
    }
    let cut = <greet_somebody as Tool>::run("{\"name\": \"A", &Call::default());
    assert!(
        matches!(cut, Err(ToolError::InvalidArguments(_))),
        "{cut:?}"
    );
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Range {
    /// The first one.
    from: u8,
    /// The last one.
    #[serde(default)]
    to: u8,
}

/// Counts.
#[tool(name = "count.all_2")]
fn count(#[serde(flatten)] range: Range) -> u8 {
    range.to.saturating_sub(range.from)
}

/// Counts twice.
#[tool]
#[schemars(example = json!({"from": 1, "step": 2}))]
fn count_in_steps(
    #[serde(flatten)] range: Range,
    /// How far at once.
    step: u8,
) -> Option<u8> {
    range.to.saturating_sub(range.from).checked_div(step)
}

#[test]
fn arguments_may_be_a_struct() {
    assert_eq!(testing::info::<count>().name, "count.all_2");
    let schema = input_schema::<count>();
    assert_eq!(schema["properties"]["from"]["maximum"], 255);
    assert_eq!(schema["additionalProperties"], false);
    let output = testing::run::<count>(&json!({"from": 1, "to": 5})).unwrap();
    assert_eq!(output.structured, Some(json!({"result": 4})));
    let unknown = testing::run::<count>(&json!({"from": 1, "two": 5}));
    assert!(
        matches!(&unknown, Err(ToolError::InvalidArguments(message)) if message.contains("`two`")),
        "{unknown:?}"
    );
}

#[test]
fn a_struct_may_be_some_of_the_arguments() {
    let schema = input_schema::<count_in_steps>();
    let mut names: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["from", "step", "to"]);
    assert_eq!(schema["examples"], json!([{"from": 1, "step": 2}]));
    let output = testing::run::<count_in_steps>(&json!({"from": 1, "to": 5, "step": 2})).unwrap();
    assert_eq!(output.structured, Some(json!({"result": 2})));
}

/// Says which call it is in, and reads a file.
#[tool]
fn about(call: &Call, path: String) -> Result<String, ToolError> {
    std::fs::metadata(&path).context("looking")?;
    Ok(call.id().to_owned())
}

/// Asks for more than there is.
#[tool]
fn ask(call: &Call) -> Result<()> {
    call.ask(Question::url("Sign in", "https://example.com/"))?;
    Ok(())
}

/// Fails as the standard library does.
#[tool]
fn open(path: String) -> std::io::Result<()> {
    std::fs::File::open(path)?;
    Ok(())
}

#[test]
fn the_call_is_no_argument_and_errors_of_others_become_ours() {
    assert_eq!(input_schema::<about>()["required"], json!(["path"]));
    let call = testing::call().build();
    let output = testing::run_with::<about>(&json!({"path": "/"}), &call).unwrap();
    assert_eq!(output.structured.unwrap()["result"], call.id());
    for error in [
        testing::run::<about>(&json!({"path": "/no/such/file"})).unwrap_err(),
        testing::run::<open>(&json!({"path": "/no/such/file"})).unwrap_err(),
    ] {
        assert!(matches!(error, ToolError::NotFound(_)), "{error:?}");
    }
}

fn context() -> CallContext {
    CallContext {
        call_id: "id".to_owned(),
        deadline_ms: None,
        askable: crate::Askable::all(),
        answers: Vec::new(),
        state: None,
    }
}

#[test]
fn the_host_calls_tools_by_their_names() {
    let tools = [
        Entry::of::<count>(),
        Entry::of::<about>(),
        Entry::of::<ask>(),
    ];
    let call = |name, arguments| call_tool(&tools, name, arguments, context());
    let complete = call("count.all_2", r#"{"from": 1, "to": 2}"#).unwrap();
    assert!(
        matches!(&complete, Outcome::Complete(output) if output.structured.as_deref() == Some(r#"{"result":1}"#)),
        "{complete:?}"
    );
    let unknown = call("count", "{}").unwrap_err();
    assert!(
        matches!(&unknown, types::ToolError::UnknownTool(message) if message.contains("count.all_2, about, ask")),
        "{unknown:?}"
    );
    let asked = call("ask", "{}").unwrap();
    assert!(
        matches!(&asked, Outcome::NeedsInput(needed) if needed.requests.len() == 1),
        "{asked:?}"
    );
    let names: Vec<_> = list_tools(&tools)
        .into_iter()
        .map(|tool| tool.name)
        .collect();
    assert_eq!(names, ["count.all_2", "about", "ask"]);
}

#[test]
fn names_have_to_be_distinct() {
    let [first, second, third] = [
        Entry::of::<count>(),
        Entry::of::<about>(),
        Entry::of::<count>(),
    ];
    assert!(are_distinct(&[]));
    let two = [first, second];
    assert!(are_distinct(&two));
    let [first, second] = two;
    assert!(!are_distinct(&[first, second, third]));
}
