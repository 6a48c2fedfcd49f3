//! `toolhatch plugin`: looking at plugins, packing them, and which are installed.

pub(super) mod asks;
mod check;
mod convert;
mod deprecate;
mod examine;
mod finding;
mod inspect;
mod install;
pub(super) mod list;
mod pack;
mod remove;
mod state;
mod tag;

use std::sync::Arc;

use super::output::CommandOutput;
use crate::app::App;
use crate::error::Result;

/// Check, inspect, pack, install and remove plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin inspect plugins/dist/files.wasm
  toolhatch plugin install plugins/dist/files.wasm
  toolhatch plugin pack my-plugin.wasm --manifest plugin.toml -o dist/my-plugin.wasm")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(check::Args),
    Inspect(inspect::Args),
    Pack(pack::Args),
    Convert(convert::Args),
    Install(install::Args),
    List(list::Args),
    Deprecate(deprecate::Args),
    Remove(remove::Args),
    State(state::Args),
    Tag(tag::Args),
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        match self.command {
            Command::Check(args) => args.run(app),
            Command::Inspect(args) => args.run(app),
            Command::Pack(args) => args.run(app),
            Command::Convert(args) => args.run(),
            Command::Install(args) => args.run(app),
            Command::List(args) => args.run(app),
            Command::Deprecate(args) => args.run(app),
            Command::Remove(args) => args.run(app),
            Command::State(args) => args.run(app),
            Command::Tag(args) => args.run(app),
        }
    }
}
