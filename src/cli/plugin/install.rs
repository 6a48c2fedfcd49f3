//! `toolhatch plugin install`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::asks;
use super::examine::examine;
use crate::app::{App, Installation};
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::text::section;
use crate::error::Result;
use crate::invoke::ToolRef;
use crate::permission::Request;
use crate::registry::Stage;

/// Install a plugin, so that its tools can be called by their names.
///
/// Installing grants nothing. A version that asks for more than the one that was granted something waits for a person,
/// and the earlier one goes on.
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
        let (installation, requested) = block_on(async {
            let package = app.package(&reference).await?.package;
            if let Some(manifest) = &package.manifest {
                let findings = examine(app, &package).await?;
                findings.into_result(&format!("installing {}", manifest.name))?;
            }
            let source = app.source(&reference).await?;
            let installation = app.install(&package, &source).await?;
            Ok((installation, source.requested(&app.paths.variables())?))
        })?;
        let output = CommandOutput::new(
            text(&installation, &requested.requests),
            to_json(&installation, &requested.requests),
        );
        Ok(CommandOutput {
            warnings: installation.warnings,
            ..output
        })
    }
}

fn text(installation: &Installation, requests: &[Request]) -> String {
    let plugin = &installation.plugin;
    let done = match (installation.is_new, plugin.lifecycle.stage) {
        (true, Stage::Staged) => "Staged",
        (true, _) => "Installed",
        (false, _) => "Already installed:",
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
    let needed: Vec<String> = installation
        .locked
        .iter()
        .map(|lock| format!("{} {} (of {})", lock.needs, lock.version, lock.range))
        .collect();
    text.push_str(&section(
        match installation.is_new || !installation.locked_anew {
            true => "It needs, and uses",
            false => "It needs, and uses from now on",
        },
        &needed,
    ));
    if let (Some(error), Stage::Staged) = (&installation.breaks, plugin.lifecycle.stage) {
        text.push_str(&format!(
            "\nIt waits, because the policies in force do not fit its tools:\n  {error}\n\nChange them, then decide with \
             `toolhatch grant {}`. Until then every call goes on as before.\n",
            plugin.name
        ));
    }
    let asked: Vec<String> = requests.iter().flat_map(asks::lines).collect();
    if asked.is_empty() {
        text.push_str("\nIt asks for nothing.\n");
        return text;
    }
    text.push_str(&section("It asks for", &asked));
    text.push('\n');
    text.push_str(&what_next(installation));
    text
}

/// What a person does about what it asks for.
fn what_next(installation: &Installation) -> String {
    let name = &installation.plugin.name;
    match (&installation.compared_with, &installation.carried) {
        (Some(before), _) if !installation.difference.asks_for_no_more() => {
            let new: Vec<String> = installation
                .difference
                .added
                .iter()
                .map(|capability| format!("  - {}", capability.in_plain_words()))
                .collect();
            format!(
                "That is more than {before} asks for:\n{}\n\nUntil you decide with `toolhatch grant {name}`, {name} \
                 {before} goes on answering.\n",
                new.join("\n")
            )
        }
        (Some(before), Some(_)) => {
            format!("That is no more than {before} asks for: it has what that was granted.\n")
        }
        _ => format!(
            "Nothing of this is granted by installing it. `toolhatch grant {name}` decides for good; `--allow` decides \
             for one call.\n"
        ),
    }
}

fn to_json(installation: &Installation, requests: &[Request]) -> Value {
    let plugin = &installation.plugin;
    let requests: Vec<Value> = requests.iter().map(asks::request_json).collect();
    let needed: Map<String, Value> = installation
        .locked
        .iter()
        .map(|lock| (lock.needs.to_string(), lock.version.to_string().into()))
        .collect();
    let tools: Vec<&str> = plugin.tools.iter().map(|tool| tool.name.as_str()).collect();
    let added: Vec<String> = installation
        .difference
        .added
        .iter()
        .map(|capability| format!("{}={capability}", capability.kind()))
        .collect();
    json!({
        "name": plugin.name.to_string(),
        "version": plugin.version.to_string(),
        "digest": plugin.digest.to_string(),
        "size": plugin.size,
        "new": installation.is_new,
        "stage": plugin.lifecycle.stage.word(),
        "compared_with": installation.compared_with.as_ref().map(ToString::to_string),
        "asks_more": added,
        "breaks_policies": installation.breaks.as_ref().map(ToString::to_string),
        "grant_carried": installation.carried.is_some(),
        "tools": tools,
        "requests": requests,
        "dependencies": needed,
        "locked_anew": installation.locked_anew,
        "warnings": installation.warnings,
    })
}
