//! `toolhatch sandbox apply`: changes that wait, put into the workspace.

use serde_json::{Value, json};

use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::cli::text::{count, section};
use crate::config::Glob;
use crate::error::Result;
use crate::exit_code::Exit;
use crate::ids::CallId;

/// Put the changes of a command into the workspace.
///
/// All of them are compared with what is there first: where somebody changed a path meanwhile, nothing is applied. What is
/// protected (`docker.protected_paths`) is never applied; copy it by hand if you want it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch sandbox apply 01JD8Z0000000000000000000A
  toolhatch sandbox apply 01JD8Z0000000000000000000A --path src --path '**/*.md'

It ends with 3 where something was refused, and with 4 where the workspace changed meanwhile.")]
pub(super) struct Args {
    /// The id that `toolhatch exec --diff` named.
    id: CallId,
    /// Apply only these paths: files, folders with all that is in them, or globs with `*` and `**`. May be given several
    /// times.
    #[arg(long, value_name = "GLOB")]
    path: Vec<Glob>,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<CommandOutput> {
        let done = app.apply_changes(&self.id, &self.path)?;
        if let Some(error) = done.error {
            return Err(error.detail("applied", done.applied.len()).hint(format!(
                "{} applied before that; the others still wait.",
                count(done.applied.len(), "path")
            )));
        }
        let mut text = format!("Applied {}.", count(done.applied.len(), "path"));
        let refused: Vec<String> = done
            .refused
            .iter()
            .map(|(path, why)| format!("{path}: {why}"))
            .collect();
        text.push_str(&section("Refused:", &refused));
        if done.left > 0 {
            let id = &self.id;
            text.push_str(&format!(
                "\n{} left: toolhatch sandbox changes {id}",
                count(done.left, "path")
            ));
        }
        let list = |paths: &mut dyn Iterator<Item = Value>| paths.collect::<Value>();
        let mut output = CommandOutput::new(
            text,
            json!({
                "id": self.id.to_string(),
                "applied": list(&mut done.applied.iter().map(|path| path.to_string().into())),
                "refused": list(&mut done.refused.iter().map(|(path, why)| json!({"path": path.to_string(), "why": why}))),
                "left": done.left,
            }),
        );
        if !done.refused.is_empty() {
            output.exit = Exit::Refused;
        }
        Ok(output)
    }
}
