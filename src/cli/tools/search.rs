//! `toolhatch tools search`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::row;
use crate::app::{App, Offered, OfferedTool};
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::table::{Fit, table};
use crate::cli::text::{count, nearest, one_line};
use crate::error::Result;
use crate::invoke::Caller;
use crate::registry::{Document, ToolSearch};

/// How many tools are ranked at most.
const MOST: usize = 200;

/// Search tools by words in their names, descriptions and parameters.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch tools search read file
  toolhatch tools search complexity --in plugins/dist
  toolhatch tools search http --limit 3 --json")]
pub struct Args {
    /// The words. A tool need not have all of them; those that fit best come first.
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// Search this file or folder instead of the installed plugins and search paths. May be given several times.
    #[arg(long = "in", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How many tools are shown at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let (offered, found, mut warnings) = block_on(async {
            let offered = app.offered(&self.files, &Caller::of_process()).await?;
            // All of them, so that the index is the same whoever asks.
            let documents: Vec<Document> = offered
                .all()
                .map(|listed| Document::of(&listed.tool, &listed.place.tags))
                .collect();
            // What is named on the command line is nobody's installation, and is not kept.
            let mut search = if self.files.is_empty() {
                ToolSearch::open(&app.paths.home).await?
            } else {
                ToolSearch::in_memory().await?
            };
            let mut warnings = Vec::new();
            if let Some(embedder) = app.embedder()? {
                search = search.with_embedder(embedder);
                search.sync(&documents).await?;
                // What is new or changed is sent to the model once.
                if let Err(error) = search.embed(&documents).await {
                    warnings.push(format!("Searched by words only: {}", one_line(&error)));
                    search = search.without_embedder();
                }
            }
            let found = search
                .search(
                    &documents,
                    &self.words.join(" "),
                    offered.seen().as_ref(),
                    MOST,
                )
                .await?;
            search.close().await;
            warnings.extend(super::warnings(&offered));
            Ok((offered, found, warnings))
        })?;
        let total = found.hits.len();
        warnings.extend(found.warnings);
        let found: Vec<(&OfferedTool, f64)> = found
            .hits
            .iter()
            .take(self.limit)
            .filter_map(|hit| {
                let listed = offered
                    .tools
                    .iter()
                    .find(|listed| listed.tool.id == hit.id)?;
                Some((listed, hit.score))
            })
            .collect();
        let mut text = if total == 0 {
            nothing(&offered, &self.words)
        } else {
            let rows = found.iter().map(|(listed, _)| row(listed));
            table(&["TOOL", "RISK", "DESCRIPTION"], 2, Fit::Cut, rows)
        };
        if found.len() < total {
            text.push_str(&format!(
                "\n\n{} more: raise `--limit` to see them.",
                total - found.len()
            ));
        }
        let hits: Value = found
            .iter()
            .map(|(listed, score)| {
                let mut json = listed.to_json();
                if let Some(object) = json.as_object_mut() {
                    object.insert("score".into(), json!(score));
                }
                json
            })
            .collect();
        let json = json!({"hits": hits, "total": total, "left_out": offered.left_out_json(), "warnings": warnings});
        Ok(CommandOutput {
            warnings,
            ..CommandOutput::new(text, json)
        })
    }
}

/// What to say where nothing fits: perhaps a word of a name was meant.
fn nothing(offered: &Offered, words: &[String]) -> String {
    let said = words.join(" ");
    let ids: Vec<String> = offered
        .tools
        .iter()
        .map(|listed| listed.tool.id.to_string())
        .collect();
    let names: Vec<&str> = ids
        .iter()
        .flat_map(|id| id.split(['.', '-', '_']))
        .collect();
    let meant = words
        .iter()
        .find_map(|word| nearest(word, names.iter().copied()));
    let searched = count(offered.tools.len(), "tool");
    match meant {
        Some(meant) => format!("Nothing fits {said:?} among {searched}. Did you mean `{meant}`?"),
        None => format!(
            "Nothing fits {said:?} among {searched}. `toolhatch tools list` shows them all."
        ),
    }
}
