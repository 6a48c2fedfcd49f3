//! `toolhatch plugin deprecate`.

use std::sync::Arc;

use serde_json::json;

use super::list::to_json;
use crate::app::App;
use crate::audit::EventType;
use crate::cli::block_on_here;
use crate::cli::grant::find;
use crate::cli::output::CommandOutput;
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::registry::{Day, Lifecycle, Stage};
use crate::store::now_ms;

/// Deprecate a version of a plugin: it runs until a day, and whoever calls it is told what to use in its place.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin deprecate files@1.0.0 --until 2027-03-01 --note \"1.1 reads the same files\"
  toolhatch plugin deprecate old-files --use files
  toolhatch plugin deprecate files@1.0.0 --undo

Without --until it runs for 90 days more.")]
pub struct Args {
    /// The plugin, and which version.
    #[arg(value_name = "NAME[@VERSION]")]
    plugin: String,
    /// The day from which it does not run any more, such as 2027-03-01.
    #[arg(long, value_name = "DAY")]
    until: Option<Day>,
    /// The plugin to use in its place.
    #[arg(long = "use", value_name = "NAME")]
    replacement: Option<String>,
    /// How to move to that.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Make it an ordinary version again.
    #[arg(long, conflicts_with_all = ["until", "replacement", "note"])]
    undo: bool,
}

/// How long a deprecated version runs where nobody says: the 90 days of the specification of the tool execution layer.
const GRACE_MS: i64 = 90 * 86_400_000;

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        block_on_here(async {
            let plugin = find(app, &self.plugin).await?;
            let replacement = self
                .replacement
                .as_deref()
                .map(str::parse::<PluginName>)
                .transpose()
                .map_err(|error| Error::new(Code::E3004, "reading `--use`").caused_by(error))?;
            let now = now_ms();
            let lifecycle = if self.undo {
                Lifecycle::new(Stage::Active)
            } else {
                Lifecycle {
                    stage: Stage::Deprecated,
                    deprecated_on: Some(Day::of_ms(now)),
                    sunset_on: Some(self.until.unwrap_or_else(|| Day::of_ms(now + GRACE_MS))),
                    replacement,
                    note: self.note,
                }
            };
            if plugin.lifecycle.stage == Stage::Staged {
                return Err(Error::new(
                    Code::E3004,
                    format!(
                        "{} {} waits for a grant and does not run",
                        plugin.name, plugin.version
                    ),
                )
                .hint(format!(
                    "Remove it with `toolhatch plugin remove {}@{}`.",
                    plugin.name, plugin.version
                )));
            }
            let registry = app.registry().await?;
            registry
                .set_lifecycle(&plugin, lifecycle.clone(), || {
                    app.record(
                        App::plugin_event(EventType::PluginChanged, &plugin)
                            .with("stage", lifecycle.stage.word())
                            .with("advice", lifecycle.advice()),
                    )
                })
                .await?;
            let text = format!("{} {} {}", plugin.name, plugin.version, lifecycle.advice());
            let changed = crate::registry::Installed {
                lifecycle,
                ..plugin
            };
            Ok(CommandOutput::new(
                text,
                json!({"plugin": to_json(&changed)}),
            ))
        })
    }
}
