//! `toolhatch mcp test`.

use std::sync::Arc;

use serde_json::Value;

use super::{describe, find};
use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::error::Result;

/// Connect to a server now, and say what was found: how long it took, which tools it has, what is wrong with them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp test git
  toolhatch mcp test git --json")]
pub struct Args {
    /// The server.
    name: String,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let (name, server) = find(app, &self.name)?;
        block_on(async {
            let examined = app.examine_server(name, server, true).await?;
            let drift = app.saw_server(name, &examined.seen)?;
            let mut text = describe::examination(name, server, &examined);
            text.push_str(&describe::drift(name, &drift));
            let mut json = describe::examination_json(name, server, &examined);
            if let Value::Object(object) = &mut json {
                object.insert("drift".into(), drift.to_json());
            }
            Ok(CommandOutput::new(text, json))
        })
    }
}
