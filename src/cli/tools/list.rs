//! `toolhatch tools list`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{row, warnings};
use crate::app::{App, OfferedTool};
use crate::cli::block_on;
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::table::{Fit, table};
use crate::error::Result;
use crate::invoke::Caller;

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
        let offered = block_on(app.offered(&self.files, &Caller::of_process()))?;
        let text = if offered.tools.is_empty() {
            "There are no tools. Install a plugin with `toolhatch plugin install FILE`, or name a file.".to_owned()
        } else {
            let rows = offered.tools.iter().map(row);
            table(&["TOOL", "RISK", "DESCRIPTION"], 2, Fit::Cut, rows)
        };
        let mut json = Value::Null;
        // Schemas of hundreds of tools are much to copy for nothing.
        if printer.is_json() {
            let tools: Value = offered.tools.iter().map(OfferedTool::to_json).collect();
            json = json!({"left_out": offered.left_out_json()});
            if let Some(object) = json.as_object_mut() {
                object.insert("tools".into(), tools);
            }
        }
        Ok(CommandOutput {
            warnings: warnings(&offered),
            ..CommandOutput::new(text, json)
        })
    }
}
