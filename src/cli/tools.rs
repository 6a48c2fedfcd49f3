//! `toolhatch tools`: what can be called.

mod list;
pub(super) mod parameters;
mod search;
mod show;

use std::sync::Arc;

use super::output::{CommandOutput, Printer};
use super::text::{count, cut, one_line};
use crate::app::{App, Offered, OfferedTool};
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

/// The row of a tool in a table: id, risk, description.
fn row(offered: &OfferedTool) -> Vec<String> {
    vec![
        offered.tool.id.to_string(),
        offered.tool.risk.word().to_owned(),
        offered.tool.description.clone(),
    ]
}

/// A sentence for each source that was left out, and one for what policy hides.
fn warnings(offered: &Offered) -> Vec<String> {
    let hidden = (!offered.hidden.is_empty()).then(|| {
        format!(
            "{} hidden by policy (`tool.list`)",
            count(offered.hidden.len(), "tool")
        )
    });
    offered
        .left_out
        .iter()
        .map(|left_out| {
            format!(
                "{} was left out: {}",
                left_out.place,
                cut(&one_line(&left_out.error), 300)
            )
        })
        .chain(hidden)
        .collect()
}
