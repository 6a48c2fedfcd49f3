//! Calling tools as the host does, in a folder of files that a test makes up.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use toolhatch_plugin::testing::{info, run};
use toolhatch_plugin::{Content, Result, ToolError, ToolInfo};

use crate::edit::edit;
use crate::list::list;
use crate::read::read;
use crate::search::search;
use crate::write::write;

/// A temporary folder.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, content) in files {
            folder.write(path, content.as_bytes());
        }
        folder
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path).unwrap().write_all(content).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Calls a tool with a path in this folder and further arguments.
    pub fn call(
        &self,
        tool: &str,
        path: &str,
        more: Value,
    ) -> Result<(Value, Vec<String>), ToolError> {
        let mut arguments = json!({ "path": self.path(path) });
        arguments
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call(tool, &arguments)
    }

    /// The path of a result, without that of the folder.
    pub fn relative(&self, path: &Value) -> String {
        let root = format!("{}/", self.0.path().display());
        path.as_str()
            .unwrap()
            .strip_prefix(&root)
            .unwrap()
            .to_owned()
    }
}

/// Calls a tool, and holds arguments and result against its schemas.
pub fn call(tool: &str, arguments: &Value) -> Result<(Value, Vec<String>), ToolError> {
    let tools = tools();
    let info = tools.iter().find(|info| info.name == tool).unwrap();
    assert_fits(&info.input_schema, arguments);
    let output = match tool {
        "list" => run::<list>(arguments),
        "read" => run::<read>(arguments),
        "search" => run::<search>(arguments),
        "write" => run::<write>(arguments),
        "edit" => run::<edit>(arguments),
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

fn tools() -> [ToolInfo; 5] {
    [
        info::<list>(),
        info::<read>(),
        info::<search>(),
        info::<write>(),
        info::<edit>(),
    ]
}

/// Fails the test where a value does not fit a schema.
pub fn assert_fits(schema: &str, value: &Value) {
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{value}");
}

#[test]
fn the_examples_of_the_schemas_are_valid() {
    for tool in tools() {
        let schema: Value = serde_json::from_str(&tool.input_schema).unwrap();
        for example in schema["examples"].as_array().unwrap() {
            assert_fits(&tool.input_schema, example);
        }
    }
}
