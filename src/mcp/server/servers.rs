//! What there is of other servers, for a model that wants to know: which servers, and which tools of theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool as McpTool, ToolAnnotations};
use serde_json::{Value, json};

use super::shelf::Shelf;

/// The name it is called by.
pub(super) const LIST: &str = "list_mcp_tools";

/// What clients are told of it.
pub(super) fn described() -> McpTool {
    let schema = json!({
        "type": "object",
        "properties": {
            "server": {"type": "string", "description": "Only the tools of this server."},
        },
        "additionalProperties": false,
    });
    let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
    McpTool::new(
        LIST,
        "Lists the MCP servers behind this one with the tools they have, and the servers that cannot be used now with the reason.",
        Arc::new(schema),
    )
    .annotate(
        ToolAnnotations::new()
            .read_only(true)
            .destructive(false)
            .idempotent(true)
            .open_world(false),
    )
}

/// The list.
pub(super) fn list(shelf: &Shelf, arguments: Option<&JsonObject>) -> CallToolResult {
    let wanted = arguments
        .and_then(|arguments| arguments.get("server"))
        .and_then(Value::as_str);
    let mut servers: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (server, described) in shelf.of_servers() {
        if wanted.is_none_or(|wanted| wanted == server) {
            servers.entry(server).or_default().push(json!({
                "name": described.name,
                "description": described.description,
            }));
        }
    }
    if let Some(wanted) = wanted
        && servers.is_empty()
    {
        let text = format!("E3101: there is no server {wanted:?} with tools that can be used");
        return CallToolResult::error(vec![ContentBlock::text(text)]);
    }
    let structured = json!({"servers": servers, "left_out": shelf.left_out});
    let mut result = CallToolResult::success(vec![ContentBlock::text(structured.to_string())]);
    result.structured_content = Some(structured);
    result
}
