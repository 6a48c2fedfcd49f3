//! `toolhatch plugin install`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use semver::Version;
use serde_json::{Map, Value, json};

use super::asks;
use super::examine::examine;
use super::installed;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::text::{one_line, section};
use crate::dist::{Installed, InstalledTool};
use crate::error::Result;
use crate::ids::PluginName;
use crate::invoke::ToolRef;
use crate::manifest::{Candidate, Manifest, dependencies};
use crate::permission::Request;

/// Install a plugin, so that its tools can be called by their names.
///
/// Installing grants nothing: every call still needs what it is allowed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin install plugins/dist/files.wasm
  toolhatch plugin install my-plugin --json")]
pub struct Args {
    /// A component with a manifest in it or beside it, or a folder with both.
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let reference = ToolRef::File {
            path: self.path.clone(),
            tool: None,
        };
        let package = app.package(&reference)?.package;
        let mut warnings = Vec::new();
        let mut needed = BTreeMap::new();
        let mut tools = Vec::new();
        let mut requests = Vec::new();
        if let Some(manifest) = &package.manifest {
            needed = resolve(app, manifest, &mut warnings)?;
            let source = block_on(async {
                let findings = examine(app, &package).await?;
                findings.into_result(&format!("installing {}", manifest.name))?;
                app.source(&reference).await
            })?;
            tools = source
                .tools
                .iter()
                .map(|tool| InstalledTool::of(tool))
                .collect();
            requests = manifest.requests(&app.paths.variables())?;
        }
        let (plugin, is_new) = app.store.install(&package, tools)?;
        let output = CommandOutput::new(
            text(&plugin, is_new, &requests),
            to_json(&plugin, is_new, &requests, &needed, &warnings),
        );
        Ok(CommandOutput { warnings, ..output })
    }
}

/// The installed versions that the plugin's dependencies come to.
fn resolve(
    app: &App,
    manifest: &Manifest,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<PluginName, Version>> {
    if manifest.dependencies.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut candidates: BTreeMap<PluginName, Vec<Candidate>> = BTreeMap::new();
    for plugin in app.store.list()? {
        match installed::manifest(&app.store, &plugin) {
            Ok(other) => candidates.entry(plugin.name).or_default().push(Candidate {
                version: plugin.version,
                dependencies: other.dependencies,
            }),
            Err(error) => warnings.push(format!(
                "{} {} is not considered: {}",
                plugin.name,
                plugin.version,
                one_line(&error)
            )),
        }
    }
    dependencies::resolve(&manifest.name, &manifest.dependencies, &|name| {
        candidates.get(name).cloned().unwrap_or_default()
    })
}

fn text(plugin: &Installed, is_new: bool, requests: &[Request]) -> String {
    let done = if is_new {
        "Installed"
    } else {
        "Already installed:"
    };
    let tools: Vec<String> = plugin
        .tools
        .iter()
        .map(|tool| format!("{}.{}", plugin.name, tool.name))
        .collect();
    let mut text = format!(
        "{done} {} {}\n  {}\n",
        plugin.name, plugin.version, plugin.digest
    );
    text.push_str(&section("Tools", &tools));
    let asked: Vec<String> = requests.iter().flat_map(asks::lines).collect();
    if asked.is_empty() {
        text.push_str("\nIt asks for nothing.\n");
        return text;
    }
    text.push_str(&section("It asks for", &asked));
    text.push_str(
        "\nNothing of this is granted by installing it. Each call gets what you allow, with `--allow` or on the terminal.\n",
    );
    text
}

fn to_json(
    plugin: &Installed,
    is_new: bool,
    requests: &[Request],
    needed: &BTreeMap<PluginName, Version>,
    warnings: &[String],
) -> Value {
    let requests: Vec<Value> = requests.iter().map(asks::request_json).collect();
    let needed: Map<String, Value> = needed
        .iter()
        .map(|(name, version)| (name.to_string(), version.to_string().into()))
        .collect();
    let tools: Vec<&str> = plugin.tools.iter().map(|tool| tool.name.as_str()).collect();
    json!({
        "name": plugin.name.to_string(),
        "version": plugin.version.to_string(),
        "digest": plugin.digest.to_string(),
        "size": plugin.size,
        "new": is_new,
        "tools": tools,
        "requests": requests,
        "dependencies": needed,
        "warnings": warnings,
    })
}
