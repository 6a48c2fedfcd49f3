//! What clients are told of a tool: a description of MCP from one of the registry.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as McpTool, ToolAnnotations};
use serde_json::Value;

use crate::registry::Tool;
use crate::schema::as_2020_12;

/// The tool under this name. Annotations follow from what its source may be granted, never from what it says of itself.
pub(super) fn describe(name: &str, tool: &Tool) -> McpTool {
    let mut described = McpTool::new(
        name.to_owned(),
        tool.description.clone(),
        object(&tool.input_schema),
    );
    if let Some(schema) = tool
        .output_schema
        .as_ref()
        .filter(|schema| has_fields(schema))
    {
        described = described.with_raw_output_schema(object(schema));
    }
    if let Some(title) = &tool.title {
        described = described.with_title(title.clone());
    }
    let effects = tool.effects;
    described.annotate(
        ToolAnnotations::new()
            .read_only(!effects.writes)
            .destructive(effects.destroys)
            .idempotent(tool.idempotent || tool.pure)
            .open_world(effects.open_world),
    )
}

/// Before 2026-07-28 a structured result is an object, and clients refuse a schema of anything else.
pub(super) fn has_fields(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
}

/// Arguments are an object, and clients want to read that; and they know one dialect.
fn object(schema: &Value) -> Arc<JsonObject> {
    let mut schema = match as_2020_12(schema) {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    if !schema.contains_key("type") {
        schema.insert("type".to_owned(), "object".into());
    }
    Arc::new(schema)
}
