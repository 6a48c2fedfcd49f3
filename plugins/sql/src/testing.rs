//! Databases and files that tests make up, and calls as the host makes them.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Value, json};
use toolhatch_plugin::testing::{call as calling, info, run_with};
use toolhatch_plugin::{Call, Content, Result, ToolInfo};

use crate::query::query;
use crate::schema::schema;

/// A temporary folder.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One with a database `db` that these statements made.
    pub fn with(sql: &str) -> Self {
        let folder = Self::new();
        folder.execute(sql);
        folder
    }

    /// Runs statements as another program would.
    pub fn execute(&self, sql: &str) {
        Connection::open(self.path("db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    pub fn write(&self, name: &str, data: &[u8]) {
        File::create(self.path(name))
            .unwrap()
            .write_all(data)
            .unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Queries the database `db`.
    pub fn query(&self, sql: &str, more: Value) -> Result<Value> {
        let mut arguments = json!({"sql": sql, "database": self.path("db")});
        arguments
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call("query", &arguments, &Call::default()).map(|(result, _)| result)
    }

    /// Queries a file as the table `t`.
    pub fn query_file(&self, name: &str, sql: &str, more: Value) -> Result<Value> {
        let mut table = json!({"name": "t", "path": self.path(name)});
        table
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call(
            "query",
            &json!({"sql": sql, "tables": [table]}),
            &Call::default(),
        )
        .map(|(result, _)| result)
    }
}

/// A call that has so many milliseconds.
pub fn hurried(milliseconds: u64) -> Call {
    calling()
        .deadline(std::time::Duration::from_millis(milliseconds))
        .build()
}

/// Calls a tool, and holds arguments and result against its schemas.
pub fn call(tool: &str, arguments: &Value, call: &Call) -> Result<(Value, String)> {
    let info = tools().into_iter().find(|info| info.name == tool).unwrap();
    assert_fits(&info.input_schema, arguments);
    let output = match tool {
        "query" => run_with::<query>(arguments, call),
        _ => run_with::<schema>(arguments, call),
    }?;
    let result = output.structured.unwrap();
    assert_fits(info.output_schema.as_ref().unwrap(), &result);
    let text = output.content.into_iter().map(|block| match block {
        Content::Text(content) => content.text,
        other => panic!("no text: {other:?}"),
    });
    Ok((result, text.collect()))
}

fn tools() -> [ToolInfo; 2] {
    [info::<query>(), info::<schema>()]
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
fn the_examples_of_the_schemas_are_valid() {
    for tool in tools() {
        let schema: Value = serde_json::from_str(&tool.input_schema).unwrap();
        for example in schema["examples"].as_array().unwrap() {
            assert_fits(&tool.input_schema, example);
        }
    }
}
