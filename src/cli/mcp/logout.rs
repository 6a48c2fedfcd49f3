//! `toolhatch mcp logout`.

use std::sync::Arc;

use serde_json::json;

use super::find;
use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::error::Result;

/// Forget the login to a server.
///
/// The tokens are removed from this machine. Whether they still work is for the server's own pages to say.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp logout tracker")]
pub struct Args {
    /// The server.
    name: String,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let (name, _) = find(app, &self.name)?;
        let text = if app.log_out(name)? {
            format!("The login to {name} is forgotten.\n")
        } else {
            format!("There is no login to {name}.\n")
        };
        Ok(CommandOutput::new(
            text,
            json!({"server": name.as_str(), "login": null}),
        ))
    }
}
