//! Finding tools in place of a list of all of them: past some number, a list costs a model more than it tells.
//!
//! These two are no tools of the registry but another way to list and to call: what they find is what would be listed, and
//! what they call goes through the pipeline under its own id.

use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, JsonObject, Tool as McpTool,
    ToolAnnotations,
};
use serde_json::{Value, json};

use super::answer::protocol_error;
use super::shelf::Shelf;

/// Finds tools.
pub(super) const SEARCH: &str = "search_tools";
/// Calls one that was found, for clients that call nothing that is not in their list.
pub(super) const CALL: &str = "call_tool";
/// How many tools are told where nobody says, and at most.
const FEW: usize = 5;
const MOST: usize = 20;

/// What clients are told of the two.
pub(super) fn described() -> Vec<McpTool> {
    let schema = |value: Value| -> Arc<JsonObject> {
        Arc::new(value.as_object().cloned().unwrap_or_default())
    };
    let search = McpTool::new(
        SEARCH,
        "Finds tools by what they are to do, and gives the name, description and arguments of those that fit best. \
         There are more tools than are listed: search before you say that there is none.",
        schema(json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "What the tool is to do, in a few words."},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "description": "How many tools at most; 5 where it is left out."},
            },
            "required": ["query"],
            "additionalProperties": false,
        })),
    )
    .with_raw_output_schema(schema(json!({
        "type": "object",
        "properties": {
            "tools": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "description": {"type": "string"},
                        "input_schema": {"type": "object"},
                    },
                    "required": ["name", "description", "input_schema"],
                },
            },
            "found": {"type": "integer", "description": "How many fit at all."},
        },
        "required": ["tools", "found"],
    })))
    .annotate(
        ToolAnnotations::new()
            .read_only(true)
            .destructive(false)
            .idempotent(true)
            .open_world(false),
    );
    let call = McpTool::new(
        CALL,
        "Calls a tool that `search_tools` has found.",
        schema(json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "The name of the tool, as it was found."},
                "arguments": {"type": "object", "description": "Its arguments, as its `input_schema` says."},
            },
            "required": ["name"],
            "additionalProperties": false,
        })),
    );
    vec![search, call]
}

/// Searches the shelf.
pub(super) async fn search(
    shelf: &Shelf,
    arguments: Option<&JsonObject>,
) -> Result<CallToolResult, ErrorData> {
    let argument = |name: &str| arguments.and_then(|arguments| arguments.get(name));
    let Some(query) = argument("query").and_then(Value::as_str) else {
        return Ok(wrong(
            "`query` is missing: say in a few words what the tool is to do",
        ));
    };
    let limit = argument("limit")
        .and_then(Value::as_u64)
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(FEW)
        .clamp(1, MOST);
    let query: String = query.chars().take(1000).collect();
    let (found, total) = shelf
        .search(&query, limit)
        .await
        .map_err(|error| protocol_error(&error))?;
    let tools: Vec<Value> = found
        .iter()
        .map(|described| {
            json!({
                "name": described.name,
                "description": described.description,
                "input_schema": *described.input_schema,
            })
        })
        .collect();
    let structured = json!({"tools": tools, "found": total});
    let mut result = CallToolResult::success(vec![ContentBlock::text(structured.to_string())]);
    result.structured_content = Some(structured);
    Ok(result)
}

/// What a model is told that got the arguments of one of the two wrong.
pub(super) fn wrong(what: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(format!("E3301: {what}"))])
}

/// The call that is meant; else what is wrong with it.
pub(super) fn meant(request: CallToolRequestParams) -> Result<CallToolRequestParams, &'static str> {
    let mut arguments = request.arguments.unwrap_or_default();
    let name = match arguments.remove("name") {
        Some(Value::String(name)) => name,
        _ => {
            return Err("`name` is missing: `search_tools` gives the names of tools");
        }
    };
    let inner = match arguments.remove("arguments") {
        None | Some(Value::Null) => JsonObject::new(),
        Some(Value::Object(inner)) => inner,
        Some(_) => {
            return Err("`arguments` is not an object: give what the tool's `input_schema` says");
        }
    };
    let mut meant = CallToolRequestParams::new(name).with_arguments(inner);
    meant.meta = request.meta;
    meant.input_responses = request.input_responses;
    meant.request_state = request.request_state;
    Ok(meant)
}
