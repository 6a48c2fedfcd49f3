//! `toolhatch mcp import`: a person takes in the servers of other programs.

mod candidate;
mod gather;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::App;
use crate::cli::authority::{Authority, Proof};
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::text::{count, section};
use crate::config::{ForeignProgram, NamePattern};
use crate::error::{Error, Result};
use crate::invoke::Caller;

use candidate::{Candidate, State};
use gather::Gathered;

/// Take in the servers that other programs have in their configuration.
///
/// Nothing is started, and an imported server is allowed nothing: what it could do there is told, with what of that can be
/// allowed here. Without FILE, the usual places of these programs are looked at. Secrets that stand in the files are not
/// copied.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp import --dry-run
  toolhatch mcp import --from cursor
  toolhatch mcp import ~/.claude.json --only github")]
pub struct Args {
    /// Configuration files: JSON, TOML or YAML.
    files: Vec<PathBuf>,
    /// The program they are of; without FILE, the one whose places are looked at.
    #[arg(long, value_parser = parse_program, value_name = "claude|cursor|vscode|codex|docker|toolhive")]
    from: Option<ForeignProgram>,
    /// Take only servers of these names: as they are there or here, with `*` for any characters.
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    only: Vec<NamePattern>,
    /// Say what would be added, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Copy secrets that stand in the files.
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    proof: Proof,
}

fn parse_program(text: &str) -> std::result::Result<ForeignProgram, String> {
    let found = ForeignProgram::ALL
        .into_iter()
        .find(|program| program.word() == text);
    found.ok_or_else(|| {
        let words = ForeignProgram::ALL.map(ForeignProgram::word);
        format!("use one of {}", words.join(", "))
    })
}

fn parse_pattern(text: &str) -> std::result::Result<NamePattern, String> {
    text.parse().map_err(str::to_owned)
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let mut gathered = Gathered::of(app, &self.files, self.from, self.with_secrets);
        // A file that somebody named and that cannot be read is what they have to hear about, not that there is no server.
        if self.files.len() == 1
            && let Some((_, error)) = gathered.failed.pop()
        {
            return Err(error);
        }
        let mut candidates = candidate::all(app, &gathered, &self.only);
        let is_new = |candidate: &&mut Candidate| candidate.state == State::New;
        let mut authority = None;
        if !self.dry_run && candidates.iter_mut().any(|candidate| is_new(&candidate)) {
            let mut asked = self.proof.authority(app)?;
            block_on(async {
                let plugins = app.registry().await?.plugins().await?;
                for candidate in candidates.iter_mut().filter(is_new) {
                    if plugins.iter().any(|plugin| plugin.name == candidate.name) {
                        candidate.refuse("a plugin of this name is installed".to_owned());
                    } else if let Err(error) = app
                        .may_register(&Caller::of_process(), &candidate.name)
                        .await
                    {
                        candidate.refuse(error.to_string());
                    } else {
                        add(app, candidate, &mut asked)?;
                    }
                }
                Ok::<(), Error>(())
            })?;
            authority = Some(asked);
        }
        let was_shown = matches!(authority, Some(Authority::Person(_)));
        Ok(self.output(&gathered, &candidates, was_shown))
    }

    fn output(
        &self,
        gathered: &Gathered,
        candidates: &[Candidate],
        was_shown: bool,
    ) -> CommandOutput {
        let mut text = String::new();
        for candidate in candidates {
            // A person at the terminal has read of those that were asked about.
            if !was_shown || !candidate.state.was_asked() {
                text.push_str(&candidate.text());
            }
        }
        let failed: Vec<String> = gathered
            .failed
            .iter()
            .map(|(_, error)| error.to_string())
            .collect();
        text.push_str(&section("Could not be read", &failed));
        let of = |state: State| candidates.iter().filter(|it| it.state == state).count();
        let sum = if gathered.read.is_empty() && failed.is_empty() {
            "No configuration of another program was found. Name a file.\n".to_owned()
        } else if self.dry_run {
            format!(
                "{} would be added, of {} in {}. Nothing was changed.\n",
                count(of(State::New), "server"),
                candidates.len(),
                count(gathered.read.len(), "file")
            )
        } else {
            let added = of(State::Added);
            let next = if added == 0 {
                ""
            } else {
                " `toolhatch mcp test NAME` connects to one."
            };
            format!("{} added.{next}\n", count(added, "server"))
        };
        text.push_str(&format!("\n{sum}"));
        let read = gathered.read.iter().map(|read| {
            json!({
                "path": read.path.to_string_lossy(),
                "program": read.file.program.word(),
                "of_project": read.of_project,
                "servers": read.file.servers.len(),
            })
        });
        let errors = gathered.failed.iter().map(
            |(path, error)| json!({"path": path.to_string_lossy(), "error": error.to_string()}),
        );
        let json = json!({
            "dry_run": self.dry_run,
            "files": read.collect::<Value>(),
            "failed": errors.collect::<Value>(),
            "servers": candidates.iter().map(Candidate::json).collect::<Value>(),
        });
        let mut output = CommandOutput::new(text.trim_start_matches('\n'), json);
        // Of the usual places it is enough to tell; a file that was named had to be read.
        if let Some((_, error)) = gathered.failed.first().filter(|_| !self.files.is_empty()) {
            output.exit = error.exit();
        }
        output
    }
}

/// Adds one server, where whoever decides wants it.
fn add(app: &App, candidate: &mut Candidate, authority: &mut Authority) -> Result<()> {
    if let Authority::Person(terminal) = authority {
        terminal.say(&candidate.text())?;
        if !terminal.confirm(&format!("Add {}?", candidate.name))? {
            candidate.state = State::Declined;
            return Ok(());
        }
        if !candidate.proposed.is_empty()
            && terminal.confirm(&format!("Allow it {}?", candidate.proposed.join(", ")))?
        {
            candidate.allow_proposed();
        }
    }
    let (by, how) = authority.record();
    let imported = app
        .declared_server(&candidate.name, &candidate.declared)
        .and_then(|(server, _)| {
            let from = &candidate.path;
            app.import_server(
                &candidate.name,
                &candidate.declared,
                &server,
                from,
                (&by, how),
            )
        });
    match imported {
        Ok(_) => candidate.state = State::Added,
        Err(error) => candidate.refuse(error.to_string()),
    }
    Ok(())
}
