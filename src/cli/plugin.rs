//! `toolhatch plugin`: writing plugins, looking at them, packing them, and which are installed.

pub(super) mod asks;
mod bench;
mod build;
mod check;
mod convert;
mod deprecate;
mod dev;
mod examine;
mod finding;
mod import_policy;
mod inspect;
mod install;
pub(super) mod list;
mod new;
mod pack;
mod remove;
mod rule;
mod state;
mod tag;
mod test;

use std::sync::Arc;

use super::output::{CommandOutput, Printer};
use crate::app::App;
use crate::error::Result;

/// Write, build, check, test, inspect, pack, install and remove plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin new rust word-count
  toolhatch plugin inspect plugins/dist/files.wasm
  toolhatch plugin install plugins/dist/files.wasm
  toolhatch plugin pack my-plugin.wasm --manifest plugin.toml -o dist/my-plugin.wasm")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    New(new::Args),
    Build(build::Args),
    Check(check::Args),
    Test(test::Args),
    Dev(dev::Args),
    Bench(bench::Args),
    Inspect(inspect::Args),
    Pack(pack::Args),
    Convert(convert::Args),
    ImportPolicy(import_policy::Args),
    Install(install::Args),
    List(list::Args),
    Deprecate(deprecate::Args),
    Remove(remove::Args),
    State(state::Args),
    Tag(tag::Args),
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        match self.command {
            Command::New(args) => args.run(app),
            Command::Build(args) => args.run(app, printer),
            Command::Check(args) => args.run(app),
            Command::Test(args) => args.run(app, printer),
            Command::Dev(args) => args.run(app, printer),
            Command::Bench(args) => args.run(app, printer),
            Command::Inspect(args) => args.run(app),
            Command::Pack(args) => args.run(app),
            Command::Convert(args) => args.run(),
            Command::ImportPolicy(args) => args.run(app),
            Command::Install(args) => args.run(app),
            Command::List(args) => args.run(app),
            Command::Deprecate(args) => args.run(app),
            Command::Remove(args) => args.run(app),
            Command::State(args) => args.run(app),
            Command::Tag(args) => args.run(app),
        }
    }
}
