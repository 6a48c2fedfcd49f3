//! Tools that return something, say something on the way, or fail.

use std::time::Duration;

use serde_json::Value;

use crate::answer::{Answer, blocks, field, says, text};
use crate::bindings::toolhatch::plugin::types::{CallContext, ToolError};
use crate::bindings::toolhatch::plugin::{log, progress};
use crate::content;

type Context = CallContext;

pub fn simple_text(_: &Value, _: &Context) -> Answer {
    says("This is a simple text response for testing.")
}

pub fn image(_: &Value, _: &Context) -> Answer {
    blocks(vec![content::image()])
}

pub fn audio(_: &Value, _: &Context) -> Answer {
    blocks(vec![content::audio()])
}

pub fn resource(_: &Value, _: &Context) -> Answer {
    blocks(vec![content::document(
        "test://embedded-resource",
        "text/plain",
        "This is an embedded resource content.",
    )])
}

pub fn mixed(_: &Value, _: &Context) -> Answer {
    blocks(vec![
        text("Multiple content types test:"),
        content::image(),
        content::document(
            "test://mixed-content-resource",
            "application/json",
            r#"{"test":"data","value":123}"#,
        ),
    ])
}

fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

pub fn logging(_: &Value, _: &Context) -> Answer {
    log::write(log::Level::Info, "Tool execution started");
    pause();
    log::write(log::Level::Info, "Tool processing data");
    pause();
    log::write(log::Level::Info, "Tool execution completed");
    says("Tool with logging executed successfully")
}

pub fn log_once(_: &Value, _: &Context) -> Answer {
    log::write(log::Level::Info, "A message of the tool");
    says("Logged")
}

pub fn reports(_: &Value, _: &Context) -> Answer {
    for done in [0.0, 50.0, 100.0] {
        progress::report(done, Some(100.0), None);
        pause();
    }
    says("Tool with progress executed successfully")
}

pub fn fails(_: &Value, _: &Context) -> Answer {
    Err(ToolError::Failed(
        "This tool intentionally returns an error for testing".to_owned(),
    ))
}

pub fn reconnection(_: &Value, _: &Context) -> Answer {
    // Long enough for a server to close the stream meanwhile, and for a client to come back.
    std::thread::sleep(Duration::from_millis(200));
    says("Reconnection test completed successfully")
}

pub fn arguments(arguments: &Value, _: &Context) -> Answer {
    says(format!("Called with {arguments}"))
}

pub fn header(arguments: &Value, _: &Context) -> Answer {
    says(format!("The region is {:?}", field(arguments, "region")))
}
