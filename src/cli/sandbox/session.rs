//! Containers that are kept under a name, for one command after the other.

use std::sync::Arc;

use serde_json::json;

use super::super::{block_on, exec};
use super::{listed, rows};
use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::cli::text::count;
use crate::error::{Code, Error, Result};

/// Containers that are kept under a name, for one command after the other.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch sandbox session run build --mount .:/workspace:rw -- make
  toolhatch sandbox session run build --mount .:/workspace:rw -- make test
  toolhatch sandbox session list
  toolhatch sandbox session end build

`run` is `toolhatch exec --keep NAME`. The same name, image, grants and limits are the same container; anything else is another
one. A container that nobody uses ends by itself (`docker.pool.idle`).")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Run(Box<Run>),
    /// List the containers that are kept.
    List,
    /// Remove the containers that are kept under this name.
    End {
        /// The name.
        name: String,
    },
}

/// Run a command in the container of this name, which is made where there is none.
#[derive(Debug, clap::Args)]
#[command(mut_arg("keep", |argument| argument.hide(true)))]
pub(super) struct Run {
    /// The name.
    name: String,
    #[command(flatten)]
    exec: exec::Args,
}

impl Run {
    /// The same as `exec --keep`.
    pub(super) fn into_exec(self) -> exec::Args {
        self.exec.keeping(self.name)
    }
}

impl Args {
    /// Runs the command, which is none that runs another.
    pub(super) fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        match self.command {
            Command::Run(_) => Err(Error::new(
                Code::E3000,
                "a command to run was handed to the lists of sessions",
            )),
            Command::List => {
                let mut found = block_on(async { app.commands()?.list().await })?;
                found.retain(|leased| leased.kept.is_some());
                let text = if found.is_empty() {
                    "No container is kept.".to_owned()
                } else {
                    rows(&found)
                };
                Ok(CommandOutput::new(
                    text,
                    json!({"sessions": listed(&found)}),
                ))
            }
            Command::End { name } => {
                let removed = block_on(async { app.commands()?.end(&name).await })?;
                if removed.is_empty() {
                    return Err(Error::new(
                        Code::E3101,
                        format!("ending the session {name}: no container is kept under this name"),
                    )
                    .hint("`toolhatch sandbox session list` lists those that are."));
                }
                let text = format!("Removed {}.", count(removed.len(), "container"));
                Ok(CommandOutput::new(
                    text,
                    json!({"removed": listed(&removed)}),
                ))
            }
        }
    }
}
