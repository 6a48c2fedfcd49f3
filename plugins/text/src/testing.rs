//! Calling tools as the host does.

use serde_json::Value;
use toolhatch_plugin::testing::{info, run};
use toolhatch_plugin::{Content, Result, ToolInfo};

use crate::diff::diff;
use crate::find::find;
use crate::patch::patch;
use crate::render::render;
use crate::replace::replace;
use crate::stats::stats;

/// Calls a tool, and holds arguments and result against its schemas. Returns the result and the text to read.
pub fn call(tool: &str, arguments: &Value) -> Result<(Value, String)> {
    let tools = tools();
    let info = tools.iter().find(|info| info.name == tool).unwrap();
    assert_fits(&info.input_schema, arguments);
    let output = match tool {
        "diff" => run::<diff>(arguments),
        "patch" => run::<patch>(arguments),
        "match" => run::<find>(arguments),
        "replace" => run::<replace>(arguments),
        "render" => run::<render>(arguments),
        "stats" => run::<stats>(arguments),
        other => panic!("there is no tool {other}"),
    }?;
    let result = output.structured.unwrap();
    assert_fits(info.output_schema.as_ref().unwrap(), &result);
    let text = output.content.into_iter().map(|block| match block {
        Content::Text(content) => content.text,
        other => panic!("no text: {other:?}"),
    });
    Ok((result, text.collect()))
}

fn tools() -> [ToolInfo; 6] {
    [
        info::<diff>(),
        info::<patch>(),
        info::<find>(),
        info::<replace>(),
        info::<render>(),
        info::<stats>(),
    ]
}

fn assert_fits(schema: &str, value: &Value) {
    let schema = serde_json::from_str(schema).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{value}");
}

#[test]
fn the_examples_of_the_schemas_are_valid_and_work() {
    for tool in tools() {
        let schema: Value = serde_json::from_str(&tool.input_schema).unwrap();
        for example in schema["examples"].as_array().unwrap() {
            call(&tool.name, example).unwrap();
        }
    }
}
