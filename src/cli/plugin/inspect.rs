//! `toolhatch plugin inspect`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::asks::Asks;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::text::{first_line, one_line, section, size};
use crate::cli::tools::parameters::signature;
use crate::dist::Package;
use crate::error::Result;
use crate::exec::Entry;
use crate::manifest::{ByteSize, HumanDuration, LimitRequest, Limits, Manifest};
use crate::registry::{Offers, Source, Tool};
use crate::schema::{Interface, read_component};

/// Show what a plugin is: its tools, what its component imports and exports, what it asks for and whether it could use it.
///
/// Nothing of it runs, unless it describes its own tools: then it is asked for them in an empty sandbox.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin inspect plugins/dist/files.wasm
  toolhatch plugin inspect files
  toolhatch plugin inspect files@1.0.0 --json")]
pub struct Args {
    /// A component, a folder with a manifest and a component, or an installed plugin.
    #[arg(value_name = "FILE|DIR|NAME")]
    target: String,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let reference = app.tool_ref(&self.target, None)?;
        let package = block_on(app.package(&reference))?.package;
        let interface = read_component(&package.artifact.bytes, package.docs.as_ref())?;
        let mut warnings = interface.warnings.clone();
        // Whatever keeps its tools from being known, the rest can still be shown.
        let source = match block_on(app.source(&reference)) {
            Ok(source) => Some(source),
            Err(error) => {
                warnings.push(format!("its tools are not known: {}", one_line(&error)));
                None
            }
        };
        let manifest = package.manifest.as_ref();
        let asks = Asks::new(manifest, &interface.imports, &app.paths.variables())?;
        let asked = manifest
            .map(|manifest| manifest.limits.clone())
            .unwrap_or_default();
        let limits = limits(&asked, &app.config.call_limits(&asked));
        let shown = Shown {
            package: &package,
            interface: &interface,
            source: source.as_deref(),
            asks: &asks,
            limits: &limits,
            warnings: &warnings,
        };
        let output = CommandOutput::new(shown.text(), shown.to_json());
        Ok(CommandOutput { warnings, ..output })
    }
}

/// One limit of a call: its name, what a call gets, and whether the manifest asks for one.
type Limit = (&'static str, String, bool);

fn limits(asked: &LimitRequest, given: &Limits) -> Vec<Limit> {
    vec![
        (
            "timeout",
            HumanDuration(given.timeout).to_string(),
            asked.timeout.is_some(),
        ),
        (
            "memory",
            ByteSize(given.memory).to_string(),
            asked.memory.is_some(),
        ),
        (
            "output",
            ByteSize(given.output).to_string(),
            asked.output.is_some(),
        ),
        (
            "stdio",
            ByteSize(given.stdio).to_string(),
            asked.stdio.is_some(),
        ),
        (
            "http_bytes",
            ByteSize(given.http_bytes).to_string(),
            asked.http_bytes.is_some(),
        ),
        (
            "table_elements",
            given.table_elements.to_string(),
            asked.table_elements.is_some(),
        ),
        (
            "instances",
            given.instances.to_string(),
            asked.instances.is_some(),
        ),
        (
            "host_calls",
            given.host_calls.to_string(),
            asked.host_calls.is_some(),
        ),
        ("fuel", given.fuel.to_string(), asked.fuel.is_some()),
    ]
}

struct Shown<'a> {
    package: &'a Package,
    interface: &'a Interface,
    source: Option<&'a Source>,
    asks: &'a Asks,
    limits: &'a [Limit],
    warnings: &'a [String],
}

impl Shown<'_> {
    fn text(&self) -> String {
        let manifest = self.package.manifest.as_ref();
        let version =
            manifest.map_or_else(String::new, |manifest| format!(" {}", manifest.version));
        let mut text = format!("{}{version}\n", self.package.name());
        if let Some(manifest) = manifest.filter(|manifest| !manifest.description.trim().is_empty())
        {
            text.push_str(&format!("\n{}\n", manifest.description.trim()));
        }
        text.push_str(&section("About", &self.facts(manifest)));
        let tools = self
            .source
            .map(|source| source.tools.as_slice())
            .unwrap_or_default();
        let lines: Vec<String> = tools
            .iter()
            .flat_map(|tool| {
                [
                    one_line_of(tool),
                    format!("    {}", first_line(&tool.description)),
                ]
            })
            .collect();
        text.push_str(&section("Tools", &lines));
        if let Some(source) = self.source {
            for (title, lines) in besides(&source.offers) {
                text.push_str(&section(title, &lines));
            }
        }
        text.push_str(&section("Imports", &self.interface.imports));
        text.push_str(&section("Exports", &self.interface.exports));
        text.push_str(&self.asks.text());
        let limits: Vec<String> = self
            .limits
            .iter()
            .map(|(name, given, is_asked)| {
                let asked = if *is_asked { "  (asked for)" } else { "" };
                format!("{name:<15} {given}{asked}")
            })
            .collect();
        text.push_str(&section("Limits of a call", &limits));
        text
    }

    fn facts(&self, manifest: Option<&Manifest>) -> Vec<String> {
        let mut facts = Vec::new();
        let mut fact = |name: &str, value: String| facts.push(format!("{name:<10} {value}"));
        match manifest {
            Some(manifest) => {
                if !manifest.authors.is_empty() {
                    fact("authors", manifest.authors.join(", "));
                }
                fact(
                    "licence",
                    manifest
                        .license
                        .clone()
                        .unwrap_or_else(|| "not named".to_owned()),
                );
                if let Some(world) = &manifest.world {
                    fact("world", world.clone());
                }
                if !manifest.dependencies.is_empty() {
                    let needs: Vec<String> = manifest
                        .dependencies
                        .iter()
                        .map(|(name, range)| format!("{name} {range}"))
                        .collect();
                    fact("needs", needs.join(", "));
                }
            }
            None => fact(
                "manifest",
                "none: it asks for everything its component can use".to_owned(),
            ),
        }
        fact("file", self.package.file.display().to_string());
        fact("digest", self.package.artifact.digest.to_string());
        fact("size", size(self.package.artifact.bytes.len() as u64));
        facts
    }

    fn to_json(&self) -> Value {
        let manifest = self.package.manifest.as_ref();
        let tools = self.source.map(|source| {
            let tools = source.tools.iter().map(|tool| {
                let mut json = tool.to_json();
                if let Some(object) = json.as_object_mut() {
                    object.insert("signature".into(), one_line_of(tool).into());
                }
                json
            });
            tools.collect::<Vec<_>>()
        });
        let (requests, unasked) = self.asks.to_json();
        let limits: Map<String, Value> = self
            .limits
            .iter()
            .map(|(name, given, is_asked)| {
                (
                    (*name).to_owned(),
                    json!({"value": given, "requested": is_asked}),
                )
            })
            .collect();
        let dependencies: Option<Map<String, Value>> = manifest.map(|manifest| {
            let entries = manifest.dependencies.iter();
            entries
                .map(|(name, range)| (name.to_string(), range.to_string().into()))
                .collect()
        });
        json!({
            "name": self.package.name(),
            "version": manifest.map(|manifest| manifest.version.to_string()),
            "description": manifest.map(|manifest| &manifest.description),
            "authors": manifest.map(|manifest| &manifest.authors),
            "license": manifest.and_then(|manifest| manifest.license.as_ref()),
            "world": manifest.and_then(|manifest| manifest.world.as_ref()),
            "dependencies": dependencies,
            "file": self.package.file.to_string_lossy(),
            "digest": self.package.artifact.digest.to_string(),
            "size": self.package.artifact.bytes.len(),
            "tools": tools,
            "offers": self.source.map(|source| &source.offers),
            "imports": self.interface.imports,
            "exports": self.interface.exports,
            "requests": requests,
            "importable_not_requested": unasked,
            "limits": limits,
            "warnings": self.warnings,
        })
    }
}

/// What a plugin has besides tools, by kind; nothing of a kind that it does not have.
fn besides(offers: &Offers) -> Vec<(&'static str, Vec<String>)> {
    let prompts = offers.prompts.iter().flat_map(|prompt| {
        let description = prompt.description.as_deref().unwrap_or_default();
        let schema = prompt.input_schema();
        [
            signature(&prompt.name, &schema, None),
            format!("    {}", first_line(description)),
        ]
    });
    let resources = offers
        .resources
        .iter()
        .map(|it| format!("{}  {}", it.uri, it.name));
    let templates = offers
        .resource_templates
        .iter()
        .map(|it| format!("{}  {}", it.uri_template, it.name));
    let mut sections: Vec<(&'static str, Vec<String>)> = vec![
        ("Prompts", prompts.collect()),
        ("Resources", resources.chain(templates).collect()),
    ];
    sections.retain(|(_, lines)| !lines.is_empty());
    sections
}

/// A tool on one line: in the notation of WIT where it comes from there.
fn one_line_of(tool: &Tool) -> String {
    match &tool.entry {
        Entry::Function(function) => function.signature(),
        _ => signature(
            tool.id.tool(),
            &tool.input_schema,
            tool.output_schema.as_ref(),
        ),
    }
}
