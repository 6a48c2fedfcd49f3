//! Tools that a project keeps in files of their own: `.toolhatch/tools/NAME.toml`.
//!
//! Such a file holds `[[tools]]` as a manifest does, each with its container, and becomes a [`Manifest`] named after the
//! file. It is somebody's project: reading it grants nothing, and it asks for what it needs as every plugin does.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::document::{Document, quoted};
use super::problem::Problems;
use super::{Manifest, json_schema, resolve, schema};
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;

/// The version of every such tool: files have none.
const VERSION: &str = "0.0.0";

/// Tools of a project (`.toolhatch/tools/NAME.toml`): commands in containers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Toolhatch custom tools")]
pub struct Wire {
    /// The version of this format.
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// What the tools are for, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// The tools, each with a `[tools.container]`.
    #[schemars(length(min = 1))]
    pub tools: Vec<schema::Tool>,
    /// What the tools ask for, besides running their programs in their images. Nothing is granted by writing it here.
    #[serde(default)]
    pub permissions: schema::Permissions,
    /// How much one call may use.
    #[serde(default)]
    pub limits: schema::Limits,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(custom_schema);

/// The JSON Schema (2020-12) of such a file.
#[must_use]
pub fn custom_schema() -> Value {
    json_schema::schema_of::<Wire>()
}

/// Reads such a file; `stem` is its name without `.toml`, and becomes the name of the manifest.
///
/// # Errors
/// E3105 with everything that is wrong.
pub fn parse(stem: &str, text: &str) -> Result<Manifest> {
    // Whatever the file is called, its name does not get into a message as it is.
    let name: PluginName = stem.parse().map_err(|_| {
        Error::new(
            Code::E3105,
            format!(
                "the file {} cannot be a source of tools: its name has to be at most {} lower-case letters, digits and single hyphens, starting with a letter",
                quoted(&format!("{stem}.toml")),
                PluginName::MAX
            ),
        )
        .hint("Rename the file: tools are called NAME.TOOL after it.")
    })?;
    let resolve = |wire: Wire, document: &Document| manifest(&name, wire, document);
    super::read(Document::from_toml(text), &SCHEMA, resolve)
        .map_err(|problems| problems.into_error(Code::E3105, &format!("{name}.toml")))
}

fn manifest(name: &PluginName, wire: Wire, document: &Document) -> Result<Manifest, Problems> {
    let mut problems = Problems::new();
    for (index, tool) in wire.tools.iter().enumerate() {
        if tool.container.is_none() {
            let key = format!("tools[{index}].container");
            let message = "missing: nothing else can run a tool of a file without a component";
            problems.add(document.place(&key), key, message);
        }
    }
    let whole = schema::Wire {
        schema: wire.schema,
        name: name.as_str().to_owned(),
        version: VERSION.to_owned(),
        description: wire.description,
        authors: Vec::new(),
        license: None,
        component: None,
        dependencies: BTreeMap::new(),
        tools: wire.tools,
        permissions: wire.permissions,
        limits: wire.limits,
        config: BTreeMap::new(),
    };
    match resolve::manifest(whole, document) {
        Ok(manifest) if problems.is_empty() => Ok(manifest),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests;
