//! `toolhatch mcp accept`: a person agrees to what a server says differently of itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::find;
use crate::app::App;
use crate::cli::authority::{Authority, Proof};
use crate::cli::output::CommandOutput;
use crate::error::{Code, Error, Result};

/// Accept what a server says differently of itself since it was added.
///
/// Shows every difference first. Until it is accepted, tools that changed are not called.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp accept git
  toolhatch mcp accept git git_status git_log")]
pub struct Args {
    /// The server.
    name: String,
    /// Accept what differs of these tools alone.
    tools: Vec<String>,
    #[command(flatten)]
    proof: Proof,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let (name, _) = find(app, &self.name)?;
        let known = app.known_server(name)?.ok_or_else(|| {
            Error::new(Code::E3101, format!("nothing is known of {name} yet"))
                .hint(format!("Look at it with `toolhatch mcp test {name}`."))
        })?;
        let drift = known.pending();
        if drift.is_empty() {
            return Ok(CommandOutput::new(
                format!("Nothing differs of {name} from what was agreed to.\n"),
                json!({"accepted": false, "drift": drift.to_json()}),
            ));
        }
        let mut authority = self.proof.authority(app)?;
        if let Authority::Person(terminal) = &mut authority {
            terminal.say(&drift.diff())?;
            for line in drift.summary() {
                terminal.say(&format!("  - {line}"))?;
            }
            if !terminal.confirm(&format!("Accept this of {name}?"))? {
                return Err(Error::new(
                    Code::E3214,
                    format!("accepting the changes of {name} was not confirmed"),
                ));
            }
        }
        let tools: BTreeSet<String> = self.tools.into_iter().collect();
        let (by, how) = authority.record();
        app.accept_server(name, &tools, &drift, (&by, how))?;
        Ok(CommandOutput::new(
            format!(
                "{name} may be used as it is now:\n  - {}\n",
                drift.summary().join("\n  - ")
            ),
            json!({"accepted": true, "drift": drift.to_json()}),
        ))
    }
}
