//! `toolhatch cache`: the compiled components on disk.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::block_on;
use super::output::CommandOutput;
use super::table::{Fit, table};
use super::text::{ago, count, size};
use crate::app::App;
use crate::error::Result;
use crate::host::CachedComponent;
use crate::manifest::ByteSize;
use crate::registry::Installed;

/// List and tidy the cache of compiled components.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch cache list
  toolhatch cache gc --keep 500MB --dry-run

Everything in the cache is built again when it is needed.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the compiled components, the most recently used first.
    List,
    Gc(Gc),
}

/// Remove what other engines left, and then the least recently used components until the rest fits.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch cache gc
  toolhatch cache gc --keep 500MB --dry-run")]
struct Gc {
    /// How much may stay, such as 500MB; the configured size of the cache where it is left out.
    #[arg(long, value_name = "SIZE")]
    keep: Option<ByteSize>,
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        match self.command {
            Command::List => list(app),
            Command::Gc(args) => args.run(app),
        }
    }
}

fn list(app: &App) -> Result<CommandOutput> {
    let mut components = app.cache()?.list()?;
    sort(&mut components);
    // Names are a courtesy: without them the list is still right.
    let installed = block_on(async { app.registry().await?.plugins().await }).unwrap_or_default();
    let total: u64 = components.iter().map(|component| component.size).sum();
    let text = if components.is_empty() {
        "The cache is empty.".to_owned()
    } else {
        let now = SystemTime::now();
        let rows = components
            .iter()
            .map(|component| row(component, &installed, now));
        let table = table(
            &["ARTIFACT", "ENGINE", "SIZE", "LAST USED", "PLUGIN"],
            4,
            Fit::Cut,
            rows,
        );
        let counted = count(components.len(), "component");
        format!(
            "{table}\n\n{counted}, {} in {}",
            size(total),
            app.config.cache_dir.display()
        )
    };
    let list: Value = components
        .iter()
        .map(|component| to_json(component, &installed))
        .collect();
    Ok(CommandOutput::new(
        text,
        json!({
            "folder": app.config.cache_dir.to_string_lossy(),
            "components": list,
            "size": total,
            "max_size": app.config.cache_max_size,
        }),
    ))
}

impl Gc {
    fn run(self, app: &App) -> Result<CommandOutput> {
        let keep = self.keep.map_or(app.config.cache_max_size, |keep| keep.0);
        let cache = app.cache()?;
        let before: u64 = cache.list()?.iter().map(|component| component.size).sum();
        let mut removed = cache.collect(&app.host()?.fingerprints()?, keep, self.dry_run)?;
        sort(&mut removed);
        let freed: u64 = removed.iter().map(|component| component.size).sum();
        let done = if self.dry_run {
            "Would remove"
        } else {
            "Removed"
        };
        let text = format!(
            "{done} {}, {}; {} stay.",
            count(removed.len(), "compiled component"),
            size(freed),
            size(before.saturating_sub(freed)),
        );
        let list: Value = removed
            .iter()
            .map(|component| to_json(component, &[]))
            .collect();
        Ok(CommandOutput::new(
            text,
            json!({
                "removed": list,
                "freed": freed,
                "kept": before.saturating_sub(freed),
                "dry_run": self.dry_run,
            }),
        ))
    }
}

fn sort(components: &mut [CachedComponent]) {
    components.sort_by(|a, b| {
        let key =
            |one: &CachedComponent| (Reverse(one.used), one.artifact.clone(), one.engine.clone());
        key(a).cmp(&key(b))
    });
}

/// The installed plugin that was compiled.
fn plugin_of<'a>(component: &CachedComponent, installed: &'a [Installed]) -> Option<&'a Installed> {
    installed
        .iter()
        .find(|plugin| plugin.digest.to_string() == component.artifact)
}

fn row(component: &CachedComponent, installed: &[Installed], now: SystemTime) -> Vec<String> {
    let hex = component.artifact.trim_start_matches("sha256:");
    let plugin = plugin_of(component, installed);
    vec![
        hex.chars().take(12).collect(),
        component.engine.clone(),
        size(component.size),
        ago(component.used, now),
        plugin.map_or_else(
            || "-".to_owned(),
            |plugin| format!("{} {}", plugin.name, plugin.version),
        ),
    ]
}

fn to_json(component: &CachedComponent, installed: &[Installed]) -> Value {
    let used = component.used.duration_since(SystemTime::UNIX_EPOCH);
    json!({
        "artifact": component.artifact,
        "engine": component.engine,
        "size": component.size,
        "used_unix_seconds": used.map_or(0, |used| used.as_secs()),
        "plugin": plugin_of(component, installed).map(|plugin| format!("{}@{}", plugin.name, plugin.version)),
    })
}
