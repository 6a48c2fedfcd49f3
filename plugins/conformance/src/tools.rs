//! The table of tools.

use serde_json::Value;

use crate::answer::Answer;
use crate::bindings::exports::toolhatch::plugin::tools::Guest;
use crate::bindings::toolhatch::plugin::types::{CallContext, Outcome, ToolError, ToolInfo};
use crate::{Component, asking, jobs, telling};

const NOTHING: &str = r#"{"type":"object"}"#;
const PROMPT: &str = r#"{"type":"object","properties":{"prompt":{"type":"string","description":"The prompt to send to the LLM"}},"required":["prompt"]}"#;
const MESSAGE: &str = r#"{"type":"object","properties":{"message":{"type":"string","description":"The message to show the user"}},"required":["message"]}"#;
const REGION: &str = r#"{"type":"object","properties":{"region":{"type":"string","description":"Where","x-mcp-header":"Region"}},"required":["region"]}"#;
const NAME: &str =
    r#"{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}"#;
const SECONDS: &str = r#"{"type":"object","properties":{"seconds":{"type":"number","minimum":0},"label":{"type":"string"}}}"#;
const FILENAME: &str =
    r#"{"type":"object","properties":{"filename":{"type":"string"}},"required":["filename"]}"#;
const DRAFT_2020_12: &str = r##"{
    "$schema":"https://json-schema.org/draft/2020-12/schema",
    "type":"object",
    "$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
    "properties":{
        "name":{"type":"string"},
        "address":{"$ref":"#/$defs/address"},
        "contactMethod":{"type":"string","enum":["phone","email"]},
        "phone":{"type":"string"},
        "email":{"type":"string"}
    },
    "allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
    "if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},
    "then":{"required":["phone"]},
    "else":{"required":["email"]},
    "additionalProperties":false
}"##;

type Run = fn(&Value, &CallContext) -> Answer;

/// Name, description, schema of the arguments, and what it does.
const TOOLS: &[(&str, &str, &str, Run)] = &[
    (
        "test_simple_text",
        "Returns a text",
        NOTHING,
        telling::simple_text,
    ),
    (
        "test_image_content",
        "Returns a picture",
        NOTHING,
        telling::image,
    ),
    (
        "test_audio_content",
        "Returns a sound",
        NOTHING,
        telling::audio,
    ),
    (
        "test_embedded_resource",
        "Returns a document",
        NOTHING,
        telling::resource,
    ),
    (
        "test_multiple_content_types",
        "Returns a text, a picture and a document",
        NOTHING,
        telling::mixed,
    ),
    (
        "test_tool_with_logging",
        "Logs while it runs",
        NOTHING,
        telling::logging,
    ),
    ("test_logging_tool", "Logs once", NOTHING, telling::log_once),
    (
        "test_tool_with_progress",
        "Reports progress",
        NOTHING,
        telling::reports,
    ),
    (
        "test_error_handling",
        "Always fails",
        NOTHING,
        telling::fails,
    ),
    (
        "test_reconnection",
        "Takes a little while",
        NOTHING,
        telling::reconnection,
    ),
    (
        "json_schema_2020_12_tool",
        "Tool with JSON Schema 2020-12 features",
        DRAFT_2020_12,
        telling::arguments,
    ),
    (
        "test_custom_header",
        "Has an argument that is sent in a header too",
        REGION,
        telling::header,
    ),
    (
        "test_sampling",
        "Asks the client's model",
        PROMPT,
        asking::sample,
    ),
    (
        "test_elicitation",
        "Asks a person",
        MESSAGE,
        asking::elicitation,
    ),
    (
        "test_elicitation_sep1034_defaults",
        "Asks a person, with defaults",
        NOTHING,
        asking::defaults,
    ),
    (
        "test_elicitation_sep1330_enums",
        "Asks a person, with choices",
        NOTHING,
        asking::enums,
    ),
    (
        "test_streaming_elicitation",
        "Asks a person",
        NOTHING,
        asking::streaming,
    ),
    (
        "test_missing_capability",
        "Asks the client's model, whether it has one or not",
        NOTHING,
        asking::missing_capability,
    ),
    (
        "test_input_required_result_elicitation",
        "Asks a person",
        NOTHING,
        asking::name,
    ),
    (
        "test_input_required_result_sampling",
        "Asks the client's model",
        NOTHING,
        asking::capital,
    ),
    (
        "test_input_required_result_list_roots",
        "Asks for the client's folders",
        NOTHING,
        asking::list_roots,
    ),
    (
        "test_input_required_result_request_state",
        "Asks, and remembers",
        NOTHING,
        asking::request_state,
    ),
    (
        "test_input_required_result_multiple_inputs",
        "Asks three things",
        NOTHING,
        asking::several,
    ),
    (
        "test_input_required_result_multi_round",
        "Asks twice",
        NOTHING,
        asking::rounds,
    ),
    (
        "test_input_required_result_tampered_state",
        "Asks, and wants its own state back",
        NOTHING,
        asking::tampered_state,
    ),
    (
        "test_input_required_result_capabilities",
        "Asks what can be asked",
        NOTHING,
        asking::only_what_can_be_asked,
    ),
    ("greet", "Greets", NAME, jobs::greet),
    (
        "slow_compute",
        "Takes as long as it is told",
        SECONDS,
        jobs::slow_compute,
    ),
    (
        "failing_job",
        "Fails after a second",
        NOTHING,
        jobs::failing_job,
    ),
    (
        "protocol_error_job",
        "Crashes",
        NOTHING,
        jobs::protocol_error_job,
    ),
    (
        "confirm_delete",
        "Asks before it pretends to delete",
        FILENAME,
        jobs::confirm_delete,
    ),
    (
        "multi_input",
        "Asks two things at once",
        NOTHING,
        jobs::multi_input,
    ),
    (
        "test_tool_with_task",
        "Asks for a name, and greets",
        NOTHING,
        jobs::with_task,
    ),
];

impl Guest for Component {
    fn list_tools() -> Vec<ToolInfo> {
        TOOLS
            .iter()
            .map(|(name, description, schema, _)| ToolInfo {
                name: (*name).to_owned(),
                title: None,
                description: (*description).to_owned(),
                input_schema: (*schema).to_owned(),
                output_schema: None,
            })
            .collect()
    }

    fn call_tool(
        name: String,
        arguments: String,
        context: CallContext,
    ) -> Result<Outcome, ToolError> {
        let Some((_, _, _, run)) = TOOLS.iter().find(|tool| tool.0 == name) else {
            return Err(ToolError::UnknownTool(format!("there is no tool `{name}`")));
        };
        let arguments = serde_json::from_str(&arguments)
            .map_err(|error| ToolError::InvalidArguments(error.to_string()))?;
        run(&arguments, &context)
    }
}
