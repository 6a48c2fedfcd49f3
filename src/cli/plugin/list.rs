//! `toolhatch plugin list`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::cli::table::{Fit, table};
use crate::cli::text::size;
use crate::dist::Installed;
use crate::error::Result;

/// List the installed plugins, every version of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin list
  toolhatch plugin list --json")]
pub struct Args {}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let plugins = app.store.list()?;
        let text = if plugins.is_empty() {
            "No plugin is installed. Install one with `toolhatch plugin install FILE`.".to_owned()
        } else {
            let header = ["NAME", "VERSION", "TOOLS", "SIZE", "DIGEST", "DESCRIPTION"];
            table(&header, 5, Fit::Cut, plugins.iter().map(row))
        };
        let list: Value = plugins.iter().map(to_json).collect();
        Ok(CommandOutput::new(text, json!({"plugins": list})))
    }
}

fn row(plugin: &Installed) -> Vec<String> {
    vec![
        plugin.name.to_string(),
        plugin.version.to_string(),
        plugin.tools.len().to_string(),
        size(plugin.size),
        plugin.digest.short(),
        plugin.description.clone(),
    ]
}

/// An installed plugin for programs.
pub(super) fn to_json(plugin: &Installed) -> Value {
    let tools: Vec<&str> = plugin.tools.iter().map(|tool| tool.name.as_str()).collect();
    json!({
        "name": plugin.name.to_string(),
        "version": plugin.version.to_string(),
        "digest": plugin.digest.to_string(),
        "size": plugin.size,
        "description": plugin.description,
        "tools": tools,
    })
}
