//! The tools there are: what people list, show and search, and what a call is resolved to.

mod search;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::exec::{Artifact, Entry};
use crate::ids::ToolId;
use crate::manifest::{Manifest, Risk};

pub use search::{Hit, search};

/// One callable thing, as people and agents see it.
#[derive(Debug, Clone)]
pub struct Tool {
    /// `source.tool`.
    pub id: ToolId,
    /// What it does, for the agent that chooses among tools.
    pub description: String,
    /// A JSON Schema of the arguments.
    pub input_schema: Value,
    /// A JSON Schema of the structured result, where it has one.
    pub output_schema: Option<Value>,
    /// What of the artifact is called.
    pub entry: Entry,
    /// Calling it twice has the effect of calling it once.
    pub idempotent: bool,
    /// It only computes.
    pub pure: bool,
    /// How much harm a call can do.
    pub risk: Risk,
    /// Its results carry text from strangers.
    pub untrusted_output: bool,
}

impl Tool {
    /// The JSON form of `tools list` and `tools show`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("id".into(), self.id.to_string().into());
        object.insert("description".into(), self.description.clone().into());
        object.insert("input_schema".into(), self.input_schema.clone());
        if let Some(schema) = &self.output_schema {
            object.insert("output_schema".into(), schema.clone());
        }
        object.insert("idempotent".into(), self.idempotent.into());
        object.insert("pure".into(), self.pure.into());
        object.insert("risk".into(), json!(self.risk.to_string()));
        object.insert("untrusted_output".into(), self.untrusted_output.into());
        Value::Object(object)
    }
}

/// Where tools come from: a plugin with its manifest, or a component without one.
#[derive(Debug, Clone)]
pub struct Source {
    /// The plugin's name, or the stem of the file.
    pub name: String,
    /// Where it was found.
    pub origin: Origin,
    /// The pinned bytes.
    pub artifact: Artifact,
    /// What its author says of it; a component without one asks for all it can import.
    pub manifest: Option<Arc<Manifest>>,
    /// Its tools, in the order its author gave them.
    pub tools: Vec<Arc<Tool>>,
}

/// Where a source was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Installed under the Toolhatch home.
    Installed,
    /// A file, or a folder with a manifest and a component.
    File(PathBuf),
}

impl Source {
    /// The tool of this name, if there is one.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.iter().find(|tool| tool.id.tool() == name)
    }

    /// The version its manifest gives.
    #[must_use]
    pub fn version(&self) -> Option<&semver::Version> {
        self.manifest.as_ref().map(|manifest| &manifest.version)
    }
}
