//! The manifest of a plugin: what it is, which tools it has, what it asks for.
//!
//! A manifest is written in TOML, next to the `.wasm` or packed into it ([`packed`]); an older YAML form is read too
//! ([`yaml`]). Text becomes a tree that knows its places ([`document`]), is checked against the JSON Schema of the wire
//! types ([`schema`], [`conform`]), and then read into [`Manifest`], which only exists where everything is valid. All that
//! is wrong is told in one error, each problem with its line and key path.
//!
//! A tool is a part of the component, or a command in a container ([`container`]). Tools of the second kind need no plugin:
//! a project keeps them in files of their own ([`custom`]).
//!
//! Writing something into a manifest grants nothing.

pub mod conform;
pub mod container;
pub mod custom;
pub mod dependencies;
pub mod document;
pub mod duration;
pub mod image;
pub mod json_schema;
pub mod lifecycle;
pub mod limits;
pub mod packed;
pub mod permissions;
pub mod problem;
mod resolve;
pub mod schema;
pub mod size;
pub mod write;
pub mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use semver::{Version, VersionReq};
use serde_json::Value;

pub use container::ContainerSpec;
pub use dependencies::Candidate;
pub use duration::HumanDuration;
pub use image::ImageRef;
pub use json_schema::manifest_schema;
pub use lifecycle::Lifecycle;
pub use limits::{LimitRequest, Limits};
pub use packed::{SECTION, embed, extract};
pub use permissions::{Ask, PermissionEntry, Permissions, Variables};
pub use size::ByteSize;
pub use write::to_toml;

use document::Document;
use problem::Problems;

use crate::error::{Code, Result};
use crate::fsx;
use crate::ids::PluginName;
use crate::permission::Request;

/// The name of a manifest that lies beside its component.
pub const FILE_NAME: &str = "plugin.toml";

/// A valid manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The name of the plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// What it is for; may be empty.
    pub description: String,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// The WIT world its component is built for, such as `toolhatch:plugin/plugin@0.1.0`.
    pub world: Option<String>,
    /// How long an instance of its component lives.
    pub lifecycle: Lifecycle,
    /// Other plugins it needs.
    pub dependencies: BTreeMap<PluginName, VersionReq>,
    /// Its tools; empty where the component describes them.
    pub tools: Vec<ToolSpec>,
    /// What it asks for.
    pub permissions: Permissions,
    /// How much one call may use.
    pub limits: LimitRequest,
    /// What it reads through `wasi:config`.
    pub config: BTreeMap<String, String>,
}

/// One tool of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name within the plugin: kebab-case.
    pub name: String,
    /// What it does; left to the component where it is absent.
    pub description: Option<String>,
    /// A JSON Schema of its arguments, an object; left to the component where it is absent.
    pub input_schema: Option<Value>,
    /// A JSON Schema of its structured result.
    pub output_schema: Option<Value>,
    /// A second call with the same arguments changes nothing more. True for every pure tool.
    pub idempotent: bool,
    /// It only computes.
    pub pure: bool,
    /// How much harm a call can do.
    pub risk: Risk,
    /// Its results carry text from strangers.
    pub untrusted_output: bool,
    /// Arguments of nearly the right type are taken for what they clearly stand for.
    pub coerce: bool,
    /// The container that runs it, where the component does not.
    pub container: Option<ContainerSpec>,
}

/// How much harm a call can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// It reads, or changes nothing that matters.
    #[default]
    Low,
    /// What it changes can be undone.
    Medium,
    /// What it changes cannot be undone, or reaches other people.
    High,
}

impl Risk {
    /// The word in manifests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Manifest {
    /// True where every tool is a command in a container: there is nothing for a component to do.
    #[must_use]
    pub fn is_contained(&self) -> bool {
        self.world.is_none()
            && !self.tools.is_empty()
            && self.tools.iter().all(|tool| tool.container.is_some())
    }

    /// What the plugin asks for, with the variables in paths filled in; see [`Permissions::requests`].
    ///
    /// A tool that runs in a container asks for its program and its image without anybody writing so.
    ///
    /// # Errors
    /// E3105 where a path cannot be written as a scope; E3004 where it needs a variable that stands for nothing here.
    pub fn requests(&self, variables: &Variables) -> Result<Vec<Request>> {
        let containers = self.tools.iter().filter_map(|tool| tool.container.as_ref());
        self.permissions
            .requests(variables)
            .and_then(|written| container::with_implied(written, containers))
            .map_err(|error| error.while_doing(format!("reading what {} asks for", self.name)))
    }
}

static SCHEMA: LazyLock<Value> = LazyLock::new(manifest_schema);

/// Reads a manifest in TOML; `origin` names the text in errors, such as `plugin.toml`.
///
/// # Errors
/// E3105 with everything that is wrong.
pub fn parse_toml(text: &str, origin: &str) -> Result<Manifest> {
    read(Document::from_toml(text), &SCHEMA, resolve::manifest)
        .map_err(|problems| problems.into_error(Code::E3105, origin))
}

/// Reads a manifest in the older YAML form; `origin` names the text in errors, such as `plugin.yaml`.
///
/// # Errors
/// E3105 with everything that is wrong.
pub fn parse_yaml(text: &str, origin: &str) -> Result<Manifest> {
    static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema::schema_of::<yaml::Wire>);
    read(Document::from_yaml(text), &SCHEMA, yaml::manifest)
        .map_err(|problems| problems.into_error(Code::E3105, origin))
}

/// Reads a manifest file: YAML where its name ends in `.yaml` or `.yml`, TOML otherwise.
///
/// # Errors
/// Those of [`fsx::read_text`], and E3105 with everything that is wrong.
pub fn read_file(path: &Path) -> Result<Manifest> {
    let text = fsx::read_text(path, document::MAX_BYTES as u64)?;
    let origin = path.display().to_string();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => parse_yaml(&text, &origin),
        _ => parse_toml(&text, &origin),
    }
}

/// Checks a document against the schema of `Wire` and reads it.
fn read<Wire: serde::de::DeserializeOwned>(
    document: Result<Document, Problems>,
    schema: &Value,
    resolve: impl Fn(Wire, &Document) -> Result<Manifest, Problems>,
) -> Result<Manifest, Problems> {
    let document = document?;
    resolve(document.conform(schema)?, &document)
}
