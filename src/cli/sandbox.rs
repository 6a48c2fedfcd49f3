//! `toolhatch sandbox`: the containers of this daemon that are ours, and what commands in them changed.

mod apply;
pub(in crate::cli) mod changes;
mod discard;
mod session;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::block_on;
use super::output::CommandOutput;
use super::table::{Fit, table};
use super::text::{ago, count};
use crate::app::App;
use crate::error::Result;
use crate::exec::docker::Leased;

/// Containers that Toolhatch made, and changes of commands that wait.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch sandbox ps
  toolhatch sandbox gc
  toolhatch sandbox changes
  toolhatch sandbox session list

A container is removed when its command ends. What a killed process left behind is removed by the next one that needs a
container, or by `gc`.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the containers, whoever made them.
    Ps,
    Gc(Gc),
    Changes(changes::Args),
    Apply(apply::Args),
    Discard(discard::Args),
    Session(session::Args),
}

/// Remove the containers whose process is gone, or whose time is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch sandbox gc
  toolhatch sandbox gc --all")]
struct Gc {
    /// Remove those of processes that still run, too: their commands end.
    #[arg(long)]
    all: bool,
}

impl Args {
    /// What runs a command of somebody is `exec`, under whichever name.
    pub fn into_command(self) -> super::Command {
        match self.command {
            Command::Session(session::Args {
                command: session::Command::Run(run),
            }) => super::Command::Exec(run.into_exec()),
            command => super::Command::Sandbox(Self { command }),
        }
    }

    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        match self.command {
            Command::Ps => {
                let found = block_on(async { app.commands()?.list().await })?;
                let text = if found.is_empty() {
                    "There are no containers of Toolhatch.".to_owned()
                } else {
                    rows(&found)
                };
                Ok(CommandOutput::new(
                    text,
                    json!({"containers": listed(&found)}),
                ))
            }
            Command::Changes(args) => args.run(app),
            Command::Apply(args) => args.run(app),
            Command::Discard(args) => args.run(app),
            Command::Session(args) => args.run(app),
            Command::Gc(args) => {
                let removed = block_on(async {
                    let removed = app.commands()?.collect(args.all).await;
                    // Connecting begins to remove as well: half of that would stay.
                    app.settle_containers().await;
                    removed
                })?;
                let text = format!("Removed {}.", count(removed.len(), "container"));
                Ok(CommandOutput::new(
                    text,
                    json!({"removed": listed(&removed)}),
                ))
            }
        }
    }
}

fn rows(found: &[Leased]) -> String {
    let now = SystemTime::now();
    let rows = found.iter().map(|leased| {
        let created = u64::try_from(leased.created).unwrap_or_default();
        let owner = match &leased.kept {
            Some(name) => format!("session {name}"),
            None if leased.is_abandoned => "gone".to_owned(),
            None => "running".to_owned(),
        };
        vec![
            leased.id.chars().take(12).collect(),
            leased.state.clone(),
            owner,
            ago(UNIX_EPOCH + Duration::from_secs(created), now),
            leased.call.clone(),
        ]
    });
    table(
        &["CONTAINER", "STATE", "OWNER", "MADE", "CALL"],
        4,
        Fit::Cut,
        rows,
    )
}

fn listed(found: &[Leased]) -> Value {
    found
        .iter()
        .map(|leased| {
            json!({
                "id": leased.id,
                "image": leased.image,
                "state": leased.state,
                "call": leased.call,
                "created": leased.created,
                "deadline": leased.deadline,
                "session": leased.kept,
                "abandoned": leased.is_abandoned,
            })
        })
        .collect()
}
