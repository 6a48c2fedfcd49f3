//! `toolhatch sandbox discard`: changes that nobody wants.

use serde_json::json;

use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::cli::text::count;
use crate::error::Result;
use crate::ids::CallId;

/// Throw the changes of a command away.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch sandbox discard 01JD8Z0000000000000000000A")]
pub(super) struct Args {
    /// The id that `toolhatch exec --diff` named.
    id: CallId,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<CommandOutput> {
        let set = app.discard_changes(&self.id)?;
        Ok(CommandOutput::new(
            format!("Discarded {}.", count(set.count(), "changed path")),
            json!({"id": set.id.to_string(), "discarded": set.count()}),
        ))
    }
}
