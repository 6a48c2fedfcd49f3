//! `toolhatch plugin list`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::table::{Fit, table};
use crate::cli::text::size;
use crate::error::Result;
use crate::registry::Installed;

/// List the installed plugins, every version of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin list
  toolhatch plugin list --json")]
pub struct Args {
    /// Show removed versions too.
    #[arg(long)]
    all: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let plugins = block_on(async {
            let registry = app.registry().await?;
            if self.all {
                registry.all_plugins().await
            } else {
                registry.plugins().await
            }
        })?;
        let text = if plugins.is_empty() {
            "No plugin is installed. Install one with `toolhatch plugin install FILE`.".to_owned()
        } else {
            let header = [
                "NAME",
                "VERSION",
                "STAGE",
                "TOOLS",
                "SIZE",
                "DIGEST",
                "DESCRIPTION",
            ];
            table(&header, 6, Fit::Cut, plugins.iter().map(row))
        };
        let list: Value = plugins.iter().map(to_json).collect();
        Ok(CommandOutput::new(text, json!({"plugins": list})))
    }
}

fn row(plugin: &Installed) -> Vec<String> {
    vec![
        plugin.name.to_string(),
        plugin.version.to_string(),
        plugin.lifecycle.stage.to_string(),
        plugin.tools.len().to_string(),
        size(plugin.size),
        plugin.digest.short(),
        plugin.description.clone(),
    ]
}

/// An installed plugin for programs.
pub(super) fn to_json(plugin: &Installed) -> Value {
    let life = &plugin.lifecycle;
    let tools: Vec<&str> = plugin.tools.iter().map(|tool| tool.name.as_str()).collect();
    json!({
        "name": plugin.name.to_string(),
        "version": plugin.version.to_string(),
        "stage": life.stage.word(),
        "deprecated_on": life.deprecated_on.map(|day| day.to_string()),
        "sunset_on": life.sunset_on.map(|day| day.to_string()),
        "replacement": life.replacement.as_ref().map(ToString::to_string),
        "note": life.note,
        "digest": plugin.digest.to_string(),
        "size": plugin.size,
        "description": plugin.description,
        "tags": plugin.tags,
        "tools": tools,
    })
}
