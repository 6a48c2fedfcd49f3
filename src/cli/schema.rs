//! `toolhatch schema`: the JSON Schemas of the files people write.

use serde_json::Value;

use super::output::CommandOutput;
use crate::author::example::examples_schema;
use crate::config::config_schema;
use crate::error::Result;
use crate::manifest::manifest_schema;

/// Print the JSON Schema of a file, for editors and checks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch schema manifest > plugin.schema.json
  toolhatch schema config")]
pub struct Args {
    /// Which file.
    #[arg(value_enum)]
    file: File,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum File {
    /// The manifest of a plugin, plugin.toml.
    Manifest,
    /// The configuration, config.toml.
    Config,
    /// The example calls of a plugin, tests/NAME.toml.
    Examples,
}

impl Args {
    /// Runs the command.
    pub fn run(&self) -> Result<CommandOutput> {
        let schema: Value = match self.file {
            File::Manifest => manifest_schema(),
            File::Config => config_schema(),
            File::Examples => examples_schema(),
        };
        let text = serde_json::to_string_pretty(&schema).unwrap_or_else(|_| schema.to_string());
        Ok(CommandOutput::new(text, schema))
    }
}
