//! `toolhatch sandbox changes`: what commands changed and nobody applied yet.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::app::App;
use crate::changes::{Change, ChangeSet, LayerChanges, Node, Rules, What};
use crate::cli::output::{CommandOutput, without_controls};
use crate::cli::table::{Fit, table};
use crate::cli::text::{ago, count, size};
use crate::error::Result;
use crate::ids::CallId;

/// More rows than this are a list that nobody reads; `--json` has all of them.
const MOST_ROWS: usize = 1000;

/// List the changes of commands that wait, or show those of one.
///
/// They come from `toolhatch exec --diff`: the command wrote them apart, and the folder of the workspace has none of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch sandbox changes
  toolhatch sandbox changes 01JD8Z0000000000000000000A
  toolhatch sandbox changes 01JD8Z0000000000000000000A --json")]
pub(super) struct Args {
    /// The id that `toolhatch exec --diff` named.
    id: Option<CallId>,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<CommandOutput> {
        let kept = app.kept_changes();
        let rules = app.change_rules();
        if let Some(id) = self.id {
            let set = kept.open(&id)?;
            let mut text = shown(&set, &rules);
            for diff in set
                .layers
                .iter()
                .flat_map(|layer| &layer.changes)
                .filter_map(|change| change.diff.as_ref())
            {
                text.push_str("\n\n");
                text.push_str(&plain_lines(diff));
            }
            return Ok(CommandOutput::new(text, set.to_json(&rules)));
        }
        let sets = kept.list()?;
        let text = if sets.is_empty() {
            "No changes wait.".to_owned()
        } else {
            listed(&sets)
        };
        let list: Value = sets.iter().map(|set| summary(set, &rules)).collect();
        Ok(CommandOutput::new(text, json!({"waiting": list})))
    }
}

fn listed(sets: &[ChangeSet]) -> String {
    let now = SystemTime::now();
    let rows = sets.iter().map(|set| {
        let made = Duration::from_millis(u64::try_from(set.created_ms).unwrap_or_default());
        let folders: Vec<String> = set
            .layers
            .iter()
            .map(|layer| layer.host.to_string())
            .collect();
        vec![
            set.id.to_string(),
            ago(UNIX_EPOCH + made, now),
            count(set.count(), "path"),
            folders.join(" "),
            set.command.join(" "),
        ]
    });
    table(
        &["ID", "MADE", "CHANGED", "FOLDER", "COMMAND"],
        3,
        Fit::Cut,
        rows,
    )
}

fn summary(set: &ChangeSet, rules: &Rules) -> Value {
    let mut value = set.to_json(rules);
    if let Some(object) = value.as_object_mut() {
        object.remove("changes");
    }
    value
}

/// A table of the changed paths, and what can be done with them.
pub(in crate::cli) fn shown(set: &ChangeSet, rules: &Rules) -> String {
    let mut text = String::new();
    let mut refused = 0;
    for layer in &set.layers {
        if layer.changes.is_empty() {
            continue;
        }
        text.push_str(&format!("{}\n", without_controls(&layer.host.to_string())));
        let rows = layer.changes.iter().take(MOST_ROWS).map(|change| {
            let why = rules.refusal(layer, change);
            vec![
                change.what.word().to_owned(),
                sizes(change),
                modes(change),
                change.path.to_string(),
                note(change, why),
            ]
        });
        text.push_str(&table(
            &["CHANGE", "SIZE", "MODE", "PATH", "NOTE"],
            3,
            Fit::Wrap,
            rows,
        ));
        text.push('\n');
        refused += refusals(layer, rules);
        if let Some(more) = layer.changes.len().checked_sub(MOST_ROWS + 1) {
            text.push_str(&format!("and {} more; --json has all\n", more + 1));
        }
    }
    let id = &set.id;
    text.push_str(&format!(
        "\n{} changed, {refused} of them refused. Nothing of it is in the workspace yet.\n\
         Apply: toolhatch sandbox apply {id}\nThrow away: toolhatch sandbox discard {id}",
        count(set.count(), "path"),
    ));
    text
}

fn refusals(layer: &LayerChanges, rules: &Rules) -> usize {
    let refused = |change: &&Change| rules.refusal(layer, change).is_some();
    layer.changes.iter().filter(refused).count()
}

fn sizes(change: &Change) -> String {
    let of = |node: &Option<Node>| node.as_ref().and_then(Node::size).map(size);
    match (of(&change.before), of(&change.after)) {
        (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
        (_, Some(after)) => after,
        (Some(before), None) => before,
        (None, None) => "–".to_owned(),
    }
}

fn modes(change: &Change) -> String {
    let of = |node: &Option<Node>| node.as_ref().and_then(Node::mode);
    match (of(&change.before), of(&change.after)) {
        (Some(before), Some(after)) if before != after => format!("{before:04o} → {after:04o}"),
        (_, Some(after)) => format!("{after:04o}"),
        (Some(before), None) => format!("{before:04o}"),
        (None, None) => "–".to_owned(),
    }
}

fn note(change: &Change, refused: Option<String>) -> String {
    let mut notes = Vec::new();
    if let Some(why) = refused {
        notes.push(format!("refused: {why}"));
    }
    if change.changed_meanwhile {
        notes.push("conflict: changed while the command ran".to_owned());
    }
    match &change.after {
        Some(Node::Link { target }) => notes.push(format!("link to {target}")),
        Some(Node::Folder { .. }) if change.what != What::Modified => {
            notes.push("folder".to_owned());
        }
        _ => {}
    }
    notes.join("; ")
}

/// Lines of a file without what could rewrite a terminal; their ends stay.
fn plain_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let parts: Vec<String> = line.split('\t').map(without_controls).collect();
            parts.join("\t")
        })
        .collect();
    lines.join("\n")
}
