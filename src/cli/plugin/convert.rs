//! `toolhatch plugin convert`.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::output::CommandOutput;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest::{self, document::MAX_BYTES};

/// Convert a manifest of the older YAML form to TOML.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin convert plugin.yaml
  toolhatch plugin convert plugin.yaml -o plugin.toml")]
pub struct Args {
    /// The manifest in YAML.
    #[arg(value_name = "plugin.yaml")]
    manifest: PathBuf,
    /// Write the TOML to this file instead of printing it.
    #[arg(short, long = "output", value_name = "plugin.toml")]
    out: Option<PathBuf>,
    /// Overwrite the file if it is there.
    #[arg(long, requires = "out")]
    force: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self) -> Result<CommandOutput> {
        let text = fsx::read_text(&self.manifest, MAX_BYTES as u64)?;
        let manifest = manifest::parse_yaml(&text, &self.manifest.display().to_string())?;
        let toml = manifest::to_toml(&manifest);
        let mut broad: Vec<&str> = manifest
            .permissions
            .entries
            .iter()
            .filter(|entry| entry.ask.is_broad())
            .map(|entry| entry.ask.kind().name())
            .collect();
        broad.dedup();
        let warnings = broad
            .iter()
            .map(|kind| {
                format!(
                    "it asks for all of {kind} and names no scope: narrow it before you share it"
                )
            })
            .collect();
        let text = match &self.out {
            Some(path) => {
                if !self.force && path.symlink_metadata().is_ok() {
                    return Err(Error::new(
                        Code::E3004,
                        format!("refusing to overwrite {}", path.display()),
                    )
                    .hint("Name another file, or overwrite it with `--force`."));
                }
                fsx::write_atomic(path, toml.as_bytes(), 0o644)?;
                format!("Wrote {}", path.display())
            }
            None => toml.clone(),
        };
        let file = self.out.as_ref().map(|path| path.to_string_lossy());
        let json = json!({"toml": toml, "file": file, "broad": broad});
        Ok(CommandOutput {
            warnings,
            ..CommandOutput::new(text, json)
        })
    }
}
