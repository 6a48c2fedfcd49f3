//! `toolhatch mcp test`.

use std::sync::Arc;

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
            let examined = app.examine_server(name, server).await?;
            app.saw_server(name, &examined.seen)?;
            Ok(CommandOutput::new(
                describe::examination(name, server, &examined),
                describe::examination_json(name, server, &examined),
            ))
        })
    }
}
