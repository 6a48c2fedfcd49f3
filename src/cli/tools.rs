//! `toolhatch tools`: what can be called.

mod gather;
mod list;
pub(super) mod parameters;
mod search;
mod show;

use std::sync::Arc;

use super::output::{CommandOutput, Printer};
use crate::app::App;
use crate::error::Result;

/// List, show and search tools.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch tools list
  toolhatch tools show files.read
  toolhatch tools search read file")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Search(search::Args),
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        match self.command {
            Command::List(args) => args.run(app, printer),
            Command::Show(args) => args.run(app),
            Command::Search(args) => args.run(app),
        }
    }
}
