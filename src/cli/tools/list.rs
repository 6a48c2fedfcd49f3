//! `toolhatch tools list`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::gather::{Listed, gather};
use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::table::{Fit, table};
use crate::error::Result;

/// List tools: those of installed plugins and of the configured search paths, or those of the files that are named.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch tools list
  toolhatch tools list plugins/dist/files.wasm
  toolhatch tools list plugins/dist --json")]
pub struct Args {
    /// List the tools of these files instead. A folder may be one plugin, or hold several.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        let gathered = block_on(gather(app, &self.files))?;
        let text = if gathered.tools.is_empty() {
            "There are no tools. Install a plugin with `toolhatch plugin install FILE`, or name a file.".to_owned()
        } else {
            let rows = gathered.tools.iter().map(Listed::row);
            table(&["TOOL", "RISK", "DESCRIPTION"], 2, Fit::Cut, rows)
        };
        let mut json = Value::Null;
        // Schemas of hundreds of tools are much to copy for nothing.
        if printer.is_json() {
            let tools: Value = gathered.tools.iter().map(Listed::to_json).collect();
            json = json!({"left_out": gathered.left_out()});
            if let Some(object) = json.as_object_mut() {
                object.insert("tools".into(), tools);
            }
        }
        Ok(CommandOutput {
            warnings: gathered.warnings(),
            ..CommandOutput::new(text, json)
        })
    }
}
