//! `toolhatch plugin import-policy`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::app::App;
use crate::author::amend::difference;
use crate::author::wassette;
use crate::cli::output::CommandOutput;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest;
use crate::manifest::document::MAX_BYTES;

/// Read a policy file of Wassette, and propose the permissions that a manifest would ask for in its place.
///
/// A manifest only asks: whoever installs the plugin decides about it. What the file says and a manifest cannot is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin import-policy policy.yaml
  toolhatch plugin import-policy policy.yaml --into plugin.toml
  toolhatch plugin import-policy policy.yaml --into plugin.toml --write")]
pub struct Args {
    /// The policy file.
    #[arg(value_name = "policy.yaml")]
    policy: PathBuf,
    /// Show the change of this manifest, in place of the permissions by themselves.
    #[arg(long, value_name = "plugin.toml")]
    into: Option<PathBuf>,
    /// Write the change into it.
    #[arg(long, requires = "into")]
    write: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let text = fsx::read_text(&app.paths.current.join(&self.policy), MAX_BYTES as u64)?;
        let imported = wassette::read(&text, &self.policy.display().to_string())?;
        let mut warnings: Vec<String> = imported
            .left_out
            .iter()
            .map(|sentence| format!("left out: {sentence}"))
            .collect();
        let (text, is_written) = match &self.into {
            None => {
                let permissions = imported.amend("")?;
                let limits = imported.memory().map_or_else(String::new, |memory| {
                    format!("\n[limits]\nmemory = \"{memory}\"\n")
                });
                (format!("{permissions}{limits}"), false)
            }
            Some(into) => {
                let path = app.paths.current.join(into);
                let before = fsx::read_text(&path, MAX_BYTES as u64)?;
                let after = imported.amend(&before)?;
                let name = into.file_name().unwrap_or_default().to_string_lossy();
                // What the manifest lacks otherwise is told by `plugin check`; this makes nothing of it worse.
                let origin = into.display().to_string();
                if manifest::parse_toml(&before, &origin).is_ok() {
                    manifest::parse_toml(&after, &origin)
                        .map_err(|error| error.while_doing("importing the policy"))?;
                }
                if self.write && before != after {
                    fsx::write_atomic(&path, after.as_bytes(), 0o644)?;
                }
                if let Some(memory) = imported.memory() {
                    warnings.push(format!(
                        "it limits memory: write `memory = \"{memory}\"` into `[limits]`"
                    ));
                }
                let is_written = self.write && before != after;
                (difference(&name, &before, &after), is_written)
            }
        };
        if text.is_empty() && warnings.is_empty() {
            return Err(Error::new(
                Code::E3105,
                format!(
                    "reading {}: it allows nothing, and says nothing else either",
                    self.policy.display()
                ),
            )
            .hint("A policy of Wassette has its lists below `permissions`."));
        }
        let told = match &self.into {
            Some(into) if text.is_empty() => {
                format!("{} asks for all of it already.", into.display())
            }
            Some(into) if is_written => format!("Wrote into {}:\n\n{text}", into.display()),
            _ => text.clone(),
        };
        let json = json!({
            "proposal": text,
            "memory": imported.memory(),
            "left_out": imported.left_out,
            "written": is_written,
        });
        Ok(CommandOutput {
            warnings,
            ..CommandOutput::new(told, json)
        })
    }
}
