//! `toolhatch plugin tag`.

use std::sync::Arc;

use serde_json::json;

use super::list::to_json;
use crate::app::App;
use crate::cli::authority::{Authority, Proof};
use crate::cli::block_on_here;
use crate::cli::grant::find;
use crate::cli::output::CommandOutput;
use crate::error::{Code, Error, Result};

/// The longest tag, and how many a version can have.
const LONGEST: usize = 64;
const MOST: usize = 64;

/// Put words on an installed version, for policies (`resource.tags`) and for search.
///
/// A policy can make all the difference of a tag such as `reviewed`, so it takes a person to put one on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin tag files reviewed
  toolhatch plugin tag files@1.0.0 reviewed storage
  toolhatch plugin tag files reviewed --remove")]
pub struct Args {
    /// The plugin, and which version.
    #[arg(value_name = "NAME[@VERSION]")]
    plugin: String,
    /// The words: lower-case letters, digits and hyphens.
    #[arg(required = true, value_name = "TAG")]
    tags: Vec<String>,
    /// Take them off.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    proof: Proof,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        for tag in &self.tags {
            check(tag)?;
        }
        block_on_here(async {
            let mut plugin = find(app, &self.plugin).await?;
            let version = format!("{} {}", plugin.name, plugin.version);
            let doing = if self.remove { "Take" } else { "Put" };
            let preposition = if self.remove { "off" } else { "on" };
            let mut authority = self.proof.authority(app)?;
            if let Authority::Person(terminal) = &mut authority
                && !terminal.confirm(&format!(
                    "{doing} {} {preposition} {version}?",
                    self.tags.join(", ")
                ))?
            {
                return Err(Error::new(
                    Code::E3214,
                    format!("tagging {version} was not confirmed"),
                ));
            }
            plugin.tags.retain(|tag| !self.tags.contains(tag));
            if !self.remove {
                plugin.tags.extend(self.tags);
            }
            plugin.tags.sort();
            plugin.tags.dedup();
            if plugin.tags.len() > MOST {
                return Err(Error::new(
                    Code::E3004,
                    format!(
                        "{version} would have {} tags; {MOST} is the most",
                        plugin.tags.len()
                    ),
                ));
            }
            let (by, _) = authority.record();
            app.set_tags(&plugin, &by).await?;
            let text = match plugin.tags.join(", ") {
                none if none.is_empty() => format!("{version} has no tags."),
                tags => format!("{version} is tagged {tags}."),
            };
            Ok(CommandOutput::new(
                text,
                json!({"plugin": to_json(&plugin)}),
            ))
        })
    }
}

fn check(tag: &str) -> Result<()> {
    let fits = !tag.is_empty()
        && tag.len() <= LONGEST
        && tag
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if fits {
        return Ok(());
    }
    Err(
        Error::new(Code::E3004, format!("{tag:?} is no tag")).hint(format!(
            "Use at most {LONGEST} lower-case letters, digits and hyphens."
        )),
    )
}
