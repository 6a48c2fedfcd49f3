//! The tool of the Rust template without the SDK: generated bindings, serde_json, and schemas as texts.

use std::collections::BTreeMap;

use exports::toolhatch::plugin::tools::Guest;
use serde::{Deserialize, Serialize};
use toolhatch::plugin::types::{CallContext, Outcome, Output, ToolError, ToolInfo};

wit_bindgen::generate!({ path: "../../wit", world: "plugin", generate_all });

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    text: String,
    #[serde(default = "five")]
    top: usize,
}

fn five() -> usize {
    5
}

#[derive(Serialize)]
struct Count {
    words: usize,
    top: Vec<Word>,
}

#[derive(Serialize)]
struct Word {
    word: String,
    count: usize,
}

const INPUT: &str = r#"{"type":"object","properties":{"text":{"type":"string","maxLength":1000000},"top":{"type":"integer","minimum":1,"maximum":100,"default":5}},"required":["text"],"additionalProperties":false}"#;
const OUTPUT: &str = r#"{"type":"object","properties":{"words":{"type":"integer","minimum":0},"top":{"type":"array","items":{"type":"object","properties":{"word":{"type":"string"},"count":{"type":"integer","minimum":0}},"required":["word","count"]}}},"required":["words","top"]}"#;

struct Twin;

impl Guest for Twin {
    fn list_tools() -> Vec<ToolInfo> {
        vec![ToolInfo {
            name: "count-words".to_owned(),
            title: None,
            description: "Counts the words of a text, and tells which are the most frequent."
                .to_owned(),
            input_schema: INPUT.to_owned(),
            output_schema: Some(OUTPUT.to_owned()),
        }]
    }

    fn call_tool(
        name: String,
        arguments: String,
        _context: CallContext,
    ) -> Result<Outcome, ToolError> {
        if name != "count-words" {
            return Err(ToolError::UnknownTool(name));
        }
        let arguments: Arguments = serde_json::from_str(&arguments)
            .map_err(|error| ToolError::InvalidArguments(error.to_string()))?;
        let structured = serde_json::to_string(&count(&arguments)?)
            .map_err(|error| ToolError::Failed(error.to_string()))?;
        Ok(Outcome::Complete(Output {
            structured: Some(structured),
            content: Vec::new(),
        }))
    }
}

fn count(arguments: &Arguments) -> Result<Count, ToolError> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in arguments
        .text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
    {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Err(ToolError::InvalidArguments("`text` has no words".to_owned()));
    }
    let words = counts.values().sum();
    let mut top: Vec<Word> = counts
        .into_iter()
        .map(|(word, count)| Word { word, count })
        .collect();
    top.sort_by_key(|word| std::cmp::Reverse(word.count));
    top.truncate(arguments.top);
    Ok(Count { words, top })
}

export!(Twin);
