//! `toolhatch mcp`: tools for agents, over the Model Context Protocol.

mod serve;
mod streams;

use std::sync::Arc;

use super::output::{CommandOutput, Printer};
use crate::app::App;
use crate::error::Result;

/// Serve tools to agents over the Model Context Protocol.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp serve
  toolhatch mcp serve plugins/dist/analyze-code.wasm --allow file_read=src")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(serve::Args),
}

impl Args {
    /// True where standard output carries a protocol.
    pub(super) fn is_protocol(&self) -> bool {
        match &self.command {
            Command::Serve(_) => true,
        }
    }

    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        match self.command {
            Command::Serve(args) => args.run(app, printer),
        }
    }
}
