//! `toolhatch revoke`: takes back what a plugin was granted.

use std::sync::Arc;

use serde_json::{Value, json};

use super::block_on_here;
use super::grant::find;
use super::output::CommandOutput;
use crate::app::App;
use crate::error::Result;
use crate::registry::Given;

/// Take back what a plugin was granted.
///
/// The next call is refused, also in processes that run already. Taking back needs nobody's permission.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch revoke files
  toolhatch revoke files@1.0.0 --json")]
pub struct Args {
    /// The plugin, and which version; every version where none is named.
    #[arg(value_name = "NAME[@VERSION]")]
    plugin: String,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        block_on_here(async {
            let plugin = find(app, &self.plugin).await?;
            let by = format!("uid {}", rustix::process::geteuid().as_raw());
            let ended = app.revoke(&plugin, self.plugin.contains('@'), &by).await?;
            let name = &plugin.name;
            let text = match ended.len() {
                0 => format!("{name} had no grant."),
                1 => format!("Revoked the grant of {name}."),
                many => format!("Revoked {many} grants of {name}."),
            };
            let list: Value = ended.iter().map(Given::to_json).collect();
            Ok(CommandOutput::new(text, json!({"revoked": list})))
        })
    }
}
