//! `toolhatch plugin state`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::app::{App, KeptState};
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::error::{Error, Result};
use crate::exec::bytes;

/// Show or clear what plugins keep between their calls: keys and sizes, never the values.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin state
  toolhatch plugin state notes
  toolhatch plugin state ./notes.wasm --clear")]
pub struct Args {
    /// An installed plugin, or the file or folder it is called by; all that keep something where none is named.
    #[arg(value_name = "NAME|FILE|DIR")]
    plugin: Option<String>,
    /// Remove everything that the plugin keeps.
    #[arg(long, requires = "plugin")]
    clear: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let Some(text) = &self.plugin else {
            let kept = block_on(async { app.kept_states().await })?;
            return Ok(all(&kept));
        };
        let owner = app.state_owner(text)?;
        if self.clear {
            let count = block_on(async { app.clear_state(&owner, false).await })?;
            let shown = owner.shown();
            return Ok(CommandOutput::new(
                format!("Removed {} of {shown}", keys(count)),
                json!({"plugin": shown, "removed": count}),
            ));
        }
        match block_on(async { app.kept_state(&owner).await })? {
            Some(kept) => one(kept),
            None => Ok(CommandOutput::new(
                format!("{} keeps nothing", owner.shown()),
                json!({"plugin": owner.shown(), "bytes": 0, "keys": []}),
            )),
        }
    }
}

/// How many keys, in words.
pub(super) fn keys(count: usize) -> String {
    match count {
        1 => "1 key".to_owned(),
        count => format!("{count} keys"),
    }
}

fn total(kept: &[crate::store::KeySize]) -> u64 {
    kept.iter().map(|key| key.bytes).sum()
}

fn one(kept: KeptState) -> Result<CommandOutput> {
    let sizes = kept.keys?;
    let mut text = format!(
        "{}: {}, {}\n  {}\n",
        kept.owner,
        keys(sizes.len()),
        bytes(total(&sizes)),
        kept.path.display()
    );
    for size in &sizes {
        // Written with quotes: a key is a text of the plugin's.
        text.push_str(&format!("  {:?}  {}\n", size.key, bytes(size.bytes)));
    }
    let list: Vec<Value> = sizes
        .iter()
        .map(|size| json!({"key": size.key, "bytes": size.bytes}))
        .collect();
    let json = json!({
        "plugin": kept.owner,
        "file": kept.path.to_string_lossy(),
        "bytes": total(&sizes),
        "keys": list,
    });
    Ok(CommandOutput::new(text, json))
}

fn all(kept: &[KeptState]) -> CommandOutput {
    let mut lines = Vec::new();
    let mut list = Vec::new();
    let mut warnings = Vec::new();
    for state in kept {
        let mut object = Map::new();
        object.insert("plugin".into(), state.owner.clone().into());
        object.insert("file".into(), state.path.to_string_lossy().into());
        match &state.keys {
            Ok(sizes) => {
                lines.push(format!(
                    "{}  {}, {}",
                    state.owner,
                    keys(sizes.len()),
                    bytes(total(sizes))
                ));
                object.insert("keys".into(), sizes.len().into());
                object.insert("bytes".into(), total(sizes).into());
            }
            Err(error) => {
                lines.push(format!("{}  cannot be read", state.owner));
                warnings.push(described(error));
                object.insert("error".into(), error.to_json());
            }
        }
        list.push(Value::Object(object));
    }
    if lines.is_empty() {
        lines.push("No plugin keeps anything".to_owned());
    }
    CommandOutput {
        warnings,
        ..CommandOutput::new(lines.join("\n"), Value::Array(list))
    }
}

/// An error with what to do about it, as one line.
fn described(error: &Error) -> String {
    format!("{error}. {}", error.hints().join(" "))
        .trim_end()
        .to_owned()
}
