//! `toolhatch mcp remove`.

use std::sync::Arc;

use serde_json::json;

use super::find;
use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::error::Result;

/// Remove a server that was added by command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp remove git")]
pub struct Args {
    /// The server.
    name: String,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let (name, _) = find(app, &self.name)?;
        let by = format!("uid {}", rustix::process::geteuid().as_raw());
        let path = app.remove_server(name, &by)?;
        Ok(CommandOutput::new(
            format!("{name} was removed.\n"),
            json!({"removed": name.as_str(), "file": path.to_string_lossy()}),
        ))
    }
}
