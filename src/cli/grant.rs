//! `toolhatch grant`: a person decides, for good, what an installed plugin may do.

use std::sync::Arc;

use super::authority::{Authority, Proof};
use super::block_on_here;
use super::output::CommandOutput;
use super::plugin::asks;
use super::prompt::Terminal;
use crate::app::{App, read_grants};
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::permission::{Capability, GrantedMount, Grants, Request, Scope};
use crate::registry::{Given, Installed, Stage};

/// How often an answer that cannot be understood is asked for again.
const TRIES: usize = 3;

/// Decide what a plugin may do from now on.
///
/// Shows each thing the plugin asks for, in plain words and with what it means here, and takes yes, no, or something
/// narrower. The decision is kept, bound to the bytes of the plugin; `toolhatch revoke` takes it back. Decisions add up,
/// so that a plugin can be granted one project after the other.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch grant files
  toolhatch grant files --allow file_read=docs:/workspace
  toolhatch grant files@1.1.0 --allow-requested
  toolhatch grant files --allow file_read=docs --yes --json")]
pub struct Args {
    /// The plugin, and which version; the one that waits, or else the one that runs, where none is named.
    #[arg(value_name = "NAME[@VERSION]")]
    plugin: String,
    /// Decide this instead of answering for each request: as in `toolhatch call --allow`.
    #[arg(long, value_name = "NAME=SCOPE")]
    allow: Vec<String>,
    /// Accept everything that the plugin asks for.
    #[arg(long)]
    allow_requested: bool,
    /// Put this in place of what was granted before, instead of adding to it.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    proof: Proof,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        block_on_here(async {
            let plugin = find(app, &self.plugin).await?;
            let requests = app
                .installed_manifest(&plugin)?
                .requests(&app.paths.variables())?;
            let mut authority = self.proof.authority(app)?;
            let grants = if self.allow.is_empty() && !self.allow_requested {
                let Authority::Person(terminal) = &mut authority else {
                    return Err(Error::new(
                        Code::E3004,
                        "nobody is asked, so the command line has to say what is granted",
                    )
                    .hint("Add `--allow NAME=SCOPE`, or `--allow-requested`."));
                };
                ask_each(app, terminal, &plugin, &requests)?
            } else {
                let grants = self.named(app, &plugin, &requests)?;
                if let Authority::Person(terminal) = &mut authority {
                    confirm(terminal, &plugin, &grants)?;
                }
                grants
            };
            let (by, how) = authority.record();
            let given = app.give(&plugin, &grants, self.replace, (&by, how)).await?;
            Ok(CommandOutput::new(text(&plugin, &given), given.to_json()))
        })
    }

    /// What the command line grants. More than the plugin asks for is refused: it would be granted nothing by it.
    fn named(&self, app: &App, plugin: &Installed, requests: &[Request]) -> Result<Grants> {
        let mut grants = read_grants(&self.allow, false, &app.paths.current)?;
        let asked: Scope = requests
            .iter()
            .flat_map(|it| it.capabilities.clone())
            .collect();
        for capability in grants.scope.capabilities() {
            let one = Scope::from_iter([capability.clone()]);
            if asked.meet(&one).is_empty() {
                return Err(Error::new(
                    Code::E3004,
                    format!(
                        "{} {} does not ask for {}={capability}",
                        plugin.name,
                        plugin.version,
                        capability.kind()
                    ),
                )
                .hint(format!(
                    "`toolhatch plugin inspect {}` shows what it asks for.",
                    plugin.name
                )));
            }
        }
        if self.allow_requested {
            for request in requests {
                accept(request, &mut grants, false);
            }
        }
        Ok(grants)
    }
}

/// The installed version that is meant: the one named, or the one that waits, or the one that runs.
pub(super) async fn find(app: &App, text: &str) -> Result<Installed> {
    let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(Code::E3004, format!("reading {text:?}"))
            .caused_by(error)
            .hint("Write the name of an installed plugin, or `NAME@VERSION`.")
    };
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let name: PluginName = name.parse().map_err(|error| invalid(Box::new(error)))?;
    let versions = app.registry().await?.versions(&name).await?;
    let there = || {
        versions
            .iter()
            .filter(|it| it.lifecycle.stage != Stage::Removed)
    };
    let found = match version {
        Some(version) => {
            let version: semver::Version =
                version.parse().map_err(|error| invalid(Box::new(error)))?;
            there().find(|it| it.version == version)
        }
        None => there()
            .find(|it| it.lifecycle.stage == Stage::Staged)
            .or_else(|| there().next()),
    };
    found.cloned().ok_or_else(|| {
        let have: Vec<String> = there().map(|it| it.version.to_string()).collect();
        let error = Error::new(Code::E3102, format!("{text} is not installed"));
        if have.is_empty() {
            error
        } else {
            error.hint(format!("Installed: {}.", have.join(", ")))
        }
    })
}

fn ask_each(
    app: &App,
    terminal: &mut Terminal,
    plugin: &Installed,
    requests: &[Request],
) -> Result<Grants> {
    let mut grants = Grants::default();
    let name = format!("{} {}", plugin.name, plugin.version);
    if requests.is_empty() {
        terminal.say(&format!("{name} asks for nothing."))?;
        return Ok(grants);
    }
    terminal.say(&format!(
        "{name} ({}) asks for this:",
        plugin.digest.short()
    ))?;
    for (number, request) in (1..).zip(requests) {
        terminal.say(&format!(
            "\n{number} of {}: {}",
            requests.len(),
            request.in_plain_words()
        ))?;
        for line in asks::lines(request).iter().skip(1) {
            terminal.say(line)?;
        }
        ask_one(app, terminal, request, &mut grants)?;
    }
    Ok(grants)
}

/// One request: yes, no, or something narrower.
fn ask_one(
    app: &App,
    terminal: &mut Terminal,
    request: &Request,
    grants: &mut Grants,
) -> Result<()> {
    for _ in 0..TRIES {
        let answer = terminal.ask("  Allow it? [y]es, [N]o, or a narrower scope:")?;
        match answer.trim() {
            "" | "n" | "N" | "no" => return Ok(()),
            "y" | "Y" | "yes" => {
                accept(request, grants, true);
                return Ok(());
            }
            narrower => {
                let text = format!("{}={narrower}", request.kind);
                match read_grants(&[text], false, &app.paths.current) {
                    Ok(narrow) if narrow.scope.is_within(&request.scope()) => {
                        // Where it appears is the manifest's matter, unless the person says otherwise.
                        *grants = grants.and(&narrow);
                        return Ok(());
                    }
                    Ok(_) => terminal.say("  That is more than it asks for.")?,
                    Err(error) => terminal.say(&format!("  {error}"))?,
                }
            }
        }
    }
    terminal.say("  Taken as no.")
}

/// Grants all of a request. `named` says that the person was shown it and said yes to it alone.
fn accept(request: &Request, grants: &mut Grants, named: bool) {
    for capability in &request.capabilities {
        if let Capability::FileRead(scope) | Capability::FileWrite(scope) = capability
            && let Some(root) = scope.root()
        {
            grants.mounts.push(GrantedMount {
                host: root.to_owned(),
                guest: request.mount.clone(),
                typed: root.to_string_lossy().into_owned(),
            });
        }
        if named {
            grants.scope.insert(capability.clone());
        } else {
            grants.accepted.insert(capability.clone());
        }
    }
}

fn confirm(terminal: &mut Terminal, plugin: &Installed, grants: &Grants) -> Result<()> {
    terminal.say(&format!(
        "{} {} may from now on:",
        plugin.name, plugin.version
    ))?;
    for capability in grants.whole().capabilities() {
        terminal.say(&format!("  - {}", capability.in_plain_words()))?;
    }
    if terminal.confirm("Keep this?")? {
        return Ok(());
    }
    Err(Error::new(
        Code::E3214,
        format!("granting {} was not confirmed", plugin.name),
    ))
}

fn text(plugin: &Installed, given: &Given) -> String {
    let allowed: Vec<String> = given
        .grants
        .whole()
        .capabilities()
        .iter()
        .map(|capability| format!("  - {}", capability.in_plain_words()))
        .collect();
    let name = format!("{} {}", plugin.name, plugin.version);
    if allowed.is_empty() {
        return format!(
            "{name} was granted nothing. It is called, and denied whatever it tries.\n"
        );
    }
    format!("{name} may from now on:\n{}\n", allowed.join("\n"))
}
