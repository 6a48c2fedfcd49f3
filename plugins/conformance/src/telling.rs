//! Tools that return something, say something on the way, or fail.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use toolhatch_plugin::{Content, Reply, Result, ToolError, log, progress, tool};

use crate::content;

/// Returns a text
#[tool(name = "test_simple_text")]
pub fn simple_text() -> Content {
    Content::text("This is a simple text response for testing.")
}

/// Returns a picture
#[tool(name = "test_image_content")]
pub fn image() -> Content {
    content::image()
}

/// Returns a sound
#[tool(name = "test_audio_content")]
pub fn audio() -> Content {
    content::audio()
}

/// Returns a document
#[tool(name = "test_embedded_resource")]
pub fn resource() -> Content {
    content::document(
        "test://embedded-resource",
        "text/plain",
        "This is an embedded resource content.",
    )
}

/// Returns a text, a picture and a document
#[tool(name = "test_multiple_content_types")]
pub fn mixed() -> Reply {
    Reply::default()
        .text("Multiple content types test:")
        .block(content::image())
        .block(content::document(
            "test://mixed-content-resource",
            "application/json",
            r#"{"test":"data","value":123}"#,
        ))
}

fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Logs while it runs
#[tool(name = "test_tool_with_logging")]
pub fn logging() -> Content {
    log::info!("Tool execution started");
    pause();
    log::info!("Tool processing data");
    pause();
    log::info!("Tool execution completed");
    Content::text("Tool with logging executed successfully")
}

/// Logs once
#[tool(name = "test_logging_tool")]
pub fn log_once() -> Content {
    log::info!("A message of the tool");
    Content::text("Logged")
}

/// Reports progress
#[tool(name = "test_tool_with_progress")]
pub fn reports() -> Content {
    for done in [0, 50, 100] {
        progress::report(done, 100, "");
        pause();
    }
    Content::text("Tool with progress executed successfully")
}

/// Always fails
#[tool(name = "test_error_handling")]
pub fn fails() -> Result<()> {
    Err(ToolError::failed(
        "This tool intentionally returns an error for testing",
    ))
}

/// Takes a little while
#[tool(name = "test_reconnection")]
pub fn reconnection() -> Content {
    // Long enough for a server to close the stream meanwhile, and for a client to come back.
    std::thread::sleep(Duration::from_millis(200));
    Content::text("Reconnection test completed successfully")
}

/// Arguments whose schema the suite fixes, word by word.
#[derive(Deserialize)]
pub struct Contact(Value);

impl JsonSchema for Contact {
    fn schema_name() -> Cow<'static, str> {
        "Contact".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {"address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}}
            }},
            "properties": {
                "name": {"type": "string"},
                "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"},
                "email": {"type": "string"}
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
            "then": {"required": ["phone"]},
            "else": {"required": ["email"]},
            "additionalProperties": false
        })
    }
}

/// Tool with JSON Schema 2020-12 features
#[tool(name = "json_schema_2020_12_tool")]
pub fn contact(#[serde(flatten)] contact: Contact) -> Content {
    Content::text(format!("Called with {}", contact.0))
}

/// Has an argument that is sent in a header too
#[tool(name = "test_custom_header")]
pub fn header(
    /// Where
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
) -> Content {
    Content::text(format!("The region is {region:?}"))
}
