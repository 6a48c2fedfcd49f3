//! `toolhatch config`: what the configuration comes to, and where each value is from.

use serde_json::{Value, json};

use super::output::CommandOutput;
use super::table::{Fit, table};
use crate::app::App;
use crate::error::Result;

/// Show the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch config show
  toolhatch config show --origin")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show every key with the value that counts.
    #[command(after_help = "Examples:
  toolhatch config show --origin
  toolhatch config show --json")]
    Show {
        /// Name the file, variable or flag that each value comes from.
        #[arg(long)]
        origin: bool,
    },
}

impl Args {
    /// Runs the command.
    pub fn run(&self, app: &App) -> Result<CommandOutput> {
        let Command::Show { origin } = self.command;
        let entries = app.config.entries();
        let rows = entries.iter().map(|entry| {
            let mut row = vec![entry.key.clone(), entry.value.clone()];
            if origin {
                row.push(entry.origin.to_string());
            }
            row
        });
        let header: &[&str] = if origin {
            &["KEY", "VALUE", "FROM"]
        } else {
            &["KEY", "VALUE"]
        };
        let text = table(header, 1, Fit::Wrap, rows);
        let list: Value = entries
            .iter()
            .map(|entry| json!({"key": entry.key, "value": entry.value, "origin": entry.origin.to_string()}))
            .collect();
        Ok(CommandOutput::new(
            text,
            json!({"entries": list, "warnings": app.config.warnings}),
        ))
    }
}
